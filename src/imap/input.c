/* A buffer over the client's descriptor, read under a deadline.  It knows literals only as a count
 * of bytes; what the bytes mean is parse.c's affair. */
#include "imap/imap.h"

#include <errno.h>
#include <string.h>

static ssize_t read_greedily(struct imap_input *in, char *buf, size_t size) {
  return io_read(in->fd, buf, size, in->deadline);
}

void imap_input_init(struct imap_input *in, int fd) {
  in->fd = fd;
  in->deadline = -1;
  in->end = IMAP_OPEN;
  in->bytes = 0;
  in->literal_left = 0;
  in->fill = 0;
  in->context = 0;
  in->head = in->tail = 0;
}

/* Reads at least one byte to buf; 0 when `end` has been set. */
static size_t fill(struct imap_input *in, char *buf, size_t size) {
  if (in->end != IMAP_OPEN) return 0;
  ssize_t r = (in->fill ? in->fill : read_greedily)(in, buf, size);
  if (r > 0) {
    in->bytes += (uint64_t)r;
    return (size_t)r;
  }
  in->end = !r ? IMAP_EOF : errno == ETIMEDOUT ? IMAP_TIMEOUT : IMAP_ERROR;
  return 0;
}

int imap_input_peek(struct imap_input *in) {
  if (in->head == in->tail) {
    in->head = 0;
    in->tail = fill(in, in->buf, sizeof in->buf);
    if (!in->tail) return -1;
  }
  return (unsigned char)in->buf[in->head];
}

void imap_input_take(struct imap_input *in) {
  in->head++;
}

ssize_t imap_input_literal(struct imap_input *in, char *buf, size_t size) {
  if (size > in->literal_left) size = (size_t)in->literal_left;
  if (!size) return 0;
  size_t buffered = in->tail - in->head;
  if (buffered) {
    if (size > buffered) size = buffered;
    memcpy(buf, in->buf + in->head, size);
    in->head += size;
  } else {
    /* Past the buffer, and never past the literal. */
    size = fill(in, buf, size);
    if (!size) return -1;
  }
  in->literal_left -= size;
  return (ssize_t)size;
}

bool imap_input_pending(struct imap_input const *in) {
  return in->head < in->tail;
}
