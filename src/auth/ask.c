/* Asking another module who somebody is: the other side of who.c.  Which library a source needs is
 * that module's affair, in a child that ends with its answer. */
#include "auth/daemon.h"
#include "base/base.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_WAIT = 60000 /* ms: sources have limits of their own, below this unless changed */ };

static int pass_name(char const *name) {
  struct credentials_buffer buffer = {.size = strlen(name) + 3}; /* no password, no timestamp */
  if (buffer.size > CREDENTIALS_MAX) {
    errno = EMSGSIZE;
    return -1;
  }
  memcpy(buffer.bytes, name, buffer.size - 3);
  return credentials_pass(&buffer);
}

/* Of the connection and of imaplogin it has nothing. */
static int arrange(int answer, char const *name) {
  int null = open("/dev/null", O_RDONLY);
  if (null < 0 || dup2(null, 0) < 0 || dup2(answer, 1) < 0 || pass_name(name) < 0) return -1;
  fd_close_from(CREDENTIALS_FD + 1);
  unsetenv("IMAPLOGIN");
  unsetenv("IMAPLOGIN_FD");
  unsetenv("AUTHZID");
  return setenv("AUTHMECH", WHO_MECHANISM, 1);
}

static noreturn void become_module(char const *module, int answer, char const *name) {
  if (arrange(answer, name) < 0)
    log_die_failure(EXIT_TEMPORARY, "prepare a question for", module, "raise the limits");
  execlp(module, module, (char *)0);
  log_die_failure(EXIT_TEMPORARY, "exec", module,
                  "install this module, or take it out of authmodulelist");
}

/* The process, -1 if there is none; *answer: the end to read from. */
static pid_t start(char const *module, char const *name, int *answer) {
  int ends[2];
  if (pipe(ends) < 0) return -1;
  for (size_t i = 0; i < 2; i++)
    if ((ends[i] = fd_move_high(ends[i])) < 0) return -1;
  pid_t child = fork();
  if (!child) become_module(module, ends[1], name);
  close(ends[1]);
  *answer = ends[0];
  return child;
}

/* Null: there is none, which has been logged. */
static char *read_answer(struct source_query const *q, char const *module, int fd) {
  static char text[DAEMON_ANSWER_MAX + 1];
  int64_t deadline = clock_ms() + ANSWER_WAIT;
  size_t size = 0;
  ssize_t n = 1;
  while (n > 0 && size < DAEMON_ANSWER_MAX && !daemon_is_answered(text, size)) {
    n = io_read(fd, text + size, DAEMON_ANSWER_MAX - size, deadline);
    if (n > 0) size += (size_t)n;
  }
  text[size] = 0;
  if (size) return text;
  log_event("failed", "attempt", "ask a module who somebody is", "module", module, "user", q->name,
            "why", n < 0 ? "no answer in time" : "it has ended without one", "remedy",
            "see its lines above", (char *)0);
  return 0;
}

static enum source_answer broken(struct source_query const *q, char const *module,
                                 char const *why) {
  log_event("failed", "attempt", "use a module's answer", "module", module, "user", q->name, "why",
            why, "remedy", "correct the account in the database", (char *)0);
  return SOURCE_TEMPORARY;
}

static enum source_answer take(struct source_query const *q, char const *module, char *text,
                               struct source_entry *e) {
  bool has_uid;
  switch (daemon_read_answer(text, e, &has_uid)) {
  case DAEMON_FAIL: return SOURCE_UNKNOWN;
  case DAEMON_NONSENSE: return broken(q, module, "it is none");
  case DAEMON_ACCOUNT: break;
  }
  char const *problem = system_complete(e, has_uid);
  if (!problem) return SOURCE_FOUND;
  return *problem ? broken(q, module, problem) : SOURCE_TEMPORARY;
}

enum source_answer who_ask(struct source const *s, struct source_query const *q,
                           struct source_entry *e) {
  int fd;
  pid_t child = start(s->name, q->name, &fd);
  if (child < 0) {
    log_failure("start", s->name, "raise the limits on processes and open files");
    return SOURCE_TEMPORARY;
  }
  char *text = read_answer(q, s->name, fd);
  close(fd);
  kill(child, SIGKILL); /* it has said all, or has had its time */
  while (waitpid(child, 0, 0) < 0 && errno == EINTR) {
  }
  return text ? take(q, s->name, text, e) : SOURCE_TEMPORARY;
}
