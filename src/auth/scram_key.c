/* SCRAM keys as text: RFC 5803 section 2.  Needs nothing that computes. */
#include "auth/scram.h"
#include "base/base.h"

#include <stdio.h>
#include <string.h>
#include <skalibs/types.h>

enum { BASE64_MAX = (SCRAM_SALT_MAX + 2) / 3 * 4 };

/* Decodes [text, end) into at most max bytes; -1 if it is no base64 or too long. */
static ssize_t decode(char const *text, char const *end, unsigned char *out, size_t max) {
  char bytes[BASE64_MAX];
  if (!end || (size_t)(end - text) > sizeof bytes) return -1;
  ssize_t size = base64_decode(text, (size_t)(end - text), bytes);
  if (size < 0 || (size_t)size > max) return -1;
  memcpy(out, bytes, (size_t)size);
  return size;
}

static char const *after_scheme(struct scram_kind const *kind, char const *text) {
  size_t n = strlen(kind->name);
  return !strncmp(text, kind->name, n) && text[n] == '$' ? text + n + 1 : text;
}

bool scram_key_parse(struct scram_kind const *kind, char const *text, struct scram_key *k) {
  text = after_scheme(kind, text);
  size_t digits = uint32_scan(text, &k->iterations);
  if (!digits || text[digits] != ':' || !k->iterations || k->iterations > SCRAM_ITERATIONS_MAX)
    return false;
  char const *salt = text + digits + 1, *salt_end = strchr(salt, '$');
  ssize_t salt_size = decode(salt, salt_end, k->salt, sizeof k->salt);
  if (salt_size <= 0) return false;
  k->salt_size = (size_t)salt_size;
  char const *stored = salt_end + 1, *stored_end = strchr(stored, ':');
  if (decode(stored, stored_end, k->stored, kind->size) != (ssize_t)kind->size) return false;
  char const *server = stored_end + 1;
  return decode(server, server + strlen(server), k->server, kind->size) == (ssize_t)kind->size;
}

static char *put(char *p, void const *bytes, size_t size, char end) {
  p += base64_encode(bytes, size, p);
  *p++ = end;
  return p;
}

void scram_key_format(struct scram_kind const *kind, struct scram_key const *k,
                      char text[SCRAM_KEY_TEXT]) {
  char *p = text + snprintf(text, SCRAM_KEY_TEXT, "%lu:", (unsigned long)k->iterations);
  p = put(p, k->salt, k->salt_size, '$');
  p = put(p, k->stored, kind->size, ':');
  put(p, k->server, kind->size, 0);
}
