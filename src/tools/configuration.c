/* Reading configuration files: lines become definitions, then the references between them are
 * resolved. */
#include "tools/configuration.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
  FILE_SIZE_MAX = 256 * 1024,           /* Courier's files have 15 KiB, most of it comments */
  DEFINITIONS_MAX = 2000,               /* an environment has some hundred variables */
  KEY_MAX = 200,                        /* a file name; leaves room below NAME_MAX */
  VALUE_MAX = 128 * 1024 - KEY_MAX - 2, /* what Linux takes as one string in exec */
  TOTAL_MAX = 1024 * 1024,              /* half of what Linux takes in one exec */
  DEPTH_MAX = 100,     /* references to later lines that refer to later lines: stack */
  COMPLAINTS_MAX = 20, /* then the file is probably no configuration at all */
};

/* ---- complaints about the files ---- */

static void complain(struct config *c, struct where at, char const *key, char const *why) {
  char number[21];
  log_event("bad-line", "file", at.file, "line", log_number(number, at.line), "key", key, "why",
            why, (char *)0);
  if (++c->complaints == COMPLAINTS_MAX)
    log_die(EXIT_REFUSED, "gave-up", "why", "too many bad lines: is this the right file?",
            (char *)0);
}

/* ---- characters ---- */

static bool is_blank(char ch) {
  return ch == ' ' || ch == '\t';
}

static bool is_name_start(char ch) {
  return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
}

static bool is_name_char(char ch) {
  return is_name_start(ch) || (ch >= '0' && ch <= '9');
}

static size_t name_length(char const *at, char const *end) {
  char const *start = at;
  if (at == end || !is_name_start(*at)) return 0;
  while (at < end && is_name_char(*at)) at++;
  return (size_t)(at - start);
}

/* ---- from lines to definitions ---- */

/* A value being read.  The functions that take one return null or what is wrong. */
struct reader {
  struct config *config;
  struct definition *definition;
  char const *at, *end;
};

static void add_piece(struct reader *r, char const *text, size_t size, bool reference) {
  struct definition *d = r->definition;
  struct piece *last = d->n ? &d->pieces[d->n - 1] : 0;
  if (last && !last->reference && !reference && last->text + last->size == text) {
    last->size += size;
    return;
  }
  d->pieces = arena_grow(&r->config->arena, d->pieces, &d->capacity, d->n + 1, sizeof *d->pieces);
  d->pieces[d->n++] = (struct piece){text, size, reference};
}

/* The next `skip` characters are syntax, the one after them is meant as it stands. */
static void take_literal(struct reader *r, size_t skip) {
  add_piece(r, r->at + skip, 1, false);
  r->at += skip + 1;
}

static char const *read_braced(struct reader *r) {
  size_t size = name_length(r->at + 2, r->end);
  if (!size || r->at + 2 + size == r->end || r->at[2 + size] != '}')
    return "a reference is $KEY or ${KEY}; a $ itself is \\$";
  add_piece(r, r->at + 2, size, true);
  r->at += 2 + size + 1;
  return 0;
}

/* At a $: $KEY, ${KEY}, or a $ that is followed by nothing of the kind and means itself. */
static char const *read_dollar(struct reader *r) {
  char next = r->at + 1 < r->end ? r->at[1] : 0;
  size_t size = name_length(r->at + 1, r->end);
  if (next == '{') return read_braced(r);
  if (next == '(') return "commands are not run here; a $ itself is \\$";
  if (!size) {
    take_literal(r, 0);
    return 0;
  }
  add_piece(r, r->at + 1, size, true);
  r->at += 1 + size;
  return 0;
}

static char const *read_backtick(struct reader *r) {
  (void)r;
  return "commands are not run here; a ` itself is \\`";
}

static char const *read_single_quoted(struct reader *r) {
  char const *start = r->at + 1;
  char const *quote = memchr(start, '\'', (size_t)(r->end - start));
  if (!quote) return "unterminated '";
  add_piece(r, start, (size_t)(quote - start), false);
  r->at = quote + 1;
  return 0;
}

static char const *read_double_quoted(struct reader *r) {
  char const *why = 0;
  r->at++;
  while (!why) {
    if (r->at == r->end) return "unterminated \"";
    if (*r->at == '"') break;
    if (*r->at == '$')
      why = read_dollar(r);
    else if (*r->at == '`')
      why = read_backtick(r);
    else
      take_literal(r, *r->at == '\\' && r->at + 1 < r->end && strchr("$\"\\`", r->at[1]));
  }
  r->at++;
  return why;
}

static char const *read_backslash(struct reader *r) {
  if (r->at + 1 == r->end) return "a \\ at the end: a value cannot go on in the next line";
  take_literal(r, 1);
  return 0;
}

static char const *read_part(struct reader *r) {
  static struct {
    char first;
    char const *(*read)(struct reader *);
  } const parts[] = {
      {'\'', read_single_quoted}, {'"', read_double_quoted}, {'\\', read_backslash},
      {'$', read_dollar},         {'`', read_backtick},
  };
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (*r->at == parts[i].first) return parts[i].read(r);
  take_literal(r, 0);
  return 0;
}

