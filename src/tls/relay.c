/* Bytes between the connection and the chain, through BearSSL, which does no input or output of its
 * own: its state says which of four buffers wait, and we do what poll(2) allows. */
#include "tls/tls.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  DRAIN_MS = 10000,     /* for a peer that takes its time with the last bytes and close_notify */
  QUIET_MS = 1000,      /* then memory is given back: a session may be idle for hours */
  RECORDS_AT_ONCE = 64, /* a MiB to the peer, then it is looked at whether it has said something */
};

/* What recv(2) has an answer to. */
enum { READABLE = POLLIN | POLLHUP | POLLERR };

static bool would_block(void) {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* The connection gave bytes, its end, or an error.  BearSSL asks for the header of a record, then
 * for the rest, which as a rule is there, too.  It gets either when it is whole, though it would
 * take the pieces of a ClientHello that comes in several packets: sessions.c looks for the server's
 * name in the rest of it. */
static enum relay_state read_connection(struct relay *r) {
  for (int i = 0; i < 2; i++) {
    size_t size;
    unsigned char *buf = br_ssl_engine_recvrec_buf(r->tls, &size);
    if (!buf) return RELAY_GOING;
    ssize_t n = recv(r->connection, buf + r->received, size - r->received, MSG_DONTWAIT);
    if (n < 0) return would_block() ? RELAY_GOING : RELAY_TRUNCATED;
    if (!n) return RELAY_TRUNCATED;
    r->received += (size_t)n;
    if (r->received < size) return RELAY_GOING;
    r->received = 0;
    br_ssl_engine_recvrec_ack(r->tls, size);
  }
  return RELAY_GOING;
}

/* more: another record follows at once, and need not be awaited to fill packets. */
static enum relay_state write_connection(struct relay *r, bool more) {
  size_t size;
  unsigned char *buf = br_ssl_engine_sendrec_buf(r->tls, &size);
  if (!buf) return RELAY_GOING;
  ssize_t n = send(r->connection, buf, size, MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));
  if (n < 0 && would_block()) return RELAY_GOING;
  /* A peer that has said goodbye need not wait for ours. */
  if (n < 0) return r->tls->shutdown_recv ? RELAY_CLOSED : RELAY_TRUNCATED;
  br_ssl_engine_sendrec_ack(r->tls, (size_t)n);
  return RELAY_GOING;
}

static void hung_up(struct relay *r) {
  if (r->chain_hung_up) return;
  r->chain_hung_up = true;
  r->deadline = clock_ms() + DRAIN_MS;
}

/* Makes a record of what the chain has written; whether it filled one. */
static bool read_chain(struct relay *r) {
  size_t size;
  unsigned char *buf = br_ssl_engine_sendapp_buf(r->tls, &size);
  if (!buf || r->chain_ended) return false;
  ssize_t n = recv(r->chain, buf, size, MSG_DONTWAIT);
  if (n < 0 && would_block()) return false;
  if (n > 0) {
    br_ssl_engine_sendapp_ack(r->tls, (size_t)n);
    br_ssl_engine_flush(r->tls, 0); /* nobody promises that more will come */
    return (size_t)n == size;
  }
  r->chain_ended = true;
  hung_up(r);
  return false;
}

/* Bytes or the end: a record follows in both cases. */
static bool chain_has_more(struct relay const *r) {
  struct pollfd fd = {.fd = r->chain, .events = POLLIN};
  return poll(&fd, 1, 0) == 1;
}

/* A long answer: its records fill packets together, and the peer is woken up for several at once,
 * which costs more than what it is woken up for. */
static enum relay_state carry_answer(struct relay *r) {
  enum relay_state state = RELAY_GOING;
  bool more = true;
  for (int i = 0; more && i < RECORDS_AT_ONCE && state == RELAY_GOING; i++) {
    more = read_chain(r) && chain_has_more(r);
    state = write_connection(r, more);
    if (br_ssl_engine_current_state(r->tls) & BR_SSL_SENDREC) break;
  }
  return state;
}

static void write_chain(struct relay *r) {
  size_t size;
  unsigned char *buf = br_ssl_engine_recvapp_buf(r->tls, &size);
  if (!buf) return;
  ssize_t n = (ssize_t)size; /* nobody is left to read it: thrown away */
  if (!r->chain_ended) {
    n = send(r->chain, buf, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && would_block()) return;
    if (n < 0) {
      hung_up(r);
      n = (ssize_t)size;
    }
  }
  explicit_bzero(buf, (size_t)n); /* it may have been a password */
  br_ssl_engine_recvapp_ack(r->tls, (size_t)n);
}

/* After the chain's last byte comes close_notify, after that the end of the connection's sending
 * half.  The peer's close_notify or end is then waited for: closing with its bytes unread would
 * reset the connection and take our last ones from it. */
