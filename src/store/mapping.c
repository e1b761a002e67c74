/* The index as memory: messages of a view in a mapped file, each block verified when it is first
 * used.  Where the file is bad or can no longer be read, the messages are made again from the
 * journal, in the same place and the same order, so that nobody who holds one notices. */
#include "store/folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Room for messages that come later: address space only, until they come. */
enum { HEADROOM = 16384 };

/* One step, as in store_hash: a changed word always changes the result. */
static uint64_t sum_step(uint64_t h, uint64_t word) {
  h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
  return h ^ h >> 29;
}

/* Six at a time, since each step waits for the one before. */
uint64_t mapping_sum(uint32_t block, void const *messages, uint32_t n) {
  enum { WORDS = sizeof(struct message) / sizeof(uint64_t) };
  uint64_t lanes[WORDS], words[WORDS];
  char const *p = messages;
  for (unsigned int k = 0; k < WORDS; k++) lanes[k] = k;
  for (uint32_t i = 0; i < n; i++, p += sizeof words) {
    memcpy(words, p, sizeof words);
    for (unsigned int k = 0; k < WORDS; k++) lanes[k] = sum_step(lanes[k], words[k]);
  }
  return store_hash(UINT64_C(7) << 32 | block, lanes, sizeof lanes);
}
_Static_assert(sizeof(struct message) == 48, "a message has no padding, and is six words");

static uint32_t blocks_of(uint32_t n) {
  return n / BLOCK_MESSAGES + (n % BLOCK_MESSAGES != 0);
}

/* ---- making the messages again ---- */

static noreturn void die_lost(struct mapping const *m) {
  log_die(EXIT_TEMPORARY, "index-lost", "path", m->path, "why",
          "the index is damaged, and so is the journal or what has been made of it", "consequence",
          "this session ends; the next one repairs the folder", (char *)0);
}

