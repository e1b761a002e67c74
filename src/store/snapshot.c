/* Replacing a journal: by a snapshot of what it says (compaction), by one that is mended (repair),
 * by an empty one. */
#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What an average entry takes, and the rest of a snapshot. */
enum { TYPICAL_ENTRY = 128, TYPICAL_REST = 1024 };

bool folder_wants_snapshot(struct folder const *f) {
  uint64_t expected = (uint64_t)f->view.n * TYPICAL_ENTRY + TYPICAL_REST;
  return f->journal.end > COMPACT_MINIMUM && f->journal.end / COMPACT_RATIO > expected;
}

void record_state(struct records *r, struct view const *v) {
  record_begin(r, RECORD_STATE);
  record_u32(r, v->uidnext);
  record_u32(r, v->ceiling);
  record_u32(r, v->recent);
  record_u32(r, 0);
  record_u64(r, v->modseq);
  record_u64(r, v->boot);
  record_end(r);
}

void record_keywords(struct records *r, struct view const *v) {
  for (unsigned int i = 0; i < v->nkeywords; i++) {
    size_t size = strlen(v->keywords[i]);
    record_begin(r, RECORD_KEYWORD);
    record_u32(r, i);
    record_u32(r, (uint32_t)size);
    record_bytes(r, v->keywords[i], size);
    record_end(r);
  }
}

static void put_done(struct records *r, uint64_t id) {
  record_begin(r, RECORD_DONE);
  record_u64(r, id);
  record_u32(r, 1);
  record_u32(r, 0);
  record_end(r);
}

/* The ring, oldest first, so that the new journal's ring is the same. */
static void put_committed(struct records *r, struct view const *v) {
  size_t n = v->ncommitted < COMMITTED_BATCHES ? v->ncommitted : COMMITTED_BATCHES;
  for (size_t i = v->ncommitted - n; i < v->ncommitted; i++)
    put_done(r, v->committed[i % COMMITTED_BATCHES]);
}

static void put_pending(struct records *r, struct view const *v) {
  for (size_t i = 0; i < v->npending; i++) {
    struct batch const *b = &v->pending[i];
    record_begin(r, b->move ? RECORD_MOVE : RECORD_INTENT);
    record_u64(r, b->id);
    if (b->move) {
      record_u32(r, b->target_uidvalidity);
      record_u32(r, b->n);
      record_u32(r, (uint32_t)strlen(b->target));
      record_u32(r, 0);
      record_bytes(r, b->target, strlen(b->target));
      record_align(r);
      record_bytes(r, b->uids, b->n * sizeof *b->uids);
    }
    record_end(r);
  }
}

static enum store_error put_entry(struct records *r, struct folder *f, struct message const *m,
                                  uint32_t *offset) {
  struct entry e;
  int dirfd;
  char name[MAILDIR_NAME_MAX + 1];
  enum store_error error = folder_entry(f, m, &e);
  if (!error) error = folder_name(f, m, name, &dirfd);
  if (error) return error;
  memcpy(e.name, name, strlen(name) + 1);
  e.flags = m->bits & FLAG_STANDARD;
  e.modseq = m->modseq;
  e.inode = m->inode;
  e.in_new = m->bits & BIT_NEW;
  size_t at = record_entry(r, &e, view_keywords_of(&f->view, m));
  *offset = (uint32_t)((JOURNAL_HEADER + at) / 8);
  return STORE_OK;
}

static enum store_error put_entries(struct records *r, struct folder *f, uint32_t *offsets) {
  uint32_t in_record = 0, left = f->view.n - f->view.gone;
  enum store_error e = STORE_OK;
  for (uint32_t i = 0; !e && i < f->view.n; i++) {
    struct message const *m = view_at(&f->view, i);
    if (m->bits & BIT_GONE) continue;
    if (!in_record) {
      in_record = left < ENTRIES_PER_RECORD ? left : ENTRIES_PER_RECORD;
      record_entries(r, 0, in_record);
    }
    e = put_entry(r, f, m, &offsets[i]);
    left--;
    if (!--in_record) record_end(r);
  }
  return e;
}

/* Takes the new journal into use, and tells who still follows the old one. */
static void switch_to(struct folder *f, struct journal *fresh, uint32_t const *offsets) {
  struct records r = {0};
  view_unmap(&f->view); /* the index is of the old one */
  f->indexed = 0;
  if (f->journal.fd >= 0) {
    record_begin(&r, RECORD_CONTINUED);
    record_u32(&r, fresh->generation);
    record_u32(&r, 0);
    record_end(&r);
    /* Followers also see that the name has another inode: this is only quicker. */
    journal_append(&f->journal, &r, false, &f->view, true);
    records_free(&r);
    journal_close(&f->journal);
  }
  f->journal = *fresh;
  f->view.generation = fresh->generation;
  for (uint32_t i = 0; offsets && i < f->view.n; i++)
    if (offsets[i]) f->view.messages[i].entry = offsets[i];
}

