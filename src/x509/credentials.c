/* A server's own certificate files: chain and private key, read and checked as a whole.  What is in
 * the certificate (names, dates) is the clients' business and tlscheck's, not checked. */
#include "x509/x509.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static char const install_again[] = "install the file again";

struct loading {
  struct credentials *credentials;
  struct certificate_problem *problem;
  bool chain_wanted, key_wanted; /* of the file that is being read */
  size_t keys;
};

static bool bad(struct certificate_problem *p, char const *why, char const *remedy) {
  p->why = why;
  p->remedy = remedy;
  return false;
}

static bool bad_encrypted(struct certificate_problem *p) {
  return bad(p, "the private key is encrypted", "remove the passphrase with openssl pkey");
}

/* The bytes lie in der, too, where they have been read; those before them are not needed any more.
 */
static bool add_certificate(struct credentials *c, struct der bytes) {
  if (c->chain_length == CHAIN_MAX) return false;
  memmove(c->der + c->der_size, bytes.data, bytes.size);
  c->chain[c->chain_length++] = (br_x509_certificate){c->der + c->der_size, bytes.size};
  c->der_size += bytes.size;
  return true;
}

static bool take_certificate(struct loading *l, struct der bytes) {
  return add_certificate(l->credentials, bytes) ||
         bad(l->problem, "more than 10 certificates", "leave only the server's and its issuers'");
}

static bool is_key(char const *name) {
  return !strcmp(name, "PRIVATE KEY") || !strcmp(name, "RSA PRIVATE KEY") ||
         !strcmp(name, "EC PRIVATE KEY");
}

static bool take_key(struct loading *l, char const *name, struct der bytes) {
  if (!strcmp(name, "ENCRYPTED PRIVATE KEY")) return bad_encrypted(l->problem);
  if (!is_key(name)) return true;
  if (l->keys++) return bad(l->problem, "more than one private key", "leave only one");
  private_key_read(&l->credentials->key, bytes); /* what it is worth will be seen */
  return true;
}

static bool take_object(void *context, char const *name, struct der bytes) {
  struct loading *l = context;
  if (pem_is_certificate(name)) return !l->chain_wanted || take_certificate(l, bytes);
  return !l->key_wanted || take_key(l, name, bytes);
}

/* The text is read behind the certificates that are there, and decoded where it lies. */
static bool load_objects(struct loading *l, char const *path) {
  struct certificate_problem *p = l->problem;
  struct credentials *c = l->credentials;
  char *text = (char *)c->der + c->der_size;
  size_t room = sizeof c->der - c->der_size;
  *p = (struct certificate_problem){.path = path};
  ssize_t size = file_read_into(AT_FDCWD, path, text, room);
  if (size < 0) {
    p->error = errno;
    memory_wipe(text, room); /* what has come of it may hold a key */
    return bad(p, 0,
               "check TLS_CERTFILE and TLS_PRIVATE_KEYFILE, and that tlsd's user may read it");
  }
  /* The key formats of old carry a header there, and that only when encrypted. */
  bool old_encryption = strstr(text, "Proc-Type:");
  char const *end = text + size;
  bool clean = pem_each(text, (size_t)size, take_object, l);
  unsigned char *rest = c->der + c->der_size;
  explicit_bzero(rest, (size_t)((unsigned char const *)end - rest));
  if (p->why) return false;
  if (clean) return true;
  if (old_encryption) return bad_encrypted(p);
  return bad(p, "damaged PEM: no clean base64 between BEGIN and END lines", install_again);
}

static bool check_key(struct credentials const *c, struct certificate_problem *p) {
  if (!c->key.type)
    return bad(p, "the private key is none that tlsd can use",
               "use RSA of up to 4096 bits, or EC on P-256, P-384 or P-521");
  if (c->key.type == BR_KEYTYPE_EC &&
      !(br_ec_get_default()->supported_curves >> c->key.ec.curve & 1))
    return bad(p, "the private key's curve is not supported", "use P-256");
  return true;
}

/* What is wanted of a file. */
static bool load_file(struct loading *l, char const *path, bool chain, bool key) {
  struct credentials *c = l->credentials;
  l->chain_wanted = chain;
  l->key_wanted = key;
  if (chain) c->chain_length = c->der_size = 0;
  if (key) c->key.type = 0;
  if (!load_objects(l, path)) return false;
  if (chain && !c->chain_length)
    return bad(l->problem, "no certificate in it",
               "it must be PEM and hold -----BEGIN CERTIFICATE-----");
  if (key && !l->keys)
    return bad(l->problem, "no private key in it",
               "append the key, or name its file in TLS_PRIVATE_KEYFILE");
  return !key || check_key(c, l->problem);
}

/* BearSSL 0.6's faster function for this has no room for 4096 bits.  The size is what the file says
 * of the modulus, and signatures will have. */
