/* The PEM file: certificate chain and private key, read and checked as a whole before any privilege
 * goes.  What may be in the certificate (names, dates) is the clients' business, not checked. */
#include "tls/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { EC_POINT_MAX = 133, RSA_MODULUS_MAX = 512 }; /* P-521, RSA-4096: BearSSL's limits */

/* What a PEM object is to us, by the name in its BEGIN line.  Others (EC PARAMETERS, DH PARAMETERS,
 * as Courier's files have them) are passed over. */
enum object { OBJECT_OTHER, OBJECT_CERTIFICATE, OBJECT_KEY, OBJECT_ENCRYPTED_KEY };
static struct {
  char const *name;
  enum object object;
} const object_names[] = {
    {"CERTIFICATE", OBJECT_CERTIFICATE}, {"X509 CERTIFICATE", OBJECT_CERTIFICATE},
    {"PRIVATE KEY", OBJECT_KEY},         {"RSA PRIVATE KEY", OBJECT_KEY},
    {"EC PRIVATE KEY", OBJECT_KEY},      {"ENCRYPTED PRIVATE KEY", OBJECT_ENCRYPTED_KEY},
};

struct reading {
  struct credentials *credentials;
  char const *path;
  enum object wanted, object;
  size_t found;
};

static noreturn void die_bad(char const *path, char const *why, char const *remedy) {
  log_die(EXIT_MISUSE, "bad-certificate", "path", path, "why", why, "remedy", remedy, (char *)0);
}

static noreturn void die_encrypted(char const *path) {
  die_bad(path, "the private key is encrypted", "remove the passphrase with openssl pkey");
}

static enum object object_by_name(char const *name) {
  for (size_t i = 0; i < sizeof object_names / sizeof *object_names; i++)
    if (!strcmp(name, object_names[i].name)) return object_names[i].object;
  return OBJECT_OTHER;
}

/* der has room for all of the file's base64, and a certificate is read from one file only. */
static void take_certificate_bytes(void *data, void const *bytes, size_t n) {
  struct credentials *c = data;
  memcpy(c->der + c->der_size, bytes, n);
  c->der_size += n;
}

static void take_key_bytes(void *data, void const *bytes, size_t n) {
  struct credentials *c = data;
  br_skey_decoder_push(&c->key, bytes, n);
}

static void object_begin(struct reading *r, br_pem_decoder_context *pem) {
  struct credentials *c = r->credentials;
  r->object = object_by_name(br_pem_decoder_name(pem));
  if (r->wanted == OBJECT_KEY && r->object == OBJECT_ENCRYPTED_KEY) die_encrypted(r->path);
  if (r->object != r->wanted) {
    br_pem_decoder_setdest(pem, 0, 0);
  } else if (r->object == OBJECT_CERTIFICATE) {
    if (c->chain_length == CHAIN_MAX)
      die_bad(r->path, "more than 10 certificates", "leave only the server's and its issuers'");
    c->chain[c->chain_length].data = c->der + c->der_size;
    br_pem_decoder_setdest(pem, take_certificate_bytes, c);
  } else {
    if (r->found) die_bad(r->path, "more than one private key", "leave only one");
    br_skey_decoder_init(&c->key);
    br_pem_decoder_setdest(pem, take_key_bytes, c);
  }
}

static void object_end(struct reading *r) {
  struct credentials *c = r->credentials;
  if (r->object != r->wanted) return;
  r->found++;
  if (r->wanted != OBJECT_CERTIFICATE) return;
  br_x509_certificate *last = &c->chain[c->chain_length++];
  last->data_len = (size_t)(c->der + c->der_size - last->data);
}

