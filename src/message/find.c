/* Bytes within bytes.
 *
 * Two of the bytes wanted, the rarest in folded text, are compared at sixteen places at once, and
 * all of them where both are found.  Where that is often in vain, and without SSE2, memmem does it,
 * whose time is linear whatever the bytes are (POSIX has it only since 2024; glibc, musl and the
 * BSDs all do). */
#define _GNU_SOURCE /* memmem */
#include "message/internal.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The bytes of folded mail in groups, the rarest first; those that are not listed are rarer still.
 */
static char const *const groups[] = {"\xc3\xcc*!?%+'\"", "ZQJX$@&;_\t()[]{}0123456789:-=,/<>\n.",
                                     "KVBYGWFPM", "UCDLHRSN", "OIATE "};
enum { GROUPS = sizeof groups / sizeof *groups };

static unsigned int commonness(char c) {
  for (unsigned int i = 0; i < GROUPS; i++)
    if (c && strchr(groups[i], c)) return i + 1;
  return 0;
}

/* Where the rarest byte is, but not at `other`. */
static size_t rarest(char const *text, size_t size, size_t other) {
  size_t best = other ? 0 : size - 1;
  for (size_t i = 0; i < size; i++)
    if (i != other && commonness(text[i]) < commonness(text[best])) best = i;
  return best;
}

void wanted_init(struct wanted *w, char const *text, size_t size) {
  *w = (struct wanted){.text = text, .size = size};
  if (!size) return;
  w->first = rarest(text, size, size);
  w->second = rarest(text, size, w->first);
}

#ifdef __SSE2__
enum { WIDTH = sizeof(__m128i) };

/* A bit for each of sixteen places that is worth a look. */
static unsigned int candidates(struct wanted const *w, char const *at) {
  __m128i first = _mm_loadu_si128((__m128i const *)(at + w->first)),
          second = _mm_loadu_si128((__m128i const *)(at + w->second));
  __m128i both = _mm_and_si128(_mm_cmpeq_epi8(first, _mm_set1_epi8(w->text[w->first])),
                               _mm_cmpeq_epi8(second, _mm_set1_epi8(w->text[w->second])));
  return (unsigned int)_mm_movemask_epi8(both);
}

/* *vain: bytes that may still be compared in vain. */
static char const *found_among(struct wanted const *w, char const *at, unsigned int mask,
                               size_t *vain) {
  for (; mask; mask &= mask - 1) {
    char const *place = at + __builtin_ctz(mask);
    if (!memcmp(place, w->text, w->size)) return place;
    *vain -= *vain < w->size ? *vain : w->size;
  }
  return 0;
}

static char const *found_at_few(struct wanted const *w, char const *at, char const *last) {
  for (; at <= last; at++)
    if (at[w->first] == w->text[w->first] && !memcmp(at, w->text, w->size)) return at;
  return 0;
}

char const *wanted_at(struct wanted const *w, char const *data, size_t size) {
  if (!w->size) return data;
  if (size < w->size) return 0;
  char const *at = data, *last = data + (size - w->size), *found;
  size_t vain = size + WIDTH * w->size;
  if (last - at < WIDTH - 1) return found_at_few(w, at, last);
  while (at <= last && vain) {
    if (last - at < WIDTH - 1) at = last - (WIDTH - 1); /* some places twice */
    if ((found = found_among(w, at, candidates(w, at), &vain))) return found;
    at += WIDTH;
  }
  return at <= last ? memmem(at, size - (size_t)(at - data), w->text, w->size) : 0;
}
#else
char const *wanted_at(struct wanted const *w, char const *data, size_t size) {
  return w->size ? memmem(data, size, w->text, w->size) : data;
}
#endif

bool wanted_in(struct wanted const *w, char const *data, size_t size) {
  return !w->size || wanted_at(w, data, size);
}
