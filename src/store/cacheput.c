/* What has been put into the cache and is not written yet. */
#include "store/cache.h"

#include <stdlib.h>
#include <string.h>

/* glibc keeps smaller blocks that were freed, and the pages they are on. */
enum { FIRST_ROOM = 4096 };

/* Messages are mostly put in order, and asked for behind what has been put. */
struct cache_new *cache_find_pending(struct cache const *c, uint32_t uid) {
  if (uid > c->pending.highest) return 0;
  for (uint32_t i = c->pending.n; i--;)
    if (c->pending.entries[i].entry.uid == uid) return &c->pending.entries[i];
  return 0;
}

enum cache_answer cache_get_pending(struct cache const *c, struct cache_entry const *e,
                                    enum cache_column column, struct cache_value *v) {
  struct cache_record r;
  enum cache_answer answer;
  if (cache_answered(e->at[column], &answer, v)) return answer;
  char const *p = c->pending.values[column].s + 8 * (size_t)(e->at[column] - PENDING_BASE);
  memcpy(&r, p, sizeof r);
  *v = (struct cache_value){p + sizeof r, r.size};
  return CACHE_KNOWN;
}

void cache_drop_pending(struct cache *c) {
  for (size_t i = 0; i < CACHE_COLUMNS; i++) stralloc_free(&c->pending.values[i]);
  free(c->pending.entries);
  c->pending = (struct cache_pending){0};
}

static uint32_t put_value(struct folder const *f, struct cache_pending *p, uint32_t uid,
                          uint64_t inode, enum cache_column column, struct cache_value const *v) {
  static char const zeros[8];
  stralloc *out = &p->values[column];
  if (!v->data || v->size > CACHE_VALUE_MAX) return CACHE_AT_LARGE;
  if (!v->size) return CACHE_AT_EMPTY;
  struct cache_record const r = {uid, (uint32_t)v->size,
                                 cache_record_check(f, uid, inode, column, v->data, v->size)};
  uint32_t at = PENDING_BASE + (uint32_t)(out->len / 8);
  if (!stralloc_ready(out, FIRST_ROOM) || !stralloc_catb(out, (char const *)&r, sizeof r) ||
      !stralloc_catb(out, v->data, v->size) || !stralloc_catb(out, zeros, -v->size & 7))
    log_die_memory();
  p->bytes += sizeof r + v->size;
  return at;
}

/* Nothing is known of it yet; null without memory. */
static struct cache_new *new_pending(struct folder const *f, struct cache_pending *p,
                                     uint32_t seq) {
  if (p->n == p->room) {
    uint32_t room = p->room ? 2 * p->room : 64;
    struct cache_new *grown = realloc(p->entries, room * sizeof *grown);
    if (!grown) return 0;
    p->entries = grown;
    p->room = room;
  }
  struct cache_new *e = &p->entries[p->n++];
  *e = (struct cache_new){.entry = {.uid = folder_uid(f, seq)}, .inode = folder_inode(f, seq)};
  if (e->entry.uid > p->highest) p->highest = e->entry.uid;
  p->bytes += sizeof *e;
  return e;
}

void cache_put(struct folder *f, uint32_t seq, struct cache_numbers const *numbers,
               struct cache_value const values[CACHE_LATE]) {
  if (!cache_writable(f)) return;
  struct cache_pending *p = &f->cache->pending;
  struct cache_new *e = new_pending(f, p, seq);
  if (!e) return;
  e->entry.numbers = *numbers;
  for (unsigned int i = 0; i < CACHE_LATE; i++)
    e->entry.at[i] = put_value(f, p, e->entry.uid, e->inode, (enum cache_column)i, &values[i]);
  if (p->bytes > CACHE_PENDING_MAX) cache_flush(f);
}

bool cache_add(struct folder *f, uint32_t seq, enum cache_column column,
               struct cache_value const *v) {
  if (!cache_writable(f)) return false;
  struct cache *c = f->cache;
  struct cache_new *e = cache_find_pending(c, folder_uid(f, seq));
  if (!e) {
    if (!cache_find(f, c, seq) || !(e = new_pending(f, &c->pending, seq))) return false;
    e->late = true;
  }
  e->entry.at[column] = put_value(f, &c->pending, e->entry.uid, e->inode, column, v);
  if (c->pending.bytes > CACHE_PENDING_MAX) cache_flush(f);
  return true;
}
