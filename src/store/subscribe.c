/* Subscriptions, in Courier's file: one IMAP name a line, replaced as a whole.  Dovecot's file is
 * read as long as it is the newer one and we have written none. */
#include "store/handover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME COURIER_SUBSCRIPTIONS
#define OURS_MARK "subscribed" /* in AREA: FILE_NAME is ours now */
enum {
  FILE_SIZE_MAX = 4 << 20, /* some 100,000 names */
  NAME_SIZE_MAX = 1000,    /* an IMAP name of a folder has at most some 270 bytes */
};

struct names {
  char const **items;
  size_t n, room;
};

static int compare(void const *a, void const *b) {
  return strcmp(*(char const *const *)a, *(char const *const *)b);
}

static void add_name(struct arena *arena, struct names *names, char const *name, size_t size) {
  if (!size || size > NAME_SIZE_MAX) return;
  names->items =
      arena_grow(arena, (void *)names->items, &names->room, names->n + 1, sizeof *names->items);
  names->items[names->n++] = arena_copy(arena, name, size);
}

static void make_unique(struct names *names) {
  if (names->n) qsort((void *)names->items, names->n, sizeof *names->items, compare);
  size_t to = 0;
  for (size_t i = 0; i < names->n; i++)
    if (!to || strcmp(names->items[i], names->items[to - 1]) != 0)
      names->items[to++] = names->items[i];
  names->n = to;
}

static bool dovecots_is_newer(struct store const *s) {
  struct stat dovecot, courier, mark;
  if (fstatat(s->area, OURS_MARK, &mark, AT_SYMLINK_NOFOLLOW) >= 0) return false;
  if (fstatat(s->fd, DOVECOT_SUBSCRIPTIONS, &dovecot, AT_SYMLINK_NOFOLLOW) < 0) return false;
  return fstatat(s->fd, FILE_NAME, &courier, AT_SYMLINK_NOFOLLOW) < 0 ||
         dovecot.st_mtim.tv_sec > courier.st_mtim.tv_sec;
}

static enum store_error read_dovecots(struct store *s, struct arena *arena, struct names *names) {
  char *text, name[SUBSCRIPTION_SIZE_MAX + 1];
  size_t size;
  int version = 0;
  if (file_read(s->fd, DOVECOT_SUBSCRIPTIONS, FILE_SIZE_MAX, &text, &size) < 0)
    return errno == ENOENT ? STORE_OK : store_failure("read " DOVECOT_SUBSCRIPTIONS " in", s->path);
  for (char const *p = text; (p = foreign_subscription(p, text + size, &version, name));)
    add_name(arena, names, name, strlen(name));
  free(text);
  make_unique(names);
  return STORE_OK;
}

static enum store_error read_names(struct store *s, struct arena *arena, struct names *names) {
  char *text;
  size_t size;
  *names = (struct names){0};
  if (dovecots_is_newer(s)) return read_dovecots(s, arena, names);
  if (file_read(s->fd, FILE_NAME, FILE_SIZE_MAX, &text, &size) < 0)
    return errno == ENOENT ? STORE_OK : store_failure("read " FILE_NAME " in", s->path);
  for (char *line = text; line < text + size;) {
    size_t length = strcspn(line, "\r\n");
    add_name(arena, names, line, length);
    line += length + 1; /* a NUL in the file ends a line, too */
  }
  free(text);
  make_unique(names);
  return STORE_OK;
}

static enum store_error write_names(struct store *s, struct arena *arena,
                                    struct names const *names) {
  struct stat st;
  gid_t group;
  size_t size = 0, at = 0;
  for (size_t i = 0; i < names->n; i++) size += strlen(names->items[i]) + 1;
  if (size > FILE_SIZE_MAX) return STORE_LIMIT;
  char *text = arena_alloc(arena, size + 1);
  for (size_t i = 0; i < names->n; i++) {
    size_t length = strlen(names->items[i]);
    memcpy(text + at, names->items[i], length);
    text[at + length] = '\n';
    at += length + 1;
  }
  if (fstat(s->fd, &st) < 0 ||
      file_replace(s->fd, FILE_NAME, store_file_mode(s, &st, &group), text, size) < 0 ||
      file_replace(s->area, OURS_MARK, store_file_mode(s, &st, &group), "", 0) < 0)
    return store_failure("replace " FILE_NAME " in", s->path);
  return STORE_OK;
}

static enum store_error change(struct store *s, char const *name, bool on, struct arena *arena) {
  struct names names;
  size_t i = 0;
  enum store_error e = read_names(s, arena, &names);
  if (e) return e;
  while (i < names.n && strcmp(names.items[i], name) != 0) i++;
  if ((i < names.n) == on) return STORE_OK;
  if (on) {
    names.items =
        arena_grow(arena, (void *)names.items, &names.room, names.n + 1, sizeof *names.items);
    names.items[names.n++] = name;
  } else
    names.items[i] = names.items[--names.n];
  return write_names(s, arena, &names);
}

static bool name_ok(char const *name) {
  size_t size = strlen(name);
  for (char const *p = name; *p; p++)
    if ((unsigned char)*p < ' ' || *p == 127) return false;
  return size && size <= NAME_SIZE_MAX;
}

enum store_error store_subscribe(struct store *s, char const *imap_name, bool on) {
  struct arena arena = {0};
  enum store_error e;
  if (!name_ok(imap_name)) return STORE_CANNOT;
  int lock = store_lock_tree(s, &e);
  if (lock < 0) return e;
  e = change(s, imap_name, on, &arena);
  close(lock);
  arena_release(&arena);
  return e;
}

enum store_error store_subscriptions(struct store *s, struct arena *arena, char const ***names,
                                     size_t *n) {
  struct names all;
  enum store_error e = read_names(s, arena, &all);
  *names = all.items;
  *n = all.n;
  return e;
}

enum store_error store_release_subscriptions(struct store *s) {
  if (unlinkat(s->area, OURS_MARK, 0) < 0 && errno != ENOENT)
    return store_failure("unlink " AREA "/" OURS_MARK " in", s->path);
  return STORE_OK;
}
