/* A worker: takes a request with its connection from the front, serves it, says that it is free.
 * Between requests it keeps nothing but the sources' connections. */
#include "authd/authd.h"
#include "base/base.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static char bytes[DAEMON_REQUEST_MAX + 1];

/* The connection of one request, whose size is stored; -1: the front has closed its end. */
static int take_request(int fd, size_t *size) {
  union {
    char room[CMSG_SPACE(sizeof(int))];
    struct cmsghdr header;
  } control;
  struct iovec part = {bytes, DAEMON_REQUEST_MAX};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control.room,
                           .msg_controllen = sizeof control.room};
  int client;
  ssize_t n;
  do {
    n = recvmsg(fd, &message, 0);
  } while (n < 0 && errno == EINTR);
  struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&message) : 0;
  if (!h || h->cmsg_type != SCM_RIGHTS) return -1;
  memcpy(&client, CMSG_DATA(h), sizeof client);
  fd_close_on_exec(client, true);
  *size = (size_t)n;
  return client;
}

/* What the client has sent too much would make its system say that the connection broke. */
static void hang_up(int client) {
  char more[256];
  while (recv(client, more, sizeof more, MSG_DONTWAIT) > 0) {
  }
  close(client);
}

noreturn void worker_run(int fd, struct settings const *s) {
  size_t size;
  fd_close_on_exec(fd, true);
  for (int client; (client = take_request(fd, &size)) >= 0;) {
    request_serve(s, client, bytes, size, clock_ms() + s->timeout);
    explicit_bzero(bytes, sizeof bytes);
    hang_up(client);
    if (send(fd, "", 1, MSG_NOSIGNAL) < 0) break;
  }
  _exit(0);
}
