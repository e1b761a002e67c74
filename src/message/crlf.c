/* Ranges of a file in wire form: every line end is CRLF.  A bare CR stays as it is; a NUL, which no
 * IMAP string may hold, becomes 0x80, so that sizes stay true. */
#include "message/internal.h"

#include <errno.h>
#include <unistd.h>

/* Exactly the bytes asked for, or EIO: the file is shorter than somebody promised. */
static int read_exactly(int fd, char *buf, size_t size, uint64_t offset) {
  ssize_t n = file_read_at(fd, buf, size, offset);
  if (n < 0) return -1;
  if ((size_t)n == size) return 0;
  errno = EIO;
  return -1;
}

static size_t chunk_size(uint64_t at, uint64_t end) {
  return end - at < READ_CHUNK ? (size_t)(end - at) : READ_CHUNK;
}

/* LFs that no CR precedes; *last is the byte before the data, then its last one. */
static size_t count_bare_lf(char const *data, size_t size, char *last) {
  struct line_ends ends = count_line_ends(data, size, *last);
  *last = data[size - 1];
  return ends.all - ends.crlf;
}

int message_wire_size(int fd, uint64_t start, uint64_t end, uint64_t *wire) {
  char buf[READ_CHUNK], last = 0;
  *wire = end > start ? end - start : 0;
  for (uint64_t at = start; at < end;) {
    size_t size = chunk_size(at, end);
    if (read_exactly(fd, buf, size, at) < 0) return -1;
    *wire += count_bare_lf(buf, size, &last);
    at += size;
  }
  return 0;
}

/* Writes the wire form to out, which has room for twice the size. */
static size_t to_wire(char const *data, size_t size, char *last, char *out) {
  char *o = out;
  for (char const *at = data, *end = data + size; at < end;) {
    char const *lf = memchr(at, '\n', (size_t)(end - at));
    size_t n = (size_t)((lf ? lf : end) - at);
    memcpy(o, at, n);
    o += n;
    if (n) *last = at[n - 1];
    if (!lf) break;
    if (*last != '\r') *o++ = '\r';
    *o++ = *last = '\n';
    at = lf + 1;
  }
  return (size_t)(o - out);
}

static int copy(int fd, uint64_t start, uint64_t end, uint64_t skip, uint64_t count, bool keep_nuls,
                message_sink *sink, void *context) {
  char buf[READ_CHUNK], wire[2 * READ_CHUNK], last = 0;
  for (uint64_t at = start; at < end && count;) {
    size_t size = chunk_size(at, end);
    if (read_exactly(fd, buf, size, at) < 0) return -1;
    at += size;
    size_t n = to_wire(buf, size, &last, wire);
    if (skip >= n) {
      skip -= n;
      continue;
    }
    char *from = wire + skip;
    n -= (size_t)skip;
    skip = 0;
    if (n > count) n = (size_t)count;
    count -= n;
    if (!keep_nuls) replace_nuls(from, n);
    if (!sink(context, from, n)) break;
  }
  return 0;
}

int message_copy_wire(int fd, uint64_t start, uint64_t end, uint64_t skip, uint64_t count,
                      message_sink *sink, void *context) {
  return copy(fd, start, end, skip, count, false, sink, context);
}

int copy_with_nuls(int fd, uint64_t start, uint64_t end, message_sink *sink, void *context) {
  return copy(fd, start, end, 0, UINT64_MAX, true, sink, context);
}

int copy_raw(int fd, uint64_t start, uint64_t end, message_sink *sink, void *context) {
  char buf[READ_CHUNK];
  for (uint64_t at = start; at < end;) {
    size_t size = chunk_size(at, end);
    if (read_exactly(fd, buf, size, at) < 0) return -1;
    if (!sink(context, buf, size)) break;
    at += size;
  }
  return 0;
}
