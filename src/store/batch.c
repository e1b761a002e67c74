/* What is left of batches whose maker died (doc/store.md, "Recovery"). */
#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t batch_new(void) {
  static uint64_t counter;
  struct {
    struct timespec now;
    uint64_t pid, counter;
  } seed = {.pid = (uint64_t)getpid(), .counter = ++counter};
  clock_gettime(CLOCK_REALTIME, &seed.now);
  uint64_t id = store_hash(4, &seed, sizeof seed);
  return id ? id : 1;
}

/* ---- files of a batch ---- */

struct unlinking {
  struct folder *f;
  uint64_t id;
};

static void unlink_if_of_batch(void *context, char const *name, uint64_t inode) {
  struct unlinking *u = context;
  (void)inode;
  if (maildir_name_has_batch(name, u->id) && unlinkat(u->f->cur, name, 0) < 0 && errno != ENOENT)
    folder_failure(u->f, "unlink", name);
}

static void unlink_batch(struct folder *f, uint64_t id) {
  struct unlinking u = {f, id};
  if (maildir_scan(f->dir, "cur", f->cur_inode, unlink_if_of_batch, 0, &u) < 0)
    folder_failure(f, "read", "cur");
}

enum store_error batch_done(struct folder *f, uint64_t id) {
  struct records r = {0};
  record_begin(&r, RECORD_DONE);
  record_u64(&r, id);
  record_u32(&r, 0);
  record_u32(&r, 0);
  record_end(&r);
  return folder_write(f, &r, true, true);
}

static struct batch *find_pending(struct folder *f, bool move) {
  for (size_t i = 0; i < f->view.npending; i++)
    if (f->view.pending[i].move == move) return &f->view.pending[i];
  return 0;
}

enum store_error batch_recover(struct folder *f) {
  struct batch *b;
  while ((b = find_pending(f, false))) {
    uint64_t id = b->id;
    unlink_batch(f, id);
    enum store_error e = batch_done(f, id);
    if (e) return e;
  }
  return STORE_OK;
}

/* ---- moves ---- */

bool batch_move_pending(struct folder const *f) {
  return find_pending((struct folder *)f, true);
}

/* Under both locks: the messages have arrived in the target, so they leave the source. */
static enum store_error finish_move(struct folder *f, struct batch const *b) {
  struct records r = {0};
  uint32_t *uids = malloc(b->n * sizeof *uids + 1), n = 0;
  if (!uids) return folder_failure(f, "find memory for", AREA "/journal");
  uint64_t modseq = folder_next_modseq(f);
  bool keep = sessions_others(f);
  for (uint32_t i = 0; i < b->n; i++) {
    char name[MAILDIR_NAME_MAX + 1];
    int dirfd;
    struct message const *m = view_message(&f->view, b->uids[i]);
    if (!m || folder_name(f, m, name, &dirfd)) continue;
    if (sessions_unlink(f, keep, m->uid, modseq, dirfd, name) < 0 && errno != ENOENT) continue;
    uids[n++] = m->uid;
  }
  if (n) record_uids(&r, RECORD_EXPUNGE, &modseq, uids, n);
  free(uids);
  return folder_write_unlinked(f, &r);
}

static enum store_error resolve(struct folder *f, struct folder *target) {
  struct batch *b = find_pending(f, true);
  if (!b) return STORE_OK; /* somebody else was faster */
  uint64_t id = b->id;
  bool committed = target && target->view.uidvalidity == b->target_uidvalidity &&
                   view_committed(&target->view, id);
  enum store_error e = committed ? finish_move(f, b) : STORE_OK;
  return e ? e : batch_done(f, id);
}

/* The target of the first pending move, null if it is gone.  Opened for this, so that no folder in
 * use is disturbed. */
static enum store_error open_target(struct folder *f, struct folder **target) {
  struct batch *b = find_pending(f, true);
  *target = 0;
  if (!b) return STORE_OK;
  enum store_error e = folder_load(f->store, b->target, FOLDER_EXAMINE, target);
  if (e == STORE_NONEXISTENT || e == STORE_CANNOT) return STORE_OK;
  if (e) return e;
  /* A second handle of the same folder would wait for the first one's lock. */
  if ((*target)->device == f->device && (*target)->inode == f->inode) {
    folder_close(*target);
    *target = f;
  }
  return STORE_OK;
}

enum store_error batch_resolve_moves(struct folder *f) {
  struct folder *target;
  enum store_error e = open_target(f, &target);
  if (e) return e;
  struct folder *second = target ? target : f;
  e = folder_lock_two(f, second);
  if (!e) {
    e = resolve(f, target);
    folder_unlock_two(f, second);
  }
  if (target && target != f) folder_close(target);
  return e;
}
