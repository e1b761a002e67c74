/* A message with binary bodies, made fit to be kept: APPEND of a literal8 (RFC 3516 section 4.4).
 * Bodies that need it become base64 and the fields that name their encoding change with them; the
 * rest is passed on byte for byte. */
#include "message/internal.h"

enum {
  LINE_BYTES = 57, /* 76 letters of base64 (RFC 2045 section 6.8) */
  LINES = 500,     /* encoded at once */
};

struct encoder {
  int fd;
  message_sink *sink;
  void *context;
  bool stopped;
};

static bool put(struct encoder *e, char const *data, size_t size) {
  if (!e->stopped && size) e->stopped = !e->sink(e->context, data, size);
  return !e->stopped;
}

/* ---- judging ---- */

struct findings {
  bool nul, lone; /* a CR or LF that is no CRLF */
  char last;
};

static bool examine(void *context, char const *data, size_t size) {
  struct findings *f = context;
  f->nul = f->nul || memchr(data, 0, size);
  for (size_t i = 0; i < size && !f->lone; i++) {
    f->lone = (f->last == '\r') != (data[i] == '\n');
    f->last = data[i];
  }
  return !f->nul || !f->lone;
}

/* What the encoding of a part should be called; null: as it is. */
static int judge(struct encoder *e, struct message_part const *p, char const **encoding) {
  bool binary = p->encoding && !strcasecmp(p->encoding, "binary");
  struct findings f = {0};
  *encoding = binary ? "8bit" : 0;
  if (p->is_multipart || p->is_message || !transfer_known(p->encoding) ||
      transfer_by_name(p->encoding) != TRANSFER_IDENTITY)
    return 0;
  if (copy_raw(e->fd, p->body_start, p->end, examine, &f) < 0) return -1;
  if (f.nul || (binary && (f.lone || f.last == '\r'))) *encoding = "base64";
  return 0;
}

/* ---- writing ---- */

static void put_encoding(struct encoder *e, char const *encoding) {
  static char const name[] = "Content-Transfer-Encoding: ";
  put(e, name, sizeof name - 1);
  put(e, encoding, strlen(encoding));
  put(e, "\r\n", 2);
}

/* The new field is where the first of its name was, or behind all others. */
static void put_header(struct encoder *e, char const *header, size_t size, char const *encoding) {
  size_t at = 0;
  bool done = false;
  for (struct message_field f; message_next_field(header, size, &at, &f);) {
    if (!same_name(f.name, f.name_size, "Content-Transfer-Encoding")) {
      put(e, f.field, f.field_size);
    } else if (!done) {
      put_encoding(e, encoding);
      done = true;
    }
  }
  if (!done) put_encoding(e, encoding);
  put(e, header + at, size - at);
}

static int copy_header(struct encoder *e, struct message_part const *p, char const *encoding) {
  struct arena arena = {0};
  size_t size = (size_t)(p->body_start - p->header_start);
  char *header = arena_alloc(&arena, size + 1);
  ssize_t n = file_read_at(e->fd, header, size, p->header_start);
  if (n > 0) put_header(e, header, (size_t)n, encoding);
  arena_release(&arena);
  return n < 0 ? -1 : 0;
}

/* Between a body and the delimiter behind it is a line end already; at the end of the message there
 * should be one. */
static int copy_base64(struct encoder *e, struct message_part const *p, uint64_t message_end) {
  char in[LINE_BYTES * LINES], line[LINE_BYTES / 3 * 4 + 2] = "\r\n";
  for (uint64_t at = p->body_start; at < p->end;) {
    size_t want = p->end - at < sizeof in ? (size_t)(p->end - at) : sizeof in;
    ssize_t n = file_read_at(e->fd, in, want, at);
    if (n < 0) return -1;
    if (!n) break;
    for (size_t i = 0; i < (size_t)n; i += LINE_BYTES) {
      size_t bytes = (size_t)n - i < LINE_BYTES ? (size_t)n - i : LINE_BYTES;
      size_t skip = at + i == p->body_start ? 2 : 0; /* no line end before the first */
      put(e, line + skip, 2 + base64_encode(in + i, bytes, line + 2) - skip);
    }
    at += (uint64_t)n;
  }
  if (p->end == message_end) put(e, "\r\n", 2);
  return 0;
}

static bool pass(void *context, char const *data, size_t size) {
  return put(context, data, size);
}

/* *at: how far the message has been copied. */
static int copy_part(struct encoder *e, struct message_part const *p, uint64_t message_end,
                     uint64_t *at) {
  char const *encoding;
  if (p->body_start - p->header_start > MESSAGE_MAX_HEADER) return 0;
  if (judge(e, p, &encoding) < 0) return -1;
  if (!encoding) return 0;
  if (copy_raw(e->fd, *at, p->header_start, pass, e) < 0 || copy_header(e, p, encoding) < 0)
    return -1;
  *at = p->body_start;
  if (strcmp(encoding, "base64")) return 0;
  *at = p->end;
  return copy_base64(e, p, message_end);
}

int message_copy_encoded(int fd, struct message_part const *root, message_sink *sink,
                         void *context) {
  struct encoder e = {.fd = fd, .sink = sink, .context = context};
  uint64_t at = 0;
  for (struct message_part const *p = root; p && !e.stopped; p = part_after(p))
    if (copy_part(&e, p, root->end, &at) < 0) return -1;
  return copy_raw(fd, at, root->end, pass, &e);
}
