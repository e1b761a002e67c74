/* RFC822.SIZE of messages, remembered in the file `sizes`: derived, checked when used, never
 * synced, and never missed when it is gone. */
#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  PENDING_MAX = 1024,   /* 16 KiB; then they are written */
  FLUSH_WAIT_MS = 1000, /* for the lock: it is not worth more */
};

struct size_record {
  uint32_t uid, check;
  uint64_t size;
};

static uint32_t check(struct folder const *f, uint32_t uid, uint64_t size) {
  uint64_t const data[2] = {(uint64_t)f->view.uidvalidity << 32 | uid, size};
  return (uint32_t)store_hash(5, data, sizeof data);
}

static void load(struct folder *f, int fd) {
  struct size_record records[512];
  for (off_t at = 0;;) {
    ssize_t r = pread(fd, records, sizeof records, at);
    if (r < (ssize_t)sizeof *records) return;
    size_t n = (size_t)r / sizeof *records;
    for (size_t i = 0; i < n; i++) {
      struct message *m = view_message(&f->view, records[i].uid);
      if (m && !m->size && records[i].size < UINT32_MAX &&
          records[i].check == check(f, records[i].uid, records[i].size)) {
        m->size = (uint32_t)records[i].size;
        f->unindexed_sizes++;
      }
    }
    at += (off_t)(n * sizeof *records);
  }
}

void sizes_load(struct folder *f) {
  if (f->sizes_loaded) return;
  f->sizes_loaded = true;
  int fd = openat(f->area, "sizes", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return;
  load(f, fd);
  close(fd);
}

/* Appends at a multiple of the record's size; begins anew when most of it is of no use any more. */
static void append(struct folder *f, int fd) {
  struct stat st;
  size_t size = f->n_new_sizes * sizeof *f->new_sizes;
  if (fstat(fd, &st) < 0) return;
  off_t at = st.st_size - st.st_size % (off_t)sizeof *f->new_sizes;
  if ((uint64_t)at / sizeof *f->new_sizes > 2 * (uint64_t)f->view.n + PENDING_MAX) {
    if (ftruncate(fd, 0) < 0) return;
    at = 0;
  }
  /* Short or refused: what is there does not check, and is computed again. */
  if (pwrite(fd, f->new_sizes, size, at) < 0) return;
}

void sizes_flush(struct folder *f) {
  if (!f->n_new_sizes) return;
  if (!f->frozen && !lock_file(f->lock, LOCK_WRITE, FLUSH_WAIT_MS)) {
    int fd = openat(f->area, "sizes", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd >= 0) {
      store_set_mode(fd, f->file_mode, f->group); /* not ours: then it has been set */
      append(f, fd);
      close(fd);
    }
    folder_unlock(f);
  }
  f->n_new_sizes = 0;
  free(f->new_sizes);
  f->new_sizes = 0;
}

void sizes_remember(struct folder *f, struct message *m, uint64_t size) {
  if (size >= UINT32_MAX) return;
  m->size = (uint32_t)size;
  f->unindexed_sizes++;
  if (!f->new_sizes && !(f->new_sizes = malloc(PENDING_MAX * sizeof *f->new_sizes))) return;
  f->new_sizes[f->n_new_sizes++] = (struct size_record){m->uid, check(f, m->uid, size), size};
  if (f->n_new_sizes == PENDING_MAX) sizes_flush(f);
}
