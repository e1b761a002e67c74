/* COPY and MOVE. */
#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One folder_copy on its way. */
struct copying {
  struct folder *source, *target;
  bool move;
  uint64_t batch;
  uint32_t *indexes; /* of the messages in the source's view */
  struct arrival *arrivals;
  size_t n, made;                /* made: of the names in the target */
  int keyword_map[KEYWORDS_MAX]; /* source's id to target's, -1: not asked yet */
  bool missing;                  /* a source file was not where the journal says */
};

/* ---- one message ---- */

static enum store_error translate(struct copying *c, struct message const *m,
                                  struct keyword_set *out) {
  struct view const *v = &c->source->view;
  struct keyword_set const set = *view_keywords_of(v, m);
  *out = (struct keyword_set){{0}};
  for (unsigned int i = 0; i < v->nkeywords; i++) {
    unsigned int id;
    if (!(set.words[i / 64] >> i % 64 & 1)) continue;
    if (c->keyword_map[i] < 0) {
      enum store_error e = folder_intern(c->target, v->keywords[i], &id);
      if (e) return e;
      c->keyword_map[i] = (int)id;
    }
    id = (unsigned int)c->keyword_map[i];
    out->words[id / 64] |= UINT64_C(1) << id % 64;
  }
  return STORE_OK;
}

static enum store_error prepare(struct copying *c, uint32_t index, struct arrival *a) {
  struct message const *m = view_at(&c->source->view, index);
  if (m->bits & BIT_GONE) return STORE_EXPUNGED;
  enum store_error e = folder_entry(c->source, m, &a->entry);
  if (!e) e = translate(c, m, &a->keywords);
  a->entry.flags = m->bits & FLAG_STANDARD;
  a->entry.inode = m->inode;
  a->entry.in_new = false;
  return e;
}

static int copy_bytes(int from, int to) {
  char buf[32768];
  for (;;) {
    ssize_t r = read(from, buf, sizeof buf);
    if (r < 0 && errno == EINTR) continue;
    if (r <= 0) return (int)r;
    if (io_write_all(to, buf, (size_t)r, -1) < 0) return -1;
  }
}

/* Into the target's tmp/, synced, with the time of receipt. */
static int fill_copy(struct folder *target, int from, char const *tmp, int64_t mtime,
                     struct stat *st) {
  struct timespec const times[2] = {{.tv_sec = (time_t)mtime}, {.tv_sec = (time_t)mtime}};
  int to = folder_create_file(target, target->dir, tmp);
  if (to < 0) return -1;
  if (copy_bytes(from, to) < 0 || futimens(to, times) < 0 || fsync(to) < 0 || fstat(to, st) < 0) {
    int saved = errno;
    close(to);
    unlinkat(target->dir, tmp, 0);
    errno = saved;
    return -1;
  }
  return close(to);
}

/* Where no link can be made.  1: done, 0: the source is not there, -1: errno. */
static int copy_file(struct copying *c, int dirfd, char const *name, struct arrival *a) {
  char tmp[MAILDIR_NAME_MAX + 8];
  struct stat st;
  int from = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (from < 0) return errno == ENOENT || errno == ELOOP ? 0 : -1;
  if (fstat(from, &st) < 0 || st.st_ino != a->entry.inode) {
    close(from);
    return 0;
  }
  snprintf(tmp, sizeof tmp, "tmp/%s", a->entry.name);
  int r = fill_copy(c->target, from, tmp, a->entry.mtime, &st);
  close(from);
  if (r < 0) return -1;
  if (maildir_rename(c->target->dir, tmp, c->target->cur, a->entry.name) < 0) {
    int saved = errno;
    unlinkat(c->target->dir, tmp, 0);
    errno = saved;
    return -1;
  }
  own_changed(c->target, OWN_MOVED_IN, c->target->cur, a->entry.name);
  a->entry.inode = st.st_ino;
  a->entry.size = (uint64_t)st.st_size;
  return 1;
}

/* A link shares owner and mode, which only folders of one kind do. */
static bool may_link(struct copying const *c) {
  return c->source->group == c->target->group && c->source->file_mode == c->target->file_mode;
}

