/* When a file was made: Linux and the BSDs know, POSIX does not ask. */
#define _GNU_SOURCE /* statx */
#include "store/birth.h"

#include <fcntl.h>
#include <sys/stat.h>

#ifdef STATX_BTIME
uint64_t file_birth(int fd) {
  struct statx sx;
  if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &sx) < 0 || !(sx.stx_mask & STATX_BTIME)) return 0;
  return (uint64_t)sx.stx_btime.tv_sec * 1000000000 + sx.stx_btime.tv_nsec;
}
#else
uint64_t file_birth(int fd) {
  (void)fd;
  return 0;
}
#endif
