/* qsort(3) by merging, which compares and moves less than musl's does without memory.  That costs a
 * few microseconds of every login, for the system calls of a filter, and a tenth of a SORT by
 * texts. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 2048 }; /* bytes that are sorted without malloc */

struct sorting {
  size_t size; /* of an element */
  int (*compare)(void const *, void const *);
  char *scratch; /* room for half of them */
};

/* Both halves are sorted; of equal elements those of the first come first.  What has been taken of
 * the second makes room for what is left of the first, which is in the scratch. */
static void merge(struct sorting const *s, char *to, size_t half, size_t n) {
  size_t size = s->size;
  char const *first = s->scratch, *second = to + half * size;
  char const *first_end = first + half * size, *second_end = to + n * size;
  memcpy(s->scratch, to, half * size);
  for (; first < first_end && second < second_end; to += size) {
    char const **least = s->compare(first, second) <= 0 ? &first : &second;
    memcpy(to, *least, size);
    *least += size;
  }
  memcpy(to, first, (size_t)(first_end - first));
}

static void sort(struct sorting const *s, char *list, size_t n) {
  if (n < 2) return;
  size_t half = n / 2;
  char *second = list + half * s->size;
  sort(s, list, half);
  sort(s, second, n - half);
  if (s->compare(second - s->size, second) > 0) merge(s, list, half, n);
}

/* ---- without memory: in place, as a heap, in which equal elements do not keep their order ---- */

static void swap(struct sorting const *s, char *a, char *b) {
  for (size_t i = 0; i < s->size; i++) {
    char c = a[i];
    a[i] = b[i];
    b[i] = c;
  }
}

/* The element at `top` goes down until none below it is greater. */
static void sink(struct sorting const *s, char *list, size_t top, size_t n) {
  for (size_t child; top < n / 2; top = child) {
    child = 2 * top + 1;
    char *low = list + child * s->size;
    if (child + 1 < n && s->compare(low, low + s->size) < 0) low = list + ++child * s->size;
    if (s->compare(list + top * s->size, low) >= 0) break;
    swap(s, list + top * s->size, low);
  }
}

static void sort_in_place(struct sorting const *s, char *list, size_t n) {
  for (size_t top = n / 2; top;) sink(s, list, --top, n);
  while (n > 1) {
    swap(s, list, list + --n * s->size);
    sink(s, list, 0, n);
  }
}

void qsort(void *list, size_t n, size_t size, int (*compare)(void const *, void const *)) {
  _Alignas(max_align_t) char own[SMALL];
  size_t room = n / 2 * size;
  char *more = room > sizeof own ? malloc(room) : 0;
  struct sorting s = {size, compare, more ? more : own};
  if (more || room <= sizeof own)
    sort(&s, list, n);
  else
    sort_in_place(&s, list, n);
  free(more);
}
