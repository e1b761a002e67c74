/* FETCH BINARY and APPEND of binary (message/decode.c, encode.c): what is decoded of a part in
 * pieces is a piece of all; what is encoded has the same parts, which decode to what they were. */
#include "mail.h"

static bool append(void *context, char const *data, size_t size) {
  sa_add(context, data, size);
  return true;
}

static struct message_extent body_of(struct message_part const *p) {
  return (struct message_extent){
      .exists = true, .start = p->body_start, .end = p->end, .wire = p->body_wire, .part = p};
}

/* ---- decoding ---- */

static void put_wire(stralloc *out, uint8_t const *data, uint64_t start, uint64_t end) {
  for (uint64_t i = start; i < end; i++) {
    if (data[i] == '\n' && (i == start || data[i - 1] != '\r')) sa_putc(out, '\r');
    sa_putc(out, (char)data[i]);
  }
}

static void check_decoded(int fd, uint8_t const *data, struct message_part const *p,
                          struct dice *dice) {
  struct message_extent e = body_of(p);
  struct transfer transfer = {.encoding = transfer_by_name(p->encoding)};
  stralloc wire = STRALLOC_ZERO, all = STRALLOC_ZERO, some = STRALLOC_ZERO;
  uint64_t size;
  bool has_nul;
  if (!message_can_decode(&e)) return;
  put_wire(&wire, data, p->body_start, p->end);
  transfer_decode(&transfer, &all, wire.s ? wire.s : "", wire.len, true);
  size_t skip = throw_of(dice, all.len + 2), count = throw_of(dice, all.len + 2);
  size_t want = skip >= all.len ? 0 : all.len - skip < count ? all.len - skip : count;
  must(!message_decoded_size(fd, &e, skip, count, &size, &has_nul) && size == all.len);
  must(has_nul == (want && memchr(all.s + skip, 0, want)));
  must(!message_copy_decoded(fd, &e, skip, count, append, &some));
  must(some.len == want && (!want || !memcmp(some.s, all.s + skip, want)));
  stralloc_free(&wire);
  stralloc_free(&all);
  stralloc_free(&some);
}

/* ---- encoding ---- */

static bool is_base64(struct message_part const *p) {
  return transfer_by_name(p->encoding) == TRANSFER_BASE64;
}

static void check_body(uint8_t const *data, struct message_part const *p, stralloc const *encoded,
                       struct message_part const *q) {
  stralloc decoded = STRALLOC_ZERO;
  char const *body = (char const *)data + p->body_start, *now = encoded->s + q->body_start;
  size_t size = p->end - p->body_start, now_size = q->end - q->body_start;
  if (is_base64(q) && !is_base64(p)) {
    struct transfer transfer = {.encoding = TRANSFER_BASE64};
    transfer_decode(&transfer, &decoded, now, now_size, true);
    now = decoded.s, now_size = decoded.len;
  }
  must(now_size == size && (!size || !memcmp(now, body, size)));
  stralloc_free(&decoded);
}

static void check_encoded(int fd, uint8_t const *data, struct message_part const *root,
                          struct arena *arena) {
  stralloc encoded = STRALLOC_ZERO, again = STRALLOC_ZERO;
  must(!message_copy_encoded(fd, root, append, &encoded));
  struct message_part *now = parse_whole(encoded.s, encoded.len, arena);
  struct message_part const *p = root, *q = now;
  for (; p && q; p = part_after(p), q = part_after(q)) {
    must(!strcmp(p->type, q->type) && !strcmp(p->subtype, q->subtype));
    must(p->is_multipart == q->is_multipart && p->is_message == q->is_message);
    if (!p->is_multipart && !p->is_message) check_body(data, p, &encoded, q);
  }
  must(!p && !q);
  /* What has been made fit is fit. */
  fd = fuzz_file(encoded.s, encoded.len);
  must(!message_copy_encoded(fd, now, append, &again));
  must(again.len == encoded.len && (!again.len || !memcmp(again.s, encoded.s, again.len)));
  stralloc_free(&encoded);
  stralloc_free(&again);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  struct arena arena = {0};
  struct dice dice = dice_of(data, size);
  int fd = fuzz_file(data, size);
  struct message_part *root = parse_whole(data, size, &arena);
  for (struct message_part const *p = root; p; p = part_after(p)) check_decoded(fd, data, p, &dice);
  check_encoded(fd, data, root, &arena);
  arena_release(&arena);
  return 0;
}
