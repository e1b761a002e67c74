/* What the fuzz targets share.  A target is one file with LLVMFuzzerTestOneInput, which hands the
 * input to what it tests and demands, by must(), what has to be true whatever the input is.
 * doc/testing.md says how to add one. */
#ifndef FUZZ_H
#define FUZZ_H

#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);
/* Once, before the first input; a target need not have it. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define must(condition) \
  ((condition) ? (void)0 : fuzz_fail("must hold: " #condition, __FILE__, __LINE__))
static inline noreturn void fuzz_fail(char const *what, char const *file, int line) {
  fprintf(stderr, "%s:%d: %s\n", file, line, what);
  abort();
}

/* ---- chance ---- */

/* Throws that follow from the input alone: an input is always treated alike, and needs no format of
 * its own that would say how. */
struct dice {
  uint64_t state;
};

static inline struct dice dice_of(void const *data, size_t size) {
  uint64_t h = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < size; i++) h = (h ^ ((uint8_t const *)data)[i]) * UINT64_C(0x100000001b3);
  return (struct dice){h};
}

/* 0 to n - 1; n at least 1. */
static inline size_t throw_of(struct dice *d, size_t n) {
  d->state = d->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (size_t)(d->state >> 33) % n;
}

/* The size of the next chunk of `left` bytes: mostly a few. */
static inline size_t chunk_of(struct dice *d, size_t left) {
  size_t size = 1 + throw_of(d, throw_of(d, 4) ? 4 : 300);
  return size < left ? size : left;
}

/* ---- files ---- */

/* A file without a name that holds these bytes, the same one each time; not to be closed. */
static inline int fuzz_file(void const *data, size_t size) {
  static int fd = -1;
  char name[] = "/tmp/chainmail-fuzz.XXXXXX";
  if (fd < 0 && ((fd = mkstemp(name)) < 0 || unlink(name) < 0)) fuzz_fail("mkstemp", name, 0);
  if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
    fuzz_fail("pwrite", name, 0);
  return fd;
}

#endif
