/* What is vectorised does what the plain way does: finding, folding; and a signature excludes
 * nothing that is there. */
#define _GNU_SOURCE /* memmem */
#include "message-test.h"

#include "message/internal.h"

static unsigned int seed = 4;

static unsigned int pick(unsigned int n) {
  seed = seed * 1103515245 + 12345;
  return seed / 65536 % n;
}

/* Few letters, so that much is nearly found. */
static void fill(char *text, size_t size, char const *letters) {
  for (size_t i = 0; i < size; i++) text[i] = letters[pick((unsigned int)strlen(letters))];
}

enum { TEXT_MAX = 600, NEEDLE_MAX = 40 };

static bool finds_right(char const *letters) {
  char text[TEXT_MAX], needle[NEEDLE_MAX];
  size_t size = pick(TEXT_MAX), wanted = 1 + pick(NEEDLE_MAX);
  fill(text, size, letters);
  fill(needle, wanted, letters);
  if (pick(2) && wanted <= size)
    memcpy(needle, text + pick((unsigned int)(size - wanted + 1)), wanted);
  if (pick(2)) needle[pick((unsigned int)wanted)] = letters[0];
  struct wanted w;
  wanted_init(&w, needle, wanted);
  /* A copy of just that size, for the sanitizers. */
  char *copy = malloc(size + !size);
  memcpy(copy, text, size);
  bool right = wanted_in(&w, copy, size) == !!memmem(text, size, needle, wanted);
  free(copy);
  return right;
}

static void test_finding(void) {
  bool right = true;
  for (int i = 0; i < 200000 && right; i++)
    right = finds_right(i % 3 ? "AB" : i % 2 ? "AAAAAAAAAAAAAAAB" : "ABCDEFGHIJ \n\xc3\x9f");
  ok(right, "the same as memmem");
  struct wanted w;
  wanted_init(&w, "", 0);
  ok(wanted_in(&w, "", 0) && wanted_in(&w, "abc", 3), "what is empty is in everything");
}

static void test_folding(void) {
  static char const *const pieces[] = {
      "abcxyz",      "ABC", "\r\n",
      "\xc3\xa9",    "0",   "@[`{",
      "\xff",        "\r",  "plain text of more than sixteen bytes ",
      "\xe2\x84\xaa"};
  bool right = true;
  for (int i = 0; i < 20000 && right; i++) {
    stralloc text = STRALLOC_ZERO, at_once = STRALLOC_ZERO, apart = STRALLOC_ZERO;
    for (unsigned int n = pick(12); n; n--) {
      char const *piece = pieces[pick(sizeof pieces / sizeof *pieces)];
      sa_puts(&text, piece);
      for (; *piece & 0x80 ? 0 : *piece; piece++) casemap_fold(&apart, piece, 1);
      casemap_fold(&apart, piece, strlen(piece));
    }
    casemap_fold(&at_once, text.s, text.len);
    right = at_once.len == apart.len && (!apart.len || !memcmp(at_once.s, apart.s, apart.len)) &&
            (!apart.len || !memchr(apart.s, '\r', apart.len));
    stralloc_free(&text);
    stralloc_free(&at_once);
    stralloc_free(&apart);
  }
  ok(right, "in pieces as at once");
}

static enum message_hint hint(struct message_grams const *g, char const *needle, size_t size,
                              bool header) {
  stralloc signature = STRALLOC_ZERO;
  message_put_signature(&signature, g);
  struct message_needle *n = message_needle_new(needle, size, &test_arena);
  enum message_hint result = message_signature_hint(n, header, signature.s, signature.len);
  stralloc_free(&signature);
  return result;
}

static bool excludes(struct message_grams const *g, char const *needle, size_t size, bool header) {
  return hint(g, needle, size, header) == MESSAGE_LACKS;
}

static void test_signatures(void) {
  static struct message_grams g;
  static char text[70000];
  unsigned int wrong = 0, excluded = 0, tries = 0;
  for (size_t size = 1; size < sizeof text; size = size * 3 + 1) {
    message_grams_clear(&g);
    fill(text, size, "ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789.,-");
    grams_add(&g.body, text, size);
    for (size_t n = 1; n < 60 && n <= size; n++) {
      size_t at = pick((unsigned int)(size - n + 1));
      wrong += excludes(&g, text + at, n, false) + excludes(&g, text + at, n, true);
      tries += n > 4;
      excluded +=
          n > 4 &&
          excludes(&g,
                   "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopq" + n % 8,
                   n, true);
    }
  }
  ok(!wrong, "what is there is never excluded");
  ok(tries && excluded > tries / 2, "most of what is not there is");
  message_grams_clear(&g);
  grams_add(&g.header, "SUBJECT: X", 10);
  ok(excludes(&g, "subject", 7, false) && !excludes(&g, "subject", 7, true),
     "headers count where they are asked for");
  struct message_needle *n = message_needle_new("abc", 3, &test_arena);
  static char const *const nonsense[] = {"", "1234567", "\1\0\0\0\0\0\0", "\0\0\0\0\xff\xff\xff"};
  bool any = false;
  for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
    any |= message_signature_hint(n, true, nonsense[i], i ? i == 1 ? 7 : 8 : 0) != MESSAGE_MAY_HOLD;
  ok(!any, "a signature that makes no sense");
}

/* Every needle of one or two bytes, in texts of all sizes at which something ends. */
static void test_few_letters(void) {
  static char const alphabet[] = "ACMYZ@[ 1\n\xc3\x89", wanted[] = "ACMXZ@[1";
  static struct message_grams g;
  char text[200];
  unsigned int wrong = 0, unknown = 0;
  for (size_t size = 0; size < sizeof text; size++) {
    message_grams_clear(&g);
    fill(text, size, alphabet);
    grams_add(&g.body, text, size);
    for (size_t i = 0; i < 2 * 64; i++) {
      char const needle[2] = {wanted[i % 8], wanted[i / 8 % 8]};
      size_t n = 1 + i / 64 % 2;
      bool there = memmem(text, size, needle, n), letters = needle[0] >= 'A' && needle[0] <= 'Z' &&
                                                            needle[n - 1] >= 'A' &&
                                                            needle[n - 1] <= 'Z';
      enum message_hint h = hint(&g, needle, n, i & 1);
      wrong += h == MESSAGE_HOLDS ? !there : h == MESSAGE_LACKS && there;
      unknown += letters && h == MESSAGE_MAY_HOLD;
    }
  }
  ok(!wrong, "one or two bytes: neither excluded nor promised wrongly");
  ok(!unknown, "of letters nothing is left open");
  message_grams_clear(&g);
  grams_add(&g.header, "X", 1);
  grams_add(&g.header, "YZ", 2);
  ok(hint(&g, "x", 1, true) == MESSAGE_HOLDS && hint(&g, "x", 1, false) == MESSAGE_LACKS &&
         hint(&g, "yz", 2, true) == MESSAGE_HOLDS && hint(&g, "xy", 2, true) == MESSAGE_LACKS,
     "headers, one text and another");
}

int main(void) {
  log_init("test");
  test_finding();
  test_folding();
  test_signatures();
  test_few_letters();
  arena_release(&test_arena);
  return tap_done();
}
