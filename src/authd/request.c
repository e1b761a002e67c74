/* What one request asks of the sources, in their order, and the answer.  A stream that is closed
 * without an answer is how this protocol says "temporarily not": a later source that admits the
 * user wins over it, as in imaplogin's chain. */
#include "authd/authd.h"
#include "base/base.h"

#include <bearssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct task {
  struct settings const *settings;
  struct daemon_request request;
  struct source_query query;
  struct source_entry entry;
  int client;
  int64_t deadline;
  struct source const *source;        /* who has said `result` */
  struct auth_result result;          /* the weightiest so far */
  bool tried;                         /* some source has declined it */
  char challenge[DAEMON_REQUEST_MAX]; /* decoded, as is the response that follows it */
  char *response;
  char user[DAEMON_REQUEST_MAX + 1]; /* of a challenge's response */
};

static struct task task; /* not on the stack: wiped where it is */

/* ---- answers ---- */

static void say(struct task *t, char const *text, size_t size) {
  if (io_write_all(t->client, text, size, t->deadline) < 0)
    log_failure("answer", 0, "the client has gone, or does not read");
}

static void say_fail(struct task *t) {
  say(t, "FAIL\n", strlen("FAIL\n"));
}

static void log_broken(char const *user, char const *source) {
  log_event("failed", "attempt", "answer", "user", user, "source", source, "why",
            "the account has a control character in it, or more than 8000 bytes", "remedy",
            "correct it in the database", (char *)0);
}

static void say_account(struct task *t) {
  static struct daemon_text text;
  text.size = 0;
  text.broken = false;
  if (daemon_put_account(&text, &t->entry, t->settings->passwords))
    say(t, text.bytes, text.size);
  else
    log_broken(t->query.name, t->source->name);
  explicit_bzero(&text, sizeof text);
}

static void log_verdict(struct task const *t, char const *event) {
  log_event(event, "user", t->query.name, "ip", t->request.ip, "service", t->query.service,
            "source", t->source ? t->source->name : 0, "reason", t->result.reason, (char *)0);
}

/* ---- judging ---- */

/* What a source says counts if it decides, or says more than those before it. */
static bool weigh(struct task *t, struct source const *s, struct auth_result result) {
  static int const weights[] = {
      [AUTH_DECLINE] = 1, [AUTH_TEMPORARY] = 3, [AUTH_REFUSE] = 4, [AUTH_ACCEPT] = 4};
  bool decided = result.verdict == AUTH_ACCEPT || result.verdict == AUTH_REFUSE;
  bool nothing = !t->source;
  bool more = weights[result.verdict] > weights[t->result.verdict] ||
              (result.verdict == t->result.verdict && t->result.reason &&
               !strcmp(t->result.reason, "unknown-user"));
  if (nothing || more) {
    t->source = s;
    t->result = result;
  }
  return decided;
}

typedef struct auth_result judge(struct task *, struct source const *);

static void ask_all(struct task *t, judge *ask) {
  for (size_t i = 0; i < t->settings->sources_count; i++) {
    struct source const *s = t->settings->sources[i];
    struct auth_result result = ask(t, s);
    if (result.verdict == AUTH_DECLINE) t->tried = true;
    if (weigh(t, s, result)) return;
  }
}

static struct auth_result unavailable(struct source const *s) {
  return (struct auth_result){AUTH_TEMPORARY, s->unavailable};
}

static struct auth_result check_password(struct task *t, struct source const *s) {
  return source_verify(s, &t->query, t->request.password, &t->entry);
}

static struct auth_result change_password(struct task *t, struct source const *s) {
  return source_change(s, &t->query, t->request.password, t->request.new_password, &t->entry);
}

/* ---- challenges: CRAM-MD5 (RFC 2195), and the same with other hashes, as Courier has them ---- */

enum { HMAC_HEX = 2 * br_sha256_SIZE + 1 };

