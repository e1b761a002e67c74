/* Memory that is given back all at once. */
#include "base/base.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 4096 - 32 }; /* a page, less what malloc adds */

/* The address sanitizer sees what runs over where each allocation has a block of its own. */
#if defined(__SANITIZE_ADDRESS__)
#define SEPARATE true
#elif defined(__has_feature)
#define SEPARATE __has_feature(address_sanitizer)
#else
#define SEPARATE false
#endif

struct arena_block {
  struct arena_block *previous;
  alignas(max_align_t) char data[];
};

static char *add_block(struct arena *a, size_t room) {
  struct arena_block *b = malloc(sizeof *b + room);
  if (!b) log_die_memory();
  b->previous = a->blocks;
  a->blocks = b;
  return b->data;
}

void *arena_alloc(struct arena *a, size_t size) {
  if (size > SIZE_MAX / 2) log_die_memory();
  if (SEPARATE && !a->next) return add_block(a, size);
  size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
  if (size > a->left || !a->next) { /* no bytes have an address, too */
    size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    a->next = add_block(a, room);
    a->left = room;
  }
  void *p = a->next;
  a->next += size;
  a->left -= size;
  return p;
}

void *arena_zalloc(struct arena *a, size_t size) {
  return memset(arena_alloc(a, size), 0, size);
}

char *arena_copy(struct arena *a, void const *data, size_t n) {
  char *p = arena_alloc(a, n + 1);
  if (n) memcpy(p, data, n);
  p[n] = 0;
  return p;
}

void *arena_grow(struct arena *a, void *array, size_t *capacity, size_t want, size_t size) {
  if (want <= *capacity) return array;
  size_t grown = *capacity ? *capacity * 2 : 8;
  if (grown < want) grown = want;
  if (grown > SIZE_MAX / 2 / size) log_die_memory();
  void *p = arena_alloc(a, grown * size);
  if (*capacity) memcpy(p, array, *capacity * size);
  *capacity = grown;
  return p;
}

void arena_release(struct arena *a) {
  while (a->blocks) {
    struct arena_block *b = a->blocks;
    a->blocks = b->previous;
    free(b);
  }
  a->next = 0;
  a->left = 0;
}
