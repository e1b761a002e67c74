/* Fields of a header (RFC 5322 section 2.2): finding them and taking the folding away.  What a
 * value means is other files' business.
 *
 * Readings of what is broken: a line without colon, or whose text before the colon is no field name
 * (the `From ` line of an mbox), is a field without a name, its whole text the value; so is a first
 * line that begins with a blank.  An empty line, or the end, ends the header. */
#include "message/internal.h"

/* The end of the line that begins at `at`, line end included. */
static char const *line_end(char const *at, char const *end) {
  char const *lf = memchr(at, '\n', (size_t)(end - at));
  return lf ? lf + 1 : end;
}

static char const *strip_line_end(char const *start, char const *end) {
  if (end > start && end[-1] == '\n') end--;
  if (end > start && end[-1] == '\r') end--;
  return end;
}

/* RFC 5322 section 3.6.8 (ftext), and blanks before the colon (section 4.5.8). */
static size_t name_length(char const *start, char const *colon) {
  while (colon > start && (colon[-1] == ' ' || colon[-1] == '\t')) colon--;
  for (char const *c = start; c < colon; c++)
    if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f) return 0;
  return (size_t)(colon - start);
}

static char const *field_end(char const *at, char const *end) {
  at = line_end(at, end);
  while (at < end && (*at == ' ' || *at == '\t')) at = line_end(at, end);
  return at;
}

/* False at the end: nothing more, or an empty line. */
static bool field_begins(char const *start, char const *end) {
  return start < end && *start != '\n' && !(*start == '\r' && end - start > 1 && start[1] == '\n');
}

bool next_field(char const *header, size_t size, size_t *at, struct message_field *field) {
  if (*at >= size || !field_begins(header + *at, header + size)) return false;
  field->field = header + *at;
  field->field_size = (size_t)(field_end(field->field, header + size) - field->field);
  *at += field->field_size;
  return true;
}

void field_split(struct message_field *field) {
  char const *start = field->field, *end = start + field->field_size;
  char const *text_end = strip_line_end(start, end);
  /* A colon of a later line ends no name: there is a line end before it. */
  char const *colon = memchr(start, ':', (size_t)(text_end - start));
  size_t name_size = colon ? name_length(start, colon) : 0;
  field->name = start;
  field->name_size = name_size;
  field->value = name_size ? colon + 1 : start;
  field->value_size = (size_t)(text_end - field->value);
}

bool message_next_field(char const *header, size_t size, size_t *at, struct message_field *field) {
  if (!next_field(header, size, at, field)) return false;
  field_split(field);
  return true;
}

char *field_unfold(char const *value, size_t size, struct arena *arena) {
  while (size && is_blank(*value)) value++, size--;
  while (size && is_blank(value[size - 1])) size--;
  char *copy = arena_copy(arena, value, size), *out = copy;
  for (char const *in = copy, *end = copy + size; in < end;) {
    char const *lf = memchr(in, '\n', (size_t)(end - in));
    char const *stop = lf ? lf : end;
    size_t n = (size_t)((lf && lf > in && lf[-1] == '\r' ? lf - 1 : stop) - in);
    memmove(out, in, n);
    out += n;
    in = lf ? lf + 1 : end;
  }
  *out = 0;
  return copy;
}

char *message_header_get(char const *header, size_t size, char const *name, struct arena *arena) {
  struct message_field field;
  for (size_t at = 0; message_next_field(header, size, &at, &field);)
    if (same_name(field.name, field.name_size, name))
      return field_unfold(field.value, field.value_size, arena);
  return 0;
}
