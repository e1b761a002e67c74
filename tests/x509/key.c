/* Private keys: what is read of each form is what BearSSL's own decoder reads of it, and damaged
 * ones are refused, or are keys within their bounds.  Nothing else trusts or uses these. */
#include "x509/x509.h"

#include "../tap.h"
#include <stdlib.h>
#include <string.h>

static struct {
  char const *name;
  int type; /* 0: no key for us */
  char const *pem;
} const forms[] = {
    {"RSA, PKCS#1", BR_KEYTYPE_RSA,
     "-----BEGIN RSA PRIVATE KEY-----\n"
     "MIICXgIBAAKBgQDZZSEbHTEm/PybxfXLRfFzMnpI8tjb6Wx0/dHi+0ODuUrncUIQ\n"
     "bFz6+1gNZONmdKl2UdPtFYlr/T/l/jLISxCj3owJTdbWeE6COswYOOWNs29JtfCq\n"
     "c1rHUV5WX1vn6XuKx8CvbIPUCgnK0G080kGDmJB95fq2jEwP2kqfv6pJzwIDAQAB\n"
     "AoGAAoft4b3uQ5Dwc/PTD8HJtNiimdTR94V5MMd/uQ/J0m/G0nj8FurcDkP823MQ\n"
     "PrIfAvSi7gCxL+Or6caS2sgc8nX3hrO5wbKBPnIgEay9GK/xYuzOdM7W2Lq+LKic\n"
     "wTNSkN/e+jDXL2XzA1wT9fD+ohILH084peCzUL0mB7EWjGECQQDuPFLToqbg7cSX\n"
     "n6z+pB64cvu/FkmLiktrY+9M1PHR4B5gz3gjHQ3GqyU7JCdFtK67veEZT8aIySUD\n"
     "+Y9+N1JxAkEA6Zr61qcgZ8ENB/3ZV4W8eMesLhXlABZqltQE1lSySq8nI42L5fZL\n"
     "wQ0DKXoQMhpl6i3BQXEx/mnxDmz3DV0APwJBAJ19C1QUpjTzeY6yY+5CGHzepkWA\n"
     "OkYguhLYEY29B88yVWKyRD0SK9U1tnsOP1f5RbmeoHvXHOu37Nxf0dgiQkECQQDf\n"
     "OcJSlfdoTdiG93LVqK0V+S+2BiQC9mi6YjWRHfQVW9QZrCuv/rAa9LU90C9jwUf8\n"
     "A+b1AxbT1yaLM2LMuT7/AkEA1JoYhY2EvqLuu/cRhysaSowc5kp3UzBzzpMa0L0G\n"
     "JQQ3q+WVZYW1h4sCaak2JYQx+oTgNibhfQLWjgEsf3jMFw==\n"
     "-----END RSA PRIVATE KEY-----\n"},
    {"RSA, PKCS#8", BR_KEYTYPE_RSA,
     "-----BEGIN PRIVATE KEY-----\n"
     "MIICeAIBADANBgkqhkiG9w0BAQEFAASCAmIwggJeAgEAAoGBANllIRsdMSb8/JvF\n"
     "9ctF8XMyekjy2NvpbHT90eL7Q4O5SudxQhBsXPr7WA1k42Z0qXZR0+0ViWv9P+X+\n"
     "MshLEKPejAlN1tZ4ToI6zBg45Y2zb0m18KpzWsdRXlZfW+fpe4rHwK9sg9QKCcrQ\n"
     "bTzSQYOYkH3l+raMTA/aSp+/qknPAgMBAAECgYACh+3hve5DkPBz89MPwcm02KKZ\n"
     "1NH3hXkwx3+5D8nSb8bSePwW6twOQ/zbcxA+sh8C9KLuALEv46vpxpLayBzydfeG\n"
     "s7nBsoE+ciARrL0Yr/Fi7M50ztbYur4sqJzBM1KQ3976MNcvZfMDXBP18P6iEgsf\n"
     "Tzil4LNQvSYHsRaMYQJBAO48UtOipuDtxJefrP6kHrhy+78WSYuKS2tj70zU8dHg\n"
     "HmDPeCMdDcarJTskJ0W0rru94RlPxojJJQP5j343UnECQQDpmvrWpyBnwQ0H/dlX\n"
     "hbx4x6wuFeUAFmqW1ATWVLJKrycjjYvl9kvBDQMpehAyGmXqLcFBcTH+afEObPcN\n"
     "XQA/AkEAnX0LVBSmNPN5jrJj7kIYfN6mRYA6RiC6EtgRjb0HzzJVYrJEPRIr1TW2\n"
     "ew4/V/lFuZ6ge9cc67fs3F/R2CJCQQJBAN85wlKV92hN2Ib3ctWorRX5L7YGJAL2\n"
     "aLpiNZEd9BVb1BmsK6/+sBr0tT3QL2PBR/wD5vUDFtPXJoszYsy5Pv8CQQDUmhiF\n"
     "jYS+ou679xGHKxpKjBzmSndTMHPOkxrQvQYlBDer5ZVlhbWHiwJpqTYlhDH6hOA2\n"
     "JuF9AtaOASx/eMwX\n"
     "-----END PRIVATE KEY-----\n"},
    {"P-256, SEC1", BR_KEYTYPE_EC,
     "-----BEGIN EC PRIVATE KEY-----\n"
     "MHcCAQEEIM1vJebz/Mtj2R3KLjhN02M7I5pYXTvkoS6nlEZXYZPboAoGCCqGSM49\n"
     "AwEHoUQDQgAEN84XDdrpFS4zfGkl/RuOwkBCOUAmGBdw7jb79u/2+bG/PDSDqEpA\n"
     "2U7DUOKvXregNJU4qk4M3jw0aIYch9vMAg==\n"
     "-----END EC PRIVATE KEY-----\n"},
    {"P-256, PKCS#8", BR_KEYTYPE_EC,
     "-----BEGIN PRIVATE KEY-----\n"
     "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgzW8l5vP8y2PZHcou\n"
     "OE3TYzsjmlhdO+ShLqeURldhk9uhRANCAAQ3zhcN2ukVLjN8aSX9G47CQEI5QCYY\n"
     "F3DuNvv27/b5sb88NIOoSkDZTsNQ4q9et6A0lTiqTgzePDRohhyH28wC\n"
     "-----END PRIVATE KEY-----\n"},
    {"P-384, SEC1", BR_KEYTYPE_EC,
     "-----BEGIN EC PRIVATE KEY-----\n"
     "MIGkAgEBBDCOPYuOAagP5VnuxgrYFWptrNScjy64kAHEqlI+d6/pr8HlKlEVDXQY\n"
     "dJEIT3cTXymgBwYFK4EEACKhZANiAASQvILxl2NQRLcQTWwIapYdP336rCkoMmDa\n"
     "JFJ9+pXMnFr2f805Tl/dVNHG5HeClVi368Bj5CTORpw1KpB5+Mk6FaFL//pMINJ1\n"
     "/ctw4GYvKC22bzVZ0rhCp9m7raZ/zag=\n"
     "-----END EC PRIVATE KEY-----\n"},
    {"P-521, SEC1", BR_KEYTYPE_EC,
     "-----BEGIN EC PRIVATE KEY-----\n"
     "MIHcAgEBBEIBKr2mi3EgpfZ2Axvn49ZAOtWfcDhMo3pKgBkEFxPARxO7czvOnLGS\n"
     "/QwdoNI/6WZ5KgVsYpDbMcruPDQ7rZjyO5ygBwYFK4EEACOhgYkDgYYABAB73p9c\n"
     "CGM5h8q2Kh0r3ghwxsSpn6Z/nX+FF18pKoQ8L47oP5IFhClojYuhTtNZUaQZy8Zd\n"
     "/j4o1FqaJ8pz7ib+PgCEbfLkCuFytOhpv92jv/qYJwNkUta4LM330Z2fPBXGZ/dp\n"
     "NcQ+1j7K+KOJMG/OJy7zuPYaabN8O2BgExWnsDN1TA==\n"
     "-----END EC PRIVATE KEY-----\n"},
    {"secp256k1", 0,
     "-----BEGIN EC PRIVATE KEY-----\n"
     "MHQCAQEEIP8/ker3HZi4uTmFIzuG3F4/z3xiOfBKL86FMvXWTgc3oAcGBSuBBAAK\n"
     "oUQDQgAEyOj5z8P26pN9ChTA9WCcsW7CzqfuDDkEx8ASjUrkx2mAbwKsNVJNrS2t\n"
     "spwZS8dmOoFakHx5OiJIBxFhboBwQw==\n"
     "-----END EC PRIVATE KEY-----\n"},
    {"Ed25519", 0,
     "-----BEGIN PRIVATE KEY-----\n"
     "MC4CAQAwBQYDK2VwBCIEIFAi0tGQJFRkZ2lIjcbKkYPMkSzcPa6Emtz161GNGeDe\n"
     "-----END PRIVATE KEY-----\n"},
};

