/* Memory that is given back to the system before a long wait: what was freed, and the stack that
 * deep calls with large buffers have left behind.  glibc and Linux; elsewhere nothing happens. */
#include "base/base.h"

#include <errno.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

/* HP-PA's stack grows upwards. */
#if defined(__linux__) && !defined(__hppa__)
#define STACK_BELOW
#include <sys/mman.h>
#include <unistd.h>

/* How far below here calls may have reached (nothing else lies so near), and what of it the frames
 * of this file and of madvise need. */
enum { STACK_DEPTH = 256 << 10, IN_USE = 1024 };

/* The pages below the stack pointer hold what nobody can need.  Those the stack never grew to are
 * not there: that is no error to us. */
static void trim_stack(void) {
  char *here = __builtin_frame_address(0);
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  char *end = here - IN_USE - ((uintptr_t)here - IN_USE) % page;
  madvise(end - STACK_DEPTH, STACK_DEPTH, MADV_DONTNEED);
}
#endif

void memory_trim(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
#ifdef STACK_BELOW
  int e = errno;
  trim_stack();
  errno = e;
#endif
}
