/* What becomes of a login: the challenge before it, the way into the modules, and the answer when
 * none of them has admitted the client. */
#include "login/keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* ---- outcomes ---- */

/* Where the client's message named nobody, a module may have found out whom it means. */
static char const *claimed_user(struct keeper const *k) {
  char const *found = getenv("IMAPLOGIN_USER");
  return *k->state.user || !found ? k->state.user : found;
}

static void pause_until(struct keeper const *k, int64_t when) {
  if (wait_until(when, k->parser)) return;
  keeper_tell(k, TELL_QUIT);
  keeper_end(k, "client-gone", 0);
}

static void pause_failure(struct keeper const *k, int64_t step) {
  pause_until(k, failure_boundary(k->state.received, clock_ms(), step));
}

/* Where one source fails and another one looks, guesses at the latter's users are guesses. */
static void settle_temporary(struct keeper *k) {
  if (getenv("IMAPLOGIN_TRIED")) slowdown_tried(&k->slowdown);
  log_event("login-unavailable", "user", claimed_user(k), "ip", k->ip, "method",
            methods[k->state.method].name, "remedy", "see the modules' lines above", (char *)0);
  pause_failure(k, failure_step(k->delay_ms, 1));
  keeper_tell(k, TELL_TEMPORARY);
}

static void settle_denied(struct keeper *k, char const *verdict) {
  char failures[21];
  k->state.failures++;
  slowdown_failed(&k->slowdown);
  log_event("login-failed", "user", claimed_user(k), "ip", k->ip, "method",
            methods[k->state.method].name, "failures", log_number(failures, k->state.failures),
            "verdict", verdict, (char *)0);
  pause_failure(k, failure_step(k->delay_ms, k->state.failures));
  if (k->state.failures >= k->failures_max) {
    keeper_tell(k, TELL_DENIED_BYE);
    keeper_end(k, "too-many-failures", EXIT_REFUSED);
  }
  keeper_tell(k, TELL_DENIED);
}

void keeper_settle(struct keeper *k, char const *verdict) {
  if (!verdict)
    settle_denied(k, "declined");
  else if (!strcmp(verdict, "refused"))
    settle_denied(k, verdict);
  else
    settle_temporary(k);
  explicit_bzero(k->state.user, sizeof k->state.user);
  keeper_renew_deadline(k);
}

/* ---- the keeper's challenge ---- */

/* RFC 2195: of the form of a message id, and never the same again. */
void keeper_take_challenge(struct keeper *k, char const *message, size_t size) {
  unsigned char random[16];
  char hex[2 * sizeof random + 1], seconds[21], told[1 + CHALLENGE_SIZE_MAX + 1];
  (void)message;
  (void)size;
  if (getentropy(random, sizeof random) < 0)
    log_die_failure(EXIT_TEMPORARY, "getentropy", 0, "the kernel must offer getrandom(2)");
  for (size_t i = 0; i < sizeof random; i++) snprintf(hex + 2 * i, 3, "%02x", random[i]);
  snprintf(k->challenge, sizeof k->challenge, "<%s.%s@chainmail>", hex,
           log_number(seconds, (uint64_t)time(0)));
  int n = snprintf(told, sizeof told, "%c%s", TELL_CHALLENGE, k->challenge);
  send(k->parser, told, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- into the modules ---- */

/* This process's environment and what modules are told beside it. */
static char **module_environment(struct keeper const *k, struct arena *a) {
  char state[STATE_TEXT_SIZE], fd[21];
  struct credentials const *c = &k->credentials;
  struct method_facts const *method = &methods[c->method];
  state_format(&k->state, state);
  struct variable const variables[] = {
      {"IMAPLOGIN", k->argv[0]},
      {"IMAPLOGIN_ARGV", chain_netstrings(k->argv, a)},
      {"IMAPLOGIN_FD", log_number(fd, (uint64_t)k->parser)},
      {"IMAPLOGIN_STATE", state},
      {"IMAPLOGIN_VERDICT", 0},
      {"IMAPLOGIN_TRIED", 0},
      {"IMAPLOGIN_USER", 0},
      {"IMAPLOGINTAG", c->tag},
      {"IMAPLOGIN_COMMAND", method->command},
      {"AUTHSERVICE", chain_service()},
      {"AUTHMECH", method->mechanism ? method->name : 0},
      {"AUTHZID", *c->authzid ? c->authzid : 0},
  };
  return environment_make(a, environ, 0, variables, sizeof variables / sizeof *variables);
}

/* The first module that can be executed.  One that cannot is a temporary failure of that module.
 * No setenv here: it would free the vector of this process's own environment, which may be its. */
static void execute_modules(struct keeper const *k, struct arena *a) {
  static struct variable const temporary = {"IMAPLOGIN_VERDICT", "temporary"};
  for (char const *const *word = k->argv + 1; is_module(*word); word++) {
    execvp(*word, (char *const *)word);
    log_failure("execute", *word, "install this module, or take it out of the chain");
    environ = environment_make(a, environ, 0, &temporary, 1);
  }
}

/* Returns only if there is no module to become. */
static void become_module(struct keeper *k) {
  static _Alignas(16) char room[ENVIRONMENT_ROOM];
  struct arena arena = {.next = room, .left = sizeof room};
  char **own = environ;
  environ = module_environment(k, &arena);
  if (chain_offer(&k->credentials, k->challenge, time(0)) < 0)
    log_die_failure(EXIT_TEMPORARY, "write the credentials", "descriptor 3",
                    "raise the limit on open files");
  explicit_bzero(&k->credentials, sizeof k->credentials);
  explicit_bzero(k->challenge, sizeof k->challenge);
  if (fd_close_on_exec(k->parser, false) < 0)
    log_die_failure(EXIT_TEMPORARY, "pass on the parser's socket", 0, 0);
  execute_modules(k, &arena);
  chain_withdraw();
  fd_close_on_exec(k->parser, true);
  keeper_settle(k, "temporary");
  environ = own;
  arena_release(&arena);
}

/* Before the modules are asked, right and wrong alike: who hangs up instead has not tried. */
static void slow_down(struct keeper const *k) {
  uint32_t count;
  char failures[21], seconds[21];
  int64_t wait = slowdown_wait(&k->slowdown, &count);
  if (!wait) return;
  log_event("slowed", "ip", k->ip, "failures", log_number(failures, count), "seconds",
            log_number(seconds, (uint64_t)wait / 1000), (char *)0);
  pause_until(k, clock_ms() + wait);
}

void keeper_take_login(struct keeper *k, char const *message, size_t size) {
  struct credentials *c = &k->credentials;
  if (!credentials_unpack(message, size, c) || !(k->config.methods & 1U << c->method))
    keeper_end_violation(k, "credentials");
  if (k->config.tls_required && !k->config.tls && !k->state.tls)
    keeper_end_violation(k, "password without TLS");
  slow_down(k);
  k->state.received = clock_ms();
  k->state.method = c->method;
  memcpy(k->state.user, c->user, sizeof c->user);
  struct method_facts const *method = &methods[c->method];
  if (method->challenged && !*k->challenge) keeper_end_violation(k, "no challenge");
  /* To some directories a login without a password is an anonymous one, and succeeds. */
  if ((*c->user || !method->user) && (*c->password || !method->secret)) {
    become_module(k);
    return;
  }
  explicit_bzero(c, sizeof *c);
  explicit_bzero(k->challenge, sizeof k->challenge);
  keeper_settle(k, 0);
}