static bool link_is_refused(int error) {
  return error == EMLINK || error == EXDEV || error == EPERM || error == EACCES ||
         error == EOPNOTSUPP || error == ENOSYS;
}

/* 1: done, 0: the source is not there, -1: errno. */
static int link_file(struct copying *c, int dirfd, char const *name, struct arrival *a) {
  struct stat st;
  if (!may_link(c)) return copy_file(c, dirfd, name, a);
  if (linkat(dirfd, name, c->target->cur, a->entry.name, 0) < 0) {
    if (errno == ENOENT) return 0;
    return link_is_refused(errno) ? copy_file(c, dirfd, name, a) : -1;
  }
  own_changed(c->target, OWN_LINKED, c->target->cur, a->entry.name);
  if (!fstatat(c->target->cur, a->entry.name, &st, AT_SYMLINK_NOFOLLOW) &&
      st.st_ino == a->entry.inode)
    return 1;
  /* Another file has taken the name. */
  unlinkat(c->target->cur, a->entry.name, 0);
  return 0;
}

static enum store_error make_name(struct copying *c, size_t i) {
  struct arrival *a = &c->arrivals[i];
  char name[MAILDIR_NAME_MAX + 1];
  int dirfd;
  enum store_error e =
      folder_name(c->source, view_at(&c->source->view, c->indexes[i]), name, &dirfd);
  if (e) return e;
  publish_name(a->entry.name, c->batch, a->entry.size, a->entry.flags);
  int r = link_file(c, dirfd, name, a);
  if (r < 0) return folder_failure(c->target, "link or copy to cur the message", name);
  if (!r) {
    c->missing = true;
    return STORE_EXPUNGED;
  }
  c->made++;
  return STORE_OK;
}

/* ---- all of them, under both locks ---- */

static enum store_error write_move_intent(struct copying *c) {
  struct records r = {0};
  struct view const *v = &c->source->view;
  size_t name_size = strlen(c->target->name);
  record_begin(&r, RECORD_MOVE);
  record_u64(&r, c->batch);
  record_u32(&r, c->target->view.uidvalidity);
  record_u32(&r, (uint32_t)c->n);
  record_u32(&r, (uint32_t)name_size);
  record_u32(&r, 0);
  record_bytes(&r, c->target->name, name_size);
  record_align(&r);
  for (size_t i = 0; i < c->n; i++) record_u32(&r, view_at(v, c->indexes[i])->uid);
  record_end(&r);
  return folder_write(c->source, &r, true, true);
}

/* Unlinks what has arrived in the target; gives the UIDs that are gone from here. */
static enum store_error unlink_sources(struct copying *c, uint64_t modseq, uint32_t *uids,
                                       uint32_t *n) {
  struct folder *f = c->source;
  bool keep = sessions_others(f);
  enum store_error e = STORE_OK;
  for (size_t i = 0; i < c->n; i++) {
    struct message const *m = view_at(&f->view, c->indexes[i]);
    char name[MAILDIR_NAME_MAX + 1];
    int dirfd;
    enum store_error failed = folder_name(f, m, name, &dirfd);
    if (!failed && sessions_unlink(f, keep, m->uid, modseq, dirfd, name) < 0) {
      /* Renamed by a stranger just now: it stays as it is, a copy too many. */
      if (errno == ENOENT)
        f->rescan = true;
      else
        failed = folder_failure(f, "unlink", name);
    }
    if (failed)
      e = failed;
    else
      uids[(*n)++] = m->uid;
  }
  return e;
}

/* The messages are safe in the target.  After a failure the MOVE stays open, and the next holder
 * of the lock tries to finish it. */
static enum store_error leave_source(struct copying *c) {
  struct records r = {0};
  struct folder *f = c->source;
  uint32_t *uids = malloc(c->n * sizeof *uids + 1), n = 0;
  if (!uids) log_die_memory();
  uint64_t modseq = folder_next_modseq(f);
  enum store_error e = unlink_sources(c, modseq, uids, &n);
  if (n) record_uids(&r, RECORD_EXPUNGE, &modseq, uids, n);
  free(uids);
  enum store_error written = folder_write_unlinked(f, &r);
  if (e || written) return e ? e : written;
  return batch_done(f, c->batch);
}

