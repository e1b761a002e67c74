/* The journal's file: header, valid and invalid records, appending, replacing.  What records mean
 * is not known here; who may write, neither. */
#include "store/folder.h"
#include "store/birth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FORMAT = 2, RECORD_HEADER = 16, RECORD_MARK = 0x4d63, CHUNK = 256 << 10 };
#define BYTE_ORDER_MARK UINT32_C(0x01020304)
/* Entries are found by offset / 8 in 32 bits. */
#define JOURNAL_SIZE_MAX (UINT64_C(8) << 32)

struct header {
  char magic[8];
  uint32_t byte_order, format, generation, uidvalidity;
  uint64_t inode, birth, zero[2], checksum;
};
_Static_assert(sizeof(struct header) == JOURNAL_HEADER, "the header has no padding");
static char const magic[8] = "chnmail\n";

struct record_header {
  uint32_t size;
  uint16_t type, mark;
  uint64_t checksum;
};
_Static_assert(sizeof(struct record_header) == RECORD_HEADER, "the header has no padding");

static uint64_t header_checksum(struct header const *h) {
  return store_hash(0, h, offsetof(struct header, checksum));
}

/* data: the record, its header included. */
static uint64_t record_checksum(uint32_t generation, uint64_t offset, char const *data,
                                size_t size) {
  uint64_t seed = store_hash((uint64_t)generation << 40 ^ offset, data, 8);
  return store_hash(seed, data + RECORD_HEADER, size - RECORD_HEADER);
}

/* ---- opening ---- */

void journal_close(struct journal *j) {
  if (j->fd >= 0) close(j->fd);
  j->fd = -1;
}

static enum journal_state judge(struct journal *j, uint32_t *uidvalidity) {
  struct header h;
  struct stat st;
  ssize_t r = file_read_at(j->fd, &h, sizeof h, 0);
  if (r < 0 || fstat(j->fd, &st) < 0) return JOURNAL_ERROR;
  j->inode = st.st_ino;
  j->end = JOURNAL_HEADER;
  if ((size_t)r < sizeof h || memcmp(h.magic, magic, sizeof magic) != 0 ||
      h.byte_order != BYTE_ORDER_MARK || h.format != FORMAT || !h.uidvalidity ||
      h.checksum != header_checksum(&h))
    return JOURNAL_INVALID;
  j->generation = h.generation;
  *uidvalidity = h.uidvalidity;
  uint64_t birth = file_birth(j->fd);
  j->moved = h.inode != st.st_ino || (h.birth && birth && h.birth != birth);
  return JOURNAL_OK;
}

