/* The MIME tree and BODYSTRUCTURE: the RFCs' examples, then what is broken. */
#include "message-test.h"

#include <sys/resource.h>

#define TEXT_OF(octets, lines) \
  "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" " #octets " " #lines ")"

static void test_simple(void) {
  is(body_of("Subject: x\n\nab\ncd\n"), TEXT_OF(8, 2), "RFC 2045 section 5.2: the default");
  is(body_of("Subject: x\r\n\r\nab\r\ncd"), TEXT_OF(6, 1), "no line end at the end");
  is(body_of(""), TEXT_OF(0, 0), "no bytes");
  is(body_of("Subject: x"), TEXT_OF(0, 0), "a header without end");
  is(body_of("\nbody"), TEXT_OF(4, 0), "no header");
  is(body_of("Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\nContent-Transfer-Encoding: 7BIT\n\nx\n"),
     "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3 1)", "as written");
  is(structure_of(parse_string("Content-Type: image/png; name=\"a b.png\"\nContent-ID: <1@x>\n"
                               "Content-Description: A picture\nContent-Transfer-Encoding: base64\n"
                               "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\n"
                               "Content-Disposition: attachment; filename=genome.jpeg;\n"
                               " modification-date=\"Wed, 12 Feb 1997 16:29:51 -0500\"\n"
                               "Content-Language: mi (a comment), en-GB\nContent-Location: "
                               "fiction1/fiction2\n\nAA=="),
                  true),
     "(\"image\" \"png\" (\"name\" \"a b.png\") \"<1@x>\" \"A picture\" \"base64\" 4 "
     "\"Q2hlY2sgSW50ZWdyaXR5IQ==\" (\"attachment\" (\"filename\" \"genome.jpeg\" "
     "\"modification-date\" \"Wed, 12 Feb 1997 16:29:51 -0500\")) (\"mi\" \"en-GB\") "
     "\"fiction1/fiction2\")",
     "RFC 3501 section 7.4.2: all extension data of one part");
  is(body_of("Content-Type: text\n\n"), TEXT_OF(0, 0), "RFC 2045 section 5.2: no subtype");
  is(body_of("Content-Type: image/gif\nContent-Type: text/html\n\n"),
     "(\"image\" \"gif\" NIL NIL NIL \"7bit\" 0)", "the first of two fields counts");
  is(body_of("Content-Transfer-Encoding: x-new (odd)\n\n"),
     "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"x-new\" 0 0)",
     "an unknown transfer encoding");
}

static char const *params_of(char const *params) {
  stralloc s = STRALLOC_ZERO;
  stralloc_cats(&s, "Content-Type: a/b");
  stralloc_cats(&s, params);
  stralloc_catb(&s, "\n\n", 3);
  char const *body = body_of(taken(&s)) + strlen("(\"a\" \"b\" ");
  return arena_copy(&test_arena, body, (size_t)(strstr(body, " NIL NIL \"7bit\"") - body));
}

