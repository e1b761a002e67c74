/* Waiting: for the client, for a signal, for a change of the selected mailbox.  Before the process
 * sleeps the client has all its answers and the system its memory back. */
#include "imapd/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>
#include <skalibs/djbunix.h>

/* The writing end of the pipe that wakes poll: between a look at a flag and the sleep a signal
 * would be missed. */
static int wake_fd = -1;
static volatile sig_atomic_t signalled;

static void on_signal(int number) {
  (void)number;
  signalled = 1;
  int e = errno;
  ssize_t r = write(wake_fd, "", 1);
  (void)r; /* a full pipe wakes as well */
  errno = e;
}

static ssize_t fill(struct imap_input *in, char *buf, size_t size) {
  struct session *s = in->context;
  switch (wait_event(s, -1, in->deadline)) {
  case EVENT_INPUT: return read(in->fd, buf, size);
  case EVENT_SIGNAL: s->ending = END_TERMINATED; return 0;
  case EVENT_DEADLINE: errno = ETIMEDOUT; return -1;
  default: return -1;
  }
}

int wait_init(struct session *s) {
  static int const ending[] = {SIGTERM, SIGINT, SIGHUP};
  int fds[2];
  if (pipenbcoe(fds) < 0) return -1;
  s->signals = fds[0];
  wake_fd = fds[1];
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
    if (sigaction(ending[i], &action, 0) < 0) return -1;
  s->in.fill = fill;
  s->in.context = s;
  return 0;
}

/* ---- sleeping ---- */

enum {
  LULL_MS = 50, /* a client that is quiet for so long is not in the middle of something */
};

/* -1 is never. */
static int64_t earlier(int64_t a, int64_t b) {
  if (a < 0) return b;
  return b < 0 || a < b ? a : b;
}

static int milliseconds_until(int64_t deadline) {
  enum { DAY = 86400000 }; /* poll takes an int */
  if (deadline < 0) return -1;
  int64_t left = deadline - clock_ms();
  return left < 0 ? 0 : left > DAY ? DAY : (int)left;
}

static int poll_until(struct pollfd *fds, nfds_t n, int64_t deadline) {
  for (;;) {
    int timeout = milliseconds_until(deadline), ready = poll(fds, n, timeout);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return ready;
    if (!milliseconds_until(deadline)) return 0;
  }
}

/* Without waiting; a signal that comes just then is seen the next time. */
static int poll_now(struct pollfd *fds, nfds_t n) {
  return poll_until(fds, n, 0);
}

/* As long as nobody wants anything else; what poll says then.  A client that does not want it now
 * finds it known the next time. */
static int look_at_new_mail(struct session *s, struct pollfd *fds, nfds_t n) {
  int ready = 0;
  while (s->folder && !ready && folder_learn(s->folder)) ready = poll_now(fds, n);
  return ready;
}

/* Most sessions sleep most of the time: what they hold then counts. */
static void give_memory_back(struct session *s) {
  imap_output_idle(&s->out);
  if (s->folder) folder_rest(s->folder);
  store_rest(s->store);
  memory_trim();
}

enum event wait_event(struct session *s, int watch, int64_t deadline) {
  enum { CLIENT, SIGNAL, CHANGE, FDS };
  struct pollfd fds[FDS] = {[CLIENT] = {.fd = s->in.fd, .events = POLLIN},
                            [SIGNAL] = {.fd = s->signals, .events = POLLIN},
                            [CHANGE] = {.fd = watch, .events = POLLIN}};
  /* Only who really has to wait flushes: answers to pipelined commands go out together. */
  int ready = poll_now(fds, FDS);
  if (!ready) {
    imap_flush(&s->out);
    ready = poll_until(fds, FDS, earlier(deadline, clock_ms() + LULL_MS));
  }
  if (!ready) ready = look_at_new_mail(s, fds, FDS);
  if (!ready && milliseconds_until(deadline)) {
    give_memory_back(s);
    ready = poll_until(fds, FDS, deadline);
  }
  if (!ready) return EVENT_DEADLINE;
  if (ready < 0) return EVENT_ERROR;
  if (fds[SIGNAL].revents) return EVENT_SIGNAL;
  if (fds[CLIENT].revents) return EVENT_INPUT;
  return EVENT_CHANGE;
}

/* ---- the timer and the end ---- */

void wait_restart_timer(struct session *s) {
  s->in.deadline = clock_ms() + s->timeout_ms;
}

/* Inside TLS, a client that has said goodbye in form leaves tlsd's engine on our socket for a
 * while; one that was cut off leaves nobody (doc/chain.md).  A TCP connection that was reset is the
 * same.
 */
static bool is_cut_off(int fd) {
  struct pollfd p = {.fd = fd};
  return fd_is_socket(fd) && poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

void wait_note_end(struct session *s) {
  switch (s->in.end) {
  case IMAP_OPEN: return;
  case IMAP_EOF: s->ending = is_cut_off(s->in.fd) ? END_READ_ERROR : END_EOF; return;
  case IMAP_TIMEOUT: s->ending = END_AUTOLOGOUT; return;
  case IMAP_ERROR: s->ending = END_READ_ERROR; return;
  }
}

/* Whether the client closed or just takes nothing. */
void wait_note_failed(struct session *s) {
  struct pollfd fd = {.fd = s->out.fd, .events = POLLOUT};
  bool gone = poll(&fd, 1, 0) > 0 && fd.revents & (POLLERR | POLLHUP | POLLNVAL);
  s->ending = gone ? END_EOF : END_STALLED;
}

bool wait_interrupted(struct session *s) {
  if (signalled && s->ending == GOING_ON) s->ending = END_TERMINATED;
  return s->ending != GOING_ON || s->out.failed;
}
