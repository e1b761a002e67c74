/* Starting TLS by the UCSPI-TLS protocol, from the side of the program that asks for it.  What the
 * other side says is believed for the names below and nothing else. */
#include "login/login.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <skalibs/types.h>

enum { FACT_SIZE_MAX = 256, FACTS_SIZE_MAX = 8192, PRIVATE_FD = 10 };

static char const *const fact_names[] = {"SSL_PROTOCOL", "SSL_CIPHER", "SSL_TLS_SNI_SERVERNAME"};
#define PEER_PREFIX "SSL_PEER_"
#define ERROR_NAME "SSL_ERROR"
enum { FACT_NAMES = sizeof fact_names / sizeof *fact_names };

/* ---- the descriptors ---- */

static char const *const fd_names[] = {"SSLCTLFD", "SSLREADFD", "SSLWRITEFD"};
enum { CONTROL, READ, WRITE, FDS };

/* Descriptor 3 and its neighbours are wanted by others. */
static bool move_away(char const *name, int *fd) {
  char text[21];
  if (*fd >= PRIVATE_FD) return true;
  int high = fcntl(*fd, F_DUPFD, PRIVATE_FD);
  if (high < 0 || setenv(name, log_number(text, (uint64_t)high), 1) < 0) return false;
  *fd = high;
  return true;
}

static bool find_one(char const *name, int *fd) {
  char const *value = getenv(name);
  unsigned int n;
  if (!value || !uint0_scan(value, &n) || n < 3 || n > 1 << 20 || fcntl((int)n, F_GETFD) < 0) {
    log_event("bad-descriptor", "name", name, "value", value ? value : "", "remedy",
              "let tlsd -n or another UCSPI-TLS server run imaplogin, or unset SSLCTLFD",
              (char *)0);
    return false;
  }
  *fd = (int)n;
  return true;
}

bool ucspitls_find(struct ucspitls *tls) {
  int fd[FDS] = {-1, -1, -1};
  *tls = (struct ucspitls){-1, -1, -1};
  if (!getenv(fd_names[CONTROL])) return true;
  for (size_t i = 0; i < FDS; i++)
    if (!find_one(fd_names[i], &fd[i])) return false;
  for (size_t i = 0; i < FDS; i++) {
    if (!move_away(fd_names[i], &fd[i])) {
      log_failure("move descriptor", fd_names[i], "raise the limit on open files");
      return false;
    }
  }
  *tls = (struct ucspitls){fd[CONTROL], fd[READ], fd[WRITE]};
  return true;
}

static void close_all(struct ucspitls *tls) {
  close(tls->control);
  close(tls->read);
  if (tls->write != tls->read) close(tls->write);
  *tls = (struct ucspitls){-1, -1, -1};
  for (size_t i = 0; i < FDS; i++) unsetenv(fd_names[i]);
}

/* ---- what the TLS side says ---- */

struct facts {
  char text[FACTS_SIZE_MAX + 1]; /* and a NUL of our own */
  size_t size;
};

/* An empty string ends the list. */
static bool is_complete(struct facts const *f) {
  return f->size && !f->text[f->size - 1] && (f->size == 1 || !f->text[f->size - 2]);
}

static bool read_facts(int control, struct facts *f, int64_t deadline) {
  f->size = 0;
  while (!is_complete(f)) {
    if (f->size == FACTS_SIZE_MAX) return false;
    ssize_t r = io_read(control, f->text + f->size, FACTS_SIZE_MAX - f->size, deadline);
    if (r <= 0) return false;
    f->size += (size_t)r;
  }
  return true;
}

static bool is_printable(char const *text) {
  for (; *text; text++)
    if (*text < ' ' || *text > '~') return false;
  return true;
}

static bool is_fact(char const *name) {
  for (size_t i = 0; i < FACT_NAMES; i++)
    if (!strcmp(name, fact_names[i])) return true;
  return !strncmp(name, PEER_PREFIX, sizeof PEER_PREFIX - 1);
}

/* The value of a well-formed `name=value`, whose `=` becomes a NUL; else null. */
static char *split(char *fact) {
  char *equals = strchr(fact, '=');
  if (!equals || strlen(fact) > FACT_SIZE_MAX || !is_printable(fact)) return 0;
  *equals = 0;
  return equals + 1;
}

/* Returns the value of SSL_ERROR, if there is one. */
static char const *take_facts(struct facts *f, bool into_environment) {
  char const *error = 0;
  f->text[f->size] = 0;
  for (char *fact = f->text, *next; fact < f->text + f->size; fact = next) {
    next = fact + strlen(fact) + 1;
    char *value = split(fact);
    if (!value) continue;
    if (!strcmp(fact, ERROR_NAME))
      error = value;
    else if (into_environment && is_fact(fact))
      setenv(fact, value, 1);
  }
  return error;
}

static bool is_tls_variable(char const *entry) {
  for (size_t i = 0; i < FACT_NAMES; i++) {
    size_t size = strlen(fact_names[i]);
    if (!strncmp(entry, fact_names[i], size) && entry[size] == '=') return true;
  }
  return !strncmp(entry, PEER_PREFIX, sizeof PEER_PREFIX - 1);
}

void ucspitls_forget(void) {
  extern char **environ;
  char **to = environ;
  for (char **from = environ; *from; from++)
    if (!is_tls_variable(*from)) *to++ = *from;
  *to = 0;
}

char const *ucspitls_begin(struct ucspitls *tls, int64_t deadline) {
  static struct facts f;
  if (io_write_all(tls->control, "Y", 1, deadline) < 0) return "the TLS program has ended";
  if (!read_facts(tls->control, &f, deadline)) {
    char const *error = take_facts(&f, false);
    if (error) return error;
    return clock_ms() >= deadline ? "handshake timed out" : "the TLS program gave no reason";
  }
  ucspitls_forget();
  take_facts(&f, true);
  if (dup2(tls->read, 0) < 0 || dup2(tls->write, 1) < 0) return "descriptors cannot be moved";
  close_all(tls);
  return 0;
}
