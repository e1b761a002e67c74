/* Passwords against hashes, by the system's crypt(3): yescrypt, bcrypt, SHA-512 and whatever else
 * it knows.  Where the hash comes from is the module's matter. */
#include "auth/auth.h"
#include "base/base.h"

#include <assert.h>
#include <crypt.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

bool password_equal(char const *a, char const *b) {
  size_t n = strlen(a);
  unsigned char difference = 0;
  if (strlen(b) != n) return false;
  for (size_t i = 0; i < n; i++) difference |= (unsigned char)(a[i] ^ b[i]);
  return !difference;
}

static void format_limit(char *buf, size_t size, int resource) {
  struct rlimit l;
  if (getrlimit(resource, &l) < 0 || l.rlim_cur == RLIM_INFINITY)
    snprintf(buf, size, "unlimited");
  else
    snprintf(buf, size, "%llu", (unsigned long long)l.rlim_cur);
}

/* errno tells nothing: libcrypt says EINVAL for want of memory, too. */
static void log_crypt_failure(char const *hash) {
  char data[24], address_space[24];
  char kind[8] = ""; /* `$y$`, no more: the rest is the secret's */
  char const *kind_end = *hash == '$' ? strchr(hash + 1, '$') : 0;
  if (kind_end && (size_t)(kind_end - hash) < sizeof kind - 1)
    memcpy(kind, hash, (size_t)(kind_end - hash) + 1);
  format_limit(data, sizeof data, RLIMIT_DATA);
  format_limit(address_space, sizeof address_space, RLIMIT_AS);
  log_event("failed", "attempt", "crypt", "hash", kind, "why",
            "libcrypt lacks memory or does not know this hash", "limit-data", data,
            "limit-address-space", address_space, "remedy",
            "raise IMAP_ULIMITD or softlimit's -m (yescrypt takes 16 MiB), or set the password "
            "again with userdbpw or passwd",
            (char *)0);
}

static_assert(PASSWORD_HASH_MAX == CRYPT_OUTPUT_SIZE, "any hash fits");

enum password_check password_check(char const *password, char const *hash) {
  static struct crypt_data work; /* 32 KiB */
  if (!*hash || *hash == '!' || *hash == '*') return PASSWORD_WRONG;
  /* crypt(3) fails on these, but a stranger must not be able to make it look out of order. */
  if (strlen(password) >= CRYPT_MAX_PASSPHRASE_SIZE) return PASSWORD_WRONG;
  char const *computed = crypt_r(password, hash, &work);
  enum password_check result = PASSWORD_UNKNOWN;
  if (!computed || *computed == '*')
    log_crypt_failure(hash);
  else
    result = password_equal(computed, hash) ? PASSWORD_RIGHT : PASSWORD_WRONG;
  explicit_bzero(&work, sizeof work);
  return result;
}

int password_hash(char const *password, char const *prefix, char hash[PASSWORD_HASH_MAX]) {
  static struct crypt_data work;
  char salt[CRYPT_GENSALT_OUTPUT_SIZE];
  char const *computed = 0;
  if (crypt_gensalt_rn(prefix, 0, 0, 0, salt, sizeof salt))
    computed = crypt_r(password, salt, &work);
  bool good = computed && *computed != '*';
  if (good)
    snprintf(hash, PASSWORD_HASH_MAX, "%s", computed);
  else
    log_crypt_failure(prefix);
  explicit_bzero(&work, sizeof work);
  return good ? 0 : -1;
}

struct auth_result password_result(enum password_check check) {
  static struct auth_result const results[] = {
      [PASSWORD_RIGHT] = {AUTH_ACCEPT, 0},
      [PASSWORD_WRONG] = {AUTH_DECLINE, "wrong-password"},
      [PASSWORD_UNKNOWN] = {AUTH_TEMPORARY, "crypt-failed"},
  };
  return results[check];
}
