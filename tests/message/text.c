/* Searching: comparison without case, header values, decoded bodies. */
#include "message-test.h"

static struct message_needle *needle(char const *text) {
  return message_needle_new(text, strlen(text), &test_arena);
}

static bool value_has(char const *value, char const *text) {
  return message_value_matches(needle(text), value, strlen(value));
}

static int file_has(int fd, char const *text, bool with_header) {
  struct message_part *root;
  if (message_parse_file(fd, &test_arena, &root) < 0) return -2;
  struct message_bytes const bytes = {.fd = fd};
  return message_text_matches(&bytes, root, with_header, needle(text), 0);
}

static int body_has(char const *message, char const *text) {
  int fd = file_of(message, strlen(message));
  int found = file_has(fd, text, false);
  close(fd);
  return found;
}

static int text_has(char const *message, char const *text) {
  int fd = file_of(message, strlen(message));
  int found = file_has(fd, text, true);
  close(fd);
  return found;
}

static void test_values(void) {
  ok(value_has("Hello World", "o wOR"), "ASCII without case");
  ok(!value_has("Hello World", "helo"), "what is not there");
  ok(value_has("anything", ""), "RFC 3501 section 6.4.4: nothing is in everything");
  ok(value_has("", "") && !value_has("", "a"), "an empty value");
  ok(value_has("two\r\n lines", "two lines"), "folding");
  ok(value_has("two\r\n\tlines", "two lines") && value_has("two  \n  lines", "TWO \tlines") &&
         value_has("a  b", "a b") && value_has("a b", "a  b") && !value_has("a  b", "ab"),
     "a run of blanks is one");
  ok(value_has("=?utf-8?q?a?= \r\n\t b \xc3\xa9", "a b"), "and beside an encoded word");
  ok(value_has("=?iso-8859-1?q?GR=DC=DFe?=", "gr\xc3\xbc\xc3\x9f"), "an encoded word");
  ok(value_has("=?utf-8?q?ab?= =?utf-8?q?cd?=", "bc"), "across two encoded words");
  ok(value_has("\xd0\x9f\xd1\x80\xd0\xb8", "\xd0\xbf\xd0\xa0\xd0\x98"), "Cyrillic without case");
  ok(value_has("e\xcc\x81t\xc3\xa9", "\xc3\xa9te\xcc\x81"),
     "RFC 5051: composed and decomposed are the same");
  ok(value_has("o\xef\xac\x83"
               "ce",
               "OFFICE"),
     "RFC 5051: a ligature is its letters");
  ok(value_has("\xc7\x86", "\xc7\x84") && value_has("\xc7\x86", "\xc7\x85"),
     "RFC 5051: titlecase, upper and lower case");
  ok(value_has("\xea\xb0\x80", "\xea\xb0\x80") && !value_has("\xea\xb0\x80", "\xe1\x84\x80"),
     "RFC 5051: Hangul syllables stay whole");
  ok(!message_needle_new("\xff", 1, &test_arena), "a needle that is not UTF-8");
}

#define HTML              \
  "<p>Gr\xc3\xbc\xc3\x9f" \
  "e</p>"
static char const mail[] =
    "Subject: Top\nContent-Type: multipart/mixed; boundary=x\n\npreamble\n--x\n\nfirst PART\n"
    "--x\nContent-Type: text/html; charset=utf-8\n\n" HTML "\n"
    "--x\nContent-Type: text/plain; charset=iso-8859-1\n"
    "Content-Transfer-Encoding: quoted-printable\n\nna=EFve co=\nntinued  \n=3d=\n"
    "--x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
    "w4R\nmZmVy\ndHVyIQ==\nISE=\n"
    "--x\nContent-Type: application/octet-stream; name=secret\n\nbinary\n"
    "--x\nContent-Type: message/rfc822\n\nSubject: =?utf-8?q?Inn=65r?=\n\ndeep down\n"
    "--x\nContent-Type: message/delivery-status\n\nAction: failed\n"
    "--x\nContent-Type: text/plain; charset=x-none\n\nplain anyway\n--x--\nepilogue\n";

