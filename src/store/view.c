/* A folder as its journal tells it: messages and counters.  No files here; keywords.c has the
 * keywords, apply.c how each record changes all that. */
#include "store/folder.h"

#include <stdlib.h>
#include <string.h>

void *view_grow(void *array, uint32_t *room, uint32_t want, size_t size) {
  if (want <= *room) return array;
  uint32_t grown = *room < 64 ? 64 : *room + *room / 2;
  if (grown < want) grown = want;
  void *p = realloc(array, grown * size);
  if (!p) log_die_memory();
  *room = grown;
  return p;
}

/* ---- the view ---- */

void view_init(struct view *v) {
  *v = (struct view){.uidnext = 1, .ceiling = 1, .unseen_from = UINT32_MAX, .new_from = UINT32_MAX};
  view_init_sets(v);
}

void view_free(struct view *v) {
  for (unsigned int i = 0; i < v->nkeywords; i++) free(v->keywords[i]);
  view_free_batches(v);
  free(v->keywords);
  if (v->map)
    mapping_free(v->map);
  else
    free(v->messages);
  free(v->touched);
  free(v->sets);
  free(v->set_table);
  *v = (struct view){0};
}

/* UIDs ascend from 1 at least to less than uidnext: no more than uid - 1 messages can be before,
 * nor more than uidnext - uid behind.  Where few have been expunged, that leaves little of the
 * index to look at, and so to read and verify. */
uint32_t view_find(struct view const *v, uint32_t uid) {
  if (!uid) return 0;
  if (uid >= v->uidnext) return v->n;
  uint32_t behind = v->uidnext - uid;
  uint32_t low = v->n > behind ? v->n - behind : 0, high = v->n < uid - 1 ? v->n : uid - 1;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (view_at(v, middle)->uid < uid)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

struct message *view_message(struct view *v, uint32_t uid) {
  uint32_t i = view_find(v, uid);
  if (i == v->n) return 0;
  struct message *m = view_at(v, i);
  return m->uid != uid || m->bits & BIT_GONE ? 0 : m;
}

void view_unmap(struct view *v) {
  if (!v->map) return;
  struct message *own = malloc((size_t)v->n * sizeof *own + 1);
  if (!own) log_die_memory();
  mapping_check_from(v->map, 0);
  mapping_confirm(v->map);
  if (v->n) memcpy(own, v->messages, (size_t)v->n * sizeof *own);
  mapping_free(v->map);
  v->map = 0;
  v->messages = own;
  v->room = v->n;
}

/* ---- counting ---- */

void view_count(struct view *v, struct message const *m, bool on) {
  uint32_t one = on ? 1 : UINT32_MAX;
  if (!(m->bits & FLAG_SEEN)) {
    v->unseen += one;
    if (on && m->uid < v->unseen_from) v->unseen_from = m->uid;
  }
  if (m->bits & FLAG_DELETED) v->deleted += one;
  if (m->bits & BIT_NEW) {
    v->in_new += one;
    if (on && m->uid < v->new_from) v->new_from = m->uid;
  }
}

/* Before or after a record changes it. */
void view_changing(struct view *v, struct message const *m) {
  if (v->map) mapping_changed(v->map, m);
}

static void note_touched(struct view *v, uint32_t uid) {
  v->touched = view_grow(v->touched, &v->touched_room, v->ntouched + 1, sizeof *v->touched);
  v->touched[v->ntouched++] = uid;
}

void view_touch(struct view *v, struct message *m, unsigned int bit) {
  if (!(m->bits & (BIT_GONE | BIT_CHANGED))) note_touched(v, m->uid);
  view_changing(v, m);
  if (bit == BIT_GONE && !(m->bits & BIT_GONE)) {
    view_count(v, m, false);
    v->gone++;
  }
  m->bits |= bit;
}

void view_recount(struct view *v) {
  v->unseen = v->deleted = v->in_new = v->gone = v->ntouched = 0;
  v->unseen_from = v->new_from = UINT32_MAX;
  for (uint32_t i = 0; i < v->n; i++) {
    struct message const *m = view_at(v, i);
    if (m->bits & BIT_GONE)
      v->gone++;
    else
      view_count(v, m, true);
    if (m->bits & (BIT_GONE | BIT_CHANGED)) note_touched(v, m->uid);
  }
}

/* ---- dropping ---- */

/* The lowest index of one that is gone, at least `from`; v->n if there is none. */
static uint32_t first_gone(struct view const *v, uint32_t from) {
  uint32_t first = v->n;
  for (uint32_t t = 0; v->gone && t < v->ntouched; t++) {
    uint32_t i = view_find(v, v->touched[t]);
    if (i >= from && i < first && view_at(v, i)->bits & BIT_GONE) first = i;
  }
  return first;
}

static void forget_dropped(struct view *v) {
  uint32_t kept = 0;
  for (uint32_t t = 0; t < v->ntouched; t++) {
    uint32_t i = view_find(v, v->touched[t]);
    if (i < v->n && view_at(v, i)->uid == v->touched[t]) v->touched[kept++] = v->touched[t];
  }
  v->ntouched = kept;
}

uint32_t view_drop(struct view *v, uint32_t from, uint32_t to,
                   void (*dropped)(void *, uint32_t, uint32_t), void *context) {
  uint32_t first = first_gone(v, from), kept = first;
  if (first >= to) return 0;
  struct message *m = v->messages;
  if (v->map) {
    mapping_check_from(v->map, first);
    mapping_confirm(v->map); /* behind the move nobody could tell */
    v->map->moving = true;
  }
  for (uint32_t i = first; i < to; i++) {
    if (!(m[i].bits & BIT_GONE)) {
      m[kept++] = m[i];
      continue;
    }
    if (v->map) mapping_removed(v->map, m[i].uid);
    if (dropped) dropped(context, kept, m[i].uid);
  }
  memmove(m + kept, m + to, (v->n - to) * sizeof *m);
  if (v->map) v->map->moving = false;
  v->n -= to - kept;
  v->gone -= to - kept;
  forget_dropped(v);
  return to - kept;
}

void view_sweep(struct view *v, uint32_t from) {
  view_drop(v, from, v->n, 0, 0);
}
