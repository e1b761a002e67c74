/* Encoded words, transfer encodings and charsets. */
#include "message-test.h"

static char const *decoded(char const *value) {
  stralloc s = STRALLOC_ZERO;
  message_decode_words(&s, value, strlen(value));
  return taken(&s);
}

static char const *converted(char const *charset, char const *text) {
  stralloc s = STRALLOC_ZERO;
  bool known = charset_to_utf8(&s, charset, text, strlen(text));
  return known ? taken(&s) : "unknown";
}

static void test_words(void) {
  /* RFC 2047 section 8, without the parentheses. */
  is(decoded("=?ISO-8859-1?Q?a?="), "a", "RFC 2047 section 8: one word");
  is(decoded("=?ISO-8859-1?Q?a?= b"), "a b", "RFC 2047 section 8: a word and text");
  is(decoded("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?="), "ab", "RFC 2047 section 8: two words");
  is(decoded("=?ISO-8859-1?Q?a?=  \r\n =?ISO-8859-1?Q?b?="), "ab",
     "RFC 2047 section 8: blanks between words");
  is(decoded("=?ISO-8859-1?Q?a_b?="), "a b", "RFC 2047 section 8: a blank within");
  is(decoded("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?="),
     charset_known("iso-8859-2") ? "a b" : "a=?ISO-8859-2?Q?_b?=",
     "RFC 2047 section 8: two charsets");
  is(decoded("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>"), "Keith Moore <moore@cs.utk.edu>",
     "RFC 2047 section 8: From");
  is(decoded("=?ISO-8859-1?Q?Andr=E9?= Pirard"), "Andr\xc3\xa9 Pirard", "RFC 2047 section 8: CC");
  is(decoded("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?="), "If you can read this yo",
     "RFC 2047 section 8: base64");
  is(decoded("=?US-ASCII*EN?Q?Keith_Moore?="), "Keith Moore", "RFC 2231 section 5: a language");
  is(decoded("=?utf-8?Q?=C3?= =?utf-8?Q?=A9?="), "\xc3\xa9", "a character cut in two");
  is(decoded("\"=?utf-8?q?a?=\" x=?utf-8?q?b?=y"), "\"a\" xby", "inside quotes and words");
  is(decoded("=?x-unknown?Q?a?= b"), "=?x-unknown?Q?a?= b", "an unknown charset stays");
  is(decoded("=?utf-8?X?a?= =?utf-8?Q?a =? =?= ?= ="),
     "=?utf-8?X?a?= =?utf-8?Q?a =? =?= ?= =", "what is no encoded word stays");
  is(decoded("=?utf-8?Q?a=?="), "a=", "a lone = is itself");
  is(decoded("=?utf-16be?Q?=00a?=") + 1, charset_known("utf-16be") ? "" : "?utf-16be?Q?=00a?=",
     "an encoded NUL is part of a character");
  is(decoded("caf\xe9 caf\xc3\xa9"), "caf\xc3\xa9 caf\xc3\xa9", "8-bit text: UTF-8 or ISO-8859-1");
  is(decoded(""), "", "nothing");
}

static void test_charsets(void) {
  is(converted("UTF-8", "\xe2\x82\xac"), "\xe2\x82\xac", "UTF-8");
  is(converted("utf-8", "a\xff\xe2\x82z\xc0\xaf\xed\xa0\x80"),
     "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef"
     "\xbf"
     "\xbd",
     "broken UTF-8");
  is(converted("us-ascii", "a\xe9"), "a\xc3\xa9", "ASCII that is none");
  is(converted("ISO-8859-1", "\xa4\xe9"), "\xc2\xa4\xc3\xa9", "ISO-8859-1");
  is(converted("ISO-8859-15", "\xa4\xe9"), "\xe2\x82\xac\xc3\xa9", "ISO-8859-15");
  is(converted("Windows-1252", "\x80\x81\x9f\xe9"), "\xe2\x82\xac\xef\xbf\xbd\xc5\xb8\xc3\xa9",
     "windows-1252");
  is(converted("../../etc/passwd", "a"), "unknown", "a path is no charset");
  is(converted("utf-16//TRANSLIT", "a"), "unknown", "nor is an option of iconv");
  is(converted("", "a"), "unknown", "nor is nothing");
  is(converted("x-unknown", "a"), "unknown", "an unknown charset");
}

static void test_foreign(void) {
  char const *bin = getenv("CHAINMAIL_BIN");
  if (!bin || !charset_known("koi8-r")) {
    printf("# no charsetd or no koi8-r on this system: its tests are skipped\n");
    return;
  }
  is(converted("KOI8-R", "\xd0\xd2\xc9"), "\xd0\xbf\xd1\x80\xd0\xb8", "KOI8-R by charsetd");
  is(converted("iso-2022-jp", "\x1b$B4A;z\x1b(B"), "\xe6\xbc\xa2\xe5\xad\x97", "ISO-2022-JP");
  is(converted("gb2312", "\xba\xba\xff"), "\xe6\xb1\x89\xef\xbf\xbd", "what cannot be converted");
  is(converted("shift_jis", "\x8a"), "\xef\xbf\xbd", "half a character at the end");
  is(decoded("=?koi8-r?B?0NLJ?="), "\xd0\xbf\xd1\x80\xd0\xb8", "in a header");
  ok(!charset_known("x-unknown-2") && charset_known("koi8-r"), "what is known and what is not");
}

int main(void) {
  find_charsetd();
  log_init("test");
  test_charsets();
  test_words();
  test_foreign();
  arena_release(&test_arena);
  return tap_done();
}
