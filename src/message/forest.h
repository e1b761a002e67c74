/* A forest that grows by links, loses some, and never has a loop: forest.c, for thread.c. */
#ifndef FOREST_H
#define FOREST_H

#include "message/thread.h"

struct forest {
  uint32_t *parent, *nchildren;
  uint32_t n;
  uint64_t steps; /* that may still be walked up, looking for loops */
  uint32_t *up;   /* forest.c's trees; null until so much has been walked */
  uint32_t *kid[2];
  struct arena *arena;
};
void forest_init(struct forest *, uint32_t n, struct arena *);
/* child has no parent.  Without effect if the link would close a loop. */
void forest_link(struct forest *, uint32_t parent, uint32_t child);
/* Takes a node from its parent, if it has one. */
void forest_cut(struct forest *, uint32_t child);

#endif
