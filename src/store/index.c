/* The index: the messages of a folder as they were when the journal had come to a certain offset,
 * in a file that sessions map instead of reading the journal from its beginning.  Derived, never
 * synced, checked in every part before it is used (doc/store.md, "The index"). */
#include "store/folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  FORMAT = 2,
  HEAD_MAX = 16 << 20,     /* keywords and their sets; a folder that needs more goes without */
  TAIL = 64,               /* bytes of the journal before the offset: are they still the same? */
  RENEW_MINIMUM = 8 << 10, /* of journal: read in some tens of microseconds */
  RENEW_EACH = 1, /* and for each message: following that costs a fraction of what writing does */
  PIECE_COST = 1536, /* a page that is no longer shared counts as so much journal */
  RENEW_WAIT_MS = 0, /* for the lock: it is not worth any; the next one does it */
  MESSAGES_MAX = 1 << 26,
};
#define BYTE_ORDER_MARK UINT32_C(0x01020304)

struct index_header {
  char magic[8];
  uint32_t byte_order, format, header_size, message_size;
  uint64_t checksum; /* of all before `data`, this being zero */
  uint64_t head_size, data;
  uint32_t uidvalidity, generation;
  uint64_t journal, end, tail;
  uint32_t uidnext, ceiling, recent, n;
  uint64_t modseq, boot, ncommitted;
  uint32_t nkeywords, nsets;
  uint32_t unseen, deleted, in_new, unseen_from, new_from, zero;
  uint64_t committed[COMMITTED_BATCHES];
  struct maildir_stamp seen[2];
};
static char const magic[8] = "chnindx\n";

/* What lies before the messages. */
struct head {
  char *data;
  struct index_header h; /* the first of it */
};

static uint64_t page_size(void) {
  return (uint64_t)sysconf(_SC_PAGESIZE);
}

static size_t sums_size(uint32_t n) {
  return ((size_t)n / BLOCK_MESSAGES + (n % BLOCK_MESSAGES != 0)) * sizeof(uint64_t);
}

/* The end of the journal before `end`: a journal that somebody has put back and that has grown
 * since has other records there. */
static int journal_tail(int fd, uint64_t end, uint64_t *tail) {
  char bytes[TAIL];
  if (end < TAIL || file_read_at(fd, bytes, TAIL, end - TAIL) != TAIL) return -1;
  *tail = store_hash(8, bytes, TAIL);
  return 0;
}

/* ---- reading ---- */

/* Whose file it is: ours, or that of a member of a shared folder. */
static bool is_trusted(struct folder const *f, struct stat const *st) {
  struct stat area;
  if (!S_ISREG(st->st_mode) || st->st_mode & S_IWOTH) return false;
  return st->st_uid == geteuid() || (!fstat(f->area, &area) && st->st_uid == area.st_uid) ||
         (f->group != (gid_t)-1 && st->st_gid == f->group);
}

