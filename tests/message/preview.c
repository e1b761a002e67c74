/* The first words of messages (RFC 8970). */
#include "message-test.h"

static char const *preview_of_bytes(char const *message, size_t size) {
  int fd = file_of(message, size);
  struct message_part *root;
  stralloc out = STRALLOC_ZERO;
  if (message_parse_file(fd, &test_arena, &root) < 0 || message_put_preview(&out, fd, root) < 0)
    exit(111);
  close(fd);
  return taken(&out);
}

static char const *preview_of(char const *message) {
  return preview_of_bytes(message, strlen(message));
}

/* Of a body of this type; as it is. */
static char const *preview_as(char const *type, char const *body) {
  stralloc s = STRALLOC_ZERO;
  stralloc_cats(&s, "Content-Type: ");
  stralloc_cats(&s, type);
  stralloc_cats(&s, "\n\n");
  stralloc_cats(&s, body);
  return preview_of(taken(&s));
}

static char const *text(char const *body) {
  return preview_as("text/plain; charset=utf-8", body);
}

static char const *html(char const *body) {
  return preview_as("text/html; charset=utf-8", body);
}

static void test_text(void) {
  is(text("Preview text!\n"), "Preview text!", "RFC 8970 section 3.2");
  is(text(""), "", "no words: empty");
  is(text("\n  one\ttwo \r\n\n\xc2\xa0three\xe3\x80\x80 four\v\n"), "one two three four",
     "blanks of all kinds are collapsed");
  is(text("a\0b"), "a", "as a string of the test");
  is(preview_of_bytes("\na\0b\033\x7f\n", 7), "ab", "controls are left out");
  is(text("\xef\xbb\xbf"
          "a\xc2\xad"
          "b\xe2\x80\x8b\xe2\x80\xae"
          "c"),
     "abc", "so are marks that nobody sees");
  is(text("\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x94\xac \xe2\x80\x8c x"),
     "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x94\xac x", "joiners stay within words");
  is(text("Hello\n=====\n\nworld\n-----------\n* * *\nend\n"), "Hello world end", "rules");
  is(text("-- \nsignature\n"), "", "nothing but a signature");
  is(text("text\n-- \nsignature\n"), "text", "RFC 3676 section 4.3: a signature ends the text");
  is(text("text\n--\nsignature\n"), "text", "its blank may be missing");
  is(text("-- text\n--more\n"), "-- text --more", "dashes that are none");
}

static void test_quoted(void) {
  is(text("> old\n> words\nnew\n"), "new", "quoted words are left out");
  is(text("On Mon, 7 Feb 2022, Fred wrote:\n> old\n>> older\n\nnew\n"), "new",
     "with the line that introduces them");
  is(text("Yes.\nOn Mon, 7 Feb 2022, Fred wrote:\n\n> old\nno\n"), "Yes. no", "and it alone");
  is(text("Yes.\nOn Mon, 7 Feb 2022 at 10:00, Fred Foobar\n<fred@example.com> wrote:\n> old\n"),
     "Yes.", "if it is two lines, both");
  is(text("In 2022\n\nHe said:\n> old\n"), "In 2022", "but not across paragraphs");
  is(text("Take this:\nand that\n> old\n"), "Take this: and that", "a colon elsewhere");
  is(text("> only\n>> quoted > words\n"), "only quoted > words",
     "if there are no others they are shown");
  is(text("new\n-----Original Message-----\nFrom: x\n\nold\n"), "new", "an old message behind");
  is(text("-----Urspr\xc3\xbcngliche Nachricht-----\nold\n"), "old", "... and nothing before it");
}

static void test_openpgp(void) {
  is(text("-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n"), "", "encrypted");
  is(text("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nwords\n"
          "-----BEGIN PGP SIGNATURE-----\n\niQEz\n"),
     "words", "signed");
}

