/* Open file description locks: they belong to the open file, not to the process, so closing some
 * other descriptor of the same file does not drop them, as it does with POSIX locks. */
#define _GNU_SOURCE /* F_OFD_SETLKW */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#ifdef F_OFD_SETLK
enum { SET = F_OFD_SETLK, SET_WAIT = F_OFD_SETLKW, GET = F_OFD_GETLK };
#else
enum { SET = F_SETLK, SET_WAIT = F_SETLKW, GET = F_GETLK };
#endif

static short kind(enum lock_type type) {
  return type == LOCK_READ ? F_RDLCK : type == LOCK_WRITE ? F_WRLCK : F_UNLCK;
}

int lock_part(int fd, enum lock_type type, uint64_t start, uint64_t size) {
  struct flock l = {.l_whence = SEEK_SET, .l_start = (off_t)start, .l_len = (off_t)size};
  l.l_type = kind(type);
  if (!fcntl(fd, SET, &l)) return 0;
  if (errno == EACCES) errno = EAGAIN;
  return -1;
}

int lock_taken(int fd, uint64_t start, uint64_t size) {
  struct flock l = {.l_whence = SEEK_SET, .l_start = (off_t)start, .l_len = (off_t)size};
  l.l_type = F_WRLCK;
  return fcntl(fd, GET, &l) < 0 ? -1 : l.l_type != F_UNLCK;
}

int lock_file(int fd, enum lock_type type, int timeout_ms) {
  struct flock l = {.l_whence = SEEK_SET};
  l.l_type = kind(type);
  int64_t deadline = timeout_ms < 0 ? -1 : clock_ms() + timeout_ms;
  struct timespec pause = {0, 500000};
  for (;;) {
    int r = fcntl(fd, deadline < 0 ? SET_WAIT : SET, &l);
    if (!r) return 0;
    if (errno == EINTR) continue;
    if (deadline < 0 || (errno != EAGAIN && errno != EACCES)) return -1;
    if (clock_ms() >= deadline) {
      errno = EAGAIN;
      return -1;
    }
    nanosleep(&pause, 0);
    if (pause.tv_nsec < 20000000) pause.tv_nsec *= 2;
  }
}
