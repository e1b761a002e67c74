/* Parameters of Content-Type and Content-Disposition (RFC 2231), language lists
 * (message/parameter.c). */
#include "fuzz.h"
#include "message/internal.h"

static void check_parameters(char const *value, size_t size, struct arena *arena) {
  size_t total = 0, n = 0;
  struct message_param *list = params_parse(value, value + size, arena);
  for (struct message_param *p = list; p; p = p->next) {
    must(p->name && *p->name && p->value);
    must(!strchr(p->value, '\n'));
    /* What a name gives is its first value. */
    struct message_param *first = list;
    while (strcasecmp(first->name, p->name) != 0) first = first->next;
    must(param_value(list, p->name) == first->value);
    total += strlen(p->name) + strlen(p->value);
    n++;
  }
  must(n <= size && total <= size);
}

static void check_languages(char const *value, size_t size, struct arena *arena) {
  char const **list = languages_parse(value, size, arena);
  if (!list) return;
  must(*list);
  for (; *list; list++)
    for (char const *c = *list; c == *list || *c; c++)
      must((unsigned char)*c > ' ' && *c != 0x7f && *c != ',');
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  struct arena arena = {0};
  char *value = arena_copy(&arena, data, size);
  replace_nuls(value, size);
  check_parameters(value, size, &arena);
  check_languages(value, size, &arena);
  arena_release(&arena);
  return 0;
}
