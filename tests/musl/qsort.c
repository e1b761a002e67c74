/* The qsort(3) that programs have with musl; whether musl is here or not. */
#include "../tap.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void our_qsort(void *, size_t, size_t, int (*)(void const *, void const *));

/* Fails when it is told to. */
static bool no_memory;
static void *some_malloc(size_t size) {
  return no_memory ? 0 : malloc(size);
}

#define qsort our_qsort
#define malloc some_malloc
#include "musl/qsort.c"
#undef qsort
#undef malloc

enum { MOST = 3000, WIDEST = 40 };

/* The first byte is sorted by, the next four are the place it had, the rest must go with it. */
static size_t width;

static int by_first_byte(void const *a, void const *b) {
  return *(unsigned char const *)a - *(unsigned char const *)b;
}

static uint32_t place_of(unsigned char const *element) {
  uint32_t place;
  memcpy(&place, element + 1, sizeof place);
  return place;
}

static void make(unsigned char *list, uint32_t n, unsigned int kinds) {
  uint32_t random = n + 1;
  for (uint32_t i = 0; i < n; i++) {
    unsigned char *element = list + i * width;
    random = random * 1103515245 + 12345;
    memset(element, (int)(random >> 16) % (int)kinds, width);
    memcpy(element + 1, &i, sizeof i);
  }
}

/* In order, those of one kind in the order they had if there is memory, each whole, and as many as
 * there were. */
static bool is_sorted(unsigned char const *list, uint32_t n) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < n; i++) {
    unsigned char const *element = list + i * width, *before = element - width;
    sum += place_of(element);
    for (size_t k = 5; k < width; k++)
      if (element[k] != *element) return false;
    if (i && (*before > *element ||
              (!no_memory && *before == *element && place_of(before) > place_of(element))))
      return false;
  }
  return sum == (uint64_t)n * (n ? n - 1 : 0) / 2;
}

static unsigned long compared;

static int by_number(void const *a, void const *b) {
  uint64_t const *x = a, *y = b;
  compared++;
  return (*x > *y) - (*x < *y);
}

static bool sorts_many(void) {
  enum { MANY = 100000 };
  static uint64_t list[MANY];
  for (uint32_t i = 0; i < MANY; i++) list[i] = i * UINT64_C(2654435761) % MANY;
  our_qsort(list, MANY, sizeof *list, by_number);
  for (uint32_t i = 1; i < MANY; i++)
    if (list[i - 1] > list[i]) return false;
  return compared < 40 * MANY;
}

static int by_nothing(void const *a, void const *b) {
  (void)a, (void)b;
  compared++;
  return (int)(compared * 2654435761 >> 16 & 3) - 1;
}

/* What a comparison says that is none must not lead out of the list. */
static bool keeps_all(void) {
  enum { MANY = 3000 };
  uint64_t *list = malloc(MANY * sizeof *list), sum = 0;
  if (!list) return false;
  for (uint64_t i = 0; i < MANY; i++) list[i] = i;
  our_qsort(list, MANY, sizeof *list, by_nothing);
  for (size_t i = 0; i < MANY; i++) sum += list[i];
  free(list);
  return sum == (uint64_t)MANY * (MANY - 1) / 2;
}

static bool sorts(uint32_t most) {
  static unsigned char list[MOST * WIDEST];
  bool right = true;
  for (width = 5; width <= WIDEST; width += 7)
    for (uint32_t n = 0; n <= most; n += n < 70 ? 1 : 211)
      for (unsigned int kinds = 1; kinds <= 256; kinds = kinds * 4 + 1) {
        make(list, n, kinds);
        our_qsort(list, n, width, by_first_byte);
        right = right && is_sorted(list, n);
        our_qsort(list, n, width, by_first_byte);
        right = right && is_sorted(list, n);
      }
  return right;
}

int main(void) {
  ok(sorts(MOST), "elements of any size are in order, and equal ones stay in theirs");
  ok(keeps_all(), "none is lost by a comparison that is none");
  no_memory = true;
  ok(sorts(600), "without memory, too");
  ok(sorts_many(), "and not by comparing all with all");
  ok(keeps_all(), "nor is any lost");
  return tap_done();
}
