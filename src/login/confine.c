/* The parser's cage: no other user's rights, no file system, no system call that opens, connects,
 * forks or executes. */
#include "login/login.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#ifdef __linux__
/* For what parser.c, src/imap and malloc do from now on. */
static int const syscalls[] = {
    SYS_read,    SYS_write,           SYS_recvfrom,     SYS_sendto, SYS_ppoll,
#ifdef SYS_poll
    SYS_poll,
#endif
    SYS_dup3,
#ifdef SYS_dup2
    SYS_dup2,
#endif
    SYS_close,   SYS_clock_gettime,   SYS_brk,          SYS_mmap,   SYS_munmap,     SYS_mremap,
    SYS_madvise, SYS_restart_syscall, SYS_rt_sigreturn, SYS_exit,   SYS_exit_group,
};

static int confine_to_needs(void) {
  return confine_syscalls(syscalls, sizeof syscalls / sizeof *syscalls);
}
#else
static int confine_to_needs(void) {
  errno = ENOSYS;
  return -1;
}
#endif

int parser_confine(struct parser_config const *c, enum confine_step *step) {
  int done = 0;
  if (c->confine) {
    *step = STEP_DIRECTORY;
    if (directory_enter_nowhere("imaplogin") < 0) return -1;
    *step = STEP_CHROOT;
    if (chroot(".") < 0 || chdir("/") < 0) return -1;
    *step = STEP_PRIVILEGE;
    if (privilege_drop(c->uid, c->gid) < 0) return -1;
    done = CONFINED_ROOT | CONFINED_USER;
  }
  /* The file that slots.c counts in is open here and must stay as it is. */
  *step = STEP_SYSCALLS;
  if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, 0}) < 0) return -1;
  if (!confine_to_needs()) return done | CONFINED_SYSCALLS;
  return errno == ENOSYS ? done : -1;
}
