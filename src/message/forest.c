/* A forest without loops.
 *
 * Whether a link closes one is mostly seen at once: a node without children is nobody's ancestor.
 * Else the way up is walked, which is short in real mail.  Mail can be made so that it is not: when
 * more has been walked than building link-cut trees costs (Sleator and Tarjan, 1983), they are
 * built, and from then on each question costs the logarithm of the number of nodes, amortized.
 *
 * In these trees each node lies on one path that runs downwards; a path is a splay tree in the
 * order of depth, kid[0] being above.  `up` of a path's root is the parent of the path's top. */
#include "message/forest.h"

#include <string.h>

enum { STEPS_PER_NODE = 16, STEPS_MIN = 4096 };

static uint32_t *new_nodes(struct forest *f) {
  uint32_t *nodes = arena_alloc(f->arena, (size_t)f->n * sizeof *nodes + 1);
  memset(nodes, 0xff, (size_t)f->n * sizeof *nodes); /* NO_NODE */
  return nodes;
}

void forest_init(struct forest *f, uint32_t n, struct arena *arena) {
  *f = (struct forest){.n = n, .steps = (uint64_t)n * STEPS_PER_NODE + STEPS_MIN, .arena = arena};
  f->parent = new_nodes(f);
  f->nchildren = arena_zalloc(arena, (size_t)n * sizeof *f->nchildren + 1);
}

/* ---- link-cut trees ---- */

/* At first every path is a single node. */
static void build(struct forest *f) {
  f->kid[0] = new_nodes(f);
  f->kid[1] = new_nodes(f);
  f->up = new_nodes(f);
  memcpy(f->up, f->parent, (size_t)f->n * sizeof *f->up);
}

/* Which kid of the one above; -1: it is the root of its path's tree. */
static int side_of(struct forest const *f, uint32_t x) {
  uint32_t above = f->up[x];
  if (above == NO_NODE) return -1;
  return f->kid[0][above] == x ? 0 : f->kid[1][above] == x ? 1 : -1;
}

static void rotate(struct forest *f, uint32_t x) {
  uint32_t above = f->up[x], top = f->up[above];
  int side = side_of(f, x), above_side = side_of(f, above);
  uint32_t inner = f->kid[!side][x];
  f->kid[side][above] = inner;
  if (inner != NO_NODE) f->up[inner] = above;
  f->kid[!side][x] = above;
  f->up[above] = x;
  f->up[x] = top;
  if (above_side >= 0) f->kid[above_side][top] = x;
}

static void splay(struct forest *f, uint32_t x) {
  for (int side; (side = side_of(f, x)) >= 0; rotate(f, x)) {
    int above_side = side_of(f, f->up[x]);
    if (above_side >= 0) rotate(f, above_side == side ? f->up[x] : x);
  }
}

/* Makes the way from x's root down to x one path, with x the root of its tree. */
static void access_node(struct forest *f, uint32_t x) {
  splay(f, x);
  f->kid[1][x] = NO_NODE;
  while (f->up[x] != NO_NODE) {
    uint32_t above = f->up[x];
    splay(f, above);
    f->kid[1][above] = x;
    splay(f, x);
  }
}

static uint32_t root_of(struct forest *f, uint32_t x) {
  access_node(f, x);
  while (f->kid[0][x] != NO_NODE) x = f->kid[0][x];
  splay(f, x);
  return x;
}

/* ---- the forest ---- */

/* Whether `top`, which has no parent, is above x or is x. */
static bool is_below(struct forest *f, uint32_t x, uint32_t top) {
  if (x == top) return true;
  if (!f->nchildren[top]) return false;
  for (; !f->up && f->parent[x] != NO_NODE; x = f->parent[x])
    if (!f->steps--) build(f);
  return (f->up ? root_of(f, x) : x) == top;
}

void forest_link(struct forest *f, uint32_t parent, uint32_t child) {
  if (is_below(f, parent, child)) return;
  if (f->up) {
    access_node(f, child);
    f->up[child] = parent;
  }
  f->parent[child] = parent;
  f->nchildren[parent]++;
}

void forest_cut(struct forest *f, uint32_t child) {
  if (f->parent[child] == NO_NODE) return;
  if (f->up) {
    access_node(f, child);
    f->up[f->kid[0][child]] = NO_NODE;
    f->kid[0][child] = NO_NODE;
  }
  f->nchildren[f->parent[child]]--;
  f->parent[child] = NO_NODE;
}
