/* A Maildir++ tree: opening it; creating, deleting and renaming folders. */
#include "store/inspect.h"
#include "store/network.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- opening ---- */

bool store_on_network(struct store *s, int fd, char const *path) {
  char const *kind = network_kind(fd);
  if (kind && !s->logged_network)
    log_event("network-file-system", "path", path, "kind", kind, "consequence",
              "slower: no index, no inotify; what other machines deliver is seen late", "remedy",
              "let no other machine serve it; better, keep mail on a disk of this one", (char *)0);
  s->logged_network |= kind != 0;
  return kind != 0;
}

enum store_error store_open(struct store **out, char const *path,
                            struct store_options const *options) {
  char const *why, *remedy;
  *out = 0;
  int fd = maildir_check(path, options->check_ownership, &why, &remedy);
  if (fd < 0) {
    log_event("refused", "path", path, "why", why, "remedy", remedy, (char *)0);
    return STORE_UNAVAILABLE;
  }
  struct store *s = calloc(1, sizeof *s);
  if (!s || !(s->path = strdup(path))) log_die_memory();
  s->fd = fd;
  s->options = *options;
  store_on_network(s, fd, path);
  s->area = store_open_area(s, fd); /* -1: a Maildir that can only be read */
  s->boot = store_boot();
  store_settle_tree(s);
  *out = s;
  return STORE_OK;
}

void store_close(struct store *s) {
  folder_drop_kept(s);
  if (s->area >= 0) close(s->area);
  close(s->fd);
  free(s->path);
  free(s);
}

/* ---- renaming, which a crash may interrupt ---- */

struct names {
  char **items;
  size_t n, room;
};

static void names_free(struct names *names) {
  for (size_t i = 0; i < names->n; i++) free(names->items[i]);
  free(names->items);
}

static void names_add(struct names *names, char const *name) {
  if (names->n == names->room) {
    names->room = names->room ? names->room * 2 : 16;
    if (!(names->items = realloc(names->items, names->room * sizeof *names->items)))
      log_die_memory();
  }
  if (!(names->items[names->n++] = strdup(name))) log_die_memory();
}

static DIR *open_listing(int parent, char const *name) {
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return 0;
  DIR *d = fdopendir(fd);
  if (!d) close(fd);
  return d;
}

/* The folder and all below it. */
static enum store_error collect_family(struct store *s, char const *name, struct names *family) {
  size_t size = strlen(name);
  struct dirent *e;
  DIR *d = open_listing(s->fd, ".");
  if (!d) return store_failure("read", s->path);
  while (errno = 0, (e = readdir(d)))
    if (e->d_name[0] == '.' && !strncmp(e->d_name + 1, name, size) &&
        (!e->d_name[1 + size] || e->d_name[1 + size] == '.') &&
        maildir_folder_name_ok(e->d_name + 1))
      names_add(family, e->d_name + 1);
  enum store_error error = errno ? store_failure("read", s->path) : STORE_OK;
  closedir(d);
  return error;
}

/* ".new" for a member of the family of `from`; false if that is too long. */
static bool target_name(char out[MAILDIR_NAME_MAX + 2], char const *member, char const *from,
                        char const *to) {
  int n = snprintf(out, MAILDIR_NAME_MAX + 1, ".%s%s", to, member + strlen(from));
  return n > 0 && n <= MAILDIR_NAME_MAX;
}

static enum store_error rename_family(struct store *s, struct names const *family, char const *from,
                                      char const *to) {
  for (size_t i = 0; i < family->n; i++) {
    char old[MAILDIR_NAME_MAX + 2], new[MAILDIR_NAME_MAX + 2];
    snprintf(old, sizeof old, ".%s", family->items[i]);
    if (!target_name(new, family->items[i], from, to)) return STORE_CANNOT;
    if (maildir_rename(s->fd, old, s->fd, new) < 0)
      return errno == EEXIST ? STORE_EXISTS : store_failure("rename a folder of", s->path);
  }
  return dir_sync(s->fd) < 0 ? store_failure("sync", s->path) : STORE_OK;
}

static bool exists(struct store *s, char const *name) {
  char path[MAILDIR_NAME_MAX + 2];
  struct stat st;
  snprintf(path, sizeof path, ".%s", name);
  return !fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW);
}

