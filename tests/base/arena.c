/* Arenas: alignment, growth, release. */
#include "base/base.h"
#include "../tap.h"

#include <stdalign.h>
#include <stddef.h>

int main(void) {
  struct arena a = {0};
  bool aligned = true, apart = true;
  char *previous = 0;
  for (size_t size = 0; size < 3000; size += 7) {
    char *p = arena_alloc(&a, size);
    aligned = aligned && !((uintptr_t)p % alignof(max_align_t));
    apart = apart && p && p != previous;
    memset(p, 0xaa, size);
    previous = size ? p : 0;
  }
  ok(aligned, "any size, aligned for any type");
  ok(apart, "and each its own");
  char *zero = arena_zalloc(&a, 10000);
  bool clear = true;
  for (size_t i = 0; i < 10000; i++) clear = clear && !zero[i];
  ok(clear, "cleared on request, larger than a block");
  is(arena_copy(&a, "abcdef", 3), "abc", "copies end in NUL");
  is(arena_copy(&a, 0, 0), "", "of nothing, too");

  uint32_t *numbers = 0;
  size_t capacity = 0;
  for (uint32_t i = 0; i < 10000; i++) {
    numbers = arena_grow(&a, numbers, &capacity, i + 1, sizeof *numbers);
    numbers[i] = i;
  }
  bool kept = true;
  for (uint32_t i = 0; i < 10000; i++) kept = kept && numbers[i] == i;
  ok(kept && capacity >= 10000, "arrays grow and keep what they hold");
  uint32_t *same = arena_grow(&a, numbers, &capacity, 5, sizeof *numbers);
  ok(same == numbers, "and stay where they are while there is room");

  arena_release(&a);
  ok(!a.blocks && !a.left, "released is empty");
  is(arena_copy(&a, "again", 5), "again", "and good for more");
  arena_release(&a);

  alignas(max_align_t) char own[64];
  a = (struct arena){.next = own, .left = sizeof own};
  char *first = arena_alloc(&a, 20), *second = arena_alloc(&a, 20), *third = arena_alloc(&a, 20);
  ok(first == own && second == own + 32, "memory of the caller's own is used");
  memset(third, 0xaa, 20);
  ok(a.blocks && (third < own || third >= own + sizeof own), "as long as it lasts");
  arena_release(&a);
  return tap_done();
}
