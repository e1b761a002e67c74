/* When a file was made: Linux and the BSDs know, POSIX does not ask. */
#include "store/birth.h"

#include <unistd.h>

#ifdef __linux__
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#endif

#ifdef SYS_statx /* not every C library has a function for it */
uint64_t file_birth(int fd) {
  struct statx sx;
  if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BTIME, &sx) < 0) return 0;
  if (!(sx.stx_mask & STATX_BTIME)) return 0;
  return (uint64_t)sx.stx_btime.tv_sec * 1000000000 + sx.stx_btime.tv_nsec;
}
#else
uint64_t file_birth(int fd) {
  (void)fd;
  return 0;
}
#endif
