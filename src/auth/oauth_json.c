/* What is JSON of OAuth: a set of keys (RFC 7517), a token's header (RFC 7515 section 4), and its
 * claims (RFC 7519 section 4).  The caller sees to it that this happens in a confined child. */
#include "auth/oauth.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Otherwise jansson would look for something random when it is too late. */
void oauth_prepare(void) {
  size_t seed = 0;
  if (getentropy(&seed, sizeof seed) < 0 || !seed) seed = 1;
  json_object_seed(seed);
}

static json_t *read_object(char const *text, size_t size) {
  json_t *o = json_loadb(text, size, JSON_REJECT_DUPLICATES, 0);
  if (json_is_object(o)) return o;
  json_decref(o);
  return 0;
}

/* A member that is a string; null. */
static char const *text_of(json_t const *o, char const *name) {
  return json_string_value(json_object_get(o, name));
}

static bool is_text(json_t const *o, char const *name, char const *value) {
  char const *s = text_of(o, name);
  return s && !strcmp(s, value);
}

/* A member that may be missing, but if it is there, is this. */
static bool may_be(json_t const *o, char const *name, char const *value) {
  return !json_object_get(o, name) || is_text(o, name, value);
}

static bool copy_text(char const *s, char *out, size_t max) {
  size_t size = s ? strlen(s) : 0;
  if (!size || size > max) return false;
  memcpy(out, s, size + 1);
  return true;
}

/* ---- keys ---- */

static char const *const names[OAUTH_ALGORITHMS] = {
    [OAUTH_RS256] = "RS256", [OAUTH_ES256] = "ES256"};

/* A number in base64url, without zeros in front; 0: it is none, or too large. */
static size_t read_number(json_t const *key, char const *name, unsigned char *out, size_t max) {
  char bytes[OAUTH_MESSAGE_MAX];
  char const *text = text_of(key, name);
  ptrdiff_t n = text ? oauth_decode(text, strlen(text), bytes) : -1;
  ptrdiff_t zeros = 0;
  while (zeros < n && !bytes[zeros]) zeros++;
  if (n <= zeros || (size_t)(n - zeros) > max) return 0;
  memcpy(out, bytes + zeros, (size_t)(n - zeros));
  return (size_t)(n - zeros);
}

static bool read_rsa(json_t const *o, struct oauth_key *k) {
  k->algorithm = OAUTH_RS256;
  k->n_size = read_number(o, "n", k->n, sizeof k->n);
  k->e_size = read_number(o, "e", k->e, sizeof k->e);
  bool odd = k->e_size && k->e[k->e_size - 1] & 1;
  return k->n_size >= OAUTH_RSA_MIN && odd && (k->e_size > 1 || k->e[0] > 1);
}

/* RFC 7518 section 6.2.1.2: all bytes of a coordinate are there, zeros too. */
static bool read_coordinate(json_t const *o, char const *name, unsigned char *out) {
  enum { SIZE = OAUTH_POINT_SIZE / 2 };
  char bytes[OAUTH_MESSAGE_MAX];
  char const *text = text_of(o, name);
  if (!text || oauth_decode(text, strlen(text), bytes) != SIZE) return false;
  memcpy(out, bytes, SIZE);
  return true;
}

static bool read_ec(json_t const *o, struct oauth_key *k) {
  k->algorithm = OAUTH_ES256;
  k->point[0] = 4; /* uncompressed */
  return is_text(o, "crv", "P-256") && read_coordinate(o, "x", k->point + 1) &&
         read_coordinate(o, "y", k->point + 1 + OAUTH_POINT_SIZE / 2);
}

static bool may_verify(json_t const *o) {
  json_t const *operations = json_object_get(o, "key_ops");
  for (size_t i = 0; i < json_array_size(operations); i++) {
    char const *one = json_string_value(json_array_get(operations, i));
    if (one && !strcmp(one, "verify")) return true;
  }
  return !operations;
}

static bool read_key(json_t const *o, struct oauth_key *k) {
  memset(k, 0, sizeof *k);
  bool good = is_text(o, "kty", "RSA") ? read_rsa(o, k) : is_text(o, "kty", "EC") && read_ec(o, k);
  if (!good || !may_be(o, "use", "sig") || !may_verify(o) || !may_be(o, "alg", names[k->algorithm]))
    return false;
  return !json_object_get(o, "kid") || copy_text(text_of(o, "kid"), k->id, OAUTH_KID_MAX);
}

void oauth_read_keys(char const *text, size_t size, struct oauth_keys *keys) {
  memset(keys, 0, sizeof *keys);
  json_t *o = read_object(text, size);
  json_t const *list = json_object_get(o, "keys");
  keys->good = json_is_array(list);
  for (size_t i = 0; i < json_array_size(list) && keys->count < OAUTH_KEYS_MAX; i++)
    if (read_key(json_array_get(list, i), &keys->keys[keys->count])) keys->count++;
  json_decref(o);
}

/* ---- the header ---- */

/* RFC 8725 section 3.11, RFC 9068 section 2.1: a token for something else is none. */
static bool is_fit_type(json_t const *o) {
  static char const *const types[] = {"JWT", "application/jwt", "at+jwt", "application/at+jwt"};
  char const *type = text_of(o, "typ");
  for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
    if (!strcasecmp(type, types[i])) return true;
  return !json_object_get(o, "typ");
}

