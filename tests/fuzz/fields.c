/* Lines of a header as the cache keeps them (store/fields.c): what is chosen of them is what
 * HEADER.FIELDS takes from the message; and values that somebody has made up do no harm. */
#include "mail.h"
#include "store/fields.h"

enum { NAMES = 6 };
static char const *const usual[] = {
    "Subject", "from", "X-Spam-Report", "Content-Type", "x-label", "List-Id", "x", "To"};

/* Some usual names, some that the header has. */
static size_t pick_names(struct message_part const *root, char const *names[NAMES],
                         struct dice *dice, struct arena *arena) {
  struct message_field f;
  size_t n = 0;
  for (size_t i = throw_of(dice, 3); i; i--)
    names[n++] = usual[throw_of(dice, sizeof usual / sizeof *usual)];
  for (size_t at = 0; n < NAMES && message_next_field(root->header, root->header_size, &at, &f);)
    if (f.name_size && !throw_of(dice, 3)) names[n++] = arena_copy(arena, f.name, f.name_size);
  return n;
}

static void check_choice(int fd, struct message_part const *root, char const **names, size_t n,
                         struct arena *arena) {
  struct field_choice choice;
  struct cache_value common, rare;
  struct message_extent plain;
  struct message_section const s = {.kind = SECTION_HEADER_FIELDS, .fields = names, .nfields = n};
  field_choice_init(&choice, names, n);
  if (choice.traces) return; /* they are not kept */
  fields_keep(root, arena, &common, &rare);
  if (!common.data || common.size > CACHE_VALUE_MAX || rare.size > CACHE_VALUE_MAX) return;
  /* What the choice does not need is not read. */
  if (!choice.rare) rare = (struct cache_value){0};
  char *out = arena_alloc(arena, FIELDS_SIZE_MAX);
  size_t size = fields_choose(&choice, &common, &rare, out);
  must(!message_section_find(fd, root, &s, arena, &plain));
  must(plain.wire == size && !memcmp(plain.data, out, size));
}

static void check_damaged(uint8_t const *data, size_t size, struct arena *arena) {
  static char const *names[] = {"Subject", "X"};
  struct field_choice choice;
  struct cache_value values[2] = {{(char *)arena_copy(arena, data, size), size},
                                  {(char *)arena_copy(arena, data, size / 2), size / 2}};
  char *out = arena_alloc(arena, FIELDS_SIZE_MAX);
  field_choice_init(&choice, names, 2);
  if (size > CACHE_VALUE_MAX) return;
  must(fields_choose(&choice, &values[0], &values[1], out) <= FIELDS_SIZE_MAX);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  struct arena arena = {0};
  struct dice dice = dice_of(data, size);
  char const *names[NAMES];
  struct message_part *root;
  int fd = fuzz_file(data, size);
  must(!message_parse_header(fd, &arena, &root));
  size_t n = pick_names(root, names, &dice, &arena);
  check_choice(fd, root, names, n, &arena);
  check_damaged(data, size, &arena);
  arena_release(&arena);
  return 0;
}
