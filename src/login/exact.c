/* Taking one command, and not a byte more, off the connection: what the client has sent behind its
 * login belongs to imapd, another program.
 *
 * On a socket the line's end is found by peeking.  If it has not come yet, what was peeked is
 * consumed all the same: to poll for more with those bytes still there would return at once, again
 * and again.  On anything else bytes are read one by one. */
#include "login/login.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t take_line(int fd, char *buf, size_t size) {
  ssize_t r = recv(fd, buf, size, MSG_PEEK | MSG_DONTWAIT);
  if (r <= 0) return r;
  char const *end = memchr(buf, '\n', (size_t)r);
  return recv(fd, buf, end ? (size_t)(end - buf) + 1 : (size_t)r, MSG_DONTWAIT);
}

static ssize_t take(struct imap_input *in, char *buf, size_t size) {
  if (in->literal_left) return read(in->fd, buf, size < in->literal_left ? size : in->literal_left);
  ssize_t r = take_line(in->fd, buf, size);
  return r < 0 && errno == ENOTSOCK ? read(in->fd, buf, 1) : r;
}

/* 1 when there is something to read, 0 when the keeper has gone, -1 with errno. */
static int wait_for_client(struct imap_input const *in) {
  int const *keeper = in->context;
  struct pollfd p[] = {{.fd = in->fd, .events = POLLIN}, {.fd = keeper ? *keeper : -1}};
  for (;;) {
    int64_t left = in->deadline < 0 ? -1 : in->deadline - clock_ms();
    if (in->deadline >= 0 && left < 0) left = 0;
    int r = poll(p, 2, left > INT_MAX ? INT_MAX : (int)left);
    if (!r) errno = ETIMEDOUT;
    if (r > 0) return !p[1].revents;
    if (!r || errno != EINTR) return -1;
  }
}

ssize_t exact_fill(struct imap_input *in, char *buf, size_t size) {
  for (;;) {
    int ready = wait_for_client(in);
    if (ready <= 0) return ready;
    ssize_t r = take(in, buf, size);
    if (r >= 0 || (errno != EAGAIN && errno != EINTR)) return r;
  }
}

bool exact_pending(int fd) {
  char rubbish[4096];
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, 0) > 0 && p.revents & POLLIN && read(fd, rubbish, sizeof rubbish) > 0;
}
