/* One line per event on standard error.  No buffering, no allocation: usable anywhere. */
#include "base/base.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <skalibs/types.h>

static char const *log_program = "chainmail";

struct line {
  char text[LOG_LINE_MAX];
  size_t size;
};

void log_init(char const *program) {
  log_program = program;
}

char const *log_number(char buf[21], uint64_t n) {
  buf[uint64_fmt(buf, n)] = 0;
  return buf;
}

/* Keeps the last byte for the newline. */
static void line_put(struct line *l, char const *text, size_t size) {
  size_t room = sizeof l->text - 1 - l->size;
  if (size > room) size = room;
  memcpy(l->text + l->size, text, size);
  l->size += size;
}

static void line_puts(struct line *l, char const *text) {
  line_put(l, text, strlen(text));
}

static bool is_plain(char const *value) {
  if (!*value) return false;
  for (; *value; value++)
    if (*value <= ' ' || *value > '~' || strchr("\"\\=", *value)) return false;
  return true;
}

static void line_put_value(struct line *l, char const *value) {
  static char const hex[] = "0123456789abcdef";
  if (is_plain(value)) {
    line_puts(l, value);
    return;
  }
  line_puts(l, "\"");
  for (; *value; value++) {
    unsigned char c = (unsigned char)*value;
    if (c == '"' || c == '\\')
      line_put(l, (char[]){'\\', (char)c}, 2);
    else if (c < ' ' || c > '~')
      line_put(l, (char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
    else
      line_put(l, (char[]){(char)c}, 1);
  }
  line_puts(l, "\"");
}

static void line_put_pair(struct line *l, char const *key, char const *value) {
  if (!value) return;
  line_puts(l, " ");
  line_puts(l, key);
  line_puts(l, "=");
  line_put_value(l, value);
}

static void line_begin(struct line *l, char const *event) {
  char pid[21];
  l->size = 0;
  line_puts(l, log_program);
  line_puts(l, ": ");
  line_puts(l, log_number(pid, (uint64_t)getpid()));
  line_puts(l, ": ");
  line_puts(l, event);
}

static void line_put_pairs(struct line *l, va_list pairs) {
  for (;;) {
    char const *key = va_arg(pairs, char const *);
    if (!key) break;
    line_put_pair(l, key, va_arg(pairs, char const *));
  }
}

/* Nobody can be told that the log itself is gone, so the result of write is of no use. */
static void line_write(struct line *l) {
  l->text[l->size++] = '\n';
  while (write(2, l->text, l->size) < 0 && errno == EINTR)
    ;
}

static void log_pairs(char const *event, va_list pairs) {
  struct line l;
  line_begin(&l, event);
  line_put_pairs(&l, pairs);
  line_write(&l);
}

void log_event(char const *event, ...) {
  int saved = errno;
  va_list pairs;
  va_start(pairs, event);
  log_pairs(event, pairs);
  va_end(pairs);
  errno = saved;
}

void log_failure(char const *attempt, char const *path, char const *remedy) {
  int saved = errno;
  log_event("failed", "attempt", attempt, "path", path, "why", strerror(saved), "remedy", remedy,
            (char *)0);
  errno = saved;
}

noreturn void log_die(int code, char const *event, ...) {
  va_list pairs;
  va_start(pairs, event);
  log_pairs(event, pairs);
  va_end(pairs);
  _exit(code);
}

noreturn void log_die_failure(int code, char const *attempt, char const *path, char const *remedy) {
  log_failure(attempt, path, remedy);
  _exit(code);
}

noreturn void log_die_memory(void) {
  log_die(EXIT_TEMPORARY, "out-of-memory", "remedy", "raise the memory limit of the service",
          (char *)0);
}
