/* What each record of the journal means for a view, and the batches that records begin and end. */
#include "store/folder.h"

#include <stdlib.h>
#include <string.h>

/* ---- batches ---- */

static void free_batch(struct batch *b) {
  free(b->target);
  free(b->uids);
}

void view_free_batches(struct view *v) {
  for (size_t i = 0; i < v->npending; i++) free_batch(&v->pending[i]);
  free(v->pending);
}

static struct batch *begin_batch(struct view *v, uint64_t id) {
  struct batch *grown = realloc(v->pending, (v->npending + 1) * sizeof *grown);
  if (!grown) log_die_memory();
  v->pending = grown;
  v->pending[v->npending] = (struct batch){.id = id};
  return &v->pending[v->npending++];
}

static void end_batch(struct view *v, uint64_t id) {
  for (size_t i = 0; i < v->npending; i++) {
    if (v->pending[i].id != id) continue;
    free_batch(&v->pending[i]);
    v->pending[i] = v->pending[--v->npending];
    return;
  }
}

void view_drop_intents(struct view *v) {
  for (size_t i = v->npending; i-- > 0;)
    if (!v->pending[i].move) end_batch(v, v->pending[i].id);
}

static void commit_batch(struct view *v, uint64_t id) {
  v->committed[v->ncommitted++ % COMMITTED_BATCHES] = id;
  end_batch(v, id);
}

bool view_committed(struct view const *v, uint64_t id) {
  for (size_t i = 0; i < COMMITTED_BATCHES && i < v->ncommitted; i++)
    if (v->committed[i] == id) return true;
  return false;
}

/* ---- records ---- */

struct applying {
  struct view *v;
  struct cursor c;
  char const *begin;
  uint64_t offset;
  bool quiet;
};

static void raise_modseq(struct view *v, uint64_t modseq) {
  if (modseq > v->modseq) v->modseq = modseq;
}

static void change(struct applying *a, struct message *m, uint64_t modseq) {
  m->modseq = modseq;
  raise_modseq(a->v, modseq);
  if (!a->quiet) view_touch(a->v, m, BIT_CHANGED);
}

static bool apply_state(struct applying *a) {
  struct view *v = a->v;
  uint32_t uidnext = take_u32(&a->c);
  if (uidnext > v->uidnext) v->uidnext = uidnext;
  v->ceiling = take_u32(&a->c);
  v->recent = take_u32(&a->c);
  take_u32(&a->c);
  raise_modseq(v, take_u64(&a->c));
  v->boot = take_u64(&a->c);
  return uidnext > 0;
}

/* Makes the keywords up to id known, those before it and those that are used before they are told
 * of by a name of ours: a damaged journal may have lost theirs.  The ids must be taken, or messages
 * that have one would have the next keyword there is. */
static void know_keywords(struct view *v, uint32_t id, char const *name, size_t size) {
  char **grown = realloc(v->keywords, (id + 1) * sizeof *grown);
  if (!grown) log_die_memory();
  v->keywords = grown;
  for (; v->nkeywords <= id; v->nkeywords++) {
    char lost[5 + 21] = "lost-";
    log_number(lost + 5, v->nkeywords);
    char *copy = v->nkeywords == id && name ? strndup(name, size) : strdup(lost);
    if (!copy) log_die_memory();
    v->keywords[v->nkeywords] = copy;
  }
}

static bool apply_keyword(struct applying *a) {
  uint32_t id = take_u32(&a->c), size = take_u32(&a->c);
  char const *name = take_bytes(&a->c, size);
  if (id >= KEYWORDS_MAX || !name || !keyword_valid(name, size)) return false;
  if (id >= a->v->nkeywords) know_keywords(a->v, id, name, size);
  return true;
}

static uint32_t take_set(struct applying *a, uint16_t const *ids, unsigned int n) {
  struct keyword_set set = {{0}};
  for (unsigned int i = 0; i < n; i++) {
    if (ids[i] >= KEYWORDS_MAX) continue;
    if (ids[i] >= a->v->nkeywords) know_keywords(a->v, ids[i], 0, 0);
    set.words[ids[i] / 64] |= UINT64_C(1) << ids[i] % 64;
  }
  return view_keyword_set(a->v, &set);
}

static unsigned int name_bits(struct entry const *e) {
  struct maildir_name n;
  char joined[MAILDIR_NAME_MAX + 16];
  unsigned int bits = e->in_new ? BIT_NEW : 0;
  maildir_name_split(e->name, &n);
  if (!n.info) return bits;
  bits |= BIT_INFO;
  if (!maildir_name_is_plain(&n)) bits |= BIT_LETTERS;
  maildir_name_join(joined, sizeof joined, &n, maildir_name_flags(&n));
  return strcmp(joined, e->name) ? bits | BIT_EXACT : bits;
}

