/* Opening the file of a message, wherever its name has gone meanwhile. */
#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is under the message's name is not the message: somebody edited or replaced the file.  It
 * ends here and is found by the next scan as a new one. */
static enum store_error disown(struct folder *f, uint32_t uid) {
  struct records r = {0};
  enum store_error e = folder_lock(f);
  if (e) return e;
  uint64_t modseq = folder_next_modseq(f);
  if (view_message(&f->view, uid)) record_uids(&r, RECORD_EXPUNGE, &modseq, &uid, 1);
  /* Not what SCANNED says any more: every session is to look again. */
  record_stamps(&r, (struct maildir_stamp[2]){{0}, {0}});
  e = folder_write(f, &r, true, false);
  folder_unlock(f);
  return e ? e : STORE_EXPUNGED;
}

/* 1: opened; 0: no such name now; -1: failure in *e. */
static int try_open(struct folder *f, struct message const *m, int *fd, uint64_t *size,
                    enum store_error *e) {
  char name[MAILDIR_NAME_MAX + 1];
  struct entry entry;
  struct stat st;
  int dirfd;
  *e = folder_entry(f, m, &entry);
  if (!*e) *e = folder_entry_name(f, m, &entry, name, &dirfd);
  if (*e) return -1;
  *size = entry.size;
  /* O_NONBLOCK: should it have become a FIFO. */
  *fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (*fd < 0 && (errno == ENOENT || errno == ELOOP)) return 0;
  if (*fd < 0 || fstat(*fd, &st) < 0) {
    *e = folder_failure(f, "open", name);
    if (*fd >= 0) close(*fd);
    return -1;
  }
  if (st.st_ino == m->inode && (uint64_t)st.st_size == entry.size) return 1;
  close(*fd);
  if (f->view.map && !mapping_confirm(f->view.map)) return 0; /* the index was wrong */
  *e = f->frozen ? STORE_EXPUNGED : disown(f, m->uid);
  return -1;
}

static enum store_error open_aside(struct folder *f, struct message const *m, int *fd,
                                   uint64_t *size) {
  struct stat st;
  enum store_error e = sessions_open_aside(f, m, fd);
  if (e) return e;
  if (fstat(*fd, &st) < 0) {
    e = folder_failure(f, "look at a message in", AREA "/expunged");
    close(*fd);
    *fd = -1;
  } else {
    *size = (uint64_t)st.st_size;
  }
  return e;
}

static int open_any(struct folder *f, struct message const *m, int *fd, uint64_t *size,
                    enum store_error *e) {
  if (!(m->bits & BIT_GONE)) return try_open(f, m, fd, size, e);
  *e = open_aside(f, m, fd, size);
  return *e ? -1 : 1;
}

enum { TRIES = 3 }; /* a stranger would have to rename it that often while we look */

enum store_error folder_message_sized(struct folder *f, uint32_t seq, int *fd, uint64_t *size) {
  enum store_error e = STORE_OK;
  uint32_t uid = view_at(&f->view, seq - 1)->uid;
  for (int i = 0; i < TRIES; i++) {
    /* The index is good throughout: only folder_sync drops messages. */
    struct message const *m = view_at(&f->view, seq - 1);
    *fd = -1;
    int r = open_any(f, m, fd, size, &e);
    if (r > 0 && m->uid == uid) return STORE_OK;
    if (r > 0) close(*fd);
    *fd = -1;
    /* Made again meanwhile: the client may have been told the UID that was wrong. */
    if (m->uid != uid) return STORE_UNAVAILABLE;
    if (r < 0) return e;
    f->rescan = true;
    if ((e = folder_refresh(f, false))) return e;
  }
  return STORE_EXPUNGED;
}

enum store_error folder_message(struct folder *f, uint32_t seq, int *fd) {
  uint64_t size;
  return folder_message_sized(f, seq, fd, &size);
}
