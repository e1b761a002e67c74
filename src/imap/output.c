/* The parts of a response, through a buffer.  What a response says is its caller's affair. */
#include "imap/imap.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A quoted string longer than this goes as a literal: some clients read lines into fixed buffers.
 */
enum { QUOTED_MAX = 1000, NUMBER_MAX = 20 /* digits of 64 bits */ };

void imap_output_init(struct imap_output *out, int fd, int timeout_ms) {
  *out = (struct imap_output){.fd = fd, .timeout_ms = timeout_ms};
}

static int write_to_fd(struct imap_output *out, void const *data, size_t size) {
  int64_t deadline = out->timeout_ms < 0 ? -1 : clock_ms() + out->timeout_ms;
  return io_write_all(out->fd, data, size, deadline);
}

/* In pieces, since the timeout is for a client that takes nothing, not for a long response. */
static void write_out(struct imap_output *out, char const *data, size_t size) {
  while (size && !out->failed) {
    size_t n = size < IMAP_OUTPUT_SIZE ? size : IMAP_OUTPUT_SIZE;
    if ((out->write ? out->write : write_to_fd)(out, data, n) < 0) {
      out->failed = true;
    } else {
      out->bytes += n;
      data += n;
      size -= n;
    }
  }
}

void imap_flush(struct imap_output *out) {
  write_out(out, out->buf, out->size);
  out->size = 0;
}

void imap_output_idle(struct imap_output *out) {
  imap_flush(out);
  free(out->buf);
  out->buf = 0;
}

char *imap_room(struct imap_output *out, size_t n) {
  if (n > IMAP_OUTPUT_SIZE - out->size) imap_flush(out);
  if (!out->buf) {
    out->buf = malloc(IMAP_OUTPUT_SIZE);
    if (!out->buf) log_die_memory();
  }
  return out->buf + out->size;
}

void imap_put_through(struct imap_output *out, void const *data, size_t size) {
  if (!size) return;
  if (size >= IMAP_OUTPUT_SIZE) {
    imap_flush(out);
    write_out(out, data, size);
    return;
  }
  memcpy(imap_room(out, size), data, size);
  out->size += size;
}

/* Listings are made of numbers: each is written where it goes. */
void imap_put_number(struct imap_output *out, uint64_t n) {
  size_t size = 1;
  for (uint64_t limit = 10; size < NUMBER_MAX && n >= limit; limit *= 10) size++;
  char *p = imap_room(out, NUMBER_MAX) + size;
  out->size += size;
  for (; n > UINT32_MAX; n /= 10) *--p = (char)('0' + n % 10);
  uint32_t small = (uint32_t)n; /* cheaper to divide */
  do *--p = (char)('0' + small % 10);
  while (small /= 10);
}

void imap_put_literal_header(struct imap_output *out, uint64_t size) {
  imap_put(out, "{", 1);
  imap_put_number(out, size);
  imap_put(out, "}\r\n", 3);
}

void imap_put_literal8_header(struct imap_output *out, uint64_t size) {
  imap_put(out, "~", 1);
  imap_put_literal_header(out, size);
}

static void put_literal(struct imap_output *out, char const *data, size_t size) {
  imap_put_literal_header(out, size);
  while (size) {
    char const *nul = memchr(data, 0, size);
    size_t n = nul ? (size_t)(nul - data) : size;
    imap_put(out, data, n);
    if (nul) {
      imap_put(out, "?", 1);
      n++;
    }
    data += n;
    size -= n;
  }
}

static void put_quoted(struct imap_output *out, char const *data, size_t size, size_t escapes) {
  char *start = imap_room(out, size + escapes + 2), *p = start;
  *p++ = '"';
  if (!escapes) {
    if (size) memcpy(p, data, size);
    p += size;
  } else {
    for (size_t i = 0; i < size; i++) {
      if (data[i] == '"' || data[i] == '\\') *p++ = '\\';
      *p++ = data[i];
    }
  }
  *p++ = '"';
  out->size += (size_t)(p - start);
}

void imap_put_string(struct imap_output *out, void const *data, size_t size) {
  unsigned char const *s = data;
  size_t escapes = 0;
  bool literal = size > QUOTED_MAX;
  for (size_t i = 0; i < size && !literal; i++) {
    literal = s[i] >= 0x80 || !s[i] || s[i] == '\r' || s[i] == '\n';
    escapes += s[i] == '"' || s[i] == '\\';
  }
  if (literal)
    put_literal(out, data, size);
  else
    put_quoted(out, data, size, escapes);
}

void imap_put_nstring(struct imap_output *out, void const *data, size_t size) {
  if (data)
    imap_put_string(out, data, size);
  else
    imap_put(out, "NIL", 3);
}

void imap_put_astring(struct imap_output *out, char const *text) {
  size_t size = strlen(text), i = 0;
  while (i < size && imap_is_atom_char((unsigned char)text[i])) i++;
  /* Where a client reads a nstring, a bare NIL would be no string. */
  if (size && i == size && !(size == 3 && !strncasecmp(text, "NIL", 3)))
    imap_put(out, text, size);
  else
    imap_put_string(out, text, size);
}

void imap_put_date_time(struct imap_output *out, time_t t) {
  char *start = imap_room(out, IMAP_DATE_TIME_SIZE + 2);
  start[0] = '"';
  date_time_format(start + 1, t);
  start[IMAP_DATE_TIME_SIZE + 1] = '"';
  out->size += IMAP_DATE_TIME_SIZE + 2;
}

void imap_put_set(struct imap_output *out, struct set const *set) {
  for (size_t i = 0; i < set->n; i++) {
    if (i) imap_put(out, ",", 1);
    imap_put_number(out, set->ranges[i].first);
    if (set->ranges[i].last != set->ranges[i].first) {
      imap_put(out, ":", 1);
      imap_put_number(out, set->ranges[i].last);
    }
  }
}
