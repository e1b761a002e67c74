/* What a message's bytes say: from the cache, else from the file, read once and kept. */
#include "store/fields.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading the file ---- */

static struct cache_value take(stralloc *text, struct arena *arena) {
  struct cache_value v = {arena_copy(arena, text->s, text->len), text->len};
  text->len = 0;
  return v;
}

static void describe_header(struct message_part const *root, struct arena *arena,
                            struct cache_value values[CACHE_COLUMNS]) {
  stralloc text = STRALLOC_ZERO;
  message_put_envelope(&text, root);
  values[CACHE_ENVELOPE] = take(&text, arena);
  stralloc_free(&text);
}

static void describe_body(struct message_part const *root, struct arena *arena,
                          struct cache_value values[CACHE_COLUMNS]) {
  stralloc text = STRALLOC_ZERO;
  message_put_bodystructure(&text, root, false);
  values[CACHE_BODY] = take(&text, arena);
  message_put_bodystructure(&text, root, true);
  values[CACHE_BODYSTRUCTURE] = take(&text, arena);
  stralloc_free(&text);
}

/* Reads the whole message, keeps what it says, and tells it. */
static enum store_error learn(struct folder *f, uint32_t seq, struct arena *arena, uint64_t *size,
                              struct cache_value values[CACHE_COLUMNS]) {
  struct message_part *root;
  int fd;
  enum store_error e = folder_message(f, seq, &fd);
  if (e) return e;
  if (message_parse_file(fd, arena, &root) < 0) {
    e = folder_failure(f, "read a message in", 0);
  } else {
    describe_header(root, arena, values);
    describe_body(root, arena, values);
    fields_keep(root, arena, &values[CACHE_COMMON], &values[CACHE_RARE]);
    *size = root->header_wire + root->body_wire;
    cache_put(f, seq, *size, values);
  }
  close(fd);
  return e;
}

/* Only the size: no parsing, only line ends to count. */
static int read_size(int fd, uint64_t *size) {
  struct stat st;
  if (fstat(fd, &st) < 0) return -1;
  return message_wire_size(fd, 0, (uint64_t)st.st_size, size);
}

static int read_values(int fd, unsigned int want, struct arena *arena, uint64_t *size,
                       struct cache_value values[CACHE_COLUMNS]) {
  struct message_part *root;
  /* The envelope needs no more than the header. */
  bool whole = want & (FACT_BODY | FACT_BODYSTRUCTURE);
  if (want & FACT_SIZE && read_size(fd, size) < 0) return -1;
  if (!(want & ~(unsigned int)FACT_SIZE)) return 0;
  if ((whole ? message_parse_file : message_parse_header)(fd, arena, &root) < 0) return -1;
  if (want & FACT_ENVELOPE) describe_header(root, arena, values);
  if (whole) describe_body(root, arena, values);
  return 0;
}

/* Where nothing can be kept: no more than what is asked for. */
static enum store_error look_up(struct folder *f, uint32_t seq, unsigned int want,
                                struct arena *arena, uint64_t *size,
                                struct cache_value values[CACHE_COLUMNS]) {
  int fd;
  enum store_error e = folder_message(f, seq, &fd);
  if (e) return e;
  if (read_values(fd, want, arena, size, values) < 0) e = folder_failure(f, "read a message in", 0);
  close(fd);
  return e;
}

/* ---- facts ---- */

static enum cache_column column_of(enum fact fact) {
  return fact == FACT_ENVELOPE ? CACHE_ENVELOPE
         : fact == FACT_BODY   ? CACHE_BODY
                               : CACHE_BODYSTRUCTURE;
}

/* Asks the cache; *missing: what it has not; *unknown: some of that could be kept. */
static void ask_cache(struct folder *f, uint32_t seq, unsigned int want, uint64_t *size,
                      struct cache_value values[CACHE_COLUMNS], unsigned int *missing,
                      bool *unknown) {
  *missing = 0;
  *unknown = false;
  if (want & FACT_SIZE && !cache_size(f, seq, size)) {
    *missing |= FACT_SIZE;
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
  struct cache_value values[CACHE_COLUMNS] = {{0}};
  uint64_t size = 0;
  unsigned int missing;
  bool unknown;
  enum store_error e = STORE_OK;
  ask_cache(f, seq, want, &size, values, &missing, &unknown);
  if (missing)
    e = unknown && cache_writable(f) ? learn(f, seq, arena, &size, values)
                                     : look_up(f, seq, want, arena, &size, values);
  *facts = (struct facts){.size = size,
                          .envelope = values[CACHE_ENVELOPE].data,
                          .envelope_size = values[CACHE_ENVELOPE].size,
                          .body = values[CACHE_BODY].data,
                          .body_size = values[CACHE_BODY].size,
                          .bodystructure = values[CACHE_BODYSTRUCTURE].data,
                          .bodystructure_size = values[CACHE_BODYSTRUCTURE].size};
  return e;
}

/* ---- fields of the header ---- */

static enum store_error read_fields(struct folder *f, uint32_t seq, struct field_choice const *c,
                                    struct arena *arena, struct field_lines *lines) {
  struct message_section const section = {
      .kind = SECTION_HEADER_FIELDS, .fields = (char const **)c->names, .nfields = c->n};
  struct message_extent extent;
  struct message_part *root;
  int fd;
  enum store_error e = folder_message(f, seq, &fd);
  if (e) return e;
  if (message_parse_header(fd, arena, &root) < 0 ||
      message_section_find(fd, root, &section, arena, &extent) < 0)
    e = folder_failure(f, "read a message in", 0);
  else
    *lines = (struct field_lines){extent.data, (size_t)extent.wire};
  close(fd);
  return e;
}

/* Both columns, as far as the choice needs them. */
static enum cache_answer kept_fields(struct folder *f, uint32_t seq, struct field_choice const *c,
                                     struct cache_value values[CACHE_COLUMNS]) {
  enum cache_answer common = CACHE_KNOWN, rare = CACHE_KNOWN;
  if (c->traces) return CACHE_LARGE;
  if (c->common || !c->rare) common = cache_get(f, seq, CACHE_COMMON, &values[CACHE_COMMON]);
  if (c->rare) rare = cache_get(f, seq, CACHE_RARE, &values[CACHE_RARE]);
  return common < rare ? common : rare;
}

enum store_error folder_fields(struct folder *f, uint32_t seq, struct field_choice const *c,
                               struct arena *arena, struct field_lines *lines) {
  struct cache_value values[CACHE_COLUMNS] = {{0}};
  uint64_t size;
  enum cache_answer answer = kept_fields(f, seq, c, values);
  if (answer == CACHE_UNKNOWN && cache_writable(f)) {
    enum store_error e = learn(f, seq, arena, &size, values);
    if (e) return e;
    if (values[CACHE_COMMON].size > CACHE_VALUE_MAX || values[CACHE_RARE].size > CACHE_VALUE_MAX)
      values[CACHE_COMMON].data = 0;
    if (values[CACHE_COMMON].data) answer = CACHE_KNOWN;
  }
  char *out = answer == CACHE_KNOWN ? cache_scratch(f) : 0;
  if (!out) return read_fields(f, seq, c, arena, lines);
  *lines =
      (struct field_lines){out, fields_choose(c, &values[CACHE_COMMON], &values[CACHE_RARE], out)};
  return STORE_OK;
}
