/* What broken messages mean: doc/architecture.md's list, form by form.  More of the same in
 * structure.c, envelope.c and binary.c. */
#include "message-test.h"

#define TEXT_OF(octets, lines) \
  "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" " #octets " " #lines ")"
#define MIXED(boundary) "Content-Type: multipart/mixed; boundary=\"" boundary "\"\n\n"
#define BYTES(s) (s), sizeof(s) - 1

struct form {
  char const *name, *message;
  size_t size;
  char const *body;    /* the BODY response */
  char const *section; /* a part's numbers, or null */
  char const *content; /* what BODY[section] holds */
};

static struct form const forms[] = {
    {"boundary missing: opaque", BYTES("Content-Type: multipart/mixed\n\n--x\n\na\n--x--\n"),
     "(\"multipart\" \"mixed\" NIL NIL NIL \"7bit\" 17)", "1", "--x\r\n\r\na\r\n--x--\r\n"},
    {"boundary empty: opaque", BYTES(MIXED("") "--\n\na\n----\n"),
     "(\"multipart\" \"mixed\" (\"boundary\" \"\") NIL NIL \"7bit\" 15)", "1",
     "--\r\n\r\na\r\n----\r\n"},
    {"boundary named twice: the first counts",
     BYTES("Content-Type: multipart/mixed; boundary=x; boundary=y\n\n--y\n\na\n--x\n\nb\n--x--\n"),
     "(" TEXT_OF(1, 0) " \"mixed\")", "1", "b"},
    {"Content-Type twice: the first counts",
     BYTES(
         "Content-Type: multipart/mixed; boundary=x\nContent-Type: text/plain\n\n--x\n\nb\n--x--"),
     "(" TEXT_OF(1, 0) " \"mixed\")", "1", "b"},
    {"boundary of an outer multipart again: the innermost",
     BYTES(MIXED("x") "--x\n" MIXED("x") "--x\n\na\n--x--\n--x\n\nb\n--x--\n"),
     "((" TEXT_OF(1, 0) " \"mixed\")" TEXT_OF(1, 0) " \"mixed\")", "1.1", "a"},
    {"boundary that another begins with: the whole line decides",
     BYTES(MIXED("x") "--x\n" MIXED("xy") "--xy\n\na\n--xy--\n--x\n\nb\n--x--\n"),
     "((" TEXT_OF(1, 0) " \"mixed\")" TEXT_OF(1, 0) " \"mixed\")", "1.1", "a"},
    {"boundary that begins with another: likewise",
     BYTES(MIXED("xy") "--xy\n" MIXED("x") "--x\n\na\n--x--\n--xy\n\nb\n--xy--\n"),
     "((" TEXT_OF(1, 0) " \"mixed\")" TEXT_OF(1, 0) " \"mixed\")", "2", "b"},
    {"no final boundary: the end of what is around ends it",
     BYTES(MIXED("x") "--x\n" MIXED("y") "--y\n\na\n\n--x\n\nb\n"),
     "((" TEXT_OF(3, 1) " \"mixed\")" TEXT_OF(3, 1) " \"mixed\")", "1.1", "a\r\n"},
    {"multipart without parts: one that is empty", BYTES(MIXED("x") "preamble\n"),
     "(" TEXT_OF(0, 0) " \"mixed\")", "1", ""},
    {"nothing but a multipart's header", BYTES(MIXED("x")), "(" TEXT_OF(0, 0) " \"mixed\")", "1",
     ""},
    {"NULs count as bytes and are 0x80", BYTES("A: b\n\na\0b\n\0"), TEXT_OF(6, 1), "1",
     "a\x80"
     "b\r\n\x80"},
    {"a NUL in a header: 0x80", BYTES("Content-Type: a\0/b\nContent-Description: \0\n\n"),
     "({2}\r\na\x80 \"b\" NIL NIL {1}\r\n\x80 \"7bit\" 0)", 0, 0},
    {"a NUL in a boundary: nothing is delimited", BYTES(MIXED("x\0") "--x\0\n\na\n--x\n\nb\n"),
     "(" TEXT_OF(0, 0) " \"mixed\")", "1", ""},
    {"a NUL in a delimiter's line: what follows the boundary", BYTES(MIXED("x") "--x\0\n\na\n"),
     "(" TEXT_OF(3, 1) " \"mixed\")", "1", "a\r\n"},
    {"bare CRs are no line ends", BYTES("A: b\rC: d\r\rstill\r\n\r\na\rb\r"), TEXT_OF(4, 0), "1",
     "a\rb\r"},
    {"CR CR LF: a line end after a CR, and no empty line", BYTES("A: b\r\r\n\r\r\nC: d\n\na\r\r\n"),
     TEXT_OF(4, 1), "1", "a\r\r\n"},
    {"LF CR: an empty line is empty", BYTES("A: b\n\ra\n\nbody\n\r"), TEXT_OF(7, 1), "1",
     "body\r\n\r"},
    {"LF and CRLF in any mix", BYTES(MIXED("x") "--x\r\n\na\n\r\n--x\n\r\nb\r\n\n--x--"),
     "(" TEXT_OF(3, 1) TEXT_OF(3, 1) " \"mixed\")", "2", "b\r\n"},
    {"delimiters behind a bare CR are none", BYTES(MIXED("x") "--x\n\na\r--x\r\n--x--\r"),
     "(" TEXT_OF(5, 0) " \"mixed\")", "1", "a\r--x"},
    {"8-bit headers: as they are, in literals",
     BYTES("Content-Type: text/pl\xe4in; n\xe4me=\"\xe9\"\nContent-ID: \xe9\n\n"),
     "(\"text\" {5}\r\npl\xe4in ({4}\r\nn\xe4me {1}\r\n\xe9 \"charset\" \"us-ascii\") {1}\r\n\xe9 "
     "NIL "
     "\"7bit\" 0 0)",
     0, 0},
    {"lines without colon are passed over and do not end the header",
     BYTES("From me Sat Jan  1 00:00:00 2000\nno colon\n: no name\nContent-Type: a/b\n\nx"),
     "(\"a\" \"b\" NIL NIL NIL \"7bit\" 1)", "1", "x"},
    {"a first line that continues none", BYTES(" folded\nContent-Type: a/b\n\nx"),
     "(\"a\" \"b\" NIL NIL NIL \"7bit\" 1)", "1", "x"},
    {"a message within a message within a message",
     BYTES("Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nSubject: x\n\nabc"),
     "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 49 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) "
     "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 17 (NIL \"x\" NIL NIL NIL NIL NIL NIL NIL "
     "NIL) " TEXT_OF(3, 0) " 2) 4)",
     "1.1.1", "abc"},
    {"a message within that has nothing", BYTES("Content-Type: message/rfc822\n\n"),
     "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 0 (NIL NIL NIL NIL NIL NIL NIL NIL NIL "
     "NIL) " TEXT_OF(0, 0) " 0)",
     "1.1", ""},
    {"a message within that says it is encoded: read as it is",
     BYTES("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAo="),
     "(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 16 (NIL NIL NIL NIL NIL NIL NIL NIL NIL "
     "NIL) " TEXT_OF(0, 0) " 0)",
     "1", "U3ViamVjdDogeAo="},
    {"an unknown encoding: told, and BODY is as it is",
     BYTES("Content-Transfer-Encoding: x-new\n\na=20b"),
     "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"x-new\" 5 0)", "1", "a=20b"},
    {"no encoding in its field: 7bit", BYTES("Content-Transfer-Encoding: (none)\n\na"),
     TEXT_OF(1, 0), "1", "a"},
};

