/* Distinguished names (RFC 5280 section 4.1.2.4): SEQUENCE OF SET OF { attribute, value }. */
#include "x509/x509.h"

#include <stdio.h>
#include <string.h>

enum {
  CANONICAL_MAX = 2048, /* real names have less than 300 bytes */
  HEADERS = 16,         /* room for the tags and lengths around one attribute and its SET */
};

static struct {
  char const *name;
  unsigned char size, oid[10];
} const attributes[] = {
    {"CN", 3, {0x55, 4, 3}},
    {"serialNumber", 3, {0x55, 4, 5}},
    {"C", 3, {0x55, 4, 6}},
    {"L", 3, {0x55, 4, 7}},
    {"ST", 3, {0x55, 4, 8}},
    {"O", 3, {0x55, 4, 10}},
    {"OU", 3, {0x55, 4, 11}},
    {"emailAddress", 9, {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 1}},
    {"DC", 10, {0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 25}},
};

static char const *attribute_name(struct der oid) {
  for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
    if (der_equal(oid, (struct der){attributes[i].oid, attributes[i].size}))
      return attributes[i].name;
  return "other";
}

/* Takes one attribute with its value off a SET. */
static bool take_attribute(struct der *set, struct der_item *oid, struct der_item *value) {
  struct der pair;
  return der_take(set, DER_SEQUENCE, &pair) && der_next(&pair, oid) && oid->tag == DER_OID &&
         der_next(&pair, value);
}

struct text {
  char *to;
  size_t used, room; /* room: without the NUL */
};

static void put(struct text *t, char const *s) {
  for (; *s && t->used < t->room; s++) t->to[t->used++] = *s;
  t->to[t->used] = 0;
}

static void put_value(struct text *t, struct der value) {
  char piece[5];
  for (size_t i = 0; i < value.size; i++) {
    unsigned char c = value.data[i];
    bool plain = c >= ' ' && c <= '~' && c != '\\';
    snprintf(piece, sizeof piece, plain ? "%c" : "\\x%02X", c);
    put(t, piece);
  }
}

void name_text(struct der name, char *text, size_t room) {
  struct text t = {text, 0, room - 1};
  struct der set;
  struct der_item oid, value;
  text[0] = 0;
  while (der_take(&name, DER_SET, &set)) {
    while (take_attribute(&set, &oid, &value)) {
      if (t.used) put(&t, ", ");
      put(&t, attribute_name(oid.content));
      put(&t, "=");
      put_value(&t, value.content);
    }
  }
}

/* ---- OpenSSL's hash of a name: of a form of it in which case, blanks and string types that mean
 * nothing are gone ---- */

struct bytes {
  unsigned char data[CANONICAL_MAX];
  size_t size;
};

static bool is_blank(unsigned char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Room has been seen to: no value becomes more than twice as long (T61). */
static void add_character(struct bytes *b, unsigned char c, unsigned int tag) {
  if (c >= 'A' && c <= 'Z') c = (unsigned char)(c - 'A' + 'a');
  if (tag == DER_T61 && c >= 0x80) { /* taken for ISO-8859-1, as everybody does */
    b->data[b->size++] = (unsigned char)(0xC0 | c >> 6);
    c = 0x80 | (c & 0x3F);
  }
  b->data[b->size++] = c;
}

static void add_words(struct bytes *b, struct der value, unsigned int tag) {
  while (value.size && is_blank(value.data[value.size - 1])) value.size--;
  size_t i = 0;
  while (i < value.size && is_blank(value.data[i])) i++;
  for (; i < value.size; i++) {
    if (!is_blank(value.data[i]))
      add_character(b, value.data[i], tag);
    else if (!is_blank(value.data[i + 1])) /* the last one is none */
      b->data[b->size++] = ' ';
  }
}

/* Puts tag and length before what has been added since `start`. */
static void wrap(struct bytes *b, size_t start, unsigned char tag) {
  size_t n = b->size - start, header = n < 0x80 ? 2 : n < 0x100 ? 3 : 4;
  unsigned char *p = b->data + start;
  memmove(p + header, p, n);
  b->size += header;
  p[0] = tag;
  p[1] = (unsigned char)(n < 0x80 ? n : 0x80 + header - 2);
  if (header == 4) p[2] = (unsigned char)(n >> 8);
  if (header > 2) p[header - 1] = (unsigned char)n;
}

static void add_raw(struct bytes *b, struct der bytes) {
  memcpy(b->data + b->size, bytes.data, bytes.size);
  b->size += bytes.size;
}

static bool is_text(unsigned int tag) {
  return tag == DER_UTF8 || tag == DER_PRINTABLE || tag == DER_T61 || tag == DER_IA5 ||
         tag == DER_VISIBLE;
}

/* Numeric strings, bit strings and the like stand as they are; of wide characters we know nothing.
 */
static bool add_attribute(struct bytes *b, struct der_item const *oid,
                          struct der_item const *value) {
  enum { BMP = 0x1E, UNIVERSAL = 0x1C };
  if (value->tag == BMP || value->tag == UNIVERSAL) return false;
  if (oid->whole.size + 2 * value->whole.size + HEADERS > sizeof b->data - b->size) return false;
  size_t start = b->size;
  add_raw(b, oid->whole);
  size_t value_start = b->size;
  if (is_text(value->tag)) {
    add_words(b, value->content, value->tag);
    wrap(b, value_start, DER_UTF8);
  } else {
    add_raw(b, value->whole);
  }
  wrap(b, start, DER_SEQUENCE);
  return true;
}

bool name_hash(struct der name, uint32_t *hash) {
  struct bytes b = {.size = 0};
  struct der set;
  struct der_item oid, value;
  unsigned char sum[br_sha1_SIZE];
  br_sha1_context sha1;
  while (der_take(&name, DER_SET, &set)) {
    size_t start = b.size;
    if (HEADERS > sizeof b.data - b.size) return false;
    while (take_attribute(&set, &oid, &value))
      if (!add_attribute(&b, &oid, &value)) return false;
    wrap(&b, start, DER_SET);
  }
  br_sha1_init(&sha1);
  br_sha1_update(&sha1, b.data, b.size);
  br_sha1_out(&sha1, sum);
  *hash = sum[0] | (uint32_t)sum[1] << 8 | (uint32_t)sum[2] << 16 | (uint32_t)sum[3] << 24;
  return true;
}
