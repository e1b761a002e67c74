/* Bytes within bytes (message/find.c): as by looking at every place.  And a signature that somebody
 * has made up does no harm (message/signature.c). */
#include "fuzz.h"
#include "message/internal.h"

static bool is_in(char const *wanted, size_t wanted_size, char const *data, size_t size) {
  for (size_t at = 0; at + wanted_size <= size; at++)
    if (!memcmp(data + at, wanted, wanted_size)) return true;
  return false;
}

static void check(char const *wanted, size_t wanted_size, char const *data, size_t size) {
  struct wanted w;
  wanted_init(&w, wanted, wanted_size);
  must(wanted_in(&w, data, size) == is_in(wanted, wanted_size, data, size));
}

static void check_signature(char const *data, size_t size) {
  struct arena arena = {0};
  struct message_needle const *needle = message_needle_new("needle", 6, &arena);
  for (int i = 0; i < 2; i++) message_signature_hint(needle, i, data, size);
  arena_release(&arena);
}

/* The input: a length, what is wanted, where.  Then parts of it, which are there. */
int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  if (!size) return 0;
  struct dice dice = dice_of(data, size);
  size_t wanted_size = *data;
  char const *wanted = (char const *)data + 1;
  size--;
  check_signature(wanted, size);
  if (wanted_size > size) return 0;
  size -= wanted_size;
  char const *text = wanted + wanted_size;
  check(wanted, wanted_size, text, size);
  for (int i = 0; i < 8 && size; i++) {
    size_t start = throw_of(&dice, size), n = throw_of(&dice, size - start + 1);
    check(text + start, n, text, size);
    check(text + start, n, text, start + n - (n > 0));
  }
  return 0;
}