enum { DER_MAX = 1024 };
struct found {
  unsigned char bytes[DER_MAX];
  size_t size;
};

static bool take(void *context, char const *name, struct der der) {
  struct found *f = context;
  (void)name;
  if (der.size > DER_MAX) return false;
  memcpy(f->bytes, der.data, der.size);
  f->size = der.size;
  return true;
}

static struct found decode(char const *pem) {
  struct found f = {.size = 0};
  char *text = strdup(pem);
  ok(text && pem_each(text, strlen(text), take, &f) && f.size, "PEM");
  free(text);
  return f;
}

/* Numbers, whatever zeros they begin with. */
static bool same(unsigned char const *a, size_t n, unsigned char const *b, size_t m) {
  for (; n && !*a; n--) a++;
  for (; m && !*b; m--) b++;
  return n == m && !memcmp(a, b, n);
}

static bool same_rsa(br_rsa_private_key const *a, br_rsa_private_key const *b) {
  return a->n_bitlen == b->n_bitlen && same(a->p, a->plen, b->p, b->plen) &&
         same(a->q, a->qlen, b->q, b->qlen) && same(a->dp, a->dplen, b->dp, b->dplen) &&
         same(a->dq, a->dqlen, b->dq, b->dqlen) && same(a->iq, a->iqlen, b->iq, b->iqlen);
}

