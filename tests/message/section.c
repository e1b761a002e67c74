/* BODY[section] as ranges, and ranges in wire form. */
#include "message-test.h"

#include <errno.h>

static bool collect(void *context, char const *data, size_t size) {
  return stralloc_catb(context, data, size);
}

static char const *copied(int fd, uint64_t start, uint64_t end, uint64_t skip, uint64_t count) {
  stralloc s = STRALLOC_ZERO;
  int result = message_copy_wire(fd, start, end, skip, count, collect, &s);
  return result < 0 ? (stralloc_free(&s), "error") : taken(&s);
}

/* "1.2.TEXT" with fields, if any, behind a blank: "HEADER.FIELDS A B". */
static struct message_section section_of(char const *text) {
  static struct {
    char const *name;
    enum message_section_kind kind;
  } const kinds[] = {{"HEADER.FIELDS.NOT", SECTION_HEADER_FIELDS_NOT},
                     {"HEADER.FIELDS", SECTION_HEADER_FIELDS},
                     {"HEADER", SECTION_HEADER},
                     {"TEXT", SECTION_TEXT},
                     {"MIME", SECTION_MIME}};
  struct message_section s = {.kind = SECTION_ALL};
  s.path = arena_alloc(&test_arena, 32 * sizeof *s.path);
  s.fields = arena_alloc(&test_arena, 32 * sizeof *s.fields);
  while (*text >= '0' && *text <= '9') {
    char *end;
    s.path[s.depth++] = (uint32_t)strtoul(text, &end, 10);
    text = *end == '.' ? end + 1 : end;
  }
  for (size_t i = 0; *text && i < sizeof kinds / sizeof *kinds; i++) {
    size_t n = strlen(kinds[i].name);
    if (strncmp(text, kinds[i].name, n) != 0) continue;
    s.kind = kinds[i].kind;
    text += n;
    break;
  }
  while (*text == ' ') {
    size_t n = strcspn(text + 1, " ");
    s.fields[s.nfields++] = arena_copy(&test_arena, text + 1, n);
    text += 1 + n;
  }
  return s;
}

/* What the section of an open message holds: "NIL", or its bytes.  Checks the announced size. */
static char const *fetch(int fd, struct message_part const *root, char const *name) {
  struct message_section s = section_of(name);
  struct message_extent e;
  if (message_section_find(fd, root, &s, &test_arena, &e) < 0) return "error";
  if (!e.exists) return "NIL";
  char const *data = e.in_memory ? e.data : copied(fd, e.start, e.end, 0, UINT64_MAX);
  return strlen(data) == e.wire ? data : "wrong size";
}

/* The shape of RFC 3501 section 6.4.5's example: text, image, message (with text and a multipart),
 * multipart. */
static char const example[] =
    "Subject: top\nTo: a@b\nContent-Type: multipart/mixed; boundary=o\n\npreamble\n"
    "--o\n\none\n"
    "--o\r\nContent-Type: image/gif\r\n\r\ntwo\r\n"
    "--o\nContent-Type: message/rfc822\n\n"
    "Subject: in\nX: 1\n 2\nContent-Type: multipart/mixed; boundary=i\n\n"
    "--i\n\nthree-one\n--i\nContent-Type: text/html\n\nthree-two\n--i--\n"
    "--o\nContent-Type: multipart/alternative; boundary=z\n\n"
    "--z\n\nfour-one\n--z\nContent-Type: message/rfc822\n\nSubject: deep\n\nfour-two-one\n--z--\n"
    "--o--\nepilogue\n";

