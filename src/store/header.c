/* Fields of a message's header: their lines, and searching in them; from the cache, else from the
 * message's file. */
#include "store/fields.h"

#include <unistd.h>

/* ---- lines ---- */

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
                                     struct cache_value values[CACHE_LATE]) {
  enum cache_answer common = CACHE_KNOWN, rare = CACHE_KNOWN;
  if (c->traces) return CACHE_LARGE;
  if (c->common || !c->rare) common = cache_get(f, seq, CACHE_COMMON, &values[CACHE_COMMON]);
  if (c->rare) rare = cache_get(f, seq, CACHE_RARE, &values[CACHE_RARE]);
  return common < rare ? common : rare;
}

enum store_error folder_fields(struct folder *f, uint32_t seq, struct field_choice const *c,
                               struct arena *arena, struct field_lines *lines) {
  struct cache_value values[CACHE_LATE] = {{0}};
  struct cache_numbers numbers = {0};
  enum cache_answer answer = kept_fields(f, seq, c, values);
  if (answer == CACHE_UNKNOWN && cache_writable(f)) {
    enum store_error e = facts_learn(f, seq, arena, &numbers, values);
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

/* ---- searching ---- */

/* In the lines. */
static enum store_error decode_and_search(struct folder *f, uint32_t seq,
                                          struct field_choice const *c,
                                          struct message_needle const *needle, struct arena *arena,
                                          bool *holds) {
  struct field_lines lines;
  struct message_field field;
  enum store_error e = folder_fields(f, seq, c, arena, &lines);
  for (size_t at = 0; !e && !*holds && message_next_field(lines.data, lines.size, &at, &field);)
    *holds = message_value_matches(needle, field.value, field.value_size);
  return e;
}

/* In the value of a folded column, which is found out now. */
static enum store_error learn_and_search(struct folder *f, uint32_t seq,
                                         struct field_choice const *c,
                                         struct message_needle const *needle, struct arena *arena,
                                         bool *holds) {
  struct cache_value values[CACHE_LATE] = {{0}}, *v = &values[c->folded];
  struct cache_numbers numbers = {0};
  enum store_error e = facts_learn(f, seq, arena, &numbers, values);
  if (e) return e;
  if (!v->data) return decode_and_search(f, seq, c, needle, arena, holds);
  *holds = message_folded_matches(needle, v->data, v->size);
  return STORE_OK;
}

enum store_error folder_fields_hold(struct folder *f, uint32_t seq, struct field_choice const *c,
                                    struct message_needle const *needle, struct arena *arena,
                                    bool *holds) {
  struct cache_value v;
  *holds = false;
  enum cache_answer answer =
      c->folded < 0 ? CACHE_LARGE : cache_get(f, seq, (enum cache_column)c->folded, &v);
  if (answer == CACHE_UNKNOWN && cache_writable(f))
    return learn_and_search(f, seq, c, needle, arena, holds);
  if (answer != CACHE_KNOWN) return decode_and_search(f, seq, c, needle, arena, holds);
  *holds = message_folded_matches(needle, v.data, v.size);
  return STORE_OK;
}
