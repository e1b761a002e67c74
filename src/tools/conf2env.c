/* conf2env dir < file, conf2env dir file...: makes an environment directory, as envdir reads it,
 * from files of key=value lines, as Courier's are.  Runs nothing and knows no key: what the values
 * mean is the business of the programs that find them in their environment.  The manual page
 * conf2env(8) is the specification.
 *
 * Three steps: the file is read into definitions, the references between them are resolved, and
 * only when all of it is good is the directory built, beside the old one, and exchanged with it. */
#include "base/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <skalibs/allreadwrite.h>

enum {
  FILE_SIZE_MAX = 256 * 1024,           /* Courier's files have 15 KiB, most of it comments */
  DEFINITIONS_MAX = 2000,               /* an environment has some hundred variables */
  KEY_MAX = 200,                        /* a file name; leaves room below NAME_MAX */
  VALUE_MAX = 128 * 1024 - KEY_MAX - 2, /* what Linux takes as one string in exec */
  S6_VALUE_MAX = 4095,                  /* what s6-envdir takes without -L; it cuts the rest off */
  TOTAL_MAX = 1024 * 1024,              /* half of what Linux takes in one exec */
  DEPTH_MAX = 100,       /* references to later lines that refer to later lines: stack */
  COMPLAINTS_MAX = 20,   /* then the file is probably no configuration at all */
  LOCK_WAIT_MS = 60000,  /* another conf2env on the same directory takes milliseconds */
  RETIRED_SECONDS = 10,  /* readers of the directory that was replaced have as long to finish */
  RETIRED_COUNT_MAX = 64 /* unless conf2env runs in a loop */
};

/* Part of a value: literal text, or the name of the key it refers to.  Points into the file. */
struct piece {
  char const *text;
  size_t size;
  bool reference;
};

enum progress { UNRESOLVED, RESOLVING, RESOLVED, FAILED };

struct where {
  char const *file; /* null for standard input */
  uint64_t line;
};

/* One line key=value. */
struct definition {
  char const *key;
  struct where where;
  struct piece *pieces;
  size_t n, capacity;
  enum progress progress;
  struct definition *waits_for; /* while RESOLVING: what is resolved first */
  char const *value;            /* once RESOLVED */
  size_t size;
};

