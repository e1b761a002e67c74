/* Renaming that never replaces: Linux has a system call for it, elsewhere link and unlink. */
#include "maildir/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/fs.h>
#include <sys/syscall.h>
#endif

/* Not atomic: for a moment both names exist.  Directories cannot be linked; for them a check and
 * then rename has to do. */
static int link_and_unlink(int olddir, char const *oldname, int newdir, char const *newname) {
  struct stat st;
  if (!linkat(olddir, oldname, newdir, newname, 0)) return unlinkat(olddir, oldname, 0);
  if (errno != EPERM && errno != EMLINK && errno != EOPNOTSUPP) return -1;
  if (!fstatat(newdir, newname, &st, AT_SYMLINK_NOFOLLOW)) {
    errno = EEXIST;
    return -1;
  }
  return errno == ENOENT ? renameat(olddir, oldname, newdir, newname) : -1;
}

int maildir_rename(int olddir, char const *oldname, int newdir, char const *newname) {
#ifdef SYS_renameat2 /* not every C library has a function for it */
  if (!syscall(SYS_renameat2, olddir, oldname, newdir, newname, RENAME_NOREPLACE)) return 0;
  /* EINVAL: the file system does not know the flag; ENOSYS: the kernel. */
  if (errno != EINVAL && errno != ENOSYS) return -1;
#endif
  return link_and_unlink(olddir, oldname, newdir, newname);
}
