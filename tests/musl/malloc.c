/* The malloc(3) that imapd has with musl; whether musl is here or not. */
#define _GNU_SOURCE /* mremap */
#include "../tap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

void *our_malloc(size_t);
void our_free(void *);
void *our_calloc(size_t, size_t);
void *our_realloc(void *, size_t);
int our_malloc_trim(size_t);

/* The system has so much left and refuses what is more. */
static size_t left = SIZE_MAX / 2;

static bool is_left(size_t more) {
  if (more > left) errno = ENOMEM;
  return more <= left;
}

static void *some_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
  if (!is_left(size)) return MAP_FAILED;
  left -= size;
  return mmap(at, size, protection, flags, fd, offset);
}

static void *some_mremap(void *p, size_t had, size_t size, int flags) {
  if (size > had && !is_left(size - had)) return MAP_FAILED;
  left -= size - had;
  return mremap(p, had, size, flags);
}

static int some_munmap(void *p, size_t size) {
  left += size;
  return munmap(p, size);
}

#define mmap some_mmap
#define mremap some_mremap
#define munmap some_munmap
#define malloc our_malloc
#define free our_free
#define calloc our_calloc
#define realloc our_realloc
#define malloc_trim our_malloc_trim
#include "musl/malloc.c"
#undef malloc
#undef free
#undef calloc
#undef realloc
#undef malloc_trim
#undef mmap
#undef mremap
#undef munmap

enum { SLOTS = 500, ROUNDS = 200000 };

static struct slot {
  unsigned char *p;
  size_t size;
  unsigned char value;
} slots[SLOTS];

static uint64_t seed = 1;
static uint32_t chance(void) {
  seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
  return (uint32_t)(seed >> 33);
}

/* Mostly small. */
static size_t some_size(void) {
  return chance() % ((size_t)1 << chance() % 15);
}

/* Its ends are enough to tell whether another has been written over it. */
static void fill(struct slot *s) {
  size_t n = s->size < 64 ? s->size : 64;
  memset(s->p, s->value, n);
  memset(s->p + s->size - n, s->value, n);
}

static bool is_filled(struct slot const *s, size_t size) {
  for (size_t i = 0; i < size && i < 64; i++)
    if (s->p[i] != s->value) return false;
  if (size == s->size)
    for (size_t i = size < 64 ? 0 : size - 64; i < size; i++)
      if (s->p[i] != s->value) return false;
  return true;
}

static bool is_aligned(void const *p) {
  return p && !((uintptr_t)p % 16);
}

static bool change(struct slot *s) {
  size_t size = some_size();
  bool right = is_filled(s, s->size);
  if (!s->p || chance() % 3) {
    our_free(s->p);
    s->p = our_malloc(size);
  } else {
    s->p = our_realloc(s->p, size);
    right = right && is_filled(s, size < s->size ? size : s->size);
  }
  s->size = size;
  s->value = (unsigned char)chance();
  right = right && is_aligned(s->p);
  fill(s);
  return right;
}

static void test_many(void) {
  bool right = true;
  for (int i = 0; i < ROUNDS; i++) {
    right = right && change(&slots[chance() % SLOTS]);
    if (!(i % 1000)) our_malloc_trim(0);
  }
  ok(right, "many blocks, changed in any order, are aligned and keep what is in them");
  for (int i = 0; i < SLOTS; i++) {
    right = right && is_filled(&slots[i], slots[i].size);
    our_free(slots[i].p);
  }
  ok(right, "until they are freed");
  our_malloc_trim(0);
  ok(!heap.regions && !heap.total, "then all memory is the system's");
}

static void test_zeros(void) {
  bool zeros = true;
  for (size_t size = 1; size < 20 << 20; size = size * 5 + 3) {
    unsigned char *p = our_malloc(size);
    memset(p, 1, size);
    our_free(p);
    p = our_calloc(size, 1);
    for (size_t i = 0; i < size; i++) zeros = zeros && !p[i];
    our_free(p);
  }
  ok(zeros, "calloc clears");
  errno = 0;
  ok(!our_calloc(SIZE_MAX / 2, 3) && errno == ENOMEM, "and refuses what is no size");
  errno = 0;
  ok(!our_malloc(SIZE_MAX) && !our_malloc(PTRDIFF_MAX) && errno == ENOMEM, "so does malloc");
  char *p = our_malloc(10);
  ok(!our_realloc(p, SIZE_MAX - 8), "and realloc");
  our_free(p);
}

