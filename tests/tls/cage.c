/* What somebody who has taken the engine over could do from within. */
#include "tls/confine.c"

#ifdef __linux__
#include "../cage.h"

#include <stdlib.h>

static int file; /* stands for the file of sessions */

static long try_accept(void) {
  return syscall(SYS_accept4, cage_socket, 0, 0, 0);
}
static long try_truncate(void) {
  return syscall(SYS_ftruncate, file, 1);
}
static long try_limit(void) {
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  return syscall(SYS_setrlimit, RLIMIT_FSIZE, &limit);
}
static long try_relay(void) {
  char byte;
  return send(cage_ends[0], "x", 1, 0) == 1 && recv(cage_ends[1], &byte, 1, 0) == 1 ? 0 : -1;
}
static long try_sessions(void) {
  char byte;
  return pwrite(file, "x", 1, 0) == 1 && pread(file, &byte, 1, 0) == 1 ? 0 : -1;
}

static void confine_engine(void) {
  engine_confine(NOBODY_ID, NOBODY_ID);
}

int main(void) {
  static struct cage_attempt const attempts[] = {{try_accept, "accept"},
                                                 {try_truncate, "truncate the file of sessions"},
                                                 {try_limit, "raise a limit"}};
  char name[] = "/tmp/chainmail-cage.XXXXXX";
  log_init("cage");
  cage_socket = socket(AF_INET, SOCK_STREAM, 0);
  file = mkstemp(name);
  if (cage_socket < 0 || file < 0 || unlink(name) < 0 ||
      socketpair(AF_UNIX, SOCK_STREAM, 0, cage_ends) < 0)
    return EXIT_TEMPORARY;
  if (!cage_has_filters()) {
    tap_report(1, "skipped: this kernel has no seccomp filters", __FILE__, __LINE__);
    return tap_done();
  }
  ok(cage_is_exit(cage_status(confine_engine, try_relay), ESCAPED), "what the relay needs works");
  ok(cage_is_exit(cage_status(confine_engine, try_sessions), ESCAPED),
     "as does what the file of sessions needs");
  cage_holds(confine_engine, cage_attempts, sizeof cage_attempts / sizeof *cage_attempts);
  cage_holds(confine_engine, attempts, sizeof attempts / sizeof *attempts);
  return tap_done();
}
#else
#include "../tap.h"
int main(void) {
  tap_report(1, "skipped: not Linux", __FILE__, __LINE__);
  return tap_done();
}
#endif
