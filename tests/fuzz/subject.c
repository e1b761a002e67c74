/* What SORT and THREAD make of header values (message/subject.c, collate.c, reference.c). */
#include "fuzz.h"
#include "message/internal.h"

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  setenv("IMAP_CHARSETD", "/nonexistent", 1);
  log_init("fuzz");
  return 0;
}

static bool is_ascii(char const *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (text[i] & 0x80) return false;
  return true;
}

/* A base subject is its own base subject, and of no reply; unless folding has made something else
 * of it, or of encoded words. */
static void check_subject(char const *value, size_t size) {
  static struct wanted const encoded_word = {"=?", 2, 0, 1};
  stralloc base = STRALLOC_ZERO, again = STRALLOC_ZERO;
  message_put_base_subject(&base, value, size);
  must(!base.len || !memchr(base.s, 0xff, base.len));
  if (base.len && is_ascii(value, size) && !wanted_in(&encoded_word, value, size)) {
    must(!message_put_base_subject(&again, base.s, base.len));
    must(again.len == base.len && !memcmp(again.s, base.s, base.len));
  }
  stralloc_free(&base);
  stralloc_free(&again);
}

static void check_addresses(char const *value, size_t size) {
  struct arena arena = {0};
  bool any = message_parse_addresses(value, size, &arena);
  for (int display = 0; display < 2; display++) {
    stralloc key = STRALLOC_ZERO;
    must(!message_put_address_key(&key, value, size, display) || any);
    stralloc_free(&key);
  }
  arena_release(&arena);
}

/* Each lies behind the one before; together they are no longer than the value. */
static void check_ids(char const *value, size_t size) {
  stralloc ids = STRALLOC_ZERO;
  struct message_ids in = {value, value + size, false, false};
  char const *before = value;
  size_t start = 0;
  for (; message_next_id(&in, &ids); before = in.at, start = ids.len) {
    must(in.at > before && in.at <= in.end && ids.len >= start + 3);
    must(memchr(ids.s + start + 1, '@', ids.len - start - 2));
    must(!memchr(ids.s + start, '\n', ids.len - start));
  }
  must(start <= size);
  stralloc_free(&ids);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  struct arena arena = {0};
  char *value = arena_copy(&arena, data, size);
  replace_nuls(value, size);
  check_subject(value, size);
  check_addresses(value, size);
  check_ids(value, size);
  arena_release(&arena);
  return 0;
}
