/* Looking things up in the cache. */
#include "store/fields.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char const *const cache_column_names[CACHE_COLUMNS] = {
    [CACHE_ENVELOPE] = "cache.envelope",
    [CACHE_BODY] = "cache.body",
    [CACHE_BODYSTRUCTURE] = "cache.structure",
    [CACHE_COMMON] = "cache.common",
    [CACHE_RARE] = "cache.rare",
    [CACHE_SUBJECT] = "cache.subject",
    [CACHE_FROM] = "cache.from",
    [CACHE_TO] = "cache.to",
    [CACHE_CC] = "cache.cc",
    [CACHE_BCC] = "cache.bcc",
    [CACHE_SIGNATURE] = "cache.signature",
    [CACHE_PREVIEW] = "cache.preview",
};

/* ---- checksums ---- */

#define MIX(h, word, shift) (h = (h ^ (word)) * UINT64_C(0x9fb21c651e98df25), h ^= h >> (shift))

static inline uint64_t mix(uint64_t h, uint64_t word) {
  return MIX(h, word, 32);
}

/* Four strands, since a processor can multiply four times while it waits for one product; with a
 * shift of its own for each, since compilers would make slow vectors of equal ones.  Each step is a
 * bijection, so a change within one word is always noticed. */
struct strands {
  uint64_t a, b, c, d;
};
enum { WORD = sizeof(uint64_t), ROUND = 4 * WORD };

static inline void mix_round(struct strands *h, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  MIX(h->a, a, 32);
  MIX(h->b, b, 31);
  MIX(h->c, c, 30);
  MIX(h->d, d, 29);
}

static inline uint64_t word_at(char const *p) {
  uint64_t word;
  memcpy(&word, p, sizeof word);
  return word;
}

/* Of the `left` bytes at the end of all `size` the first word, with zeros behind them.  To read the
 * word before the end costs a fraction of copying single bytes, if there are so many. */
static inline uint64_t word_of(char const *end, size_t size, ptrdiff_t left) {
  uint64_t word = 0;
  if (left >= WORD) return word_at(end - left);
  if (left <= 0) return 0;
  if (size < WORD)
    memcpy(&word, end - left, (size_t)left);
  else
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = word_at(end - WORD) << 8 * (WORD - left);
#else
    word = word_at(end - WORD) >> 8 * (WORD - left);
#endif
  return word;
}

/* As if there were zeros behind the data up to the next round. */
uint64_t cache_hash(uint64_t seed, void const *data, size_t size) {
  struct strands h = {seed, seed + 1, seed + 2, seed + 3};
  char const *p = data, *end = p + size;
  for (; end - p >= ROUND; p += ROUND)
    mix_round(&h, word_at(p), word_at(p + WORD), word_at(p + 2 * WORD), word_at(p + 3 * WORD));
  ptrdiff_t left = end - p;
  if (left)
    mix_round(&h, word_of(end, size, left), word_of(end, size, left - WORD),
              word_of(end, size, left - 2 * WORD), word_of(end, size, left - 3 * WORD));
  return mix(mix(mix(mix(size, h.a), h.b), h.c), h.d);
}

void cache_seal_header(struct cache_header *h) {
  h->check = cache_hash(1, h, offsetof(struct cache_header, check));
}

uint64_t cache_seed(struct folder const *f, uint32_t uid, uint64_t inode) {
  return mix((uint64_t)folder_uidvalidity(f) << 32 | uid, inode);
}

static uint32_t entry_check(struct folder const *f, struct cache_entry const *e, uint64_t inode) {
  struct cache_entry copy = *e;
  copy.check = 0;
  return (uint32_t)cache_hash(cache_seed(f, e->uid, inode), &copy,
                              offsetof(struct cache_entry, at[CACHE_LATE]));
}

bool cache_entry_good(struct folder const *f, struct cache_entry const *e, uint64_t inode) {
  return e->check == entry_check(f, e, inode);
}

void cache_seal_entry(struct folder const *f, struct cache_entry *e, uint64_t inode) {
  e->check = entry_check(f, e, inode);
}

uint64_t cache_record_check(struct folder const *f, uint32_t uid, uint64_t inode,
                            enum cache_column column, char const *data, size_t size) {
  return cache_hash(cache_seed(f, uid, inode) + 8 * (uint64_t)(column + 1), data, size);
}

