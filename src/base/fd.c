/* Descriptors: where they are, and reading and writing under a deadline. */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

enum { PRIVATE_FD = 10 }; /* checkpassword's 3 and UCSPI's 6 and 7 stay free below */

int fd_move_high(int fd) {
  int high = fcntl(fd, F_DUPFD_CLOEXEC, PRIVATE_FD);
  int saved = errno;
  close(fd);
  errno = saved;
  return high;
}

void fd_close_from(int lowest) {
#ifdef SYS_close_range /* not every C library has a function for it */
  if (!syscall(SYS_close_range, (unsigned int)lowest, UINT_MAX, 0)) return;
#endif
  long max = sysconf(_SC_OPEN_MAX);
  for (long fd = lowest; fd < max; fd++) close((int)fd);
}

int fd_close_on_exec(int fd, bool on) {
  int flags = fcntl(fd, F_GETFD);
  if (flags < 0) return -1;
  return fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC);
}

int64_t clock_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int io_wait(int fd, short events, int64_t deadline) {
  for (;;) {
    struct pollfd p = {.fd = fd, .events = events};
    int64_t left = -1;
    if (deadline >= 0) {
      left = deadline - clock_ms();
      if (left < 0) left = 0;
      if (left > INT_MAX) left = INT_MAX;
    }
    int r = poll(&p, 1, (int)left);
    if (r >= 0) return r;
    if (errno != EINTR) return -1;
  }
}

ssize_t io_read(int fd, void *buf, size_t size, int64_t deadline) {
  for (;;) {
    int ready = io_wait(fd, POLLIN, deadline);
    if (ready < 0) return -1;
    if (!ready) {
      errno = ETIMEDOUT;
      return -1;
    }
    ssize_t r = read(fd, buf, size);
    if (r >= 0 || (errno != EINTR && errno != EAGAIN)) return r;
  }
}

bool fd_is_socket(int fd) {
  int type;
  socklen_t size = sizeof type;
  return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
}

void fd_send_at_once(int fd) {
  int saved = errno, on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  errno = saved;
}

/* One write that does not block for long: a socket is told so; on a pipe, poll(2) promises room for
 * PIPE_BUF bytes and no more. */
static ssize_t write_some(int fd, char const *buf, size_t size, bool *is_socket) {
  if (*is_socket) {
    ssize_t r = send(fd, buf, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (r >= 0 || errno != ENOTSOCK) return r;
    *is_socket = false;
  }
  return write(fd, buf, size < PIPE_BUF ? size : PIPE_BUF);
}

int io_write_all(int fd, void const *buf, size_t size, int64_t deadline) {
  char const *p = buf;
  bool is_socket = true;
  while (size) {
    if (!is_socket) {
      int ready = io_wait(fd, POLLOUT, deadline);
      if (ready < 0) return -1;
      if (!ready) {
        errno = ETIMEDOUT;
        return -1;
      }
    }
    ssize_t r = write_some(fd, p, size, &is_socket);
    if (r >= 0) {
      p += r;
      size -= (size_t)r;
    } else if (errno == EAGAIN && is_socket) {
      int ready = io_wait(fd, POLLOUT, deadline);
      if (ready < 0) return -1;
      if (!ready) {
        errno = ETIMEDOUT;
        return -1;
      }
    } else if (errno != EINTR && errno != EAGAIN) {
      return -1;
    }
  }
  return 0;
}
