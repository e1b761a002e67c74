/* Making a Maildir or a Maildir++ folder. */
#include "maildir/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char const *const parts[] = {"tmp", "new", "cur"};
enum { PARTS = sizeof parts / sizeof *parts };

/* Exactly this mode and, if it can be had, this group, whatever the umask says. */
static int set_mode(int fd, mode_t mode, gid_t group) {
  if (group != (gid_t)-1 && fchown(fd, (uid_t)-1, group) < 0 && errno != EPERM) return -1;
  return fchmod(fd, mode);
}

static int make_directory(int dirfd, char const *name, mode_t mode, gid_t group) {
  if (mkdirat(dirfd, name, mode & 0700) < 0) return -1;
  int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return -1;
  int r = set_mode(fd, mode, group), saved = errno;
  close(fd);
  errno = saved;
  return r;
}

/* Fills dirfd/name, a new directory, with cur, new, tmp. */
static int fill(int dirfd, char const *name, mode_t mode, gid_t group) {
  int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  int r = 0;
  for (int i = 0; !r && i < PARTS; i++) r = make_directory(fd, parts[i], mode, group);
  if (!r) r = dir_sync(fd);
  int saved = errno;
  close(fd);
  errno = saved;
  return r;
}

/* Removes what make_directory and fill have made. */
static void undo(int dirfd, char const *name) {
  int saved = errno;
  int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    for (int i = 0; i < PARTS; i++) unlinkat(fd, parts[i], AT_REMOVEDIR);
    unlinkat(fd, "maildirfolder", 0);
    close(fd);
  }
  unlinkat(dirfd, name, AT_REMOVEDIR);
  errno = saved;
}

int maildir_create(char const *path) {
  if (make_directory(AT_FDCWD, path, 0700, (gid_t)-1) < 0) return -1;
  if (!fill(AT_FDCWD, path, 0700, (gid_t)-1)) return 0;
  undo(AT_FDCWD, path);
  return -1;
}

bool maildir_folder_name_ok(char const *name) {
  size_t size = strlen(name);
  if (!size || size > MAILDIR_NAME_MAX - 1) return false;
  char previous = '.'; /* so that a leading dot is an empty level */
  for (char const *p = name; *p; previous = *p++)
    if ((unsigned char)*p < ' ' || *p == 127 || *p == '/' || (*p == '.' && previous == '.'))
      return false;
  return previous != '.';
}

static int put_mark(int dirfd, char const *folder, mode_t mode, gid_t group) {
  char path[MAILDIR_NAME_MAX + 32];
  snprintf(path, sizeof path, "%s/maildirfolder", folder);
  int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  int r = set_mode(fd, mode & 0666, group), saved = errno;
  close(fd);
  errno = saved;
  return r;
}

int maildir_create_folder(int dirfd, char const *name, mode_t mode, gid_t group) {
  char unique[MAILDIR_NAME_MAX + 1], made[MAILDIR_NAME_MAX + 8], folder[MAILDIR_NAME_MAX + 2];
  if (!maildir_folder_name_ok(name)) {
    errno = EINVAL;
    return -1;
  }
  /* Made in tmp/, where whatever a crash leaves is purged, and renamed when whole. */
  maildir_unique(unique, sizeof unique, 0);
  snprintf(made, sizeof made, "tmp/%s", unique);
  snprintf(folder, sizeof folder, ".%s", name);
  if (make_directory(dirfd, made, mode, group) < 0) return -1;
  if (put_mark(dirfd, made, mode, group) < 0 || fill(dirfd, made, mode, group) < 0 ||
      maildir_rename(dirfd, made, dirfd, folder) < 0) {
    undo(dirfd, made);
    return -1;
  }
  return dir_sync(dirfd);
}
