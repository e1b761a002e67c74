/* The keywords of a folder: their names, and the sets of them that messages have. */
#include "store/folder.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- names ---- */

int view_keyword(struct view const *v, char const *name) {
  for (unsigned int i = 0; i < v->nkeywords; i++)
    if (!strcasecmp(v->keywords[i], name)) return (int)i;
  return -1;
}

bool keyword_valid(char const *p, size_t size) {
  if (!size || size > KEYWORD_SIZE_MAX) return false;
  for (size_t i = 0; i < size; i++)
    if ((unsigned char)p[i] <= ' ' || (unsigned char)p[i] >= 127 || strchr("(){%*\"\\]", p[i]))
      return false;
  return true;
}

/* ---- sets ---- */

struct keyword_set const *view_keywords_of(struct view const *v, struct message const *m) {
  return &v->sets[m->keywords < v->nsets ? m->keywords : 0];
}

static uint64_t set_hash(struct keyword_set const *s) {
  return store_hash(0, s, sizeof *s);
}

static void set_table_put(struct view *v, uint32_t id) {
  uint32_t mask = v->set_table_size - 1;
  uint32_t at = (uint32_t)set_hash(&v->sets[id]) & mask;
  while (v->set_table[at]) at = (at + 1) & mask;
  v->set_table[at] = id + 1;
}

static void set_table_grow(struct view *v) {
  v->set_table_size = v->set_table_size ? v->set_table_size * 2 : 16;
  free(v->set_table);
  v->set_table = calloc(v->set_table_size, sizeof *v->set_table);
  if (!v->set_table) log_die_memory();
  for (uint32_t i = 0; i < v->nsets; i++) set_table_put(v, i);
}

uint32_t view_keyword_set(struct view *v, struct keyword_set const *set) {
  uint32_t mask = v->set_table_size - 1;
  for (uint32_t at = (uint32_t)set_hash(set) & mask; v->set_table[at]; at = (at + 1) & mask)
    if (!memcmp(&v->sets[v->set_table[at] - 1], set, sizeof *set)) return v->set_table[at] - 1;
  v->sets = view_grow(v->sets, &v->sets_room, v->nsets + 1, sizeof *v->sets);
  v->sets[v->nsets++] = *set;
  if (v->nsets * 2 > v->set_table_size)
    set_table_grow(v);
  else
    set_table_put(v, v->nsets - 1);
  return v->nsets - 1;
}

void view_init_sets(struct view *v) {
  v->sets = view_grow(v->sets, &v->sets_room, 4, sizeof *v->sets);
  v->sets[0] = (struct keyword_set){{0}};
  v->nsets = 1;
  set_table_grow(v);
}

void view_drop_sets(struct view *v) {
  struct view fresh = {0};
  uint32_t *ids = calloc(v->nsets, sizeof *ids);
  if (!ids) log_die_memory();
  view_init_sets(&fresh);
  for (uint32_t i = 0; i < v->n; i++) {
    struct message const *m = view_at(v, i);
    if (m->keywords && m->keywords < v->nsets) ids[m->keywords] = 1;
  }
  for (uint32_t i = 1; i < v->nsets; i++)
    if (ids[i]) ids[i] = view_keyword_set(&fresh, &v->sets[i]);
  for (uint32_t i = 0; i < v->n; i++) {
    struct message *m = view_at(v, i);
    uint32_t id = m->keywords < v->nsets ? ids[m->keywords] : 0;
    if (m->keywords != id) m->keywords = id;
  }
  free(ids);
  free(v->sets);
  free(v->set_table);
  v->sets = fresh.sets;
  v->nsets = fresh.nsets;
  v->sets_room = fresh.sets_room;
  v->set_table = fresh.set_table;
  v->set_table_size = fresh.set_table_size;
}
