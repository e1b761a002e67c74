/* Building and taking apart the content of journal records (doc/store.md, "Records").  What they
 * mean is in apply.c, where they lie in journal.c. */
#include "store/folder.h"

#include <stdlib.h>
#include <string.h>

/* ---- checksum ---- */

enum { HASH_STEP = 8 };

/* Each step is a bijection of h for a given word and of the word for a given h: one changed word
 * always changes the result. */
static uint64_t hash_step(uint64_t h, uint64_t word) {
  h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
  return h ^ h >> 29;
}

uint64_t store_hash(uint64_t seed, void const *data, size_t size) {
  char const *p = data;
  uint64_t h = hash_step(UINT64_C(0x6368616e6d61696c), seed), word;
  h = hash_step(h, size);
  for (; size >= HASH_STEP; p += HASH_STEP, size -= HASH_STEP) {
    memcpy(&word, p, HASH_STEP);
    h = hash_step(h, word);
  }
  word = 0;
  if (size) memcpy(&word, p, size);
  h = hash_step(h, word);
  h *= UINT64_C(0xd6e8feb86659fd93);
  return h ^ h >> 32;
}

/* ---- building ---- */

enum { RECORD_MARK = 0x4d63 };

void records_free(struct records *r) {
  free(r->data);
  *r = (struct records){0};
}

void record_bytes(struct records *r, void const *data, size_t n) {
  if (n > r->room - r->size) {
    size_t room = r->room ? r->room * 2 : 512;
    while (room - r->size < n) room *= 2;
    char *grown = realloc(r->data, room);
    if (!grown) log_die_memory();
    r->data = grown;
    r->room = room;
  }
  if (n) memcpy(r->data + r->size, data, n);
  r->size += n;
}

void record_u16(struct records *r, uint16_t v) {
  record_bytes(r, &v, sizeof v);
}

void record_u32(struct records *r, uint32_t v) {
  record_bytes(r, &v, sizeof v);
}

void record_u64(struct records *r, uint64_t v) {
  record_bytes(r, &v, sizeof v);
}

void record_align(struct records *r) {
  static char const zeros[8];
  record_bytes(r, zeros, -r->size & 7);
}

void record_begin(struct records *r, enum record_type type) {
  r->begun = r->size;
  record_u32(r, 0);
  record_u16(r, (uint16_t)type);
  record_u16(r, RECORD_MARK);
  record_u64(r, 0);
}

void record_end(struct records *r) {
  record_align(r);
  size_t size = r->size - r->begun;
  if (size > RECORD_SIZE_MAX) {
    r->too_large = true;
    return;
  }
  uint32_t size32 = (uint32_t)size;
  memcpy(r->data + r->begun, &size32, sizeof size32);
}

static uint16_t put_keywords(struct records *r, struct keyword_set const *set, bool write) {
  uint16_t n = 0;
  for (unsigned int i = 0; i < KEYWORDS_MAX; i++) {
    if (!(set->words[i / 64] >> i % 64 & 1)) continue;
    if (write) record_u16(r, (uint16_t)i);
    n++;
  }
  return n;
}

uint32_t entry_saved(time_t t) {
  if (t <= 0) return 0;
  return (uint64_t)t < UINT32_MAX ? (uint32_t)t : UINT32_MAX;
}

enum { ENTRY_CHECK = 48 }; /* where the checksum of all else stands; what is fixed ends behind it */

static uint64_t entry_checksum(char const *entry, size_t size) {
  uint64_t fixed = store_hash(9, entry, ENTRY_CHECK);
  return store_hash(fixed, entry + ENTRY_FIXED, size - ENTRY_FIXED);
}

void record_entries(struct records *r, uint64_t batch, uint32_t n) {
  record_begin(r, RECORD_ENTRY);
  record_u64(r, batch);
  record_u32(r, n);
  record_u32(r, 0);
}

