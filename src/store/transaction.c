/* Following the journal, and the transactions that write it: lock, follow, recover, write, unlock.
 */
#include "store/takeover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* ---- the mark: how far the journal had come, kept in the lock file ----
 * A journal cut short at the end of a record looks whole; the mark says that it is not. */

struct mark {
  uint64_t generation, end, checksum;
};

static void put_mark(struct folder *f) {
  struct mark m = {f->journal.generation, f->journal.end, 0};
  m.checksum = store_hash(3, &m, offsetof(struct mark, checksum));
  /* A mark that cannot be written is only a check less. */
  if (pwrite(f->lock, &m, sizeof m, 0) < 0) log_failure("write", f->path, 0);
}

/* 0: there is none of this journal. */
static uint64_t marked_end(struct folder const *f, struct journal const *j) {
  struct mark m;
  if (pread(f->lock, &m, sizeof m, 0) != (ssize_t)sizeof m) return 0;
  if (m.checksum != store_hash(3, &m, offsetof(struct mark, checksum))) return 0;
  return m.generation == j->generation ? m.end : 0;
}

static bool shorter_than_mark(struct folder const *f) {
  return marked_end(f, &f->journal) > f->journal.end;
}

/* ---- loading a journal in place of the one we had ---- */

/* Carries over what the session knows of a message, or keeps it as gone. */
static void carry(struct view *to, struct view const *from, struct message const *old,
                  struct message *out) {
  struct message const *m = view_message(to, old->uid);
  *out = m ? *m : *old;
  if (!m) {
    out->bits |= BIT_GONE;
    out->keywords = view_keyword_set(to, view_keywords_of(from, old));
    return;
  }
  out->bits = (out->bits & ~(unsigned int)BIT_CHANGED) | (old->bits & (FLAG_RECENT | BIT_CHANGED));
  if (out->modseq != old->modseq) out->bits |= BIT_CHANGED;
}

/* Whether the client can go on from old to fresh without noticing more than changes. */
static bool compatible(struct view const *old, struct view const *fresh, uint32_t count) {
  if (old->uidvalidity != fresh->uidvalidity || fresh->nkeywords < old->nkeywords) return false;
  for (unsigned int i = 0; i < old->nkeywords; i++)
    if (strcmp(old->keywords[i], fresh->keywords[i]) != 0) return false;
  /* No UID may appear among those the client has seen. */
  uint32_t i = 0;
  for (uint32_t j = 0;
       count && j < fresh->n && view_at(fresh, j)->uid <= view_at(old, count - 1)->uid; j++) {
    while (i < count && view_at(old, i)->uid < view_at(fresh, j)->uid) i++;
    if (i == count || view_at(old, i)->uid != view_at(fresh, j)->uid) return false;
  }
  return true;
}

/* Puts the first `count` messages of the old view, as they are now, before the new ones. */
static void merge(struct folder *f, struct view *fresh) {
  struct view *old = &f->view;
  if (!f->count) return; /* the client knows nothing yet */
  uint32_t known = view_find(fresh, view_at(old, f->count - 1)->uid + 1);
  uint32_t n = f->count + (fresh->n - known);
  struct message *all = calloc((size_t)n + 1, sizeof *all);
  if (!all) log_die_memory();
  for (uint32_t i = 0; i < f->count; i++) carry(fresh, old, view_at(old, i), &all[i]);
  view_unmap(fresh);
  if (fresh->n > known)
    memcpy(all + f->count, fresh->messages + known, (fresh->n - known) * sizeof *all);
  free(fresh->messages);
  fresh->messages = all;
  fresh->n = n;
  fresh->room = n + 1;
  view_recount(fresh);
}

static enum store_error install(struct folder *f, struct view *fresh) {
  view_sweep(fresh, 0);
  if (f->view.uidvalidity && !compatible(&f->view, fresh, f->count)) {
    view_free(fresh);
    f->lost = true;
    return STORE_NONEXISTENT;
  }
  merge(f, fresh);
  view_free(&f->view);
  f->view = *fresh;
  if (f->view.map) f->view.map->view = &f->view;
  f->view.expunged = f->view.modseq; /* its EXPUNGEs may be in the old journal only */
  f->epoch++;
  return STORE_OK;
}

