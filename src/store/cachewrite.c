/* Adding to the cache, sorting its directory, rewriting it.  Under a lock of its own, which only
 * writers take; readers know by checksums what they may use. */
#include "message/message.h"
#include "store/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  LOCK_WAIT_MS = 1000,        /* somebody rewrites it: what we have found out is not worth more */
  ENTRIES_SENSIBLE = 1 << 16, /* beyond the folder's; it is not sorted in memory when it has more */
  SPARE_ENTRIES = 1024,       /* below, rewriting saves nothing */
  LATE_RUN = 40,              /* entries written at once: four KiB */
};

#define NEW_FILE "cache.new"

/* ---- files ---- */

static char const *file_name(uint32_t column) {
  return column == CACHE_COLUMNS ? CACHE_DIRECTORY : cache_column_names[column];
}

static int open_for_writing(struct folder const *f, uint32_t column) {
  return openat(f->area, file_name(column), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

/* A new file under a name that nobody reads yet. */
static int create_file(struct folder const *f, struct cache_header *h, uint32_t column) {
  unlinkat(f->area, NEW_FILE, 0);
  int fd = folder_create_file(f, f->area, NEW_FILE);
  h->column = column;
  cache_seal_header(h);
  if (fd < 0 || !file_write_at(fd, h, sizeof *h, 0)) return fd;
  close(fd);
  unlinkat(f->area, NEW_FILE, 0);
  return -1;
}

static void discard_file(struct folder const *f, int fd) {
  close(fd);
  unlinkat(f->area, NEW_FILE, 0);
}

/* Closes it and gives it the name. */
static bool publish_file(struct folder const *f, int fd, uint32_t column) {
  return !close(fd) && !renameat(f->area, NEW_FILE, f->area, file_name(column));
}

static struct cache_header new_header(struct folder const *f) {
  struct cache_header h = {.order = CACHE_ORDER,
                           .format = CACHE_FORMAT,
                           .generation = batch_new(),
                           .uidvalidity = folder_uidvalidity(f),
                           .message = message_version()};
  memcpy(h.magic, CACHE_MAGIC, sizeof h.magic);
  return h;
}

static bool write_directory(struct folder const *f, struct cache_header *h,
                            struct cache_entry const *entries, uint32_t n) {
  h->sorted = n;
  int fd = create_file(f, h, CACHE_COLUMNS);
  if (fd < 0) return false;
  if (!file_write_at(fd, entries, n * sizeof *entries, sizeof *h))
    return publish_file(f, fd, CACHE_COLUMNS);
  discard_file(f, fd);
  return false;
}

/* ---- rewriting ---- */

/* A column being written. */
struct copying {
  int fd;
  uint64_t at; /* in the file, of what is in data */
  size_t size;
  char data[CACHE_WINDOW];
};

static bool copy_out(struct copying *to, void const *data, size_t size) {
  if (size > sizeof to->data - to->size) {
    if (file_write_at(to->fd, to->data, to->size, to->at)) return false;
    to->at += to->size;
    to->size = 0;
  }
  memcpy(to->data + to->size, data, size);
  to->size += size;
  return true;
}

/* One record as it stands; one that is damaged becomes unknown. */
static bool copy_record(struct cache_window *from, struct copying *to, struct cache_entry *e,
                        uint32_t column) {
  struct cache_record r;
  uint64_t offset = 8 * (uint64_t)e->at[column];
  if (e->at[column] < PENDING_BASE) return true;
  e->at[column] = CACHE_AT_UNKNOWN;
  char const *p = cache_window_at(from, offset, sizeof r);
  if (!p) return true;
  memcpy(&r, p, sizeof r);
  if (r.uid != e->uid || r.size > CACHE_VALUE_MAX) return true;
  size_t size = sizeof r + ((r.size + 7) & ~(size_t)7);
  if (!(p = cache_window_at(from, offset, size))) return true;
  uint64_t at = (to->at + to->size) / 8;
  if (at > UINT32_MAX) return false;
  e->at[column] = (uint32_t)at;
  return copy_out(to, p, size);
}

static bool copy_column(struct folder const *f, struct cache *c, struct cache_header *h,
                        struct cache_entry *entries, uint32_t n, uint32_t column) {
  struct copying *to = malloc(sizeof *to);
  if (!to) return false;
  to->fd = create_file(f, h, column);
  to->at = sizeof *h;
  to->size = 0;
  bool good = to->fd >= 0;
  for (uint32_t i = 0; i < n && good; i++)
    good = copy_record(&c->columns[column], to, &entries[i], column);
  good = good && !file_write_at(to->fd, to->data, to->size, to->at);
  if (good)
    good = publish_file(f, to->fd, column);
  else if (to->fd >= 0)
    discard_file(f, to->fd);
  free(to);
  return good;
}

/* Its sequence number, 0 if there is no such message any more. */
static uint32_t seq_of(struct folder const *f, uint32_t uid) {
  uint32_t seq = folder_seq(f, uid);
  return seq <= folder_count(f) && folder_uid(f, seq) == uid ? seq : 0;
}

/* The entries of messages that there are; null if there is no memory or the directory is nonsense.
 */
static struct cache_entry *live_entries(struct folder const *f, struct cache const *c,
                                        uint32_t *n) {
  size_t size = c->n * sizeof(struct cache_entry);
  struct cache_entry *e = c->n ? malloc(size) : 0;
  if (!e || file_read_at(c->directory.fd, e, size, cache_entry_offset(0)) < (ssize_t)size) {
    free(e);
    return 0;
  }
  uint32_t sorted = cache_sort(e, c->n), to = 0;
  for (uint32_t i = 0; i < sorted; i++) {
    uint32_t seq = seq_of(f, e[i].uid);
    if (!seq || !cache_entry_good(f, &e[i], folder_inode(f, seq))) continue;
    e[to] = e[i];
    e[to++].place = 0;
  }
  *n = to;
  return e;
}

static bool write_all(struct folder const *f, struct cache *c, struct cache_entry *entries,
                      uint32_t n) {
  struct cache_header h = new_header(f);
  for (uint32_t i = 0; i < CACHE_COLUMNS; i++)
    if (!copy_column(f, c, &h, entries, n, i)) return false;
  for (uint32_t i = 0; i < n; i++) /* offsets have changed */
    cache_seal_entry(f, &entries[i], folder_inode(f, seq_of(f, entries[i].uid)));
  return write_directory(f, &h, entries, n);
}

static bool begin_anew(struct folder *f, struct cache *c) {
  cache_forget(c);
  return write_all(f, c, 0, 0);
}

/* columns: their garbage goes, too. */
static bool rewrite(struct folder *f, struct cache *c, bool columns) {
  uint32_t n, before = c->n;
  bool sensible = before <= 4 * (uint64_t)folder_count(f) + ENTRIES_SENSIBLE;
  struct cache_entry *entries = sensible ? live_entries(f, c, &n) : 0;
  if (!entries) return begin_anew(f, c);
  bool good;
  if (columns) {
    good = write_all(f, c, entries, n);
  } else {
    struct cache_header h = c->header;
    h.dropped += before - n;
    good = write_directory(f, &h, entries, n);
  }
  free(entries);
  return good;
}

/* ---- adding ---- */

/* The end of a column, where the next record goes. */
static bool append_values(struct folder const *f, struct cache_pending *p, uint32_t column) {
  struct stat st;
  if (!p->values[column].len) return true;
  int fd = open_for_writing(f, column);
  if (fd < 0) return false;
  uint64_t at = fstat(fd, &st) < 0 ? 0 : ((uint64_t)st.st_size + 7) & ~UINT64_C(7);
  bool good = at >= sizeof(struct cache_header) && (at + p->values[column].len) / 8 < UINT32_MAX &&
              !file_write_at(fd, p->values[column].s, p->values[column].len, at);
  close(fd);
  for (uint32_t i = 0; i < p->n; i++) {
    uint32_t *entry_at = &p->entries[i].entry.at[column];
    if (*entry_at >= PENDING_BASE) *entry_at += (uint32_t)(at / 8) - PENDING_BASE;
  }
  return good;
}

/* Whether what is added goes on where the part in order ends. */
static bool goes_on(struct cache const *c, struct cache_entry const *e, uint32_t n) {
  struct cache_entry last = {0};
  if (c->header.sorted != c->n) return false;
  if (c->n && file_read_at(c->directory.fd, &last, sizeof last, cache_entry_offset(c->n - 1)) <
                  (ssize_t)sizeof last)
    return false;
  for (uint32_t i = 0, uid = last.uid; i < n; uid = e[i++].uid)
    if (e[i].uid <= uid) return false;
  return true;
}

static bool append_entries(struct folder const *f, struct cache const *c, struct cache_pending *p) {
  uint32_t n = 0;
  struct cache_entry *e = malloc(p->n * sizeof *e);
  int fd = e ? open_for_writing(f, CACHE_COLUMNS) : -1;
  if (fd < 0) {
    free(e);
    return false;
  }
  for (uint32_t i = 0; i < p->n; i++) {
    if (p->entries[i].late) continue;
    e[n] = p->entries[i].entry;
    cache_seal_entry(f, &e[n++], p->entries[i].inode);
  }
  bool good = !file_write_at(fd, e, n * sizeof *e, cache_entry_offset(c->n));
  uint32_t sorted = c->n + n;
  if (good && goes_on(c, e, n))
    good = !file_write_at(fd, &sorted, sizeof sorted, offsetof(struct cache_header, sorted));
  close(fd);
  free(e);
  return good;
}

/* ---- late columns ---- */

/* Entries that stand one behind the other, with late columns that were not known. */
struct late_run {
  int fd;
  uint32_t n, wasted; /* values that are not needed after all */
  struct cache_entry entries[LATE_RUN];
};

/* Over the entries as they stand: of what a reader sees before or after only the offsets of late
 * columns differ, and these it believes only if the record there is the message's. */
static bool write_run(struct late_run *r) {
  uint32_t first = r->entries[0].place, n = r->n;
  for (uint32_t i = 0; i < n; i++) r->entries[i].place = 0;
  r->n = 0;
  return !n || !file_write_at(r->fd, r->entries, n * sizeof *r->entries, cache_entry_offset(first));
}

static bool add_to_run(struct late_run *r, struct cache_entry const *e) {
  bool goes_on = r->n < LATE_RUN && r->n && e->place == r->entries[0].place + r->n;
  if (!goes_on && !write_run(r)) return false;
  r->entries[r->n++] = *e;
  return true;
}

static bool add_late_columns(struct folder *f, struct cache *c, struct cache_new const *new,
                             struct late_run *r) {
  struct cache_value v;
  uint32_t seq = seq_of(f, new->entry.uid);
  struct cache_entry const *found = seq ? cache_find(f, c, seq) : 0;
  struct cache_entry e;
  bool changed = false;
  if (found) e = *found;
  for (unsigned int k = CACHE_LATE; k < CACHE_COLUMNS; k++) {
    if (new->entry.at[k] == CACHE_AT_UNKNOWN) continue;
    r->wasted += !found || e.at[k] != CACHE_AT_UNKNOWN;
    if (!found || cache_get_record(f, c, seq, &e, (enum cache_column)k, &v) != CACHE_UNKNOWN)
      continue;
    e.at[k] = new->entry.at[k];
    changed = true;
  }
  return !changed || add_to_run(r, &e);
}

static bool write_late_columns(struct folder *f, struct cache *c) {
  struct cache_pending const *p = &c->pending;
  struct late_run r = {.fd = open_for_writing(f, CACHE_COLUMNS)};
  bool good = true;
  if (r.fd < 0) return false;
  for (uint32_t i = 0; i < p->n && good; i++)
    if (p->entries[i].late) good = add_late_columns(f, c, &p->entries[i], &r);
  good = good && write_run(&r);
  uint32_t dropped = c->header.dropped + r.wasted;
  if (good && r.wasted)
    good = !file_write_at(r.fd, &dropped, sizeof dropped, offsetof(struct cache_header, dropped));
  close(r.fd);
  c->stale = true;
  return good;
}

static bool is_whole(struct cache const *c) {
  for (size_t i = 0; i < CACHE_COLUMNS; i++)
    if (c->columns[i].fd < 0) return false;
  return c->inode;
}

/* Half of it is garbage, or more. */
static bool wants_rewriting(struct folder const *f, struct cache const *c) {
  return (uint64_t)c->n + c->header.dropped > 2 * (uint64_t)folder_count(f) + SPARE_ENTRIES;
}

static bool tidy(struct folder *f, struct cache *c) {
  cache_refresh(f, c);
  if (wants_rewriting(f, c)) return rewrite(f, c, true);
  return c->n - c->header.sorted <= CACHE_TAIL_MAX || rewrite(f, c, false);
}

/* Under the lock. */
static bool write_pending(struct folder *f, struct cache *c) {
  c->stale = true; /* others may have written late columns, which no size tells */
  cache_refresh(f, c);
  if (!is_whole(c)) {
    if (!begin_anew(f, c)) return false;
    cache_refresh(f, c);
    if (!is_whole(c)) return false;
  }
  for (uint32_t i = 0; i < CACHE_COLUMNS; i++)
    if (!append_values(f, &c->pending, i)) return false;
  return append_entries(f, c, &c->pending) && write_late_columns(f, c) && tidy(f, c);
}

int cache_lock(struct folder const *f) {
  int fd = openat(f->area, "cache.lock", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) {
    fd =
        openat(f->area, "cache.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd >= 0) store_set_mode(fd, f->file_mode, f->group); /* else somebody else has set it */
  }
  if (fd < 0 || !lock_file(fd, LOCK_WRITE, LOCK_WAIT_MS)) return fd;
  close(fd);
  return -1;
}

static bool flush(struct folder *f, struct cache *c) {
  if (c->uidvalidity != folder_uidvalidity(f)) return true; /* there are no such messages now */
  int lock = cache_lock(f);
  bool good = lock >= 0 && write_pending(f, c);
  if (lock >= 0) close(lock);
  return good;
}

void cache_flush(struct folder *f) {
  struct cache *c = f->cache;
  if (!c || !c->pending.n) return;
  if (!flush(f, c)) c->unwritable = true;
  for (size_t i = 0; i < CACHE_COLUMNS; i++) c->pending.values[i].len = 0;
  c->pending.n = c->pending.highest = 0;
  c->pending.bytes = 0;
  c->found_uid = 0;
}
