/* A server's own certificate files: chain and private key, read and checked as a whole.  What is in
 * the certificate (names, dates) is the clients' business and tlscheck's, not checked. */
#include "x509/x509.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { EC_POINT_MAX = 133, RSA_MODULUS_MAX = 512 }; /* P-521, RSA-4096: BearSSL's limits */

static char const install_again[] = "install the file again";

struct loading {
  struct credentials *credentials;
  struct certificate_problem *problem;
  size_t found;
  /* What an EC key's file says of its public half; empty if nothing. */
  unsigned char point[EC_POINT_MAX];
  size_t point_size;
};

static bool bad(struct certificate_problem *p, char const *why, char const *remedy) {
  p->why = why;
  p->remedy = remedy;
  return false;
}

static bool bad_encrypted(struct certificate_problem *p) {
  return bad(p, "the private key is encrypted", "remove the passphrase with openssl pkey");
}

/* der has room for all certificates of a file, with one of the authorities behind it at most. */
static bool add_certificate(struct credentials *c, struct der bytes) {
  if (c->chain_length == CHAIN_MAX || bytes.size > sizeof c->der - c->der_size) return false;
  memcpy(c->der + c->der_size, bytes.data, bytes.size);
  c->chain[c->chain_length++] = (br_x509_certificate){c->der + c->der_size, bytes.size};
  c->der_size += bytes.size;
  return true;
}

static bool take_certificate(void *context, char const *name, struct der bytes) {
  struct loading *l = context;
  if (!pem_is_certificate(name)) return true;
  if (!add_certificate(l->credentials, bytes))
    return bad(l->problem, "more than 10 certificates", "leave only the server's and its issuers'");
  l->found++;
  return true;
}

static bool is_key(char const *name) {
  return !strcmp(name, "PRIVATE KEY") || !strcmp(name, "RSA PRIVATE KEY") ||
         !strcmp(name, "EC PRIVATE KEY");
}

/* RFC 5915 section 3: the public key in the ECPrivateKey; empty if it is not there. */
static struct der find_point(struct der bytes) {
  struct der key, ignored, tagged, bits = {0};
  if (!der_take(&bytes, DER_SEQUENCE, &key) || !der_take(&key, DER_INTEGER, &ignored)) return bits;
  /* PKCS#8 has it in an OCTET STRING behind the algorithm (RFC 5208 section 5). */
  if (der_take(&key, DER_SEQUENCE, &ignored) &&
      (!der_take(&key, DER_OCTETS, &bytes) || !der_take(&bytes, DER_SEQUENCE, &key) ||
       !der_take(&key, DER_INTEGER, &ignored)))
    return bits;
  if (!der_take(&key, DER_OCTETS, &ignored)) return bits;
  der_take(&key, DER_TAGGED, &ignored); /* the curve */
  if (der_take(&key, DER_TAGGED + 1, &tagged)) der_take(&tagged, DER_BITS, &bits);
  return bits;
}

/* Behind the number of bits that are not used, which is 0. */
static void take_point(struct loading *l, struct der bits) {
  l->point_size = 0;
  if (bits.size < 2 || bits.size > sizeof l->point + 1 || *bits.data) return;
  l->point_size = bits.size - 1;
  memcpy(l->point, bits.data + 1, l->point_size);
}

static bool take_key(void *context, char const *name, struct der bytes) {
  struct loading *l = context;
  if (!strcmp(name, "ENCRYPTED PRIVATE KEY")) return bad_encrypted(l->problem);
  if (!is_key(name)) return true;
  if (l->found++) return bad(l->problem, "more than one private key", "leave only one");
  take_point(l, find_point(bytes));
  br_skey_decoder_init(&l->credentials->key);
  br_skey_decoder_push(&l->credentials->key, bytes.data, bytes.size);
  return true;
}

static bool load_objects(struct loading *l, char const *path, pem_take *take) {
  struct certificate_problem *p = l->problem;
  char *text;
  size_t size;
  *p = (struct certificate_problem){.path = path};
  l->found = 0;
  if (file_read(AT_FDCWD, path, PEM_FILE_MAX - 1, &text, &size) < 0) {
    p->error = errno;
    return bad(p, 0,
               "check TLS_CERTFILE and TLS_PRIVATE_KEYFILE, and that tlsd's user may read it");
  }
  /* The key formats of old carry a header there, and that only when encrypted. */
  bool old_encryption = strstr(text, "Proc-Type:");
  bool clean = pem_each(text, size, take, l);
  explicit_bzero(text, size);
  free(text);
  if (p->why) return false;
  if (clean) return true;
  if (old_encryption) return bad_encrypted(p);
  return bad(p, "damaged PEM: no clean base64 between BEGIN and END lines", install_again);
}