static void empty_view(struct view *v, struct journal const *j, uint32_t uidvalidity) {
  view_init(v);
  v->uidvalidity = uidvalidity;
  v->generation = j->generation;
}

static enum journal_end read_from_start(struct journal *j, struct view *v) {
  j->end = JOURNAL_HEADER;
  return journal_read(j, v, true);
}

/* Under the lock, behind a record that is not valid: reads what is.  END_CLEAN: that was all of it;
 * END_BAD: but it was a torn tail; or END_ERROR. */
static enum journal_end read_damaged(struct folder const *f, struct journal *j, struct view *v) {
  uint64_t end = marked_end(f, j);
  int more = journal_read_on(j, v, 0, 0);
  if (more < 0) return END_ERROR;
  if (!more && end <= j->end) return END_BAD;
  struct view known = *v;
  empty_view(v, j, known.uidvalidity);
  bool failed = read_from_start(j, v) == END_ERROR || journal_read_on(j, v, &known, end) < 0;
  view_free(&known);
  return failed ? END_ERROR : END_CLEAN;
}

/* Loads area/journal, from the index on where there is one.  Under the lock, what is wrong with it
 * is put right. */
static enum store_error reload(struct folder *f, bool locked) {
  struct view fresh;
  struct journal j = {.fd = -1};
  uint32_t uidvalidity = 0;
  enum journal_state state = journal_open(f->area, !f->frozen, &j, &uidvalidity);
  if (state == JOURNAL_ERROR) return folder_failure(f, "open", AREA "/journal");
  if (state == JOURNAL_MISSING || state == JOURNAL_INVALID) {
    if (f->view.uidvalidity) f->lost = true;
    if (f->lost) return STORE_NONEXISTENT;
    if (!locked) return STORE_OK; /* the lock's holder makes one */
    bool taken = false;
    enum store_error e = state == JOURNAL_MISSING ? takeover(f, &taken) : STORE_OK;
    if (e) return e;
    if (taken) return reload(f, true);
    return folder_begin_anew(f, state == JOURNAL_INVALID ? "its header is damaged" : 0);
  }
  empty_view(&fresh, &j, uidvalidity);
  /* If this session cannot go on with what all of the journal says, the next one must see it. */
  if (locked && f->journal.damaged) index_drop(f, "the journal it was made from is damaged");
  bool indexed = !j.moved && !f->journal.damaged && index_load(f, &j, &fresh);
  enum journal_end end = journal_read(&j, &fresh, true);
  if (locked && indexed && end == END_BAD) { /* damage is judged by all of the journal */
    view_free(&fresh);
    empty_view(&fresh, &j, uidvalidity);
    end = read_from_start(&j, &fresh);
  }
  j.bad = end == END_BAD;
  if (locked && j.bad) end = read_damaged(f, &j, &fresh);
  bool damaged = j.bad && end == END_CLEAN;
  if (end == END_ERROR) {
    enum store_error e = folder_failure(f, "read", AREA "/journal");
    view_free(&fresh);
    journal_close(&j);
    return e;
  }
  enum store_error e = install(f, &fresh);
  if (e) {
    journal_close(&j);
    return e;
  }
  journal_close(&f->journal);
  f->journal = j;
  if (!locked) return STORE_OK;
  if (j.moved) return folder_repair(f, REPAIR_MOVED);
  if (damaged || shorter_than_mark(f)) return folder_repair(f, REPAIR_DAMAGE);
  return STORE_OK;
}

/* ---- following ---- */

static enum store_error follow(struct folder *f, bool locked) {
  if (f->lost) return STORE_NONEXISTENT;
  int current = f->journal.fd < 0 ? 0 : journal_current(f->area, &f->journal);
  if (current < 0) return folder_failure(f, "stat", AREA "/journal");
  if (!current || (locked && (f->journal.moved || f->journal.damaged))) return reload(f, locked);
  switch (journal_read(&f->journal, &f->view, false)) {
  case END_CLEAN: break;
  case END_ERROR: return folder_failure(f, "read", AREA "/journal");
  case END_BAD:
    /* Without the lock: somebody is writing just now. */
    if (!locked) return STORE_OK;
    return reload(f, true);
  case END_CONTINUED:
  case END_SHORT: return reload(f, locked);
  }
  return locked && shorter_than_mark(f) ? reload(f, true) : STORE_OK;
}

