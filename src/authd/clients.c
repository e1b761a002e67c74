/* Connections whose request is not whole yet, or waits for a worker.  Nothing is understood of it
 * here but its size. */
#include "authd/authd.h"
#include "base/base.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void client_drop(struct client *c) {
  close(c->fd);
  explicit_bzero(c->bytes, c->size);
  *c = (struct client){.state = CLIENT_FREE, .fd = -1};
}

static struct client *oldest(struct clients *cs, enum client_state state) {
  struct client *found = 0;
  for (struct client *c = cs->all; c < cs->all + CLIENTS_MAX; c++)
    if (c->state == state && (!found || c->number < found->number)) found = c;
  return found;
}

struct client *clients_next(struct clients *cs) {
  return oldest(cs, CLIENT_WAITING);
}

bool clients_have_room(struct clients const *cs) {
  for (struct client const *c = cs->all; c < cs->all + CLIENTS_MAX; c++)
    if (c->state != CLIENT_WAITING) return true;
  return false;
}

/* An honest client sends its request at once: one that has not by now is no loss. */
static struct client *make_room(struct clients *cs) {
  struct client *c = oldest(cs, CLIENT_FREE);
  if (c) return c;
  c = oldest(cs, CLIENT_READING);
  if (!c) return 0;
  log_event("dropped", "why", "too many clients have sent no request yet", (char *)0);
  client_drop(c);
  return c;
}

/* Without descriptors or memory the next attempt would come at once, and fail, too. */
static void log_refusal(void) {
  enum { PAUSE = 100 }; /* ms */
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ECONNABORTED) return;
  log_failure("let a client in", 0, "raise the limit on open files: 350 are enough");
  io_wait(-1, 0, clock_ms() + PAUSE);
}

void clients_accept(struct clients *cs, int listener) {
  struct client *c = make_room(cs);
  if (!c) return;
  int fd = accept(listener, 0, 0);
  if (fd < 0) {
    log_refusal();
    return;
  }
  fd_close_on_exec(fd, true);
  c->state = CLIENT_READING;
  c->fd = fd;
  c->size = 0;
  c->number = ++cs->arrivals;
  c->deadline = clock_ms() + (int64_t)CLIENT_SECONDS * SECOND;
}

static void drop_as(struct client *c, char const *why) {
  log_event("dropped", "why", why, (char *)0);
  client_drop(c);
}

static void look(struct client *c, int64_t timeout) {
  size_t size = c->size;
  switch (daemon_frame(c->bytes, &size)) {
  case DAEMON_MORE: break;
  case DAEMON_BROKEN: drop_as(c, "no request, or too large a one"); break;
  case DAEMON_WHOLE:
    explicit_bzero(c->bytes + size, c->size - size);
    c->size = size;
    c->state = CLIENT_WAITING;
    c->deadline = clock_ms() + timeout;
  }
}

void client_read(struct client *c, int64_t timeout) {
  ssize_t n = recv(c->fd, c->bytes + c->size, DAEMON_REQUEST_MAX - c->size, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
  if (n <= 0) {
    client_drop(c);
    return;
  }
  c->size += (size_t)n;
  look(c, timeout);
}

void clients_expire(struct clients *cs, int64_t now) {
  static char const *const why[] = {[CLIENT_READING] = "no whole request in time",
                                    [CLIENT_WAITING] = "no worker was free in time"};
  for (struct client *c = cs->all; c < cs->all + CLIENTS_MAX; c++)
    if (c->state != CLIENT_FREE && c->deadline <= now) drop_as(c, why[c->state]);
}

int64_t clients_deadline(struct clients const *cs, int64_t latest) {
  for (struct client const *c = cs->all; c < cs->all + CLIENTS_MAX; c++)
    if (c->state != CLIENT_FREE && c->deadline < latest) latest = c->deadline;
  return latest;
}

void clients_drop_all(struct clients *cs, bool waiting) {
  for (struct client *c = cs->all; c < cs->all + CLIENTS_MAX; c++)
    if (c->state == CLIENT_READING || (waiting && c->state == CLIENT_WAITING)) client_drop(c);
}