/* ---- windows ---- */

enum { FIRST_STEP = 4096 };

char const *cache_window_at(struct cache_window *w, uint64_t offset, size_t size) {
  if (offset >= w->start && offset + size <= w->start + w->size)
    return w->data + (offset - w->start);
  if (w->fd < 0 || size > CACHE_WINDOW) return 0;
  if (!w->data && !(w->data = malloc(CACHE_WINDOW))) return 0;
  bool in_order = w->size && offset >= w->start && offset <= w->start + 2 * w->size;
  w->step = !in_order ? FIRST_STEP : w->step * 2 < CACHE_WINDOW ? w->step * 2 : CACHE_WINDOW;
  ssize_t got = file_read_at(w->fd, w->data, size > w->step ? size : w->step, offset);
  w->start = offset;
  w->size = got < 0 ? 0 : (size_t)got;
  return w->size < size ? 0 : w->data;
}

static void window_close(struct cache_window *w) {
  if (w->fd >= 0) close(w->fd);
  free(w->data);
  *w = (struct cache_window){.fd = -1};
}

/* ---- opening ---- */

/* column: CACHE_COLUMNS for the directory. */
static bool header_good(struct folder const *f, struct cache_header const *h, uint32_t column) {
  struct cache_header sealed = *h;
  cache_seal_header(&sealed);
  return !memcmp(h->magic, CACHE_MAGIC, sizeof h->magic) && h->order == CACHE_ORDER &&
         h->format == CACHE_FORMAT && h->column == column && h->message == message_version() &&
         h->uidvalidity == folder_uidvalidity(f) && h->check == sealed.check;
}