static int by_number(void const *a, void const *b) {
  uint32_t const *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

static bool is_removed(struct mapping const *m, uint32_t uid) {
  return m->nremoved && bsearch(&uid, m->removed, m->nremoved, sizeof uid, by_number);
}

/* Everything the journal says, first up to where the index was made, as the index had it. */
static void replay(struct mapping const *m, struct view *whole) {
  struct journal j = {.fd = m->journal, .generation = m->generation, .end = JOURNAL_HEADER};
  view_init(whole);
  journal_read_to(&j, whole, true, m->end);
  view_sweep(whole, 0);
  if (j.end != m->end || whole->n != m->n || journal_read(&j, whole, true) == END_ERROR)
    die_lost(m);
}

/* Those of the index, its last page too: that was read unverified. */
static void put_back(struct mapping *m, struct view const *whole) {
  struct view *v = m->view;
  uint32_t at = 0;
  for (uint32_t i = 0; i < m->n; i++) {
    struct message one = whole->messages[i];
    if (is_removed(m, one.uid)) continue;
    if (at == v->n) die_lost(m);
    one.keywords = view_keyword_set(v, view_keywords_of(whole, &one));
    v->messages[at++] = one;
  }
}

/* What the client had still to be told of. */
static void mark_changed(struct view *v) {
  for (uint32_t t = 0; t < v->ntouched; t++) {
    struct message *m = view_message(v, v->touched[t]);
    if (m) m->bits |= BIT_CHANGED;
  }
  view_recount(v);
}

/* Whoever is interrupted holds at most pointers into the mapping. */
static void make_again(struct mapping *m) {
  struct view whole;
  int const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  if (m->moving) die_lost(m);
  m->unchecked = 0;
  close(m->fd);
  m->fd = -1;
  if (m->file_size &&
      mmap(m->start, m->file_size, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
    log_die_memory();
  log_event("index-dropped", "path", m->path, "why", "it is damaged or has been cut short",
            "consequence", "none: it is made again from the journal", (char *)0);
  unlinkat(m->area, "index", 0);
  if (m->nremoved) qsort(m->removed, m->nremoved, sizeof *m->removed, by_number);
  replay(m, &whole);
  put_back(m, &whole);
  view_free(&whole);
  mark_changed(m->view);
}

static void mend(void *context) {
  make_again(context);
}

/* ---- verifying ---- */

void mapping_check(struct mapping *m, uint32_t index) {
  uint32_t block = index / BLOCK_MESSAGES, first = block * BLOCK_MESSAGES;
  if (index >= m->n || m->checked[block]) return;
  uint32_t n = m->n - first < BLOCK_MESSAGES ? m->n - first : BLOCK_MESSAGES;
  uint64_t sum = mapping_sum(block, (struct message *)(void *)m->start + first, n);
  if (!m->unchecked) return; /* it was made again just now */
  if (sum != m->sums[block]) {
    make_again(m);
    return;
  }
  m->checked[block] = 1;
  m->unchecked--;
}

void mapping_check_from(struct mapping *m, uint32_t index) {
  for (uint32_t i = index - index % BLOCK_MESSAGES; i < m->n && m->unchecked; i += BLOCK_MESSAGES)
    mapping_check(m, i);
}

/* Block by block, from the file, since what this session has changed in the map has no checksum. */
static bool file_is_good(struct mapping const *m) {
  struct message block[BLOCK_MESSAGES];
  for (uint32_t first = 0; first < m->n; first += BLOCK_MESSAGES) {
    uint32_t n = m->n - first < BLOCK_MESSAGES ? m->n - first : BLOCK_MESSAGES;
    size_t size = n * sizeof *block;
    uint32_t number = first / BLOCK_MESSAGES;
    if (file_read_at(m->fd, block, size, m->data + first * sizeof *block) != (ssize_t)size ||
        mapping_sum(number, block, n) != m->sums[number])
      return false;
  }
  return true;
}

bool mapping_confirm(struct mapping *m) {
  if (m->fd < 0 || file_is_good(m)) return true;
  make_again(m);
  return false;
}

void mapping_changed(struct mapping *m, struct message const *message) {
  size_t at = (size_t)((char const *)message - m->start) / CHANGED_PIECE;
  if (at >= m->file_size / CHANGED_PIECE || m->changed[at]) return;
  m->changed[at] = 1;
  m->nchanged++;
}

void mapping_removed(struct mapping *m, uint32_t uid) {
  if (m->nremoved == m->removed_room) {
    m->removed_room = m->removed_room ? m->removed_room * 2 : 16;
    m->removed = realloc(m->removed, m->removed_room * sizeof *m->removed);
    if (!m->removed) log_die_memory();
  }
  m->removed[m->nremoved++] = uid;
}

/* ---- mapping ---- */

void mapping_free(struct mapping *m) {
  fault_forget(&m->region);
  if (m->fd >= 0) close(m->fd);
  munmap(m->start, m->size);
  free(m->checked);
  free(m->changed);
  free(m->removed);
  free(m->sums);
  free(m);
}

/* The last, incomplete page is read: what comes behind it is memory and must not go with the file
 * when that is cut short. */
static int fill(struct mapping *m) {
  size_t rest = m->n * sizeof(struct message) - m->file_size;
  int const flags = MAP_PRIVATE | MAP_FIXED;
  if (m->file_size && mmap(m->start, m->file_size, PROT_READ | PROT_WRITE, flags, m->fd,
                           (off_t)m->data) == MAP_FAILED)
    return -1;
  if (!rest) return 0;
  ssize_t r = file_read_at(m->fd, m->start + m->file_size, rest, m->data + m->file_size);
  if (r >= 0 && (size_t)r < rest) errno = EIO;
  return (size_t)r == rest && r >= 0 ? 0 : -1;
}

static int reserve(struct mapping *m) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), used = m->n * sizeof(struct message);
  m->room = m->n + m->n / 2 + HEADROOM;
  m->size = (m->room * sizeof(struct message) + page - 1) / page * page;
  m->file_size = used / page * page;
  m->start = mmap(0, m->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return m->start == MAP_FAILED ? -1 : 0;
}

struct mapping *mapping_new(int fd, uint64_t data, uint32_t n, uint64_t *sums, bool checked) {
  struct mapping *m = calloc(1, sizeof *m);
  uint32_t blocks = blocks_of(n);
  if (!m) return 0;
  m->n = n;
  m->unchecked = checked ? 0 : blocks;
  m->checked = calloc(1, blocks + 1);
  m->region = (struct fault_region){.mend = mend, .context = m};
  m->changed = calloc(1, n * sizeof(struct message) / CHANGED_PIECE + 1);
  if (!m->checked || !m->changed || reserve(m) < 0) {
    free(m->checked);
    free(m->changed);
    free(m);
    return 0;
  }
  m->region.start = m->start;
  m->region.size = m->size;
  m->fd = fd;
  m->data = data;
  if (fill(m) < 0 || fault_watch(&m->region) < 0) {
    int saved = errno;
    m->fd = -1;
    mapping_free(m);
    errno = saved;
    return 0;
  }
  m->sums = sums;
  return m;
}
