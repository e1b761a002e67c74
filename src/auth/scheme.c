/* Passwords against `{SCHEME}...` values: the form of RFC 2307's userPassword, which LDAP servers
 * and Courier's databases use, each scheme a digest of the password, with or without a salt after
 * it. */
#include "auth/auth.h"
#include "base/base.h"

#include <bearssl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
  DIGEST_MAX = 64,   /* SHA-512 */
  DECODED_MAX = 512, /* a digest and a salt; as long a salt nobody uses */
  ENCODED_MAX = 4 * DECODED_MAX / 3
};

struct scheme {
  char const *name;
  br_hash_class const *digest;
  bool salted;
  bool hexadecimal; /* base64 otherwise */
};

static struct scheme const schemes[] = {
    {"{SHA}", &br_sha1_vtable, false, false},      {"{SSHA}", &br_sha1_vtable, true, false},
    {"{SHA256}", &br_sha256_vtable, false, false}, {"{SSHA256}", &br_sha256_vtable, true, false},
    {"{SHA512}", &br_sha512_vtable, false, false}, {"{SSHA512}", &br_sha512_vtable, true, false},
    {"{MD5}", &br_md5_vtable, false, false},       {"{SMD5}", &br_md5_vtable, true, false},
    {"{MD5RAW}", &br_md5_vtable, false, true},
};

/* What follows the scheme's name, null if it is another one. */
static char const *after_name(char const *hash, char const *name) {
  size_t size = strlen(name);
  return strncasecmp(hash, name, size) ? 0 : hash + size;
}

static struct scheme const *find_scheme(char const *hash, char const **value) {
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
    if ((*value = after_name(hash, schemes[i].name))) return &schemes[i];
  return 0;
}

static int hex_digit(char c) {
  static char const digits[] = "0123456789abcdef0123456789ABCDEF";
  char const *found = c ? strchr(digits, c) : 0;
  return found ? (int)(found - digits) % 16 : -1;
}

static ssize_t hex_decode(char const *text, size_t size, char *out) {
  if (size % 2) return -1;
  for (size_t i = 0; i < size; i += 2) {
    int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return -1;
    out[i / 2] = (char)(high << 4 | low);
  }
  return (ssize_t)(size / 2);
}

static size_t digest_size(struct scheme const *s) {
  return s->digest->desc >> BR_HASHDESC_OUT_OFF & BR_HASHDESC_OUT_MASK;
}

/* The bytes of digest and salt; -1 if they cannot be what the scheme says. */
static ssize_t decode(struct scheme const *s, char const *value, char out[DECODED_MAX]) {
  size_t size = strlen(value), digest = digest_size(s);
  if (size > ENCODED_MAX) return -1;
  ssize_t n = s->hexadecimal ? hex_decode(value, size, out) : base64_decode(value, size, out);
  if (n < 0 || (size_t)n < digest || ((size_t)n > digest && !s->salted)) return -1;
  return n;
}

static bool is_same(unsigned char const *a, char const *b, size_t size) {
  unsigned char difference = 0;
  for (size_t i = 0; i < size; i++) difference |= (unsigned char)(a[i] ^ (unsigned char)b[i]);
  return !difference;
}

static bool is_right(struct scheme const *s, char const *password, char const *stored,
                     size_t size) {
  br_hash_compat_context context;
  unsigned char computed[DIGEST_MAX];
  size_t digest = digest_size(s);
  s->digest->init(&context.vtable);
  s->digest->update(&context.vtable, password, strlen(password));
  s->digest->update(&context.vtable, stored + digest, size - digest);
  s->digest->out(&context.vtable, computed);
  bool right = is_same(computed, stored, digest);
  explicit_bzero(&context, sizeof context);
  return right;
}

static enum password_check unknown(char const *hash) {
  char name[24];
  snprintf(name, sizeof name, "%.*s", (int)(strcspn(hash, "}") + 1), hash);
  log_event("failed", "attempt", "compare the password", "scheme",
            strchr(hash, '}') ? name : "unknown", "why",
            "no such scheme, or a value that is none of it", "remedy",
            "store a crypt(3) hash; the schemes known here are SHA, SSHA, SHA256, SSHA256, SHA512, "
            "SSHA512, MD5, SMD5, MD5RAW and CRYPT",
            (char *)0);
  return PASSWORD_UNKNOWN;
}

bool scheme_is_known(char const *hash) {
  char const *value;
  char decoded[DECODED_MAX];
  if (after_name(hash, "{CRYPT}")) return true;
  struct scheme const *s = find_scheme(hash, &value);
  return s && decode(s, value, decoded) > 0;
}

enum password_check scheme_check(char const *password, char const *hash) {
  char const *value = after_name(hash, "{CRYPT}");
  char stored[DECODED_MAX];
  if (*hash != '{') value = hash;
  if (value) return password_check(password, value);
  struct scheme const *s = find_scheme(hash, &value);
  ssize_t size = s ? decode(s, value, stored) : -1;
  if (size < 0) return unknown(hash);
  return is_right(s, password, stored, (size_t)size) ? PASSWORD_RIGHT : PASSWORD_WRONG;
}