static struct message *add_message(struct view *v) {
  if (v->map && v->n == v->map->room) view_unmap(v);
  if (!v->map) v->messages = view_grow(v->messages, &v->room, v->n + 1, sizeof *v->messages);
  return &v->messages[v->n++];
}

/* The message an entry is about; null: it has been expunged meanwhile. */
static struct message *entry_message(struct view *v, struct entry const *e) {
  uint32_t i = view_find(v, e->uid);
  if (i < v->n) {
    struct message *m = view_message(v, e->uid);
    if (m) {
      view_count(v, m, false);
      view_changing(v, m);
    }
    return m;
  }
  struct message *m = add_message(v);
  /* A new one is told as new, not as changed. */
  *m = (struct message){.uid = e->uid, .modseq = e->modseq};
  raise_modseq(v, e->modseq);
  return m;
}

static uint32_t short_date(int64_t t) {
  return t >= 0 && t < DATE_ELSEWHERE ? (uint32_t)t : DATE_ELSEWHERE;
}

static void apply_one_entry(struct applying *a, struct entry const *e, uint64_t offset,
                            uint32_t set) {
  struct view *v = a->v;
  struct maildir_name n;
  struct message *m = entry_message(v, e);
  if (!m) return;
  unsigned int kept = m->bits & (FLAG_RECENT | BIT_CHANGED);
  maildir_name_split(e->name, &n);
  m->inode = e->inode;
  m->hash = base_hash(n.base, n.base_size);
  m->entry = (uint32_t)(offset / 8);
  m->keywords = set;
  m->bits = e->flags | kept | name_bits(e);
  m->date = short_date(e->mtime);
  m->saved = e->saved;
  view_count(v, m, true);
  if (m->modseq != e->modseq) change(a, m, e->modseq);
  if (e->uid >= v->uidnext) v->uidnext = e->uid + 1;
}

static bool apply_entry(struct applying *a) {
  uint64_t batch = take_u64(&a->c);
  uint32_t n = take_u32(&a->c);
  take_u32(&a->c);
  while (n--) {
    struct entry e;
    uint16_t ids[KEYWORDS_MAX];
    unsigned int nids;
    size_t size = a->c.bad ? 0 : entry_parse(a->c.at, (size_t)(a->c.end - a->c.at), &e, ids, &nids);
    if (!size) return false;
    apply_one_entry(a, &e, a->offset + (uint64_t)(a->c.at - a->begin), take_set(a, ids, nids));
    a->c.at += size;
  }
  if (batch) commit_batch(a->v, batch);
  return true;
}

size_t view_salvage(struct view *v, struct view const *known, char const *data, size_t size,
                    uint64_t offset) {
  struct applying a = {v, {data, data + size, false}, data, offset, true};
  struct entry e;
  uint16_t ids[KEYWORDS_MAX];
  unsigned int nids;
  size_t taken = entry_parse(data, size, &e, ids, &nids);
  if (!taken) return 0;
  uint32_t lowest = v->n ? view_at(v, v->n - 1)->uid + 1 : 1, next = view_find(known, lowest);
  if (e.uid >= lowest && (next == known->n || e.uid < view_at(known, next)->uid))
    apply_one_entry(&a, &e, offset, take_set(&a, ids, nids));
  return taken;
}

/* A changed standard flag is a rename to the joined name in cur/. */
static void set_flags(struct message *m, unsigned int flags) {
  if ((m->bits & FLAG_STANDARD) == flags) return;
  m->bits = (m->bits & ~(unsigned int)(FLAG_STANDARD | BIT_NEW | BIT_EXACT)) | flags | BIT_INFO;
}

static bool apply_flags(struct applying *a) {
  uint64_t modseq = take_u64(&a->c);
  unsigned int flags = take_u16(&a->c) & FLAG_STANDARD, nids = take_u16(&a->c);
  uint32_t n = take_u32(&a->c);
  uint16_t ids[KEYWORDS_MAX];
  if (nids > KEYWORDS_MAX) return false;
  char const *p = take_bytes(&a->c, 2 * (size_t)nids);
  take_bytes(&a->c, -(2 * (size_t)nids) & 7);
  if (!p) return false;
  memcpy(ids, p, 2 * (size_t)nids);
  uint32_t set = take_set(a, ids, nids);
  while (n-- && !a->c.bad) {
    struct message *m = view_message(a->v, take_u32(&a->c));
    if (!m) continue;
    view_changing(a->v, m);
    view_count(a->v, m, false);
    set_flags(m, flags);
    view_count(a->v, m, true);
    m->keywords = set;
    change(a, m, modseq);
  }
  return true;
}