static bool load_chain(struct loading *l, char const *path) {
  l->credentials->chain_length = l->credentials->der_size = 0;
  if (!load_objects(l, path, take_certificate)) return false;
  return l->found || bad(l->problem, "no certificate in it",
                         "it must be PEM and hold -----BEGIN CERTIFICATE-----");
}

static bool check_key(struct credentials const *c, struct certificate_problem *p) {
  br_ec_private_key const *ec = br_skey_decoder_get_ec(&c->key);
  if (br_skey_decoder_last_error(&c->key))
    return bad(p, "the private key is none that tlsd can use",
               "use RSA of up to 4096 bits, or EC on P-256, P-384 or P-521");
  if (ec && !(br_ec_get_default()->supported_curves >> ec->curve & 1))
    return bad(p, "the private key's curve is not supported", "use P-256");
  return true;
}

static bool load_key(struct loading *l, char const *path) {
  if (!load_objects(l, path, take_key)) return false;
  if (!l->found)
    return bad(l->problem, "no private key in it",
               "append the key, or name its file in TLS_PRIVATE_KEYFILE");
  return check_key(l->credentials, l->problem);
}

static size_t without_leading_zeros(unsigned char const **p, size_t n) {
  while (n && !**p) {
    ++*p;
    n--;
  }
  return n;
}

static bool same_number(unsigned char const *a, size_t a_size, unsigned char const *b,
                        size_t b_size) {
  a_size = without_leading_zeros(&a, a_size);
  b_size = without_leading_zeros(&b, b_size);
  return a_size == b_size && !memcmp(a, b, a_size);
}

static bool is_rsa_pair(br_rsa_public_key const *public, br_rsa_private_key const *private) {
  unsigned char modulus[RSA_MODULUS_MAX];
  br_rsa_compute_modulus compute = br_rsa_compute_modulus_get_default();
  size_t size = compute(0, private);
  if (!size || size > sizeof modulus || !compute(modulus, private)) return false;
  return same_number(modulus, size, public->n, public->nlen);
}

static bool is_ec_pair(br_ec_public_key const *public, br_ec_private_key const *private) {
  unsigned char point[EC_POINT_MAX];
  br_ec_public_key computed;
  if (public->curve != private->curve) return false;
  if (!br_ec_compute_pub(br_ec_get_default(), &computed, point, private)) return false;
  return computed.qlen == public->qlen && !memcmp(computed.q, public->q, computed.qlen);
}

static bool is_pair(br_x509_pkey const *public, br_skey_decoder_context const *private) {
  if (public->key_type != br_skey_decoder_key_type(private)) return false;
  return public->key_type == BR_KEYTYPE_RSA
             ? is_rsa_pair(&public->key.rsa, br_skey_decoder_get_rsa(private))
             : is_ec_pair(&public->key.ec, br_skey_decoder_get_ec(private));
}

/* RFC 5929 section 4.1: the certificate's hash, by the function of its signature, SHA-256 for the
 * broken ones.  A signature by something else (RSA-PSS, Ed25519) has no binding that all would
 * compute alike, and gets none. */
static void find_end_point(struct credentials *c, int signature_hash) {
  static struct {
    int id;
    br_hash_class const *hash;
  } const hashes[] = {
      {br_md5_ID, &br_sha256_vtable},    {br_sha1_ID, &br_sha256_vtable},
      {br_sha224_ID, &br_sha224_vtable}, {br_sha256_ID, &br_sha256_vtable},
      {br_sha384_ID, &br_sha384_vtable}, {br_sha512_ID, &br_sha512_vtable},
  };
  static char const digits[] = "0123456789abcdef";
  unsigned char hash[64];
  br_hash_compat_context context;
  for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
    if (hashes[i].id != signature_hash) continue;
    hashes[i].hash->init(&context.vtable);
    hashes[i].hash->update(&context.vtable, c->chain[0].data, c->chain[0].data_len);
    hashes[i].hash->out(&context.vtable, hash);
    size_t size = hashes[i].hash->desc >> BR_HASHDESC_OUT_OFF & BR_HASHDESC_OUT_MASK;
    for (size_t j = 0; j < size; j++) {
      c->end_point[2 * j] = digits[hash[j] >> 4];
      c->end_point[2 * j + 1] = digits[hash[j] & 15];
    }
    c->end_point[2 * size] = 0;
  }
}

