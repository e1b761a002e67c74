/* All entries of a directory.  Linux is asked for them here, by large pieces: musl's readdir(3)
 * asks for 2 KiB at a time, and reading a large folder takes half as long again. */
#include "maildir/maildir.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>

enum { PIECE = 32 << 10 };

/* As getdents64(2) has them. */
struct entry {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

int maildir_entries(int fd, maildir_entry *seen, void *context) {
  char *piece = malloc(PIECE);
  if (!piece) return -1;
  long n;
  while ((n = syscall(SYS_getdents64, fd, piece, PIECE)) > 0)
    for (long at = 0; at < n;) {
      struct entry const *e = (struct entry const *)(piece + at);
      seen(context, e->name, e->inode, e->type);
      at += e->size;
    }
  int saved = errno;
  free(piece);
  errno = saved;
  return n < 0 && errno != ENOENT ? -1 : 0; /* a removed one is empty, as readdir(3) has it */
}
#else
#include <dirent.h>

static unsigned int type_of(struct dirent const *e) {
#ifdef DT_UNKNOWN
  return e->d_type;
#else
  (void)e;
  return 0;
#endif
}

int maildir_entries(int fd, maildir_entry *seen, void *context) {
  int own = dup(fd);
  DIR *d = own < 0 ? 0 : fdopendir(own);
  if (!d) {
    int saved = errno;
    if (own >= 0) close(own);
    errno = saved;
    return -1;
  }
  struct dirent *e;
  while (errno = 0, (e = readdir(d))) seen(context, e->d_name, e->d_ino, type_of(e));
  int saved = errno;
  closedir(d);
  errno = saved;
  return errno ? -1 : 0;
}
#endif
