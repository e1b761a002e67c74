/* Appending to strings, and IMAP strings as responses hold them (RFC 3501 section 9: nstring).
 * Not the wire: src/imap reads and writes that. */
#include "message/internal.h"

#include <skalibs/uint64.h>

/* Beyond this a literal is kinder to clients that read line by line (RFC 2683 section 3.2.1.5). */
enum { QUOTED_MAX = 1000 };

/* glibc keeps blocks of up to 1,032 bytes that were freed, several of each size, for the next who
 * wants just that size; larger ones memory_trim gives back to the system. */
enum { FIRST_SIZE = 2048 };

char *sa_room(stralloc *out, size_t size) {
  if (!(out->s || size > FIRST_SIZE ? stralloc_readyplus(out, size)
                                    : stralloc_ready(out, FIRST_SIZE)))
    log_die_memory();
  return out->s + out->len;
}

void sa_add(stralloc *out, char const *data, size_t size) {
  if (!size) return;
  memcpy(sa_room(out, size), data, size);
  out->len += size;
}

void sa_puts(stralloc *out, char const *string) {
  sa_add(out, string, strlen(string));
}

void sa_putc(stralloc *out, char c) {
  *sa_room(out, 1) = c;
  out->len++;
}

void replace_nuls(char *data, size_t size) {
  char *end = data + size;
  while (data < end && (data = memchr(data, 0, (size_t)(end - data)))) *data++ = NUL_SUBSTITUTE;
}

void sa_put_number(stralloc *out, uint64_t n) {
  char digits[UINT64_FMT];
  sa_add(out, digits, uint64_fmt(digits, n));
}

static bool can_be_quoted(char const *string, size_t size) {
  if (size > QUOTED_MAX) return false;
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)string[i];
    if (c >= 0x7f || (c < ' ' && c != '\t')) return false;
  }
  return true;
}

static void put_quoted(stralloc *out, char const *string, size_t size) {
  char *at = sa_room(out, 2 * size + 2), *start = at;
  *at++ = '"';
  for (size_t i = 0; i < size; i++) {
    if (string[i] == '"' || string[i] == '\\') *at++ = '\\';
    *at++ = string[i];
  }
  *at++ = '"';
  out->len += (size_t)(at - start);
}

void nstring_put_n(stralloc *out, char const *string, size_t size) {
  if (can_be_quoted(string, size)) {
    put_quoted(out, string, size);
    return;
  }
  sa_putc(out, '{');
  sa_put_number(out, size);
  sa_puts(out, "}\r\n");
  sa_add(out, string, size);
}

void nstring_put(stralloc *out, char const *string) {
  if (string)
    nstring_put_n(out, string, strlen(string));
  else
    sa_puts(out, "NIL");
}