static void test_params(void) {
  is(params_of("; charset=us-ascii (Plain text)"), "(\"charset\" \"us-ascii\")",
     "RFC 2045 section 5.1: a comment");
  is(params_of("; URL*0=\"ftp://\";\n URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/"
               "bulk-mailer.tar\""),
     "(\"URL\" \"ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar\")",
     "RFC 2231 section 3: continuations");
  is(params_of("; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A"),
     "(\"title*\" \"us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A\")",
     "RFC 2231 section 4: charset and language stay");
  is(params_of("; title*0*=us-ascii'en'This%20is%20even%20more%20\n"
               "; title*1*=%2A%2A%2Afun%2A%2A%2A%20\n ; title*2=\"isn't it!\""),
     "(\"title*\" \"us-ascii'en'This%20is%20even%20more%20\")", "a line that is no continuation");
  is(params_of("; title*0*=us-ascii'en'This%20is%20even%20more%20\n"
               " ; title*1*=%2A%2A%2Afun%2A%2A%2A%20\n ; title*2=\"isn't it!\""),
     "(\"title*\" \"us-ascii'en'This%20is%20even%20more%20%2A%2A%2Afun%2A%2A%2A%20isn't it!\")",
     "RFC 2231 section 4.1: both at once");
  is(params_of("; n*1=b; x=1; n*0=a; n*3=d"), "(\"n\" \"ab\" \"x\" \"1\" \"n*3\" \"d\")",
     "continuations out of order, and one too many");
  is(params_of("; name=My Letter (2).doc; b=c"), "(\"name\" \"My Letter\" \"b\" \"c\")",
     "a blank in an unquoted value, a comment behind it");
  is(params_of("; name=a(2).doc"), "(\"name\" \"a(2).doc\")", "parentheses in an unquoted value");
  is(params_of(" x=1 ;;; y = \"2\" z=3; ; w"), "(\"x\" \"1\" \"y\" \"2\" \"z\" \"3\")",
     "missing and superfluous semicolons");
  is(params_of("; a=\"x\\\"y\\\\\"; b=\"\"; =1; c=\"open"),
     "(\"a\" \"x\\\"y\\\\\" \"b\" \"\" \"c\" \"open\")", "quoting");
  is(params_of("; f=\"a\r\n b\""), "(\"f\" \"a b\")", "folding inside quotes");
  is(params_of("; f=\xc3\xa9"), "(\"f\" {2}\r\n\xc3\xa9)", "8-bit is a literal");
  is(params_of(";;\"\"=;'=();x=1"), "(\"'\" \"\" \"x\" \"1\")", "rubbish is passed over");
}

static void test_multipart(void) {
  /* RFC 2046 section 5.1.1, with CRLF line ends as in mail. */
  static char const rfc[] =
      "From: Nathaniel Borenstein <nsb@bellcore.com>\r\nMIME-Version: 1.0\r\n"
      "Content-type: multipart/mixed; boundary=\"simple boundary\"\r\n\r\n"
      "This is the preamble.  It is to be ignored.\r\n\r\n--simple boundary\r\n\r\n"
      "This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak.\r\n"
      "--simple boundary\r\nContent-type: text/plain; charset=us-ascii\r\n\r\n"
      "This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n\r\n"
      "--simple boundary--\r\n\r\nThis is the epilogue.  It is also to be ignored.\r\n";
  is(body_of(rfc),
     "(" TEXT_OF(80, 1) "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 78 2) "
                        "\"mixed\")",
     "RFC 2046 section 5.1.1");
  is(structure_of(parse_string(rfc), true),
     "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 80 1 NIL NIL NIL NIL)"
     "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 78 2 NIL NIL NIL NIL) "
     "\"mixed\" (\"boundary\" \"simple boundary\") NIL NIL NIL)",
     "RFC 3501 section 7.4.2: extension data of a multipart");
  is(body_of("Content-Type: multipart/digest; boundary=x\n\n--x\n\nSubject: a\n\nb\n\n--x\n"
             "Content-Type: image/gif\n\n--x--\n"),
     "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 17 (NIL \"a\" NIL NIL NIL NIL NIL NIL NIL NIL) "
     "" TEXT_OF(3, 1) " 3)(\"image\" \"gif\" NIL NIL NIL \"7bit\" 0) \"digest\")",
     "RFC 2046 section 5.1.5: the default in a digest");
  is(body_of("Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nSubject: x\n\nabc\n"),
     "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 51 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) "
     "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 19 (NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL) "
     "" TEXT_OF(5, 1) " 3) 5)",
     "message/rfc822 in message/rfc822");
}

#define MIXED(boundary) "Content-Type: multipart/mixed; boundary=\"" boundary "\"\n\n"
#define EMPTY_MIXED "(" TEXT_OF(0, 0) " \"mixed\")"

