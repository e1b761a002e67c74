/* Sorting by numbers: radix sort, stable, linear in what is sorted. */
#include "base/base.h"

#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS }; /* the counts fit in a processor's cache */

/* One digit: from `from` to `to`. */
static void order_by_digit(uint32_t const *from, uint32_t *to, uint32_t n, uint64_t const *values,
                           uint64_t base, unsigned int shift) {
  uint32_t at[DIGITS] = {0}, sum = 0;
  for (uint32_t i = 0; i < n; i++) at[(values[from[i]] - base) >> shift & (DIGITS - 1)]++;
  for (size_t digit = 0; digit < DIGITS; digit++) {
    uint32_t count = at[digit];
    at[digit] = sum;
    sum += count;
  }
  for (uint32_t i = 0; i < n; i++)
    to[at[(values[from[i]] - base) >> shift & (DIGITS - 1)]++] = from[i];
}

void order_by(uint32_t *order, uint32_t n, uint64_t const *values, uint32_t *scratch) {
  uint64_t low = UINT64_MAX, high = 0;
  for (uint32_t i = 0; i < n; i++) {
    uint64_t value = values[order[i]];
    if (value < low) low = value;
    if (value > high) high = value;
  }
  uint32_t *from = order, *to = scratch;
  for (unsigned int shift = 0; n && shift < 64 && (high - low) >> shift; shift += DIGIT_BITS) {
    order_by_digit(from, to, n, values, low, shift);
    uint32_t *swap = from;
    from = to, to = swap;
  }
  if (from != order) memcpy(order, from, n * sizeof *order);
}
