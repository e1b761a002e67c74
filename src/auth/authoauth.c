/* authoauth: OAUTHBEARER (RFC 7628) and XOAUTH2: the user is whom a signed token names; see
 * authoauth(8).  This process compares, and verifies signatures; nothing that is parsed is parsed
 * in it.  Linked dynamically, for NSS. */
#include "auth/oauth.h"
#include "auth/source.h"
#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { KEYS_TEXT_MAX = 256 << 10, LEEWAY = 60, LEEWAY_MAX = 600, CHALLENGE_MAX = 2048 };

struct settings {
  char const *keys_path;
  char const *discovery; /* of the issuer, for the client; may be empty */
  struct oauth_demands demands;
};

static struct auth_result const unavailable = {AUTH_TEMPORARY, "oauth"};

static char const *setting(char const *name, char const *fallback) {
  char const *value = getenv(name);
  if (value && *value) return value;
  if (fallback) return fallback;
  log_die(EXIT_MISUSE, "bad-setting", "name", name, "why", "it is not set", "remedy",
          "see authoauth(8)", (char *)0);
}

/* What is told to the client stands in JSON strings as it is. */
static char const *told_setting(char const *name) {
  char const *value = setting(name, "");
  if (strlen(value) <= CHALLENGE_MAX / 4 && !strpbrk(value, "\"\\\n\r\t")) return value;
  log_die(EXIT_MISUSE, "bad-setting", "name", name, "why",
          "it has a quote, a backslash or a line end in it, or is longer than 512 bytes",
          (char *)0);
}

static struct settings read_settings(void) {
  struct settings s = {
      .keys_path = setting("OAUTH_JWKS", 0),
      .discovery = told_setting("OAUTH_OPENID_CONFIGURATION"),
      .demands = {.issuer = setting("OAUTH_ISSUER", 0),
                  .audiences = setting("OAUTH_AUDIENCE", 0),
                  .scopes = told_setting("OAUTH_SCOPE"),
                  .user_claim = setting("OAUTH_USER_CLAIM", "sub"),
                  .now = time(0),
                  .leeway = (int64_t)setting_number("OAUTH_LEEWAY", LEEWAY, 0, LEEWAY_MAX)}};
  return s;
}

/* ---- the keys ---- */

struct text {
  char const *bytes;
  size_t size;
};

static void work_on_keys(void const *question, void *out) {
  struct text const *t = question;
  oauth_read_keys(t->bytes, t->size, out);
}

/* Whoever can write it can become anybody. */
static bool is_trustworthy(char const *path) {
  struct stat st;
  if (stat(path, &st) < 0) return true; /* which reading it will say better */
  return S_ISREG(st.st_mode) && !(st.st_mode & (S_IWGRP | S_IWOTH)) &&
         (!st.st_uid || st.st_uid == geteuid());
}

static bool distrust(char const *path, char const *why, char const *remedy) {
  log_event("failed", "attempt", "read the issuer's keys", "path", path, "why", why, "remedy",
            remedy, (char *)0);
  return false;
}

static bool check_keys(struct oauth_keys const *keys, char const *path) {
  static char const remedy[] = "put the issuer's key set there again, whole, by renaming";
  if (!keys->good) return distrust(path, "it is no JSON Web Key Set", remedy);
  if (!keys->count || keys->count > OAUTH_KEYS_MAX)
    return distrust(path, "no key in it can verify RS256 or ES256", remedy);
  for (size_t i = 0; i < keys->count; i++) {
    struct oauth_key const *k = &keys->keys[i];
    if (k->algorithm >= OAUTH_ALGORITHMS || k->n_size > sizeof k->n || k->e_size > sizeof k->e ||
        !memchr(k->id, 0, sizeof k->id))
      return distrust(path, "it has broken its parser", "replace it");
  }
  return true;
}

/* Read each time: a new key counts from the next login on. */
static bool read_keys(char const *path, struct oauth_keys *keys) {
  struct text text;
  char *bytes;
  if (!is_trustworthy(path))
    return distrust(path, "it is no regular file, or others can write to it",
                    "chown root, chmod go-w, and look who wrote to it");
  if (file_read(AT_FDCWD, path, KEYS_TEXT_MAX, &bytes, &text.size) < 0) {
    log_failure("read the issuer's keys", path, "put the issuer's key set there");
    return false;
  }
  text.bytes = bytes;
  bool good = confined_call(work_on_keys, &text, keys, sizeof *keys);
  free(bytes);
  return good && check_keys(keys, path);
}