static void test_broken_multipart(void) {
  is(body_of(MIXED("x") "nothing\n"), EMPTY_MIXED, "no part: one that is empty");
  is(body_of(MIXED("x") "--x--\n"), EMPTY_MIXED, "only the last delimiter");
  is(body_of(MIXED("x") "--x\n\na\n"), "(" TEXT_OF(3, 1) " \"mixed\")", "no last delimiter");
  is(body_of(MIXED("x") "--x\n\na\n--x"), "(" TEXT_OF(1, 0) TEXT_OF(0, 0) " \"mixed\")",
     "a delimiter at the very end");
  is(body_of("Content-Type: multipart/mixed\n\n--x\n\na\n--x--\n"),
     "(\"multipart\" \"mixed\" NIL NIL NIL \"7bit\" 17)", "no boundary parameter: opaque");
  is(body_of(MIXED("x") "--x\nContent-Type: text/html\n--x\n\nb\n--x--\n"),
     "((\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)" TEXT_OF(
         1, 0) " \"mixed\")",
     "a delimiter within a header");
  is(body_of(MIXED("x") "--x\n--x\n\n--x--\n"), "(" TEXT_OF(0, 0) TEXT_OF(0, 0) " \"mixed\")",
     "delimiters in a row");
  is(body_of(MIXED("x") "--x\n" MIXED("xy") "--xy\n\na\n--xy--\n--x\n\nb\n--x--\n"),
     "((" TEXT_OF(1, 0) " \"mixed\")" TEXT_OF(1, 0) " \"mixed\")",
     "the outer boundary is a prefix of the inner");
  is(body_of(MIXED("xy") "--xy\n" MIXED("x") "--x\n\na\n--x--\n--xy\n\nb\n--xy--\n"),
     "((" TEXT_OF(1, 0) " \"mixed\")" TEXT_OF(1, 0) " \"mixed\")",
     "the inner boundary is a prefix of the outer");
  is(body_of(MIXED("xy") "--xy\n" MIXED("x") "--x\n\na\n--xy\n\nb\n--xy--\n"),
     "((" TEXT_OF(1, 0) " \"mixed\")" TEXT_OF(1, 0) " \"mixed\")",
     "likewise, the inner one left open");
  is(body_of(MIXED("x") "--x\n" MIXED("x") "--x\n\na\n--x--\n--x\n\nb\n--x--\n"),
     "((" TEXT_OF(1, 0) " \"mixed\")" TEXT_OF(1, 0) " \"mixed\")", "the same boundary twice");
  is(body_of(MIXED("x") "--x  \t\n\na\n--xtra\n\nb\n--x--foo\n"),
     "(" TEXT_OF(1, 0) TEXT_OF(1, 0) " \"mixed\")",
     "RFC 2046 section 5.1.1: what follows the boundary does not matter");
  is(body_of(MIXED("x") "--x\r\n\r\na\n\r\n--x\n\rb\r\n\n--x--\r"),
     "(" TEXT_OF(3, 1) TEXT_OF(0, 0) " \"mixed\")", "CR and LF in a mix");
  is(body_of("Content-Type: multipart/mixed; boundary=a=b?c\n\n--a=b?c\n\nx\n--a=b?c--\n"),
     "(" TEXT_OF(1, 0) " \"mixed\")", "an unquoted boundary with specials");
  is(body_of(MIXED("x") "-x\n--\n--y\n --x\n\n--x\n\n-\n--x--\n--x\n\nlate\n"),
     "(" TEXT_OF(1, 0) " \"mixed\")", "near misses; nothing after the last delimiter");
}

static void put_nested(stralloc *s, unsigned int levels) {
  for (unsigned int i = 0; i < levels; i++) {
    char level[120];
    snprintf(level, sizeof level, "Content-Type: multipart/mixed; boundary=b%u\n\n--b%u\n", i, i);
    stralloc_cats(s, level);
  }
  stralloc_cats(s, "\nend\n");
}

static unsigned int depth_of(struct message_part const *p) {
  unsigned int n = 0;
  for (; p; p = p->child) n++;
  return n;
}

