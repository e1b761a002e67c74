/* Encoded words (message/word.c): what comes out is UTF-8, and bounded. */
#include "fuzz.h"
#include "message/internal.h"

#include <utf8proc.h>

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  setenv("IMAP_CHARSETD", "/nonexistent", 1); /* it is a target of its own */
  log_init("fuzz");
  return 0;
}

static void check_utf8(char const *text, size_t size) {
  while (size) {
    utf8proc_int32_t c;
    utf8proc_ssize_t n =
        utf8proc_iterate((utf8proc_uint8_t const *)text, (utf8proc_ssize_t)size, &c);
    must(n > 0);
    text += n, size -= (size_t)n;
  }
}

static bool is_plain_ascii(char const *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (text[i] & 0x80 || text[i] == '=') return false;
  return true;
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  struct arena arena = {0};
  stralloc out = STRALLOC_ZERO;
  char *value = arena_copy(&arena, data, size);
  replace_nuls(value, size);
  char const *unfolded = field_unfold(value, size, &arena);
  size = strlen(unfolded);
  message_decode_words(&out, unfolded, size);
  check_utf8(out.s, out.len);
  must(out.len <= 3 * size); /* a byte becomes U+FFFD, or a character of Windows-1252 */
  if (is_plain_ascii(unfolded, size))
    must(out.len == size && (!size || !memcmp(out.s, unfolded, size)));
  stralloc_free(&out);
  arena_release(&arena);
  return 0;
}