/* Blanks outside quotes: none at the ends, one for each run between. */
static char const *read_value(struct reader *r) {
  char const *why = 0;
  bool after_blank = false, started = false;
  while (!why && r->at < r->end) {
    if (is_blank(*r->at)) {
      after_blank = true;
      r->at++;
      continue;
    }
    if (after_blank && *r->at == '#') break;
    if (after_blank && started) add_piece(r, " ", 1, false);
    after_blank = false;
    started = true;
    why = read_part(r);
  }
  return why;
}

char const *config_key_fault(char const *key, size_t size) {
  if (!size) return "no key before the =";
  if (memchr(key, '/', size)) return "a / in the key";
  if (size > KEY_MAX) return "a key of more than 200 characters";
  if (name_length(key, key + size) != size)
    return "a key is letters, digits and _, and does not begin with a digit";
  return 0;
}

/* A key, or what stands in its place, for a complaint. */
static char const *shown_key(struct config *c, char const *key, size_t size) {
  enum { SHOWN_MAX = 64 };
  return arena_copy(&c->arena, key, size < SHOWN_MAX ? size : SHOWN_MAX);
}

/* A definition of this key to be filled, or null after a complaint. */
static struct definition *begin_definition(struct config *c, struct where where, char const *key,
                                           size_t size, char const *why) {
  if (!why) why = config_key_fault(key, size);
  if (!why && c->n == DEFINITIONS_MAX) why = "more than 2000 definitions";
  if (why) {
    complain(c, where, shown_key(c, key, size), why);
    return 0;
  }
  c->definitions =
      arena_grow(&c->arena, c->definitions, &c->capacity, c->n + 1, sizeof *c->definitions);
  struct definition *d = &c->definitions[c->n];
  *d = (struct definition){.key = arena_copy(&c->arena, key, size), .where = where};
  return d;
}

static char const nul_byte[] = "a NUL byte in the line";

static void read_definition(struct config *c, struct where where, char const *at, char const *end) {
  char const *equals = memchr(at, '=', (size_t)(end - at));
  char const *key_end = equals ? equals : at;
  if (!equals)
    while (key_end < end && !is_blank(*key_end)) key_end++;
  while (key_end > at && is_blank(key_end[-1])) key_end--;
  char const *why = memchr(at, 0, (size_t)(end - at)) ? nul_byte : !equals ? "no = in the line" : 0;
  struct definition *d = begin_definition(c, where, at, (size_t)(key_end - at), why);
  if (!d) return;
  why = read_value(&(struct reader){c, d, equals + 1, end});
  if (why)
    complain(c, where, d->key, why);
  else
    c->n++;
}

/* One line off the text, without what ends it and without the blanks around it. */
struct line {
  char const *at, *end;
};

static struct line take_line(char const **next, char const *end) {
  char const *newline = memchr(*next, '\n', (size_t)(end - *next));
  struct line l = {*next, newline ? newline : end};
  *next = newline ? newline + 1 : end;
  if (l.end > l.at && l.end[-1] == '\r') l.end--; /* edited on a foreign system */
  while (l.at < l.end && is_blank(*l.at)) l.at++;
  return l;
}

/* ---- Courier's authldaprc and the like ---- */

static bool is_courier_file(char const *file) {
  char const *slash = file ? strrchr(file, '/') : 0;
  char const *name = slash ? slash + 1 : file ? file : "";
  size_t size = strlen(name);
  return size > 6 && !memcmp(name, "auth", 4) && !memcmp(name + size - 2, "rc", 2);
}

/* `key value`, with nothing between but blanks. */
static bool is_courier_line(struct line l) {
  char const *key_end = l.at + name_length(l.at, l.end);
  char const *value = key_end;
  while (value < l.end && is_blank(*value)) value++;
  return key_end > l.at && value > key_end && value < l.end && *value != '=';
}

/* Adds a line of a value; whether the value goes on behind it. */
static bool add_courier_line(struct reader *r, struct line l) {
  while (l.end > l.at && is_blank(l.end[-1])) l.end--;
  bool more = l.end > l.at && l.end[-1] == '\\';
  if (more) l.end--;
  while (l.end > l.at && is_blank(l.end[-1])) l.end--;
  if (l.at == l.end) return more;
  if (r->definition->n) add_piece(r, " ", 1, false);
  add_piece(r, l.at, (size_t)(l.end - l.at), false);
  return more;
}

/* The value is what stands there: no quotes, no references, no comments. */
static void read_courier(struct config *c, struct where *where, struct line l, char const **next,
                         char const *end) {
  size_t key_size = name_length(l.at, l.end);
  struct definition *d = begin_definition(c, *where, l.at, key_size, 0);
  struct reader r = {c, d, 0, 0};
  char const *start = l.at;
  l.at += key_size;
  while (is_blank(*l.at)) l.at++;
  if (!d) return;
  while (add_courier_line(&r, l) && *next < end) {
    l = take_line(next, end);
    where->line++;
  }
  if (memchr(start, 0, (size_t)(*next - start)))
    complain(c, d->where, d->key, nul_byte);
  else
    c->n++;
}

