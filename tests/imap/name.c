/* Mailbox names in modified UTF-7: RFC 3501 section 5.1.3. */
#include "../tap.h"
#include "imap/imap.h"

static void both(char const *name, char const *utf8) {
  struct arena a = {0};
  is(imap_name_to_utf8(name, &a), utf8, name);
  is(imap_name_from_utf8(utf8, &a), name, "  and back");
  ok(imap_name_valid(name), "  and valid");
  arena_release(&a);
}

static void bad_name(char const *name, char const *why) {
  struct arena a = {0};
  ok(!imap_name_valid(name) && !imap_name_to_utf8(name, &a), why);
  arena_release(&a);
}

static void bad_utf8(char const *utf8, char const *why) {
  struct arena a = {0};
  is(imap_name_from_utf8(utf8, &a), 0, why);
  arena_release(&a);
}

/* Every code point survives, alone and between others. */
static void test_all(void) {
  unsigned int bad = 0;
  for (uint32_t c = 0x80; c <= 0x10ffff; c += c < 0x1000 ? 1 : 37) {
    if (c >= 0xd800 && c <= 0xdfff) continue;
    char utf8[20] = "a", *p = utf8 + 1;
    for (int i = 0; i < 3; i++) {
      if (c < 0x800) {
        *p++ = (char)(0xc0 | c >> 6);
      } else {
        if (c < 0x10000) {
          *p++ = (char)(0xe0 | c >> 12);
        } else {
          *p++ = (char)(0xf0 | c >> 18);
          *p++ = (char)(0x80 | (c >> 12 & 0x3f));
        }
        *p++ = (char)(0x80 | (c >> 6 & 0x3f));
      }
      *p++ = (char)(0x80 | (c & 0x3f));
      if (!i) *p++ = '&';
    }
    *p = 0;
    struct arena a = {0};
    char *name = imap_name_from_utf8(utf8, &a);
    char *again = name ? imap_name_to_utf8(name, &a) : 0;
    bad += !again || strcmp(again, utf8) != 0;
    arena_release(&a);
  }
  is_uint(bad, 0, "every code point survives");
}

int main(void) {
  both("INBOX.Sent", "INBOX.Sent");
  both("", "");
  both("a&-b", "a&b");
  both("&-&-", "&&");
  both("~peter/mail/&U,BTFw-/&ZeVnLIqe-",
       "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c"
       "\xac\xe8\xaa\x9e"); /* the RFC's example */
  both("Entw&APw-rfe", "Entw\xc3\xbcrfe");
  both("&Jjo-&-", "\xe2\x98\xba&");
  both("&2D3eAA-", "\xf0\x9f\x98\x80");
  both("&-APw-", "&APw-"); /* an ampersand, then plain text */
  bad_name("&Jjo", "a run that does not end");
  bad_name("&", "a lone ampersand");
  bad_name("&Jjo!", "another character in a run");
  bad_name("&Jj-", "half a character");
  bad_name("&Jjp-", "bits left over that are not zero");
  bad_name("&JjoA-", "a digit too many");
  bad_name("&AGE-", "an ASCII letter encoded");
  bad_name("&ACY-", "an ampersand encoded");
  bad_name("&Jjo-&Jjo-", "two runs where one would do (RFC 3501: &U,BTFw-&ZeVnLIqe-)");
  bad_name("&2D0-", "half a surrogate pair");
  bad_name("&3gA-", "the other half");
  bad_name("&2D0AYQ-", "half a pair and a letter");
  bad_name("&AAA-", "NUL encoded");
  bad_name("&AAo-", "a line feed encoded");
  bad_name("&AH8-", "DEL encoded");
  bad_name("Entw\xc3\xbcrfe", "8-bit");
  bad_name("a\tb", "a control character");
  bad_name("a\177", "DEL");
  bad_utf8("\xff", "no UTF-8");
  bad_utf8("\xc3", "UTF-8 cut short");
  bad_utf8("\xc0\x80", "overlong, 2 bytes");
  bad_utf8("\xe0\x80\x80", "overlong, 3 bytes");
  bad_utf8("\xf0\x80\x80\x80", "overlong, 4 bytes");
  bad_utf8("\xed\xa0\x80", "a surrogate");
  bad_utf8("\xf4\x90\x80\x80", "above U+10FFFF");
  bad_utf8("\xf8\x88\x80\x80\x80", "5 bytes");
  bad_utf8("\x80", "a continuation byte alone");
  bad_utf8("a\nb", "a control character");
  test_all();
  return tap_done();
}
