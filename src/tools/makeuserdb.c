/* makeuserdb: compiles the user database; see makeuserdb(8).  What a line may be is
 * src/auth/userdb.c's matter. */
#include "auth/auth.h"
#include "base/base.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 10 }; /* directories within one another; a guard against loops of links */

/* The text, or the texts below a directory; they live as long as the process. */
struct texts {
  struct arena arena;
  struct userdb_text *list;
  size_t count, capacity;
};

static noreturn void die_usage(void) {
  log_die(EXIT_MISUSE, "usage", "why", "makeuserdb text cdb", (char *)0);
}

/* Held until the end of the process, so that userdbpw changes nothing meanwhile. */
static void lock_text(char const *path) {
  struct stat st;
  int fd = userdb_open(path, false);
  if (fd < 0) log_die_failure(EXIT_TEMPORARY, "open and lock", path, 0);
  if (!fstat(fd, &st) && st.st_mode & (S_IRWXG | S_IRWXO))
    log_event("warning", "file", path, "why", "others can read or write the password hashes in it",
              "remedy", "chmod 600", (char *)0);
}

static void add_text(struct texts *t, char const *path) {
  char *text;
  size_t size;
  lock_text(path);
  if (file_read(AT_FDCWD, path, USERDB_TEXT_MAX, &text, &size) < 0)
    log_die_failure(EXIT_TEMPORARY, "read", path, 0);
  t->list = arena_grow(&t->arena, t->list, &t->capacity, t->count + 1, sizeof *t->list);
  t->list[t->count++] = (struct userdb_text){text, size, arena_copy(&t->arena, path, strlen(path))};
}

static bool is_directory(char const *path) {
  struct stat st;
  return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* As Courier does, passes over names that begin with a dot: its locks and what it is writing. */
static int is_visible(struct dirent const *entry) {
  return *entry->d_name != '.';
}

/* In the order of the names, so that the same directory makes the same database. */
static void add_path(struct texts *t, char const *path, unsigned int depth) {
  struct dirent **entries;
  if (!is_directory(path)) {
    add_text(t, path);
    return;
  }
  if (depth > DEPTH_MAX)
    log_die(EXIT_REFUSED, "refused", "file", path, "why", "directories nested too deep", (char *)0);
  int count = scandir(path, &entries, is_visible, alphasort);
  if (count < 0) log_die_failure(EXIT_TEMPORARY, "read", path, 0);
  for (int i = 0; i < count; i++) {
    char name[PATH_MAX];
    if (snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name) >= PATH_MAX)
      log_die(EXIT_REFUSED, "refused", "file", path, "why", "the name is too long", (char *)0);
    add_path(t, name, depth + 1);
    free(entries[i]);
  }
  free(entries);
}

int main(int argc, char **argv) {
  static struct texts texts;
  log_init("makeuserdb");
  if (argc != 3 || *argv[1] == '-') die_usage();
  char const *cdb = argv[2];
  add_path(&texts, argv[1], 0);
  char *temporary = userdb_temporary(cdb);
  if (!temporary) log_die_failure(EXIT_TEMPORARY, "build", cdb, 0);
  int built = userdb_build(texts.list, texts.count, temporary);
  if (built < 0) log_die_failure(EXIT_TEMPORARY, "write", temporary, 0);
  if (built) return EXIT_REFUSED;
  if (userdb_install(temporary, cdb) < 0) log_die_failure(EXIT_TEMPORARY, "replace", cdb, 0);
  free(temporary);
  for (size_t i = 0; i < texts.count; i++) free((char *)texts.list[i].text);
  arena_release(&texts.arena);
  return 0;
}