static void test_length(void) {
  stralloc s = STRALLOC_ZERO;
  stralloc_cats(&s, "Content-Type: text/plain; charset=utf-8\n\n");
  for (unsigned int i = 0; i < 300; i++) stralloc_cats(&s, "\xf0\x9f\x98\x80");
  char const *got = preview_of(taken(&s));
  is_uint(strlen(got), 4 * MESSAGE_PREVIEW_MAX, "characters are counted, not bytes");
  for (unsigned int i = 0; i < 300; i++) stralloc_cats(&s, "word ");
  got = text(taken(&s));
  is_uint(strlen(got), MESSAGE_PREVIEW_MAX - 1, "no blank at the end");
  for (unsigned int i = 0; i < 100; i++) stralloc_cats(&s, "> ");
  for (unsigned int i = 0; i < 1000; i++) stralloc_cats(&s, "long line ");
  stralloc_cats(&s, "\nnew");
  is(text(taken(&s)), "new", "a quoted line longer than what a line is judged by");
  for (unsigned int i = 0; i < 199; i++) stralloc_cats(&s, "x");
  stralloc_cats(&s, "\ny\n");
  got = text(taken(&s));
  is_uint(strlen(got), 199, "a blank and a character are one too many");
}

static void test_html(void) {
  is(html("<html><head><title>T</title><style>p > a { color: red }</style></head>"
          "<body><p>Hello <b>wor</b>ld</p><p>Next</p></body></html>"),
     "Hello world Next", "tags, title and style are left out");
  is(html("<script>if (a < b) \"</p>\"</script>x<SCRIPT src=y></sCript >y"), "xy", "scripts");
  is(html("a<!-- <b>no</b> -- > -->b<!-->c<!--->d<!--[if mso]>no<![endif]-->e<![if !mso]>f<?xml "
          "x>g"),
     "abcdefg", "comments");
  is(html("a<a href=\"x>y\" title='>'>b</a><a href=x\"y>c<br/>d<td>e<td>f</>g</ >h<>i"),
     "abc d e fgh<>i", "quoted attributes");
  is(html("1 < 2 && x<y"), "1 < 2 && x", "what is no tag stays; an open one swallows the rest");
  is(html("&lt;b&gt; caf&eacute; &#8364;&#x20AC;&#128; &amp;amp; &nosuch; AT&T &copy"),
     "<b> caf\xc3\xa9 \xe2\x82\xac\xe2\x82\xac\xe2\x82\xac &amp; &nosuch; AT&T \xc2\xa9",
     "references");
  is(html("&#0;&#xd800;&#1114112;&#9999999999;&#;&#x;&"),
     "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd&#;&#x;&", "references to nothing");
  is(html("a&nbsp;&zwnj;&nbsp;&zwnj;&#847; &shy;b"), "a b", "what fills the preview of others");
  is(html("<div>new</div><div>On 7 Feb 2022 Fred "
          "wrote:<br></div><blockquote>old<p>old</blockquote>more"),
     "new more", "block quotations");
  stralloc s = STRALLOC_ZERO;
  stralloc_cats(&s, "<blockquote>");
  for (unsigned int i = 0; i < 500; i++) stralloc_cats(&s, "long ");
  stralloc_cats(&s, "</blockquote></blockquote>new");
  is(html(taken(&s)), "new", "long ones, and one that was never open");
  for (unsigned int i = 0; i < 10000; i++) stralloc_cats(&s, "<style>x</style>\n");
  stralloc_cats(&s, "late");
  is(html(taken(&s)), "late", "160 kB of styles before the first word");
  for (unsigned int i = 0; i < 100000; i++) stralloc_cats(&s, "<p class=x>\n");
  stralloc_cats(&s, "too late");
  is(html(taken(&s)), "", "there is a limit");
}

#define PART(type, body) "--x\nContent-Type: " type "\n\n" body "\n"
#define MULTIPART(subtype) "Content-Type: multipart/" subtype "; boundary=x\n\n"

