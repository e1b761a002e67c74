/* What the engine makes of its loader's answer, and of none. */
#include "tls/confine.c"
#include "tls/identity.c"
#include "tls/loader.c"

#include "../tap.h"

#include <signal.h>
#include <sys/wait.h>

enum { NONE, KNOWN, FAILED, DIED };

/* What comes of asking as the engine asks, with the system calls that it has. */
static unsigned int ask(int fd, char const *name) {
  int status;
  pid_t pid = fork();
  if (pid < 0) _exit(EXIT_TEMPORARY);
  if (!pid) {
    bool failed = false;
    confine(engine_calls, sizeof engine_calls / sizeof *engine_calls);
    bool known = loader_ask(fd, name, &failed);
    _exit(failed ? FAILED : known ? KNOWN : NONE);
  }
  close(fd);
  if (waitpid(pid, &status, 0) < 0) _exit(EXIT_TEMPORARY);
  return WIFEXITED(status) ? (unsigned int)WEXITSTATUS(status) : DIED;
}

/* The engine's end of a loader that has these files. */
static int start(struct certificate_files const *files) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) _exit(EXIT_TEMPORARY);
  pid_t pid = fork();
  if (pid < 0) _exit(EXIT_TEMPORARY);
  if (!pid) {
    close(ends[0]);
    if (files) loader_run(files, ends[1]);
    struct request request;
    read_all(ends[1], &request, sizeof request, -1);
    raise(SIGKILL);
  }
  close(ends[1]);
  return ends[0];
}

int main(void) {
  static struct certificate_files const nothing = {.certfile = "/nonexistent/imapd.pem"};
  int ends[2];
  log_init("loader");
  signal(SIGPIPE, SIG_IGN);
  is_uint(ask(start(&nothing), "a.example.org"), NONE, "no file for a name: nothing to tell");
  is_uint(ask(start(0), "b.example.org"), FAILED, "a loader that is killed is told of");
  is_uint(ask(start(0), "../etc"), NONE, "a name that is none is not asked for");
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) return EXIT_TEMPORARY;
  close(ends[1]);
  is_uint(ask(ends[0], "c.example.org"), FAILED, "so is one that is gone");
  while (wait(0) > 0) {
  }
  return tap_done();
}
