/* Our own files beside a folder (doc/store.md), changed at will: journal, index, cache.  Opening
 * the folder, listing it and changing it works all the same.  Where the checksums tell that
 * something was changed, every message is still there, and what is told of it is true; where they
 * have been made right again, as only an attacker would, no harm is done. */
#include "scene.h"
#include "message/message.h"
#include "store/cache.h"

enum { INDEX_CHECKSUM = 24, INDEX_HEAD_SIZE = 32, RECORD_HEADER = 16, MESSAGES = 4 };

static char const *const names[] = {"journal",        "index",           "cache",
                                    "cache.envelope", "cache.structure", "cache.common"};
enum { FILES = sizeof names / sizeof *names, JOURNAL = 0, INDEX, CACHE };
static struct scene_file *files[FILES];

static uint64_t sizes[MESSAGES]; /* what is true of the messages */
static char *envelopes[MESSAGES];

static struct store_options const options = {.umask = 077, .check_ownership = true};

noreturn void _exit(int code) {
  fuzz_fail("_exit", __FILE__, code);
}

/* ---- the folder ---- */

static struct folder *open_folder(struct store *s, enum folder_mode mode) {
  struct folder *f = 0;
  return folder_open(s, "", mode, &f) ? 0 : f;
}

static void change_keyword(struct folder *f, uint32_t seq, char const *keyword) {
  struct arena arena = {0};
  struct set seqs;
  struct flag_result result;
  struct flag_change change = {FLAGS_ADD, 0, &keyword, 1, UINT64_MAX};
  set_init(&seqs, &arena);
  set_add(&seqs, seq);
  folder_store(f, &seqs, &change, &arena, &result);
  arena_release(&arena);
}

static void learn(struct folder *f, bool first, bool *true_to_files) {
  struct arena arena = {0};
  for (uint32_t seq = 1; seq <= folder_count(f); seq++) {
    struct facts facts;
    if (folder_facts(f, seq, 15, &arena, &facts)) {
      *true_to_files = false;
      continue;
    }
    must(facts.envelope && facts.body && facts.bodystructure);
    if (first) {
      sizes[seq - 1] = facts.size;
      must((envelopes[seq - 1] = strndup(facts.envelope, facts.envelope_size)));
    }
    bool found = false;
    for (size_t i = 0; i < MESSAGES && !found; i++)
      found = envelopes[i] && facts.size == sizes[i] &&
              strlen(envelopes[i]) == facts.envelope_size &&
              !memcmp(envelopes[i], facts.envelope, facts.envelope_size);
    *true_to_files &= found;
  }
  arena_release(&arena);
}

static void look_at_all(struct folder *f, bool sealed) {
  static char const *const chosen[] = {"Subject", "X-Other"};
  struct field_choice choice;
  struct arena arena = {0};
  uint32_t last = 0;
  field_choice_init(&choice, chosen, 2);
  for (uint32_t seq = 1; seq <= folder_count(f); seq++) {
    struct field_lines lines;
    time_t date;
    must(sealed || (folder_uid(f, seq) > last && folder_uid(f, seq) < folder_uidnext(f)));
    last = folder_uid(f, seq);
    folder_flags(f, seq);
    folder_modseq(f, seq);
    folder_internal_date(f, seq, &date);
    folder_fields(f, seq, &choice, &arena, &lines);
    for (unsigned int k = 0; k < folder_keyword_count(f); k++) folder_has_keyword(f, seq, k);
  }
  for (unsigned int k = 0; k < folder_keyword_count(f); k++) must(*folder_keyword_name(f, k));
  folder_first_unseen(f);
  arena_release(&arena);
}

/* ---- before the first input ---- */

