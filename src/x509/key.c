/* Keys as BearSSL wants them: the private ones of files, the public ones of certificates.  Not by
 * its own decoders, which take some hundred times as long: tlsd reads files for each connection. */
#include "x509/x509.h"

#include <string.h>

enum {
  RSA_EXPONENT_MAX = 32, /* FIPS 186-5 section A.1.1; nearly all have one of 3 bytes */
  TWO_PRIMES = 0,        /* version of an RSAPrivateKey */
  EC_VERSION = 1,        /* RFC 5915 section 3 */
  CURVE = DER_TAGGED,    /* in an ECPrivateKey */
  POINT = DER_TAGGED + 1,
};

static unsigned char const rsa_encryption[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1};
static unsigned char const ec_public_key[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1};

/* RFC 5480 section 2.1.1.1 */
static struct {
  int id;
  unsigned char size, oid[8];
} const curves[] = {
    {BR_EC_secp256r1, 8, {0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7}},
    {BR_EC_secp384r1, 5, {0x2B, 0x81, 4, 0, 34}},
    {BR_EC_secp521r1, 5, {0x2B, 0x81, 4, 0, 35}},
};

/* Takes a curve's name; 0 if there is none, or another one. */
static int take_curve(struct der *rest) {
  struct der oid;
  if (!der_take(rest, DER_OID, &oid)) return 0;
  for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
    if (der_equal(oid, (struct der){curves[i].oid, curves[i].size})) return curves[i].id;
  return 0;
}

/* BR_KEYTYPE_*; 0 for other kinds. */
static int take_type(struct der *algorithm) {
  struct der oid;
  if (!der_take(algorithm, DER_OID, &oid)) return 0;
  if (der_equal(oid, (struct der){rsa_encryption, sizeof rsa_encryption})) return BR_KEYTYPE_RSA;
  if (der_equal(oid, (struct der){ec_public_key, sizeof ec_public_key})) return BR_KEYTYPE_EC;
  return 0;
}

/* A number of 1 to max bytes, without leading zeros. */
static bool take_number(struct der *rest, size_t max, struct der *number) {
  if (!der_take(rest, DER_INTEGER, number)) return false;
  if (number->size && *number->data & 0x80) return false; /* negative */
  while (number->size && !*number->data) {
    number->data++;
    number->size--;
  }
  return number->size && number->size <= max;
}

/* A version, of one byte in all forms there are. */
static int take_version(struct der *rest) {
  struct der number;
  return der_take(rest, DER_INTEGER, &number) && number.size == 1 ? *number.data : -1;
}

/* ---- private keys ---- */

static bool keep(struct private_key *k, struct der bytes, unsigned char **p, size_t *size) {
  if (bytes.size > sizeof k->bytes - k->size) return false;
  *p = memcpy(k->bytes + k->size, bytes.data, bytes.size);
  *size = bytes.size;
  k->size += bytes.size;
  return true;
}

static bool keep_number(struct private_key *k, struct der *rest, unsigned char **p, size_t *size) {
  struct der number;
  return take_number(rest, sizeof k->bytes, &number) && keep(k, number, p, size);
}

/* RSAPrivateKey behind its version (RFC 8017 appendix A.1.2). */
static bool read_rsa(struct private_key *k, struct der rest) {
  br_rsa_private_key *rsa = &k->rsa;
  struct der n, e, d;
  if (!take_number(&rest, RSA_MODULUS_MAX, &n)) return false;
  if (!der_take(&rest, DER_INTEGER, &e) || !der_take(&rest, DER_INTEGER, &d)) return false;
  rsa->n_bitlen = 8 * (uint32_t)n.size;
  for (unsigned int top = *n.data; top < 0x80; top <<= 1) rsa->n_bitlen--;
  k->type = BR_KEYTYPE_RSA;
  return keep_number(k, &rest, &rsa->p, &rsa->plen) && keep_number(k, &rest, &rsa->q, &rsa->qlen) &&
         keep_number(k, &rest, &rsa->dp, &rsa->dplen) &&
         keep_number(k, &rest, &rsa->dq, &rsa->dqlen) &&
         keep_number(k, &rest, &rsa->iq, &rsa->iqlen);
}

