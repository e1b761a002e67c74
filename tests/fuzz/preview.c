/* The first words of a message (message/preview.c, excerpt.c, html.c, entity.c): few, UTF-8, on one
 * line. */
#include "mail.h"

#include <utf8proc.h>

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  setenv("IMAP_CHARSETD", "/nonexistent", 1);
  log_init("fuzz");
  return 0;
}

static void check(stralloc const *s) {
  unsigned int characters = 0;
  for (size_t at = 0; at < s->len; characters++) {
    utf8proc_int32_t c;
    utf8proc_ssize_t n =
        utf8proc_iterate((utf8proc_uint8_t const *)s->s + at, (utf8proc_ssize_t)(s->len - at), &c);
    must(n > 0 && c >= ' ' && c != 0x7f);
    at += (size_t)n;
  }
  must(characters <= MESSAGE_PREVIEW_MAX);
  if (s->len) must(s->s[0] != ' ' && s->s[s->len - 1] != ' ');
}

static void check_entity(uint8_t const *data, size_t size) {
  char name[HTML_REFERENCE_MAX + 1];
  if (size > HTML_REFERENCE_MAX) size = HTML_REFERENCE_MAX;
  memcpy(name, data, size);
  name[size] = 0;
  must(entity_character(name) >= -1 && entity_character(name) <= 0x10ffff);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  struct arena arena = {0};
  stralloc out = STRALLOC_ZERO;
  struct message_part *root = parse_whole(data, size, &arena);
  must(!message_put_preview(&out, fuzz_file(data, size), root));
  check(&out);
  check_entity(data, size);
  stralloc_free(&out);
  arena_release(&arena);
  return 0;
}
