/* Files of ours that a test damages: kept aside by a second link, put back as they were, inode and
 * all. */
#ifndef SAVED_FILE_H
#define SAVED_FILE_H

#include "store-test.h"

struct saved_file {
  char path[400], saved[400];
  char *data; /* malloc's */
  size_t size;
};

static inline void save_file(struct saved_file *f, char const *path, int number, size_t max) {
  struct stat st;
  snprintf(f->path, sizeof f->path, "%s", path);
  must(!lstat(f->path, &st) && (size_t)st.st_size <= max, f->path);
  f->size = (size_t)st.st_size;
  f->data = malloc(f->size + 1);
  int fd = open(f->path, O_RDONLY);
  must(f->data && fd >= 0 && read(fd, f->data, f->size) == (ssize_t)f->size, f->path);
  close(fd);
  snprintf(f->saved, sizeof f->saved, "%s/saved-%d", root, number);
  must(!link(f->path, f->saved), "link");
}

/* Into the file, whatever its name leads to now. */
static inline void write_saved(struct saved_file const *f, char const *data, size_t size) {
  int fd = open(f->saved, O_WRONLY);
  must(fd >= 0 && pwrite(fd, data, size, 0) == (ssize_t)size && !ftruncate(fd, (off_t)size) &&
           !close(fd),
       "write");
}

/* Whether the name still leads to the file. */
static inline bool is_saved(struct saved_file const *f) {
  struct stat a, b;
  must(!stat(f->saved, &b), "stat");
  return !stat(f->path, &a) && a.st_ino == b.st_ino;
}

static inline void put_back(struct saved_file const *f) {
  if (!is_saved(f)) {
    unlink(f->path);
    must(!link(f->saved, f->path), "link");
  }
  write_saved(f, f->data, f->size);
}

#endif