static bool apply_cur(struct applying *a) {
  uint32_t n = take_u32(&a->c);
  take_u32(&a->c);
  while (n-- && !a->c.bad) {
    struct message *m = view_message(a->v, take_u32(&a->c));
    if (!m) continue;
    view_changing(a->v, m);
    view_count(a->v, m, false);
    m->bits = (m->bits & ~(unsigned int)(BIT_NEW | BIT_EXACT)) | BIT_INFO;
    view_count(a->v, m, true);
  }
  return true;
}

static bool apply_expunge(struct applying *a) {
  uint64_t modseq = take_u64(&a->c);
  raise_modseq(a->v, modseq);
  if (modseq > a->v->expunged) a->v->expunged = modseq;
  uint32_t n = take_u32(&a->c);
  take_u32(&a->c);
  while (n-- && !a->c.bad) {
    struct message *m = view_message(a->v, take_u32(&a->c));
    if (m) view_touch(a->v, m, BIT_GONE);
  }
  return true;
}

static bool apply_recent(struct applying *a) {
  uint32_t uid = take_u32(&a->c);
  if (uid > a->v->recent) a->v->recent = uid;
  return true;
}

static bool apply_intent(struct applying *a) {
  uint64_t id = take_u64(&a->c);
  if (!a->c.bad) begin_batch(a->v, id);
  return true;
}

static bool apply_move(struct applying *a) {
  uint64_t id = take_u64(&a->c);
  uint32_t uidvalidity = take_u32(&a->c), n = take_u32(&a->c), name_size = take_u32(&a->c);
  take_u32(&a->c);
  if (name_size > MAILDIR_NAME_MAX) return false;
  char const *name = take_bytes(&a->c, name_size);
  take_bytes(&a->c, -name_size & 7);
  char const *uids = take_bytes(&a->c, (size_t)n * sizeof(uint32_t));
  if (a->c.bad) return false;
  struct batch *b = begin_batch(a->v, id);
  b->move = true;
  b->target_uidvalidity = uidvalidity;
  b->target = strndup(name, name_size);
  b->uids = malloc(n * sizeof *b->uids + 1);
  if (!b->target || !b->uids) log_die_memory();
  memcpy(b->uids, uids, n * sizeof *b->uids);
  b->n = n;
  return true;
}

static bool apply_done(struct applying *a) {
  uint64_t id = take_u64(&a->c);
  if (take_u32(&a->c))
    commit_batch(a->v, id);
  else
    end_batch(a->v, id);
  return true;
}

static bool apply_scanned(struct applying *a) {
  struct maildir_stamp seen[2];
  for (int i = 0; i < 2; i++) {
    seen[i].inode = take_u64(&a->c);
    seen[i].mtime.tv_sec = (time_t)take_u64(&a->c);
    seen[i].mtime.tv_nsec = (long)take_u64(&a->c);
    seen[i].ctime.tv_sec = (time_t)take_u64(&a->c);
    seen[i].ctime.tv_nsec = (long)take_u64(&a->c);
  }
  if (!a->c.bad) memcpy(a->v->seen, seen, sizeof seen);
  return true;
}

static bool apply_continued(struct applying *a) {
  take_u32(&a->c);
  return true;
}

static bool apply_ceiling(struct applying *a) {
  struct view *v = a->v;
  uint32_t ceiling = take_u32(&a->c);
  take_u32(&a->c);
  uint64_t boot = take_u64(&a->c);
  if (boot != v->boot && v->ceiling > v->uidnext) v->uidnext = v->ceiling;
  v->boot = boot;
  if (ceiling > v->ceiling) v->ceiling = ceiling;
  return true;
}

static bool (*const appliers[])(struct applying *) = {
    [RECORD_STATE] = apply_state,     [RECORD_KEYWORD] = apply_keyword,
    [RECORD_ENTRY] = apply_entry,     [RECORD_FLAGS] = apply_flags,
    [RECORD_CUR] = apply_cur,         [RECORD_EXPUNGE] = apply_expunge,
    [RECORD_RECENT] = apply_recent,   [RECORD_INTENT] = apply_intent,
    [RECORD_MOVE] = apply_move,       [RECORD_DONE] = apply_done,
    [RECORD_SCANNED] = apply_scanned, [RECORD_CONTINUED] = apply_continued,
    [RECORD_CEILING] = apply_ceiling,
};

bool view_apply(struct view *v, unsigned int type, char const *content, size_t size,
                uint64_t offset, bool quiet) {
  struct applying a = {v, {content, content + size, false}, content, offset, quiet};
  if (type >= sizeof appliers / sizeof *appliers || !appliers[type]) return false;
  return appliers[type](&a) && !a.c.bad;
}
