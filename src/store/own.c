/* Which changes of cur/ and new/ were our own: a directory whose stamps say that it has changed
 * need not be read if inotify has watched it since before, and reported what we did and nothing
 * else.
 *
 * Names are not kept: of the events that are to come and of those that came a sum is taken, and the
 * sums must be the same. */
#include "store/folder.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>

enum {
  NAMES = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO,
  SELF = IN_DELETE_SELF | IN_MOVE_SELF,
  MESSAGES_MIN = 500, /* reading a smaller folder is cheaper than ending a watch: some ms */
  PENDING_MAX = 1000, /* changes between two looks: the system keeps 16,384 events */
  SETTLE_WAIT_MS = 100,
};

static uint64_t event_sum(int wd, uint32_t mask, char const *name) {
  return store_hash((uint64_t)(uint32_t)wd << 32 | mask, name, strlen(name));
}

static void forget(struct own_changes *o) {
  if (o->fd >= 0) close(o->fd);
  o->fd = -1;
  o->valid = o->known = false;
}

/* ---- the watch ---- */

static int add_watch(struct folder *f, char const *part, uint64_t inode) {
  char path[4096];
  struct stat st;
  int n = snprintf(path, sizeof path, "%s/%s", f->path, part);
  if (n < 0 || (size_t)n >= sizeof path) return -1;
  int wd = inotify_add_watch(f->own.fd, path, NAMES | SELF | IN_ONLYDIR);
  return wd >= 0 && !stat(path, &st) && st.st_ino == inode ? wd : -1;
}

static bool open_watch(struct folder *f) {
  struct own_changes *o = &f->own;
  if (o->fd >= 0) return true;
  *o = (struct own_changes){.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
  if (o->fd < 0) return false; /* there are 128 to a uid: we look at the directory instead */
  o->cur = add_watch(f, "cur", f->cur_inode);
  o->new = add_watch(f, "new", f->new_inode);
  if (o->cur >= 0 && o->new >= 0) return true;
  forget(o);
  return false;
}

static void take_events(struct own_changes *o, char const *buffer, size_t size) {
  struct inotify_event e;
  for (size_t at = 0; at + sizeof e <= size; at += sizeof e + e.len) {
    memcpy(&e, buffer + at, sizeof e);
    /* An overflow, the end of the directory: no such event is expected. */
    o->happened += event_sum(e.wd, e.mask, e.len ? buffer + at + sizeof e : "");
  }
}

/* Whether all that has happened so far was ours. */
static bool only_ours(struct own_changes *o) {
  char buffer[16384];
  ssize_t r;
  while ((r = read(o->fd, buffer, sizeof buffer)) > 0 || (r < 0 && errno == EINTR))
    if (r > 0) take_events(o, buffer, (size_t)r);
  o->pending = 0;
  return o->happened == o->expected;
}

/* ---- under the lock: changes ---- */

void own_begin(struct folder *f) {
  struct own_changes *o = &f->own;
  if (f->network || f->view.n < MESSAGES_MIN || !open_watch(f)) return;
  /* In this order: what happens behind the comparison is reported. */
  if (!only_ours(o) || folder_is_known(f) <= 0) {
    forget(o);
    return;
  }
  memcpy(o->base, f->view.seen, sizeof o->base);
  o->valid = true;
}

static int watch_of(struct folder const *f, int dirfd) {
  return dirfd == f->new ? f->own.new : f->own.cur;
}

void own_changed(struct folder *f, enum own_change what, int dirfd, char const *name) {
  static uint32_t const masks[] = {[OWN_MOVED_OUT] = IN_MOVED_FROM,
                                   [OWN_MOVED_IN] = IN_MOVED_TO,
                                   [OWN_LINKED] = IN_CREATE,
                                   [OWN_UNLINKED] = IN_DELETE};
  struct own_changes *o = &f->own;
  if (!o->valid) return;
  o->expected += event_sum(watch_of(f, dirfd), masks[what], name);
  if (++o->pending >= PENDING_MAX) only_ours(o);
}

void own_end(struct folder *f, bool good) {
  struct own_changes *o = &f->own;
  if (!o->valid) return;
  o->valid = false;
  o->known = good && !folder_stamps(f, o->stamps) && only_ours(o);
  if (!o->known) forget(o);
}

/* ---- what follows from it ---- */

static bool same_stamps(struct maildir_stamp const a[2], struct maildir_stamp const b[2]) {
  return maildir_stamp_equal(&a[0], &b[0]) && maildir_stamp_equal(&a[1], &b[1]);
}

bool own_covers(struct folder *f, struct maildir_stamp const now[2]) {
  struct own_changes *o = &f->own;
  if (!o->known) return false;
  if (same_stamps(now, o->stamps) && same_stamps(f->view.seen, o->base) && only_ours(o))
    return true;
  forget(o);
  return false;
}

static bool is_racy(struct own_changes const *o) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return maildir_stamp_racy(&o->stamps[0], now) || maildir_stamp_racy(&o->stamps[1], now);
}

/* Who has changed a name but not yet reported it still holds the directory's lock, which an attempt
 * to unlink waits for. */
static void wait_for_reports(struct folder const *f) {
  unlinkat(f->cur, ".chainmail-no-such-file", 0);
  unlinkat(f->new, ".chainmail-no-such-file", 0);
}

static void settle_locked(struct folder *f) {
  struct records r = {0};
  struct maildir_stamp now[2];
  if (journal_current(f->area, &f->journal) != 1 ||
      journal_read(&f->journal, &f->view, false) != END_CLEAN || folder_stamps(f, now) < 0)
    return;
  wait_for_reports(f);
  if (!own_covers(f, now)) return;
  record_stamps(&r, now);
  folder_write(f, &r, false, true);
}

void own_settle(struct folder *f) {
  struct own_changes *o = &f->own;
  if (o->fd < 0 || f->frozen || f->lost) return;
  if (!o->known || is_racy(o) || lock_file(f->lock, LOCK_WRITE, SETTLE_WAIT_MS) < 0) return;
  settle_locked(f);
  folder_unlock(f);
  o->known = false; /* SCANNED says it now; the watch goes on for the next change */
}

void own_close(struct folder *f) {
  own_settle(f);
  forget(&f->own);
}

#else

void own_begin(struct folder *f) {
  (void)f;
}

void own_changed(struct folder *f, enum own_change what, int dirfd, char const *name) {
  (void)f;
  (void)what;
  (void)dirfd;
  (void)name;
}

void own_end(struct folder *f, bool good) {
  (void)f;
  (void)good;
}

bool own_covers(struct folder *f, struct maildir_stamp const now[2]) {
  (void)f;
  (void)now;
  return false;
}

void own_settle(struct folder *f) {
  (void)f;
}

void own_close(struct folder *f) {
  (void)f;
}
#endif
