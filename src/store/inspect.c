/* A folder's journal compared with its files, without touching either; and mending what is wrong.
 */
#include "store/inspect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- journal and files ---- */

struct comparing {
  struct bases bases;
  bool *seen;
  bool in_cur;
  uint32_t unknown;
};

static void compare(void *context, char const *name, uint64_t inode) {
  struct comparing *c = context;
  struct maildir_name n;
  (void)inode;
  maildir_name_split(name, &n);
  struct bases_search search = bases_search(base_hash(n.base, n.base_size));
  if (bases_next(&c->bases, &search))
    c->seen[search.index] = true;
  else
    c->unknown += c->in_cur;
}

static int scan(int dir, char const *part, struct comparing *c) {
  struct stat st;
  if (fstatat(dir, part, &st, AT_SYMLINK_NOFOLLOW) < 0) return errno == ENOENT ? 0 : -1;
  c->in_cur = !strcmp(part, "cur");
  return maildir_scan(dir, part, st.st_ino, compare, 0, c);
}

static int compare_all(int dir, struct view const *v, struct inspection *out) {
  struct comparing c = {.in_cur = false};
  c.seen = calloc((size_t)v->n + 1, sizeof *c.seen);
  int r = bases_init(&c.bases, v) < 0 || !c.seen ? -1 : 0;
  if (!r && (scan(dir, "new", &c) < 0 || scan(dir, "cur", &c) < 0)) r = -1;
  for (uint32_t i = 0; !r && i < v->n; i++) {
    if (view_at(v, i)->bits & BIT_GONE) continue;
    out->messages++;
    out->absent += !c.seen[i];
  }
  out->unknown = c.unknown;
  bases_free(&c.bases);
  free(c.seen);
  return r;
}

/* ---- the journal by itself ---- */

/* As recovery would see it. */
static int judge(struct folder *f, enum journal_health *health) {
  enum journal_end end = journal_read(&f->journal, &f->view, true);
  f->journal.bad = end == END_BAD;
  int more = f->journal.bad ? journal_read_on(&f->journal, &f->view, 0, 0) : 0;
  if (end == END_ERROR || more < 0) return -1;
  if (more)
    *health = HEALTH_DAMAGED;
  else if (f->journal.moved)
    *health = HEALTH_COPIED;
  else if (f->journal.bad)
    *health = HEALTH_TORN;
  else /* neither of these, so it has been cut short */
    *health = f->lock >= 0 && folder_needs_repair(f) ? HEALTH_DAMAGED : HEALTH_SOUND;
  return 0;
}

static int inspect_journal(struct folder *f, struct inspection *out) {
  struct stat st;
  switch (journal_open(f->area, false, &f->journal, &f->view.uidvalidity)) {
  case JOURNAL_ERROR: return -1;
  case JOURNAL_MISSING:
    out->health = f->lock >= 0 && !fstat(f->lock, &st) && st.st_size ? HEALTH_LOST : HEALTH_NONE;
    return 0;
  case JOURNAL_INVALID: out->health = HEALTH_INVALID; return 0;
  case JOURNAL_OK: break;
  }
  if (judge(f, &out->health) < 0) return -1;
  out->batches = (uint32_t)f->view.npending;
  return compare_all(f->dir, &f->view, out);
}

int folder_inspect(int dir, struct inspection *out) {
  struct folder f = {.dir = dir, .lock = -1, .journal = {.fd = -1}};
  *out = (struct inspection){.health = HEALTH_NONE};
  f.area = openat(dir, AREA, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (f.area < 0) return errno == ENOENT ? 0 : -1;
  f.lock = openat(f.area, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  view_init(&f.view);
  int r = inspect_journal(&f, out), saved = errno;
  journal_close(&f.journal);
  view_free(&f.view);
  if (f.lock >= 0) close(f.lock);
  close(f.area);
  errno = saved;
  return r;
}

/* ---- mending ---- */

enum store_error folder_mend(struct store *s, char const *name) {
  struct folder *f;
  enum store_error e = folder_load(s, name, FOLDER_EXAMINE, &f);
  if (e) return e;
  f->rescan = true;
  e = folder_refresh(f, true);
  if (!e && !(e = folder_lock(f))) {
    /* A torn end goes when something is written, and there may have been nothing to write. */
    if (f->journal.bad) e = folder_snapshot(f);
    folder_unlock(f);
  }
  folder_close(f);
  return e;
}

enum store_error folder_jump(struct store *s, char const *name) {
  struct folder *f;
  enum store_error e = folder_load(s, name, FOLDER_EXAMINE, &f);
  if (e) return e;
  if (!(e = folder_lock(f))) {
    e = folder_repair(f, REPAIR_BY_HAND);
    folder_unlock(f);
  }
  folder_close(f);
  return e;
}
