/* Memory that is given back to the system before a long wait: what was freed, where there is
 * malloc_trim, in glibc and in src/musl; the stack that deep calls with large buffers have left
 * behind, and what the caller names, where the system is Linux. */
#include "base/base.h"

#include <errno.h>
#include <string.h>

/* Null where there is none. */
extern int malloc_trim(size_t keep) __attribute__((weak));

#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>

/* The whole pages of it, which then read as zeros. */
static void give_back(char *start, char *end) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  int e = errno;
  start += (page - (uintptr_t)start % page) % page;
  end -= (uintptr_t)end % page;
  /* Those that were never touched are not there: that is no error to us. */
  if (start < end) madvise(start, (size_t)(end - start), MADV_DONTNEED);
  errno = e;
}

void memory_wipe(void *start, size_t size) {
  explicit_bzero(start, size);
  give_back(start, (char *)start + size);
}

/* HP-PA's stack grows upwards. */
#ifndef __hppa__
#define STACK_BELOW

/* How far below here calls may have reached (nothing else lies so near), and what of it the frames
 * of this file and of madvise need. */
enum { STACK_DEPTH = 256 << 10, IN_USE = 1024 };

/* The pages below the stack pointer hold what nobody can need. */
void memory_trim_stack(void) {
  char *end = (char *)__builtin_frame_address(0) - IN_USE;
  give_back(end - STACK_DEPTH, end);
}
#endif
#else
void memory_wipe(void *start, size_t size) {
  explicit_bzero(start, size);
}
#endif

#ifndef STACK_BELOW
void memory_trim_stack(void) {}
#endif

void memory_trim(void) {
  if (malloc_trim) malloc_trim(0);
  memory_trim_stack();
}