/* RFC 3501 section 6.4.5's example itself: its part specifiers, and that these are all. */
static void test_numbers(void) {
  static char const message[] =
      "Subject: it\nContent-Type: MULTIPART/MIXED; boundary=a\n\n"
      "--a\nContent-Type: TEXT/PLAIN\n\n1\n"
      "--a\nContent-Type: APPLICATION/OCTET-STREAM\n\n2\n"
      "--a\nContent-Type: MESSAGE/RFC822\n\nSubject: 3\nContent-Type: MULTIPART/MIXED; "
      "boundary=b\n\n"
      "--b\nContent-Type: TEXT/PLAIN\n\n3.1\n"
      "--b\nContent-Type: APPLICATION/OCTET-STREAM\n\n3.2\n--b--\n"
      "--a\nContent-Type: MULTIPART/MIXED; boundary=c\n\n"
      "--c\nContent-Type: IMAGE/GIF\n\n4.1\n"
      "--c\nContent-Type: MESSAGE/RFC822\n\nSubject: 4.2\nContent-Type: MULTIPART/MIXED; "
      "boundary=d\n\n"
      "--d\nContent-Type: TEXT/PLAIN\n\n4.2.1\n"
      "--d\nContent-Type: MULTIPART/ALTERNATIVE; boundary=e\n\n"
      "--e\nContent-Type: TEXT/PLAIN\n\n4.2.2.1\n"
      "--e\nContent-Type: TEXT/RICHTEXT\n\n4.2.2.2\n--e--\n--d--\n--c--\n--a--\n";
  static char const *const leaves[] = {"1",   "2",     "3.1",     "3.2",
                                       "4.1", "4.2.1", "4.2.2.1", "4.2.2.2"};
  static char const *const none[] = {"3.3", "4.3", "4.2.3", "4.2.2.3", "5", "4.1.1"};
  int fd = file_of(message, strlen(message));
  struct message_part *root;
  char name[60];
  ok(message_parse_file(fd, &test_arena, &root) == 0, "RFC 3501 section 6.4.5's example");
  for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
    snprintf(name, sizeof name, "RFC 3501 section 6.4.5: %s", leaves[i]);
    is(fetch(fd, root, leaves[i]), leaves[i], name);
  }
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    snprintf(name, sizeof name, "RFC 3501 section 6.4.5: no %s", none[i]);
    is(fetch(fd, root, none[i]), "NIL", name);
  }
  is(fetch(fd, root, "3.HEADER.FIELDS Subject"), "Subject: 3\r\n\r\n",
     "RFC 3501 section 6.4.5: 3.HEADER");
  is(fetch(fd, root, "4.1.MIME"), "Content-Type: IMAGE/GIF\r\n\r\n",
     "RFC 3501 section 6.4.5: 4.1.MIME");
  is(fetch(fd, root, "4.2.HEADER.FIELDS Subject"), "Subject: 4.2\r\n\r\n",
     "RFC 3501 section 6.4.5: 4.2.HEADER");
  ok(!strncmp(fetch(fd, root, "4.2.TEXT"), "--d\r\n", 5), "RFC 3501 section 6.4.5: 4.2.TEXT");
  close(fd);
}

