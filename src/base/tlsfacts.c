/* What the TLS side says of a connection, by UCSPI-TLS.  It has talked to a stranger and may be
 * anybody's by now: it is believed names from a list, and values that are short and printable. */
#include "base/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A name that ends in `*` stands for all that begin so. */
static char const *const names[] = {"SSL_PROTOCOL", "SSL_CIPHER", "SSL_TLS_SNI_SERVERNAME",
                                    "SSL_SERVER_END_POINT", "SSL_PEER_*"};
static char const error_name[] = "SSL_ERROR", warning_name[] = "SSL_WARNING";

/* If the string is NAME=value, the value. */
static char const *value_of(char const *string, char const *name) {
  size_t n = strlen(name);
  return !strncmp(string, name, n) && string[n] == '=' ? string + n + 1 : 0;
}

static bool is_named(char const *string, char const *pattern) {
  size_t n = strlen(pattern) - 1;
  if (pattern[n] != '*') return value_of(string, pattern);
  return !strncmp(string, pattern, n) && strchr(string, '=');
}

static bool is_fact(char const *string) {
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (is_named(string, names[i])) return true;
  return false;
}

static bool is_printable(char const *string) {
  for (; *string; string++)
    if (*string < ' ' || *string > '~') return false;
  return true;
}

/* Other terminators have more to say than we want to know, which is no fault of theirs. */
static bool is_believed(char const *string) {
  return strlen(string) <= FACT_MAX && is_printable(string) &&
         (is_fact(string) || value_of(string, error_name) || value_of(string, warning_name));
}

/* The string after this one; the empty string is the end. */
static char const *next(char const *string) {
  return string + strlen(string) + 1;
}

static char const *first(struct tls_facts const *f) {
  char const *s = f->text;
  while (*s && !is_believed(s)) s = next(s);
  return s;
}

static char const *following(char const *s) {
  do s = next(s);
  while (*s && !is_believed(s));
  return s;
}

char const *tls_facts_get(struct tls_facts const *f, char const *name) {
  for (char const *s = first(f); *s; s = following(s))
    if (value_of(s, name)) return value_of(s, name);
  return 0;
}

static bool is_complete(struct tls_facts const *f) {
  return f->size && !f->text[f->size - 1] && (f->size == 1 || !f->text[f->size - 2]);
}

/* At end of file: a failure is told in one string, whose own NUL is the last byte. */
static int check_end(struct tls_facts *f) {
  if (f->size && f->text[f->size - 1]) f->size = 0; /* cut short */
  f->text[f->size] = 0;
  f->error = tls_facts_get(f, error_name);
  if (f->error) return 0;
  f->text[0] = 0;
  errno = EPIPE;
  return -1;
}

int tls_facts_read(struct tls_facts *f, int fd, int64_t deadline) {
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
  f->error = tls_facts_get(f, error_name);
  return 0;
}

char const *tls_facts_failure(struct tls_facts const *f) {
  if (f->error) return f->error;
  return errno == EPROTO      ? "TLS program misbehaved"
         : errno == ETIMEDOUT ? "handshake timed out"
                              : "TLS program ended without a reason";
}

void tls_facts_log_warning(struct tls_facts const *f) {
  char const *why = tls_facts_get(f, warning_name);
  if (why) log_event("tls-warning", "ip", getenv("TCPREMOTEIP"), "why", why, (char *)0);
}

/* A copy in the environment: facts need not stay. */
static int export_one(char const *fact) {
  char name[FACT_MAX + 1];
  size_t n = strcspn(fact, "=");
  memcpy(name, fact, n);
  name[n] = 0;
  return setenv(name, fact + n + 1, 1);
}

int tls_facts_export(struct tls_facts const *f) {
  tls_facts_unset();
  for (char const *s = first(f); *s; s = following(s))
    if (is_fact(s) && export_one(s) < 0) return -1;
  return 0;
}

void tls_facts_unset(void) {
  extern char **environ;
  char **kept = environ;
  for (char **e = environ; *e; e++)
    if (!is_fact(*e)) *kept++ = *e;
  *kept = 0;
}

/* Attributes are letters, as X.500 has them. */
static char to_upper(char c) {
  return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

char const *tls_peer_identity(void) {
  char name[64] = "SSL_PEER_CERT_SUBJECT_";
  char const *attribute = getenv("TLS_EXTERNAL");
  size_t n = strlen(name);
  if (!attribute || !*attribute || strlen(attribute) >= sizeof name - n) return 0;
  for (; *attribute; attribute++) name[n++] = to_upper(*attribute);
  name[n] = 0;
  char const *value = getenv(name);
  return value && *value ? value : 0;
}
