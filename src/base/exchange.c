/* Two directories change places: how a directory is replaced as a whole.  One step on Linux
 * (renameat2), three elsewhere and on file systems that lack it. */
#include "base/base.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/fs.h>
#include <sys/syscall.h>
#endif

/* Undoes what it can when a step fails. */
static int exchange_by_steps(int dirfd, char const *a, char const *b) {
  char aside[PATH_MAX];
  int n = snprintf(aside, sizeof aside, "%s.x", a);
  if (n < 0 || (size_t)n >= sizeof aside) {
    errno = ENAMETOOLONG;
    return -1;
  }
  if (renameat(dirfd, b, dirfd, aside) < 0) return -1;
  if (renameat(dirfd, a, dirfd, b) < 0) {
    int saved = errno;
    renameat(dirfd, aside, dirfd, b);
    errno = saved;
    return -1;
  }
  return renameat(dirfd, aside, dirfd, a);
}

/* Not every C library has a function for it.  BY_STEPS is for the test of the way that this system
 * does not take. */
#if defined(SYS_renameat2) && !defined(BY_STEPS)
int dir_exchange(int dirfd, char const *a, char const *b) {
  if (!syscall(SYS_renameat2, dirfd, a, dirfd, b, RENAME_EXCHANGE)) return 0;
  /* EINVAL: this file system cannot; ENOSYS: this kernel cannot. */
  return errno == EINVAL || errno == ENOSYS ? exchange_by_steps(dirfd, a, b) : -1;
}
#else
int dir_exchange(int dirfd, char const *a, char const *b) {
  return exchange_by_steps(dirfd, a, b);
}
#endif