static enum oauth_problem take_header(json_t const *o, struct oauth_header *h) {
  char const *algorithm = text_of(o, "alg");
  if (!o || !algorithm || !is_fit_type(o)) return OAUTH_TOKEN;
  if (json_object_get(o, "crit") || json_object_get(o, "b64")) return OAUTH_ALGORITHM;
  for (h->algorithm = 0; h->algorithm < OAUTH_ALGORITHMS; h->algorithm++)
    if (!strcmp(algorithm, names[h->algorithm])) break;
  if (h->algorithm == OAUTH_ALGORITHMS) return OAUTH_ALGORITHM;
  if (json_object_get(o, "kid") && !copy_text(text_of(o, "kid"), h->key, OAUTH_KID_MAX))
    return OAUTH_KEY;
  return OAUTH_GOOD;
}

enum oauth_problem oauth_read_header(char const *json, size_t size, struct oauth_header *h) {
  memset(h, 0, sizeof *h);
  json_t *o = read_object(json, size);
  enum oauth_problem problem = take_header(o, h);
  json_decref(o);
  return problem;
}

/* ---- claims ---- */

/* Whether one of the words of a list is this one. */
static bool has_word(char const *list, char const *word, size_t size) {
  while (*(list += strspn(list, " "))) {
    size_t n = strcspn(list, " ");
    if (n == size && !memcmp(list, word, n)) return true;
    list += n;
  }
  return false;
}

static bool is_audience(json_t const *one, char const *audiences) {
  char const *s = json_string_value(one);
  return s && has_word(audiences, s, strlen(s));
}

/* One audience, or several of which one is us. */
static bool is_for_us(json_t const *o, char const *audiences) {
  json_t const *audience = json_object_get(o, "aud");
  for (size_t i = 0; i < json_array_size(audience); i++)
    if (is_audience(json_array_get(audience, i), audiences)) return true;
  return is_audience(audience, audiences);
}

/* RFC 8693 section 4.2: `scope` is a list with blanks; some issuers write an array `scp` or
 * `scope`.
 */
static bool has_scope(json_t const *o, char const *scope, size_t size) {
  static char const *const claims[] = {"scope", "scp"};
  for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
    json_t const *claim = json_object_get(o, claims[i]);
    char const *list = json_string_value(claim);
    if (list && has_word(list, scope, size)) return true;
    for (size_t k = 0; k < json_array_size(claim); k++) {
      char const *one = json_string_value(json_array_get(claim, k));
      if (one && strlen(one) == size && !memcmp(one, scope, size)) return true;
    }
  }
  return false;
}

static bool has_all_scopes(json_t const *o, char const *wanted) {
  while (*(wanted += strspn(wanted, " "))) {
    size_t size = strcspn(wanted, " ");
    if (!has_scope(o, wanted, size)) return false;
    wanted += size;
  }
  return true;
}

enum time_kind { TIME_MISSING, TIME_THERE, TIME_WRONG };

/* NumericDate: seconds, perhaps with a fraction. */
static enum time_kind read_time(json_t const *o, char const *name, double *seconds) {
  double const last = 253402300799.0; /* the year 9999 */
  json_t const *claim = json_object_get(o, name);
  if (!claim) return TIME_MISSING;
  *seconds = json_number_value(claim);
  return json_is_number(claim) && *seconds >= 0 && *seconds <= last ? TIME_THERE : TIME_WRONG;
}

/* A token that never ends is not taken. */
static enum oauth_problem check_times(json_t const *o, struct oauth_demands const *d) {
  static char const *const beginnings[] = {"nbf", "iat"};
  double seconds, now = (double)d->now, leeway = (double)d->leeway;
  if (read_time(o, "exp", &seconds) != TIME_THERE) return OAUTH_TOKEN;
  if (now >= seconds + leeway) return OAUTH_EXPIRED;
  for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
    enum time_kind kind = read_time(o, beginnings[i], &seconds);
    if (kind == TIME_WRONG) return OAUTH_TOKEN;
    if (kind == TIME_THERE && now < seconds - leeway) return OAUTH_EARLY;
  }
  return OAUTH_GOOD;
}

static bool has_control(char const *s) {
  for (; *s; s++)
    if ((unsigned char)*s < ' ' || *s == 0x7f) return true;
  return false;
}

static enum oauth_problem take_claims(json_t const *o, struct oauth_demands const *d,
                                      struct oauth_claims *c) {
  if (!o) return OAUTH_TOKEN;
  if (!is_text(o, "iss", d->issuer)) return OAUTH_ISSUER;
  if (!is_for_us(o, d->audiences)) return OAUTH_AUDIENCE;
  enum oauth_problem problem = check_times(o, d);
  if (problem) return problem;
  if (!has_all_scopes(o, d->scopes)) return OAUTH_SCOPE;
  if (!copy_text(text_of(o, d->user_claim), c->user, OAUTH_USER_MAX) || has_control(c->user))
    return OAUTH_NO_USER;
  return OAUTH_GOOD;
}

void oauth_read_claims(char const *json, size_t size, struct oauth_demands const *d,
                       struct oauth_claims *c) {
  memset(c, 0, sizeof *c);
  json_t *o = read_object(json, size);
  c->problem = take_claims(o, d, c);
  json_decref(o);
}