/* ECPrivateKey behind its version (RFC 5915 section 3); curve: as told around it, or 0. */
static bool read_ec(struct private_key *k, struct der rest, int curve) {
  struct der x, tagged, point;
  if (!der_take(&rest, DER_OCTETS, &x) || !x.size) return false;
  if (der_take(&rest, CURVE, &tagged) && !curve) curve = take_curve(&tagged);
  k->type = BR_KEYTYPE_EC;
  k->ec.curve = curve;
  if (!curve || !keep(k, x, &k->ec.x, &k->ec.xlen)) return false;
  if (!der_take(&rest, POINT, &tagged) || !der_take_bits(&tagged, &point)) return true;
  return keep(k, point, &k->point, &k->point_size);
}

/* PrivateKeyInfo behind its version (RFC 5208 section 5). */
static bool read_wrapped(struct private_key *k, struct der algorithm, struct der rest) {
  struct der octets, key;
  int type = take_type(&algorithm);
  if (!der_take(&rest, DER_OCTETS, &octets) || !der_take(&octets, DER_SEQUENCE, &key)) return false;
  int version = take_version(&key);
  if (type == BR_KEYTYPE_RSA) return version == TWO_PRIMES && read_rsa(k, key);
  if (type == BR_KEYTYPE_EC)
    return version == EC_VERSION && read_ec(k, key, take_curve(&algorithm));
  return false;
}

/* The forms differ in what comes after the version. */
static bool read_any(struct private_key *k, struct der bytes) {
  struct der key, algorithm;
  if (!der_take(&bytes, DER_SEQUENCE, &key) || bytes.size) return false;
  int version = take_version(&key);
  if (der_take(&key, DER_SEQUENCE, &algorithm)) return read_wrapped(k, algorithm, key);
  if (version == TWO_PRIMES) return read_rsa(k, key);
  return version == EC_VERSION && read_ec(k, key, 0);
}

bool private_key_read(struct private_key *k, struct der bytes) {
  *k = (struct private_key){.type = 0};
  if (read_any(k, bytes)) return true;
  explicit_bzero(k, sizeof *k);
  return false;
}

/* ---- public keys: SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) ---- */

/* BearSSL's types have no const. */
static unsigned char *bytes_of(struct der d) {
  return (unsigned char *)(uintptr_t)d.data;
}

static bool rsa_public(br_rsa_public_key *key, struct der bits) {
  struct der numbers, n, e;
  if (!der_take(&bits, DER_SEQUENCE, &numbers)) return false;
  if (!take_number(&numbers, RSA_MODULUS_MAX, &n) || !take_number(&numbers, RSA_EXPONENT_MAX, &e))
    return false;
  *key = (br_rsa_public_key){bytes_of(n), n.size, bytes_of(e), e.size};
  return true;
}

static bool ec_public(br_ec_public_key *key, int curve, struct der point) {
  if (!curve || !point.size || point.size > EC_POINT_MAX) return false;
  *key = (br_ec_public_key){curve, bytes_of(point), point.size};
  return true;
}

bool certificate_key(struct certificate const *c, br_x509_pkey *key) {
  struct der rest = c->public_key, algorithm, bits;
  if (!der_take(&rest, DER_SEQUENCE, &algorithm) || !der_take_bits(&rest, &bits)) return false;
  int type = take_type(&algorithm);
  key->key_type = (unsigned char)type;
  if (type == BR_KEYTYPE_RSA) return rsa_public(&key->key.rsa, bits);
  return type == BR_KEYTYPE_EC && ec_public(&key->key.ec, take_curve(&algorithm), bits);
}
