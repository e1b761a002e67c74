/* Mailbox names: modified UTF-7 (RFC 3501 section 5.1.3) to UTF-8 and back.  Which names a store
 * can hold is the store's affair. */
#include "imap/imap.h"

#include <string.h>

static char const alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static bool is_printable(uint32_t c) {
  return c >= 0x20 && c <= 0x7e;
}

static bool is_control(uint32_t c) {
  return c < 0x20 || c == 0x7f;
}

static char *put_utf8(char *p, uint32_t c) {
  if (c < 0x80) {
    *p++ = (char)c;
  } else if (c < 0x800) {
    *p++ = (char)(0xc0 | c >> 6);
    *p++ = (char)(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    *p++ = (char)(0xe0 | c >> 12);
    *p++ = (char)(0x80 | (c >> 6 & 0x3f));
    *p++ = (char)(0x80 | (c & 0x3f));
  } else {
    *p++ = (char)(0xf0 | c >> 18);
    *p++ = (char)(0x80 | (c >> 12 & 0x3f));
    *p++ = (char)(0x80 | (c >> 6 & 0x3f));
    *p++ = (char)(0x80 | (c & 0x3f));
  }
  return p;
}

/* The code point at *s, which moves past it; false if these bytes are not UTF-8 (RFC 3629). */
static bool take_utf8(unsigned char const **s, uint32_t *c) {
  static uint32_t const least[] = {0, 0x80, 0x800, 0x10000}; /* by continuation bytes */
  unsigned char lead = *(*s)++;
  int more = lead < 0x80 ? 0 : lead >= 0xc2 && lead < 0xe0 ? 1 : (lead & 0xf0) == 0xe0 ? 2 : 3;
  if (lead >= 0x80 && (lead < 0xc2 || lead > 0xf4)) return false;
  *c = more ? lead & (0x3fU >> more) : lead;
  for (int i = 0; i < more; i++) {
    if ((**s & 0xc0) != 0x80) return false; /* the final NUL included */
    *c = *c << 6 | (*(*s)++ & 0x3f);
  }
  return *c >= least[more] && *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff);
}

/* The UTF-16 of one base64 run, unit by unit. */
struct utf16_reader {
  uint32_t high; /* a first surrogate that waits for its second; 0 if none */
};

static bool take_unit(struct utf16_reader *r, uint32_t unit, char **p) {
  bool is_low = unit >= 0xdc00 && unit <= 0xdfff;
  if (is_low != (r->high != 0)) return false;
  if (unit >= 0xd800 && unit < 0xdc00) {
    r->high = unit;
    return true;
  }
  uint32_t c = is_low ? 0x10000 + ((r->high - 0xd800) << 10) + (unit - 0xdc00) : unit;
  r->high = 0;
  if (is_control(c)) return false;
  *p = put_utf8(*p, c);
  return true;
}

/* *s stands after the `&`; moves past the `-`. */
static bool decode_run(char const **s, char **p) {
  struct utf16_reader reader = {0};
  uint32_t bits = 0;
  int nbits = 0;
  for (; **s != '-'; ++*s) {
    char const *digit = **s ? strchr(alphabet, **s) : 0;
    if (!digit) return false;
    bits = bits << 6 | (uint32_t)(digit - alphabet);
    nbits += 6;
    if (nbits >= 16) {
      nbits -= 16;
      if (!take_unit(&reader, bits >> nbits & 0xffff, p)) return false;
    }
  }
  ++*s;
  return !reader.high;
}

/* Knows what the bytes mean, not whether another spelling would be the right one. */
static char *decode(char const *name, struct arena *arena) {
  /* A run of 8 base64 digits is at most 3 units, each at most 3 bytes: 9. */
  char *utf8 = arena_alloc(arena, strlen(name) / 8 * 9 + strlen(name) % 8 * 2 + 1), *p = utf8;
  while (*name) {
    char c = *name++;
    if (!is_printable((unsigned char)c)) return 0;
    if (c != '&') {
      *p++ = c;
    } else if (*name == '-') {
      *p++ = '&';
      name++;
    } else if (!decode_run(&name, &p)) {
      return 0;
    }
  }
  *p = 0;
  return utf8;
}

/* The base64 run that is being written: bits that do not make a digit yet. */
struct run {
  bool open;
  uint32_t bits;
  int nbits;
};

static char *put_unit(char *p, struct run *run, uint32_t unit) {
  run->bits = run->bits << 16 | unit;
  for (run->nbits += 16; run->nbits >= 6; run->nbits -= 6)
    *p++ = alphabet[run->bits >> (run->nbits - 6) & 0x3f];
  return p;
}

static char *open_run(char *p, struct run *run) {
  if (!run->open) {
    *run = (struct run){.open = true};
    *p++ = '&';
  }
  return p;
}

static char *close_run(char *p, struct run *run) {
  if (run->open) {
    if (run->nbits) *p++ = alphabet[run->bits << (6 - run->nbits) & 0x3f];
    *p++ = '-';
    run->open = false;
  }
  return p;
}

char *imap_name_from_utf8(char const *utf8, struct arena *arena) {
  /* Worst: single characters of 2 bytes between ASCII ones, "&AAA-" each. */
  char *name = arena_alloc(arena, strlen(utf8) * 5 + 1), *p = name;
  unsigned char const *s = (unsigned char const *)utf8;
  struct run run = {0};
  while (*s) {
    uint32_t c;
    if (!take_utf8(&s, &c) || is_control(c)) return 0;
    if (is_printable(c)) {
      p = close_run(p, &run);
      *p++ = (char)c;
      if (c == '&') *p++ = '-';
    } else if (c < 0x10000) {
      p = put_unit(open_run(p, &run), &run, c);
    } else {
      p = put_unit(open_run(p, &run), &run, 0xd800 + ((c - 0x10000) >> 10));
      p = put_unit(p, &run, 0xdc00 + ((c - 0x10000) & 0x3ff));
    }
  }
  p = close_run(p, &run);
  *p = 0;
  return name;
}

/* Of all spellings only the one that we would write is right: two names must not mean one mailbox.
 */
char *imap_name_to_utf8(char const *name, struct arena *arena) {
  char *utf8 = decode(name, arena);
  char const *canonical = utf8 ? imap_name_from_utf8(utf8, arena) : 0;
  return canonical && !strcmp(canonical, name) ? utf8 : 0;
}

bool imap_name_valid(char const *name) {
  size_t i = 0;
  while (is_printable((unsigned char)name[i]) && name[i] != '&') i++;
  if (!name[i]) return true;
  struct arena arena = {0};
  bool valid = imap_name_to_utf8(name, &arena) != 0;
  arena_release(&arena);
  return valid;
}
