/* Taking apart what others wrote: in a child that can do nothing but compute and answer once. */
#include "auth/auth.h"
#include "base/base.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

enum {
  NOBODY = 65534,
  ANSWER_FD = 3,
  ANSWER_WAIT = 10000, /* ms: for some microseconds of work on a busy machine */
};

/* malloc, which begins with something random, and the answer. */
static int confine_to_needs(void) {
#ifdef __linux__
  static int const syscalls[] = {SYS_getrandom, SYS_write,  SYS_brk,     SYS_mmap,
                                 SYS_munmap,    SYS_mremap, SYS_madvise, SYS_exit};
  return confine_syscalls(syscalls, sizeof syscalls / sizeof *syscalls);
#else
  errno = ENOSYS;
  return -1;
#endif
}

/* As imaplogin's parser: its user, where there is one, and a directory that has no name for root.
 */
static int leave_everything(void) {
  if (!geteuid()) {
    uid_t uid = (uid_t)setting_number("UID", NOBODY, 1, UINT32_MAX - 1);
    gid_t gid = (gid_t)setting_number("GID", NOBODY, 1, UINT32_MAX - 1);
    if (directory_enter_nowhere("auth") < 0 || chroot(".") < 0 || chdir("/") < 0 ||
        privilege_drop(uid, gid) < 0)
      return -1;
  }
  return 0;
}

/* Nothing but the answer can be written to. */
static int close_descriptors(int answer) {
  if (dup2(answer, ANSWER_FD) < 0) return -1;
  for (int fd = 0; fd < ANSWER_FD; fd++) close(fd);
  fd_close_from(ANSWER_FD + 1);
  return 0;
}

static noreturn void compute(int answer, confined_work *work, void const *question, void *out,
                             size_t size) {
  if (leave_everything() < 0)
    log_die_failure(EXIT_TEMPORARY, "confine a parser", 0,
                    "do not take root's capabilities to chroot and to change its user");
  if (close_descriptors(answer) < 0 || (confine_to_needs() < 0 && errno != ENOSYS))
    _exit(EXIT_TEMPORARY);
  work(question, out);
  _exit(write(ANSWER_FD, out, size) == (ssize_t)size ? 0 : EXIT_TEMPORARY);
}

static bool read_answer(int fd, char *out, size_t size) {
  int64_t deadline = clock_ms() + ANSWER_WAIT;
  size_t have = 0;
  ssize_t n = 1;
  while (have < size && n > 0) {
    n = io_read(fd, out + have, size - have, deadline);
    if (n > 0) have += (size_t)n;
  }
  return have == size;
}

bool confined_call(confined_work *work, void const *question, void *out, size_t size) {
  int ends[2];
  if (pipe(ends) < 0) {
    log_failure("make a pipe", 0, "raise the limit on open files");
    return false;
  }
  pid_t child = fork();
  if (!child) compute(ends[1], work, question, out, size);
  if (child < 0) log_failure("fork", 0, "raise the limit on processes");
  close(ends[1]);
  bool good = child > 0 && read_answer(ends[0], out, size);
  close(ends[0]);
  if (child > 0) kill(child, SIGKILL);
  while (child > 0 && waitpid(child, 0, 0) < 0 && errno == EINTR) {
  }
  if (!good && child > 0)
    log_event("failed", "attempt", "parse in a confined child", "why", "it ended without an answer",
              "remedy", "report this: it is broken, or somebody tries to break it", (char *)0);
  return good;
}
