/* What SORT compares (RFC 5256 section 3, RFC 5957 section 4), as numbers: dates, sizes, and of
 * texts the ranks that rank.c finds.  Where few messages are asked for no file of ranks is read or
 * written: their own texts are enough. */
#include "store/sortfile.h"
#include "message/message.h"
#include "store/cache.h"

enum {
  FEW = 64,      /* messages of which nothing is kept */
  FEW_PART = 64, /* or such a part of the folder's */
};

/* ---- finding out ---- */

void finding_init(struct finding *f, struct folder *folder, char const *const *fields,
                  size_t nfields, struct folder_patience const *patience) {
  *f = (struct finding){
      .folder = folder, .patience = patience, .silences = message_charset_silences()};
  field_choice_init(&f->choice, fields, nfields);
}

static void note(struct finding *f, enum store_error error) {
  if (error == STORE_EXPUNGED)
    f->gone = true;
  else if (error > f->worst)
    f->worst = error;
}

/* Whether to go on. */
static bool has_time(struct finding *f) {
  if (!f->interrupted && f->patience->ends(f->patience->context)) f->interrupted = true;
  if (f->interrupted) f->worst = STORE_UNAVAILABLE;
  return !f->interrupted;
}

struct field_lines finding_fields(struct finding *f, uint32_t seq) {
  struct field_lines lines = {"", 0};
  f->known = false;
  if (!has_time(f)) return lines;
  if (f->arena.blocks) arena_release(&f->arena);
  enum store_error error = folder_fields(f->folder, seq, &f->choice, &f->arena, &lines);
  if (error) lines = (struct field_lines){"", 0};
  f->known = !error;
  note(f, error);
  return lines;
}

/* In the same order. */
static uint64_t as_unsigned(int64_t t) {
  return (uint64_t)t + ((uint64_t)1 << 63);
}

static uint64_t arrival_of(struct finding *f, uint32_t seq) {
  time_t t = 0;
  note(f, folder_internal_date(f->folder, seq, &t));
  return as_unsigned(t);
}

/* Mostly the cache knows; else it will. */
static struct cache_numbers numbers_of(struct finding *f, uint32_t seq, unsigned int want) {
  struct cache_numbers n = {.size = 0};
  struct facts facts;
  if (!has_time(f) || cache_numbers(f->folder, seq, &n)) return n;
  note(f, folder_facts(f->folder, seq, want, &f->arena, &facts));
  if (f->arena.blocks) arena_release(&f->arena);
  return (struct cache_numbers){.size = facts.size, .sent = facts.sent, .has_sent = facts.has_sent};
}

static uint64_t size_of(struct finding *f, uint32_t seq) {
  return numbers_of(f, seq, FACT_SIZE).size;
}

/* RFC 5256 section 2.2. */
static uint64_t sent_of(struct finding *f, uint32_t seq) {
  struct cache_numbers n = numbers_of(f, seq, FACT_SENT);
  return n.has_sent ? as_unsigned(n.sent) : arrival_of(f, seq);
}

void finding_watch(struct finding *f, struct arena *arena) {
  f->unsure = arena_zalloc(arena, (size_t)folder_count(f->folder) + 1);
}

void finding_decoded(struct finding *f, uint32_t seq) {
  unsigned long silences = message_charset_silences();
  if (silences == f->silences) return;
  f->silences = silences;
  f->known = false;
  if (f->unsure) f->unsure[seq - 1] = true;
  f->nunsure++;
}

bool finding_worth_keeping(struct finding const *f, uint32_t n) {
  return f->worst == STORE_OK && !f->gone && n > UNSAVED_MAX + f->nunsure;
}

enum store_error finding_end(struct finding *f) {
  arena_release(&f->arena);
  return f->worst;
}

/* ---- values ---- */

bool sort_is_few(struct folder const *f, uint32_t n) {
  return n <= FEW || n <= folder_count(f) / FEW_PART;
}

static void put_ranks(struct finding *f, enum sort_key key, uint32_t const *seqs, uint32_t n,
                      struct arena *arena, uint64_t *values) {
  bool few = sort_is_few(f->folder, n);
  uint32_t const *ranks = few ? ranks_of(f, key, seqs, n, arena) : ranks_of_all(f, key, arena);
  for (uint32_t i = 0; i < n; i++) values[i] = ranks[seqs[i] - 1];
}

/* Keys that are numbers already. */
static uint64_t (*const numbers[SORT_KEYS])(struct finding *, uint32_t seq) = {
    [SORT_ARRIVAL] = arrival_of,
    [SORT_DATE] = sent_of,
    [SORT_SIZE] = size_of,
};

enum store_error folder_sort_values(struct folder *folder, enum sort_key key, uint32_t const *seqs,
                                    uint32_t n, struct folder_patience const *patience,
                                    uint64_t *values) {
  struct arena arena = {0};
  struct finding f;
  char const *field = rank_field(key);
  finding_init(&f, folder, &field, field != 0, patience);
  if (!numbers[key]) put_ranks(&f, key, seqs, n, &arena, values);
  for (uint32_t i = 0; numbers[key] && i < n; i++) values[i] = numbers[key](&f, seqs[i]);
  arena_release(&arena);
  return finding_end(&f);
}
