/* Fields of a header: finding, unfolding (message/header.c). */
#include "fuzz.h"
#include "message/internal.h"

static void check_field(struct message_field const *f) {
  must(f->field_size && f->name == f->field);
  must(f->value >= f->field && f->value + f->value_size <= f->field + f->field_size);
  must(f->name_size <= f->field_size);
  for (size_t i = 0; i < f->name_size; i++) must(f->name[i] > ' ' && f->name[i] < 0x7f);
  if (f->name_size) must(f->value[-1] == ':' && !memchr(f->name, ':', f->name_size));
}

static void check_unfolded(char const *text, struct arena *arena) {
  size_t size = strlen(text);
  must(!strchr(text, '\n'));
  must(!size || (!is_blank(text[0]) && !is_blank(text[size - 1])));
  must(!strcmp(field_unfold(text, size, arena), text));
}

/* By name one gets the first field of that name. */
static void check_get(char const *header, size_t size, struct message_field const *wanted,
                      struct arena *arena) {
  char const *name = arena_copy(arena, wanted->name, wanted->name_size);
  char const *got = message_header_get(header, size, name, arena);
  must(got);
  check_unfolded(got, arena);
  struct message_field f;
  for (size_t at = 0; message_next_field(header, size, &at, &f);) {
    if (!same_name(f.name, f.name_size, name)) continue;
    must(!strcmp(got, field_unfold(f.value, f.value_size, arena)));
    return;
  }
  must(!"found");
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  enum { LOOKED_UP = 20 }; /* each goes through all fields */
  struct arena arena = {0};
  char *header = arena_copy(&arena, data, size);
  replace_nuls(header, size);
  struct message_field f;
  size_t at = 0, before = 0, n = 0;
  for (; message_next_field(header, size, &at, &f); before = at) {
    must(f.field == header + before && f.field_size == at - before && at <= size);
    check_field(&f);
    check_unfolded(field_unfold(f.value, f.value_size, &arena), &arena);
    if (f.name_size && n++ < LOOKED_UP) check_get(header, size, &f, &arena);
  }
  must(at == before);
  must(at == size || header[at] == '\n' || (header[at] == '\r' && header[at + 1] == '\n'));
  arena_release(&arena);
  return 0;
}