static br_x509_pkey const *own_key(br_x509_decoder_context *own, struct credentials const *c) {
  br_x509_decoder_init(own, 0, 0);
  br_x509_decoder_push(own, c->chain[0].data, c->chain[0].data_len);
  return br_x509_decoder_get_pkey(own);
}

static bool bad_pair(struct certificate_problem *p, char const *keyfile) {
  p->key = keyfile;
  return bad(p, "the private key does not belong to the first certificate",
             "put the server's own certificate first, and the key that it was made with");
}

/* What the file says of an EC key's public half: to compute it takes as long as to sign. */
static bool says_point(struct loading const *l, br_x509_pkey const *public) {
  br_ec_private_key const *ec = br_skey_decoder_get_ec(&l->credentials->key);
  return ec && public->key_type == BR_KEYTYPE_EC && public->key.ec.curve == ec->curve &&
         public->key.ec.qlen == l->point_size && !memcmp(public->key.ec.q, l->point, l->point_size);
}

static bool check_pair(struct loading const *l, char const *certfile, char const *keyfile) {
  struct credentials *c = l->credentials;
  struct certificate_problem *p = l->problem;
  br_x509_decoder_context own;
  *p = (struct certificate_problem){.path = certfile};
  c->end_point[0] = 0;
  br_x509_pkey const *public = own_key(&own, c);
  if (!public)
    return bad(p, "the first certificate cannot be decoded", "look at it with openssl x509");
  find_end_point(c, br_x509_decoder_get_signer_hash_id(&own));
  return says_point(l, public) || is_pair(public, &c->key) || bad_pair(p, keyfile);
}

int x509_credentials_prove(struct credentials const *c, char const *certfile, char const *keyfile,
                           struct certificate_problem *p) {
  br_x509_decoder_context own;
  *p = (struct certificate_problem){.path = certfile};
  br_x509_pkey const *public = own_key(&own, c);
  if (public && is_pair(public, &c->key)) return 0;
  bad_pair(p, keyfile ? keyfile : certfile);
  return -1;
}

/* Up to a root, which every client that trusts it has. */
static void complete_chain(struct credentials *c, char const *trust) {
  struct certificate last, issuer;
  size_t size;
  if (c->chain_length > 1) return; /* whoever put some there put all there */
  while (c->chain_length < CHAIN_MAX) {
    br_x509_certificate const *end = &c->chain[c->chain_length - 1];
    unsigned char *room = c->der + c->der_size;
    if (!certificate_parse(&last, (struct der){end->data, end->data_len})) return;
    if (certificate_is_self_issued(&last)) return;
    if (trust_find_issuer(trust, &last, room, sizeof c->der - c->der_size, &size) <= 0) return;
    if (!certificate_parse(&issuer, (struct der){room, size})) return;
    if (certificate_is_self_issued(&issuer)) return;
    c->chain[c->chain_length++] = (br_x509_certificate){room, size};
    c->der_size += size;
  }
}

int x509_credentials_load_chain(struct credentials *c, char const *certfile,
                                struct certificate_problem *p) {
  struct loading l = {.credentials = c, .problem = p};
  return load_chain(&l, certfile) ? 0 : -1;
}

int x509_credentials_load(struct credentials *c, char const *certfile, char const *keyfile,
                          char const *trust, struct certificate_problem *p) {
  struct loading l = {.credentials = c, .problem = p};
  if (!keyfile) keyfile = certfile;
  if (!load_chain(&l, certfile) || !load_key(&l, keyfile)) return -1;
  if (!check_pair(&l, certfile, keyfile)) return -1;
  if (trust) complete_chain(c, trust);
  return 0;
}

size_t x509_credentials_size(struct credentials const *c) {
  return offsetof(struct credentials, der) + c->der_size;
}

void x509_credentials_wipe(struct credentials *c) {
  memory_wipe(c, x509_credentials_size(c));
}