static bool collect(void *context, char const *data, size_t size) {
  return stralloc_catb(context, data, size);
}

static char const *section_of(struct form const *f, struct message_part const *root) {
  uint32_t numbers[8];
  struct message_section section = {.kind = SECTION_ALL, .path = numbers};
  struct message_extent e;
  stralloc out = STRALLOC_ZERO;
  for (char const *at = f->section; *at; at++)
    if (*at != '.') numbers[section.depth++] = (uint32_t)(*at - '0');
  int fd = file_of(f->message, f->size);
  bool good = !message_section_find(fd, root, &section, &test_arena, &e) && e.exists &&
              !message_copy_wire(fd, e.start, e.end, 0, UINT64_MAX, collect, &out) &&
              out.len == e.wire;
  close(fd);
  char const *content = taken(&out);
  return good ? content : "not what it was said to be";
}

/* message/global (RFC 6532 section 3.7): looked into like message/rfc822, but told in BODYSTRUCTURE
 * as RFC 3501's grammar has it. */
static void test_global(void) {
  static char const mail[] = "Content-Type: message/global\n\nSubject: \xc3\xa9\n"
                             "Content-Type: text/plain; charset=utf-8\n\nbody";
  struct message_part *root = parse_string(mail);
  ok(root->is_message && root->child, "RFC 6532 section 3.7: message/global is a message");
  is(structure_of(root, false), "(\"message\" \"global\" NIL NIL NIL \"7bit\" 60)",
     "in RFC 3501's grammar it is a part like others");
  is(envelope_of(root->child), "(NIL {2}\r\n\xc3\xa9 NIL NIL NIL NIL NIL NIL NIL NIL)",
     "its header is UTF-8");
  struct form inner = {.message = mail, .size = strlen(mail), .section = "1.1"};
  is(section_of(&inner, root), "body", "its body is a part");
  root = parse_string("Content-Type: message/global\nContent-Transfer-Encoding: base64\n\nUw==");
  ok(!root->is_message, "RFC 6532 section 3.5: encoded, there is nothing to be seen in it");
  root = parse_string("Content-Type: message/global-headers\n\nSubject: \xc3\xa9\n");
  ok(!root->is_message && !root->child, "RFC 6533: message/global-headers is text");
}

static void test_many_parts(void) {
  stralloc s = STRALLOC_ZERO;
  stralloc_cats(&s, MIXED("x"));
  for (unsigned int i = 0; i < 10000; i++)
    stralloc_cats(&s, "--x\nContent-Type: message/rfc822\n\n\na\n");
  struct message_part *root = parse_chunked(s.s, s.len, 4096);
  char const *body = structure_of(root, true);
  ok(strlen(body) > 10000 && root->end == s.len, "10,000 messages in a message");
  stralloc_free(&s);
}

int main(void) {
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    struct form const *f = &forms[i];
    struct message_part *root = parse_chunked(f->message, f->size, f->size);
    is(structure_of(root, false), f->body, f->name);
    if (f->section) is(section_of(f, root), f->content, f->section);
  }
  test_global();
  test_many_parts();
  arena_release(&test_arena);
  return tap_done();
}
