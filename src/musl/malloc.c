/* malloc(3) for imapd.  musl's asks the system for memory and gives it back all the time, which
 * costs more than what a command does with it.  This one keeps what has been freed, as glibc's
 * does, until malloc_trim, or until memory is short; what is large goes at once.  For one thread.
 *
 * Memory is regions of the system's; a region is blocks, in use or free, one behind the other, and
 * no two free ones: they are joined.  Free blocks are in lists by size, eight lists to each power
 * of two, and a bit for each list says whether anything is in it.  Whoever writes where he must not
 * is found out when a block is freed, taken or joined, as far as that costs nothing, and ends here.
 *
 * The Makefile has flags for what the compiler must not make of this. */
#define _GNU_SOURCE /* mremap */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int malloc_trim(size_t);

enum {
  ALIGNMENT = 16,
  /* A block's size counts from its own `size` to the next one's, and is a multiple of 16: the
   * lowest bits are free to say something else. */
  IN_USE = 1,
  BEHIND_FREE = 2, /* the block before it is free */
  ALONE = 4,       /* not in a region, but a mapping of its own */
  FLAGS = 15,
  HEADER = 16, /* to what the caller gets; of it only `size` is the block's own while in use */
  SIZE_MIN = 32,
  REGION_MIN = 256 << 10,
  /* Larger ones are mapped alone, and given back at once; but who has freed one is likely to want
   * as much again, which then comes from a region, if it is not more than this. */
  ALONE_MIN = 1 << 20,
  ALONE_MAX = 16 << 20,
  SHIFT_MIN = 5,  /* of SIZE_MIN */
  SHIFT_MAX = 26, /* more than any region has */
  LISTS = (SHIFT_MAX - SHIFT_MIN) * 8,
  WORD = 64,
};

struct block {
  size_t before; /* the size of the block before it, if that is free; else that one's */
  size_t size;   /* and flags */
  struct block *next, *previous; /* in its list, while it is free; null at the ends */
};

/* What of a block's size its memory has not: it reaches to the next one's `size`. */
enum { OWN = HEADER - offsetof(struct block, size) };

struct region {
  _Alignas(ALIGNMENT) struct region *next; /* so that what follows is aligned, too */
  size_t size;
};

static struct {
  struct region *regions;
  size_t total; /* of all regions */
  size_t alone; /* blocks of this size are mapped alone, and larger ones */
  struct block *list[LISTS];
  uint64_t used[(LISTS + WORD - 1) / WORD]; /* a bit for each list */
} heap = {.alone = ALONE_MIN};

static size_t size_of(struct block const *b) {
  return b->size & ~(size_t)FLAGS;
}

static struct block *at(void *base, size_t offset) {
  return (struct block *)((char *)base + offset);
}

static struct block *after(struct block *b) {
  return at(b, size_of(b));
}

static void *memory_of(struct block *b) {
  return (char *)b + HEADER;
}

static void must(bool holds) {
  if (!holds) abort();
}

/* ---- the lists of free blocks ---- */

static unsigned int list_of(size_t size) {
  unsigned int shift = (unsigned int)(WORD - 1 - __builtin_clzll(size));
  return (shift - SHIFT_MIN) * 8 + (unsigned int)(size >> (shift - 3) & 7);
}

static void enlist(struct block *b) {
  unsigned int n = list_of(b->size);
  b->previous = 0;
  b->next = heap.list[n];
  if (b->next) b->next->previous = b;
  heap.list[n] = b;
  heap.used[n / WORD] |= UINT64_C(1) << n % WORD;
}

static void delist(struct block *b) {
  unsigned int n = list_of(size_of(b));
  must(!(b->size & IN_USE) && after(b)->before == size_of(b));
  must(b->previous ? b->previous->next == b : heap.list[n] == b);
  must(!b->next || b->next->previous == b);
  if (b->next) b->next->previous = b->previous;
  if (b->previous)
    b->previous->next = b->next;
  else if (!(heap.list[n] = b->next))
    heap.used[n / WORD] &= ~(UINT64_C(1) << n % WORD);
}

