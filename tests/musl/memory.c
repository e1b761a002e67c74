/* What takes the place of musl's functions for bytes in memory, against their definition: all small
 * sizes at all places, and with nothing behind or before the bytes.  That is made for musl is no
 * matter here: they are tested whether it is there or not. */
#include "../tap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

void *our_memcpy(void *restrict, void const *restrict, size_t);
void *our_memmove(void *, void const *, size_t);
void *our_memset(void *, int, size_t);
void *our_memchr(void const *, int, size_t);
int our_memcmp(void const *, void const *, size_t);
size_t our_strlen(char const *);
int our_strcasecmp(char const *, char const *);
int our_strncasecmp(char const *, char const *, size_t);

#define memcpy our_memcpy
#define memmove our_memmove
#define memset our_memset
#define memchr our_memchr
#define memcmp our_memcmp
#define strlen our_strlen
#define strcasecmp our_strcasecmp
#define strncasecmp our_strncasecmp
#include "musl/memory.c"
#undef memcpy
#undef memmove
#undef memset
#undef memchr
#undef memcmp
#undef strlen
#undef strcasecmp
#undef strncasecmp

enum { PLACES = 18, SMALL = 300, ROOM = 16384, BEHIND = 7 };

/* Room bytes with pages around them that cannot be touched. */
static uint8_t *guarded(void) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  uint8_t *p = mmap(0, ROOM + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED || mprotect(p + page, ROOM, PROT_READ | PROT_WRITE) < 0) exit(1);
  return p + page;
}

static uint8_t *from, *to;

/* No two neighbours are equal, and none is 0 or 255. */
static uint8_t pattern(size_t i) {
  return (uint8_t)(1 + (i * 7 + i / 251) % 250);
}

static void prepare(void) {
  for (size_t i = 0; i < ROOM; i++) {
    from[i] = pattern(i);
    to[i] = 255;
  }
}

/* Whether the n bytes at to + place are those of from + source, and what is beside them 255. */
static bool holds(size_t place, size_t source, size_t n) {
  size_t start = place < BEHIND ? 0 : place - BEHIND;
  for (size_t i = start; i < place + n + BEHIND && i < ROOM; i++)
    if (to[i] != (i < place || i >= place + n ? 255 : pattern(source + i - place))) return false;
  return true;
}

static bool copies(void *copy(void *, void const *, size_t), size_t place, size_t source,
                   size_t n) {
  bool right = copy(to + place, from + source, n) == to + place && holds(place, source, n);
  for (size_t i = 0; i < n; i++) to[place + i] = 255;
  return right;
}

static void *copy_apart(void *a, void const *b, size_t n) {
  return our_memcpy(a, b, n);
}

static void test_copy(void *copy(void *, void const *, size_t), char const *name) {
  bool small = true, large = true, ends = true;
  prepare();
  for (size_t n = 0; n <= SMALL; n++)
    for (size_t place = 0; place < PLACES; place++)
      for (size_t source = 0; source < PLACES; source++)
        small = small && copies(copy, 100 + place, 50 + source, n);
  for (size_t n = SMALL; n < ROOM - 200; n += 97)
    large = large && copies(copy, n % PLACES, n % 13, n);
  for (size_t n = 0; n <= SMALL; n++)
    ends = ends && copies(copy, 0, ROOM - n, n) && copies(copy, ROOM - n, 0, n);
  printf("# %s\n", name);
  ok(small, "copies all small sizes at all places");
  ok(large, "large ones");
  ok(ends, "and touches nothing beyond");
}

static bool moves(size_t source, size_t place, size_t n) {
  for (size_t i = 0; i < 1500; i++) to[i] = pattern(i);
  if (our_memmove(to + place, to + source, n) != to + place) return false;
  for (size_t i = 0; i < 1500; i++)
    if (to[i] != pattern(i < place || i >= place + n ? i : source + i - place)) return false;
  return true;
}

static void test_overlap(void) {
  bool right = true;
  static int const distances[] = {1,  2,  3,  7,  8,   15,  16,  17, 31,
                                  33, 63, 64, 65, 100, 127, 129, 200};
  for (size_t n = 0; n <= 2 * SMALL; n += n < 150 ? 1 : 13)
    for (size_t i = 0; i < sizeof distances / sizeof *distances; i++)
      for (size_t place = 0; place < 16; place += 5) {
        size_t a = 300 + place, b = a + (size_t)distances[i];
        right = right && moves(a, b, n) && moves(b, a, n);
      }
  ok(right && moves(300, 300, 500), "memmove: places that overlap, in both directions");
}

