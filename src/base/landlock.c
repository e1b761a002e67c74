/* Confinement to parts of the file system: Landlock on Linux, elsewhere nothing.  Descriptors that
 * are open already keep what they could do. */
#define _GNU_SOURCE /* O_PATH */
#include "base/base.h"

#include <errno.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

#ifdef SYS_landlock_create_ruleset
#include <linux/landlock.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Newer than the headers of some systems we are built on. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

enum {
  ABI_WITH_REFER = 2, /* before it, rename and link between directories always fail */
  ABI_WITH_TRUNCATE = 3,
};

#define READING ((uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR))
#define WRITING                                                               \
  ((uint64_t)(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
              LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |  \
              LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |    \
              LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM |    \
              LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE))
#define DEVICES ((uint64_t)(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK))
#define RUNNING ((uint64_t)LANDLOCK_ACCESS_FS_EXECUTE)
/* The kernel refuses a rule that gives a file what only a directory can have. */
#define OF_FILES                                                           \
  ((uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
              LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_TRUNCATE))

static int allow_path(int rules, struct confine_path const *p, uint64_t handled) {
  struct landlock_path_beneath_attr rule = {.allowed_access = READING};
  struct stat st;
  if (p->writable) rule.allowed_access |= WRITING;
  if (p->executable) rule.allowed_access |= RUNNING;
  rule.allowed_access &= handled;
  rule.parent_fd = open(p->path, O_PATH | O_CLOEXEC);
  if (rule.parent_fd < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
  int r = fstat(rule.parent_fd, &st);
  if (!r && !S_ISDIR(st.st_mode)) rule.allowed_access &= OF_FILES;
  if (!r) r = (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  int saved = errno;
  close(rule.parent_fd);
  errno = saved;
  return r < 0 ? -1 : 0;
}

int confine_files(struct confine_path const *paths, size_t n) {
  long abi = syscall(SYS_landlock_create_ruleset, 0, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < ABI_WITH_REFER) {
    errno = ENOSYS;
    return -1;
  }
  uint64_t handled = READING | WRITING | DEVICES | RUNNING;
  if (abi < ABI_WITH_TRUNCATE) handled &= ~(uint64_t)LANDLOCK_ACCESS_FS_TRUNCATE;
  struct landlock_ruleset_attr attr = {.handled_access_fs = handled};
  int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
  if (rules < 0) return -1;
  int r = 0;
  for (size_t i = 0; i < n && !r; i++) r = allow_path(rules, &paths[i], handled);
  if (!r) r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (!r) r = (int)syscall(SYS_landlock_restrict_self, rules, 0);
  int saved = errno;
  close(rules);
  errno = saved;
  return r < 0 ? -1 : 0;
}

#else

int confine_files(struct confine_path const *paths, size_t n) {
  (void)paths;
  (void)n;
  errno = ENOSYS;
  return -1;
}

#endif