enum store_error folder_follow(struct folder *f) {
  return follow(f, false);
}

bool folder_needs_repair(struct folder const *f) {
  /* A batch that has not ended: its maker may have died. */
  return f->journal.fd < 0 || f->journal.moved || f->journal.bad || f->view.npending ||
         shorter_than_mark(f);
}

/* The lock, and all that the journal says; no recovery. */
static enum store_error lock_and_follow(struct folder *f) {
  if (f->frozen) return STORE_NOPERM;
  if (lock_file(f->lock, LOCK_WRITE, LOCK_TIMEOUT_MS) < 0)
    return folder_failure(f, "lock", AREA "/lock");
  enum store_error e = follow(f, true);
  if (!e) e = batch_recover(f);
  if (e) folder_unlock(f);
  return e;
}

void folder_unlock(struct folder *f) {
  lock_file(f->lock, LOCK_NONE, -1);
}

enum store_error folder_lock(struct folder *f) {
  for (;;) {
    enum store_error e = lock_and_follow(f);
    if (e || !batch_move_pending(f)) return e;
    folder_unlock(f);
    if ((e = batch_resolve_moves(f))) return e;
  }
}

static bool before(struct folder const *a, struct folder const *b) {
  return a->device != b->device ? a->device < b->device : a->inode < b->inode;
}

enum store_error folder_lock_two(struct folder *a, struct folder *b) {
  if (a == b) return folder_lock(a);
  struct folder *first = before(a, b) ? a : b, *second = first == a ? b : a;
  enum store_error e = lock_and_follow(first);
  if (e) return e;
  e = lock_and_follow(second);
  if (e) folder_unlock(first);
  return e;
}

void folder_unlock_two(struct folder *a, struct folder *b) {
  folder_unlock(a);
  if (a != b) folder_unlock(b);
}

/* ---- writing ---- */

enum store_error folder_write(struct folder *f, struct records *r, bool sync, bool quiet) {
  enum store_error e = STORE_OK;
  if (r->too_large) {
    records_free(r);
    return STORE_LIMIT;
  }
  if (!r->size) return STORE_OK;
  int written = journal_append(&f->journal, r, sync, &f->view, quiet);
  if (written == -1) e = folder_failure(f, "write", AREA "/journal");
  if (written == -2) {
    folder_failure(f, "sync", AREA "/journal");
    e = folder_snapshot(f);
  }
  records_free(r);
  if (!e) put_mark(f);
  return e;
}

enum store_error folder_reserve(struct folder *f, uint32_t n) {
  struct view *v = &f->view;
  struct records r = {0};
  bool booted = v->boot != f->store->boot;
  uint64_t first = booted && v->ceiling > v->uidnext ? v->ceiling : v->uidnext;
  uint64_t need = first + n;
  if (need >= UINT32_MAX) return STORE_LIMIT;
  if (!booted && need <= v->ceiling) return STORE_OK;
  uint64_t ceiling = need + CEILING_STEP < UINT32_MAX ? need + CEILING_STEP : UINT32_MAX;
  record_begin(&r, RECORD_CEILING);
  record_u32(&r, (uint32_t)ceiling);
  record_u32(&r, 0);
  record_u64(&r, f->store->boot);
  record_end(&r);
  return folder_write(f, &r, true, true);
}

uint64_t folder_next_modseq(struct folder const *f) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
  return us > f->view.modseq ? us : f->view.modseq + 1;
}

enum store_error folder_intern(struct folder *f, char const *name, unsigned int *id) {
  struct records r = {0};
  size_t size = strlen(name);
  int known = view_keyword(&f->view, name);
  *id = known < 0 ? f->view.nkeywords : (unsigned int)known;
  if (known >= 0) return STORE_OK;
  if (*id >= KEYWORDS_MAX || !size || size > KEYWORD_SIZE_MAX) return STORE_LIMIT;
  record_begin(&r, RECORD_KEYWORD);
  record_u32(&r, *id);
  record_u32(&r, (uint32_t)size);
  record_bytes(&r, name, size);
  record_end(&r);
  return folder_write(f, &r, false, true);
}
