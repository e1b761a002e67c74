/* The file of a message: what the journal's entry says of it, and its name as it must be now. */
#include "store/folder.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t base_hash(char const *base, size_t size) {
  return store_hash(2, base, size);
}

static bool has_base(struct entry const *e, struct message const *m) {
  struct maildir_name n;
  maildir_name_split(e->name, &n);
  return base_hash(n.base, n.base_size) == m->hash;
}

enum store_error folder_entry(struct folder *f, struct message const *m, struct entry *e) {
  char data[ENTRY_SIZE_MAX];
  ssize_t r = file_read_at(f->journal.fd, data, sizeof data, (uint64_t)m->entry * 8);
  if (r < 0) return folder_failure(f, "read", AREA "/journal");
  /* Content was checked when it was followed; if it has changed under us, say so, and the next
   * holder of the lock reads all of the journal. */
  if (!entry_parse(data, (size_t)r, e, 0, 0) || e->uid != m->uid || !has_base(e, m)) {
    f->journal.damaged = true;
    errno = EIO;
    return folder_failure(f, "read an entry of", AREA "/journal");
  }
  return STORE_OK;
}

enum store_error folder_entry_name(struct folder const *f, struct message const *m,
                                   struct entry const *e, char name[MAILDIR_NAME_MAX + 1],
                                   int *dirfd) {
  struct maildir_name n;
  maildir_name_split(e->name, &n);
  *dirfd = m->bits & BIT_NEW ? f->new : f->cur;
  if (m->bits & BIT_EXACT || !(m->bits & BIT_INFO))
    memcpy(name, e->name, strlen(e->name) + 1);
  else if (!maildir_name_join(name, MAILDIR_NAME_MAX + 1, &n, m->bits & FLAG_STANDARD))
    return STORE_CANNOT; /* never: a rename to a name too long is not journalled */
  return STORE_OK;
}

enum store_error folder_name(struct folder *f, struct message const *m,
                             char name[MAILDIR_NAME_MAX + 1], int *dirfd) {
  struct entry e;
  enum store_error error = folder_entry(f, m, &e);
  return error ? error : folder_entry_name(f, m, &e, name, dirfd);
}

/* In seconds: by then the kernel has written a directory by itself (30, or 5 for ext4). */
enum { UNWRITTEN_MAX = 120 };

/* Not every file system writes with one directory what came to it from another: a message moved
 * from new/ and unlinked in cur/ would be back when the power fails. */
static enum store_error sync_unlinked(struct folder *f) {
  struct maildir_stamp now;
  struct timespec clock;
  clock_gettime(CLOCK_REALTIME, &clock);
  if (maildir_stamp(f->dir, "new", &now) < 0) return folder_failure(f, "stat", "new");
  if (now.ctime.tv_sec + UNWRITTEN_MAX > clock.tv_sec &&
      !maildir_stamp_equal(&now, &f->new_synced)) {
    if (dir_sync(f->new) < 0) return folder_failure(f, "sync", "new");
    if (!maildir_stamp_racy(&now, clock)) f->new_synced = now;
  }
  return dir_sync(f->cur) < 0 ? folder_failure(f, "sync", "cur") : STORE_OK;
}

enum store_error folder_write_unlinked(struct folder *f, struct records *r) {
  enum store_error e = sync_unlinked(f);
  if (!e) return folder_write(f, r, true, false);
  records_free(r);
  return e;
}
