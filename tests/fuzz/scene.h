/* A Maildir as it was: every file of it is remembered, and put back as the same file (inode), so
 * that what is not changed on purpose is known to the store. */
#ifndef FUZZ_SCENE_H
#define FUZZ_SCENE_H

#include "maildir.h"

enum { SCENE_FILES_MAX = 64 };

struct scene_file {
  char path[120]; /* below M */
  char *data;
  size_t size;
  ino_t inode;
};
static struct scene_file scene[SCENE_FILES_MAX];
static size_t scene_size;

static inline char const *scene_place(char const *path) {
  char place[160];
  must(snprintf(place, sizeof place, "M/%s", path) < (int)sizeof place);
  return maildir_path(place);
}

/* Where its second name is. */
static inline char const *scene_second(struct scene_file const *f) {
  char name[20];
  snprintf(name, sizeof name, "S/%zu", (size_t)(f - scene));
  return maildir_path(name);
}

static inline struct scene_file *scene_find(char const *path) {
  for (size_t i = 0; i < scene_size; i++)
    if (!strcmp(scene[i].path, path)) return &scene[i];
  return 0;
}

static inline void scene_add(char const *path) {
  struct scene_file *f = &scene[scene_size++];
  struct stat st;
  must(scene_size <= SCENE_FILES_MAX && strlen(path) < sizeof f->path);
  strcpy(f->path, path);
  must(!file_read(AT_FDCWD, scene_place(path), 1 << 20, &f->data, &f->size));
  must(!stat(scene_place(path), &st) && !link(scene_place(path), scene_second(f)));
  f->inode = st.st_ino;
}

/* What stands there that does not belong there goes; directories stay. */
static inline void scene_remove_strange(char const *path, struct stat const *st) {
  struct scene_file const *f = scene_find(path);
  if (!S_ISDIR(st->st_mode) && (!f || f->inode != st->st_ino)) unlink(scene_place(path));
}

static inline void scene_save_one(char const *path, struct stat const *st) {
  if (S_ISREG(st->st_mode)) scene_add(path);
}

static inline void scene_walk(char const *path, void (*visit)(char const *, struct stat const *)) {
  DIR *d = opendir(scene_place(path));
  must(d);
  for (struct dirent *e; (e = readdir(d));) {
    char below[120];
    struct stat st;
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    int n = snprintf(below, sizeof below, "%s%s%s", path, *path ? "/" : "", e->d_name);
    must(n > 0 && (size_t)n < sizeof below && !lstat(scene_place(below), &st));
    visit(below, &st);
    if (S_ISDIR(st.st_mode)) scene_walk(below, visit);
  }
  closedir(d);
}

static inline void scene_save(void) {
  must(!mkdir(maildir_path("S"), 0700));
  scene_walk("", scene_save_one);
}

static inline void scene_write(struct scene_file const *f, char const *data, size_t size) {
  int fd = open(scene_place(f->path), O_WRONLY | O_CLOEXEC);
  must(fd >= 0 && pwrite(fd, data, size, 0) == (ssize_t)size && !ftruncate(fd, (off_t)size));
  close(fd);
}

/* Messages are nobody's to write to: only our own files are written again. */
static inline void scene_restore(void) {
  scene_walk("", scene_remove_strange);
  for (size_t i = 0; i < scene_size; i++) {
    struct stat st;
    if (stat(scene_place(scene[i].path), &st))
      must(!link(scene_second(&scene[i]), scene_place(scene[i].path)));
    if (strstr(scene[i].path, "chainmail/")) scene_write(&scene[i], scene[i].data, scene[i].size);
  }
}

#endif
