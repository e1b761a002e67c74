/* What memory_wipe takes away, and what it leaves alone. */
#include "../tap.h"
#include "base/base.h"

#include <string.h>

enum { SIZE = 100000 };

static bool is_all(unsigned char const *p, unsigned char value, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (p[i] != value) return false;
  return true;
}

int main(void) {
  static unsigned char memory[3 * SIZE];
  memset(memory, 7, sizeof memory);
  memory_wipe(memory + SIZE + 1, SIZE - 2);
  ok(is_all(memory + SIZE + 1, 0, SIZE - 2), "many pages and pieces of pages are zeros");
  ok(is_all(memory, 7, SIZE + 1) && is_all(memory + 2 * SIZE - 1, 7, SIZE + 1),
     "what is beside them stays");
  memset(memory + SIZE, 8, SIZE);
  ok(is_all(memory + SIZE, 8, SIZE), "they can be used again");
  memory_wipe(memory, 10);
  ok(is_all(memory, 0, 10) && memory[10] == 7, "less than a page");
  memory_wipe(memory + 20, 0);
  ok(is_all(memory + 10, 7, 100), "nothing");
  return tap_done();
}
