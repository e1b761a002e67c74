/* Confinement to a list of system calls: a seccomp filter on Linux, elsewhere nothing.  What the
 * list must hold is each program's own knowledge, not this file's. */
#include "base/base.h"

#include <errno.h>
#include <stdlib.h>

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
  JUMP_MAX = UINT8_MAX,    /* how many instructions a conditional jump can skip */
  BOUNDS_MAX = JUMP_MAX,   /* so that the last instruction can be reached from the first */
  X32_SYSCALL = 0x40000000 /* x86-64's second ABI: the same calls under other numbers */
};

/* Runs of neighbouring numbers are allowed, and a call's run is found by bisection.  When a filter
 * is set the kernel works out its answer for every call there is: along a list of them that takes
 * longer than all else that a program does until it serves. */
struct filter {
  struct sock_filter code[PROLOGUE + BOUNDS_MAX + 2];
  size_t size;
  int bounds[2 * (SYSCALLS_MAX + OWN_CALLS)]; /* where a run begins, where it has ended, ... */
  size_t count;
  size_t verdicts; /* the place of two: not allowed, allowed */
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

/* What decides about a number when only the bounds from first to before last are left to compare it
 * with: the place of an instruction.  All of them come after those that lead to them. */
static size_t filter_search(struct filter *f, size_t first, size_t last) {
  if (first == last) return f->verdicts + first % 2;
  size_t middle = first + (last - first) / 2, here = f->size++;
  size_t below = filter_search(f, first, middle), above = filter_search(f, middle + 1, last);
  f->code[here] =
      (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (unsigned int)f->bounds[middle],
                                   (uint8_t)(above - here - 1), (uint8_t)(below - here - 1));
  return here;
}

static int compare_calls(void const *a, void const *b) {
  int const *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

/* False if the list cannot be right, or has too many gaps. */
static bool filter_find_bounds(struct filter *f, int const *allowed, size_t n) {
  int calls[SYSCALLS_MAX + OWN_CALLS];
  if (n > SYSCALLS_MAX) return false;
  for (size_t i = 0; i < n; i++) calls[i] = allowed[i];
  for (size_t i = 0; i < OWN_CALLS; i++) calls[n++] = own_calls[i];
  qsort(calls, n, sizeof *calls, compare_calls);
  if (calls[0] < 0 || calls[n - 1] >= X32_SYSCALL) return false;
  for (size_t i = 0; i < n; i++) {
    if (f->count && calls[i] <= f->bounds[f->count - 1])
      f->count--; /* goes on with the run */
    else
      f->bounds[f->count++] = calls[i];
    f->bounds[f->count++] = calls[i] + 1;
  }
  return f->count <= BOUNDS_MAX;
}

int confine_syscalls(int const *allowed, size_t n) {
  struct filter f = {.size = 0};
  if (!filter_find_bounds(&f, allowed, n)) {
    errno = EINVAL;
    return -1;
  }
  filter_begin(&f);
  f.verdicts = PROLOGUE + f.count;
  filter_search(&f, 0, f.count);
  filter_put(&f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, REFUSED));
  filter_put(&f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));

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
