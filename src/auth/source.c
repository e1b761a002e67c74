/* What is the same for every source: asking it, judging what it answered, and being a module. Where
 * accounts come from is each source's matter. */
#include "auth/source.h"
#include "base/base.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct auth_result const unknown_user = {AUTH_DECLINE, "unknown-user"};
static struct auth_result const no_password = {AUTH_DECLINE, "no-password"};

char const *source_keep(struct source_entry *e, char const *s) {
  size_t size = s ? strlen(s) : 0;
  if (!size) return 0;
  if (size >= sizeof e->text - e->used) {
    e->overflow = true;
    return 0;
  }
  char *copy = memcpy(e->text + e->used, s, size + 1);
  e->used += size + 1;
  return copy;
}

char const *source_service(void) {
  char const *service = getenv("AUTHSERVICE");
  return service && *service ? service : "imap";
}

void source_open(struct source const *s) {
  if (s->open) s->open(s);
}

/* Secrets are strings in the entry's own text. */
static void erase(struct source_entry *e, char const **secret) {
  if (*secret) explicit_bzero(e->text + (*secret - e->text), strlen(*secret));
  *secret = 0;
}

void source_wipe(struct source_entry *e) {
  char const **const secrets[] = {&e->hash, &e->clear, &e->hmac_md5, &e->scram_sha_1,
                                  &e->scram_sha_256};
  for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) erase(e, secrets[i]);
  for (size_t i = 0; i < e->apps_count; i++) erase(e, &e->apps[i].hash);
}

void source_forget(struct source_entry *e) {
  free((void *)e->account.groups);
  explicit_bzero(e, offsetof(struct source_entry, text) + e->used);
}

static char const *merge_options(struct source_entry *e) {
  char const *options = e->account.options;
  char room[OPTIONS_MAX];
  if (!options_complete(&options, room)) return "the options are longer than 4000 bytes";
  if (options == room) e->account.options = source_keep(e, room);
  return 0;
}

/* What makes an entry unfit for any session, in words; null: nothing. */
static char const *complete(struct source_query const *q, struct source_entry *e) {
  char const *problem = merge_options(e);
  if (problem) return problem;
  if (e->overflow) return "more than 16384 bytes of text";
  if (!e->account.user) return "no user name";
  if (!e->account.home || *e->account.home != '/')
    return "the home directory is missing or does not begin with /";
  if (!e->refusal && options_disable(e->account.options, q->service)) e->refusal = "disabled";
  return 0;
}

/* A broken entry is a temporary failure: its user is no stranger. */
static enum source_answer finish(struct source const *s, struct source_query const *q,
                                 struct source_entry *e) {
  char const *problem = complete(q, e);
  if (!problem) return SOURCE_FOUND;
  log_event("failed", "attempt", "use the account", "source", s->name, "user", q->name, "why",
            problem, "remedy", "correct it in the database", (char *)0);
  return SOURCE_TEMPORARY;
}

enum source_answer source_lookup(struct source const *s, struct source_query const *q,
                                 struct source_entry *e) {
  source_forget(e);
  enum source_answer answer = s->lookup(s, q, e);
  return answer == SOURCE_FOUND ? finish(s, q, e) : answer;
}

bool source_mark_refused(struct source_query const *q, struct source_entry *e) {
  char options[SOURCE_TEXT_MAX], shut[64];
  if (!e->refusal && !e->after) return true;
  snprintf(shut, sizeof shut, "disable%s=1", q->service);
  if (!options_merge(shut, e->account.options, options, sizeof options)) return false;
  return (e->account.options = source_keep(e, options));
}

struct auth_result source_judge(struct source_entry const *e, bool proved) {
  char const *superuser = account_superuser(&e->account);
  if (superuser) return (struct auth_result){AUTH_DECLINE, superuser};
  if (e->refusal) return (struct auth_result){AUTH_REFUSE, e->refusal};
  if (!proved) return (struct auth_result){AUTH_DECLINE, "wrong-password"};
  if (e->after) return (struct auth_result){AUTH_REFUSE, e->after};
  return (struct auth_result){AUTH_ACCEPT, 0};
}