size_t record_entry(struct records *r, struct entry const *e, struct keyword_set const *set) {
  size_t start = r->size, name_size = strlen(e->name);
  uint16_t nkeywords = put_keywords(r, set, false);
  uint8_t small[2] = {e->in_new, (uint8_t)name_size};
  size_t size = (ENTRY_FIXED + 2u * nkeywords + name_size + 7) & ~(size_t)7;
  record_u32(r, e->uid);
  record_u16(r, (uint16_t)(e->flags & FLAG_STANDARD));
  record_u16(r, nkeywords);
  record_u64(r, e->modseq);
  record_u64(r, e->inode);
  record_u64(r, e->size);
  record_u64(r, (uint64_t)e->mtime);
  record_bytes(r, small, sizeof small);
  record_u16(r, (uint16_t)size);
  record_u32(r, e->saved);
  record_u64(r, 0);
  put_keywords(r, set, true);
  record_bytes(r, e->name, name_size);
  record_align(r);
  uint64_t check = entry_checksum(r->data + start, size);
  memcpy(r->data + start + ENTRY_CHECK, &check, sizeof check);
  return start;
}

void record_uids(struct records *r, enum record_type type, uint64_t const *modseq,
                 uint32_t const *uids, uint32_t n) {
  record_begin(r, type);
  if (modseq) record_u64(r, *modseq);
  record_u32(r, n);
  record_u32(r, 0);
  record_bytes(r, uids, n * sizeof *uids);
  record_end(r);
}

void record_stamps(struct records *r, struct maildir_stamp const seen[2]) {
  record_begin(r, RECORD_SCANNED);
  for (int i = 0; i < 2; i++) {
    record_u64(r, seen[i].inode);
    record_u64(r, (uint64_t)seen[i].mtime.tv_sec);
    record_u64(r, (uint64_t)seen[i].mtime.tv_nsec);
    record_u64(r, (uint64_t)seen[i].ctime.tv_sec);
    record_u64(r, (uint64_t)seen[i].ctime.tv_nsec);
  }
  record_end(r);
}

/* ---- taking apart ---- */

char const *take_bytes(struct cursor *c, size_t n) {
  if (c->bad || n > (size_t)(c->end - c->at)) {
    c->bad = true;
    return 0;
  }
  char const *p = c->at;
  c->at += n;
  return p;
}

uint16_t take_u16(struct cursor *c) {
  uint16_t v = 0;
  char const *p = take_bytes(c, sizeof v);
  if (p) memcpy(&v, p, sizeof v);
  return v;
}

uint32_t take_u32(struct cursor *c) {
  uint32_t v = 0;
  char const *p = take_bytes(c, sizeof v);
  if (p) memcpy(&v, p, sizeof v);
  return v;
}

uint64_t take_u64(struct cursor *c) {
  uint64_t v = 0;
  char const *p = take_bytes(c, sizeof v);
  if (p) memcpy(&v, p, sizeof v);
  return v;
}

size_t entry_parse(char const *data, size_t size, struct entry *e, uint16_t *keywords,
                   unsigned int *nkeywords) {
  struct cursor c = {data, data + size, false};
  e->uid = take_u32(&c);
  e->flags = take_u16(&c) & FLAG_STANDARD;
  unsigned int n = take_u16(&c);
  e->modseq = take_u64(&c);
  e->inode = take_u64(&c);
  e->size = take_u64(&c);
  e->mtime = (int64_t)take_u64(&c);
  char const *small = take_bytes(&c, 2);
  size_t whole = take_u16(&c);
  e->saved = take_u32(&c);
  uint64_t check = take_u64(&c);
  if (c.bad || n > KEYWORDS_MAX || !e->uid || e->uid == UINT32_MAX || !small[1]) return 0;
  size_t name_size = (unsigned char)small[1];
  if (whole > size || whole % 8 || whole < ENTRY_FIXED + 2 * n + name_size ||
      check != entry_checksum(data, whole))
    return 0;
  char const *ids = take_bytes(&c, 2 * (size_t)n);
  char const *name = take_bytes(&c, name_size);
  if (c.bad || memchr(name, 0, name_size) || memchr(name, '/', name_size) || *name == '.') return 0;
  e->in_new = small[0];
  memcpy(e->name, name, name_size);
  e->name[name_size] = 0;
  if (keywords) {
    memcpy(keywords, ids, 2 * (size_t)n);
    *nkeywords = n;
  }
  return whole;
}
