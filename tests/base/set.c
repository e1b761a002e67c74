/* Sets of numbers, against a table of bits. */
#include "base/base.h"
#include "../tap.h"

#include <stdlib.h>

enum { N = 300 };
static struct arena arena;

static bool agrees(struct set const *s, bool const *bits) {
  uint64_t count = 0;
  uint32_t x = 0;
  for (uint32_t i = 1; i < N; i++) {
    if (set_contains(s, i) != bits[i]) return false;
    if (!bits[i]) continue;
    count++;
    if (!set_next(s, &x) || x != i) return false;
  }
  if (set_next(s, &x) || set_count(s) != count) return false;
  for (size_t i = 1; i < s->n; i++)
    if (s->ranges[i].first <= s->ranges[i - 1].last + 1) return false;
  return true;
}

static void test_random(void) {
  bool good = true;
  srand(1);
  for (int round = 0; round < 300 && good; round++) {
    bool bits[N] = {0};
    struct set s;
    set_init(&s, &arena);
    for (int i = 0; i < 40 && good; i++) {
      uint32_t first = 1 + (uint32_t)rand() % (N - 20);
      uint32_t last = rand() % 2 ? first : first + (uint32_t)rand() % 19;
      if (first == last)
        set_add(&s, first);
      else
        set_add_range(&s, first, last);
      for (uint32_t x = first; x <= last; x++) bits[x] = true;
      good = agrees(&s, bits);
    }
  }
  ok(good, "any order, any overlap");
}

static void test_edges(void) {
  struct set s;
  uint32_t x = 0;
  set_init(&s, &arena);
  ok(!set_contains(&s, 1) && !set_count(&s) && !set_next(&s, &x), "empty");
  set_add(&s, UINT32_MAX);
  set_add_range(&s, UINT32_MAX - 2, UINT32_MAX - 1);
  is_uint(s.n, 1, "the largest numbers touch");
  is_uint(set_count(&s), 3, "and are three");
  ok(set_contains(&s, UINT32_MAX) && !set_contains(&s, UINT32_MAX - 3), "and no more");
  set_add(&s, 1);
  x = 0;
  ok(set_next(&s, &x) && x == 1 && set_next(&s, &x) && x == UINT32_MAX - 2, "iteration leaps");
  x = UINT32_MAX;
  ok(!set_next(&s, &x), "and ends");
  set_add_range(&s, 1, UINT32_MAX);
  is_uint(set_count(&s), UINT32_MAX, "everything");
  is_uint(s.n, 1, "in one range");
}

static void test_rising(void) {
  struct set s;
  set_init(&s, &arena);
  for (uint32_t i = 1; i <= 100000; i++) set_add(&s, i);
  is_uint(s.n, 1, "a hundred thousand in a row are one range");
  for (uint32_t i = 200000; i < 210000; i += 2) set_add(&s, i);
  is_uint(s.n, 5001, "every second one is a range of its own");
  ok(set_contains(&s, 209998) && !set_contains(&s, 209999), "and found");
}

int main(void) {
  test_random();
  test_edges();
  test_rising();
  arena_release(&arena);
  return tap_done();
}
