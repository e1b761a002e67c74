/* Charsets to UTF-8, as a stream.  What mail mostly uses is here; all else is charsetd's, since
 * iconv(3) loads shared objects and the programs are static. */
#include "message/internal.h"

#include <utf8proc.h>

static char const replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

static struct {
  char const *name;
  enum charset_kind kind;
} const names[] = {
    {"utf-8", CHARSET_UTF8},
    {"utf8", CHARSET_UTF8},
    {"us-ascii", CHARSET_LENIENT},
    {"ascii", CHARSET_LENIENT},
    {"ansi_x3.4-1968", CHARSET_LENIENT},
    {"iso646-us", CHARSET_LENIENT},
    {"iso-8859-1", CHARSET_LATIN1},
    {"iso8859-1", CHARSET_LATIN1},
    {"iso_8859-1", CHARSET_LATIN1},
    {"latin1", CHARSET_LATIN1},
    {"iso-8859-15", CHARSET_LATIN9},
    {"iso8859-15", CHARSET_LATIN9},
    {"iso_8859-15", CHARSET_LATIN9},
    {"latin-9", CHARSET_LATIN9},
    {"windows-1252", CHARSET_WINDOWS_1252},
    {"cp1252", CHARSET_WINDOWS_1252},
};

/* Windows-1252 where it differs from ISO-8859-1: 0x80 to 0x9f. */
static uint16_t const windows_1252[32] = {
    0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0xfffd, 0x017d, 0xfffd, 0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e, 0x0178};

/* ISO-8859-15 where it differs from ISO-8859-1. */
static struct {
  unsigned char byte;
  uint16_t character;
} const latin9[] = {{0xa4, 0x20ac}, {0xa6, 0x0160}, {0xa8, 0x0161}, {0xb4, 0x017d},
                    {0xb8, 0x017e}, {0xbc, 0x0152}, {0xbd, 0x0153}, {0xbe, 0x0178}};

int32_t charset_character(enum charset_kind kind, unsigned char byte) {
  if (kind == CHARSET_WINDOWS_1252 && byte >= 0x80 && byte <= 0x9f)
    return windows_1252[byte - 0x80];
  if (kind == CHARSET_LATIN9)
    for (size_t i = 0; i < sizeof latin9 / sizeof *latin9; i++)
      if (latin9[i].byte == byte) return latin9[i].character;
  return byte;
}

static size_t ascii_length(char const *data, size_t size) {
  size_t n = 0;
  for (uint64_t word; n + sizeof word <= size; n += sizeof word) {
    memcpy(&word, data + n, sizeof word);
    if (word & 0x8080808080808080u) break;
  }
  while (n < size && !(data[n] & 0x80)) n++;
  return n;
}

static void convert_single(enum charset_kind kind, stralloc *out, char const *data, size_t size) {
  while (size) {
    size_t n = ascii_length(data, size);
    sa_add(out, data, n);
    data += n, size -= n;
    if (!size) break;
    utf8proc_uint8_t utf8[4];
    sa_add(out, (char *)utf8,
           (size_t)utf8proc_encode_char(charset_character(kind, (unsigned char)*data), utf8));
    data++, size--;
  }
}

/* How many bytes the character that begins with this one has; 0 if none begins so. */
static size_t sequence_length(unsigned char lead) {
  return lead < 0x80   ? 1
         : lead < 0xc2 ? 0
         : lead < 0xe0 ? 2
         : lead < 0xf0 ? 3
         : lead < 0xf5 ? 4
                       : 0;
}

/* Whether more bytes could make a character of these. */
static bool is_beginning(char const *data, size_t size) {
  size_t want = sequence_length((unsigned char)*data);
  if (want <= size) return false;
  for (size_t i = 1; i < size; i++)
    if (((unsigned char)data[i] & 0xc0) != 0x80) return false;
  return true;
}

/* Appends the well-formed stretch at the beginning; returns its length. */
static size_t append_well_formed(stralloc *out, char const *data, size_t size) {
  size_t n = 0;
  for (;;) {
    n += ascii_length(data + n, size - n);
    utf8proc_int32_t c;
    utf8proc_ssize_t step = n < size ? utf8proc_iterate((utf8proc_uint8_t const *)data + n,
                                                        (utf8proc_ssize_t)(size - n), &c)
                                     : 0;
    if (step <= 0) break;
    n += (size_t)step;
  }
  sa_add(out, data, n);
  return n;
}

