/* Sets of 32-bit numbers as sorted ranges: sequence sets and UID sets are few ranges, however many
 * messages they name. */
#include "base/base.h"

#include <string.h>

void set_init(struct set *s, struct arena *arena) {
  *s = (struct set){.arena = arena};
}

/* The index of the first range that ends at or after number; s->n if there is none. */
static size_t set_find(struct set const *s, uint32_t number) {
  size_t low = 0, high = s->n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (s->ranges[middle].last < number)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

void set_add_range(struct set *s, uint32_t first, uint32_t last) {
  /* Ranges i..j-1 touch or overlap the new one and melt into it. */
  size_t i = first > 1 ? set_find(s, first - 1) : 0;
  size_t j = i;
  while (j < s->n && (last == UINT32_MAX || s->ranges[j].first <= last + 1)) {
    if (s->ranges[j].first < first) first = s->ranges[j].first;
    if (s->ranges[j].last > last) last = s->ranges[j].last;
    j++;
  }
  if (i == j) {
    s->ranges = arena_grow(s->arena, s->ranges, &s->capacity, s->n + 1, sizeof *s->ranges);
    memmove(s->ranges + i + 1, s->ranges + i, (s->n - i) * sizeof *s->ranges);
    s->n++;
  } else if (j > i + 1) {
    memmove(s->ranges + i + 1, s->ranges + j, (s->n - j) * sizeof *s->ranges);
    s->n -= j - i - 1;
  }
  s->ranges[i] = (struct range){first, last};
}

void set_add(struct set *s, uint32_t number) {
  if (s->n && number == s->ranges[s->n - 1].last + 1 && number)
    s->ranges[s->n - 1].last = number;
  else
    set_add_range(s, number, number);
}

bool set_contains(struct set const *s, uint32_t number) {
  size_t i = set_find(s, number);
  return i < s->n && s->ranges[i].first <= number;
}

uint64_t set_count(struct set const *s) {
  uint64_t count = 0;
  for (size_t i = 0; i < s->n; i++) count += (uint64_t)s->ranges[i].last - s->ranges[i].first + 1;
  return count;
}

bool set_next(struct set const *s, uint32_t *number) {
  if (*number == UINT32_MAX) return false;
  uint32_t wanted = *number + 1;
  size_t i = set_find(s, wanted);
  if (i == s->n) return false;
  *number = wanted < s->ranges[i].first ? s->ranges[i].first : wanted;
  return true;
}
