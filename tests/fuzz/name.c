/* Mailbox names: modified UTF-7 and UTF-8 (imap/name.c). */
#include "fuzz.h"
#include "imap/imap.h"

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  struct arena arena = {0};
  char const *text = arena_copy(&arena, data, size);
  char const *utf8 = imap_name_to_utf8(text, &arena);
  must(imap_name_valid(text) == !!utf8);
  if (utf8) must(!strcmp(imap_name_from_utf8(utf8, &arena), text));
  char const *name = imap_name_from_utf8(text, &arena);
  if (name) {
    must(imap_name_valid(name));
    for (char const *c = name; *c; c++) must(*c >= ' ' && *c < 0x7f);
    must(!strcmp(imap_name_to_utf8(name, &arena), text));
  }
  arena_release(&arena);
  return 0;
}