static int open_file(struct folder const *f, char const *name) {
  return openat(f->area, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static void open_column(struct folder const *f, struct cache *c, enum cache_column column) {
  struct cache_window *w = &c->columns[column];
  struct cache_header h;
  w->fd = open_file(f, cache_column_names[column]);
  if (w->fd < 0) return;
  if (file_read_at(w->fd, &h, sizeof h, 0) == (ssize_t)sizeof h && header_good(f, &h, column) &&
      h.generation == c->header.generation)
    return;
  close(w->fd);
  w->fd = -1;
}

void cache_forget(struct cache *c) {
  window_close(&c->directory);
  for (size_t i = 0; i < CACHE_COLUMNS; i++) window_close(&c->columns[i]);
  free(c->tail);
  c->tail = 0;
  c->ntail = c->n = c->next = c->found_uid = 0;
  c->inode = 0;
}

static int by_uid(void const *a, void const *b) {
  uint32_t x = ((struct cache_entry const *)a)->uid, y = ((struct cache_entry const *)b)->uid;
  return (x > y) - (x < y);
}

/* Of several entries for a message the last counts. */
uint32_t cache_sort(struct cache_entry *e, uint32_t n) {
  /* qsort is not stable: the place decides among equals. */
  for (uint32_t i = 0; i < n; i++) e[i].place = i;
  qsort(e, n, sizeof *e, by_uid);
  uint32_t to = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (to && e[to - 1].uid == e[i].uid) {
      if (e[i].place > e[to - 1].place) e[to - 1] = e[i];
    } else {
      e[to++] = e[i];
    }
  }
  return to;
}

uint64_t cache_entry_offset(uint32_t i) {
  return sizeof(struct cache_header) + (uint64_t)i * sizeof(struct cache_entry);
}

/* What is in the directory behind the part that is in order: bounded, as it is sorted in time. */
static void load_tail(struct cache *c) {
  enum { MOST = 2 * CACHE_TAIL_MAX };
  uint32_t n = c->n - c->header.sorted, from = c->header.sorted;
  free(c->tail);
  c->tail = 0;
  c->ntail = 0;
  if (n > MOST) from += n - MOST, n = MOST;
  if (!n || !(c->tail = malloc(n * sizeof *c->tail))) return;
  ssize_t got =
      file_read_at(c->directory.fd, c->tail, n * sizeof *c->tail, cache_entry_offset(from));
  if (got > 0) c->ntail = cache_sort(c->tail, (uint32_t)((size_t)got / sizeof *c->tail));
  for (uint32_t i = 0; i < c->ntail; i++) c->tail[i].place += from;
}

static void load_directory(struct folder const *f, struct cache *c, uint64_t size) {
  struct cache_header h;
  if (file_read_at(c->directory.fd, &h, sizeof h, 0) < (ssize_t)sizeof h ||
      !header_good(f, &h, CACHE_COLUMNS)) {
    cache_forget(c);
    return;
  }
  uint64_t n = (size - sizeof h) / sizeof(struct cache_entry);
  c->header = h;
  c->n = n > CACHE_ENTRIES_MAX ? CACHE_ENTRIES_MAX : (uint32_t)n;
  if (c->header.sorted > c->n) c->header.sorted = c->n;
  c->directory.size = 0; /* what was its end may have been half written */
  c->found_uid = 0;
  c->stale = false;
  load_tail(c);
}

static void open_cache(struct folder const *f, struct cache *c) {
  struct stat st;
  cache_forget(c);
  c->directory.fd = open_file(f, CACHE_DIRECTORY);
  if (c->directory.fd < 0 || fstat(c->directory.fd, &st) < 0 || !S_ISREG(st.st_mode)) {
    cache_forget(c);
    return;
  }
  c->inode = st.st_ino;
  load_directory(f, c, (uint64_t)st.st_size);
  if (!c->inode) return;
  for (unsigned int i = 0; i < CACHE_COLUMNS; i++) open_column(f, c, (enum cache_column)i);
}

void cache_refresh(struct folder *f, struct cache *c) {
  struct stat st;
  if (fstatat(f->area, CACHE_DIRECTORY, &st, AT_SYMLINK_NOFOLLOW) < 0) {
    cache_forget(c);
    return;
  }
  if (!c->inode || st.st_ino != c->inode || c->header.uidvalidity != folder_uidvalidity(f))
    open_cache(f, c);
  else if (c->stale || (uint64_t)st.st_size >= cache_entry_offset(c->n + 1))
    load_directory(f, c, (uint64_t)st.st_size);
}

static struct cache *new_cache(struct folder const *f) {
  struct cache *c = calloc(1, sizeof *c);
  if (!c) log_die_memory();
  c->directory.fd = -1;
  for (size_t i = 0; i < CACHE_COLUMNS; i++) c->columns[i].fd = -1;
  c->unwritable = f->frozen;
  c->uidvalidity = folder_uidvalidity(f);
  return c;
}

struct cache *cache_of(struct folder *f) {
  if (!f->cache) f->cache = new_cache(f);
  struct cache *c = f->cache;
  if (c->uidvalidity != folder_uidvalidity(f)) { /* UIDs mean other messages now */
    cache_drop_pending(c);
    cache_drop_text(c);
    cache_forget(c);
    c->uidvalidity = folder_uidvalidity(f);
  }
  return c;
}

/* ---- finding ---- */

static bool entry_at(struct cache *c, uint32_t i, struct cache_entry *e) {
  char const *p = i < c->n ? cache_window_at(&c->directory, cache_entry_offset(i), sizeof *e) : 0;
  if (!p) return false;
  memcpy(e, p, sizeof *e);
  e->place = i;
  return true;
}

/* Messages are mostly asked for in order: at c->next is the one or, if it is not in the directory,
 * one behind it. */
static bool find_near(struct cache *c, uint32_t uid, struct cache_entry *e, bool *decided) {
  *decided = false;
  if (c->next && (!entry_at(c, c->next - 1, e) || e->uid >= uid)) return false;
  if (c->next < c->header.sorted && (!entry_at(c, c->next, e) || e->uid < uid)) return false;
  *decided = true;
  if (c->next == c->header.sorted || e->uid != uid) return false;
  c->next++;
  return true;
}

static bool find_in_order(struct cache *c, uint32_t uid, struct cache_entry *e) {
  bool decided, found = find_near(c, uid, e, &decided);
  if (decided) return found;
  uint32_t low = 0, high = c->header.sorted;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (!entry_at(c, middle, e)) return false;
    if (e->uid < uid)
      low = middle + 1;
    else
      high = middle;
  }
  c->next = low;
  return find_near(c, uid, e, &decided) && decided;
}

