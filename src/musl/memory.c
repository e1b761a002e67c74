/* Bytes and letters in memory.  What musl has for them is small, and takes several times as long as
 * glibc's for what our programs do all day: copying some dozens of bytes, and looking for a line
 * end in them. These take the place of those in its archive.  They work on sixteen bytes at a time,
 * which needs no question to the processor when a program starts; to save that is why programs are
 * linked with musl (doc/performance.md).
 *
 * The C library calls them before it is ready itself, and the compiler must make no calls of them
 * out of their own loops: the Makefile has flags for that. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

typedef uint8_t vector __attribute__((vector_size(16), may_alias)); /* at a multiple of 16 */
typedef vector loose __attribute__((aligned(1)));                   /* anywhere */
typedef uint64_t loose_64 __attribute__((aligned(1), may_alias));
typedef uint32_t loose_32 __attribute__((aligned(1), may_alias));
typedef uint16_t loose_16 __attribute__((aligned(1), may_alias));

enum {
  WIDTH = sizeof(vector),
  STEP = 4 * WIDTH, /* of the loops */
  PAGE_MIN = 4096,  /* no machine has smaller ones */
};

/* As much as one step of a loop reads and writes. */
struct piece {
  loose v[4];
};

static inline struct piece read_piece(uint8_t const *at) {
  loose const *v = (loose const *)at;
  return (struct piece){{v[0], v[1], v[2], v[3]}};
}

static inline void write_piece(uint8_t *at, struct piece p) {
  loose *v = (loose *)at;
  v[0] = p.v[0];
  v[1] = p.v[1];
  v[2] = p.v[2];
  v[3] = p.v[3];
}

/* ---- copying ---- */

/* n bytes as their first and their last `type`, which may have some in common.  Both are read
 * before one is written: the two places may overlap. */
#define COPY_ENDS(type)                                                                \
  do {                                                                                 \
    type first = *(type const *)from, last = *(type const *)(from + n - sizeof(type)); \
    *(type *)to = first;                                                               \
    *(type *)(to + n - sizeof(type)) = last;                                           \
  } while (0)

static inline void copy_below_width(uint8_t *to, uint8_t const *from, size_t n) {
  if (n >= sizeof(loose_64))
    COPY_ENDS(loose_64);
  else if (n >= sizeof(loose_32))
    COPY_ENDS(loose_32);
  else if (n >= sizeof(loose_16))
    COPY_ENDS(loose_16);
  else if (n)
    *to = *from;
}

/* Up to two steps. */
static inline void copy_some(uint8_t *to, uint8_t const *from, size_t n) {
  if (n < WIDTH) {
    copy_below_width(to, from, n);
  } else if (n <= 2 * WIDTH) {
    COPY_ENDS(loose);
  } else if (n <= STEP) {
    loose const *f = (loose const *)from, *e = (loose const *)(from + n);
    loose a = f[0], b = f[1], c = e[-2], d = e[-1];
    ((loose *)to)[0] = a;
    ((loose *)to)[1] = b;
    ((loose *)(to + n))[-2] = c;
    ((loose *)(to + n))[-1] = d;
  } else {
    struct piece first = read_piece(from), last = read_piece(from + n - STEP);
    write_piece(to, first);
    write_piece(to + n - STEP, last);
  }
}

/* More than two steps; where the places overlap, `to` is the lower one.  What is written is aligned
 * but for the first and the last bytes. */
static inline void copy_upwards(uint8_t *to, uint8_t const *from, size_t n) {
  struct piece last = read_piece(from + n - STEP);
  uint8_t *end = to + n - STEP;
  size_t lead = WIDTH - (uintptr_t)to % WIDTH;
  loose first = *(loose const *)from;
  struct piece p = read_piece(from + lead);
  *(loose *)to = first;
  to += lead;
  from += lead;
  for (;;) {
    write_piece(to, p);
    to += STEP;
    from += STEP;
    if (to >= end) break;
    p = read_piece(from);
  }
  write_piece(end, last);
}

/* More than two steps; `to` is the higher one. */
static inline void copy_downwards(uint8_t *to, uint8_t const *from, size_t n) {
  struct piece first = read_piece(from);
  uint8_t *at = to + n;
  size_t rest = (uintptr_t)at % WIDTH;
  uint8_t const *source = from + n;
  loose last = *(loose const *)(source - WIDTH);
  at -= rest;
  source -= rest;
  struct piece p = read_piece(source - STEP);
  *(loose *)(to + n - WIDTH) = last;
  for (;;) {
    at -= STEP;
    source -= STEP;
    write_piece(at, p);
    if (at <= to + STEP) break;
    p = read_piece(source - STEP);
  }
  write_piece(to, first);
}

void *memcpy(void *restrict to, void const *restrict from, size_t n) {
  if (n <= 2 * STEP)
    copy_some(to, from, n);
  else
    copy_upwards(to, from, n);
  return to;
}

void *memmove(void *to, void const *from, size_t n) {
  if (n <= 2 * STEP)
    copy_some(to, from, n);
  else if ((uintptr_t)to - (uintptr_t)from < n)
    copy_downwards(to, from, n);
  else
    copy_upwards(to, from, n);
  return to;
}

#define SET_ENDS(type)                             \
  do {                                             \
    *(type *)at = (type)word;                      \
    *(type *)(at + n - sizeof(type)) = (type)word; \
  } while (0)

