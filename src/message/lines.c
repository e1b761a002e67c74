/* Counting line ends, at the speed of memory. */
#include "message/internal.h"

#ifdef __SSE2__
#include <emmintrin.h>

enum { WIDTH = sizeof(__m128i), ROUNDS_MAX = 255 }; /* as far as a byte counts */

static size_t sum_of(__m128i counts) {
  __m128i sums = _mm_sad_epu8(counts, _mm_setzero_si128());
  return (size_t)_mm_cvtsi128_si32(sums) + (size_t)_mm_cvtsi128_si32(_mm_srli_si128(sums, 8));
}

static __m128i is_byte(char const *at, char byte) {
  return _mm_cmpeq_epi8(_mm_loadu_si128((__m128i const *)(void const *)at), _mm_set1_epi8(byte));
}

/* Of whole sixteens of bytes, the byte before them being there; returns how many bytes. */
static size_t count_sixteens(char const *data, size_t size, struct line_ends *ends) {
  size_t i = 0;
  while (size - i >= WIDTH) {
    __m128i all = _mm_setzero_si128(), crlf = _mm_setzero_si128();
    for (unsigned int n = 0; n < ROUNDS_MAX && size - i >= WIDTH; n++, i += WIDTH) {
      __m128i lf = is_byte(data + i, '\n');
      all = _mm_sub_epi8(all, lf);
      crlf = _mm_sub_epi8(crlf, _mm_and_si128(lf, is_byte(data + i - 1, '\r')));
    }
    ends->all += sum_of(all);
    ends->crlf += sum_of(crlf);
  }
  return i;
}
#else
static size_t count_sixteens(char const *data, size_t size, struct line_ends *ends) {
  (void)data;
  (void)size;
  (void)ends;
  return 0;
}
#endif

struct line_ends count_line_ends(char const *data, size_t size, char before) {
  struct line_ends ends = {0};
  for (size_t i = 0; i < size; i++) {
    if (i == 1) i += count_sixteens(data + i, size - i, &ends);
    if (i == size) break;
    ends.all += data[i] == '\n';
    ends.crlf += data[i] == '\n' && (i ? data[i - 1] : before) == '\r';
  }
  return ends;
}
