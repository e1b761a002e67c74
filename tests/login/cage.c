/* What somebody who has taken the parser over could do from within. */
#include "login/confine.c"

#ifdef __linux__
#include "../cage.h"

enum { NOT_CONFINED = 3 };

static long try_listen(void) {
  return syscall(SYS_listen, cage_socket, 1);
}
static long try_execveat(void) {
  static char program[] = "/bin/true";
  char *const argv[] = {program, 0};
  return syscall(SYS_execveat, AT_FDCWD, program, argv, argv + 1, 0);
}
static long try_write(void) {
  return write(cage_ends[1], "x", 1);
}

static void confine(void) {
  struct parser_config config = {.confine = !geteuid(), .uid = NOBODY_ID, .gid = NOBODY_ID};
  enum confine_step step;
  int done = parser_confine(&config, &step);
  if (done < 0 || !(done & CONFINED_SYSCALLS)) _exit(NOT_CONFINED);
}

int main(void) {
  static struct cage_attempt const attempts[] = {{try_listen, "listen"},
                                                 {try_execveat, "execveat"}};
  cage_socket = socket(AF_INET, SOCK_STREAM, 0);
  if (cage_socket < 0 || pipe(cage_ends) < 0) return EXIT_TEMPORARY;
  if (!cage_has_filters()) {
    tap_report(1, "skipped: this kernel has no seccomp filters", __FILE__, __LINE__);
    return tap_done();
  }
  ok(cage_is_exit(cage_status(confine, try_write), ESCAPED), "what the parser needs works");
  cage_holds(confine, cage_attempts, sizeof cage_attempts / sizeof *cage_attempts);
  cage_holds(confine, attempts, sizeof attempts / sizeof *attempts);
  return tap_done();
}
#else
#include "../tap.h"
int main(void) {
  tap_report(1, "skipped: not Linux", __FILE__, __LINE__);
  return tap_done();
}
#endif
