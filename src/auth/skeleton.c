/* Copying what a new home directory begins with, as its owner.  Nothing is ever followed out of the
 * two trees, and nothing replaced. */
#include "auth/skeleton.h"
#include "base/base.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  DEPTH_MAX = 16, /* directories in each other: a Maildir has two */
  PERMISSIONS = 0777,
  DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
};

static bool is_dots(char const *name) {
  return !strcmp(name, ".") || !strcmp(name, "..");
}

/* Keeps errno, for what comes before it and has failed. */
static void close_quietly(int fd) {
  int saved = errno;
  if (fd >= 0) close(fd);
  errno = saved;
}

static int copy_bytes(int in, int out) {
  char buffer[64 << 10];
  for (;;) {
    ssize_t n = io_read(in, buffer, sizeof buffer, -1);
    if (n <= 0) return (int)n;
    if (io_write_all(out, buffer, (size_t)n, -1) < 0) return -1;
  }
}

static int copy_file(int from, int to, char const *name, mode_t mode) {
  int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  int out = in < 0 ? -1 : openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  int r = out < 0 ? -1 : copy_bytes(in, out);
  if (out >= 0 && close(out) < 0) r = -1;
  close_quietly(in);
  return r;
}

static int copy_link(int from, int to, char const *name) {
  char target[PATH_MAX];
  ssize_t size = readlinkat(from, name, target, sizeof target - 1);
  if (size < 0) return -1;
  target[size] = 0;
  return symlinkat(target, to, name);
}

static int copy_tree(int from, int to, int depth);

static int copy_directory(int from, int to, char const *name, mode_t mode, int depth) {
  if (mkdirat(to, name, S_IRWXU) < 0) return -1;
  int in = openat(from, name, DIRECTORY_FLAGS);
  int out = in < 0 ? -1 : openat(to, name, DIRECTORY_FLAGS);
  int r = out < 0 ? -1 : copy_tree(in, out, depth + 1);
  if (!r) r = fchmod(out, mode);
  close_quietly(in);
  close_quietly(out);
  return r;
}

static int copy_entry(int from, int to, char const *name, int depth) {
  struct stat st;
  if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return -1;
  mode_t mode = st.st_mode & PERMISSIONS;
  if (S_ISDIR(st.st_mode)) return copy_directory(from, to, name, mode, depth);
  if (S_ISLNK(st.st_mode)) return copy_link(from, to, name);
  return S_ISREG(st.st_mode) ? copy_file(from, to, name, mode) : 0;
}

/* Calls act for each entry but the dots until it fails. */
static int for_each(int directory, int (*act)(int, int, char const *, int), int to, int depth) {
  struct dirent *entry;
  int r = 0, copy = openat(directory, ".", DIRECTORY_FLAGS); /* closedir will close it */
  DIR *d = copy < 0 ? 0 : fdopendir(copy);
  if (!d) close_quietly(copy);
  if (!d) return -1;
  while (!r && (errno = 0, entry = readdir(d)))
    if (!is_dots(entry->d_name)) r = act(directory, to, entry->d_name, depth);
  if (!r && errno) r = -1;
  int saved = errno;
  closedir(d);
  errno = saved;
  return r;
}

static int copy_tree(int from, int to, int depth) {
  if (depth > DEPTH_MAX) {
    errno = ELOOP;
    return -1;
  }
  return for_each(from, copy_entry, to, depth);
}

int skeleton_copy(char const *path, int to) {
  int from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (from < 0) return -1;
  int r = copy_tree(from, to, 0);
  close_quietly(from);
  return r;
}

/* What cannot be removed stays. */
static int remove_entry(int from, int unused, char const *name, int depth) {
  (void)unused;
  if (!unlinkat(from, name, 0) || depth > DEPTH_MAX) return 0;
  int directory = openat(from, name, DIRECTORY_FLAGS);
  if (directory < 0) return 0;
  fchmod(directory, S_IRWXU);
  for_each(directory, remove_entry, -1, depth + 1);
  close(directory);
  unlinkat(from, name, AT_REMOVEDIR);
  return 0;
}

void skeleton_remove(int directory) {
  for_each(directory, remove_entry, -1, 0);
}
