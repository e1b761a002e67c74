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
static uint32_t first_unclaimed(struct folder const *f) {
  struct view const *v = &f->view;
  uint32_t uid = v->recent + 1;
  if (v->in_new && v->new_from < uid) uid = v->new_from;
  uint32_t i = view_find(v, uid);
  return i > f->count ? i : f->count;
}

static bool has_unclaimed(struct folder const *f) {
  for (uint32_t i = first_unclaimed(f); i < f->view.n; i++)
    if (is_unclaimed(&f->view, view_at(&f->view, i))) return true;
  return false;
}

static void set_recent(struct folder *f, struct message *m) {
  m->bits |= FLAG_RECENT;
  if (m->uid < f->recent_from) f->recent_from = m->uid;
}

/* False: it stays in new/, where it can be read as well. */
static bool move_to_cur(struct folder *f, struct message const *m) {
  char old[MAILDIR_NAME_MAX + 1], name[MAILDIR_NAME_MAX + 1];
  struct maildir_name n;
  int dirfd;
  if (folder_name(f, m, old, &dirfd)) return false;
  maildir_name_split(old, &n);
  if (!maildir_name_join(name, sizeof name, &n, m->bits & FLAG_STANDARD)) return false;
  if (!maildir_rename(f->new, old, f->cur, name)) {
    own_changed(f, OWN_MOVED_OUT, f->new, old);
    own_changed(f, OWN_MOVED_IN, f->cur, name);
    return true;
  }
  f->rescan = true; /* somebody else has renamed it, or put another there */
  if (errno != ENOENT && errno != EEXIST) folder_failure(f, "move to cur the file new/", old);
  return false;
}

/* Under the lock. */
static enum store_error claim_locked(struct folder *f) {
  struct records r = {0};
  struct view *v = &f->view;
  uint32_t first = first_unclaimed(f), n = 0;
  uint32_t *moved = malloc((size_t)(v->n - first) * sizeof *moved + 1);
  if (!moved) return folder_failure(f, "find memory for", 0);
  for (uint32_t i = first; i < v->n; i++) {
    struct message *m = view_at(v, i);
    if (m->bits & BIT_GONE) continue;
    if (m->uid > v->recent) set_recent(f, m);
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
  if (has_unclaimed(f)) {
    own_begin(f);
    e = claim_locked(f);
    own_end(f, !e && !f->rescan);
  }
  folder_unlock(f);
  return e;
}

/* An examined folder shows what nobody has claimed, without claiming it. */
static void show_unclaimed(struct folder *f) {
  uint32_t i = view_find(&f->view, f->view.recent + 1);
  for (i = i > f->count ? i : f->count; i < f->view.n; i++) set_recent(f, view_at(&f->view, i));
}

/* ---- telling ---- */

struct telling {
  struct folder_listener const *l;
};

static void tell_expunged(void *context, uint32_t index, uint32_t uid) {
  struct telling const *t = context;
  if (t->l && t->l->expunged) t->l->expunged(t->l->context, index + 1, uid);
}

static uint32_t report_expunged(struct folder *f, struct folder_listener const *l) {
  struct telling t = {l};
  return view_drop(&f->view, 0, f->count, tell_expunged, &t);
}

static int by_number(void const *a, void const *b) {
  uint32_t const *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

/* Those that are gone remain touched until they are told. */
static void report_flags(struct folder *f, uint32_t old_count, struct folder_listener const *l) {
  struct view *v = &f->view;
  uint32_t kept = 0;
  if (v->ntouched) qsort(v->touched, v->ntouched, sizeof *v->touched, by_number);
  for (uint32_t t = 0; t < v->ntouched; t++) {
    uint32_t uid = v->touched[t], i = view_find(v, uid);
    struct message *m = i < v->n ? view_at(v, i) : 0;
    if (!m || m->uid != uid) continue;
    bool changed = m->bits & BIT_CHANGED;
    m->bits &= ~(unsigned int)BIT_CHANGED;
    if (m->bits & BIT_GONE)
      v->touched[kept++] = uid;
    else if (changed && i < old_count && l && l->flags)
      l->flags(l->context, i + 1);
  }
  v->ntouched = kept;
}

static void report(struct folder *f, bool may_expunge, struct folder_listener const *l) {
  struct view *v = &f->view;
  if (v->gone) view_sweep(v, f->count);
  if (v->gone && may_expunge) f->count -= report_expunged(f, l);
  uint32_t old_count = f->count;
  if (v->n > old_count) {
    f->count = v->n;
    if (l && l->exists) l->exists(l->context, f->count, old_count);
  }
  if (v->nkeywords > f->told_keywords) {
    f->told_keywords = v->nkeywords;
    if (l && l->keywords) l->keywords(l->context);
  }
  if (v->ntouched) report_flags(f, old_count, l);
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
