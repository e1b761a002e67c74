/* Bringing the session's view up to date, and telling what has changed. */
#include "store/folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- new mail of a selected folder: to cur/, and \Recent ---- */

static bool is_unclaimed(struct view const *v, struct message const *m) {
  return !(m->bits & BIT_GONE) && (m->uid > v->recent || m->bits & BIT_NEW);
}

/* Only what the client does not know yet: an older message still in new/ could not be moved. */
static bool has_unclaimed(struct folder const *f) {
  for (uint32_t i = f->count; i < f->view.n; i++)
    if (is_unclaimed(&f->view, &f->view.messages[i])) return true;
  return false;
}

/* False: it stays in new/, where it can be read as well. */
static bool move_to_cur(struct folder *f, struct message const *m) {
  char old[MAILDIR_NAME_MAX + 1], name[MAILDIR_NAME_MAX + 1];
  struct maildir_name n;
  int dirfd;
  if (folder_name(f, m, old, &dirfd)) return false;
  maildir_name_split(old, &n);
  if (!maildir_name_join(name, sizeof name, &n, m->bits & FLAG_STANDARD)) return false;
  if (!maildir_rename(f->new, old, f->cur, name)) return true;
  f->rescan = true; /* somebody else has renamed it, or put another there */
  if (errno != ENOENT && errno != EEXIST) folder_failure(f, "move to cur the file new/", old);
  return false;
}

/* Under the lock. */
static enum store_error claim_locked(struct folder *f) {
  struct records r = {0};
  struct view *v = &f->view;
  uint32_t *moved = malloc((size_t)(v->n - f->count) * sizeof *moved + 1), n = 0;
  if (!moved) return folder_failure(f, "find memory for", 0);
  for (uint32_t i = f->count; i < v->n; i++) {
    struct message *m = &v->messages[i];
    if (m->bits & BIT_GONE) continue;
    if (m->uid > v->recent) m->bits |= FLAG_RECENT;
    if (m->bits & BIT_NEW && move_to_cur(f, m)) moved[n++] = m->uid;
  }
  if (n) record_uids(&r, RECORD_CUR, 0, moved, n);
  free(moved);
  record_begin(&r, RECORD_RECENT);
  record_u32(&r, v->uidnext - 1);
  record_u32(&r, 0);
  record_end(&r);
  return folder_write(f, &r, false, true);
}

static enum store_error claim(struct folder *f) {
  enum store_error e = folder_lock(f);
  if (e) return e;
  if (has_unclaimed(f)) e = claim_locked(f);
  folder_unlock(f);
  return e;
}

/* An examined folder shows what nobody has claimed, without claiming it. */
static void show_unclaimed(struct folder *f) {
  for (uint32_t i = f->count; i < f->view.n; i++)
    if (f->view.messages[i].uid > f->view.recent) f->view.messages[i].bits |= FLAG_RECENT;
}

/* ---- telling ---- */

static uint32_t report_expunged(struct folder *f, struct folder_listener const *l) {
  struct message *m = f->view.messages;
  uint32_t to = 0;
  for (uint32_t i = 0; i < f->count; i++) {
    if (!(m[i].bits & BIT_GONE))
      m[to++] = m[i];
    else if (l && l->expunged)
      l->expunged(l->context, to + 1, m[i].uid);
  }
  memmove(m + to, m + f->count, (f->view.n - f->count) * sizeof *m);
  f->view.n -= f->count - to;
  return to;
}

static void report_flags(struct folder *f, uint32_t old_count, struct folder_listener const *l) {
  for (uint32_t i = 0; i < f->count; i++) {
    struct message *m = &f->view.messages[i];
    if (!(m->bits & BIT_CHANGED)) continue;
    m->bits &= ~(unsigned int)BIT_CHANGED;
    if (i < old_count && !(m->bits & BIT_GONE) && l && l->flags) l->flags(l->context, i + 1);
  }
}

static void report(struct folder *f, bool may_expunge, struct folder_listener const *l) {
  struct view *v = &f->view;
  bool dirty = v->dirty;
  if (dirty) view_sweep(v, f->count);
  if (dirty && may_expunge) f->count = report_expunged(f, l);
  uint32_t old_count = f->count;
  if (v->n > old_count) {
    f->count = v->n;
    dirty = true; /* new ones carry BIT_CHANGED */
    if (l && l->exists) l->exists(l->context, f->count, old_count);
  }
  if (v->nkeywords > f->told_keywords) {
    f->told_keywords = v->nkeywords;
    if (l && l->keywords) l->keywords(l->context);
  }
  if (dirty) report_flags(f, old_count, l);
  /* Without may_expunge those that are gone remain to be told. */
  v->dirty = dirty && !may_expunge;
}

enum store_error folder_sync(struct folder *f, bool may_expunge, struct folder_listener const *l) {
  if (f->lost || !folder_exists(f)) return STORE_NONEXISTENT;
  bool select = f->mode == FOLDER_SELECT && !f->frozen;
  enum store_error e = folder_refresh(f, select);
  if (!e && select && has_unclaimed(f)) e = claim(f);
  if (e) return e;
  if (!select) show_unclaimed(f);
  report(f, may_expunge, l);
  if (may_expunge) sessions_told(f);
  return STORE_OK;
}
