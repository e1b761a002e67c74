/* PEM: base64 between BEGIN and END lines (RFC 7468).  Not BearSSL's own decoder, which takes some
 * hundred times as long: tlsd reads files for each connection. */
#include "x509/x509.h"

#include <string.h>

bool pem_is_certificate(char const *name) {
  return !strcmp(name, "CERTIFICATE") || !strcmp(name, "X509 CERTIFICATE");
}

/* The line at p: where the next one begins, or the end. */
static char *line_end(char *p, char *end) {
  char *newline = memchr(p, '\n', (size_t)(end - p));
  return newline ? newline + 1 : end;
}

static bool begins_with(char const *p, char const *end, char const *word) {
  size_t n = strlen(word);
  return (size_t)(end - p) >= n && !memcmp(p, word, n);
}

/* The name of a BEGIN line, which is cut there; null for other lines. */
static char *take_begin(char *p, char const *end) {
  static char const begin[] = "-----BEGIN ";
  if (!begins_with(p, end, begin)) return 0;
  p += sizeof begin - 1;
  char *dash = memchr(p, '-', (size_t)(end - p));
  if (!dash || !begins_with(dash, end, "-----")) return 0;
  *dash = 0;
  return p;
}

/* Blanks and line ends; some authorities send CR LF. */
static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool pem_each(char *text, size_t size, pem_take *take, void *context) {
  char *const end = text + size;
  char *name = 0, *object = 0, *to = 0; /* of the object that is being read: start and end */
  for (char *p = text, *next; p < end; p = next) {
    next = line_end(p, end);
    if (!name) {
      name = take_begin(p, next);
      object = to = next;
    } else if (*p != '-') {
      for (; p < next; p++)
        if (!is_blank(*p)) *to++ = *p;
    } else {
      if (!begins_with(p, next, "-----END ")) return false;
      ssize_t n = base64_decode(object, (size_t)(to - object), object);
      if (n < 0) return false;
      if (!take(context, name, (struct der){(unsigned char *)object, (size_t)n})) return true;
      name = 0;
    }
  }
  return !name;
}
