/* Whole small files: reading with a limit, replacing durably.  All of a part of a file. */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <skalibs/allreadwrite.h>
#include <skalibs/types.h>

/* O_NONBLOCK: a FIFO put there by a stranger must not stop us; it reads as empty. */
static int open_to_read(int dirfd, char const *name) {
  return openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int file_read(int dirfd, char const *name, size_t max, char **data, size_t *size) {
  size_t used = 0, room = 4096;
  char *buf = 0;
  *data = 0;
  *size = 0;
  int fd = open_to_read(dirfd, name);
  if (fd < 0) return -1;
  for (;;) {
    if (!buf || used + 1 >= room) {
      char *grown = realloc(buf, room *= 2);
      if (!grown) goto fail;
      buf = grown;
    }
    ssize_t r = read(fd, buf + used, room - used - 1);
    if (r < 0 && errno == EINTR) continue;
    if (r < 0) goto fail;
    if (!r) break;
    used += (size_t)r;
    if (used > max) {
      errno = EFBIG;
      goto fail;
    }
  }
  close(fd);
  buf[used] = 0;
  *data = buf;
  *size = used;
  return 0;
fail:;
  int saved = errno;
  close(fd);
  free(buf);
  errno = saved;
  return -1;
}

ssize_t file_read_into(int dirfd, char const *name, char *buf, size_t room) {
  size_t used = 0;
  ssize_t r;
  int fd = open_to_read(dirfd, name);
  if (fd < 0) return -1;
  do {
    r = read(fd, buf + used, room - used);
    if (r > 0) used += (size_t)r;
  } while (used < room && (r > 0 || (r < 0 && errno == EINTR)));
  if (used == room) {
    errno = EFBIG;
    r = -1;
  }
  int saved = errno;
  close(fd);
  errno = saved;
  if (r < 0) return -1;
  buf[used] = 0;
  return (ssize_t)used;
}

ssize_t file_read_at(int fd, void *data, size_t size, uint64_t offset) {
  size_t done = 0;
  while (done < size) {
    ssize_t r = pread(fd, (char *)data + done, size - done, (off_t)(offset + done));
    if (r < 0 && errno == EINTR) continue;
    if (r < 0) return -1;
    if (!r) break;
    done += (size_t)r;
  }
  return (ssize_t)done;
}

int file_write_at(int fd, void const *data, size_t size, uint64_t offset) {
  for (size_t done = 0; done < size;) {
    ssize_t r = pwrite(fd, (char const *)data + done, size - done, (off_t)(offset + done));
    if (r < 0 && errno == EINTR) continue;
    if (!r) errno = ENOSPC;
    if (r <= 0) return -1;
    done += (size_t)r;
  }
  return 0;
}

int dir_sync(int dirfd) {
  int r;
  do r = fsync(dirfd);
  while (r < 0 && errno == EINTR);
  /* Some file systems cannot sync a directory and say EINVAL: they need no sync either. */
  return r < 0 && errno != EINVAL ? -1 : 0;
}

int file_replace(int dirfd, char const *name, mode_t mode, void const *data, size_t size) {
  char temporary[300];
  int n = snprintf(temporary, sizeof temporary, "%s.%lu.tmp", name, (unsigned long)getpid());
  if (n < 0 || (size_t)n >= sizeof temporary) {
    errno = ENAMETOOLONG;
    return -1;
  }
  unlinkat(dirfd, temporary, 0);
  int fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) return -1;
  if (allwrite(fd, data, size) < size || fsync(fd) < 0) goto fail;
  if (close(fd) < 0) {
    fd = -1;
    goto fail;
  }
  fd = -1;
  if (renameat(dirfd, temporary, dirfd, name) < 0) goto fail;
  int here = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (here < 0) return -1;
  int r = dir_sync(here);
  close(here);
  return r;
fail:;
  int saved = errno;
  if (fd >= 0) close(fd);
  unlinkat(dirfd, temporary, 0);
  errno = saved;
  return -1;
}
