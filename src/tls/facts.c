/* What the engine says of a connection.  It has talked to a stranger and may be anybody's by now:
 * it is believed names from a list, and values that are short and printable. */
#include "tls/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char const *const names[] = {"SSL_PROTOCOL", "SSL_CIPHER", "SSL_TLS_SNI_SERVERNAME"};
static char const error_name[] = "SSL_ERROR";

/* If the string is NAME=value, the value. */
static char const *value_of(char const *string, char const *name) {
  size_t n = strlen(name);
  return !strncmp(string, name, n) && string[n] == '=' ? string + n + 1 : 0;
}

static bool is_known(char const *string) {
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (value_of(string, names[i])) return true;
  return value_of(string, error_name);
}

static bool is_printable(char const *string) {
  for (; *string; string++)
    if (*string < ' ' || *string > '~') return false;
  return true;
}

/* The string after this one; the empty string is the end. */
static char const *next(char const *string) {
  return string + strlen(string) + 1;
}

/* text ends in two NULs, or in one that is all there is. */
static int check(struct facts *f) {
  for (char const *s = f->text; *s; s = next(s)) {
    if (strlen(s) > FACT_MAX || !is_known(s) || !is_printable(s)) {
      errno = EPROTO;
      return -1;
    }
    if (value_of(s, error_name)) f->error = value_of(s, error_name);
  }
  return 0;
}

static bool is_complete(struct facts const *f) {
  return f->size && !f->text[f->size - 1] && (f->size == 1 || !f->text[f->size - 2]);
}

/* At end of file: a failure is told in one string, whose own NUL is the last byte. */
static int check_end(struct facts *f) {
  if (!f->size) {
    errno = EPIPE;
    return -1;
  }
  if (f->text[f->size - 1]) {
    errno = EPROTO;
    return -1;
  }
  f->text[f->size] = 0;
  if (check(f) < 0) return -1;
  if (f->error) return 0;
  errno = EPIPE;
  return -1;
}

int facts_read(struct facts *f, int fd, int64_t deadline) {
  f->size = 0;
  f->error = 0;
  while (!is_complete(f)) {
    /* One byte is kept for the NUL that check_end adds. */
    size_t room = sizeof f->text - 1 - f->size;
    if (!room) {
      errno = EPROTO;
      return -1;
    }
    ssize_t r = io_read(fd, f->text + f->size, room, deadline);
    if (r < 0) return -1;
    if (!r) return check_end(f);
    f->size += (size_t)r;
  }
  return check(f);
}

char const *facts_get(struct facts const *f, char const *name) {
  for (char const *s = f->text; *s; s = next(s))
    if (value_of(s, name)) return value_of(s, name);
  return 0;
}

int facts_export(struct facts const *f) {
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char const *value = facts_get(f, names[i]);
    if (value && setenv(names[i], value, 1) < 0) return -1;
  }
  return 0;
}

void facts_unset(void) {
  extern char **environ;
  char **kept = environ;
  for (char **e = environ; *e; e++)
    if (strncmp(*e, "SSL_", 4) && !value_of(*e, "SSLCTLFD") && !value_of(*e, "SSLREADFD") &&
        !value_of(*e, "SSLWRITEFD"))
      *kept++ = *e;
  *kept = 0;
}