static void test_limits(void) {
  stralloc s = STRALLOC_ZERO;
  put_nested(&s, 10000);
  struct message_part *root = parse_chunked(s.s, s.len, 4096);
  is_uint(depth_of(root), MESSAGE_MAX_DEPTH + 1, "10,000 nested multiparts: the deepest is opaque");
  is_uint(root->header_wire + root->body_wire, s.len + 30002, "nothing of it is lost");
  ok(strlen(structure_of(root, true)) > 0, "and it can be shown");

  s.len = 0;
  for (unsigned int i = 0; i < 10000; i++) stralloc_cats(&s, "Content-Type: message/rfc822\n\n");
  root = parse_chunked(s.s, s.len, 4096);
  is_uint(depth_of(root), MESSAGE_MAX_DEPTH + 1, "10,000 nested messages");
  char const *body = structure_of(root, false);
  ok(strstr(body, "\"application\" \"octet-stream\""), "the deepest has another type");

  s.len = 0;
  stralloc_cats(&s, MIXED("x"));
  for (unsigned int i = 0; i < 20000; i++) stralloc_cats(&s, "--x\n\na\n");
  root = parse_chunked(s.s, s.len, 4096);
  unsigned int n = 0;
  for (struct message_part *c = root->child; c; c = c->next) n++;
  is_uint(n, MESSAGE_MAX_PARTS - 1, "20,000 parts: the limit counts the message itself");

  s.len = 0;
  stralloc_cats(&s, "Subject: big\nX: ");
  for (unsigned int i = 0; i < 3 << 17; i++) stralloc_cats(&s, "xxxxxxxx");
  stralloc_cats(&s, "\nTo: a@b\n\nbody");
  root = parse_chunked(s.s, s.len, 65536);
  is_uint(root->header_size, MESSAGE_MAX_HEADER, "a gigantic header is kept up to the limit");
  is_uint(root->header_wire, s.len, "but counted whole");
  is_uint(root->body_wire, 4, "and its end found");
  stralloc_free(&s);
}

/* A megabyte for each of 32 parts, and of as many messages within. */
static void test_great_headers(void) {
  enum { PARTS = 32, KEPT = MESSAGE_MAX_HEADERS / MESSAGE_MAX_HEADER };
  stralloc s = STRALLOC_ZERO, field = STRALLOC_ZERO;
  while (field.len < MESSAGE_MAX_HEADER - 64) stralloc_cats(&field, "a,a,a,a,");
  stralloc_append(&field, 0);
  stralloc_cats(&s, MIXED("x"));
  for (unsigned int i = 0; i < PARTS; i++) {
    stralloc_cats(&s, "--x\nContent-Description: ");
    stralloc_cats(&s, field.s);
    stralloc_cats(&s, "\n\na\n");
  }
  struct message_part *root = parse_chunked(s.s, s.len, 65536);
  unsigned int described = 0, opaque = 0;
  for (struct message_part *c = root->child; c; c = c->next) {
    described += c->description != 0;
    opaque += !strcmp(c->type, "application");
  }
  ok(described == KEPT && opaque == PARTS - KEPT, "of great headers of parts a few are understood");

  s.len = 0;
  for (unsigned int i = 0; i < PARTS; i++) {
    stralloc_cats(&s, "Content-Type: message/rfc822\nFrom: ");
    stralloc_cats(&s, field.s);
    stralloc_cats(&s, "\n\n");
  }
  root = parse_chunked(s.s, s.len, 65536);
  is_uint(depth_of(root), KEPT + 1, "and of messages");
  ok(strlen(envelope_of(root)) < MESSAGE_MAX_ADDRESSES + 200, "half a million addresses: not all");
  ok(strlen(structure_of(root, true)) < MESSAGE_MAX_ADDRESSES + 2000, "nor in the structure");
  stralloc_free(&field);
  stralloc_free(&s);
  arena_release(&test_arena);
}

/* Whatever the chunks, the tree is the same. */
static void test_chunks(void) {
  static char const message[] =
      "Subject: x\r\nContent-Type: multipart/mixed; boundary=\"xy\"\n\r\npre\r\n--xy\r\n"
      "Content-Type: multipart/alternative;\n boundary=xyz\n\n--xyz\n\nbare\rCR\r\n\r\n--xyz\r\n"
      "Content-Type: text/html\r\n--xyz--\n-\n--\n--xy\nContent-Type: message/rfc822\n\n"
      "From: a@b\r\nSubject: in\n\nline\nline\r\n--xy--\r\nend\n--xy\n";
  char const *whole = structure_of(parse_string(message), true);
  bool same = true;
  for (size_t chunk = 1; chunk < sizeof message; chunk++)
    same &= !strcmp(whole, structure_of(parse_chunked(message, strlen(message), chunk), true));
  ok(same, "chunks of every size give the same tree");
  is(whole,
     "(((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 9 1 NIL NIL NIL NIL)"
     "(\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL) "
     "\"alternative\" (\"boundary\" \"xyz\") NIL NIL NIL)"
     "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 36 (NIL \"in\" ((NIL NIL \"a\" \"b\")) ((NIL "
     "NIL "
     "\"a\" \"b\")) ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL) (\"text\" \"plain\" (\"charset\" "
     "\"us-ascii\") NIL NIL \"7bit\" 10 1 NIL NIL NIL NIL) 4 NIL NIL NIL NIL) \"mixed\" "
     "(\"boundary\" \"xy\") NIL NIL NIL)",
     "this one");
}