static struct challenge_type {
  char const *name;
  br_hash_class const *hash;
} const challenge_types[] = {{"cram-md5", &br_md5_vtable},
                             {"cram-sha1", &br_sha1_vtable},
                             {"cram-sha256", &br_sha256_vtable}};

static struct challenge_type const *find_type(char const *name) {
  for (size_t i = 0; i < sizeof challenge_types / sizeof *challenge_types; i++)
    if (!strcmp(challenge_types[i].name, name)) return &challenge_types[i];
  return 0;
}

static void digest_clear(br_hash_class const *hash, char const *password, char const *challenge,
                         char digest[HMAC_HEX]) {
  unsigned char out[br_sha256_SIZE];
  br_hmac_key_context key;
  br_hmac_context c;
  br_hmac_key_init(&key, hash, password, strlen(password));
  br_hmac_init(&c, &key, 0);
  br_hmac_update(&c, challenge, strlen(challenge));
  size_t size = br_hmac_out(&c, out);
  for (size_t i = 0; i < size; i++) snprintf(digest + 2 * i, 3, "%02x", out[i]);
  explicit_bzero(&key, sizeof key);
  explicit_bzero(&c, sizeof c);
}

/* Courier's secret is of MD5 only. */
static bool make_digest(struct task *t, struct challenge_type const *type, char digest[HMAC_HEX]) {
  if (t->entry.clear)
    digest_clear(type->hash, t->entry.clear, t->challenge, digest);
  else if (t->entry.hmac_md5 && type->hash == &br_md5_vtable)
    return cram_digest(t->entry.hmac_md5, t->challenge, digest);
  else
    return false;
  return true;
}

static struct auth_result check_challenge(struct task *t, struct source const *s) {
  char digest[HMAC_HEX];
  switch (source_lookup(s, &t->query, &t->entry)) {
  case SOURCE_UNKNOWN: return (struct auth_result){AUTH_DECLINE, "unknown-user"};
  case SOURCE_TEMPORARY: return unavailable(s);
  case SOURCE_FOUND: break;
  }
  if (!make_digest(t, find_type(t->request.type), digest))
    return (struct auth_result){AUTH_DECLINE, "no-password"};
  bool right = password_equal(digest, t->response);
  explicit_bzero(digest, sizeof digest);
  return source_judge(&t->entry, right);
}

static bool decode(char const *text, char *out) {
  ssize_t size = base64_decode(text, strlen(text), out);
  if (size < 0) return false;
  out[size] = 0;
  return strlen(out) == (size_t)size && daemon_may_say(out);
}

/* The response is the user, a blank, and the digest. */
static bool decode_challenge(struct task *t) {
  if (!find_type(t->request.type) || !decode(t->request.challenge, t->challenge) ||
      !decode(t->request.response, t->user))
    return false;
  char *blank = strrchr(t->user, ' ');
  if (!blank || blank == t->user) return false;
  *blank = 0;
  t->response = blank + 1;
  t->query.name = t->user;
  return true;
}

/* ---- the four commands ---- */

static void conclude(struct task *t) {
  static char const *const events[] = {[AUTH_ACCEPT] = "accepted",
                                       [AUTH_DECLINE] = "declined",
                                       [AUTH_REFUSE] = "refused",
                                       [AUTH_TEMPORARY] = "unavailable"};
  log_verdict(t, events[t->result.verdict]);
}

static void serve_auth(struct task *t) {
  if (t->request.user)
    ask_all(t, check_password);
  else if (decode_challenge(t))
    ask_all(t, check_challenge);
  else
    t->result.reason = "unknown-mechanism";
  conclude(t);
  if (t->result.verdict == AUTH_ACCEPT)
    say_account(t);
  else if (t->result.verdict != AUTH_TEMPORARY)
    say_fail(t);
  else if (t->tried)
    say(t, DAEMON_TRIED, strlen(DAEMON_TRIED));
}

static void serve_passwd(struct task *t) {
  ask_all(t, change_password);
  if (t->result.verdict == AUTH_ACCEPT) {
    log_verdict(t, "password-changed");
    say(t, "OK\n", strlen("OK\n"));
    return;
  }
  conclude(t);
  say_fail(t); /* there is no other answer */
}

