/* UIDVALIDITY for a new journal: never one that a folder of this Maildir has had. */
#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The highest ever given, 0 if that is not known. */
static int read_highest(int area, uint32_t *highest) {
  char *data, *end;
  size_t size;
  *highest = 0;
  if (file_read(area, "uidvalidity", 64, &data, &size) < 0) return errno == ENOENT ? 0 : -1;
  errno = 0;
  unsigned long value = strtoul(data, &end, 10);
  if (end > data && !errno && value < UINT32_MAX) *highest = (uint32_t)value;
  free(data);
  return 0;
}

static int write_highest(struct store *s, uint32_t value) {
  char text[24];
  struct stat st;
  gid_t group;
  if (fstat(s->fd, &st) < 0) return -1;
  int n = snprintf(text, sizeof text, "%lu\n", (unsigned long)value);
  return file_replace(s->area, "uidvalidity", store_file_mode(s, &st, &group), text, (size_t)n);
}

static int next(struct store *s, uint32_t *value) {
  uint32_t highest;
  if (read_highest(s->area, &highest) < 0) return -1;
  time_t now = time(0);
  *value = now > 0 && now < UINT32_MAX && (uint32_t)now > highest ? (uint32_t)now : highest + 1;
  return write_highest(s, *value);
}

static int note(struct store *s, uint32_t *value) {
  uint32_t highest;
  if (read_highest(s->area, &highest) < 0) return -1;
  return *value > highest ? write_highest(s, *value) : 0;
}

static enum store_error locked(struct store *s, uint32_t *value,
                               int (*what)(struct store *, uint32_t *), char const *attempt) {
  int fd = openat(s->area, "uidvalidity.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  int r = fd < 0 || lock_file(fd, LOCK_WRITE, LOCK_TIMEOUT_MS) < 0 ? -1 : what(s, value);
  enum store_error e = r < 0 ? store_failure(attempt, s->path) : STORE_OK;
  if (fd >= 0) close(fd);
  return e;
}

enum store_error store_next_uidvalidity(struct store *s, uint32_t *value) {
  return locked(s, value, next, "give a UIDVALIDITY in");
}

enum store_error store_note_uidvalidity(struct store *s, uint32_t value) {
  return locked(s, &value, note, "note a UIDVALIDITY in");
}