struct config {
  struct arena arena;
  struct definition *definitions; /* in the order of the files */
  size_t n, capacity;
  size_t total;            /* bytes of all values */
  unsigned int complaints; /* bad lines so far */
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

/* What is wrong with a key, or null. */
static char const *key_fault(char const *key, size_t size) {
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

static void read_definition(struct config *c, struct where where, char const *at, char const *end) {
  char const *equals = memchr(at, '=', (size_t)(end - at));
  char const *key_end = equals ? equals : at;
  if (!equals)
    while (key_end < end && !is_blank(*key_end)) key_end++;
  while (key_end > at && is_blank(key_end[-1])) key_end--;
  size_t key_size = (size_t)(key_end - at);
  char const *why = memchr(at, 0, (size_t)(end - at)) ? "a NUL byte in the line"
                    : !equals                         ? "no = in the line"
                                                      : key_fault(at, key_size);
  if (!why && c->n == DEFINITIONS_MAX) why = "more than 2000 definitions";
  if (why) {
    complain(c, where, shown_key(c, at, key_size), why);
    return;
  }
  c->definitions =
      arena_grow(&c->arena, c->definitions, &c->capacity, c->n + 1, sizeof *c->definitions);
  struct definition *d = &c->definitions[c->n];
  *d = (struct definition){.key = arena_copy(&c->arena, at, key_size), .where = where};
  why = read_value(&(struct reader){c, d, equals + 1, end});
  if (why)
    complain(c, where, d->key, why);
  else
    c->n++;
}

static void read_lines(struct config *c, char const *file, char const *at, char const *end) {
  for (struct where where = {file, 1}; at < end; where.line++) {
    char const *newline = memchr(at, '\n', (size_t)(end - at));
    char const *next = newline ? newline + 1 : end;
    char const *line_end = newline ? newline : end;
    if (line_end > at && line_end[-1] == '\r') line_end--; /* edited on a foreign system */
    while (at < line_end && is_blank(*at)) at++;
    if (at < line_end && *at != '#') read_definition(c, where, at, line_end);
    at = next;
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

static bool is_last_of_its_key(struct config const *c, struct definition const *d) {
  for (struct definition const *later = d + 1; later < c->definitions + c->n; later++)
    if (!strcmp(later->key, d->key)) return false;
  return true;
}

static void warn_of_length(struct definition const *d) {
  char line[21], bytes[21];
  if (d->size <= S6_VALUE_MAX) return;
  log_event("long-value", "file", d->where.file, "line", log_number(line, d->where.line), "key",
            d->key, "bytes", log_number(bytes, d->size), "remedy",
            "s6-envdir takes 4095 bytes of it unless run with -L; envdir takes all", (char *)0);
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

static void read_config(struct config *c, char **files) {
  if (!*files) read_input(c);
  for (; *files; files++) read_file(c, *files);
  for (struct definition *d = c->definitions; d < c->definitions + c->n; d++) resolve(c, d, 0);
  if (c->complaints) _exit(EXIT_REFUSED);
}

/* ---- the directory ----
 * Beside DIR stands .DIR.conf2env, which holds the lock and generations: directories named by the
 * time they were begun.  The new one is built there and changes places with DIR; the one that was
 * replaced stays for a while, because envdir opens DIR once and then one file after the other. */

static char const lock_name[] = "lock";
static char const generation_prefix[] = "gen.";

struct place {
  char const *shown;        /* DIR as it was given, for messages */
  char name[NAME_MAX + 1];  /* its last component, symbolic links resolved */
  char work[NAME_MAX + 1];  /* .DIR.conf2env */
  char work_path[PATH_MAX]; /* the same, absolute, for messages */
  char generation[40];      /* in work */
  int parent_fd, work_fd;
};

static noreturn void die_misuse(char const *path, char const *why, char const *remedy) {
  log_die(EXIT_MISUSE, "refused", "path", path, "why", why, "remedy", remedy, (char *)0);
}

static noreturn void die_system(char const *attempt, char const *path, char const *remedy) {
  log_die_failure(EXIT_TEMPORARY, attempt, path, remedy);
}

/* Cuts the last component off an absolute path; returns it. */
static char *split_path(char *path) {
  char *slash = strrchr(path, '/');
  *slash = 0;
  return slash + 1;
}

/* The real, absolute path of DIR, which need not exist yet (its parent must). */
static void real_path(char const *dir, char real[PATH_MAX]) {
  char given[PATH_MAX];
  size_t size = strlen(dir);
  if (realpath(dir, real)) return;
  if (errno != ENOENT) die_system("resolve", dir, 0);
  while (size > 1 && dir[size - 1] == '/') size--;
  int n = snprintf(given, sizeof given, "%s%.*s", *dir == '/' ? "" : "./", (int)size, dir);
  if (n < 0 || (size_t)n >= sizeof given) die_misuse(dir, "the path is too long", 0);
  char const *name = split_path(given);
  if (!realpath(*given ? given : "/", real))
    die_system("resolve", *given ? given : "/", "create the directory that DIR shall stand in");
  size_t used = strlen(real);
  n = snprintf(real + used, PATH_MAX - used, "/%s", name);
  if (n < 0 || (size_t)n >= PATH_MAX - used) die_misuse(dir, "the path is too long", 0);
}

static void open_work(struct place *p) {
  struct stat st;
  if (mkdirat(p->parent_fd, p->work, 0700) < 0 && errno != EEXIST)
    die_system("create", p->work_path,
               "DIR is replaced as a whole: the directory it stands in must be writable");
  p->work_fd = openat(p->parent_fd, p->work, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (p->work_fd < 0 || fstat(p->work_fd, &st) < 0) die_system("open", p->work_path, 0);
  if (st.st_uid != geteuid() || st.st_mode & 022)
    die_misuse(p->work_path, "it belongs to another user or can be written by others",
               "remove it, or run conf2env as its owner");
}

static void lock_work(struct place *p) {
  int fd = openat(p->work_fd, lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) die_system("create the lock in", p->work_path, 0);
  if (lock_file(fd, LOCK_WRITE, LOCK_WAIT_MS) < 0)
    die_system("lock", p->work_path, "another conf2env holds it: see what it waits for");
}

static void open_place(struct place *p, char const *dir) {
  char path[PATH_MAX];
  p->shown = dir;
  real_path(dir, path);
  char const *name = split_path(path);
  int n = snprintf(p->work, sizeof p->work, ".%s.conf2env", name);
  if (!*name || n < 0 || (size_t)n >= sizeof p->work)
    die_misuse(dir, "no name for an environment directory", 0);
  memcpy(p->name, name, strlen(name) + 1);
  n = snprintf(p->work_path, sizeof p->work_path, "%s/%s", path, p->work);
  if (n < 0 || (size_t)n >= sizeof p->work_path) die_misuse(dir, "the path is too long", 0);
  p->parent_fd = open(*path ? path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (p->parent_fd < 0) die_system("open", *path ? path : "/", 0);
  open_work(p);
  lock_work(p);
}

/* Calls visit with the descriptor of directory dirfd/name and each entry's name but . and ..;
 * path names the directory in messages. */
static void for_each_entry(int dirfd, char const *name, char const *path,
                           void (*visit)(void *, int, char const *), void *data) {
  int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *dir = fd < 0 ? 0 : fdopendir(fd);
  struct dirent *entry;
  if (!dir) die_system("open", path, 0);
  while (errno = 0, (entry = readdir(dir)))
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      visit(data, fd, entry->d_name);
  if (errno) die_system("read", path, 0);
  closedir(dir);
}

/* What is not a variable of an environment directory must not go away with it. */
static void check_entry(void *place, int fd, char const *name) {
  struct stat st;
  if (key_fault(name, strlen(name)) || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
      !S_ISREG(st.st_mode))
    log_die(EXIT_MISUSE, "refused", "path", ((struct place *)place)->shown, "entry", name, "why",
            "this entry is no variable, so this seems to be no environment directory", "remedy",
            "name another directory, or remove the entry", (char *)0);
}

/* Whether DIR is there to be replaced. */
static bool check_old(struct place *p) {
  struct stat st;
  if (fstatat(p->parent_fd, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno != ENOENT) die_system("examine", p->shown, 0);
    return false;
  }
  if (!S_ISDIR(st.st_mode)) die_misuse(p->shown, "it is not a directory", "name another one");
  for_each_entry(p->parent_fd, p->name, p->shown, check_entry, p);
  return true;
}

static void remove_file(void *place, int fd, char const *name) {
  struct place *p = place;
  if (unlinkat(fd, name, 0) < 0 && errno != ENOENT)
    die_system("remove old values in", p->work_path, 0);
}

static void remove_generation(struct place *p, char const *name) {
  for_each_entry(p->work_fd, name, p->work_path, remove_file, p);
  if (unlinkat(p->work_fd, name, AT_REMOVEDIR) < 0)
    die_system("remove old values in", p->work_path, 0);
}

/* The generations in the working directory. */
struct generations {
  struct arena arena;
  char **names;
  size_t n, capacity;
};

static void note_generation(void *data, int fd, char const *name) {
  struct generations *g = data;
  (void)fd;
  if (strncmp(name, generation_prefix, sizeof generation_prefix - 1) != 0) return;
  g->names = arena_grow(&g->arena, g->names, &g->capacity, g->n + 1, sizeof *g->names);
  g->names[g->n++] = arena_copy(&g->arena, name, strlen(name));
}

static int compare_names(void const *a, void const *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A time in the future is from before the clock was set right. */
static bool is_past_use(char const *generation, time_t now) {
  long long begun = strtoll(generation + sizeof generation_prefix - 1, 0, 10);
  return begun < now - RETIRED_SECONDS || begun > now + RETIRED_SECONDS;
}

/* Generations replaced a while ago, and what runs that were killed have left. */
static void remove_old_generations(struct place *p) {
  struct generations g = {0};
  time_t now = time(0);
  for_each_entry(p->work_fd, ".", p->work_path, note_generation, &g);
  if (g.n) qsort(g.names, g.n, sizeof *g.names, compare_names);
  for (size_t i = 0; i < g.n; i++)
    if (is_past_use(g.names[i], now) || i + RETIRED_COUNT_MAX < g.n)
      remove_generation(p, g.names[i]);
  arena_release(&g.arena);
}

/* Returns the descriptor of the new, empty generation. */
static int create_generation(struct place *p) {
  struct timespec now;
  do {
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(p->generation, sizeof p->generation, "%s%010lld.%09ld", generation_prefix,
             (long long)now.tv_sec, now.tv_nsec);
    if (!mkdirat(p->work_fd, p->generation, 0700)) {
      int fd = openat(p->work_fd, p->generation, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (fd < 0) die_system("open a new directory in", p->work_path, 0);
      return fd;
    }
  } while (errno == EEXIST);
  die_system("create a directory in", p->work_path, 0);
}

/* The first line of the file is the value; even the empty value has its newline, for an empty file
 * means a variable to be unset. */
static int write_value(int dirfd, struct definition const *d) {
  int fd = openat(dirfd, d->key, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  bool good =
      allwrite(fd, d->value, d->size) == d->size && allwrite(fd, "\n", 1) == 1 && fsync(fd) == 0;
  int saved = errno;
  if (close(fd) < 0 && good) return -1;
  errno = saved;
  return good ? 0 : -1;
}

/* The failure is errno's; the unfinished generation does not stay. */
static noreturn void abandon(struct place *p, char const *attempt, char const *path,
                             char const *remedy) {
  log_failure(attempt, path, remedy);
  remove_generation(p, p->generation);
  _exit(EXIT_TEMPORARY);
}

static void build(struct place *p, struct config const *c) {
  int fd = create_generation(p);
  for (struct definition const *d = c->definitions; d < c->definitions + c->n; d++) {
    if (!is_last_of_its_key(c, d)) continue;
    warn_of_length(d);
    if (write_value(fd, d) < 0)
      abandon(p, "write the value of", d->key, "the old directory stays in use");
  }
  if (dir_sync(fd) < 0) abandon(p, "sync", p->shown, "the old directory stays in use");
  close(fd);
}

static void publish(struct place *p, bool replace) {
  char generation[sizeof p->work + sizeof p->generation + 1];
  snprintf(generation, sizeof generation, "%s/%s", p->work, p->generation);
  int r = replace ? dir_exchange(p->parent_fd, generation, p->name)
                  : renameat(p->parent_fd, generation, p->parent_fd, p->name);
  if (r < 0)
    abandon(p, "replace", p->shown, "the old directory stays in use; it must not be a mount point");
  if (dir_sync(p->work_fd) < 0 || dir_sync(p->parent_fd) < 0) die_system("sync", p->shown, 0);
}

int main(int argc, char **argv) {
  struct config config = {0};
  struct place place = {0};
  log_init("conf2env");
  if (argc < 2 || !*argv[1] || *argv[1] == '-')
    log_die(EXIT_MISUSE, "usage", "synopsis", "conf2env dir < file, or conf2env dir file...",
            (char *)0);
  umask(077);
  read_config(&config, argv + 2);
  open_place(&place, argv[1]);
  bool replace = check_old(&place);
  remove_old_generations(&place);
  build(&place, &config);
  publish(&place, replace);
  return 0;
}