static bool find_in_tail(struct cache const *c, uint32_t uid, struct cache_entry *e) {
  struct cache_entry const key = {.uid = uid};
  if (!c->ntail || uid < c->tail[0].uid || uid > c->tail[c->ntail - 1].uid) return false;
  struct cache_entry const *p = bsearch(&key, c->tail, c->ntail, sizeof key, by_uid);
  if (p) *e = *p;
  return p;
}

static bool find_in_files(struct folder const *f, struct cache *c, uint32_t seq, uint32_t uid) {
  struct cache_entry e;
  if (!c->inode || (!find_in_tail(c, uid, &e) && !find_in_order(c, uid, &e))) return false;
  if (!cache_entry_good(f, &e, folder_inode(f, seq))) return false;
  c->found = e;
  c->found_uid = uid;
  return true;
}

struct cache_entry const *cache_find(struct folder *f, struct cache *c, uint32_t seq) {
  uint32_t uid = folder_uid(f, seq);
  if (c->found_uid == uid) return &c->found;
  if (find_in_files(f, c, seq, uid)) return &c->found;
  cache_refresh(f, c);
  return find_in_files(f, c, seq, uid) ? &c->found : 0;
}

bool cache_numbers(struct folder *f, uint32_t seq, struct cache_numbers *numbers) {
  struct cache *c = cache_of(f);
  struct cache_new const *new = cache_find_pending(c, folder_uid(f, seq));
  struct cache_entry const *e = new && !new->late ? &new->entry : cache_find(f, c, seq);
  if (e) *numbers = e->numbers;
  return e;
}

/* What is known without a record. */
bool cache_answered(uint32_t at, enum cache_answer *answer, struct cache_value *v) {
  switch (at) {
  case CACHE_AT_UNKNOWN: *answer = CACHE_UNKNOWN; return true;
  case CACHE_AT_LARGE: *answer = CACHE_LARGE; return true;
  case CACHE_AT_EMPTY:
    *answer = CACHE_KNOWN;
    *v = (struct cache_value){"", 0};
    return true;
  default: return false;
  }
}

enum cache_answer cache_get_record(struct folder *f, struct cache *c, uint32_t seq,
                                   struct cache_entry const *e, enum cache_column column,
                                   struct cache_value *v) {
  struct cache_window *w = &c->columns[column];
  uint64_t offset = 8 * (uint64_t)e->at[column];
  struct cache_record r;
  enum cache_answer answer;
  if (cache_answered(e->at[column], &answer, v)) return answer;
  char const *p = cache_window_at(w, offset, sizeof r);
  if (!p) return CACHE_UNKNOWN;
  memcpy(&r, p, sizeof r);
  if (r.uid != e->uid || r.size > CACHE_VALUE_MAX) return CACHE_UNKNOWN;
  p = cache_window_at(w, offset, sizeof r + r.size);
  if (!p) return CACHE_UNKNOWN;
  p += sizeof r;
  if (r.check != cache_record_check(f, e->uid, folder_inode(f, seq), column, p, r.size))
    return CACHE_UNKNOWN;
  *v = (struct cache_value){p, r.size};
  return CACHE_KNOWN;
}

enum cache_answer cache_get(struct folder *f, uint32_t seq, enum cache_column column,
                            struct cache_value *v) {
  struct cache *c = cache_of(f);
  struct cache_new const *new = cache_find_pending(c, folder_uid(f, seq));
  if (new && (!new->late || new->entry.at[column] != CACHE_AT_UNKNOWN))
    return cache_get_pending(c, &new->entry, column, v);
  struct cache_entry const *e = cache_find(f, c, seq);
  return e ? cache_get_record(f, c, seq, e, column, v) : CACHE_UNKNOWN;
}

bool cache_writable(struct folder *f) {
  return !cache_of(f)->unwritable;
}

char *cache_scratch(struct folder *f) {
  struct cache *c = cache_of(f);
  if (!c->scratch) c->scratch = malloc(FIELDS_SIZE_MAX);
  return c->scratch;
}

/* ---- the end ---- */

void cache_rest(struct folder *f) {
  struct cache *c = f->cache;
  if (!c) return;
  cache_flush(f);
  cache_drop_pending(c);
  cache_drop_text(c);
  free(c->scratch);
  c->scratch = 0;
  cache_forget(c); /* open files would keep the room of what has been written anew */
}

void cache_close(struct folder *f) {
  cache_rest(f);
  free(f->cache);
  f->cache = 0;
}