/* After a failure: back to what it was, as far as that goes. */
static bool undo_renaming(struct store *s, struct names const *family, char const *from,
                          char const *to) {
  bool good = true;
  for (size_t i = 0; i < family->n; i++) {
    char old[MAILDIR_NAME_MAX + 2], new[MAILDIR_NAME_MAX + 2];
    snprintf(old, sizeof old, ".%s", family->items[i]);
    if (!target_name(new, family->items[i], from, to) || exists(s, old + 1)) continue;
    if (maildir_rename(s->fd, new, s->fd, old) < 0) good = false;
  }
  return dir_sync(s->fd) == 0 && good;
}

/* Finishes what somebody who died has begun; what cannot be finished stays as it is. */
static void finish_renaming(struct store *s) {
  char *text, *to;
  size_t size;
  struct names family = {0};
  if (file_read(s->area, "renaming", 1024, &text, &size) < 0) return;
  to = strchr(text, '\n');
  if (to) *to++ = 0;
  if (to) to[strcspn(to, "\n")] = 0;
  if (to && maildir_folder_name_ok(text) && maildir_folder_name_ok(to) &&
      !collect_family(s, text, &family))
    rename_family(s, &family, text, to);
  names_free(&family);
  free(text);
  unlinkat(s->area, "renaming", 0);
}

int store_lock_tree(struct store *s, enum store_error *e) {
  if (s->area < 0) {
    errno = EACCES;
    *e = store_failure("write in " AREA " of", s->path);
    return -1;
  }
  int fd = openat(s->area, "tree.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0 || lock_file(fd, LOCK_WRITE, LOCK_TIMEOUT_MS) < 0) {
    *e = store_failure("lock the tree of", s->path);
    if (fd >= 0) close(fd);
    return -1;
  }
  finish_renaming(s);
  *e = STORE_OK;
  return fd;
}

void store_settle_tree(struct store *s) {
  enum store_error e;
  if (s->area < 0 || faccessat(s->area, "renaming", F_OK, 0) < 0) return;
  int lock = store_lock_tree(s, &e);
  if (lock >= 0) close(lock);
}

static enum store_error targets_free(struct store *s, struct names const *family, char const *from,
                                     char const *to) {
  char new[MAILDIR_NAME_MAX + 2];
  if (exists(s, to)) return STORE_EXISTS;
  for (size_t i = 0; i < family->n; i++) {
    if (!target_name(new, family->items[i], from, to)) return STORE_CANNOT;
    if (exists(s, new + 1)) return STORE_EXISTS;
  }
  return STORE_OK;
}

static enum store_error rename_durably(struct store *s, struct names const *family,
                                       char const *from, char const *to) {
  char text[2 * MAILDIR_NAME_MAX + 3];
  int n = snprintf(text, sizeof text, "%s\n%s\n", from, to);
  if (file_replace(s->area, "renaming", 0600, text, (size_t)n) < 0) {
    enum store_error e = store_failure("write " AREA "/renaming in", s->path);
    unlinkat(s->area, "renaming", 0); /* only its sync may have failed */
    return e;
  }
  enum store_error e = rename_family(s, family, from, to);
  /* What cannot be undone the next holder of the lock finishes. */
  if (!e || undo_renaming(s, family, from, to)) unlinkat(s->area, "renaming", 0);
  return e;
}

/* RFC 3501 section 6.3.5: INBOX keeps existing, its messages go, its children stay. */
static enum store_error rename_inbox(struct store *s, char const *to) {
  struct folder *inbox;
  struct arena arena = {0};
  struct set all;
  struct copied copied;
  enum store_error e = store_create(s, to);
  if (e) return e;
  /* A handle of its own: the session's view, if INBOX is selected, changes only in its syncs. */
  if ((e = folder_load(s, "", FOLDER_EXAMINE, &inbox))) return e;
  e = folder_sync(inbox, true, 0);
  set_init(&all, &arena);
  if (!e && folder_count(inbox)) {
    set_add_range(&all, 1, folder_count(inbox));
    e = folder_copy(inbox, &all, s, to, true, &arena, &copied);
  }
  folder_close(inbox);
  arena_release(&arena);
  if (e) store_delete(s, to);
  return e;
}