static void close_in_order(struct relay *r) {
  bool sending = br_ssl_engine_current_state(r->tls) & BR_SSL_SENDREC;
  if (!r->chain_ended || sending || r->finished) return;
  if (!r->closing) {
    r->closing = true;
    br_ssl_engine_close(r->tls);
  } else {
    r->finished = true;
    shutdown(r->connection, SHUT_WR);
  }
}

/* Milliseconds for poll; -1 for ever. */
static int time_left(struct relay const *r) {
  if (r->deadline < 0) return -1;
  int64_t left = r->deadline - clock_ms();
  return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static void poll_what_matters(struct relay const *r, unsigned int state, struct pollfd fds[2]) {
  fds[0] = (struct pollfd){.fd = r->connection};
  if (state & BR_SSL_RECVREC) fds[0].events |= POLLIN;
  if (state & BR_SSL_SENDREC) fds[0].events |= POLLOUT;
  fds[1] = (struct pollfd){.fd = r->chain};
  if (state & BR_SSL_SENDAPP && !r->chain_ended) fds[1].events |= POLLIN;
  if (state & BR_SSL_RECVAPP) fds[1].events |= POLLOUT;
  /* A hang-up is reported without being asked for: once is enough, again and again would spin. */
  if (r->chain_hung_up && !fds[1].events) fds[1].fd = -1;
}

/* No byte of anybody's is in BearSSL's buffers: it waits for the beginning of a record. */
static bool is_quiet(struct relay const *r, unsigned int state) {
  size_t size;
  return state & BR_SSL_SENDAPP && !(state & (BR_SSL_SENDREC | BR_SSL_RECVAPP)) && !r->received &&
         br_ssl_engine_recvrec_buf(r->tls, &size) == r->buffers;
}

/* poll, and before a long one memory is given back, if there has been traffic since the last. */
static int wait_for(struct relay *r, unsigned int state, struct pollfd fds[2]) {
  int left = time_left(r);
  if (!r->trimmed && (left < 0 || left > QUIET_MS) && is_quiet(r, state)) {
    int ready = poll(fds, 2, QUIET_MS);
    if (ready) return ready;
    memory_wipe(r->buffers, r->buffers_size);
    memory_trim_stack();
    r->trimmed = true;
  }
  return poll(fds, 2, time_left(r));
}

/* One wait and what it allows; what that leads to is tried at once, which saves a wait for nearly
 * every record. */
static enum relay_state step(struct relay *r) {
  struct pollfd fds[2];
  close_in_order(r);
  unsigned int state = br_ssl_engine_current_state(r->tls);
  if (state & BR_SSL_CLOSED) return br_ssl_engine_last_error(r->tls) ? RELAY_FAILED : RELAY_CLOSED;
  if (!time_left(r)) return RELAY_TIMEOUT; /* also for a peer that never lets poll wait */
  poll_what_matters(r, state, fds);
  int ready = wait_for(r, state, fds);
  if (ready < 0) return errno == EINTR ? RELAY_GOING : RELAY_FAILED;
  if (!ready) return RELAY_TIMEOUT;
  r->trimmed = false;

  enum relay_state result = RELAY_GOING;
  if (fds[1].revents & (POLLHUP | POLLERR)) hung_up(r);
  if (fds[1].events & POLLIN && fds[1].revents & READABLE) result = carry_answer(r);
  if (result != RELAY_GOING) return result;
  if (fds[0].events & POLLIN && fds[0].revents & READABLE) result = read_connection(r);
  /* Gone in both directions while we wait for the chain: no more can come of it. */
  else if (fds[0].revents & (POLLHUP | POLLERR))
    result = RELAY_TRUNCATED;
  if (result != RELAY_GOING) return result;
  write_chain(r);
  return write_connection(r, false);
}

static bool is_established(struct relay const *r) {
  return br_ssl_engine_current_state(r->tls) & (BR_SSL_SENDAPP | BR_SSL_RECVAPP);
}

enum relay_state relay_handshake(struct relay *r) {
  enum relay_state state = RELAY_GOING;
  while (state == RELAY_GOING && !is_established(r)) state = step(r);
  return state;
}

/* The client has said goodbye in form, so what the program still writes is for nobody (RFC 5246
 * section 7.2.1).  But it shall read to the end what came before, not die of a broken pipe. */
static void let_chain_finish(struct relay *r) {
  char discarded[4096];
  int64_t deadline = clock_ms() + DRAIN_MS;
  if (r->chain_ended) return;
  close(r->connection);
  shutdown(r->chain, SHUT_WR);
  while (io_read(r->chain, discarded, sizeof discarded, deadline) > 0)
    ;
}

enum relay_state relay_run(struct relay *r) {
  enum relay_state state = RELAY_GOING;
  while (state == RELAY_GOING) state = step(r);
  if (state == RELAY_CLOSED) let_chain_finish(r);
  return state;
}
