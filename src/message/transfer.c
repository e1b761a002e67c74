/* Content transfer encodings (RFC 2045 section 6), decoding as a stream: chunks of any size.
 *
 * Readings of what is broken: bytes outside the base64 alphabet are passed over and `=` ends a
 * group, wherever it stands; an `=` that begins no escape of quoted-printable stands for itself;
 * unknown encodings decode to themselves. */
#include "message/internal.h"

enum transfer_encoding transfer_by_name(char const *name) {
  if (name && !strcasecmp(name, "base64")) return TRANSFER_BASE64;
  if (name && !strcasecmp(name, "quoted-printable")) return TRANSFER_QUOTED_PRINTABLE;
  return TRANSFER_IDENTITY;
}

bool transfer_known(char const *name) {
  static char const *const identities[] = {"7bit", "8bit", "binary"};
  if (!name || transfer_by_name(name) != TRANSFER_IDENTITY) return true;
  for (size_t i = 0; i < sizeof identities / sizeof *identities; i++)
    if (!strcasecmp(name, identities[i])) return true;
  return false;
}

/* The values of the letters, each with this bit; 0: no letter. */
enum { LETTER = 0x40 };
#define V(c, value) [c] = LETTER | (value)
static unsigned char const base64_values[256] = {
    V('A', 0),  V('B', 1),  V('C', 2),  V('D', 3),  V('E', 4),  V('F', 5),  V('G', 6),  V('H', 7),
    V('I', 8),  V('J', 9),  V('K', 10), V('L', 11), V('M', 12), V('N', 13), V('O', 14), V('P', 15),
    V('Q', 16), V('R', 17), V('S', 18), V('T', 19), V('U', 20), V('V', 21), V('W', 22), V('X', 23),
    V('Y', 24), V('Z', 25), V('a', 26), V('b', 27), V('c', 28), V('d', 29), V('e', 30), V('f', 31),
    V('g', 32), V('h', 33), V('i', 34), V('j', 35), V('k', 36), V('l', 37), V('m', 38), V('n', 39),
    V('o', 40), V('p', 41), V('q', 42), V('r', 43), V('s', 44), V('t', 45), V('u', 46), V('v', 47),
    V('w', 48), V('x', 49), V('y', 50), V('z', 51), V('0', 52), V('1', 53), V('2', 54), V('3', 55),
    V('4', 56), V('5', 57), V('6', 58), V('7', 59), V('8', 60), V('9', 61), V('+', 62), V('/', 63),
};
#undef V

/* Groups of four letters, up to the first byte that is none.  Returns how many bytes they are. */
static size_t decode_groups(char **out, char const *data, size_t size) {
  unsigned char const *p = (unsigned char const *)data;
  size_t i = 0;
  char *at = *out;
  for (; size - i >= 4; i += 4) {
    uint32_t a = base64_values[p[i]], b = base64_values[p[i + 1]], c = base64_values[p[i + 2]],
             d = base64_values[p[i + 3]];
    if (!(a & b & c & d)) break;
    uint32_t bits = (a ^ LETTER) << 18 | (b ^ LETTER) << 12 | (c ^ LETTER) << 6 | (d ^ LETTER);
    *at++ = (char)(bits >> 16);
    *at++ = (char)(bits >> 8);
    *at++ = (char)bits;
  }
  *out = at;
  return i;
}

static void decode_base64(struct transfer *t, stralloc *out, char const *data, size_t size) {
  char *at = sa_room(out, size + 1), *start = at;
  for (size_t i = 0; i < size; i++) {
    if (!t->nbits) i += decode_groups(&at, data + i, size - i);
    if (i == size) break;
    unsigned char value = base64_values[(unsigned char)data[i]];
    if (data[i] == '=') t->nbits = 0;
    if (!value) continue;
    t->bits = t->bits << 6 | (value ^ LETTER);
    t->nbits += 6;
    if (t->nbits >= 8) {
      t->nbits -= 8;
      *at++ = (char)(t->bits >> t->nbits);
    }
  }
  out->len += (size_t)(at - start);
}

static int hex_value(unsigned char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 32;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void release_held(struct transfer *t, stralloc *out) {
  sa_add(out, t->held, t->nheld);
  t->nheld = 0;
}

/* held begins with `=`; c is the next byte.  Escapes are `=XX`, and `=` blanks line end. */
static void continue_escape(struct transfer *t, stralloc *out, char c) {
  t->held[t->nheld++] = c;
  if (c == '\n' && is_blank(t->held[1])) {
    t->nheld = 0;
    return;
  }
  int high = hex_value((unsigned char)t->held[1]);
  if (t->nheld == 2 && high >= 0) return;
  if (t->nheld == 3 && high >= 0 && hex_value((unsigned char)c) >= 0) {
    sa_putc(out, (char)(high << 4 | hex_value((unsigned char)c)));
    t->nheld = 0;
    return;
  }
  if (is_blank(t->held[1]) && is_blank(c) && t->nheld < QP_HELD_MAX) return;
  /* No escape.  The last byte may begin one. */
  if (c == '=') t->nheld--;
  release_held(t, out);
  if (c == '=') t->held[t->nheld++] = c;
}

/* held are blanks; c is the next byte.  At a line's end they go (RFC 2045 section 6.7, rule 3). */
static void continue_blanks(struct transfer *t, stralloc *out, char c) {
  if (c == '\n') {
    bool crlf = t->nheld && t->held[t->nheld - 1] == '\r';
    t->nheld = 0;
    sa_puts(out, crlf ? "\r\n" : "\n");
    return;
  }
  if (!is_blank(c) || t->nheld == QP_HELD_MAX) release_held(t, out);
  if (is_blank(c) || c == '=')
    t->held[t->nheld++] = c;
  else
    sa_putc(out, c);
}

/* Not what may be an escape, or blanks at a line's end. */
static bool is_plain(char const *at, char const *end) {
  return *at != '=' && (!is_blank(*at) || (at + 1 < end && !is_blank(at[1])));
}

static void decode_quoted_printable(struct transfer *t, stralloc *out, char const *data,
                                    size_t size) {
  for (char const *at = data, *end = data + size; at < end;) {
    if (t->nheld) {
      if (t->held[0] == '=')
        continue_escape(t, out, *at++);
      else
        continue_blanks(t, out, *at++);
      continue;
    }
    char const *start = at;
    while (at < end && is_plain(at, end)) at++;
    sa_add(out, start, (size_t)(at - start));
    if (at < end && *at == '\n')
      sa_putc(out, *at++);
    else if (at < end)
      t->held[t->nheld++] = *at++;
  }
}

void transfer_decode(struct transfer *t, stralloc *out, char const *data, size_t size, bool last) {
  switch (t->encoding) {
  case TRANSFER_IDENTITY: sa_add(out, data, size); break;
  case TRANSFER_BASE64: decode_base64(t, out, data, size); break;
  case TRANSFER_QUOTED_PRINTABLE: decode_quoted_printable(t, out, data, size); break;
  }
  if (!last) return;
  /* A soft line end at the very end is no text; nor are blanks there. */
  if (t->nheld && t->held[0] == '=' && t->nheld > 1 && !is_blank(t->held[1])) release_held(t, out);
  t->nheld = 0;
}
