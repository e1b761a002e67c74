/* DER, item by item, within the bounds of what is around it. */
#include "x509/x509.h"

#include <string.h>

enum {
  HIGH_TAG = 0x1F, /* tags of more than one byte, which X.509 does not use */
  LONG_LENGTH = 0x80,
  LENGTH_BYTES_MAX = 3, /* 16 MiB */
};

/* The length after the tag; advances p. */
static bool take_length(unsigned char const **p, unsigned char const *end, size_t *length) {
  if (*p == end) return false;
  size_t first = *(*p)++;
  *length = first;
  if (first < LONG_LENGTH) return true;
  size_t n = first - LONG_LENGTH;
  if (!n || n > LENGTH_BYTES_MAX || n > (size_t)(end - *p)) return false;
  *length = 0;
  for (; n; n--) *length = *length << 8 | *(*p)++;
  return true;
}

bool der_next(struct der *rest, struct der_item *item) {
  unsigned char const *p = rest->data, *end = p + rest->size;
  size_t length;
  if (!rest->size || (*p & HIGH_TAG) == HIGH_TAG) return false;
  item->tag = *p++;
  if (!take_length(&p, end, &length) || length > (size_t)(end - p)) return false;
  item->content = (struct der){p, length};
  item->whole = (struct der){rest->data, (size_t)(p - rest->data) + length};
  *rest = (struct der){p + length, (size_t)(end - p) - length};
  return true;
}

bool der_take(struct der *rest, unsigned int tag, struct der *content) {
  struct der after = *rest;
  struct der_item item;
  if (!der_next(&after, &item) || item.tag != tag) return false;
  *content = item.content;
  *rest = after;
  return true;
}

bool der_take_bits(struct der *rest, struct der *bytes) {
  struct der after = *rest;
  if (!der_take(&after, DER_BITS, bytes) || !bytes->size || *bytes->data) return false;
  bytes->data++;
  bytes->size--;
  *rest = after;
  return true;
}

bool der_equal(struct der a, struct der b) {
  return a.size == b.size && (!a.size || !memcmp(a.data, b.data, a.size));
}
