/* Finding messages by the base names of their files. */
#include "store/folder.h"

#include <stdlib.h>

int bases_init(struct bases *b, struct view const *v) {
  uint32_t size = 16;
  while (size < v->n * 2) size *= 2;
  *b = (struct bases){v, calloc(size, sizeof *b->table), size - 1};
  if (!b->table) return -1;
  for (uint32_t i = 0; i < v->n; i++) {
    struct message const *m = view_at(v, i);
    if (m->bits & BIT_GONE) continue;
    uint32_t at = (uint32_t)m->hash & b->mask;
    while (b->table[at]) at = (at + 1) & b->mask;
    b->table[at] = i + 1;
  }
  return 0;
}

void bases_free(struct bases *b) {
  free(b->table);
  b->table = 0;
}

struct message *bases_next(struct bases const *b, struct bases_search *s) {
  for (; b->table[s->at & b->mask]; s->at++) {
    s->index = b->table[s->at & b->mask] - 1;
    struct message *m = view_at(b->view, s->index);
    if (m->hash != s->hash) continue;
    s->at++;
    return m;
  }
  return 0;
}
