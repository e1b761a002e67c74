/* The checksum of the cache's files is what it has always been: zeros behind the data up to a whole
 * round of four words, whose products are kept apart.  Here it is written down once more. */
#include "../tap.h"
#include "store/cache.h"

enum { MOST = 200 };

static uint64_t mixed(uint64_t h, uint64_t word, unsigned int shift) {
  h = (h ^ word) * UINT64_C(0x9fb21c651e98df25);
  return h ^ h >> shift;
}

static uint64_t expected(uint64_t seed, char const *data, size_t size) {
  static unsigned int const shifts[4] = {32, 31, 30, 29};
  char padded[MOST + 32] = {0};
  uint64_t strands[4] = {seed, seed + 1, seed + 2, seed + 3}, word, sum = size;
  memcpy(padded, data, size);
  for (size_t at = 0; at < size; at += 32)
    for (size_t i = 0; i < 4; i++) {
      memcpy(&word, padded + at + 8 * i, sizeof word);
      strands[i] = mixed(strands[i], word, shifts[i]);
    }
  for (size_t i = 0; i < 4; i++) sum = mixed(sum, strands[i], 32);
  return sum;
}

int main(void) {
  char data[MOST];
  bool same = true;
  for (size_t i = 0; i < MOST; i++) data[i] = (char)(i * 37 + 11);
  for (size_t size = 0; size <= MOST; size++)
    for (size_t start = 0; start + size <= MOST && start < 9; start++)
      same = same &&
             cache_hash(size * 77, data + start, size) == expected(size * 77, data + start, size);
  ok(same, "of all small sizes at all places");
  return tap_done();
}
