/* conf2env dir < file, conf2env dir file...: makes an environment directory, as envdir reads it,
 * from files of key=value lines, as Courier's are, or of key value lines, as Courier's others are.
 * Runs nothing and knows no key: what the values mean is the business of the programs that find
 * them in their environment.  The manual page conf2env(8) is the specification.
 *
 * Three steps: the file is read into definitions, the references between them are resolved, and
 * only when all of it is good is the directory built, beside the old one, and exchanged with it. */
#include "tools/configuration.h"

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
  S6_VALUE_MAX = 4095,   /* what s6-envdir takes without -L; it cuts the rest off */
  LOCK_WAIT_MS = 60000,  /* another conf2env on the same directory takes milliseconds */
  RETIRED_SECONDS = 10,  /* readers of the directory that was replaced have as long to finish */
  RETIRED_COUNT_MAX = 64 /* unless conf2env runs in a loop */
};

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
  if (config_key_fault(name, strlen(name)) || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
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

static void warn_of_length(struct definition const *d) {
  char line[21], bytes[21];
  if (d->size <= S6_VALUE_MAX) return;
  log_event("long-value", "file", d->where.file, "line", log_number(line, d->where.line), "key",
            d->key, "bytes", log_number(bytes, d->size), "remedy",
            "s6-envdir takes 4095 bytes of it unless run with -L; envdir takes all", (char *)0);
}

static void build(struct place *p, struct config const *c) {
  int fd = create_generation(p);
  for (struct definition const *d = c->definitions; d < c->definitions + c->n; d++) {
    if (!config_is_last(c, d)) continue;
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
  config_read(&config, argv + 2);
  open_place(&place, argv[1]);
  bool replace = check_old(&place);
  remove_old_generations(&place);
  build(&place, &config);
  publish(&place, replace);
  return 0;
}
