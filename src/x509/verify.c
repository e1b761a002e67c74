/* Who signed a certificate, and whom it is for. */
#include "x509/x509.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum { HASH_MAX = 64 };

/* RFC 8017 appendix A.2.4, RFC 5758 section 3.2, RFC 4055, RFC 8410. */
static struct algorithm {
  char const *name;
  unsigned char size, oid[9];
  int key_type;                  /* BR_KEYTYPE_*, 0: BearSSL cannot check it */
  br_hash_class const *hash;     /* null if it is not the algorithm that says which */
  unsigned char const *hash_oid; /* for RSA */
} const algorithms[] = {
#define RSA_OID(n)                              \
  9, {                                          \
    0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, n \
  }
#define ECDSA_OID(n)                      \
  8, {                                    \
    0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, n \
  }
    {"RSA with SHA-224", RSA_OID(14), BR_KEYTYPE_RSA, &br_sha224_vtable, BR_HASH_OID_SHA224},
    {"RSA with SHA-256", RSA_OID(11), BR_KEYTYPE_RSA, &br_sha256_vtable, BR_HASH_OID_SHA256},
    {"RSA with SHA-384", RSA_OID(12), BR_KEYTYPE_RSA, &br_sha384_vtable, BR_HASH_OID_SHA384},
    {"RSA with SHA-512", RSA_OID(13), BR_KEYTYPE_RSA, &br_sha512_vtable, BR_HASH_OID_SHA512},
    {"RSA with SHA-1", RSA_OID(5), BR_KEYTYPE_RSA, &br_sha1_vtable, BR_HASH_OID_SHA1},
    {"RSA with MD5", RSA_OID(4), 0, &br_md5_vtable, 0},
    {"RSA-PSS", RSA_OID(10), 0, 0, 0},
    {"ECDSA with SHA-224", ECDSA_OID(1), BR_KEYTYPE_EC, &br_sha224_vtable, 0},
    {"ECDSA with SHA-256", ECDSA_OID(2), BR_KEYTYPE_EC, &br_sha256_vtable, 0},
    {"ECDSA with SHA-384", ECDSA_OID(3), BR_KEYTYPE_EC, &br_sha384_vtable, 0},
    {"ECDSA with SHA-512", ECDSA_OID(4), BR_KEYTYPE_EC, &br_sha512_vtable, 0},
    {"ECDSA with SHA-1",
     7,
     {0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 1},
     BR_KEYTYPE_EC,
     &br_sha1_vtable,
     0},
    {"Ed25519", 3, {0x2B, 0x65, 0x70}, 0, 0, 0},
};

static struct algorithm const *algorithm_of(struct certificate const *c) {
  for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
    if (der_equal(c->algorithm, (struct der){algorithms[i].oid, algorithms[i].size}))
      return &algorithms[i];
  return 0;
}

char const *certificate_algorithm(struct certificate const *c) {
  struct algorithm const *a = algorithm_of(c);
  return a ? a->name : 0;
}

br_hash_class const *certificate_hash(struct certificate const *c) {
  struct algorithm const *a = algorithm_of(c);
  return a ? a->hash : 0;
}

static size_t hash_signed_part(struct certificate const *c, br_hash_class const *class,
                               unsigned char hash[HASH_MAX]) {
  br_hash_compat_context context;
  class->init(&context.vtable);
  class->update(&context.vtable, c->to_be_signed.data, c->to_be_signed.size);
  class->out(&context.vtable, hash);
  return class->desc >> BR_HASHDESC_OUT_OFF & BR_HASHDESC_OUT_MASK;
}

static bool check_signature(struct certificate const *c, struct algorithm const *a,
                            br_x509_pkey const *key) {
  unsigned char hash[HASH_MAX], found[HASH_MAX];
  size_t size = hash_signed_part(c, a->hash, hash);
  struct der s = c->signature;
  if (key->key_type == BR_KEYTYPE_EC)
    return br_ecdsa_vrfy_asn1_get_default()(br_ec_get_default(), hash, size, &key->key.ec, s.data,
                                            s.size);
  return br_rsa_pkcs1_vrfy_get_default()(s.data, s.size, a->hash_oid, size, &key->key.rsa, found) &&
         !memcmp(hash, found, size);
}

enum signed_by certificate_signed_by(struct certificate const *c,
                                     struct certificate const *issuer) {
  br_x509_pkey key;
  struct algorithm const *a = algorithm_of(c);
  if (!der_equal(c->issuer, issuer->subject)) return SIGNED_BY_OTHER;
  if (!a || !a->key_type || !certificate_key(issuer, &key)) return SIGNED_UNKNOWN;
  if (key.key_type != a->key_type) return SIGNED_BY_OTHER;
  return check_signature(c, a, &key) ? SIGNED_BY : SIGNED_BY_OTHER;
}

static bool host_matches(char const *pattern, char const *host) {
  if (strncmp(pattern, "*.", 2)) return !strcasecmp(pattern, host);
  char const *parent = strchr(host, '.');
  return parent && parent != host && !strcasecmp(pattern + 1, parent);
}

bool certificate_is_for(struct certificate const *c, char const *host) {
  struct der rest = c->alternative_names;
  char text[HOST_NAME_MAX_TEXT], plain[INET6_ADDRSTRLEN];
  struct in6_addr v6;
  /* Addresses are compared as inet_ntop writes them. */
  if (inet_pton(AF_INET6, host, &v6) == 1) host = inet_ntop(AF_INET6, &v6, plain, sizeof plain);
  while (certificate_next_host(&rest, text))
    if (host_matches(text, host)) return true;
  return false;
}
