/* Listing the folders of a tree. */
#include "store/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct listing {
  struct store *store;
  struct arena *arena;
  struct store_list *list;
  size_t room;
  bool want_new;
};

static void add(struct listing *l, char const *name, size_t size, bool exists, bool has_new) {
  struct store_list *list = l->list;
  list->entries = arena_grow(l->arena, list->entries, &l->room, list->n + 1, sizeof *list->entries);
  list->entries[list->n++] = (struct store_folder_entry){
      .name = arena_copy(l->arena, name, size), .exists = exists, .has_new = has_new};
}

/* Whether a directory holds a file that could be a message. */
static bool has_files(int parent, char const *path) {
  struct dirent *e;
  bool found = false;
  int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *d = fd < 0 ? 0 : fdopendir(fd);
  if (!d) {
    if (fd >= 0) close(fd);
    return false;
  }
  while (!found && (e = readdir(d))) found = e->d_name[0] != '.';
  closedir(d);
  return found;
}

static void add_folder(struct listing *l, char const *name) {
  char path[MAILDIR_NAME_MAX + 8];
  struct stat st;
  if (!maildir_folder_name_ok(name)) return;
  snprintf(path, sizeof path, ".%s/cur", name);
  if (fstatat(l->store->fd, path, &st, 0) < 0 || !S_ISDIR(st.st_mode)) return;
  snprintf(path, sizeof path, ".%s/new", name);
  add(l, name, strlen(name), true, l->want_new && has_files(l->store->fd, path));
  for (char const *dot = name; (dot = strchr(dot, '.')); dot++)
    add(l, name, (size_t)(dot - name), false, false);
}

/* By name; of the same name, the one that exists first. */
static int compare(void const *a, void const *b) {
  struct store_folder_entry const *x = a, *y = b;
  int r = strcmp(x->name, y->name);
  return r ? r : (int)y->exists - (int)x->exists;
}

static void drop_repeated(struct store_list *list) {
  size_t to = 1;
  for (size_t i = 1; i < list->n; i++)
    if (strcmp(list->entries[i].name, list->entries[to - 1].name) != 0)
      list->entries[to++] = list->entries[i];
  list->n = to;
}

/* Every ancestor of an existing folder is in the list, as a level at least. */
static void mark_children(struct store_list *list) {
  for (size_t i = 0; i < list->n; i++) {
    char parent[MAILDIR_NAME_MAX + 1];
    if (!list->entries[i].exists || !*list->entries[i].name) continue;
    list->entries[0].children = true; /* INBOX */
    strcpy(parent, list->entries[i].name);
    for (char *dot; (dot = strrchr(parent, '.'));) {
      *dot = 0;
      struct store_folder_entry key = {.name = parent}, *found = 0;
      size_t low = 0, high = list->n;
      while (!found && low < high) {
        size_t middle = low + (high - low) / 2;
        int r = strcmp(key.name, list->entries[middle].name);
        if (!r) found = &list->entries[middle];
        if (r < 0)
          high = middle;
        else
          low = middle + 1;
      }
      if (found) found->children = true;
    }
  }
}

enum store_error store_list(struct store *s, bool want_new, struct arena *arena,
                            struct store_list *list) {
  struct listing l = {.store = s, .arena = arena, .list = list, .want_new = want_new};
  struct dirent *e;
  *list = (struct store_list){0};
  store_settle_tree(s);
  int fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *d = fd < 0 ? 0 : fdopendir(fd);
  if (!d) {
    if (fd >= 0) close(fd);
    return store_failure("read", s->path);
  }
  add(&l, "", 0, true, want_new && has_files(s->fd, "new"));
  while (errno = 0, (e = readdir(d)))
    if (e->d_name[0] == '.') add_folder(&l, e->d_name + 1);
  enum store_error error = errno ? store_failure("read", s->path) : STORE_OK;
  closedir(d);
  qsort(list->entries, list->n, sizeof *list->entries, compare);
  drop_repeated(list);
  mark_children(list);
  return error;
}
