/* What the engine makes of its loader's answer, and of none. */
#include "tls/confine.c"
#include "tls/identity.c"
#include "tls/loader.c"

#include "../tap.h"

#include <signal.h>
#include <sys/wait.h>

static char said[4096];

/* As the engine asks; what it logs is kept. */
static bool ask(int fd, char const *name) {
  int ends[2], err = dup(2);
  if (pipe(ends) < 0 || err < 0 || dup2(ends[1], 2) < 0) _exit(EXIT_TEMPORARY);
  close(ends[1]);
  bool known = loader_ask(fd, name);
  dup2(err, 2);
  close(err);
  ssize_t n = read(ends[0], said, sizeof said - 1);
  said[n > 0 ? n : 0] = 0;
  close(ends[0]);
  close(fd);
  return known;
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
  ok(!ask(start(&nothing), "a.example.org") && !*said, "no file for a name: nothing to tell");
  ok(!ask(start(0), "b.example.org") && strstr(said, "path=b.example.org") &&
         strstr(said, "its loader has ended"),
     "a loader that is killed is told of");
  ok(!ask(start(0), "../etc") && !*said, "a name that is none is not asked for");
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) return EXIT_TEMPORARY;
  close(ends[1]);
  ok(!ask(ends[0], "c.example.org") && strstr(said, "path=c.example.org"),
     "so is one that is gone");
  while (wait(0) > 0) {
  }
  return tap_done();
}