static void test_parts(void) {
  is(preview_of(MULTIPART("alternative") PART("text/html", "<p>html")
                    PART("text/plain", "plain") "--x--\n"),
     "plain", "of alternatives text/plain");
  is(preview_of(MULTIPART("alternative") PART("text/plain", " ")
                    PART("text/html", "<p>html") "--x--\n"),
     "html", "unless it is empty");
  is(preview_of(MULTIPART("mixed") PART("text/plain", "") PART("image/png", "png")
                    PART("text/html", "later")),
     "later", "the first part that has words");
  is(preview_of(MULTIPART("mixed") PART("text/plain\nContent-Disposition: attachment", "attached")
                    PART("text/plain\nContent-Disposition: inline", "inline")),
     "inline", "no attachments");
  is(preview_of(MULTIPART("mixed") PART("application/pdf", "%PDF") PART("text/calendar", "BEGIN:")),
     "", "nothing to be shown");
  is(preview_of(MULTIPART("encrypted") PART("application/pgp-encrypted", "Version: 1")
                    PART("text/plain", "x")),
     "", "nothing of what is encrypted");
  is(preview_of("Content-Type: application/pkcs7-mime\n\nMIAG"), "", "... of either kind");
  is(preview_of(MULTIPART("mixed") PART("message/rfc822", "Subject: in\n\nforwarded") "--x--\n"),
     "forwarded", "a message within");
  is(preview_of("Content-Disposition: attachment\n\nall there is"), "all there is",
     "a message that calls itself an attachment");
  is(preview_of(MULTIPART("mixed")), "", "a multipart without parts");
}

static void test_bytes(void) {
  is(preview_as("text/plain; charset=iso-8859-1", "caf\xe9"), "caf\xc3\xa9", "a charset");
  is(preview_as("text/plain; charset=x-nosuch", "caf\xe9"), "caf\xc3\xa9", "one that is unknown");
  is(preview_of("\ncaf\xc3\xa9 \xe9\xff"), "caf\xc3\xa9 \xc3\xa9\xc3\xbf", "none");
  is(text("a\xff\xc3"), "a\xef\xbf\xbd\xef\xbf\xbd", "what is no UTF-8");
  is(preview_of("Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
                "PHA+Y2Fmw6k8L3A+\n"),
     "caf\xc3\xa9", "base64");
  is(preview_of("Content-Transfer-Encoding: quoted-printable\n\n"
                "one=20\ntwo =\nthree\n--=20\nsignature\n"),
     "one two three", "quoted-printable");
  stralloc s = STRALLOC_ZERO;
  for (unsigned int i = 0; i < 4090; i++) stralloc_cats(&s, " ");
  for (unsigned int i = 0; i < 20; i++) stralloc_cats(&s, "\xc3\xa9");
  char const *spread = taken(&s);
  bool whole = true;
  for (size_t cut = 0; cut < 30; cut++)
    whole &= !strcmp(text(spread + cut), "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                                         "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                                         "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9");
  ok(whole, "characters across chunks");
}

/* Random strings of what matters: valid UTF-8 of at most so many characters, no line ends. */
static void test_random(void) {
  static char const *const words[] = {
      "<",     ">",  "</",   "<!--", "-->",          "&",     "amp;",     "#x41;",
      "<p>",   "\"", "'",    "=",    "\n",           "> ",    "-- \n",    "wrote:\n",
      "2022 ", "x",  "\xc3", "\xa9", "<blockquote>", "word ", "<script>", "</script>"};
  unsigned long long random = 1;
  bool good = true;
  for (unsigned int round = 0; round < 4000; round++) {
    stralloc s = STRALLOC_ZERO;
    for (unsigned int i = 0; i < round % 300; i++) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      stralloc_cats(&s, words[(random >> 33) % (sizeof words / sizeof *words)]);
    }
    char const *got = preview_as(round % 2 ? "text/html" : "text/plain", taken(&s));
    size_t characters = 0;
    for (char const *c = got; *c; c++) {
      characters += ((unsigned char)*c & 0xc0) != 0x80;
      good &= (unsigned char)*c >= ' ';
    }
    good &= characters <= MESSAGE_PREVIEW_MAX && message_needle_new(got, strlen(got), &test_arena);
    if (round % 100 == 0) arena_release(&test_arena);
  }
  ok(good, "random texts");
}

int main(void) {
  log_init("test");
  setenv("IMAP_CHARSETD", "/nonexistent", 1);
  test_text();
  test_quoted();
  test_openpgp();
  test_length();
  test_html();
  test_parts();
  test_bytes();
  test_random();
  arena_release(&test_arena);
  return tap_done();
}
