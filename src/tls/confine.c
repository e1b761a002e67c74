/* How the engine is confined: a user of its own, an empty root, the system calls of the relay and
 * of the file of sessions; and the loader, which stays who it is: a file system that can only be
 * read, the calls for that. */
#include "tls/tls.h"

#include <errno.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
static int const engine_calls[] = {
    SYS_read,
    SYS_write,
    SYS_pread64,
    SYS_pwrite64,
    SYS_recvfrom,
    SYS_sendto,
    SYS_shutdown,
    SYS_close,
    SYS_madvise,
    SYS_exit,
    SYS_exit_group,
    SYS_rt_sigreturn,
    SYS_restart_syscall,
#ifdef SYS_poll
    SYS_poll,
#endif
#ifdef SYS_ppoll
    SYS_ppoll,
#endif
#ifdef SYS_ppoll_time64
    SYS_ppoll_time64,
#endif
#ifdef SYS_clock_gettime
    SYS_clock_gettime,
#endif
#ifdef SYS_clock_gettime64
    SYS_clock_gettime64,
#endif
};
static int const loader_calls[] = {
    SYS_openat,
    SYS_read,
    SYS_write,
    SYS_close,
    SYS_fstat,
    SYS_faccessat,
    SYS_recvfrom,
    SYS_sendto,
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_getpid,
    SYS_exit,
    SYS_exit_group,
    SYS_rt_sigreturn,
    SYS_restart_syscall,
#ifdef SYS_mmap2
    SYS_mmap2,
#endif
#ifdef SYS_fstat64
    SYS_fstat64,
#endif
#ifdef SYS_newfstatat
    SYS_newfstatat,
#endif
#ifdef SYS_access
    SYS_access,
#endif
#ifdef SYS_poll
    SYS_poll,
#endif
#ifdef SYS_ppoll
    SYS_ppoll,
#endif
#ifdef SYS_ppoll_time64
    SYS_ppoll_time64,
#endif
#ifdef SYS_clock_gettime
    SYS_clock_gettime,
#endif
#ifdef SYS_clock_gettime64
    SYS_clock_gettime64,
#endif
};
#else
static int const engine_calls[] = {0}, loader_calls[] = {0};
#endif

static bool confine(int const *calls, size_t n) {
  if (confine_syscalls(calls, n) == 0) return true;
  if (errno != ENOSYS) log_die_failure(EXIT_TEMPORARY, "seccomp", 0, 0);
  return false;
}

void loader_confine(void) {
  static struct confine_path const everything = {.path = "/"};
  privilege_protect_memory();
  if (confine_files(&everything, 1) < 0 && errno != ENOSYS)
    log_die_failure(EXIT_TEMPORARY, "landlock", 0, 0);
  confine(loader_calls, sizeof loader_calls / sizeof *loader_calls);
}

void engine_confine(uid_t uid, gid_t gid) {
  if (!geteuid()) {
    if (directory_enter_nowhere("tlsd") < 0 || chroot(".") < 0)
      log_die_failure(
          EXIT_TEMPORARY, "chroot", 0,
          "let tlsd as root write to /dev/shm, /run, /tmp or /var/tmp, with CAP_SYS_CHROOT");
    if (privilege_drop(uid, gid) < 0)
      log_die_failure(EXIT_TEMPORARY, "setuid", 0, "see TLS_UID and TLS_GID in tlsd(8)");
  }
  privilege_protect_memory();
  if (!confine(engine_calls, sizeof engine_calls / sizeof *engine_calls)) {
    log_event("unconfined", "what", "system calls", "why", "this kernel has no seccomp filters",
              (char *)0);
  }
#ifndef __SANITIZE_ADDRESS__ /* whose reports go there */
  close(2);
#endif
}