/* Objects of the wanted kind, in the order of the file. */
static void read_objects(struct reading *r, char const *text, size_t size) {
  br_pem_decoder_context pem;
  bool inside = false;
  br_pem_decoder_init(&pem);
  /* A last line without newline is a line, too. */
  for (size_t done = 0; done <= size;) {
    done += done < size ? br_pem_decoder_push(&pem, text + done, size - done)
                        : br_pem_decoder_push(&pem, "\n", 1);
    switch (br_pem_decoder_event(&pem)) {
    case BR_PEM_BEGIN_OBJ:
      object_begin(r, &pem);
      inside = true;
      break;
    case BR_PEM_END_OBJ:
      object_end(r);
      inside = false;
      break;
    case BR_PEM_ERROR:
      /* The key formats of old carry a header there, and that only when encrypted. */
      if (r->object == OBJECT_KEY && strstr(text, "Proc-Type:")) die_encrypted(r->path);
      die_bad(r->path, "damaged PEM: no clean base64 between BEGIN and END lines",
              "install the file again");
    }
  }
  if (inside) die_bad(r->path, "damaged PEM: it ends before an END line", "install the file again");
}

/* BearSSL knows lines that end in LF only; some authorities send CR LF. */
static size_t without_returns(char *text, size_t size) {
  size_t kept = 0;
  for (size_t i = 0; i < size; i++)
    if (text[i] != '\r') text[kept++] = text[i];
  return kept;
}

static void load_objects(struct credentials *c, char const *path, enum object wanted) {
  struct reading r = {.credentials = c, .path = path, .wanted = wanted};
  char *text;
  size_t size;
  if (file_read(AT_FDCWD, path, PEM_FILE_MAX - 1, &text, &size) < 0)
    log_die_failure(EXIT_MISUSE, "read", path,
                    "check TLS_CERTFILE and TLS_PRIVATE_KEYFILE, and that tlsd's user may read it");
  size_t kept = without_returns(text, size);
  text[kept] = '\0';
  read_objects(&r, text, kept);
  explicit_bzero(text, size);
  free(text);
  if (!r.found && wanted == OBJECT_CERTIFICATE)
    die_bad(path, "no certificate in it", "it must be PEM and hold -----BEGIN CERTIFICATE-----");
  if (!r.found)
    die_bad(path, "no private key in it",
            "append the key, or name its file in TLS_PRIVATE_KEYFILE");
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

static void check_key(struct credentials const *c, char const *path) {
  br_ec_private_key const *ec = br_skey_decoder_get_ec(&c->key);
  if (br_skey_decoder_last_error(&c->key))
    die_bad(path, "the private key is none that tlsd can use",
            "use RSA of up to 4096 bits, or EC on P-256, P-384 or P-521");
  if (ec && !(br_ec_get_default()->supported_curves >> ec->curve & 1))
    die_bad(path, "the private key's curve is not supported", "use P-256");
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
  }
}

static void check_pair(struct credentials *c, char const *certfile, char const *keyfile) {
  br_x509_decoder_context own;
  br_x509_decoder_init(&own, 0, 0);
  br_x509_decoder_push(&own, c->chain[0].data, c->chain[0].data_len);
  br_x509_pkey const *public = br_x509_decoder_get_pkey(&own);
  if (!public)
    die_bad(certfile, "the first certificate cannot be decoded", "look at it with openssl x509");
  bool match = false;
  if (public->key_type == br_skey_decoder_key_type(&c->key))
    match = public->key_type == BR_KEYTYPE_RSA
                ? is_rsa_pair(&public->key.rsa, br_skey_decoder_get_rsa(&c->key))
                : is_ec_pair(&public->key.ec, br_skey_decoder_get_ec(&c->key));
  if (!match)
    log_die(EXIT_MISUSE, "bad-certificate", "path", certfile, "key", keyfile, "why",
            "the private key does not belong to the first certificate", "remedy",
            "put the server's own certificate first, and the key that it was made with", (char *)0);
  find_end_point(c, br_x509_decoder_get_signer_hash_id(&own));
}

void credentials_load(struct credentials *c, char const *certfile, char const *keyfile) {
  if (!keyfile) keyfile = certfile;
  load_objects(c, certfile, OBJECT_CERTIFICATE);
  load_objects(c, keyfile, OBJECT_KEY);
  check_key(c, keyfile);
  check_pair(c, certfile, keyfile);
}

void credentials_wipe(struct credentials *c) {
  explicit_bzero(&c->key, sizeof c->key);
}