static void test_example(void) {
  int fd = file_of(example, strlen(example));
  struct message_part *root;
  ok(message_parse_file(fd, &test_arena, &root) == 0, "a file");
  is_uint(root->end, strlen(example), "all of it");
  static struct {
    char const *section, *want;
  } const cases[] = {
      {"1", "one"},
      {"1.MIME", "\r\n"},
      {"2", "two"},
      {"2.MIME", "Content-Type: image/gif\r\n\r\n"},
      {"2.1", "NIL"},
      {"2.TEXT", "NIL"},
      {"3.MIME", "Content-Type: message/rfc822\r\n\r\n"},
      {"3.HEADER",
       "Subject: in\r\nX: 1\r\n 2\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n"},
      {"3.HEADER.FIELDS x date", "X: 1\r\n 2\r\n\r\n"},
      {"3.HEADER.FIELDS.NOT x content-type", "Subject: in\r\n\r\n"},
      {"3.TEXT", "--i\r\n\r\nthree-one\r\n--i\r\nContent-Type: text/html\r\n\r\nthree-two\r\n"
                 "--i--"},
      {"3.1", "three-one"},
      {"3.2", "three-two"},
      {"3.2.MIME", "Content-Type: text/html\r\n\r\n"},
      {"3.3", "NIL"},
      {"3.0", "NIL"},
      {"4.1", "four-one"},
      {"4.2", "Subject: deep\r\n\r\nfour-two-one"},
      {"4.2.HEADER", "Subject: deep\r\n\r\n"},
      {"4.2.TEXT", "four-two-one"},
      {"4.2.1", "four-two-one"},
      {"4.2.1.MIME", "Subject: deep\r\n\r\n"},
      {"4.2.2", "NIL"},
      {"4.HEADER", "NIL"},
      {"5", "NIL"},
      {"HEADER.FIELDS SUBJECT", "Subject: top\r\n\r\n"},
      {"HEADER.FIELDS nothing", "\r\n"},
      {"HEADER.FIELDS.NOT subject to", "Content-Type: multipart/mixed; boundary=o\r\n\r\n"},
      {"HEADER", "Subject: top\r\nTo: a@b\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    is(fetch(fd, root, cases[i].section), cases[i].want, cases[i].section);
  struct message_section all = section_of("");
  struct message_extent e;
  message_section_find(fd, root, &all, &test_arena, &e);
  uint64_t wire;
  ok(message_wire_size(fd, 0, strlen(example), &wire) == 0 && wire == e.wire,
     "BODY[] has the file's wire size");
  is_uint(e.wire, strlen(fetch(fd, root, "HEADER")) + strlen(fetch(fd, root, "TEXT")),
          "HEADER and TEXT together are all");
  struct message_part *top;
  ok(message_parse_header(fd, &test_arena, &top) == 0 && !top->child, "only the header");
  is(envelope_of(top), envelope_of(root), "has the envelope");
  top->header_size = 0;
  is(fetch(fd, top, "HEADER.FIELDS to"), "To: a@b\r\n\r\n", "a header the tree did not keep");
  close(fd);
}

static void test_other_shapes(void) {
  static struct {
    char const *message, *section, *want;
  } const cases[] = {
      {"A: b\n\nbody\n", "1", "body\r\n"},
      {"A: b\n\nbody\n", "1.MIME", "A: b\r\n\r\n"},
      {"A: b\n\nbody\n", "1.1", "NIL"},
      {"A: b\n\nbody\n", "2", "NIL"},
      {"A: b\n\nbody\n", "1.HEADER", "NIL"},
      {"A: b\n", "HEADER.FIELDS a", "A: b\r\n"},
      {"A: b", "HEADER.FIELDS a", "A: b\r\n"},
      {"", "HEADER.FIELDS a", ""},
      {"\nx", "HEADER.FIELDS a", "\r\n"},
      {"From me Sat Jan  1 00:00:00 2000\nno colon\nA: b\n\n", "HEADER.FIELDS.NOT a",
       "From me Sat Jan  1 00:00:00 2000\r\nno colon\r\n\r\n"},
      {"From me Sat Jan  1 00:00:00 2000\nFrom: x@y\n\n", "HEADER.FIELDS from",
       "From: x@y\r\n\r\n"},
      {"A: 1\nB: 2\na: 3\n\n", "HEADER.FIELDS a", "A: 1\r\na: 3\r\n\r\n"},
      {"Content-Type: multipart/mixed; boundary=x\n\nnothing", "1", ""},
      {"Content-Type: multipart/mixed; boundary=x\n\nnothing", "1.1", "NIL"},
      {"Content-Type: multipart/mixed; boundary=x\n\nnothing", "1.TEXT", "NIL"},
      {"Content-Type: multipart/mixed\n\nopaque", "1", "opaque"},
      {"Content-Type: message/rfc822\n\nA: b\n\nin", "1", "A: b\r\n\r\nin"},
      {"Content-Type: message/rfc822\n\nA: b\n\nin", "1.1", "in"},
      {"Content-Type: message/rfc822\n\nA: b\n\nin", "1.HEADER", "A: b\r\n\r\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int fd = file_of(cases[i].message, strlen(cases[i].message));
    struct message_part *root;
    message_parse_file(fd, &test_arena, &root);
    is(fetch(fd, root, cases[i].section), cases[i].want, cases[i].section);
    close(fd);
  }
}

static void test_wire(void) {
  static char const mixed[] = "a\nb\r\n\n\r\n\rc\r\r\n";
  static char const want[] = "a\r\nb\r\n\r\n\r\n\rc\r\r\n";
  int fd = file_of(mixed, strlen(mixed));
  is(copied(fd, 0, strlen(mixed), 0, UINT64_MAX), want, "LF, CRLF and bare CR");
  bool exact = true;
  for (size_t skip = 0; skip <= sizeof want; skip++)
    for (size_t count = 0; count <= sizeof want; count++) {
      size_t from = skip < strlen(want) ? skip : strlen(want);
      size_t n = strlen(want) - from < count ? strlen(want) - from : count;
      exact &= !strcmp(copied(fd, 0, strlen(mixed), skip, count),
                       arena_copy(&test_arena, want + from, n));
    }
  ok(exact, "every partial range is exact");
  is(copied(fd, 0, strlen(mixed) + 1, 0, UINT64_MAX), "error", "a file shorter than promised");
  is_uint((uint64_t)errno, EIO, "is an input/output error");
  close(fd);
  fd = file_of("a\0b", 3);
  is(copied(fd, 0, 3, 0, 3),
     "a\x80"
     "b",
     "RFC 3501 section 9: no NUL goes out");
  close(fd);
}

/* Line ends across the borders of the reader's chunks. */
static void test_large(void) {
  enum { LINES = 60000 };
  stralloc raw = STRALLOC_ZERO, wire = STRALLOC_ZERO;
  stralloc_cats(&raw, "A: b\n\n");
  for (unsigned int i = 0; i < LINES; i++) {
    stralloc_cats(&raw, i % 3 ? "xy\r\n" : "z\n");
    stralloc_cats(&wire, i % 3 ? "xy\r\n" : "z\r\n");
  }
  int fd = file_of(raw.s, raw.len);
  struct message_part *root;
  message_parse_file(fd, &test_arena, &root);
  is_uint(root->body_wire, wire.len, "the size of a large body");
  is_uint(root->lines, LINES, "its lines");
  stralloc_append(&wire, 0);
  ok(!strcmp(fetch(fd, root, "TEXT"), wire.s), "its bytes");
  ok(!strcmp(copied(fd, root->body_start, root->end, 100001, 50000),
             arena_copy(&test_arena, wire.s + 100001, 50000)),
     "a part of it");
  stralloc_free(&raw);
  stralloc_free(&wire);
  close(fd);
}

int main(void) {
  test_example();
  test_numbers();
  test_other_shapes();
  test_wire();
  test_large();
  arena_release(&test_arena);
  return tap_done();
}
