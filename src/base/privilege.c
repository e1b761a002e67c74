/* Becoming another user, for good. */
#include "base/base.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

static int become(uid_t uid, gid_t gid) {
  if (setgid(gid) < 0 || setuid(uid) < 0) return -1;
  /* A half-done change must not pass for a whole one. */
  if (getuid() != uid || geteuid() != uid || getgid() != gid || getegid() != gid ||
      (uid && !setuid(0))) {
    errno = EPERM;
    return -1;
  }
  return 0;
}

int privilege_drop(uid_t uid, gid_t gid) {
  if (geteuid()) {
    if (uid == geteuid() && gid == getegid()) return 0;
    errno = EPERM;
    return -1;
  }
  if (!uid || !gid) {
    errno = EPERM;
    return -1;
  }
  if (setgroups(0, 0) < 0) return -1;
  return become(uid, gid);
}

static bool has_superuser(gid_t const *groups, size_t n) {
  while (n)
    if (!groups[--n]) return true;
  return false;
}

int privilege_become(uid_t uid, gid_t gid, gid_t const *groups, size_t ngroups) {
  bool root = !geteuid();
  if (!root && uid == geteuid()) return 0;
  if (!root || !uid || !gid || has_superuser(groups, ngroups)) {
    errno = EPERM;
    return -1;
  }
  if (setgroups(ngroups, groups) < 0) return -1;
  return become(uid, gid);
}

int directory_enter_nowhere(char const *program) {
  /* Those in memory first: ext4 keeps an inode that has just been deleted from being used again for
   * some seconds, and looks at each such one whenever it makes another. */
  static char const *const parents[] = {"/dev/shm", "/run", "/tmp", "/var/tmp"};
  for (size_t i = 0; i < sizeof parents / sizeof *parents; i++) {
    char path[64];
    int n = snprintf(path, sizeof path, "%s/%s.XXXXXX", parents[i], program);
    if (n < 0 || (size_t)n >= sizeof path) {
      errno = ENAMETOOLONG;
      return -1;
    }
    if (!mkdtemp(path)) continue;
    int r = chdir(path);
    int saved = errno;
    if (rmdir(path) < 0 && !r) return -1;
    errno = saved;
    return r;
  }
  return -1;
}

void privilege_protect_memory(void) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
#ifdef PR_SET_DUMPABLE
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}