/* From a few bytes to what is mapped alone, and back. */
static void test_growth(void) {
  enum { LARGE = 3 * ALONE_MAX };
  size_t size = 1;
  unsigned char *p = our_realloc(0, size);
  bool right = true;
  for (*p = 0; size < LARGE; size *= 2) {
    p = our_realloc(p, size * 2);
    for (size_t i = size; i < size * 2; i++) p[i] = (unsigned char)(i % 251);
    for (size_t i = 0; i < size; i += 1 + size / 1000) right = right && p[i] == i % 251;
  }
  ok(right && is_aligned(p), "realloc keeps what is in a block that grows");
  for (; size > 1; size /= 2) {
    p = our_realloc(p, size / 2);
    for (size_t i = 0; i < size / 2; i += 1 + size / 1000) right = right && p[i] == i % 251;
  }
  ok(right, "and shrinks");
  our_free(p);
  our_free(0);
  our_malloc_trim(0);
  ok(!heap.total, "all of it is given back");
}

static size_t resident_pages(char *p, size_t size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0;
  unsigned char there[1024];
  p += (page - (uintptr_t)p % page) % page;
  if (mincore(p, size - page, there) < 0) return SIZE_MAX;
  for (size_t i = 0; i < size / page - 1; i++) n += there[i] & 1;
  return n;
}

static void test_trim(void) {
  enum { SIZE = 200000 };
  char *before = our_malloc(100), *p = our_malloc(SIZE), *behind = our_malloc(100);
  memset(p, 1, SIZE);
  strcpy(before, "before");
  strcpy(behind, "behind");
  our_free(p);
  ok(resident_pages(p, SIZE) > 40, "what is freed stays");
  char *again = our_malloc(SIZE);
  ok(again == p, "for who wants as much");
  our_free(again);
  our_malloc_trim(0);
  ok(resident_pages(p, SIZE) <= 2, "until malloc_trim");
  is(before, "before", "which leaves alone what is before it");
  is(behind, "behind", "and behind it");
  our_free(before);
  our_free(behind);
  our_malloc_trim(0);
  ok(!heap.total, "nothing is left");
}

static void test_large(void) {
  enum { SIZE = 3 << 20 };
  heap.alone = ALONE_MIN;
  our_free(our_malloc(SIZE));
  ok(!heap.total, "what is large is given back at once");
  our_free(our_malloc(SIZE));
  ok(heap.total >= SIZE, "when it comes again, it is kept");
  our_malloc_trim(0);
  ok(!heap.total, "until malloc_trim");
}

static void test_shortage(void) {
  enum { ALL = 64 << 20, PIECE = 60000, MOST = ALL / PIECE };
  static char *pieces[MOST];
  size_t n = 0, had = left;
  left = ALL;
  while (n < MOST && (pieces[n] = our_malloc(PIECE))) memset(pieces[n++], 1, PIECE);
  ok(n * PIECE > ALL / 100 * 98 && errno == ENOMEM, "nearly all the memory there is can be used");
  while (n) our_free(pieces[--n]);
  char *p = our_malloc(ALL / 2);
  ok(p, "what is kept free is given back when memory is short");
  our_free(our_malloc(1 << 20));
  ok(heap.total && (p = our_realloc(p, ALL - (64 << 10))), "for what grows, too");
  our_free(p);
  ok(!heap.total && left == ALL, "nothing is left");
  left = had;
}

static void free_twice(void) {
  char *p = our_malloc(100);
  our_free(p);
  our_free(p);
}

static void free_inside(void) {
  char *p = our_calloc(1, 100);
  our_free(p + 16);
}

static void write_behind_the_end(void) {
  char *p = our_malloc(40), *next = our_malloc(40);
  our_free(next);
  memset(p, 'x', 64); /* over the size of the free one */
  our_free(p);
}

static void write_what_is_free(void) {
  char *p = our_malloc(40), *other = our_malloc(40);
  (void)other;
  our_free(p);
  memset(p - HEADER + offsetof(struct block, next), 'x', 2 * sizeof(void *));
  our_malloc(40);
}

static bool ends_by_signal(void misuse(void)) {
  pid_t pid = fork();
  if (!pid) {
    close(2); /* the sanitizers would tell of it */
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    misuse();
    _exit(0);
  }
  int status = 0;
  return waitpid(pid, &status, 0) == pid && !(WIFEXITED(status) && !WEXITSTATUS(status));
}

int main(void) {
  test_many();
  test_zeros();
  test_growth();
  test_trim();
  test_large();
  test_shortage();
  ok(ends_by_signal(free_twice), "freed twice: that is the end");
  ok(ends_by_signal(free_inside), "what is no block: too");
  ok(ends_by_signal(write_behind_the_end), "written behind the end");
  ok(ends_by_signal(write_what_is_free), "written where it is free");
  return tap_done();
}
