/* A module's whole life: credentials in, verdict out.  What is the same for every module and every
 * verdict is here; what only the accepted user sees is in account.c. */
#include "auth/source.h"
#include "base/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_CHECKPASSWORD_MISUSE = 2 }; /* checkpassword's own code for it */

struct run {
  struct auth_module const *module;
  struct chain chain;
  struct credentials_buffer buffer;
  struct auth_credentials credentials;
  char user[USER_ROOM]; /* outlives the rest, which is wiped */
  struct auth_dialogue dialogue;
  struct auth_account account;
};

/* Whom the credentials name, or whom the module has found in them; null: nobody. */
static char const *claimed_user(struct run const *r) {
  char const *user = r->credentials.user;
  return user && !*user ? r->account.user : user;
}

static void log_verdict(struct run const *r, char const *event, char const *reason) {
  log_event(event, "user", claimed_user(r), "authzid", r->credentials.authzid, "ip",
            getenv("TCPREMOTEIP"), "reason", reason, (char *)0);
}

static void tell_imaplogin(char const *name, char const *value) {
  if (setenv(name, value, 1) < 0)
    log_die_failure(EXIT_TEMPORARY, "set", name, "raise the memory limit");
}

void auth_tried(void) {
  tell_imaplogin("IMAPLOGIN_TRIED", "1");
}

static void set_verdict(char const *verdict) {
  tell_imaplogin("IMAPLOGIN_VERDICT", verdict);
}

/* For imaplogin's own line in the log, which fails without harm. */
static void tell_user(struct run const *r) {
  char const *user = claimed_user(r);
  if (user && user != r->credentials.user) setenv("IMAPLOGIN_USER", user, 1);
}

static noreturn void go_back(struct run *r) {
  tell_user(r);
  credentials_wipe(&r->buffer);
  chain_return(&r->chain);
}

/* The credentials are on their way to the next module and no longer here. */
static noreturn void pass_on(struct run *r) {
  tell_user(r);
  bool to_module = r->chain.next < r->chain.program;
  int failed = to_module ? credentials_pass(&r->buffer) : 0;
  int saved = errno;
  credentials_wipe(&r->buffer);
  if (!failed) chain_next(&r->chain);
  errno = saved;
  log_failure("pass the credentials on", 0, 0);
  set_verdict("temporary");
  chain_return(&r->chain);
}

static noreturn void accept_user(struct run *r, char const *reason) {
  (void)reason;
  credentials_wipe(&r->buffer);
  account_become(&r->account, r->module->name, &r->chain);
}

static noreturn void decline(struct run *r, char const *reason) {
  log_verdict(r, "declined", reason);
  if (!r->chain.imaplogin) _Exit(EXIT_REFUSED);
  auth_tried();
  pass_on(r);
}

static noreturn void refuse(struct run *r, char const *reason) {
  log_verdict(r, "refused", reason);
  if (!r->chain.imaplogin) _Exit(EXIT_REFUSED);
  set_verdict("refused");
  go_back(r);
}

static noreturn void postpone(struct run *r, char const *reason) {
  log_verdict(r, "unavailable", reason);
  if (!r->chain.imaplogin) _Exit(EXIT_TEMPORARY);
  set_verdict("temporary");
  if (r->dialogue.begun) go_back(r); /* no other module can begin one */
  pass_on(r);
}

/* None of them returns. */
static void (*const conclusions[])(struct run *, char const *reason) = {
    [AUTH_ACCEPT] = accept_user,
    [AUTH_DECLINE] = decline,
    [AUTH_REFUSE] = refuse,
    [AUTH_TEMPORARY] = postpone,
};

/* What cannot be read cannot be passed on either: no other module is asked. */
static noreturn void die_credentials(struct run *r, char const *reason) {
  log_event("unavailable", "ip", getenv("TCPREMOTEIP"), "reason", reason, (char *)0);
  if (!r->chain.imaplogin) _Exit(EXIT_CHECKPASSWORD_MISUSE);
  set_verdict("temporary");
  go_back(r);
}

static noreturn void die_usage(struct run const *r) {
  log_event("misconfigured", "why", "no program after the modules", "remedy",
            "say: imaplogin authuserdb authpwd imapd Maildir", (char *)0);
  _Exit(r->chain.imaplogin ? EXIT_MISUSE : EXIT_CHECKPASSWORD_MISUSE);
}

static bool knows_mechanism(struct auth_module const *m, char const *mechanism) {
  if (!mechanism) return !m->no_passwords;
  for (char const *const *known = m->mechanisms; known && *known; known++)
    if (!strcmp(*known, mechanism)) return true;
  return false;
}

/* Descriptor 3 stays as it is, for the next module. */
static noreturn void decline_unread(struct run *r) {
  log_verdict(r, "declined", "unknown-mechanism");
  if (!r->chain.imaplogin) _Exit(EXIT_REFUSED);
  chain_next(&r->chain);
}

static void read_credentials(struct run *r) {
  struct auth_credentials *c = &r->credentials;
  if (credentials_read(&r->buffer) < 0)
    die_credentials(r, errno == EBADF      ? "no-descriptor-3"
                       : errno == EMSGSIZE ? "oversized-credentials"
                                           : "unreadable-credentials");
  if (!credentials_parse(&r->buffer, !r->chain.imaplogin, c)) {
    c->user = 0;
    die_credentials(r, "malformed-credentials");
  }
  char const *user = domain_complete(c->user, r->user);
  c->user = user == r->user ? user : strcpy(r->user, user);
  char const *authzid = getenv("AUTHZID");
  c->authzid = authzid && *authzid && !domain_same(authzid, c->user) ? authzid : 0;
}

/* Courier's own words for it.  AUTHSERVICE may have any name on some port; the protocol of whoever
 * comes from imaplogin is IMAP. */
static bool account_is_disabled(struct run const *r) {
  char const *options = r->account.options;
  if (!r->chain.imaplogin) return options_disable(options, source_service());
  return options_disable(options, "imap") ||
         (!getenv("SSL_PROTOCOL") && options_disable(options, "insecureimap"));
}

noreturn void auth_run(int argc, char **argv, struct auth_module const *module) {
  static struct run r; /* not on the stack: wiped where it is, and never copied */
  (void)argc;
  log_init(module->name);
  privilege_protect_memory();
  r.module = module;
  if (!chain_open(&r.chain, argv)) die_usage(&r);
  r.credentials.mechanism = getenv("AUTHMECH");
  if (!knows_mechanism(module, r.credentials.mechanism)) decline_unread(&r);
  read_credentials(&r);
  r.dialogue.socket = r.chain.socket;
  r.credentials.dialogue = &r.dialogue;
  struct auth_result result = {AUTH_DECLINE, "unknown-user"};
  if (r.credentials.authzid && !module->authzid)
    result.reason = "authorization-identity";
  else if (*r.credentials.user || r.credentials.mechanism)
    result = module->verify(&r.credentials, &r.account);
  if (result.verdict == AUTH_ACCEPT && account_is_disabled(&r))
    result = (struct auth_result){AUTH_REFUSE, "disabled"};
  if (r.dialogue.begun && result.verdict == AUTH_DECLINE) result.verdict = AUTH_REFUSE;
  conclusions[result.verdict](&r, result.reason);
  abort();
}