enum store_error store_rename(struct store *s, char const *from, char const *to) {
  struct names family = {0};
  enum store_error e;
  size_t size = strlen(from);
  if (!*to) return STORE_EXISTS;
  if (!maildir_folder_name_ok(to)) return STORE_CANNOT;
  if (!*from) return rename_inbox(s, to);
  if (!maildir_folder_name_ok(from)) return STORE_CANNOT;
  if (!strcmp(from, to)) return STORE_EXISTS;
  if (!strncmp(to, from, size) && to[size] == '.') return STORE_CANNOT; /* into itself */
  int lock = store_lock_tree(s, &e);
  if (lock < 0) return e;
  folder_drop_kept(s);
  e = collect_family(s, from, &family);
  if (!e && !family.n) e = STORE_NONEXISTENT;
  if (!e) e = targets_free(s, &family, from, to);
  if (!e) e = rename_durably(s, &family, from, to);
  names_free(&family);
  close(lock);
  return e;
}

/* ---- creating ---- */

enum store_error store_create(struct store *s, char const *name) {
  struct stat st;
  enum store_error e;
  if (!*name) return STORE_EXISTS;
  if (!maildir_folder_name_ok(name)) return STORE_CANNOT;
  if (fstat(s->fd, &st) < 0) return store_failure("stat", s->path);
  int lock = store_lock_tree(s, &e);
  if (lock < 0) return e;
  bool shared = st.st_mode & (S_ISGID | S_IWGRP);
  mode_t mode = shared ? st.st_mode & 02770 : 0777 & ~s->options.umask;
  if (maildir_create_folder(s->fd, name, mode, shared ? st.st_gid : (gid_t)-1) < 0)
    e = errno == EEXIST ? STORE_EXISTS : store_failure("create a folder in", s->path);
  close(lock);
  return e;
}

/* ---- deleting ---- */

enum { DEPTH_MAX = 8 }; /* a folder has two levels; deeper is not ours to walk */

static void remove_tree(int parent, char const *name, int depth) {
  struct dirent *e;
  DIR *d = unlinkat(parent, name, 0) < 0 && depth < DEPTH_MAX ? open_listing(parent, name) : 0;
  if (!d) return;
  while ((e = readdir(d)))
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
      remove_tree(dirfd(d), e->d_name, depth + 1);
  closedir(d);
  unlinkat(parent, name, AT_REMOVEDIR);
}

static enum store_error move_to_trash(struct store *s, char const *name) {
  char folder[MAILDIR_NAME_MAX + 2], unique[MAILDIR_NAME_MAX + 1], trash[MAILDIR_NAME_MAX + 8];
  snprintf(folder, sizeof folder, ".%s", name);
  maildir_unique(unique, sizeof unique, 0);
  snprintf(trash, sizeof trash, "trash/%s", unique);
  if (mkdirat(s->area, "trash", 0700) < 0 && errno != EEXIST)
    return store_failure("make " AREA "/trash in", s->path);
  if (renameat(s->fd, folder, s->area, trash) < 0)
    return errno == ENOENT ? STORE_NONEXISTENT : store_failure("delete a folder of", s->path);
  return dir_sync(s->fd) < 0 ? store_failure("sync", s->path) : STORE_OK;
}

enum store_error store_delete(struct store *s, char const *name) {
  enum store_error e;
  if (!*name || !maildir_folder_name_ok(name)) return STORE_CANNOT;
  int lock = store_lock_tree(s, &e);
  if (lock < 0) return e;
  folder_drop_kept(s);
  e = move_to_trash(s, name);
  close(lock);
  /* All of it: what a crash left behind, too.  Two at once do not disturb each other. */
  if (!e) remove_tree(s->area, "trash", 0);
  return e;
}

/* ---- mending ---- */

enum store_error store_mend(struct store *s) {
  enum store_error e;
  int lock = store_lock_tree(s, &e); /* finishes a RENAME */
  if (lock < 0) return e;
  close(lock);
  remove_tree(s->area, "trash", 0);
  return STORE_OK;
}