/* So that the stamps of cur/ and new/ are no longer racy. */
static void settle(void) {
  struct timespec t = {0, 3 * MAILDIR_TICK_MS * 1000000};
  nanosleep(&t, 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  struct store *s;
  bool good = true;
  log_init("fuzz");
  maildir_begin();
  must(!store_open(&s, maildir_make(), &options));
  struct folder *f = open_folder(s, FOLDER_SELECT);
  must(f && folder_count(f) == MESSAGES);
  settle();
  /* The index is written where the journal has grown. */
  for (int i = 0; i < 200; i++) {
    char keyword[20];
    snprintf(keyword, sizeof keyword, "word%d", i);
    change_keyword(f, 1 + (uint32_t)i % MESSAGES, keyword);
  }
  must(!folder_sync(f, true, &(struct folder_listener){0}));
  learn(f, true, &good);
  folder_close(f);
  store_close(s);
  scene_save();
  for (size_t i = 0; i < FILES; i++) {
    char path[100];
    snprintf(path, sizeof path, "chainmail/%s", names[i]);
    must((files[i] = scene_find(path)));
  }
  return 0;
}

/* ---- making checksums right ---- */

static void put_u64(char *p, uint64_t v) {
  memcpy(p, &v, sizeof v);
}

static void seal_journal(char *data, size_t size) {
  uint32_t generation, n;
  if (size < JOURNAL_HEADER) return;
  memcpy(&generation, data + 16, sizeof generation);
  put_u64(data + JOURNAL_HEADER - 8, store_hash(0, data, JOURNAL_HEADER - 8));
  for (size_t at = JOURNAL_HEADER; size - at >= RECORD_HEADER; at += n) {
    memcpy(&n, data + at, sizeof n);
    if (n < RECORD_HEADER || n > size - at || n % 8) return;
    uint64_t seed = store_hash((uint64_t)generation << 40 ^ at, data + at, 8);
    put_u64(data + at + 8, store_hash(seed, data + at + RECORD_HEADER, n - RECORD_HEADER));
  }
}

/* Its sums of blocks, too: they end the head. */
static void seal_index(char *data, size_t size) {
  uint64_t head, start;
  if (size < 64) return;
  memcpy(&head, data + INDEX_HEAD_SIZE, sizeof head);
  memcpy(&start, data + INDEX_HEAD_SIZE + 8, sizeof start);
  if (head > size || head < 64 || start > size) return;
  uint32_t n = (uint32_t)((size - start) / sizeof(struct message));
  struct message *messages = malloc(n * sizeof *messages + 1);
  must(messages);
  memcpy(messages, data + start, n * sizeof *messages);
  if (n <= BLOCK_MESSAGES) put_u64(data + head - 8, mapping_sum(0, messages, n));
  free(messages);
  put_u64(data + INDEX_CHECKSUM, 0);
  put_u64(data + INDEX_CHECKSUM, store_hash(6, data, head));
}

static void seal_cache(char *data, size_t size, struct folder *f) {
  struct cache_header h;
  if (size < sizeof h) return;
  memcpy(&h, data, sizeof h);
  cache_seal_header(&h);
  memcpy(data, &h, sizeof h);
  for (uint32_t i = 0; cache_entry_offset(i + 1) <= size; i++) {
    struct cache_entry e;
    memcpy(&e, data + cache_entry_offset(i), sizeof e);
    uint32_t seq = folder_seq(f, e.uid);
    if (seq > folder_count(f)) continue;
    cache_seal_entry(f, &e, folder_inode(f, seq));
    memcpy(data + cache_entry_offset(i), &e, sizeof e);
  }
}

/* The records of a column; their sizes as they are now. */
static void seal_column(char *data, size_t size, enum cache_column column, struct folder *f) {
  struct cache_record r;
  struct cache_header h;
  if (size < sizeof h) return;
  memcpy(&h, data, sizeof h);
  cache_seal_header(&h);
  memcpy(data, &h, sizeof h);
  for (size_t at = sizeof h; at <= size && size - at >= sizeof r;) {
    memcpy(&r, data + at, sizeof r);
    uint32_t seq = folder_seq(f, r.uid);
    if (r.size > size - at - sizeof r || seq > folder_count(f)) return;
    r.check =
        cache_record_check(f, r.uid, folder_inode(f, seq), column, data + at + sizeof r, r.size);
    memcpy(data + at, &r, sizeof r);
    at += sizeof r + ((r.size + 7) & ~(size_t)7);
  }
}

static void seal(size_t i, char *data, size_t size) {
  static enum cache_column const columns[FILES] = {
      [3] = CACHE_ENVELOPE, [4] = CACHE_BODYSTRUCTURE, [5] = CACHE_COMMON};
  struct store *s;
  if (i == JOURNAL) seal_journal(data, size);
  if (i == INDEX) seal_index(data, size);
  if (i < CACHE) return;
  must(!store_open(&s, maildir_path("M"), &options));
  struct folder *f = open_folder(s, FOLDER_EXAMINE);
  must(f);
  if (i == CACHE)
    seal_cache(data, size, f);
  else
    seal_column(data, size, columns[i], f);
  folder_close(f);
  store_close(s);
}

/* ---- one input ---- */

/* Patches: offset (2 bytes), length (1), so many bytes; an offset beyond the end cuts the file. */
static char *patched(size_t i, uint8_t const *data, size_t left, size_t *size) {
  enum { HEAD = 3, LENGTHS = 24 };
  char *copy = malloc(files[i]->size);
  must(copy);
  memcpy(copy, files[i]->data, *size = files[i]->size);
  while (left >= HEAD) {
    size_t at = data[0] + 256u * data[1], n = data[2] % LENGTHS;
    data += HEAD, left -= HEAD;
    if (n > left) n = left;
    if (at >= files[i]->size) *size = at % files[i]->size;
    for (size_t k = 0; k < n && at + k < files[i]->size; k++) copy[at + k] = (char)data[k];
    data += n, left -= n;
  }
  return copy;
}

static void use(bool sealed) {
  struct store *s;
  bool true_to_files = true;
  must(!store_open(&s, maildir_path("M"), &options));
  struct folder *f = open_folder(s, FOLDER_SELECT);
  must(f || sealed);
  if (f) {
    must(sealed || folder_count(f) == MESSAGES);
    look_at_all(f, sealed);
    learn(f, false, &true_to_files);
    must(sealed || true_to_files);
    if (folder_count(f)) change_keyword(f, folder_count(f), "changed");
    folder_sync(f, true, &(struct folder_listener){0});
    look_at_all(f, sealed);
    folder_close(f);
  }
  struct folder_status status;
  must(!store_status(s, "", &status) || sealed);
  store_close(s);
}

/* The input: which file, and whether its checksums are made right, in a byte; patches. */
int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  if (!size) return 0;
  size_t i = data[0] % FILES;
  bool sealed = data[0] & 0x80;
  scene_restore();
  size_t changed_size;
  char *changed = patched(i, data + 1, size - 1, &changed_size);
  if (sealed) seal(i, changed, changed_size);
  scene_restore();
  scene_write(files[i], changed, changed_size);
  free(changed);
  use(sealed);
  return 0;
}
