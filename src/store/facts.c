/* Facts of a message: from the cache, else from the file, read once and kept. */
#include "store/fields.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading the file ---- */

static struct cache_value take(stralloc *text, struct arena *arena) {
  struct cache_value v = {arena_copy(arena, text->s, text->len), text->len};
  text->len = 0;
  return v;
}

static void describe_header(struct message_part const *root, struct arena *arena,
                            struct cache_value values[CACHE_LATE]) {
  stralloc text = STRALLOC_ZERO;
  message_put_envelope(&text, root);
  values[CACHE_ENVELOPE] = take(&text, arena);
  stralloc_free(&text);
}

static void describe_body(struct message_part const *root, struct arena *arena,
                          struct cache_value values[CACHE_LATE]) {
  stralloc text = STRALLOC_ZERO;
  message_put_bodystructure(&text, root, false);
  values[CACHE_BODY] = take(&text, arena);
  message_put_bodystructure(&text, root, true);
  values[CACHE_BODYSTRUCTURE] = take(&text, arena);
  stralloc_free(&text);
}

static void describe_date(struct message_part const *root, struct cache_numbers *numbers) {
  struct message_field field;
  size_t at = 0;
  time_t t;
  while (message_next_field(root->header, root->header_size, &at, &field)) {
    if (field.name_size != 4 || strncasecmp(field.name, "Date", 4)) continue;
    numbers->has_sent = message_parse_date(field.value, field.value_size, &t, &numbers->sent_day);
    if (numbers->has_sent) numbers->sent = t;
    return;
  }
}

void facts_keep(struct folder *f, uint32_t seq, struct message_part const *root,
                struct arena *arena, struct cache_numbers *numbers,
                struct cache_value values[CACHE_LATE]) {
  describe_header(root, arena, values);
  describe_body(root, arena, values);
  describe_date(root, numbers);
  fields_keep(root, arena, &values[CACHE_COMMON], &values[CACHE_RARE]);
  fields_fold(root, arena, values);
  numbers->size = root->header_wire + root->body_wire;
  cache_put(f, seq, numbers, values);
}

enum store_error facts_learn(struct folder *f, uint32_t seq, struct arena *arena,
                             struct cache_numbers *numbers, struct cache_value values[CACHE_LATE]) {
  struct message_part *root;
  int fd;
  enum store_error e = folder_message(f, seq, &fd);
  if (e) return e;
  if (message_parse_file(fd, arena, &root) < 0)
    e = folder_failure(f, "read a message in", 0);
  else
    facts_keep(f, seq, root, arena, numbers, values);
  close(fd);
  return e;
}

/* Only the size: no parsing, only line ends to count. */
static int read_size(int fd, uint64_t *size) {
  struct stat st;
  if (fstat(fd, &st) < 0) return -1;
  return message_wire_size(fd, 0, (uint64_t)st.st_size, size);
}

static int read_values(int fd, unsigned int want, struct arena *arena,
                       struct cache_numbers *numbers, struct cache_value values[CACHE_LATE]) {
  struct message_part *root;
  /* The envelope and the date need no more than the header. */
  bool whole = want & (FACT_BODY | FACT_BODYSTRUCTURE);
  if (want & FACT_SIZE && read_size(fd, &numbers->size) < 0) return -1;
  if (!(want & ~(unsigned int)FACT_SIZE)) return 0;
  if ((whole ? message_parse_file : message_parse_header)(fd, arena, &root) < 0) return -1;
  if (want & FACT_ENVELOPE) describe_header(root, arena, values);
  if (want & FACT_SENT) describe_date(root, numbers);
  if (whole) describe_body(root, arena, values);
  return 0;
}

/* Where nothing can be kept: no more than what is asked for. */
static enum store_error look_up(struct folder *f, uint32_t seq, unsigned int want,
                                struct arena *arena, struct cache_numbers *numbers,
                                struct cache_value values[CACHE_LATE]) {
  int fd;
  enum store_error e = folder_message(f, seq, &fd);
  if (e) return e;
  if (read_values(fd, want, arena, numbers, values) < 0)
    e = folder_failure(f, "read a message in", 0);
  close(fd);
  return e;
}

/* ---- facts ---- */

static enum cache_column column_of(enum fact fact) {
  return fact == FACT_ENVELOPE ? CACHE_ENVELOPE
         : fact == FACT_BODY   ? CACHE_BODY
                               : CACHE_BODYSTRUCTURE;
}

enum { NUMBERS = FACT_SIZE | FACT_SENT };

/* Asks the cache; *missing: what it has not; *unknown: some of that could be kept. */
static void ask_cache(struct folder *f, uint32_t seq, unsigned int want,
                      struct cache_numbers *numbers, struct cache_value values[CACHE_LATE],
                      unsigned int *missing, bool *unknown) {
  *missing = 0;
  *unknown = false;
  if (want & NUMBERS && !cache_numbers(f, seq, numbers)) {
    *missing |= want & NUMBERS;
    *unknown = true;
  }
  for (unsigned int fact = FACT_ENVELOPE; fact <= FACT_BODYSTRUCTURE; fact <<= 1) {
    if (!(want & fact)) continue;
    enum cache_column column = column_of((enum fact)fact);
    enum cache_answer answer = cache_get(f, seq, column, &values[column]);
    if (answer != CACHE_KNOWN) *missing |= fact;
    if (answer == CACHE_UNKNOWN) *unknown = true;
  }
}

enum store_error folder_facts(struct folder *f, uint32_t seq, unsigned int want,
                              struct arena *arena, struct facts *facts) {
  struct cache_value values[CACHE_LATE] = {{0}};
  struct cache_numbers numbers = {0};
  unsigned int missing;
  bool unknown;
  enum store_error e = STORE_OK;
  ask_cache(f, seq, want, &numbers, values, &missing, &unknown);
  if (missing)
    e = unknown && cache_writable(f) ? facts_learn(f, seq, arena, &numbers, values)
                                     : look_up(f, seq, want, arena, &numbers, values);
  *facts = (struct facts){.size = numbers.size,
                          .has_sent = numbers.has_sent,
                          .sent = numbers.sent,
                          .sent_day = numbers.sent_day,
                          .envelope = values[CACHE_ENVELOPE].data,
                          .envelope_size = values[CACHE_ENVELOPE].size,
                          .body = values[CACHE_BODY].data,
                          .body_size = values[CACHE_BODY].size,
                          .bodystructure = values[CACHE_BODYSTRUCTURE].data,
                          .bodystructure_size = values[CACHE_BODYSTRUCTURE].size};
  return e;
}

/* ---- new mail ---- */

enum {
  LEARN_MAX = 100, /* more at once have been moved in, or have waited long: they are found out about
                      when a listing needs them */
};

bool folder_learn(struct folder *f) {
  uint32_t from = f->learned > f->recent_from ? f->learned : f->recent_from;
  uint32_t seq = folder_seq(f, from), count = folder_count(f);
  if (seq > count || !cache_writable(f)) return false;
  bool few = count - seq < LEARN_MAX;
  f->learned = folder_uid(f, few ? seq : count) + 1;
  struct arena arena = {0};
  struct cache_value values[CACHE_LATE] = {{0}};
  struct cache_numbers numbers = {0};
  if (few && !cache_numbers(f, seq, &numbers)) facts_learn(f, seq, &arena, &numbers, values);
  arena_release(&arena);
  return few && seq < count;
}
