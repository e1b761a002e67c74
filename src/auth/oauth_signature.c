/* Whether a key has signed a token: RS256 and ES256 (RFC 7518 sections 3.3 and 3.4).  Bytes and
 * numbers of known sizes only; nothing is parsed here. */
#include "auth/oauth.h"

#include <bearssl.h>
#include <string.h>

static bool is_rsa_signature(struct oauth_request const *r, struct oauth_key const *k,
                             unsigned char const hash[br_sha256_SIZE]) {
  unsigned char signed_hash[br_sha256_SIZE], n[OAUTH_RSA_MAX], e[sizeof k->e];
  memcpy(n, k->n, k->n_size);
  memcpy(e, k->e, k->e_size);
  br_rsa_public_key key = {.n = n, .nlen = k->n_size, .e = e, .elen = k->e_size};
  return r->signature_size == k->n_size &&
         br_rsa_pkcs1_vrfy_get_default()(r->signature, r->signature_size, BR_HASH_OID_SHA256,
                                         sizeof signed_hash, &key, signed_hash) &&
         !memcmp(signed_hash, hash, sizeof signed_hash);
}

static bool is_ec_signature(struct oauth_request const *r, struct oauth_key const *k,
                            unsigned char const hash[br_sha256_SIZE]) {
  enum { SIZE = 64 }; /* r and s */
  unsigned char point[OAUTH_POINT_SIZE];
  memcpy(point, k->point, sizeof point);
  br_ec_public_key key = {.curve = BR_EC_secp256r1, .q = point, .qlen = sizeof point};
  return r->signature_size == SIZE &&
         br_ecdsa_vrfy_raw_get_default()(br_ec_get_default(), hash, br_sha256_SIZE, &key,
                                         r->signature, r->signature_size);
}

/* RFC 8725 section 3.1: the key says which algorithm it is for, and the token must agree.  A key or
 * a token that says no id fits any. */
static bool may_be_key(struct oauth_header const *h, struct oauth_key const *k) {
  return k->algorithm == h->algorithm && (!*k->id || !*h->key || !strcmp(k->id, h->key));
}

enum oauth_problem oauth_check_signature(struct oauth_request const *r,
                                         struct oauth_keys const *keys) {
  static bool (*const checks[OAUTH_ALGORITHMS])(struct oauth_request const *,
                                                struct oauth_key const *, unsigned char const *) = {
      [OAUTH_RS256] = is_rsa_signature, [OAUTH_ES256] = is_ec_signature};
  unsigned char hash[br_sha256_SIZE];
  enum oauth_problem problem = OAUTH_KEY;
  br_sha256_context context;
  br_sha256_init(&context);
  br_sha256_update(&context, r->text, strlen(r->text));
  br_sha256_out(&context, hash);
  for (size_t i = 0; i < keys->count; i++) {
    if (!may_be_key(&r->header, &keys->keys[i])) continue;
    if (checks[r->header.algorithm](r, &keys->keys[i], hash)) return OAUTH_GOOD;
    problem = OAUTH_SIGNATURE;
  }
  return problem;
}