static enum store_error announce(struct copying *c) {
  if (!c->move && c->n == 1) return STORE_OK;
  enum store_error e = c->move ? write_move_intent(c) : STORE_OK;
  return e ? e : publish_intent(c->target, c->batch);
}

static enum store_error copy_all(struct copying *c, struct copied *out) {
  /* Deleted before we had the lock: what is put there now would be lost. */
  enum store_error e = folder_exists(c->target) ? STORE_OK : STORE_NONEXISTENT;
  for (size_t i = 0; !e && i < c->n; i++) e = prepare(c, c->indexes[i], &c->arrivals[i]);
  if (e) return e;
  e = announce(c);
  c->made = 0;
  for (size_t i = 0; !e && i < c->n; i++) e = make_name(c, i);
  if (!e) e = publish_commit(c->target, c->batch, c->arrivals, c->n, &out->target_uids);
  if (e) {
    publish_abort(c->target, c->batch, c->arrivals, c->made);
    if (c->move) batch_done(c->source, c->batch);
    return e;
  }
  for (size_t i = 0; i < c->n; i++)
    set_add(&out->source_uids, view_at(&c->source->view, c->indexes[i])->uid);
  out->uidvalidity = c->target->view.uidvalidity;
  return c->move ? leave_source(c) : STORE_OK;
}

/* Both locks, and no half-done move left in either. */
static enum store_error lock_both(struct copying *c) {
  if (c->source->frozen && !c->move) { /* a copy takes nothing from it */
    enum store_error e = folder_follow(c->source);
    return e ? e : folder_lock(c->target);
  }
  for (;;) {
    enum store_error e = folder_lock_two(c->source, c->target);
    if (e) return e;
    struct folder *pending = batch_move_pending(c->source)   ? c->source
                             : batch_move_pending(c->target) ? c->target
                                                             : 0;
    if (!pending) return STORE_OK;
    folder_unlock_two(c->source, c->target);
    if ((e = batch_resolve_moves(pending))) return e;
  }
}

static void collect(struct copying *c, struct set const *seqs, struct arena *arena) {
  uint64_t n = set_count(seqs);
  if (n > c->source->count) n = c->source->count;
  c->indexes = arena_alloc(arena, (size_t)n * sizeof *c->indexes);
  c->arrivals = malloc((size_t)n * sizeof *c->arrivals + 1);
  if (!c->arrivals) log_die_memory();
  for (uint32_t seq = 0; set_next(seqs, &seq) && seq <= c->source->count;)
    c->indexes[c->n++] = seq - 1;
}

enum { TRIES = 3 };

static enum store_error copy_with_retry(struct copying *c, struct copied *out) {
  for (int i = 0;; i++) {
    enum store_error e = lock_both(c);
    if (e) return e;
    c->missing = false;
    own_begin(c->target);
    if (c->move && c->source != c->target) own_begin(c->source);
    e = copy_all(c, out);
    own_end(c->target, !e);
    own_end(c->source, !e && !c->source->rescan);
    folder_unlock_two(c->source, c->target);
    if (!c->missing || i == TRIES) return e;
    c->source->rescan = true;
    c->batch = batch_new();
    if ((e = folder_refresh(c->source, false))) return e;
  }
}

enum store_error folder_copy(struct folder *f, struct set const *seqs, struct store *target,
                             char const *name, bool move, struct arena *arena, struct copied *out) {
  struct copying c = {.source = f, .move = move, .batch = batch_new()};
  set_init(&out->source_uids, arena);
  set_init(&out->target_uids, arena);
  enum store_error e = folder_acquire(target, name, &c.target);
  if (e) return e;
  for (int i = 0; i < KEYWORDS_MAX; i++) c.keyword_map[i] = -1;
  out->uidvalidity = c.target->view.uidvalidity;
  collect(&c, seqs, arena);
  if (c.n) e = copy_with_retry(&c, out);
  free(c.arrivals);
  return e;
}
