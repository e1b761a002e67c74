/* What is around TLS's engine when it is fuzzed: a client and the network before it, the chain's
 * program behind it.  The input says what they do, one thing after the other. */
#ifndef TLSWORLD_H
#define TLSWORLD_H

#include "fuzz.h"
#include "tlsclient.h"
#include "tls/tls.h"

#include <errno.h>
#include <setjmp.h>
#include <sys/socket.h>

enum {
  QUEUE_MAX = 100000,
  PLAIN_MAX = 20000, /* more than a record holds */
};

/* What the client is, besides the usual. */
enum habit { USUAL, ONLY_RSA, OLD, NO_FORWARD_SECRECY, HABITS };
enum person { NOBODY, JOE, EXPIRED, STRANGER, THIEF, PERSONS };

/* The first bytes of an input. */
struct scene {
  bool raw, resume, damage, slow, small, facts, names;
  enum verify verify;
  enum person person;
  enum habit habit;
  size_t suites, identity, server_name;
};

static struct {
  uint8_t const *in;
  size_t left;
  struct dice dice;
  struct scene scene;
  jmp_buf end;
  int status;
  int64_t now;
  size_t waits, moved;
  /* Our ends; -1 once closed. */
  int wire, inside, control;
  struct tls_client client;
  unsigned char queue[QUEUE_MAX]; /* on the wire soon */
  size_t queued;
  unsigned char held[20000]; /* a record that the next one overtakes */
  size_t held_size;
  size_t said, heard; /* by the client, in the program */
  size_t wrote, read; /* by the program, at the client */
  bool ciphered;      /* the client's records are encrypted */
  bool established;   /* its first handshake is over */
  bool shut, closing; /* it says no more, by TCP, by TLS */
  bool split;         /* a record has become two, in a way that is all right */
  bool disturbed;     /* somebody was on the wire */
  bool altered;       /* and changed the handshake */
  bool clean;         /* the program has heard that the client said goodbye */
  bool took_part;     /* the program has had its turn after the input's end */
  bool stalled;       /* the client neither reads nor writes any more */
  bool left_first;    /* the program ended it */
  bool cut;           /* the client ended TCP and not TLS */
} w;

/* ---- the input ---- */

static uint8_t take_byte(void) {
  if (!w.left) return 0;
  w.left--;
  return *w.in++;
}

static size_t take_size(size_t below) {
  size_t high = take_byte();
  return below ? (high << 8 | take_byte()) % below : 0;
}

/* ---- what is said, each byte of it told by its place ---- */

static unsigned char byte_at(size_t place, bool by_client) {
  return (unsigned char)(place * 31 ^ place >> 8 ^ (by_client ? 0x5a : 0xa5));
}

static void check_bytes(unsigned char const *p, size_t n, size_t *got, size_t sent, bool client) {
  must(*got + n <= sent);
  for (size_t i = 0; i < n; i++) must(p[i] == byte_at(*got + i, client));
  *got += n;
  w.moved += n;
}