enum journal_state journal_open(int area, bool writable, struct journal *j, uint32_t *uidvalidity) {
  j->fd = openat(area, "journal", (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC);
  if (j->fd < 0) return errno == ENOENT ? JOURNAL_MISSING : JOURNAL_ERROR;
  enum journal_state state = judge(j, uidvalidity);
  if (state == JOURNAL_ERROR || state == JOURNAL_INVALID) {
    int saved = errno;
    journal_close(j);
    errno = saved;
  }
  return state;
}

int journal_current(int area, struct journal const *j) {
  struct stat st;
  if (fstatat(area, "journal", &st, AT_SYMLINK_NOFOLLOW) < 0) return errno == ENOENT ? 0 : -1;
  return st.st_ino == j->inode;
}

/* ---- reading ---- */

/* A stretch of the file in memory. */
struct window {
  int fd;
  char *data;
  size_t room, size;
  uint64_t start, file_size;
  bool failed; /* something could not be read that is there, which says nothing of what it is */
};

/* Makes `size` bytes at `offset` readable; null at the end of the file or on an error. */
static char const *window_at(struct window *w, uint64_t offset, size_t size) {
  if (offset > w->file_size || size > w->file_size - offset) return 0;
  if (offset >= w->start && offset + size <= w->start + w->size)
    return w->data + (offset - w->start);
  size_t want = w->file_size - offset < CHUNK ? (size_t)(w->file_size - offset) : CHUNK;
  if (want < size) want = size;
  if (want > w->room) {
    free(w->data);
    w->size = w->room = 0;
    if (!(w->data = malloc(want))) {
      w->failed = true;
      return 0;
    }
    w->room = want;
  }
  ssize_t r = file_read_at(w->fd, w->data, want, offset);
  w->failed |= r < 0;
  w->start = offset;
  w->size = r < 0 ? 0 : (size_t)r;
  return r >= 0 && (size_t)r >= size ? w->data : 0;
}

/* The valid record at offset, or null; its header in *h. */
static char const *valid_record(struct window *w, uint32_t generation, uint64_t offset,
                                struct record_header *h) {
  char const *p = window_at(w, offset, RECORD_HEADER);
  if (!p) return 0;
  memcpy(h, p, sizeof *h);
  if (h->mark != RECORD_MARK || h->size < RECORD_HEADER || h->size % 8 || h->size > RECORD_SIZE_MAX)
    return 0;
  p = window_at(w, offset, h->size);
  if (!p || h->checksum != record_checksum(generation, offset, p, h->size)) return 0;
  return p;
}

static int window_open(struct window *w, struct journal const *j) {
  struct stat st;
  if (fstat(j->fd, &st) < 0) return -1;
  *w = (struct window){.fd = j->fd, .file_size = (uint64_t)st.st_size};
  return 0;
}

enum journal_end journal_read(struct journal *j, struct view *v, bool quiet) {
  return journal_read_to(j, v, quiet, UINT64_MAX);
}

enum journal_end journal_read_to(struct journal *j, struct view *v, bool quiet, uint64_t limit) {
  struct window w;
  struct record_header h;
  if (window_open(&w, j) < 0) return END_ERROR;
  if (w.file_size < j->end) return END_SHORT;
  if (limit < w.file_size) w.file_size = limit;
  enum journal_end end = END_CLEAN;
  while (j->end < w.file_size && end == END_CLEAN) {
    char const *p = valid_record(&w, j->generation, j->end, &h);
    if (!p || !view_apply(v, h.type, p + RECORD_HEADER, h.size - RECORD_HEADER,
                          j->end + RECORD_HEADER, quiet)) {
      end = w.failed ? END_ERROR : END_BAD;
      break;
    }
    j->end += h.size;
    if (h.type == RECORD_CONTINUED) end = END_CONTINUED;
  }
  free(w.data);
  return end;
}

/* Looks behind a bad record for a valid one: its offset, 0 if there is none.  -1 on error. */
static int resume(struct journal const *j, uint64_t *found) {
  struct window w;
  struct record_header h;
  *found = 0;
  if (window_open(&w, j) < 0) return -1;
  for (uint64_t at = j->end + 8; !*found && !w.failed && at + RECORD_HEADER <= w.file_size; at += 8)
    if (valid_record(&w, j->generation, at, &h)) *found = at;
  free(w.data);
  return w.failed ? -1 : 0;
}

static int salvage(struct journal const *j, uint64_t limit, struct view *v,
                   struct view const *known) {
  struct window w;
  if (window_open(&w, j) < 0) return -1;
  if (limit > w.file_size) limit = w.file_size;
  for (uint64_t at = j->end; at < limit;) {
    size_t size = limit - at < ENTRY_SIZE_MAX ? (size_t)(limit - at) : ENTRY_SIZE_MAX;
    char const *p = window_at(&w, at, size);
    if (!p) break;
    size_t taken = view_salvage(v, known, p, size, at);
    at += taken ? taken : 8;
  }
  free(w.data);
  return w.failed ? -1 : 0;
}

int journal_read_on(struct journal *j, struct view *v, struct view const *known, uint64_t end) {
  uint64_t at;
  for (int more = 0;; more = 1) {
    if (resume(j, &at) < 0) return -1;
    if (known && salvage(j, at ? at : end, v, known) < 0) return -1;
    if (!at) return more;
    j->end = at;
    if (journal_read(j, v, true) == END_ERROR) return -1;
  }
}

/* ---- writing ---- */

static void seal(struct records *r, uint32_t generation, uint64_t offset) {
  struct record_header h;
  for (size_t at = 0; at < r->size; at += h.size) {
    memcpy(&h, r->data + at, sizeof h);
    h.checksum = record_checksum(generation, offset + at, r->data + at, h.size);
    memcpy(r->data + at, &h, sizeof h);
  }
}

static void apply_all(struct records const *r, uint64_t offset, struct view *v, bool quiet) {
  struct record_header h;
  for (size_t at = 0; at < r->size; at += h.size) {
    memcpy(&h, r->data + at, sizeof h);
    view_apply(v, h.type, r->data + at + RECORD_HEADER, h.size - RECORD_HEADER,
               offset + at + RECORD_HEADER, quiet);
  }
}

int journal_append(struct journal *j, struct records *r, bool sync, struct view *v, bool quiet) {
  struct stat st;
  if (r->too_large || r->size > JOURNAL_SIZE_MAX - j->end) {
    errno = EFBIG;
    return -1;
  }
  seal(r, j->generation, j->end);
  if (fstat(j->fd, &st) < 0) return -1;
  if ((uint64_t)st.st_size != j->end && ftruncate(j->fd, (off_t)j->end) < 0) return -1;
  if (file_write_at(j->fd, r->data, r->size, j->end) < 0) {
    int saved = errno;
    /* If even this fails, the debris has no valid checksum, or is what we meant to write and is
     * superseded by the names. */
    if (ftruncate(j->fd, (off_t)j->end) < 0) log_failure("truncate", "journal", 0);
    errno = saved;
    return -1;
  }
  apply_all(r, j->end, v, quiet);
  j->end += r->size;
  return sync && fdatasync(j->fd) < 0 ? -2 : 0;
}

static int fill(struct journal *j, uint32_t uidvalidity, struct records *r) {
  struct stat st;
  if (fstat(j->fd, &st) < 0) return -1;
  struct header h = {.byte_order = BYTE_ORDER_MARK,
                     .format = FORMAT,
                     .generation = j->generation,
                     .uidvalidity = uidvalidity,
                     .inode = st.st_ino,
                     .birth = file_birth(j->fd)};
  memcpy(h.magic, magic, sizeof magic);
  h.checksum = header_checksum(&h);
  seal(r, j->generation, JOURNAL_HEADER);
  j->inode = st.st_ino;
  j->end = JOURNAL_HEADER + r->size;
  if (file_write_at(j->fd, &h, sizeof h, 0) < 0) return -1;
  if (file_write_at(j->fd, r->data, r->size, JOURNAL_HEADER) < 0) return -1;
  return fsync(j->fd);
}

int journal_create(int area, mode_t mode, gid_t group, uint32_t generation, uint32_t uidvalidity,
                   struct records *r, struct journal *j) {
  if (r->too_large || r->size > JOURNAL_SIZE_MAX - JOURNAL_HEADER) {
    errno = EFBIG;
    return -1;
  }
  unlinkat(area, "journal.new", 0);
  int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  *j = (struct journal){.fd = openat(area, "journal.new", flags, 0600), .generation = generation};
  if (j->fd < 0) return -1;
  if (store_set_mode(j->fd, mode, group) < 0 || fill(j, uidvalidity, r) < 0 ||
      renameat(area, "journal.new", area, "journal") < 0) {
    int saved = errno;
    unlinkat(area, "journal.new", 0);
    journal_close(j);
    errno = saved;
    return -1;
  }
  return dir_sync(area);
}