static bool is_rsa_pair(br_rsa_public_key const *public, br_rsa_private_key const *private) {
  unsigned char modulus[RSA_MODULUS_MAX];
  return br_rsa_i15_compute_modulus(0, private) == public->nlen &&
         br_rsa_i15_compute_modulus(modulus, private) == public->nlen &&
         !memcmp(modulus, public->n, public->nlen);
}

static bool is_ec_pair(br_ec_public_key const *public, br_ec_private_key const *private) {
  unsigned char point[EC_POINT_MAX];
  br_ec_public_key computed;
  if (public->curve != private->curve) return false;
  if (!br_ec_compute_pub(br_ec_get_default(), &computed, point, private)) return false;
  return computed.qlen == public->qlen && !memcmp(computed.q, public->q, computed.qlen);
}

static bool is_pair(br_x509_pkey const *public, struct private_key const *private) {
  if (public->key_type != private->type) return false;
  return public->key_type == BR_KEYTYPE_RSA ? is_rsa_pair(&public->key.rsa, &private->rsa)
                                            : is_ec_pair(&public->key.ec, &private->ec);
}

/* RFC 5929 section 4.1: the certificate's hash, by the function of its signature, SHA-256 for the
 * broken ones.  A signature by something else (RSA-PSS, Ed25519) has no binding that all would
 * compute alike, and gets none. */
void x509_end_point(struct credentials const *c, char text[END_POINT_SIZE]) {
  static char const digits[] = "0123456789abcdef";
  struct certificate own;
  unsigned char hash[END_POINT_SIZE / 2];
  br_hash_compat_context context;
  *text = 0;
  if (!certificate_parse(&own, (struct der){c->chain[0].data, c->chain[0].data_len})) return;
  br_hash_class const *class = certificate_hash(&own);
  if (!class) return;
  if (class == &br_sha1_vtable || class == &br_md5_vtable) class = &br_sha256_vtable;
  class->init(&context.vtable);
  class->update(&context.vtable, own.whole.data, own.whole.size);
  class->out(&context.vtable, hash);
  size_t size = class->desc >> BR_HASHDESC_OUT_OFF & BR_HASHDESC_OUT_MASK;
  for (size_t i = 0; i < size; i++) {
    *text++ = digits[hash[i] >> 4];
    *text++ = digits[hash[i] & 15];
  }
  *text = 0;
}

static bool own_key(br_x509_pkey *key, struct credentials const *c) {
  struct certificate own;
  return certificate_parse(&own, (struct der){c->chain[0].data, c->chain[0].data_len}) &&
         certificate_key(&own, key);
}

static bool bad_pair(struct certificate_problem *p, char const *keyfile) {
  p->key = keyfile;
  return bad(p, "the private key does not belong to the first certificate",
             "put the server's own certificate first, and the key that it was made with");
}

/* What the file says of an EC key's public half: to compute it takes as long as to sign. */
static bool says_point(struct private_key const *private, br_x509_pkey const *public) {
  return private->type == BR_KEYTYPE_EC && public->key_type == BR_KEYTYPE_EC &&
         public->key.ec.curve == private->ec.curve && public->key.ec.qlen == private->point_size &&
         !memcmp(public->key.ec.q, private->point, private->point_size);
}

static bool check_pair(struct credentials const *c, char const *certfile, char const *keyfile,
                       struct certificate_problem *p) {
  br_x509_pkey public;
  *p = (struct certificate_problem){.path = certfile};
  if (!own_key(&public, c))
    return bad(p, "the first certificate cannot be decoded", "look at it with openssl x509");
  return says_point(&c->key, &public) || is_pair(&public, &c->key) || bad_pair(p, keyfile);
}

int x509_credentials_prove(struct credentials const *c, char const *certfile, char const *keyfile,
                           struct certificate_problem *p) {
  br_x509_pkey public;
  *p = (struct certificate_problem){.path = certfile};
  if (own_key(&public, c) && is_pair(&public, &c->key)) return 0;
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
  return load_file(&l, certfile, true, false) ? 0 : -1;
}

int x509_credentials_load(struct credentials *c, char const *certfile, char const *keyfile,
                          char const *trust, struct certificate_problem *p) {
  struct loading l = {.credentials = c, .problem = p};
  if (!load_file(&l, certfile, true, !keyfile)) return -1;
  if (keyfile && !load_file(&l, keyfile, false, true)) return -1;
  if (!check_pair(c, certfile, keyfile ? keyfile : certfile, p)) return -1;
  if (trust) complete_chain(c, trust);
  return 0;
}

size_t x509_credentials_size(struct credentials const *c) {
  return offsetof(struct credentials, der) + c->der_size;
}

void x509_credentials_wipe(struct credentials *c) {
  memory_wipe(c, x509_credentials_size(c));
}
