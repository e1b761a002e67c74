/* Confinement to a list of system calls: a seccomp filter on Linux, elsewhere nothing.  What the
 * list must hold is each program's own knowledge, not this file's. */
#include "base/base.h"

#include <errno.h>

#ifdef __linux__
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define ARCHITECTURE AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define ARCHITECTURE AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define ARCHITECTURE AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define ARCHITECTURE AUDIT_ARCH_S390X
#endif
#endif

#ifdef ARCHITECTURE

/* AddressSanitizer makes system calls of its own, even before exit, and reports what it found with
 * more of them: these are allowed, and others refused without killing. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(SANITIZED)
#define REFUSED (SECCOMP_RET_ERRNO | EPERM)
#define SANITIZER_CALLS                                                                           \
  SYS_sigaltstack, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_madvise, SYS_getpid, SYS_gettid,       \
      SYS_futex, SYS_sched_yield, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_write, SYS_prlimit64, \
      SYS_prctl
#else
#define REFUSED SECCOMP_RET_KILL_PROCESS
#define SANITIZER_CALLS
#endif

/* Whatever is confined must be able to end, and to come back from a signal. */
static int const own_calls[] = {SYS_exit_group, SYS_rt_sigreturn, SANITIZER_CALLS};
enum { OWN_CALLS = sizeof own_calls / sizeof *own_calls };

enum {
  SYSCALLS_MAX = 256,      /* far more than any program needs; the filter is on the stack */
  PROLOGUE = 4,            /* load and check the architecture, load the number */
  X32_SYSCALL = 0x40000000 /* x86-64's second ABI: the same calls under other numbers */
};

struct filter {
  struct sock_filter code[PROLOGUE + 2 * (SYSCALLS_MAX + OWN_CALLS) + 1];
  size_t size;
};

static void filter_put(struct filter *f, struct sock_filter instruction) {
  f->code[f->size++] = instruction;
}

/* A call by another architecture's conventions would be judged by the wrong numbers. */
static void filter_begin(struct filter *f) {
  filter_put(f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, arch)));
  filter_put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
  filter_put(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  filter_put(
      f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
}

static void filter_allow(struct filter *f, int call) {
  filter_put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)call, 0, 1));
  filter_put(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

int confine_syscalls(int const *allowed, size_t n) {
  struct filter f = {.size = 0};
  if (n > SYSCALLS_MAX) {
    errno = EINVAL;
    return -1;
  }
  filter_begin(&f);
  for (size_t i = 0; i < n; i++) {
    if (allowed[i] < 0 || allowed[i] >= X32_SYSCALL) {
      errno = EINVAL;
      return -1;
    }
    filter_allow(&f, allowed[i]);
  }
  for (size_t i = 0; i < OWN_CALLS; i++) filter_allow(&f, own_calls[i]);
  filter_put(&f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, REFUSED));

  struct sock_fprog program = {.len = (unsigned short)f.size, .filter = f.code};
  /* Without this promise the kernel lets only root filter: a setgid program would run filtered. */
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
    if (errno == EINVAL) errno = ENOSYS; /* a kernel built without filters says so */
    return -1;
  }
  return 0;
}

#else

int confine_syscalls(int const *allowed, size_t n) {
  (void)allowed;
  (void)n;
  errno = ENOSYS;
  return -1;
}

#endif
