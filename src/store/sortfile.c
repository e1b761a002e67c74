/* Files of sort keys' orders, dates and links: reading and replacing them.  What is in them is
 * sort.c's and links.c's. */
#include "store/sortfile.h"
#include "message/message.h"
#include "store/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_FILE "sort.new"

/* ---- reading ---- */

static uint64_t header_check(struct sortfile_header const *h) {
  return cache_hash(2, h, offsetof(struct sortfile_header, check));
}

static bool header_good(struct folder const *f, struct sortfile_header const *h, uint32_t kind,
                        uint64_t file_size) {
  return !memcmp(h->magic, SORTFILE_MAGIC, sizeof h->magic) && h->order == SORTFILE_ORDER &&
         h->format == SORTFILE_FORMAT && h->kind == kind && h->check == header_check(h) &&
         h->uidvalidity == folder_uidvalidity(f) && h->message == message_version() &&
         h->n <= CACHE_ENTRIES_MAX && h->size >= h->n * sizeof(struct sortfile_message) &&
         h->size == file_size - sizeof *h;
}

static bool read_file(struct folder const *f, int fd, uint32_t kind, struct sortfile *file) {
  struct sortfile_header *h = &file->header;
  struct stat st;
  if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) return false;
  if (file_read_at(fd, h, sizeof *h, 0) < (ssize_t)sizeof *h ||
      !header_good(f, h, kind, (uint64_t)st.st_size))
    return false;
  file->content = malloc(h->size + 1);
  return file->content && file_read_at(fd, file->content, h->size, sizeof *h) == (ssize_t)h->size &&
         cache_hash(kind, file->content, h->size) == h->content_check;
}

bool sortfile_load(struct folder const *f, char const *name, uint32_t kind, struct sortfile *file) {
  *file = (struct sortfile){.content = 0};
  int fd = openat(f->area, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  bool good = read_file(f, fd, kind, file);
  close(fd);
  if (good) {
    size_t messages = file->header.n * sizeof(struct sortfile_message);
    file->data = file->content + messages;
    file->size = file->header.size - messages;
  } else {
    sortfile_free(file);
  }
  return good;
}

void sortfile_free(struct sortfile *file) {
  free(file->content);
  *file = (struct sortfile){.content = 0};
}

static struct sortfile_message message_of(struct folder const *f, uint32_t seq) {
  uint32_t uid = folder_uid(f, seq);
  return (struct sortfile_message){uid, (uint32_t)cache_seed(f, uid, folder_inode(f, seq))};
}

void sortfile_cover(struct folder const *f, struct sortfile const *file, struct arena *arena,
                    struct coverage *c) {
  struct sortfile_message const *covered = (struct sortfile_message const *)file->content;
  uint32_t n = file->header.n, count = folder_count(f), i = 0;
  *c = (struct coverage){.seqs = arena_zalloc(arena, n * sizeof *c->seqs + 1),
                         .missing = arena_alloc(arena, count * sizeof *c->missing + 1)};
  for (uint32_t seq = 1; seq <= count; seq++) {
    struct sortfile_message const m = message_of(f, seq);
    while (i < n && covered[i].uid < m.uid) i++;
    if (i < n && covered[i].uid == m.uid && covered[i].mark == m.mark)
      c->seqs[i++] = seq;
    else
      c->missing[c->nmissing++] = seq;
  }
}

/* ---- writing ---- */

static uint64_t copy_in(char *content, uint64_t at, struct sortfile_piece const *piece) {
  if (piece->size) memcpy(content + at, piece->data, piece->size);
  return at + piece->size;
}

/* Header and content as they will be in the file; null without memory. */
static char *compose(struct folder const *f, struct sortfile_header *h, uint32_t const *seqs,
                     struct sortfile_piece const pieces[2]) {
  uint64_t at = sizeof *h + h->n * sizeof(struct sortfile_message);
  h->size = at - sizeof *h + pieces[0].size + pieces[1].size;
  char *all = malloc(sizeof *h + h->size);
  if (!all) return 0;
  struct sortfile_message *messages = (struct sortfile_message *)(void *)(all + sizeof *h);
  for (uint32_t i = 0; i < h->n; i++) messages[i] = message_of(f, seqs[i]);
  copy_in(all, copy_in(all, at, &pieces[0]), &pieces[1]);
  h->content_check = cache_hash(h->kind, all + sizeof *h, h->size);
  h->check = header_check(h);
  memcpy(all, h, sizeof *h);
  return all;
}

static void write_file(struct folder const *f, char const *name, char const *all, size_t size) {
  unlinkat(f->area, NEW_FILE, 0);
  int fd = folder_create_file(f, f->area, NEW_FILE);
  if (fd < 0) return;
  bool good = !file_write_at(fd, all, size, 0);
  if (close(fd) < 0 || !good || renameat(f->area, NEW_FILE, f->area, name) < 0)
    unlinkat(f->area, NEW_FILE, 0);
}

void sortfile_save(struct folder *f, char const *name, uint32_t kind, uint32_t word,
                   uint32_t const *seqs, uint32_t n, struct sortfile_piece const pieces[2]) {
  struct sortfile_header h = {.order = SORTFILE_ORDER,
                              .format = SORTFILE_FORMAT,
                              .uidvalidity = folder_uidvalidity(f),
                              .kind = kind,
                              .n = n,
                              .word = word,
                              .message = message_version()};
  memcpy(h.magic, SORTFILE_MAGIC, sizeof h.magic);
  int lock = cache_writable(f) ? cache_lock(f) : -1;
  if (lock < 0) return;
  char *all = compose(f, &h, seqs, pieces);
  if (all) write_file(f, name, all, sizeof h + h.size);
  free(all);
  close(lock);
}