static void read_lines(struct config *c, char const *file, char const *at, char const *end) {
  bool courier = is_courier_file(file);
  for (struct where where = {file, 1}; at < end; where.line++) {
    struct line l = take_line(&at, end);
    if (l.at == l.end || *l.at == '#') continue;
    if (courier && is_courier_line(l))
      read_courier(c, &where, l, &at, end);
    else
      read_definition(c, where, l.at, l.end);
  }
}

/* ---- references ---- */

static bool has_key(struct definition const *d, struct piece const *name) {
  return !strncmp(d->key, name->text, name->size) && !d->key[name->size];
}

/* What a reference on d's line means: the nearest definition above, as in sh; where there is none,
 * the last one below (d itself is below); null where there is none at all. */
static struct definition *find_target(struct config *c, struct definition *d,
                                      struct piece const *name) {
  for (struct definition *above = d; above-- > c->definitions;)
    if (has_key(above, name)) return above;
  for (struct definition *below = c->definitions + c->n; below-- > d;)
    if (has_key(below, name)) return below;
  return 0;
}

/* d is being resolved and is wanted again: says by way of which keys. */
static void complain_loop(struct config *c, struct definition *d) {
  char text[600];
  size_t used = (size_t)snprintf(text, sizeof text, "reference loop: %s", d->key);
  struct definition *next = d;
  do {
    next = next->waits_for;
    used += (size_t)snprintf(text + used, sizeof text - used, " -> %s", next->key);
  } while (next != d && used < sizeof text);
  complain(c, d->where, d->key, text);
}

static bool resolve(struct config *c, struct definition *d, unsigned int depth);

/* Resolves what d refers to and adds up its size; replaces each reference by the text it means. */
static bool resolve_references(struct config *c, struct definition *d, unsigned int depth) {
  for (size_t i = 0; i < d->n; i++) {
    struct piece *piece = &d->pieces[i];
    if (piece->reference) {
      struct definition *target = find_target(c, d, piece);
      d->waits_for = target;
      if (target && !resolve(c, target, depth + 1)) return false;
      *piece = (struct piece){target ? target->value : "", target ? target->size : 0, false};
    }
    d->size += piece->size;
    if (d->size > VALUE_MAX || c->total + d->size > TOTAL_MAX) {
      complain(c, d->where, d->key,
               d->size > VALUE_MAX ? "the value is too long for a program's environment"
                                   : "all values together are too long for an environment");
      return false;
    }
  }
  return true;
}

static void join(struct config *c, struct definition *d) {
  char *to = arena_alloc(&c->arena, d->size + 1);
  d->value = to;
  for (size_t i = 0; i < d->n; i++) {
    memcpy(to, d->pieces[i].text, d->pieces[i].size);
    to += d->pieces[i].size;
  }
  *to = 0;
  c->total += d->size;
}

/* False if that failed, now or before; the complaint has been made. */
static bool resolve(struct config *c, struct definition *d, unsigned int depth) {
  if (d->progress == RESOLVED) return true;
  if (d->progress == RESOLVING) complain_loop(c, d);
  if (d->progress != UNRESOLVED) return false;
  if (depth > DEPTH_MAX) {
    complain(c, d->where, d->key, "references nested too deep");
    return false;
  }
  d->progress = RESOLVING;
  if (!resolve_references(c, d, depth)) {
    d->progress = FAILED;
    return false;
  }
  join(c, d);
  d->progress = RESOLVED;
  return true;
}

bool config_is_last(struct config const *c, struct definition const *d) {
  for (struct definition const *later = d + 1; later < c->definitions + c->n; later++)
    if (!strcmp(later->key, d->key)) return false;
  return true;
}

static noreturn void die_too_long(char const *file) {
  log_die(EXIT_REFUSED, "bad-file", "file", file, "why",
          "longer than 256 KiB: is this the right file?", (char *)0);
}

static void read_input(struct config *c) {
  static char text[FILE_SIZE_MAX + 1];
  size_t size = 0;
  while (size < sizeof text) {
    ssize_t r = io_read(0, text + size, sizeof text - size, -1);
    if (r < 0) log_die_failure(EXIT_TEMPORARY, "read", "standard input", 0);
    if (!r) break;
    size += (size_t)r;
  }
  if (size == sizeof text) die_too_long(0);
  read_lines(c, 0, text, text + size);
}

/* The text stays: values point into it. */
static void read_file(struct config *c, char const *name) {
  char *text;
  size_t size;
  if (file_read(AT_FDCWD, name, FILE_SIZE_MAX, &text, &size) < 0) {
    if (errno == EFBIG) die_too_long(name);
    log_die_failure(EXIT_TEMPORARY, "read", name, 0);
  }
  read_lines(c, name, text, text + size);
}

void config_read(struct config *c, char **files) {
  if (!*files) read_input(c);
  for (; *files; files++) read_file(c, *files);
  for (struct definition *d = c->definitions; d < c->definitions + c->n; d++) resolve(c, d, 0);
  if (c->complaints) _exit(EXIT_REFUSED);
}