static void test_bodies(void) {
  ok(body_has(mail, "First part") == 1, "plain text");
  ok(body_has(mail, "gr\xc3\x9c\xc3\x9f"
                    "E</P>") == 1,
     "HTML, as its source");
  ok(body_has(mail, "NA\xc3\x8fVE continued") == 1, "quoted-printable, a soft line end");
  ok(body_has(mail, "continued\r\n=") == 1, "a line end, whatever the file has");
  ok(body_has(mail, "a\xcc\x88"
                    "ffertur!!!") == 1,
     "base64, padding in the middle");
  ok(body_has(mail, "binary") == 0, "what is no text");
  ok(body_has(mail, "deep down") == 1, "a message within");
  ok(body_has(mail, "Action: failed") == 1, "a delivery status");
  ok(body_has(mail, "plain anyway") == 1, "an unknown charset");
  ok(body_has(mail, "subject") == 0 && body_has(mail, "Inner") == 0, "BODY: no header");
  ok(body_has(mail, "preamble") == 0 && body_has(mail, "epilogue") == 0, "what nobody sees");
  ok(body_has(mail, "part\n<p>") == 0, "nothing across parts");
  ok(text_has(mail, "subject: top") == 1, "TEXT: the header");
  ok(text_has(mail, "Inner") == 1, "the header of a message within");
  ok(text_has(mail, "name=SECRET") == 1, "the header of a part");
  ok(text_has(mail, "deep") == 1 && text_has(mail, "nowhere") == 0, "and the text");
  ok(body_has("\n", "") == 1, "nothing is in everything");
  ok(body_has("Content-Transfer-Encoding: base64\n\nYWJ", "ab") == 1, "truncated base64");
  ok(body_has("Content-Transfer-Encoding: base64\n\n!Y*W\nJj=", "abc") == 1, "rubbish in base64");
  ok(body_has("Content-Transfer-Encoding: quoted-printable\n\n=zz==41=4", "=zz=A=4") == 1,
     "broken quoted-printable");
  ok(body_has("Content-Transfer-Encoding: x-none\n\nabc", "abc") == 1, "an unknown encoding");
  ok(body_has("\ncaf\xe9", "caf\xc3\xa9") == 1, "8-bit text without a charset");
}

/* The words stand across the borders of chunks of any size up to 64 KiB. */
static void test_large(void) {
  static char const *const encodings[] = {"8bit", "quoted-printable"};
  for (unsigned int e = 0; e < 2; e++) {
    stralloc s = STRALLOC_ZERO;
    stralloc_cats(&s, "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: ");
    stralloc_cats(&s, encodings[e]);
    stralloc_cats(&s, "\n\n");
    unsigned int words = 0;
    for (size_t before = 32700; s.len < 300000; words++) {
      char word[40];
      while (s.len % 32768 < before % 32768) stralloc_cats(&s, s.len % 64 ? "." : "\n");
      snprintf(word, sizeof word, e ? "=C3=A9t=C3=A9%u=C3=A9" : "\xc3\xa9t\xc3\xa9%u\xc3\xa9",
               words);
      stralloc_cats(&s, word);
      before = 32750 + words;
      stralloc_cats(&s, ".......................................................................");
    }
    int fd = file_of(s.s, s.len);
    bool all = true;
    for (unsigned int i = 0; i < words; i++) {
      char word[40];
      snprintf(word, sizeof word, "\xc3\x89T\xc3\x89%u\xc3\x89", i);
      all &= file_has(fd, word, false) == 1;
    }
    ok(all && words > 5, encodings[e]);
    ok(file_has(fd, "\xc3\xa9t\xc3\xa9x", false) == 0, "and nothing else");
    stralloc_free(&s);
    close(fd);
  }
}

static void test_foreign(void) {
  char const *bin = getenv("CHAINMAIL_BIN");
  if (!bin || !charset_known("iso-2022-jp")) {
    printf("# no charsetd or no iso-2022-jp on this system: its test is skipped\n");
    return;
  }
  stralloc s = STRALLOC_ZERO;
  stralloc_cats(&s, "Content-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B");
  for (unsigned int i = 0; i < 40001; i++) stralloc_cats(&s, "4A");
  stralloc_cats(&s, ";z\x1b(Bend");
  int fd = file_of(s.s, s.len);
  ok(file_has(fd,
              "\xe6\xbc\xa2\xe5\xad\x97"
              "END",
              false) == 1,
     "a charset with states, over several chunks");
  stralloc_free(&s);
  close(fd);
}

int main(void) {
  find_charsetd();
  log_init("test");
  test_values();
  test_bodies();
  test_large();
  test_foreign();
  arena_release(&test_arena);
  return tap_done();
}