static void close_end(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

/* How much a reader takes at once. */
static size_t gulp(size_t room) {
  return w.scene.slow ? chunk_of(&w.dice, room) : room;
}

/* ---- the chain's program ---- */

static bool program_hears(void) {
  unsigned char buf[4096];
  if (w.inside < 0) return false;
  ssize_t n = recv(w.inside, buf, gulp(sizeof buf), MSG_DONTWAIT);
  if (n > 0) check_bytes(buf, (size_t)n, &w.heard, w.said, true);
  return n > 0;
}

static void program_writes(size_t n) {
  unsigned char buf[PLAIN_MAX];
  for (size_t i = 0; i < n; i++) buf[i] = byte_at(w.wrote + i, false);
  ssize_t sent = w.inside < 0 ? -1 : send(w.inside, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent > 0) w.wrote += (size_t)sent;
}

static void program_leaves(void) {
  w.left_first = w.left_first || (w.inside >= 0 && !w.closing && !w.shut);
  close_end(&w.inside);
}

/* ---- the client ---- */

static void client_takes(unsigned char const *p, size_t n) {
  br_ssl_engine_context *tls = &w.client.tls.eng;
  size_t size;
  unsigned char *buf;
  while (n && (buf = br_ssl_engine_recvrec_buf(tls, &size))) {
    if (size > n) size = n;
    memcpy(buf, p, size);
    br_ssl_engine_recvrec_ack(tls, size);
    p += size, n -= size;
    if ((buf = br_ssl_engine_recvapp_buf(tls, &size))) {
      check_bytes(buf, size, &w.read, w.wrote, false);
      br_ssl_engine_recvapp_ack(tls, size);
    }
  }
  /* The server's goodbye is the last that it says. */
  if (!w.scene.raw && !w.closing && tls->shutdown_recv) must(w.inside < 0 && w.read == w.wrote);
}

static bool client_hears(void) {
  unsigned char buf[4096];
  if (w.wire < 0 || w.stalled) return false;
  ssize_t n = recv(w.wire, buf, gulp(sizeof buf), MSG_DONTWAIT);
  if (n <= 0) return false;
  w.moved += (size_t)n;
  if (!w.scene.raw) client_takes(buf, (size_t)n);
  return true;
}

static void client_says(size_t n) {
  br_ssl_engine_context *tls = &w.client.tls.eng;
  size_t room;
  unsigned char *buf = br_ssl_engine_sendapp_buf(tls, &room);
  if (!buf || w.closing) return;
  if (n > room) n = room;
  for (size_t i = 0; i < n; i++) buf[i] = byte_at(w.said + i, true);
  w.said += n;
  if (n) br_ssl_engine_sendapp_ack(tls, n);
  br_ssl_engine_flush(tls, 0);
}

static void client_closes(void) {
  w.closing = true;
  br_ssl_engine_close(&w.client.tls.eng);
}

/* ---- the wire ---- */

static void put(void const *p, size_t n) {
  must(w.queued + n <= sizeof w.queue);
  if (n) memcpy(w.queue + w.queued, p, n);
  w.queued += n;
}

static void put_record(unsigned char type, unsigned char const *p, size_t n) {
  unsigned char const header[] = {type, 3, 3, (unsigned char)(n >> 8), (unsigned char)n};
  put(header, sizeof header);
  put(p, n);
}

/* Bytes of the input, some of them. */
static size_t put_input(bool as_record) {
  unsigned char type = as_record ? (unsigned char)(20 + take_byte() % 5) : 0;
  size_t n = take_byte();
  if (n > w.left) n = w.left;
  if (as_record)
    put_record(type, w.in, n);
  else
    put(w.in, n);
  w.in += n, w.left -= n;
  return n;
}

static void shut_down(void) {
  w.shut = true;
  shutdown(w.wire, SHUT_WR);
}

enum { HEADER = 5, CHANGE_CIPHER = 20, HANDSHAKE = 22 };

/* What becomes of a record of the client's: r, with n bytes after its header. */
static void pass_on(unsigned char *r, size_t n) {
  enum act {
    PASS,
    SPLIT = 7,
    FLIP,
    CHANGE,
    TWICE,
    HOLD,
    DROP,
    CUT,
    SHORTEN,
    INSERT,
    HURL,
    END,
    ACTS
  };
  enum act act = (enum act)(take_byte() % ACTS);
  bool counts = r[0] == HANDSHAKE && !w.established;
  size_t at = 0;
  if (act >= SPLIT && act <= SHORTEN) at = take_size(n);
  if (act > SPLIT || (act == SPLIT && (w.ciphered || r[0] == CHANGE_CIPHER))) w.disturbed = true;
  switch (act) {
  case SPLIT:
    w.split = true;
    if (at) put_record(r[0], r + HEADER, at);
    put_record(r[0], r + HEADER + at, n - at);
    break;
  case FLIP: {
    unsigned char how = (unsigned char)(take_byte() | 1);
    bool in_header = how & 64;
    r[in_header ? at % HEADER : HEADER + at] ^= how;
    w.altered = w.altered || (counts && !in_header);
    put(r, HEADER + n);
    break;
  }
  case CHANGE:
    for (size_t left = take_byte() % 64; left && at < n; left--, at++) {
      unsigned char new = take_byte();
      w.altered = w.altered || (counts && r[HEADER + at] != new);
      r[HEADER + at] = new;
    }
    put(r, HEADER + n);
    break;
  case TWICE:
    put(r, HEADER + n);
    put(r, HEADER + n);
    break;
  case HOLD:
    if (!w.held_size) {
      memcpy(w.held, r, w.held_size = HEADER + n);
      return;
    }
    put(r, HEADER + n);
    break;
  case DROP: w.altered = w.altered || counts; break;
  case CUT: put(r, HEADER + at); break;
  case SHORTEN:
    w.altered = w.altered || (counts && at < n);
    put_record(r[0], r + HEADER, at);
    break;
  case INSERT:
  case HURL:
    put_input(act == INSERT);
    put(r, HEADER + n);
    break;
  case END:
    put(r, HEADER + n);
    w.shut = true; /* what is queued goes out first */
    break;
  default: put(r, HEADER + n);
  }
  if (r[0] == CHANGE_CIPHER) w.ciphered = true;
  put(w.held, w.held_size);
  w.held_size = 0;
}

/* What the client's TLS has to send, record by record. */
static bool client_sends(void) {
  br_ssl_engine_context *tls = &w.client.tls.eng;
  size_t size, n;
  unsigned char *buf, copy[QUEUE_MAX];
  if (!(buf = br_ssl_engine_sendrec_buf(tls, &size))) return false;
  must(size <= sizeof copy / 3);
  memcpy(copy, buf, size);
  br_ssl_engine_sendrec_ack(tls, size);
  for (unsigned char *r = copy; size; r += HEADER + n, size -= HEADER + n) {
    must(size >= HEADER && (n = (size_t)(r[3] << 8 | r[4])) + HEADER <= size);
    if (!w.shut) pass_on(r, n);
  }
  return true;
}

static bool queue_moves(void) {
  if (w.wire < 0) w.queued = 0;
  if (!w.queued) return false;
  ssize_t n = send(w.wire, w.queue, gulp(w.queued), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN) n = (ssize_t)w.queued; /* nobody hears it */
  if (n <= 0) return false;
  w.moved += (size_t)n;
  memmove(w.queue, w.queue + n, w.queued -= (size_t)n);
  if (!w.queued && w.shut) shut_down();
  return true;
}

/* ---- what happens, one thing after the other ---- */

/* After the input's end: everybody says something, then somebody ends it. */
static void finish(void) {
  if (!w.took_part) {
    w.took_part = true;
    program_writes(50);
    client_says(50);
    return;
  }
  switch (throw_of(&w.dice, 4)) {
  case 0: program_leaves(); break;
  case 1:
    w.cut = true;
    shut_down();
    break;
  default: client_closes();
  }
}

static bool do_next(void) {
  enum deed { SAY, SAY_MUCH, WRITE, WRITE_MUCH, CLOSE, LEAVE, SHAKE, STALL, VANISH, DEEDS };
  if (!w.left) {
    finish();
    return true;
  }
  switch ((enum deed)(take_byte() % DEEDS)) {
  case SAY: client_says(take_byte()); break;
  case SAY_MUCH: client_says(take_size(PLAIN_MAX)); break;
  case WRITE: program_writes(take_byte()); break;
  case WRITE_MUCH: program_writes(take_size(PLAIN_MAX)); break;
  case CLOSE: client_closes(); break;
  case LEAVE: program_leaves(); break;
  case SHAKE:
    br_ssl_engine_renegotiate(&w.client.tls.eng);
    w.disturbed = true;
    break;
  case STALL: w.stalled = w.disturbed = true; break;
  case VANISH:
    close_end(&w.wire);
    w.shut = w.disturbed = true;
    break;
  case DEEDS: break;
  }
  return true;
}

static bool stranger_acts(void) {
  if (w.left) {
    put_input(false);
    return true;
  }
  shut_down();
  return true;
}

/* The world outside the engine does one thing; false if it waits for the engine. */
static bool go_on(void) {
  bool moved = queue_moves();
  moved = program_hears() || moved;
  moved = client_hears() || moved;
  if (moved || w.queued || w.shut || w.stalled) return moved;
  if (w.scene.raw) return stranger_acts();
  w.established = w.established || client_is_in(&w.client, BR_SSL_SENDAPP);
  if (client_sends()) return true;
  if (client_is_in(&w.client, BR_SSL_CLOSED)) {
    shut_down();
    return true;
  }
  return client_is_in(&w.client, BR_SSL_SENDAPP) && !w.closing && do_next();
}

#endif