static enum source_answer look_up(struct task *t, struct source const *s) {
  enum source_answer answer = source_lookup(s, &t->query, &t->entry);
  return answer == SOURCE_FOUND && account_superuser(&t->entry.account) ? SOURCE_UNKNOWN : answer;
}

static void serve_pre(struct task *t) {
  bool temporary = false;
  for (size_t i = 0; i < t->settings->sources_count; i++) {
    struct source const *s = t->source = t->settings->sources[i];
    if (t->request.module && strcmp(t->request.module, s->name) != 0) continue;
    enum source_answer answer = look_up(t, s);
    if (answer == SOURCE_FOUND) {
      if (source_mark_refused(&t->query, &t->entry))
        say_account(t);
      else
        log_broken(t->query.name, s->name);
      return;
    }
    temporary |= answer == SOURCE_TEMPORARY;
  }
  if (!temporary) say_fail(t);
}

/* Written in pieces: there may be a hundred thousand of them. */
struct listing {
  struct task *task;
  struct daemon_text text;
  bool failed;
};

static void flush(struct listing *l) {
  struct task *t = l->task;
  if (!l->failed && io_write_all(t->client, l->text.bytes, l->text.size, t->deadline) < 0)
    l->failed = true;
  l->text.size = 0;
}

static bool list_account(struct auth_account const *a, void *context) {
  enum { FULL = DAEMON_ANSWER_MAX / 2 };
  struct listing *l = context;
  size_t before = l->text.size;
  if (account_superuser(a)) return true;
  if (!daemon_put_line(&l->text, a)) {
    log_broken(a->user, l->task->source->name);
    l->text.size = before;
    l->text.broken = false;
  }
  if (l->text.size > FULL) flush(l);
  return !l->failed;
}

static void list_source(struct listing *l, struct source const *s) {
  l->task->source = s;
  if (!s->enumerate) return;
  l->text.size = (size_t)snprintf(l->text.bytes, sizeof l->text.bytes, "# %s\n\n", s->name);
  if (s->enumerate(s, list_account, l) != SOURCE_FOUND) l->failed = true;
  flush(l);
}

/* Without the full stop at the end, the client knows that some are missing. */
static void serve_enumerate(struct task *t) {
  static struct listing l;
  l.task = t;
  l.failed = false;
  for (size_t i = 0; i < t->settings->sources_count && !l.failed; i++)
    list_source(&l, t->settings->sources[i]);
  if (!l.failed) say(t, ".\n", strlen(".\n"));
}

static void (*const servers[DAEMON_COMMANDS])(struct task *) = {
    [DAEMON_AUTH] = serve_auth,
    [DAEMON_PRE] = serve_pre,
    [DAEMON_PASSWD] = serve_passwd,
    [DAEMON_ENUMERATE] = serve_enumerate,
};

/* PAM is told, too.  Not by setenv(3), which keeps every value that there ever was. */
static void set_address(char const *ip) {
  static char variable[64]; /* an IPv6 address has 45 bytes at most */
  unsetenv("TCPREMOTEIP");
  if (!ip) return;
  snprintf(variable, sizeof variable, "TCPREMOTEIP=%s", ip);
  putenv(variable);
}

void request_serve(struct settings const *s, int client, char *bytes, size_t size,
                   int64_t deadline) {
  struct task *t = &task;
  t->settings = s;
  t->client = client;
  t->deadline = deadline;
  t->source = 0;
  t->tried = false;
  t->result = (struct auth_result){AUTH_DECLINE, "unknown-user"};
  if (daemon_parse(bytes, size, &t->request)) {
    t->query = (struct source_query){t->request.user, t->request.service};
    set_address(t->request.ip);
    servers[t->request.command](t);
  } else {
    log_event("declined", "reason", "malformed-request", (char *)0);
    say_fail(t);
  }
  source_forget(&t->entry);
  explicit_bzero(t, sizeof *t);
}