/* The first of the lists from n on with something in it; null if all are empty. */
static struct block *first_from(unsigned int n) {
  uint64_t mask = ~UINT64_C(0) << n % WORD;
  for (unsigned int word = n / WORD; word < sizeof heap.used / sizeof *heap.used; word++) {
    uint64_t used = heap.used[word] & mask;
    if (used) return heap.list[word * WORD + (unsigned int)__builtin_ctzll(used)];
    mask = ~UINT64_C(0);
  }
  return 0;
}

/* A block that is large enough: what was freed last of its own list, if it is, else one of a list
 * in which all are. */
static struct block *find(size_t size) {
  unsigned int n = list_of(size);
  struct block *b = heap.list[n];
  return b && size_of(b) >= size ? b : first_from(n + 1);
}

/* ---- blocks ---- */

/* Makes what is there a free block; whoever calls it has seen to its neighbours' being in use. */
static void make_free(struct block *b, size_t size) {
  b->size = size;
  struct block *next = after(b);
  next->before = size;
  next->size |= BEHIND_FREE;
  enlist(b);
}

/* Gives back what is free, with what is free on either side of it. */
static void release(struct block *b) {
  size_t size = size_of(b);
  struct block *next = after(b);
  if (!(next->size & IN_USE)) {
    delist(next);
    size += size_of(next);
  }
  if (b->size & BEHIND_FREE) {
    struct block *before = at(b, -b->before);
    must(size_of(before) == b->before);
    delist(before);
    size += b->before;
    b = before;
  }
  make_free(b, size);
}

/* A block in use keeps `size` of what it has; the rest, if a block can be made of it, is free. */
static void cut(struct block *b, size_t size) {
  size_t rest = size_of(b) - size;
  if (rest < SIZE_MIN) return;
  b->size -= rest;
  struct block *second = after(b);
  second->size = rest | IN_USE;
  release(second);
}

static void take(struct block *b, size_t size) {
  delist(b);
  b->size |= IN_USE;
  after(b)->size &= ~(size_t)BEHIND_FREE;
  cut(b, size);
}

/* ---- regions ---- */

static bool is_empty(struct region *r) {
  struct block *first = at(r, sizeof *r);
  return !(first->size & IN_USE) && size_of(first) == r->size - sizeof *r - HEADER;
}

static void drop_empty_regions(void) {
  for (struct region **r = &heap.regions, *gone; *r;)
    if (is_empty(gone = *r)) {
      delist(at(gone, sizeof *gone));
      *r = gone->next;
      heap.total -= gone->size;
      munmap(gone, gone->size);
    } else {
      r = &(*r)->next;
    }
}

/* Null, when there is no more even without the empty ones. */
static void *map(size_t size) {
  for (int i = 0; i < 2; i++) {
    void *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED) return p;
    drop_empty_regions();
  }
  return 0;
}

static size_t whole_pages(size_t size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  return (size + page - 1) & ~(page - 1);
}

/* Room for a block of the size, and more the more there is already, unless memory is short. */
static bool add_region(size_t size) {
  size_t least = whole_pages(size + sizeof(struct region) + HEADER);
  size_t want = heap.total / 4 < ALONE_MAX ? heap.total / 4 : ALONE_MAX;
  want = whole_pages(want > REGION_MIN ? want : REGION_MIN);
  if (want < least) want = least;
  struct region *r = map(want);
  if (!r && want > least) r = map(want = least);
  if (!r) return false;
  *r = (struct region){heap.regions, want};
  heap.regions = r;
  heap.total += want;
  struct block *first = at(r, sizeof *r), *end = at(r, want - HEADER);
  end->size = IN_USE; /* of no size: what is before it is joined with nothing */
  make_free(first, (size_t)((char *)end - (char *)first));
  return true;
}

/* ---- mappings of their own ---- */

static void *alone(void *p, size_t size) {
  if (!p) return 0;
  struct block *b = p;
  b->size = size | IN_USE | ALONE;
  return memory_of(b);
}

