/* Is this a Maildir we may serve, and if not, why, in words an administrator can act on. */
#include "maildir/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The dot is looked up in the directory before it: to open that needs the right to read the
 * directory and the right to search it. */
static struct part {
  char const *name, *inside;
} const parts[] = {{"cur", "cur/."}, {"new", "new/."}, {"tmp", "tmp/."}};
enum { PARTS = sizeof parts / sizeof *parts };

struct verdict {
  char const **why, **remedy;
};

static int refuse(struct verdict v, char const *why, char const *remedy) {
  *v.why = why;
  *v.remedy = remedy;
  return -1;
}

static int refuse_errno(struct verdict v) {
  int e = errno;
  if (e == ENOENT) return refuse(v, "there is no such directory", "create it with maildirmake");
  if (e == ENOTDIR)
    return refuse(v, "it is not a directory", "name a directory made by maildirmake");
  if (e == EACCES)
    return refuse(v, "permission denied",
                  "give it to the user (chown -R), mode 700, and let the user search the "
                  "directories above it");
  return refuse(v, strerror(e), 0);
}

static int probe(int dirfd, struct part const *p) {
  int fd = openat(dirfd, p->inside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return fd < 0 ? -1 : close(fd);
}

static int make_part(int dirfd, struct part const *p) {
  struct stat st;
  if (fstat(dirfd, &st) < 0) return -1;
  return mkdirat(dirfd, p->name, st.st_mode & 0777) < 0 && errno != EEXIST ? -1 : 0;
}

static int probe_parts(int fd, struct verdict v) {
  bool missing[PARTS];
  int found = 0;
  for (int i = 0; i < PARTS; i++) {
    missing[i] = probe(fd, &parts[i]) < 0;
    if (missing[i] && errno != ENOENT) return refuse_errno(v);
    found += !missing[i];
  }
  if (!found) {
    errno = ENOENT;
    return refuse(v, "it has none of cur, new and tmp, so it is no Maildir",
                  "name the right directory, or create it with maildirmake");
  }
  for (int i = 0; i < PARTS; i++) {
    if (!missing[i]) continue;
    if (make_part(fd, &parts[i]) < 0)
      return refuse(v, "cur, new or tmp is missing and cannot be made",
                    "make it with the owner and mode of the Maildir");
    if (probe(fd, &parts[i]) < 0) return refuse_errno(v);
  }
  return 0;
}

int maildir_check(char const *path, bool owned, char const **why, char const **remedy) {
  struct verdict v = {why, remedy};
  struct stat st;
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return refuse_errno(v);
  int r = fstat(fd, &st) < 0 ? refuse_errno(v) : 0;
  if (!r && owned && st.st_uid != geteuid()) {
    errno = EPERM;
    r = refuse(v, "it belongs to another user", "give it to the user (chown -R)");
  }
  if (!r) r = probe_parts(fd, v);
  if (r) {
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
  }
  return fd;
}