/* Every part lies within its parent and behind its elder siblings. */
static bool is_nested(struct message_part const *p, uint64_t from, uint64_t to) {
  for (; p; from = p->end, p = p->next) {
    if (p->header_start < from || p->body_start < p->header_start || p->end < p->body_start ||
        p->end > to || !is_nested(p->child, p->body_start, p->end))
      return false;
    if (p->is_message && (!p->child || p->child->next || p->child->end != p->end)) return false;
  }
  return true;
}

/* Random strings of what matters to the parser. */
static void test_random(void) {
  static char const *const words[] = {"\n",
                                      "\r\n",
                                      "\n\n",
                                      "\r",
                                      "--x",
                                      "--xy",
                                      "--x--",
                                      "--xy--",
                                      "--x\n",
                                      "--xy\n",
                                      "-",
                                      "a: b",
                                      "Content-Type: multipart/mixed; boundary=x\n\n",
                                      "text",
                                      "Content-Type: message/rfc822\n\n",
                                      "\nContent-Type: multipart/digest; boundary=xy\n\n",
                                      "--x\r\n",
                                      "\n--x\n",
                                      "\n--xy\n"};
  unsigned long long random = 1;
  bool same = true, nested = true;
  for (unsigned int round = 0; round < 3000; round++) {
    stralloc s = STRALLOC_ZERO;
    stralloc_cats(&s, round % 2 ? words[12] : "Content-Type: multipart/mixed; boundary=xy\n\n");
    for (unsigned int i = 0; i < 4 + round % 60; i++) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      stralloc_cats(&s, words[(random >> 33) % (sizeof words / sizeof *words)]);
    }
    struct message_part *root = parse_chunked(s.s, s.len, s.len);
    nested &= root->end == s.len && is_nested(root, 0, s.len);
    struct message_part *again = parse_chunked(s.s, s.len, 1 + round % 7);
    same &= !strcmp(structure_of(root, true), structure_of(again, true));
    stralloc_free(&s);
    if (round % 100 == 0) arena_release(&test_arena);
  }
  ok(nested, "random messages: parts lie within their parents, in order");
  ok(same, "random messages: chunks do not matter");
}

/* What the service leaves a session (service/imapd/run), and half of that; a sanitizer needs more.
 */
static void test_memory_of_params(void) {
#ifndef __SANITIZE_ADDRESS__
  struct rlimit before, little = {0};
  getrlimit(RLIMIT_DATA, &before);
  little = before;
  little.rlim_cur = 64 << 20;
  setrlimit(RLIMIT_DATA, &little);
#endif
  stralloc s = STRALLOC_ZERO;
  stralloc_cats(&s, "Content-Type: a/b");
  for (int i = 0; i < 250; i++) stralloc_cats(&s, "; a=\"\"");
  while (s.len < MESSAGE_MAX_HEADER - 64) stralloc_cats(&s, " and a megabyte more");
  stralloc_catb(&s, "\n\n", 3);
  struct message_part const *root = parse_string(taken(&s));
  ok(root->params && !*root->params->value, "empty values in a long header cost no more than it");
#ifndef __SANITIZE_ADDRESS__
  setrlimit(RLIMIT_DATA, &before);
#endif
}

int main(void) {
  test_simple();
  test_params();
  test_memory_of_params();
  test_multipart();
  test_broken_multipart();
  test_limits();
  test_great_headers();
  test_chunks();
  test_random();
  arena_release(&test_arena);
  return tap_done();
}