static void *allocate_alone(size_t size) {
  size = whole_pages(size + HEADER);
  return alone(map(size), size);
}

static void *grow_alone(struct block *b, size_t size) {
  size = whole_pages(size + HEADER);
  void *p = mremap(b, size_of(b), size, MREMAP_MAYMOVE);
  if (p == MAP_FAILED) {
    drop_empty_regions();
    p = mremap(b, size_of(b), size, MREMAP_MAYMOVE);
  }
  return alone(p == MAP_FAILED ? 0 : p, size);
}

static void free_alone(struct block *b) {
  size_t size = size_of(b);
  if (size >= heap.alone) heap.alone = size < ALONE_MAX ? size + 1 : ALONE_MAX;
  munmap(b, size);
}

/* ---- malloc(3) ---- */

/* Of a block for so many bytes; 0: there is none so large. */
static size_t block_size(size_t bytes) {
  if (bytes > PTRDIFF_MAX - ALONE_MAX) {
    errno = ENOMEM;
    return 0;
  }
  size_t size = (bytes + OWN + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
  return size < SIZE_MIN ? SIZE_MIN : size;
}

static struct block *block_of(void *memory) {
  struct block *b = (struct block *)((char *)memory - HEADER);
  must(!((uintptr_t)memory % ALIGNMENT) && b->size & IN_USE && size_of(b) >= SIZE_MIN);
  return b;
}

void *malloc(size_t bytes) {
  size_t size = block_size(bytes);
  if (!size) return 0;
  if (size >= heap.alone) return allocate_alone(size);
  struct block *b = find(size);
  if (!b && (!add_region(size) || !(b = find(size)))) return 0;
  take(b, size);
  return memory_of(b);
}

void free(void *memory) {
  if (!memory) return;
  struct block *b = block_of(memory);
  int e = errno;
  if (b->size & ALONE)
    free_alone(b);
  else
    release(b);
  errno = e;
}

void *calloc(size_t n, size_t bytes) {
  if (bytes && n > SIZE_MAX / bytes) {
    errno = ENOMEM;
    return 0;
  }
  void *p = malloc(n * bytes);
  /* What is mapped alone is of zeros. */
  return p && !(block_of(p)->size & ALONE) ? memset(p, 0, n * bytes) : p;
}

/* Of a block in a region: whether it could be made larger where it is. */
static bool grow_in_place(struct block *b, size_t size) {
  struct block *next = after(b);
  if (next->size & IN_USE || size_of(b) + size_of(next) < size) return false;
  delist(next);
  b->size += size_of(next);
  after(b)->size &= ~(size_t)BEHIND_FREE;
  return true;
}

static void *move(struct block *b, size_t bytes) {
  void *p = malloc(bytes);
  if (!p) return 0;
  size_t had = size_of(b) - OWN;
  memcpy(p, memory_of(b), had < bytes ? had : bytes);
  free(memory_of(b));
  return p;
}

void *realloc(void *memory, size_t bytes) {
  if (!memory) return malloc(bytes);
  struct block *b = block_of(memory);
  size_t size = block_size(bytes);
  if (!size) return 0;
  if (b->size & ALONE) return size >= ALONE_MIN ? grow_alone(b, size) : move(b, bytes);
  if (size > size_of(b) && (size >= heap.alone || !grow_in_place(b, size))) return move(b, bytes);
  cut(b, size);
  return memory;
}

/* Gives to the system the regions and pages in which nothing is in use. */
int malloc_trim(size_t keep) {
  (void)keep;
  int e = errno;
  drop_empty_regions();
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  for (unsigned int n = list_of(page); n < LISTS; n++)
    for (struct block *b = heap.list[n]; b; b = b->next) {
      uintptr_t start = ((uintptr_t)(b + 1) + page - 1) & ~(page - 1);
      uintptr_t end = (uintptr_t)after(b) & ~(page - 1);
      if (start < end) madvise((void *)start, end - start, MADV_DONTNEED);
    }
  errno = e;
  return 1;
}