/* All but an unfinished character at the end; returns how much that leaves. */
static size_t convert_utf8(enum charset_kind kind, stralloc *out, char const *data, size_t size,
                           bool last) {
  while (size) {
    size_t n = append_well_formed(out, data, size);
    data += n, size -= n;
    if (!size || (!last && is_beginning(data, size))) break;
    if (kind == CHARSET_LENIENT)
      convert_single(CHARSET_LATIN1, out, data, 1);
    else
      sa_puts(out, replacement);
    data++, size--;
  }
  return size;
}

/* The tail of the last chunk comes first, byte by byte completed. */
static void convert_utf8_stream(struct charset *cs, stralloc *out, char const *data, size_t size,
                                bool last) {
  while (cs->ntail && size) {
    cs->tail[cs->ntail++] = *data++;
    size--;
    size_t left = convert_utf8(cs->kind, out, cs->tail, cs->ntail, last && !size);
    memmove(cs->tail, cs->tail + cs->ntail - left, left);
    cs->ntail = left;
  }
  size_t left = convert_utf8(cs->kind, out, data, size, last);
  if (left) memcpy(cs->tail, data + size - left, left);
  if (left) cs->ntail = left;
  if (last && cs->ntail && !size) convert_utf8(cs->kind, out, cs->tail, cs->ntail, true);
  if (last) cs->ntail = 0;
}

/* What charsetd cannot take any more is shown as one replacement character. */
static void convert_foreign(struct charset *cs, stralloc *out, char const *data, size_t size,
                            bool last) {
  bool good = helper_convert(cs->name, !cs->started, last, out, data, size);
  cs->started = true;
  if (!good) sa_puts(out, replacement);
}

/* A name that is passed on to another program: IANA's letters only. */
static bool is_name(char const *name) {
  size_t size = strlen(name);
  if (!size || size > CHARSET_NAME_MAX) return false;
  for (; *name; name++)
    if ((unsigned char)*name <= ' ' || (unsigned char)*name >= 0x7f || strchr("/\\\"", *name))
      return false;
  return true;
}

bool charset_open(struct charset *cs, char const *name) {
  *cs = (struct charset){.kind = CHARSET_UNKNOWN};
  for (size_t i = 0; cs->kind == CHARSET_UNKNOWN && i < sizeof names / sizeof *names; i++)
    if (!strcasecmp(name, names[i].name)) cs->kind = names[i].kind;
  if (cs->kind == CHARSET_UNKNOWN && is_name(name) && helper_knows(name)) {
    cs->kind = CHARSET_FOREIGN;
    strcpy(cs->name, name);
  }
  return cs->kind != CHARSET_UNKNOWN;
}

bool charset_is_plain(struct charset const *cs, char const *data, size_t size) {
  return cs->kind < CHARSET_FOREIGN && !cs->ntail && ascii_length(data, size) == size;
}

void charset_of_part(struct charset *cs, struct message_part const *p) {
  char const *name = param_value(p->params, "charset");
  if (!charset_open(cs, name && *name ? name : "us-ascii")) cs->kind = CHARSET_LENIENT;
}

void charset_convert(struct charset *cs, stralloc *out, char const *data, size_t size, bool last) {
  switch (cs->kind) {
  case CHARSET_LATIN1:
  case CHARSET_LATIN9:
  case CHARSET_WINDOWS_1252: convert_single(cs->kind, out, data, size); break;
  case CHARSET_LENIENT:
  case CHARSET_UTF8: convert_utf8_stream(cs, out, data, size, last); break;
  case CHARSET_FOREIGN: convert_foreign(cs, out, data, size, last); break;
  case CHARSET_UNKNOWN: sa_add(out, data, size); break;
  }
}

bool charset_to_utf8(stralloc *out, char const *charset, char const *data, size_t size) {
  struct charset cs;
  if (!charset_open(&cs, charset)) return false;
  size_t before = out->len;
  if (cs.kind != CHARSET_FOREIGN) {
    charset_convert(&cs, out, data, size, true);
    return true;
  }
  if (helper_convert(cs.name, true, true, out, data, size)) return true;
  out->len = before;
  return false;
}

bool charset_known(char const *charset) {
  struct charset cs;
  return charset_open(&cs, charset);
}