static int open_index(struct folder const *f, struct stat *st) {
  int fd = openat(f->area, "index", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return -1;
  if (!fstat(fd, st) && is_trusted(f, st)) return fd;
  close(fd);
  return -1;
}

/* Whether the header can be one; a file cut short has another size. */
static bool is_whole(struct index_header const *h, struct stat const *st) {
  return !memcmp(h->magic, magic, sizeof magic) && h->n <= MESSAGES_MAX &&
         h->head_size >= sizeof *h && h->head_size <= HEAD_MAX && h->data >= h->head_size &&
         h->data <= 2 * (uint64_t)HEAD_MAX &&
         (uint64_t)st->st_size == h->data + (uint64_t)h->n * sizeof(struct message);
}

/* Whether it is of this journal and this program; no more than the header is known to be there. */
static bool fits(struct index_header const *h, struct journal const *j, uint32_t uidvalidity,
                 struct stat const *st) {
  return is_whole(h, st) && h->byte_order == BYTE_ORDER_MARK && h->format == FORMAT &&
         h->header_size == sizeof *h && h->message_size == sizeof(struct message) &&
         h->uidvalidity == uidvalidity && h->generation == j->generation &&
         h->journal == j->inode && h->data % page_size() == 0 && h->nkeywords <= KEYWORDS_MAX &&
         h->nsets;
}

static bool read_header(int fd, struct index_header *h) {
  return file_read_at(fd, h, sizeof *h, 0) == (ssize_t)sizeof *h;
}

static bool read_head(int fd, struct head *head) {
  size_t size = (size_t)head->h.head_size;
  if (!(head->data = malloc(size))) return false;
  if (file_read_at(fd, head->data, size, 0) != (ssize_t)size) return false;
  memset(head->data + offsetof(struct index_header, checksum), 0, sizeof head->h.checksum);
  return store_hash(6, head->data, size) == head->h.checksum;
}

static bool take_keywords(struct cursor *c, struct view *v, uint32_t n) {
  v->keywords = calloc((size_t)n + 1, sizeof *v->keywords);
  if (!v->keywords) return false;
  for (; v->nkeywords < n; v->nkeywords++) {
    uint32_t size = take_u32(c);
    char const *name = take_bytes(c, size);
    if (!name || !keyword_valid(name, size)) return false;
    if (!(v->keywords[v->nkeywords] = strndup(name, size))) return false;
  }
  take_bytes(c, -(uintptr_t)c->at & 7);
  return !c->bad;
}

static bool take_sets(struct cursor *c, struct view *v, uint32_t n) {
  struct keyword_set set;
  for (uint32_t i = 0; i < n; i++) {
    char const *p = take_bytes(c, sizeof set);
    if (!p) return false;
    memcpy(&set, p, sizeof set);
    if (view_keyword_set(v, &set) != i) return false; /* all are different, the first is empty */
  }
  return true;
}

static void take_scalars(struct view *v, struct index_header const *h) {
  v->uidnext = h->uidnext;
  v->ceiling = h->ceiling;
  v->recent = h->recent;
  v->modseq = h->modseq;
  v->boot = h->boot;
  v->unseen = h->unseen;
  v->deleted = h->deleted;
  v->in_new = h->in_new;
  v->unseen_from = h->unseen_from;
  v->new_from = h->new_from;
  v->ncommitted = (size_t)h->ncommitted;
  memcpy(v->committed, h->committed, sizeof v->committed);
  memcpy(v->seen, h->seen, sizeof v->seen);
}

static void attach(struct folder *f, struct view *v, struct mapping *m, struct journal const *j,
                   uint64_t end) {
  m->view = v;
  m->path = f->path;
  m->area = f->area;
  m->journal = j->fd;
  m->generation = j->generation;
  m->end = end;
  v->map = m;
  v->messages = (struct message *)(void *)m->start;
  v->n = m->n;
}

static bool take_head(struct folder *f, int fd, struct head *head, struct journal *j,
                      struct view *v) {
  struct cursor c = {head->data + sizeof head->h, head->data + head->h.head_size, false};
  size_t size = sums_size(head->h.n);
  if (!take_keywords(&c, v, head->h.nkeywords) || !take_sets(&c, v, head->h.nsets)) return false;
  char const *p = take_bytes(&c, size);
  uint64_t *sums = p ? malloc(size + 1) : 0;
  if (!sums) return false;
  memcpy(sums, p, size);
  struct mapping *m = mapping_new(fd, head->h.data, head->h.n, sums, false);
  if (!m) {
    free(sums);
    return false;
  }
  take_scalars(v, &head->h);
  attach(f, v, m, j, head->h.end);
  j->end = f->indexed = head->h.end;
  return true;
}

static void start_again(struct view *v) {
  uint32_t uidvalidity = v->uidvalidity, generation = v->generation;
  view_free(v);
  view_init(v);
  v->uidvalidity = uidvalidity;
  v->generation = generation;
}

void index_drop(struct folder *f, char const *why) {
  log_event("index-dropped", "path", f->path, "why", why, "consequence",
            "none: the journal is read instead", (char *)0);
  unlinkat(f->area, "index", 0);
}

bool index_load(struct folder *f, struct journal *j, struct view *v) {
  struct stat st;
  struct head head = {0};
  uint64_t tail;
  f->indexed = 0;
  if (f->network) return false; /* a map could change, or vanish, under us */
  int fd = open_index(f, &st);
  if (fd < 0) return false;
  bool whole = read_header(fd, &head.h) && is_whole(&head.h, &st) && read_head(fd, &head);
  if (!whole) index_drop(f, "it is damaged, cut short or another program's");
  /* One that is only old, or of another journal, is no cause for a word. */
  bool good = whole && fits(&head.h, j, v->uidvalidity, &st) &&
              !journal_tail(j->fd, head.h.end, &tail) && tail == head.h.tail;
  if (good && !(good = take_head(f, fd, &head, j, v))) {
    start_again(v);
    index_drop(f, "its head is damaged");
  }
  free(head.data);
  if (!good) close(fd);
  return good;
}

/* ---- writing ---- */

struct writing {
  struct folder *f;
  int fd;
  uint64_t data;
  uint32_t n;
  uint64_t *sums;
  struct records head;
};

static void begin_head(struct writing *w, struct index_header *h) {
  struct view const *v = &w->f->view;
  *h = (struct index_header){.byte_order = BYTE_ORDER_MARK,
                             .format = FORMAT,
                             .header_size = sizeof *h,
                             .message_size = sizeof(struct message),
                             .uidvalidity = v->uidvalidity,
                             .generation = w->f->journal.generation,
                             .journal = w->f->journal.inode,
                             .end = w->f->journal.end,
                             .uidnext = v->uidnext,
                             .ceiling = v->ceiling,
                             .recent = v->recent,
                             .n = w->n,
                             .modseq = v->modseq,
                             .boot = v->boot,
                             .ncommitted = v->ncommitted,
                             .nkeywords = v->nkeywords,
                             .nsets = v->nsets,
                             .unseen = v->unseen,
                             .deleted = v->deleted,
                             .in_new = v->in_new,
                             .unseen_from = v->unseen_from,
                             .new_from = v->new_from};
  memcpy(h->magic, magic, sizeof magic);
  memcpy(h->committed, v->committed, sizeof h->committed);
  memcpy(h->seen, v->seen, sizeof h->seen);
  record_bytes(&w->head, h, sizeof *h);
  for (unsigned int i = 0; i < v->nkeywords; i++) {
    record_u32(&w->head, (uint32_t)strlen(v->keywords[i]));
    record_bytes(&w->head, v->keywords[i], strlen(v->keywords[i]));
  }
  record_align(&w->head);
  record_bytes(&w->head, v->sets, v->nsets * sizeof *v->sets);
}

static bool end_head(struct writing *w, struct index_header *h) {
  record_bytes(&w->head, w->sums, sums_size(w->n));
  h->head_size = w->head.size;
  h->data = w->data;
  if (journal_tail(w->f->journal.fd, h->end, &h->tail) < 0) return false;
  memcpy(w->head.data, h, sizeof *h);
  h->checksum = store_hash(6, w->head.data, w->head.size);
  memcpy(w->head.data, h, sizeof *h);
  return !file_write_at(w->fd, w->head.data, w->head.size, 0);
}

/* Those that are not gone, without what is this session's own. */
static bool write_messages(struct writing *w) {
  struct view const *v = &w->f->view;
  struct message block[BLOCK_MESSAGES];
  uint32_t done = 0, in_block = 0;
  for (uint32_t i = 0; i < v->n; i++) {
    struct message const *m = view_at(v, i);
    if (m->bits & BIT_GONE) continue;
    block[in_block] = *m;
    block[in_block++].bits &= ~(unsigned int)(FLAG_RECENT | BIT_CHANGED);
    done++;
    if (in_block < BLOCK_MESSAGES && done < w->n) continue;
    uint32_t number = (done - 1) / BLOCK_MESSAGES;
    w->sums[number] = mapping_sum(number, block, in_block);
    if (file_write_at(w->fd, block, in_block * sizeof *block,
                      w->data + (uint64_t)number * sizeof block))
      return false;
    in_block = 0;
  }
  return done == w->n;
}

static bool write_all(struct writing *w) {
  struct index_header h;
  begin_head(w, &h);
  uint64_t head_size = w->head.size + sums_size(w->n);
  if (head_size > HEAD_MAX) return false;
  w->data = (head_size + page_size() - 1) / page_size() * page_size();
  return !ftruncate(w->fd, (off_t)(w->data + (uint64_t)w->n * sizeof(struct message))) &&
         write_messages(w) && end_head(w, &h) &&
         !store_set_mode(w->fd, w->f->file_mode, w->f->group);
}

/* The folder's own messages are as in the index now, but for what is this session's own. */
static void adopt(struct writing *w) {
  struct folder *f = w->f;
  struct view *v = &f->view;
  if (v->gone) return;
  struct mapping *m = mapping_new(w->fd, w->data, w->n, w->sums, true);
  if (!m) return;
  w->sums = 0;
  w->fd = -1;
  struct message *old = v->messages;
  struct mapping *old_map = v->map;
  uint32_t recent = view_find(v, f->recent_from);
  attach(f, v, m, &f->journal, f->journal.end);
  for (uint32_t t = 0; t < v->ntouched; t++) {
    struct message *one = view_message(v, v->touched[t]);
    if (one) one->bits |= BIT_CHANGED;
  }
  for (uint32_t i = recent; i < v->n; i++)
    if (old[i].bits & FLAG_RECENT) v->messages[i].bits |= FLAG_RECENT;
  if (old_map)
    mapping_free(old_map);
  else
    free(old);
}

/* No failure matters: the journal has it all.  It is tried again after as much journal. */
static void write_index(struct folder *f) {
  struct writing w = {.f = f, .n = f->view.n - f->view.gone};
  f->indexed = f->journal.end;
  if (f->view.map) mapping_confirm(f->view.map);
  view_drop_sets(&f->view);
  view_recount(&f->view);
  unlinkat(f->area, "index.new", 0);
  w.fd = openat(f->area, "index.new", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  w.sums = malloc(sums_size(w.n) + 1);
  if (w.fd >= 0 && w.sums && write_all(&w) && !renameat(f->area, "index.new", f->area, "index"))
    adopt(&w);
  else if (w.fd >= 0)
    unlinkat(f->area, "index.new", 0);
  if (w.fd >= 0) close(w.fd);
  free(w.sums);
  records_free(&w.head);
}

/* ---- when ---- */

/* What following costs who opens the folder next: time, and memory that is not shared. */
static uint64_t behind(struct folder const *f) {
  struct mapping const *m = f->view.map;
  return f->journal.end - (f->indexed <= f->journal.end ? f->indexed : 0) +
         (m && m->end == f->indexed ? m->nchanged * (uint64_t)PIECE_COST : 0);
}

static bool is_wanted(struct folder const *f) {
  if (f->network || f->frozen || f->lost || f->journal.fd < 0 || f->journal.moved || f->journal.bad)
    return false;
  if (f->view.n > MESSAGES_MAX) return false;
  /* What is pending has no place in it, and does not last. */
  return !f->view.npending && behind(f) > RENEW_MINIMUM + (uint64_t)RENEW_EACH * f->view.n;
}

/* Somebody else may have written one since. */
static void look_for_newer(struct folder *f) {
  struct stat st;
  struct index_header h;
  int fd = open_index(f, &st);
  if (fd < 0) return;
  if (read_header(fd, &h) && fits(&h, &f->journal, f->view.uidvalidity, &st) &&
      h.end <= f->journal.end && h.end > f->indexed) {
    f->indexed = h.end;
  }
  close(fd);
}

void index_renew_locked(struct folder *f) {
  if (!is_wanted(f)) return;
  look_for_newer(f);
  if (is_wanted(f)) write_index(f);
}

void index_renew(struct folder *f) {
  if (!is_wanted(f) || lock_file(f->lock, LOCK_WRITE, RENEW_WAIT_MS) < 0) return;
  /* Only if the journal is as it should be: it is not repaired for this. */
  if (journal_current(f->area, &f->journal) == 1 &&
      journal_read(&f->journal, &f->view, false) == END_CLEAN)
    index_renew_locked(f);
  folder_unlock(f);
}
