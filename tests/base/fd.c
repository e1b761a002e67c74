/* Descriptors: where they go, and reading and writing under a deadline. */
#include "base/base.h"
#include "../tap.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_moving(void) {
  int fd = open("/dev/null", O_RDWR);
  int high = fd_move_high(fd);
  ok(high >= 10, "moved to 10 or above");
  ok(fcntl(high, F_GETFD) & FD_CLOEXEC, "closed by exec");
  ok(fcntl(fd, F_GETFD) < 0, "and no longer where it was");
  ok(!fd_close_on_exec(high, false) && !(fcntl(high, F_GETFD) & FD_CLOEXEC), "kept across exec");
  ok(fd_move_high(-1) < 0 && errno == EBADF, "what is not open cannot move");
  fd_close_from(high);
  ok(fcntl(high, F_GETFD) < 0 && fcntl(2, F_GETFD) >= 0, "closed from there on, not below");
}

static void test_no_room(void) {
  struct rlimit before, few;
  int fd = open("/dev/null", O_RDWR);
  getrlimit(RLIMIT_NOFILE, &before);
  few = before;
  few.rlim_cur = 10;
  setrlimit(RLIMIT_NOFILE, &few);
  ok(fd_move_high(fd) < 0 && errno == EINVAL, "no number is allowed from 10 on");
  setrlimit(RLIMIT_NOFILE, &before);
  ok(fcntl(fd, F_GETFD) < 0, "what could not be moved is closed: nobody else would");
}

static void test_reading(void) {
  char buf[8];
  int fds[2];
  if (pipe(fds) < 0) return;
  ok(io_read(fds[0], buf, sizeof buf, clock_ms()) == -1 && errno == ETIMEDOUT, "nothing to read");
  ok(write(fds[1], "abc", 3) == 3 && io_read(fds[0], buf, sizeof buf, -1) == 3, "something");
  is_uint((uint64_t)io_wait(fds[0], POLLIN, clock_ms()), 0, "no wait beyond the deadline");
  close(fds[1]);
  is_uint((uint64_t)io_wait(fds[0], POLLIN, -1), 1, "end of file is ready");
  is_uint((uint64_t)io_read(fds[0], buf, sizeof buf, -1), 0, "and read as such");
  close(fds[0]);
}

/* A reader that sums what comes; its exit code is 0 if that was n bytes. */
static pid_t reader(int fd, int other, size_t n) {
  pid_t pid = fork();
  if (pid) return pid;
  char buf[5000];
  ssize_t r;
  close(other);
  while ((r = read(fd, buf, sizeof buf)) > 0) n -= (size_t)r;
  _exit(n != 0);
}

static void test_writing(int const fds[2], char const *name) {
  static char data[1 << 20];
  int status = 1, flags = fcntl(fds[1], F_GETFL);
  ok(io_write_all(fds[1], data, sizeof data, clock_ms() + 1) < 0 && errno == ETIMEDOUT,
     "nobody reads: the deadline");
  ok(fcntl(fds[1], F_GETFL) == flags, "the mode is as it was");
  while (io_read(fds[0], data, sizeof data, clock_ms()) > 0)
    ;
  pid_t pid = reader(fds[0], fds[1], sizeof data);
  close(fds[0]);
  ok(!io_write_all(fds[1], data, sizeof data, -1), name);
  close(fds[1]);
  ok(waitpid(pid, &status, 0) == pid && !status, "all of it arrives");
}

static void test_broken_socket(void) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) return;
  close(fds[0]);
  ok(io_write_all(fds[1], "x", 1, -1) < 0 && errno == EPIPE, "EPIPE without a signal");
  close(fds[1]);
}

static void test_at_once(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 0;
  socklen_t size = sizeof on;
  if (fd < 0) return;
  fd_send_at_once(fd);
  ok(!getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size) && on, "TCP writes do not wait");
  close(fd);
  errno = 0;
  fd_send_at_once(fd);
  ok(!errno, "and what is no TCP is no error");
}

int main(void) {
  int fds[2];
  test_moving();
  test_no_room();
  test_reading();
  if (!pipe(fds)) test_writing(fds, "a pipe");
  if (!socketpair(AF_UNIX, SOCK_STREAM, 0, fds)) {
    ok(fd_is_socket(fds[0]), "a socket is one");
    test_writing(fds, "a socket");
  }
  test_broken_socket();
  test_at_once();
  int null = open("/dev/null", O_RDWR);
  ok(!fd_is_socket(null), "a file is no socket");
  ok(!io_write_all(null, "x", 1, -1), "and can be written");
  int64_t before = clock_ms();
  ok(clock_ms() >= before, "the clock goes forward");
  return tap_done();
}