static enum store_error write_new(struct folder *f, struct records *r, uint32_t const *offsets) {
  struct journal fresh;
  int done = journal_create(f->area, f->file_mode, f->group, f->view.generation + 1,
                            f->view.uidvalidity, r, &fresh);
  enum store_error e = done < 0 ? folder_failure(f, "write", AREA "/journal.new") : STORE_OK;
  if (!done || fresh.fd >= 0) switch_to(f, &fresh, offsets);
  return e;
}

enum store_error folder_snapshot(struct folder *f) {
  struct records r = {0};
  struct view *v = &f->view;
  if (v->map) mapping_confirm(v->map);
  uint32_t *offsets = calloc((size_t)v->n + 1, sizeof *offsets);
  if (!offsets) return folder_failure(f, "find memory for", AREA "/journal");
  if (v->boot != f->store->boot && v->ceiling > v->uidnext) v->uidnext = v->ceiling;
  v->boot = f->store->boot;
  record_state(&r, v);
  record_keywords(&r, v);
  put_committed(&r, v);
  put_pending(&r, v);
  enum store_error e = put_entries(&r, f, offsets);
  record_stamps(&r, v->seen);
  if (!e) e = write_new(f, &r, offsets);
  records_free(&r);
  free(offsets);
  return e;
}

enum store_error folder_begin_anew(struct folder *f, char const *why) {
  struct records r = {0};
  uint32_t uidvalidity;
  enum store_error e = store_next_uidvalidity(f->store, &uidvalidity);
  if (e) return e;
  if (why)
    log_event("journal-lost", "path", f->path, "why", why, "consequence",
              "new UIDVALIDITY: clients download again", (char *)0);
  view_free(&f->view);
  view_init(&f->view);
  f->epoch++;
  f->view.uidvalidity = uidvalidity;
  f->view.boot = f->store->boot;
  f->view.modseq = folder_next_modseq(f);
  record_state(&r, &f->view);
  e = write_new(f, &r, 0);
  records_free(&r);
  return e;
}

/* ---- repair ---- */

struct adopting {
  struct folder *f;
  struct bases bases;
  int dirfd;
};

/* In a copied folder a message is known by base name and size. */
static void adopt(void *context, char const *name, uint64_t inode) {
  struct adopting *a = context;
  struct maildir_name n;
  struct entry e;
  struct stat st;
  (void)inode;
  maildir_name_split(name, &n);
  struct bases_search search = bases_search(base_hash(n.base, n.base_size));
  struct message *m = bases_next(&a->bases, &search);
  if (m && !folder_entry(a->f, m, &e) && !fstatat(a->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) &&
      (uint64_t)st.st_size == e.size)
    m->inode = st.st_ino;
}

static enum store_error adopt_inodes(struct folder *f) {
  struct adopting a = {.f = f};
  if (bases_init(&a.bases, &f->view) < 0)
    return folder_failure(f, "find memory for", AREA "/journal");
  a.dirfd = f->new;
  int r = maildir_scan(f->dir, "new", f->new_inode, adopt, 0, &a);
  a.dirfd = f->cur;
  if (!r) r = maildir_scan(f->dir, "cur", f->cur_inode, adopt, 0, &a);
  bases_free(&a.bases);
  return r < 0 ? folder_failure(f, "read", "cur or new") : STORE_OK;
}

static char const *const reasons[] = {
    [REPAIR_DAMAGE] = "it is damaged or has been cut short",
    [REPAIR_MOVED] = "it is a copy or from a backup",
    [REPAIR_BY_HAND] = "maildircheck has been asked to",
};

enum store_error folder_repair(struct folder *f, enum repair_reason reason) {
  struct view *v = &f->view;
  if (v->ceiling > v->uidnext) v->uidnext = v->ceiling;
  if (v->uidnext > UINT32_MAX - 2 * (uint32_t)UID_JUMP)
    return folder_begin_anew(f, "its UIDs are used up");
  log_event("journal-repaired", "path", f->path, "why", reasons[reason], "consequence",
            "messages keep their UIDs where they are known", (char *)0);
  if (reason == REPAIR_MOVED) {
    enum store_error e = adopt_inodes(f);
    if (e) return e;
  }
  /* The record that committed them may be what is lost. */
  view_drop_intents(v);
  v->uidnext += UID_JUMP;
  v->ceiling = v->uidnext;
  v->modseq = folder_next_modseq(f);
  for (uint32_t i = 0; i < v->n; i++) {
    struct message *m = view_at(v, i);
    m->modseq = v->modseq;
    view_touch(v, m, BIT_CHANGED);
  }
  memset(v->seen, 0, sizeof v->seen);
  return folder_snapshot(f);
}
