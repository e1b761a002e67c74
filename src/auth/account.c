/* Accepting: from the module's process to the user's session.  Everything that can fail comes
 * before imaplogin's parser is told, but for exec itself. */
#include "auth/auth.h"
#include "base/base.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TELL_WAIT = 10000 }; /* ms: one byte into a socket that is empty */

extern char **environ;

char const *account_superuser(struct auth_account const *a) {
  return !a->uid ? "uid-0" : !a->gid ? "gid-0" : 0;
}

static int tell_parser(struct chain const *c, char verdict) {
  if (c->socket < 0) return 0;
  return io_write_all(c->socket, &verdict, 1, clock_ms() + TELL_WAIT);
}

/* The parser says goodbye to the client; without a parser, the exit code says it all. */
static noreturn void give_up(struct auth_account const *a, struct chain const *c,
                             char const *attempt, char const *path, char const *remedy) {
  log_failure(attempt, path, remedy);
  log_event("unavailable", "user", a->user, "ip", getenv("TCPREMOTEIP"), "reason", "no-session",
            (char *)0);
  tell_parser(c, 'U');
  _exit(EXIT_TEMPORARY);
}

static void become_user(struct auth_account const *a, struct chain const *c) {
  if (!privilege_become(a->uid, a->gid, a->groups, a->groups_count)) return;
  char attempt[80], remedy[160];
  snprintf(attempt, sizeof attempt, "become user %lu group %lu", (unsigned long)a->uid,
           (unsigned long)a->gid);
  snprintf(remedy, sizeof remedy, "start the service as root, or serve only accounts of uid %lu",
           (unsigned long)geteuid());
  give_up(a, c, attempt, 0, geteuid() ? remedy : 0);
}

/* A home may lie below a directory that its user may not pass, /root for instance, and still be
 * theirs: root has entered it before it became the user, who stays in it. */
static bool is_in_own_home(struct auth_account const *a) {
  struct stat here;
  return !stat(".", &here) && here.st_uid == a->uid;
}

static char const *directory_of(struct auth_account const *a) {
  return a->directory ? a->directory : a->home;
}

/* entered: root is there already. */
static void enter_home(struct auth_account const *a, struct chain const *c, bool entered) {
  if (!chdir(directory_of(a))) return;
  if (errno == EACCES && entered && is_in_own_home(a)) return;
  char remedy[120];
  snprintf(remedy, sizeof remedy,
           errno == ENOENT ? "create it, owned by uid %lu" : "give uid %lu access to it",
           (unsigned long)a->uid);
  give_up(a, c, "chdir", directory_of(a), remedy);
}

/* Under imaplogin the last program sees 0, 1 and 2 only; the socket stays until exec has worked.
 * Under any other caller, its descriptors are its own business. */
static void close_descriptors(struct chain *c) {
  if (c->socket < 0) return;
  dup2(c->socket, CREDENTIALS_FD);
  c->socket = CREDENTIALS_FD;
  fd_close_on_exec(c->socket, true);
  fd_close_from(CREDENTIALS_FD + 1);
}

static void reset_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  alarm(0);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGCHLD, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, 0);
}

/* LOGIN, or the SASL mechanism.  PLAIN is the one whose credentials are a password. */
static char const *login_method(void) {
  char const *mechanism = getenv("AUTHMECH"), *command = getenv("IMAPLOGIN_COMMAND");
  if (mechanism) return mechanism;
  return command && !strcmp(command, "AUTHENTICATE") ? "PLAIN" : command;
}

static void log_login(struct auth_account const *a) {
  char uid[21];
  log_event("login", "user", a->user, "master", a->master, "app", a->label, "ip",
            getenv("TCPREMOTEIP"), "method", login_method(), "tls", getenv("SSL_PROTOCOL"), "uid",
            log_number(uid, a->uid), (char *)0);
}

noreturn void account_become(struct auth_account const *a, char const *module,
                             struct chain const *chain) {
  static _Alignas(16) char room[ENVIRONMENT_ROOM];
  struct arena arena = {.next = room, .left = sizeof room};
  struct chain c = *chain;
  struct slowdown slowdown;
  slowdown_configure(&slowdown);
  slowdown_admitted(&slowdown);
  char **environment = environment_rebuild(&arena, environ, a, module);
  home_provide(a);
  bool entered = !chdir(directory_of(a));
  become_user(a, &c);
  enter_home(a, &c, entered);
  log_login(a);
  if (tell_parser(&c, 'A') < 0) give_up(a, &c, "tell imaplogin's parser", 0, 0);
  close_descriptors(&c);
  reset_signals();
  environ = environment;
  execvp(*c.program, c.program);
  give_up(a, &c, "exec", *c.program, "install it, or give the user access to it");
}