/* A hash that cannot be computed says nothing about the ones after it. */
static enum password_check check_apps(struct source_entry *e, char const *password) {
  enum password_check result = PASSWORD_WRONG;
  for (size_t i = 0; i < e->apps_count; i++) {
    enum password_check one = scheme_check(password, e->apps[i].hash);
    if (one == PASSWORD_RIGHT) e->account.label = e->apps[i].label;
    if (one == PASSWORD_RIGHT) return one;
    if (one == PASSWORD_UNKNOWN) result = one;
  }
  return result;
}

/* Any password lets in, if the account has several. */
static enum password_check check(struct source_entry *e, char const *password) {
  if (e->clear && password_equal(password, e->clear)) return PASSWORD_RIGHT;
  enum password_check own = e->hash ? scheme_check(password, e->hash) : PASSWORD_WRONG;
  if (own == PASSWORD_RIGHT) return own;
  enum password_check apps = check_apps(e, password);
  return apps == PASSWORD_WRONG ? own : apps;
}

struct auth_result source_compare(struct source_entry *e, char const *password) {
  if (e->refusal || account_superuser(&e->account)) return source_judge(e, false);
  if (!e->hash && !e->clear && !e->apps_count) return no_password;
  enum password_check checked = check(e, password);
  if (checked == PASSWORD_UNKNOWN) return password_result(checked);
  return source_judge(e, checked == PASSWORD_RIGHT);
}

static struct auth_result unavailable(struct source const *s) {
  return (struct auth_result){AUTH_TEMPORARY, s->unavailable};
}

static struct auth_result verify_itself(struct source const *s, struct source_query const *q,
                                        char const *password, struct source_entry *e) {
  struct auth_result result = s->verify(s, q, password, e);
  if (result.verdict != AUTH_ACCEPT) return result;
  return finish(s, q, e) == SOURCE_FOUND ? source_judge(e, true) : unavailable(s);
}

struct auth_result source_verify(struct source const *s, struct source_query const *q,
                                 char const *password, struct source_entry *e) {
  if (s->verify) {
    source_forget(e);
    return verify_itself(s, q, password, e);
  }
  enum source_answer answer = source_lookup(s, q, e);
  if (answer == SOURCE_TEMPORARY) return unavailable(s);
  return answer == SOURCE_FOUND ? source_compare(e, password) : unknown_user;
}

struct auth_result source_change(struct source const *s, struct source_query const *q,
                                 char const *old, char const *password, struct source_entry *e) {
  struct auth_result result = source_verify(s, q, old, e);
  if (result.verdict != AUTH_ACCEPT) return result;
  if (!s->change) return (struct auth_result){AUTH_DECLINE, "cannot-change-passwords"};
  return s->change(s, q, e, old, password);
}

/* ---- a module ---- */

static struct source const *module_source;

static struct auth_result verify(struct auth_credentials const *c, struct auth_account *a) {
  static struct source_entry entry; /* the account points into it */
  struct source_query q = {c->user, source_service()};
  signal(SIGPIPE, SIG_IGN); /* a database that has gone is an error of its library */
  source_open(module_source);
  struct auth_result result;
  if (!master_verify(module_source, c, &entry, &result))
    result = source_verify(module_source, &q, c->password, &entry);
  source_wipe(&entry);
  signal(SIGPIPE, SIG_DFL);
  if (result.verdict == AUTH_ACCEPT) *a = entry.account;
  return result;
}

noreturn void source_run(int argc, char **argv, struct source const *s) {
  struct auth_module const module = {
      .name = s->name, .authzid = master_is_possible(), .verify = verify};
  if (who_is_asked()) who_tell(s);
  module_source = s;
  auth_run(argc, argv, &module);
}
