/* What imapd may still do once it serves: the list of paths and the list of system calls, and why.
 * How a kernel is told is base's affair; a kernel that cannot be told leaves the session as free as
 * its user. */
#include "imapd/confine.h"

#include "base/base.h"

#include <errno.h>
#include <stdlib.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

/* The sanitizers need more system calls and files than we do. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

static void note(char const *what) {
  if (errno == ENOSYS)
    log_event("unconfined", "by", what, "why", "the kernel cannot", (char *)0);
  else
    log_failure("confine", what, "the session goes on without; see imapd(8), CONFINEMENT");
}

static void confine_paths(char const *maildir) {
  char const *charsetd = getenv("IMAP_CHARSETD");
  struct confine_path const paths[] = {
      {.path = maildir, .writable = true},
      /* The charset helper, its loader, and what iconv(3) loads. */
      {.path = charsetd && *charsetd ? charsetd : PREFIX "/bin/charsetd", .executable = true},
      {.path = "/lib64/ld-linux-x86-64.so.2", .executable = true},
      {.path = "/lib/ld-linux.so.2", .executable = true},
      {.path = "/lib/ld-linux-aarch64.so.1", .executable = true},
      {.path = "/lib/ld-linux-armhf.so.3", .executable = true},
      {.path = "/lib/ld-linux-riscv64-lp64d.so.1", .executable = true},
      {.path = "/lib"},
      {.path = "/usr/lib"},
      {.path = "/usr/lib64"},
      {.path = "/etc/ld.so.cache"},
  };
  if (confine_files(paths, sizeof paths / sizeof *paths) < 0) note("landlock");
}

/* The names of 32-bit machines' calls are others; there only Landlock confines. */
#if defined(__linux__) && defined(__LP64__)
static int const syscalls[] = {
    /* The client, the log, waiting. */
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_sendto,
    SYS_sendmsg,
    SYS_ppoll,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_gettimeofday,
    SYS_restart_syscall,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigtimedwait,
    SYS_sigaltstack,
    SYS_pipe2,
    SYS_getsockname,
    SYS_getsockopt,
    SYS_inotify_init1,
    SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
    SYS_nanosleep,
    /* The Maildir. */
    SYS_openat,
    SYS_close,
    SYS_pread64,
    SYS_pwrite64,
    SYS_lseek,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fsync,
    SYS_fdatasync,
    SYS_syncfs,
    SYS_fcntl,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_getdents64,
    SYS_linkat,
    SYS_unlinkat,
    SYS_renameat2,
    SYS_mkdirat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_utimensat,
    SYS_faccessat,
    SYS_readlinkat,
    SYS_flock,
    SYS_getcwd,
    SYS_chdir,
    SYS_fchdir,
    SYS_umask,
    SYS_copy_file_range,
    SYS_sendfile,
    SYS_ioctl,
    SYS_fadvise64,
    /* Memory. */
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_msync,
    SYS_getrandom,
    SYS_futex,
    /* Who and what we are. */
    SYS_getpid,
    SYS_gettid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_uname,
    SYS_sched_yield,
    SYS_sysinfo,
    /* The charset helper: starting it, what its loader does, its end. */
    SYS_socketpair,
    SYS_clone,
    SYS_execve,
    SYS_wait4,
    SYS_kill,
    SYS_tgkill,
    SYS_tkill,
    SYS_dup,
    SYS_dup3,
    SYS_set_tid_address,
    SYS_set_robust_list,
    SYS_prlimit64,
    SYS_getppid,
    SYS_prctl,
    SYS_shutdown,
    SYS_close_range,
    SYS_exit,
    SYS_exit_group,
/* What only some machines have, or their C libraries use. */
#ifdef SYS_renameat
    SYS_renameat,
#endif
#ifdef SYS_faccessat2
    SYS_faccessat2,
#endif
#ifdef SYS_clone3
    SYS_clone3,
#endif
#ifdef SYS_rseq
    SYS_rseq,
#endif
#ifdef SYS_arch_prctl
    SYS_arch_prctl,
#endif
#ifdef SYS_poll
    SYS_poll,
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_rename,
    SYS_link,
    SYS_unlink,
    SYS_mkdir,
    SYS_rmdir,
    SYS_readlink,
    SYS_pipe,
    SYS_dup2,
    SYS_vfork,
    SYS_time,
    SYS_utimes,
    SYS_chmod,
    SYS_inotify_init,
    SYS_getdents,
#endif
};

static void confine_calls(void) {
  if (confine_syscalls(syscalls, sizeof syscalls / sizeof *syscalls) < 0) note("seccomp");
}
#else
static void confine_calls(void) {
  errno = ENOSYS;
  note("seccomp");
}
#endif

void confine(char const *maildir) {
  if (SANITIZED) return;
  confine_paths(maildir);
  confine_calls();
}
