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

static int base64_value(unsigned char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void decode_base64(struct transfer *t, stralloc *out, char const *data, size_t size) {
  char *at = sa_room(out, size + 1), *start = at;
  for (size_t i = 0; i < size; i++) {
    int value = base64_value((unsigned char)data[i]);
    if (data[i] == '=') t->nbits = 0;
    if (value < 0) continue;
    t->bits = t->bits << 6 | (uint32_t)value;
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
    sa_add(out, "\r\n" + !crlf, crlf ? 2 : 1);
    return;
  }
  if (!is_blank(c) || t->nheld == QP_HELD_MAX) release_held(t, out);
  if (is_blank(c) || c == '=')
    t->held[t->nheld++] = c;
  else
    sa_putc(out, c);
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
    while (at < end && *at != '=' && !is_blank(*at)) at++;
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