static inline void set_below_width(uint8_t *at, uint8_t byte, size_t n) {
  uint64_t word = byte * UINT64_C(0x0101010101010101);
  if (n >= sizeof(loose_64))
    SET_ENDS(loose_64);
  else if (n >= sizeof(loose_32))
    SET_ENDS(loose_32);
  else if (n >= sizeof(loose_16))
    SET_ENDS(loose_16);
  else if (n)
    *at = byte;
}

void *memset(void *start, int byte, size_t n) {
  uint8_t *at = start;
  if (n < WIDTH) {
    set_below_width(at, (uint8_t)byte, n);
    return start;
  }
  vector v = (vector){0} + (uint8_t)byte;
  uint8_t *last = at + n - WIDTH;
  *(loose *)at = v;
  for (at += WIDTH - (uintptr_t)at % WIDTH; last - at >= STEP; at += STEP)
    for (int i = 0; i < STEP / WIDTH; i++) ((vector *)at)[i] = v;
  for (; at < last; at += WIDTH) *(vector *)at = v;
  *(loose *)last = v;
  return start;
}

/* ---- looking ---- */

/* A bit for each byte that is not 0 (then it is 255), the lowest for the first. */
static inline unsigned int bits(vector v) {
#ifdef __SSE2__
  return (unsigned int)__builtin_ia32_pmovmskb128((char __attribute__((vector_size(16))))v);
#else
  typedef uint64_t lanes __attribute__((vector_size(16)));
  vector const weights = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  lanes sums = (lanes)(v & weights) * UINT64_C(0x0101010101010101) >> 56;
  return (unsigned int)(sums[0] | sums[1] << 8);
#endif
}

static inline vector equal(vector v, uint8_t byte) {
  return (vector)(v == (vector){0} + byte);
}

/* Where it is among the bytes of a step, a bit for each. */
static inline uint64_t look(uint8_t const *at, uint8_t byte) {
  loose const *v = (loose const *)at;
  uint64_t low = bits(equal(v[0], byte)) | bits(equal(v[1], byte)) << WIDTH,
           high = bits(equal(v[2], byte)) | bits(equal(v[3], byte)) << WIDTH;
  return low | high << 2 * WIDTH;
}

/* The first of n bytes that is this one.  n may reach beyond the end of memory, if the byte is
 * before that; what is read beyond it is in the same page, which is no fault. */
static inline void *find(uint8_t const *start, uint8_t byte, size_t n) {
  size_t before = (uintptr_t)start % STEP;
  uint8_t const *at = start;
  /* Mostly it is near. */
  uint64_t found = (uintptr_t)start % PAGE_MIN > PAGE_MIN - STEP
                       ? look(start - before, byte) >> before
                       : look(start, byte);
  /* From then on by whole steps. */
  size_t left = n, seen = STEP - before;
  while (!found) {
    if (left <= seen) return 0;
    at += seen;
    left -= seen;
    found = look(at, byte);
    seen = STEP;
  }
  size_t place = (size_t)__builtin_ctzll(found);
  return place < left ? (uint8_t *)at + place : 0;
}

void *memchr(void const *start, int byte, size_t n) {
  return n ? find(start, (uint8_t)byte, n) : 0;
}

size_t strlen(char const *string) {
  return (size_t)((char const *)find((uint8_t const *)string, 0, SIZE_MAX) - string);
}

/* ---- comparing ---- */

/* That of the first bytes which differ; there are some among n. */
static inline int difference(uint8_t const *a, uint8_t const *b) {
  while (*a == *b) a++, b++;
  return *a - *b;
}

#define ENDS_DIFFER(type)                  \
  (*(type const *)a != *(type const *)b || \
   *(type const *)(a + n - sizeof(type)) != *(type const *)(b + n - sizeof(type)))

static inline int compare_below_width(uint8_t const *a, uint8_t const *b, size_t n) {
  bool differ = n >= sizeof(loose_64)   ? ENDS_DIFFER(loose_64)
                : n >= sizeof(loose_32) ? ENDS_DIFFER(loose_32)
                : n >= sizeof(loose_16) ? ENDS_DIFFER(loose_16)
                                        : n && *a != *b;
  return differ ? difference(a, b) : 0;
}

static inline int compare_vectors(uint8_t const *a, uint8_t const *b) {
  unsigned int differ = bits((vector)(*(loose const *)a != *(loose const *)b));
  if (!differ) return 0;
  int place = __builtin_ctz(differ);
  return a[place] - b[place];
}

int memcmp(void const *first, void const *second, size_t n) {
  uint8_t const *a = first, *b = second;
  if (n < WIDTH) return compare_below_width(a, b, n);
  for (; n > WIDTH; a += WIDTH, b += WIDTH, n -= WIDTH) {
    int r = compare_vectors(a, b);
    if (r) return r;
  }
  return compare_vectors(a + n - WIDTH, b + n - WIDTH);
}

/* ---- letters ---- */

/* musl knows no locale in which bytes beyond ASCII have two cases. */
static inline int small(uint8_t c) {
  return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

int strncasecmp(char const *first, char const *second, size_t n) {
  uint8_t const *a = (uint8_t const *)first, *b = (uint8_t const *)second;
  for (; n; a++, b++, n--)
    if (!*a || small(*a) != small(*b)) return small(*a) - small(*b);
  return 0;
}

int strcasecmp(char const *first, char const *second) {
  return strncasecmp(first, second, SIZE_MAX);
}