/* ---- the message and the token ---- */

struct message {
  char const *text;
  bool bearer; /* OAUTHBEARER */
};

static void work_on_message(void const *question, void *out) {
  struct message const *m = question;
  oauth_read_message(m->text, m->bearer, out);
}

static bool read_message(struct auth_credentials const *c, struct oauth_request *r) {
  struct message const m = {c->response, !strcmp(c->mechanism, "OAUTHBEARER")};
  return confined_call(work_on_message, &m, r, sizeof *r) && r->problem < OAUTH_PROBLEMS &&
         r->header.algorithm <= OAUTH_ALGORITHMS && memchr(r->user, 0, sizeof r->user) &&
         memchr(r->header.key, 0, sizeof r->header.key) && memchr(r->text, 0, sizeof r->text) &&
         r->signature_size <= sizeof r->signature;
}

struct claims_question {
  struct oauth_request const *request;
  struct oauth_demands const *demands;
};

static void work_on_claims(void const *question, void *out) {
  struct claims_question const *q = question;
  char json[OAUTH_MESSAGE_MAX];
  ptrdiff_t size = oauth_decode_claims(q->request->text, json);
  oauth_read_claims(json, size < 0 ? 0 : (size_t)size, q->demands, out);
}

static bool read_claims(struct oauth_request const *r, struct oauth_demands const *d,
                        struct oauth_claims *c) {
  struct claims_question const q = {r, d};
  return confined_call(work_on_claims, &q, c, sizeof *c) && c->problem < OAUTH_PROBLEMS &&
         memchr(c->user, 0, sizeof c->user);
}

/* ---- the answer ---- */

/* RFC 7628 section 3.2.2: the client hears why, says that it has heard, and is refused. */
static struct auth_result refuse(struct settings const *s, struct auth_credentials const *c,
                                 enum oauth_problem problem) {
  char json[CHALLENGE_MAX], answer[DIALOGUE_MAX + 1];
  bool bearer = !strcmp(c->mechanism, "OAUTHBEARER");
  struct oauth_problem_words const *words = &oauth_problems[problem];
  int size = snprintf(json, sizeof json, "{\"status\":\"%s\",%s\"scope\":\"%s\"%s%s%s}",
                      bearer ? words->status : "401", bearer ? "" : "\"schemes\":\"Bearer\",",
                      s->demands.scopes, *s->discovery ? ",\"openid-configuration\":\"" : "",
                      s->discovery, *s->discovery ? "\"" : "");
  auth_ask(c->dialogue, json, (size_t)size, answer);
  return (struct auth_result){AUTH_REFUSE, words->reason};
}

/* The one name is the client's wish, the other the issuer's word. */
static enum oauth_problem find_user(struct oauth_request const *r, struct oauth_claims const *c,
                                    char user[USER_ROOM]) {
  static char room[USER_ROOM];
  char const *claimed = domain_complete(c->user, room);
  if (*r->user && !domain_same(r->user, claimed)) return OAUTH_OTHER_USER;
  snprintf(user, USER_ROOM, "%s", claimed);
  return OAUTH_GOOD;
}

static struct auth_result verify(struct auth_credentials const *c, struct auth_account *a) {
  static struct source_entry entry; /* the account points into it */
  static struct oauth_keys keys;
  static struct oauth_request request;
  static struct oauth_claims claims;
  static char user[USER_ROOM];
  struct settings s = read_settings();
  oauth_prepare();
  if (!read_message(c, &request) || !read_keys(s.keys_path, &keys)) return unavailable;
  if (*request.user) a->user = request.user;
  enum oauth_problem problem = request.problem;
  if (!problem) problem = oauth_check_signature(&request, &keys);
  if (problem) return refuse(&s, c, problem);
  if (!read_claims(&request, &s.demands, &claims)) return unavailable;
  problem = claims.problem ? claims.problem : find_user(&request, &claims, user);
  explicit_bzero(request.text, sizeof request.text);
  if (problem) return refuse(&s, c, problem);
  a->user = user;
  struct auth_result result = proven_verify(user, &entry);
  source_wipe(&entry);
  if (result.verdict == AUTH_ACCEPT) *a = entry.account;
  return result;
}

int main(int argc, char **argv) {
  static char const *const mechanisms[] = {"OAUTHBEARER", "XOAUTH2", 0};
  static struct auth_module const module = {
      .name = "authoauth", .mechanisms = mechanisms, .no_passwords = true, .verify = verify};
  auth_run(argc, argv, &module);
}
