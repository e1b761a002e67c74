/* userdb(5): the text file that administrators edit, and the cdb that authuserdb reads. */
#include "auth/auth.h"
#include "base/base.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  LOCK_WAIT = 60000, /* ms: nobody holds it for longer than a compilation */
  LINE_ROOM = USERDB_NAME_MAX + 1 + USERDB_RECORD_MAX
};

/* The file is replaced by rename, so a lock is worth something only if the locked file still has
 * the name. */
int userdb_open(char const *path, bool exclusive) {
  for (;;) {
    struct stat locked, named;
    int fd = open(path, (exclusive ? O_RDWR : O_RDONLY) | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return -1;
    if (lock_file(fd, exclusive ? LOCK_WRITE : LOCK_READ, LOCK_WAIT) < 0) goto fail;
    if (fstat(fd, &locked) < 0) goto fail;
    if (!S_ISREG(locked.st_mode)) {
      errno = S_ISDIR(locked.st_mode) ? EISDIR : EINVAL;
      goto fail;
    }
    if (stat(path, &named) < 0) goto fail;
    if (locked.st_dev == named.st_dev && locked.st_ino == named.st_ino) return fd;
    close(fd);
    continue;
  fail:;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
  }
}

bool userdb_line(char const **next, char const *end, char const **line, size_t *size) {
  if (*next == end) return false;
  char const *newline = memchr(*next, '\n', (size_t)(end - *next));
  *line = *next;
  *size = (size_t)((newline ? newline : end) - *next);
  *next = newline ? newline + 1 : end;
  return true;
}

/* pw2userdb(8) of Courier writes `1000= TAB name` for lookups by uid, which nobody here does. */
static bool is_by_uid(char const *line, size_t name_size) {
  size_t digits = strspn(line, "0123456789");
  return digits && digits + 1 == name_size && line[digits] == '=';
}

static bool is_blank(char const *line) {
  return !line[strspn(line, " \t")];
}

/* What is wrong with the line, null if nothing; errno is set if the file is the problem. */
static char const *add_line(struct cdb_make *make, char const *text, size_t size) {
  char line[LINE_ROOM + 1], fields[LINE_ROOM + 1];
  errno = 0;
  if (memchr(text, 0, size)) return "a NUL";
  if (*text == '#') return 0;
  if (size > LINE_ROOM) return "the line is longer than 4256 bytes";
  memcpy(line, text, size);
  line[size] = 0;
  if (is_blank(line)) return 0;
  char *tab = strchr(line, '\t');
  if (!tab) return "no tab after the name";
  *tab = 0;
  size_t name_size = (size_t)(tab - line), fields_size = size - name_size - 1;
  if (is_by_uid(line, name_size)) return 0;
  memcpy(fields, tab + 1, fields_size + 1);
  char const *problem = userdb_check(line, fields);
  if (problem) return problem;
  int r =
      cdb_make_put(make, line, (unsigned)name_size, tab + 1, (unsigned)fields_size, CDB_PUT_INSERT);
  if (r > 0) return "this user is there already, in an earlier line";
  if (r < 0 && !errno) errno = EIO;
  return r < 0 ? "" : 0;
}

static void log_bad_line(char const *source, size_t number, char const *problem) {
  char digits[21];
  log_event("refused", "file", source, "line", log_number(digits, number), "why", problem,
            (char *)0);
}

/* Looks at every line even after a bad one, so that an administrator sees them all at once. */
static int each_line(struct cdb_make *make, struct userdb_text const *t,
                     char const *(*look)(struct cdb_make *, char const *, size_t)) {
  char const *line;
  size_t line_size, number = 0;
  int result = 0;
  for (char const *next = t->text; userdb_line(&next, t->text + t->size, &line, &line_size);) {
    char const *problem = line_size ? look(make, line, line_size) : 0;
    number++;
    if (!problem) continue;
    if (!*problem) return -1;
    log_bad_line(t->source, number, problem);
    result = 1;
  }
  return result;
}

/* Once all users are there: whom an alias names. */
static char const *check_target(struct cdb_make *make, char const *line, size_t size) {
  static char const field[] = "\talias=";
  char const *tab = memchr(line, '\t', size), *end = line + size;
  if (!tab || *line == '#' || (size_t)(end - tab) < sizeof field ||
      memcmp(tab, field, sizeof field - 1))
    return 0;
  char const *name = tab + sizeof field - 1;
  if (*(end - 1) == '|') end--;
  errno = EIO;
  int found = cdb_make_exists(make, name, (unsigned)(end - name));
  return found > 0 ? 0 : found ? "" : "an alias of nobody";
}

static int add_texts(struct cdb_make *make, struct userdb_text const *texts, size_t count) {
  int result = 0;
  for (size_t i = 0; i < count && result >= 0; i++) {
    int r = each_line(make, &texts[i], add_line);
    if (r) result = r;
  }
  for (size_t i = 0; i < count && !result; i++) {
    int r = each_line(make, &texts[i], check_target);
    if (r) result = r;
  }
  return result;
}

char *userdb_temporary(char const *cdb) {
  size_t size = strlen(cdb) + sizeof ".18446744073709551615.tmp";
  char *name = malloc(size);
  if (name) snprintf(name, size, "%s.%lu.tmp", cdb, (unsigned long)getpid());
  return name;
}

int userdb_build(struct userdb_text const *texts, size_t count, char const *cdb) {
  struct cdb_make make;
  unlink(cdb);
  int fd = open(cdb, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  int r = cdb_make_start(&make, fd);
  if (!r) {
    r = add_texts(&make, texts, count);
    int saved = errno;
    int finished = cdb_make_finish(&make); /* also gives its memory back */
    if (!r) r = finished;
    if (r < 0 && finished >= 0) errno = saved;
  }
  if (!r) r = fsync(fd);
  int saved = errno;
  close(fd);
  if (r) unlink(cdb);
  errno = saved;
  return r;
}

static int sync_directory_of(char const *path) {
  char const *slash = strrchr(path, '/');
  char *directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
  if (!directory) return -1;
  int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  free(directory);
  if (fd < 0) return -1;
  int r = dir_sync(fd);
  close(fd);
  return r;
}

int userdb_install(char const *built, char const *cdb) {
  if (rename(built, cdb) < 0) {
    int saved = errno;
    unlink(built);
    errno = saved;
    return -1;
  }
  return sync_directory_of(cdb);
}
