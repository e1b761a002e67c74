/* charsetd's requests (tools/charsetd.c): what it answers is UTF-8, and the same whatever pieces a
 * text comes in. */
#include "fuzz.h"

#include <utf8proc.h>
#include <skalibs/stralloc.h>

int charsetd_main(int argc, char **argv);
#define main charsetd_main
#include "tools/charsetd.c"
#undef main

static char const *const names[] = {"iso-2022-jp",  "gb2312",    "big5",   "koi8-r",
                                    "utf-7",        "shift_jis", "utf-16", "euc-kr",
                                    "iso-8859-8-i", "x-none",    "a/b",    "iso-2022-kr"};
enum { NAMES = sizeof names / sizeof *names };

static void check_utf8(char const *text, size_t size) {
  while (size) {
    utf8proc_int32_t c;
    utf8proc_ssize_t n =
        utf8proc_iterate((utf8proc_uint8_t const *)text, (utf8proc_ssize_t)size, &c);
    must(n > 0);
    text += n, size -= (size_t)n;
  }
}

static bool convert_all(struct converter *c, char const *name, char const *data, size_t size,
                        struct dice *dice, stralloc *out) {
  int op = OP_FIRST;
  do {
    size_t n = dice && size ? chunk_of(dice, size) : size;
    if (!handle(c, op | (n == size ? OP_LAST : 0), name, data, n)) return false;
    must(c->size <= OUT_MAX && stralloc_catb(out, c->out + 5, c->size));
    data += n, size -= n;
    op = 0;
  } while (size);
  return true;
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  static struct converter c;
  if (!size || size > DATA_MAX) return 0;
  char const *name = names[*data % NAMES], *text = (char const *)data + 1;
  size--;
  struct dice dice = dice_of(data, size);
  stralloc whole = STRALLOC_ZERO, chunked = STRALLOC_ZERO;
  bool known = convert_all(&c, name, text, size, 0, &whole);
  must(convert_all(&c, name, text, size, &dice, &chunked) == known);
  must(whole.len == chunked.len && (!whole.len || !memcmp(whole.s, chunked.s, whole.len)));
  if (whole.len) check_utf8(whole.s, whole.len);
  stralloc_free(&whole);
  stralloc_free(&chunked);
  return 0;
}
