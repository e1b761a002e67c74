/* For tools: the folders of a tree, and becoming its owner. */
#include "maildir/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int add(struct maildir_folders *f, size_t *room, char const *name) {
  if (f->n == *room) {
    size_t more = *room ? *room * 2 : 16;
    char **grown = realloc((void *)f->names, more * sizeof *grown);
    if (!grown) return -1;
    f->names = grown;
    *room = more;
  }
  char *copy = strdup(name);
  if (!copy) return -1;
  f->names[f->n++] = copy;
  return 0;
}

static int compare(void const *a, void const *b) {
  return strcmp(*(char const *const *)a, *(char const *const *)b);
}

static int collect(DIR *d, struct maildir_folders *f) {
  struct dirent *e;
  struct stat st;
  size_t room = 0;
  if (add(f, &room, "") < 0) return -1;
  while (errno = 0, (e = readdir(d))) {
    if (e->d_name[0] != '.' || !maildir_folder_name_ok(e->d_name + 1)) continue;
    if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
      continue;
    if (add(f, &room, e->d_name + 1) < 0) return -1;
  }
  return errno ? -1 : 0;
}

int maildir_folders(int parent, struct maildir_folders *f) {
  *f = (struct maildir_folders){0};
  int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *d = fd < 0 ? 0 : fdopendir(fd);
  if (!d) {
    if (fd >= 0) close(fd);
    return -1;
  }
  int r = collect(d, f), saved = errno;
  closedir(d);
  if (r < 0)
    maildir_folders_free(f);
  else
    qsort((void *)f->names, f->n, sizeof *f->names, compare);
  errno = saved;
  return r;
}

void maildir_folders_free(struct maildir_folders *f) {
  for (size_t i = 0; i < f->n; i++) free(f->names[i]);
  free((void *)f->names);
  *f = (struct maildir_folders){0};
}

int maildir_become_owner(char const *path) {
  struct stat st;
  if (geteuid()) return 0;
  if (stat(path, &st) < 0) return -1;
  return st.st_uid ? privilege_become(st.st_uid, st.st_gid, &st.st_gid, 1) : 0;
}

int maildir_open_tree(char const *path, struct maildir_folders *folders) {
  char const *why, *remedy;
  if (maildir_become_owner(path) < 0)
    log_die_failure(EXIT_TEMPORARY, "become the owner of", path, "name a Maildir");
  int maildir = maildir_check(path, true, &why, &remedy);
  if (maildir < 0)
    log_die(EXIT_TEMPORARY, "refused", "path", path, "why", why, "remedy", remedy, (char *)0);
  if (maildir_folders(maildir, folders) < 0) log_die_failure(EXIT_TEMPORARY, "read", path, 0);
  return maildir;
}
