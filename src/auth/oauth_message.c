/* The client's message of OAUTHBEARER (RFC 7628 section 3.1) and XOAUTH2, and the outer form of the
 * token in it (RFC 7515 section 3.1): three parts in base64url. */
#include "auth/oauth.h"
#include "base/base.h"

#include <string.h>
#include <strings.h>

enum { SEPARATOR = 1 };

struct oauth_problem_words const oauth_problems[OAUTH_PROBLEMS] = {
    [OAUTH_MESSAGE] = {"malformed-message", "invalid_request"},
    [OAUTH_TOKEN] = {"malformed-token", "invalid_token"},
    [OAUTH_ALGORITHM] = {"unknown-algorithm", "invalid_token"},
    [OAUTH_KEY] = {"unknown-key", "invalid_token"},
    [OAUTH_SIGNATURE] = {"wrong-signature", "invalid_token"},
    [OAUTH_ISSUER] = {"wrong-issuer", "invalid_token"},
    [OAUTH_AUDIENCE] = {"wrong-audience", "invalid_token"},
    [OAUTH_EXPIRED] = {"token-expired", "invalid_token"},
    [OAUTH_EARLY] = {"token-not-yet-valid", "invalid_token"},
    [OAUTH_SCOPE] = {"scope-missing", "insufficient_scope"},
    [OAUTH_NO_USER] = {"no-user-in-token", "invalid_token"},
    [OAUTH_OTHER_USER] = {"authorization-identity", "invalid_token"},
};

ptrdiff_t oauth_decode(char const *text, size_t size, char *out) {
  static char const alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  char plain[OAUTH_MESSAGE_MAX + 4];
  size_t n = 0;
  if (size > OAUTH_MESSAGE_MAX) return -1;
  for (; n < size; n++) {
    if (!text[n] || !strchr(alphabet, text[n])) return -1;
    plain[n] = text[n] == '-' ? '+' : text[n] == '_' ? '/' : text[n];
  }
  for (; n % 4; n++) plain[n] = '=';
  ssize_t decoded = base64_decode(plain, n, plain);
  if (decoded > 0) memcpy(out, plain, (size_t)decoded);
  return decoded;
}

ptrdiff_t oauth_decode_claims(char const *text, char out[OAUTH_MESSAGE_MAX]) {
  char const *dot = strchr(text, '.');
  return dot ? oauth_decode(dot + 1, strlen(dot + 1), out) : -1;
}

/* ---- the message ---- */

/* RFC 5801 section 4: in a name `=2C` is a comma and `=3D` an equals sign. */
static bool take_name(char const *at, size_t size, char out[OAUTH_USER_MAX + 1]) {
  size_t n = 0;
  for (char const *end = at + size; at < end; n++) {
    char c = *at++;
    if (n == OAUTH_USER_MAX || c == ',') return false;
    if (c == '=') {
      if (end - at < 2) return false;
      if (memcmp(at, "2C", 2) && memcmp(at, "3D", 2)) return false;
      c = *at == '2' ? ',' : '=';
      at += 2;
    }
    out[n] = c;
  }
  out[n] = 0;
  return n;
}

/* `n,a=user,` or `n,,`; `y` says of a client that it could bind to a channel, which these
 * mechanisms cannot. */
static char const *take_gs2_header(char const *at, char user[OAUTH_USER_MAX + 1]) {
  if ((*at != 'n' && *at != 'y') || at[1] != ',') return 0;
  at += 2;
  char const *comma = strchr(at, ',');
  if (!comma || comma[1] != SEPARATOR) return 0;
  if (comma > at && (strncmp(at, "a=", 2) || !take_name(at + 2, (size_t)(comma - at) - 2, user)))
    return 0;
  return comma + 2;
}

/* XOAUTH2 begins with `user=`, which is as it is. */
static char const *take_user(char const *at, char user[OAUTH_USER_MAX + 1]) {
  static char const name[] = "user=";
  if (strncmp(at, name, sizeof name - 1)) return 0;
  at += sizeof name - 1;
  char const *end = strchr(at, SEPARATOR);
  if (!end || end == at || end - at > OAUTH_USER_MAX) return 0;
  memcpy(user, at, (size_t)(end - at));
  return end + 1;
}

/* Pairs `key=value`, each ended by a separator, up to one more separator at the very end: the value
 * of `auth`, which is there once; or null. */
static char const *find_authorization(char const *at, size_t *size) {
  char const *found = 0;
  while (*at && *at != SEPARATOR) {
    char const *end = strchr(at, SEPARATOR), *equals = strchr(at, '=');
    if (!end || !equals || equals > end || equals == at) return 0;
    bool is_it = equals - at == 4 && !strncasecmp(at, "auth", 4);
    if (is_it && found) return 0;
    if (is_it) {
      found = equals + 1;
      *size = (size_t)(end - found);
    }
    at = end + 1;
  }
  return *at == SEPARATOR && !at[1] ? found : 0;
}

/* ---- the token ---- */

/* header.claims.signature, and nothing besides. */
static enum oauth_problem take_token(char const *token, size_t size, struct oauth_request *r) {
  char header[OAUTH_MESSAGE_MAX], signature[OAUTH_MESSAGE_MAX];
  char const *end = token + size;
  char const *first = memchr(token, '.', size);
  char const *second = first ? memchr(first + 1, '.', (size_t)(end - first) - 1) : 0;
  if (!second) return OAUTH_TOKEN;
  ptrdiff_t header_size = oauth_decode(token, (size_t)(first - token), header);
  ptrdiff_t n = oauth_decode(second + 1, (size_t)(end - second) - 1, signature);
  if (header_size <= 0) return OAUTH_TOKEN;
  enum oauth_problem problem = oauth_read_header(header, (size_t)header_size, &r->header);
  if (problem) return problem;
  if (n <= 0 || n > OAUTH_SIGNATURE_MAX) return OAUTH_TOKEN;
  memcpy(r->signature, signature, (size_t)n);
  r->signature_size = (size_t)n;
  memcpy(r->text, token, (size_t)(second - token));
  return OAUTH_GOOD;
}

/* RFC 6750 section 2.1; the scheme's case does not matter. */
static enum oauth_problem take_bearer(char const *value, size_t size, struct oauth_request *r) {
  static char const scheme[] = "Bearer ";
  size_t n = sizeof scheme - 1;
  if (size < n || strncasecmp(value, scheme, n)) return OAUTH_MESSAGE;
  for (; n < size && value[n] == ' '; n++) {
  }
  return take_token(value + n, size - n, r);
}

void oauth_read_message(char const *message, bool bearer, struct oauth_request *r) {
  size_t size = 0;
  memset(r, 0, sizeof *r);
  r->problem = OAUTH_MESSAGE;
  if (strlen(message) > OAUTH_MESSAGE_MAX) return;
  char const *pairs = bearer ? take_gs2_header(message, r->user) : take_user(message, r->user);
  char const *value = pairs ? find_authorization(pairs, &size) : 0;
  if (value) r->problem = take_bearer(value, size, r);
}