static bool same_ec(br_ec_private_key const *a, br_ec_private_key const *b) {
  return a->curve == b->curve && same(a->x, a->xlen, b->x, b->xlen);
}

static bool is_what_bearssl_reads(struct private_key const *k, struct found const *f) {
  br_skey_decoder_context decoder;
  br_skey_decoder_init(&decoder);
  br_skey_decoder_push(&decoder, f->bytes, f->size);
  if (br_skey_decoder_last_error(&decoder) || br_skey_decoder_key_type(&decoder) != k->type)
    return false;
  return k->type == BR_KEYTYPE_RSA ? same_rsa(&k->rsa, br_skey_decoder_get_rsa(&decoder))
                                   : same_ec(&k->ec, br_skey_decoder_get_ec(&decoder));
}

static bool is_its_own_point(struct private_key const *k) {
  unsigned char point[EC_POINT_MAX];
  br_ec_public_key computed;
  return br_ec_compute_pub(br_ec_get_default(), &computed, point, &k->ec) == k->point_size &&
         !memcmp(point, k->point, k->point_size);
}

static bool is_within(struct private_key const *k, unsigned char const *p, size_t n) {
  return n && p >= k->bytes && n <= (size_t)(k->bytes + sizeof k->bytes - p);
}

static bool is_sound(struct private_key const *k) {
  br_rsa_private_key const *r = &k->rsa;
  if (k->type == BR_KEYTYPE_EC)
    return is_within(k, k->ec.x, k->ec.xlen) &&
           (!k->point_size || is_within(k, k->point, k->point_size));
  return k->type == BR_KEYTYPE_RSA && is_within(k, r->p, r->plen) && is_within(k, r->q, r->qlen) &&
         is_within(k, r->dp, r->dplen) && is_within(k, r->dq, r->dqlen) &&
         is_within(k, r->iq, r->iqlen);
}

/* Whether bytes, in memory of exactly their size, are refused without a trace, or a sound key. */
static bool is_refused(unsigned char const *bytes, size_t size, bool *sound) {
  static struct private_key const none;
  struct private_key k;
  unsigned char *copy = malloc(size ? size : 1);
  memcpy(copy, bytes, size);
  bool good = private_key_read(&k, (struct der){copy, size});
  free(copy);
  if (!(good ? is_sound(&k) : !memcmp(&k, &none, sizeof k))) *sound = false;
  return !good;
}

static void damage(struct found f) {
  bool sound = true, refused = true;
  for (size_t n = 0; n < f.size; n++)
    if (!is_refused(f.bytes, n, &sound)) refused = false;
  ok(refused, "cut off, it is refused");
  for (size_t i = 0; i < f.size; i++)
    for (unsigned int bit = 1; bit < 0x100; bit <<= 1) {
      f.bytes[i] ^= (unsigned char)bit;
      is_refused(f.bytes, f.size, &sound);
      f.bytes[i] ^= (unsigned char)bit;
    }
  ok(sound, "damaged, it is refused or within bounds");
}

int main(void) {
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    struct private_key k;
    struct found f = decode(forms[i].pem);
    bool good = private_key_read(&k, (struct der){f.bytes, f.size});
    is_uint((uint64_t)k.type, (uint64_t)forms[i].type, forms[i].name);
    ok(good == (forms[i].type != 0), "a key for us, or none");
    if (good) ok(is_what_bearssl_reads(&k, &f), "what BearSSL reads");
    if (k.type == BR_KEYTYPE_EC) ok(is_its_own_point(&k), "the public half is there");
    damage(f);
  }
  return tap_done();
}