static void test_set(void) {
  bool right = true;
  for (size_t n = 0; n <= 2 * SMALL; n++)
    for (size_t place = 0; place < PLACES; place++) {
      for (size_t i = 0; i < 1000; i++) to[i] = 255;
      right = right && our_memset(to + 100 + place, 256 + 'x', n) == to + 100 + place;
      for (size_t i = 0; i < 1000; i++)
        right = right && to[i] == (i < 100 + place || i >= 100 + place + n ? 255 : 'x');
    }
  for (size_t n = 0; n <= SMALL; n++) {
    our_memset(to, 0, n);
    our_memset(to + ROOM - n, 0, n);
  }
  ok(right, "memset: all small sizes at all places, and a byte of more bits");
}

static void test_find(void) {
  bool finds = true, first = true, far = true, none = true;
  for (size_t i = 0; i < ROOM; i++) to[i] = 'a';
  for (size_t place = 0; place < 130; place++)
    for (size_t n = 0; n <= SMALL; n++) {
      uint8_t *start = to + 4096 - 65 + place;
      start[n] = 0xfe;
      finds = finds && our_memchr(start, 0xfe - 256, n + 1) == start + n;
      finds = finds && our_memchr(start, 0xfe, SIZE_MAX) == start + n;
      none = none && !our_memchr(start, 0xfe, n);
      start[n + 40] = 0xfe;
      first = first && our_memchr(start, 0xfe, n + 41) == start + n;
      start[n] = start[n + 40] = 'a';
    }
  for (size_t n = 0; n <= SMALL; n++) {
    none = none && !our_memchr(to + ROOM - n, 'b', n) && !our_memchr(to, 'b', n);
    to[ROOM - 1] = 'b';
    far = far && our_memchr(to + ROOM - 1 - n, 'b', SIZE_MAX) == to + ROOM - 1;
    to[ROOM - 1] = 'a';
  }
  ok(finds, "memchr: all small sizes at all places, and a byte of more bits");
  ok(first, "memchr: the first of two");
  ok(none, "memchr: none, and not what is beside");
  ok(far, "memchr: at the end of memory, of a size beyond it");
}

static void test_length(void) {
  bool right = true;
  for (size_t i = 0; i < ROOM; i++) to[i] = 'a';
  for (size_t place = 0; place < 130; place++)
    for (size_t n = 0; n <= SMALL; n++) {
      uint8_t *start = to + 4096 - 65 + place;
      start[n] = 0;
      right = right && our_strlen((char *)start) == n;
      start[n] = 'a';
    }
  to[ROOM - 1] = 0;
  for (size_t n = 0; n < ROOM; n++) right = right && our_strlen((char *)to + ROOM - 1 - n) == n;
  ok(right, "strlen: all small sizes at all places, and at the end of memory");
}

static int sign(int n) {
  return (n > 0) - (n < 0);
}

static void test_compare(void) {
  bool right = true;
  prepare();
  for (size_t n = 0; n <= SMALL; n++)
    for (size_t place = 0; place < PLACES; place++) {
      uint8_t *a = from + ROOM - SMALL - place, *b = to + ROOM - n;
      for (size_t i = 0; i < n; i++) b[i] = a[i];
      right = right && !our_memcmp(a, b, n);
      for (size_t i = 0; i < n; i += i < 40 ? 1 : 11) {
        b[i] = 255;
        right = right && sign(our_memcmp(a, b, n)) == -1 && sign(our_memcmp(b, a, n)) == 1;
        if (i + 5 < n) { /* it is the first difference that counts */
          b[i + 5] = 0;
          right = right && sign(our_memcmp(a, b, n)) == -1;
          b[i + 5] = a[i + 5];
        }
        b[i] = a[i];
      }
    }
  ok(right, "memcmp: all small sizes, each place of the first difference");
}

static void test_letters(void) {
  bool right = true;
  for (int a = 0; a < 256; a++)
    for (int b = 0; b < 256; b++) {
      char const x[] = {'a', (char)a, 0}, y[] = {'A', (char)b, 0};
      right = right && sign(our_strcasecmp(x, y)) == sign(strcasecmp(x, y));
      right = right && sign(our_strncasecmp(x, y, 2)) == sign(strcasecmp(x, y));
      right = right && !our_strncasecmp(x, y, 1) && !our_strncasecmp(x, y, 0);
    }
  ok(right, "strcasecmp: each pair of bytes");
  ok(our_strcasecmp("Subject", "subjects") < 0 && our_strcasecmp("Subjects", "subject") > 0 &&
         !our_strncasecmp("From", "fROMage", 4) && !our_strncasecmp("From", "fROM", 10),
     "of any size, as far as is asked for");
}

int main(void) {
  from = guarded();
  to = guarded();
  test_copy(copy_apart, "memcpy");
  test_copy(our_memmove, "memmove");
  test_overlap();
  test_set();
  test_find();
  test_length();
  test_compare();
  test_letters();
  return tap_done();
}
