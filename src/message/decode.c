/* A body without its transfer encoding, as a stream: FETCH BINARY (RFC 3516).  Decoded twice, to
 * know its size and whether it holds NULs before the first byte is sent, and kept nowhere. */
#include "message/internal.h"

/* Where decoded bytes go. */
struct decoder {
  struct transfer transfer;
  stralloc decoded;
  uint64_t at;         /* decoded so far */
  uint64_t skip, stop; /* the bytes that are wanted; what is behind them is decoded if there is no
                          sink, which only wants to know the size */
  message_sink *sink;  /* null: none */
  void *context;
  bool has_nul;
};

bool message_can_decode(struct message_extent const *e) {
  struct message_part const *p = e->part;
  return !p || (!p->is_multipart && !p->is_message && transfer_known(p->encoding));
}

/* Those of the bytes just decoded that are wanted. */
static bool pass_on(struct decoder *d, char const *data, size_t size) {
  uint64_t from = d->at < d->skip ? d->skip - d->at : 0;
  uint64_t to = d->stop - d->at < size ? d->stop - d->at : size;
  if (d->at >= d->stop || from >= to) return true;
  if (!d->sink) {
    d->has_nul = d->has_nul || memchr(data + from, 0, (size_t)(to - from));
    return true;
  }
  return d->sink(d->context, data + from, (size_t)(to - from));
}

static bool take(void *context, char const *data, size_t size) {
  struct decoder *d = context;
  d->decoded.len = 0;
  transfer_decode(&d->transfer, &d->decoded, data, size, !size);
  bool more = pass_on(d, d->decoded.s, d->decoded.len);
  d->at += d->decoded.len;
  return more && (!d->sink || d->at < d->stop);
}

static int decode(int fd, struct message_extent const *e, struct decoder *d) {
  d->transfer.encoding = transfer_by_name(e->part ? e->part->encoding : 0);
  /* Line ends are nothing to base64. */
  int result = (d->transfer.encoding == TRANSFER_BASE64 ? copy_raw : copy_with_nuls)(
      fd, e->start, e->end, take, d);
  if (!result && (!d->sink || d->at < d->stop)) take(d, "", 0); /* what was held */
  stralloc_free(&d->decoded);
  return result;
}

static uint64_t stop_of(uint64_t skip, uint64_t count) {
  return count < UINT64_MAX - skip ? skip + count : UINT64_MAX;
}

int message_decoded_size(int fd, struct message_extent const *e, uint64_t skip, uint64_t count,
                         uint64_t *size, bool *has_nul) {
  struct decoder d = {.skip = skip, .stop = stop_of(skip, count)};
  if (decode(fd, e, &d) < 0) return -1;
  *size = d.at;
  *has_nul = d.has_nul;
  return 0;
}

int message_copy_decoded(int fd, struct message_extent const *e, uint64_t skip, uint64_t count,
                         message_sink *sink, void *context) {
  struct decoder d = {.skip = skip, .stop = stop_of(skip, count), .sink = sink, .context = context};
  return count ? decode(fd, e, &d) : 0;
}
