/* Reading a directory of messages, and the stamps that tell whether it may have changed. */
#include "maildir/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int maildir_stamp(int dirfd, char const *subdir, struct maildir_stamp *s) {
  struct stat st;
  if (fstatat(dirfd, subdir, &st, AT_SYMLINK_NOFOLLOW) < 0) return -1;
  if (!S_ISDIR(st.st_mode)) {
    errno = ENOTDIR;
    return -1;
  }
  *s = (struct maildir_stamp){st.st_ino, st.st_mtim, st.st_ctim};
  return 0;
}

static bool time_equal(struct timespec a, struct timespec b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool maildir_stamp_equal(struct maildir_stamp const *a, struct maildir_stamp const *b) {
  return a->inode == b->inode && time_equal(a->mtime, b->mtime) && time_equal(a->ctime, b->ctime);
}

/* Milliseconds from then to now, within what an int64_t holds. */
static int64_t age_ms(struct timespec then, struct timespec now) {
  return ((int64_t)now.tv_sec - then.tv_sec) * 1000 + (now.tv_nsec - then.tv_nsec) / 1000000;
}

bool maildir_stamp_racy(struct maildir_stamp const *s, struct timespec now) {
  /* Whole seconds in both: the file system keeps no more (or it is one chance in 10^12). */
  int64_t tick = !s->mtime.tv_nsec && !s->ctime.tv_nsec ? 2000 : MAILDIR_TICK_MS;
  return age_ms(s->ctime, now) < tick || age_ms(s->mtime, now) < tick;
}

enum kind { NOTHING, MESSAGE, DIRECTORY, ODD };

static enum kind kind_of_mode(mode_t mode) {
  return S_ISREG(mode) ? MESSAGE : S_ISDIR(mode) ? DIRECTORY : ODD;
}

/* type: as readdir has it, if it is known. */
static enum kind kind_of(int fd, char const *name, unsigned int type) {
  struct stat st;
#ifdef DT_REG
  if (type == DT_REG) return MESSAGE;
  if (type == DT_DIR) return DIRECTORY;
#endif
  (void)type;
  if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return NOTHING;
  return kind_of_mode(st.st_mode);
}

/* A name that is all info has no base, so nothing to know it by. */
static bool is_name(char const *name) {
  return *name != '.' && !(name[0] == ':' && name[1] == '2' && name[2] == ',');
}

struct scanning {
  int fd;
  maildir_seen *seen, *odd;
  void *context;
};

static void look_at(void *context, char const *name, uint64_t inode, unsigned int type) {
  struct scanning const *s = context;
  if (!is_name(name)) return;
  enum kind kind = kind_of(s->fd, name, type);
  if (kind == MESSAGE)
    s->seen(s->context, name, inode);
  else if (kind == ODD && s->odd)
    s->odd(s->context, name, inode);
}

int maildir_scan(int parent, char const *subdir, uint64_t inode, maildir_seen *seen,
                 maildir_seen *odd, void *context) {
  struct stat st;
  int fd = openat(parent, subdir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return -1;
  if (fstat(fd, &st) < 0 || st.st_ino != inode) {
    close(fd);
    errno = EINVAL;
    return -1;
  }
  int r = maildir_entries(fd, look_at, &(struct scanning){fd, seen, odd, context});
  int saved = errno;
  close(fd);
  errno = saved;
  return r;
}
