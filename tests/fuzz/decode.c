/* Transfer encodings, charsets and folding as streams (message/transfer.c, charset.c, fold.c): in
 * chunks of any size they give what they give at once. */
#include "fuzz.h"
#include "message/internal.h"

#include <utf8proc.h>

static void check_utf8(stralloc const *s) {
  for (size_t at = 0; at < s->len;) {
    utf8proc_int32_t c;
    utf8proc_ssize_t n =
        utf8proc_iterate((utf8proc_uint8_t const *)s->s + at, (utf8proc_ssize_t)(s->len - at), &c);
    must(n > 0);
    at += (size_t)n;
  }
}

/* A body as searching reads it. */
struct reading {
  struct transfer transfer;
  struct charset charset;
  stralloc decoded, utf8, folded;
};

static void read_more(struct reading *r, char const *data, size_t size, bool last) {
  size_t decoded = r->decoded.len, utf8 = r->utf8.len;
  transfer_decode(&r->transfer, &r->decoded, data, size, last);
  charset_convert(&r->charset, &r->utf8, r->decoded.s ? r->decoded.s + decoded : "",
                  r->decoded.len - decoded, last);
  if (r->utf8.len > utf8) casemap_fold(&r->folded, r->utf8.s + utf8, r->utf8.len - utf8);
}

static void end_reading(struct reading *r) {
  stralloc_free(&r->decoded);
  stralloc_free(&r->utf8);
  stralloc_free(&r->folded);
}

static void must_be_same(stralloc const *a, stralloc const *b) {
  must(a->len == b->len && (!a->len || !memcmp(a->s, b->s, a->len)));
}

static void check(char const *data, size_t size, enum transfer_encoding encoding,
                  enum charset_kind kind) {
  struct dice dice = dice_of(data, size);
  struct reading whole = {.transfer = {.encoding = encoding}, .charset = {.kind = kind}};
  struct reading chunked = whole;
  read_more(&whole, data, size, true);
  for (size_t left = size; left;) {
    size_t n = chunk_of(&dice, left);
    left -= n;
    /* As from a file: whether this was all is sometimes known only afterwards. */
    bool last = !left && throw_of(&dice, 2);
    read_more(&chunked, data, n, last);
    data += n;
    if (last) goto compare;
  }
  read_more(&chunked, "", 0, true);
compare:
  must_be_same(&whole.decoded, &chunked.decoded);
  must_be_same(&whole.utf8, &chunked.utf8);
  must_be_same(&whole.folded, &chunked.folded);
  check_utf8(&whole.utf8);
  must(whole.decoded.len <= size && whole.utf8.len <= 3 * size);
  end_reading(&whole);
  end_reading(&chunked);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  if (size < 1) return 0;
  unsigned int choice = *data++;
  size--;
  check((char const *)data, size, (enum transfer_encoding)(choice % 3),
        (enum charset_kind)(choice / 3 % CHARSET_FOREIGN));
  return 0;
}
