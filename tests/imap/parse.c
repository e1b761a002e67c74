/* The tokens of a command, good and bad, and finding the next command after a bad one. */
#include "../tap.h"
#include "wire.h"

enum { LIMIT = 1000 };

static struct wire *text(char const *s) {
  return wire_new(s, strlen(s), LIMIT);
}

/* ---- one token ---- */

typedef bool parse_text(struct imap_parser *, char **);
typedef bool parse_bytes(struct imap_parser *, struct imap_bytes *);

static void token(parse_text *parse, char const *input, char const *want) {
  struct wire *w = text(input);
  char *got = 0;
  bool good = parse(&w->parser, &got);
  is(good ? got : 0, want, input);
  wire_free(w);
}

static void bytes(parse_bytes *parse, char const *input, char const *want) {
  struct wire *w = text(input);
  struct imap_bytes got = {0};
  bool good = parse(&w->parser, &got);
  is(good ? got.data : 0, want, input);
  if (good && got.data) is_uint(got.size, strlen(got.data), "  and its size");
  wire_free(w);
}

static void test_tag_length(void) {
  char tag[200] = "";
  for (int i = 0; i < IMAP_TAG_MAX; i++) strcat(tag, "t");
  char input[202];
  snprintf(input, sizeof input, "%s ", tag);
  token(imap_parse_tag, input, tag);
  snprintf(input, sizeof input, "%st ", tag);
  token(imap_parse_tag, input, 0);
}

static void test_words(void) {
  token(imap_parse_tag, "a1.[]x NOOP", "a1.[]x");
  token(imap_parse_tag, "a+b NOOP", "a");
  token(imap_parse_tag, "+ NOOP", 0);
  token(imap_parse_tag, " NOOP", 0);
  token(imap_parse_tag, "\x80 NOOP", 0);
  token(imap_parse_atom, "SELECT INBOX", "SELECT");
  token(imap_parse_atom, "a]b ", "a");
  token(imap_parse_atom, "a[b ", "a[b");
  token(imap_parse_atom, "", 0);
  token(imap_parse_atom, "unended", 0);
  token(imap_parse_word, "BODY.PEEK[HEADER]", "BODY.PEEK");
  token(imap_parse_word, "FLAGS)", "FLAGS");
  token(imap_parse_word, "1.2.HEADER.FIELDS (", "1.2.HEADER.FIELDS");
  token(imap_parse_word, "(", 0);
  token(imap_parse_flag, "\\Seen)", "\\Seen");
  token(imap_parse_flag, "$Forwarded ", "$Forwarded");
  token(imap_parse_flag, "\\ ", 0);
  token(imap_parse_flag, "\\*)", 0);
}

static void test_strings(void) {
  bytes(imap_parse_astring, "INBOX.[x]\r\n", "INBOX.[x]");
  bytes(imap_parse_astring, "\"two words\" ", "two words");
  bytes(imap_parse_astring, "\"a\\\"b\\\\c\" ", "a\"b\\c");
  bytes(imap_parse_astring, "\"\" ", "");
  bytes(imap_parse_astring, "\"gr\xc3\xbc\xc3\x9f\" ", "gr\xc3\xbc\xc3\x9f");
  bytes(imap_parse_astring, "\"a\\bc\" ", 0);
  bytes(imap_parse_astring, "\"open\r\n", 0);
  bytes(imap_parse_astring, "\"open", 0);
  bytes(imap_parse_astring, "x*\r\n", "x");
  bytes(imap_parse_astring, "{3+}\r\nabc ", "abc");
  bytes(imap_parse_astring, "{3+}\nabc ", "abc");
  bytes(imap_parse_astring, "{0+}\r\n ", "");
  bytes(imap_parse_astring, "{4+}\r\na\r\nb ", "a\r\nb");
  bytes(imap_parse_astring, "{3+}\r\nab", 0);
  bytes(imap_parse_astring, "{3 }\r\nabc", 0);
  bytes(imap_parse_astring, "{+}\r\nabc", 0);
  bytes(imap_parse_astring, "{3-}\r\nabc", 0);
  bytes(imap_parse_astring, "{-3}\r\nabc", 0);
  bytes(imap_parse_astring, "~{3+}\r\nabc", "~");
  bytes(imap_parse_string, "abc", 0);
  bytes(imap_parse_string, "\"abc\"", "abc");
  bytes(imap_parse_nstring, "nIl ", 0);
  bytes(imap_parse_nstring, "\"NIL\" ", "NIL");
  bytes(imap_parse_list_mailbox, "INBOX.%.* ", "INBOX.%.*");
  bytes(imap_parse_list_mailbox, "\"*\" ", "*");
  bytes(imap_parse_list_mailbox, "( ", 0);
}

static void test_nil(void) {
  struct wire *w = text("nil \"x\" other ");
  char before[] = "x";
  struct imap_bytes b = {before, 1};
  ok(imap_parse_nstring(&w->parser, &b) && !b.data, "NIL is a null pointer");
  ok(imap_parse_space(&w->parser) && imap_parse_nstring(&w->parser, &b) && b.data,
     "a string is not");
  ok(imap_parse_space(&w->parser) && !imap_parse_nstring(&w->parser, &b), "another atom fails");
  is(w->parser.error, "String or NIL expected", "and says what was expected");
  wire_free(w);
}

static void test_nul(void) {
  struct wire *w = wire_new("{3+}\r\na\0b\r\nA NOOP\r\n", 19, LIMIT);
  struct imap_bytes b;
  char *tag;
  ok(!imap_parse_string(&w->parser, &b), "a NUL in a literal fails");
  is(w->parser.error, "NUL in a literal", "and says so");
  imap_command_skip(&w->parser);
  imap_command_begin(&w->parser);
  ok(imap_parse_tag(&w->parser, &tag) && !strcmp(tag, "A"), "the next command is found");
  wire_free(w);
  w = wire_new("\"a\0b\"\r\n", 7, LIMIT);
  ok(!imap_parse_string(&w->parser, &b), "a NUL in a quoted string fails");
  wire_free(w);
  w = wire_new("a\0b\r\n", 5, LIMIT);
  ok(imap_parse_astring(&w->parser, &b) && b.size == 1 && !imap_parse_end(&w->parser),
     "a NUL ends an atom and is no end of line");
  wire_free(w);
}

/* ---- numbers ---- */

static void number(char const *input, bool nz, bool good, uint32_t want) {
  struct wire *w = text(input);
  uint32_t n = 0;
  ok((nz ? imap_parse_nz_number : imap_parse_number)(&w->parser, &n) == good && n == want, input);
  wire_free(w);
}

static void test_numbers(void) {
  number("0 ", false, true, 0);
  number("4294967295 ", false, true, UINT32_MAX);
  number("4294967296 ", false, false, 0);
  number("99999999999999999999999 ", false, false, 0);
  number("-1 ", false, false, 0);
  number("x ", false, false, 0);
  number("0 ", true, false, 0);
  number("1 ", true, true, 1);
  struct wire *w = text("18446744073709551615 18446744073709551616 ");
  uint64_t n;
  ok(imap_parse_number64(&w->parser, &n) && n == UINT64_MAX, "2^64-1");
  ok(imap_parse_space(&w->parser) && !imap_parse_number64(&w->parser, &n), "2^64 is too large");
  is(w->parser.error, "Number too large", "and says so");
  wire_free(w);
}

/* ---- ends ---- */

static void test_ends(void) {
  struct wire *w = text("A\r\nB\nC\rD\r\nE");
  char *atom;
  ok(imap_parse_atom(&w->parser, &atom) && imap_parse_end(&w->parser), "CRLF ends a command");
  ok(!w->parser.unfinished, "which is finished then");
  imap_command_begin(&w->parser);
  ok(imap_parse_atom(&w->parser, &atom) && imap_parse_end(&w->parser), "so does a bare LF");
  imap_command_begin(&w->parser);
  ok(imap_parse_atom(&w->parser, &atom) && !imap_parse_end(&w->parser), "a bare CR does not");
  ok(w->parser.unfinished, "the command is unfinished");
  imap_command_skip(&w->parser);
  ok(!w->parser.unfinished, "until it is skipped");
  imap_command_begin(&w->parser);
  ok(!imap_parse_atom(&w->parser, &atom), "an unfinished line at the end of the input fails");
  ok(!w->parser.error && w->in.end == IMAP_EOF, "without words: nobody is there to read them");
  wire_free(w);
}

static void test_char(void) {
  struct wire *w = text("(x");
  ok(imap_parse_char(&w->parser, '('), "the character that was expected");
  ok(!imap_parse_char(&w->parser, ')'), "another one");
  is(w->parser.error, "')' expected", "names the one that was");
  wire_free(w);
}

/* ---- limits ---- */

static void test_limit(void) {
  char line[3000];
  memset(line, 'x', sizeof line);
  memcpy(line + 2000, "\r\nB\r\n", 5);
  struct wire *w = wire_new(line, 2005, LIMIT);
  char *atom;
  ok(!imap_parse_atom(&w->parser, &atom), "an atom above the limit fails");
  is(w->parser.error, "Command too long", "and says why");
  imap_command_skip(&w->parser);
  imap_command_begin(&w->parser);
  ok(imap_parse_atom(&w->parser, &atom) && !strcmp(atom, "B"),
     "the next command has its own limit");
  wire_free(w);

  memset(line, '(', 2000);
  w = wire_new(line, 2005, LIMIT);
  unsigned int depth = 0;
  while (imap_parse_char(&w->parser, '(')) depth++;
  is_uint(depth, LIMIT, "parentheses count against the limit too");
  is(w->parser.error, "Command too long", "and say so");
  wire_free(w);
}

/* A limit that falls within `{10+}`, at any of its bytes, must not hide the literal. */
static void test_limit_in_header(void) {
  unsigned int found = 0;
  for (size_t limit = 6; limit < 16; limit++) {
    char const *line = "12345 {10+}\r\nA2 LOGOUT\n\r\nB\r\n";
    struct wire *w = wire_new(line, strlen(line), limit);
    struct imap_bytes b;
    char *atom;
    bool good = imap_parse_atom(&w->parser, &atom) && imap_parse_space(&w->parser) &&
                imap_parse_string(&w->parser, &b);
    imap_command_skip(&w->parser);
    imap_command_begin(&w->parser);
    w->parser.left = LIMIT;
    found += !good && imap_parse_atom(&w->parser, &atom) && !strcmp(atom, "B");
    wire_free(w);
  }
  is_uint(found, 10, "a limit reached within a literal's header still finds the literal's end");
}

/* ---- literals ---- */

static void test_literal_request(void) {
  struct wire *w = text("{3}\r\nabc {2+}\r\nde\r\n");
  struct imap_bytes b;
  ok(imap_parse_string(&w->parser, &b) && !strcmp(b.data, "abc"), "synchronizing literal");
  is(wire_answer(w), "+ Ready for the literal\r\n", "is asked for");
  ok(imap_parse_space(&w->parser) && imap_parse_string(&w->parser, &b) &&
         imap_parse_end(&w->parser),
     "non-synchronizing literal");
  is(wire_answer(w), "+ Ready for the literal\r\n", "is not");
  wire_free(w);
}

static void test_literal_stream(void) {
  struct wire *w = wire_new("~{5+}\r\na\0bcd)\r\n", 15, LIMIT);
  struct imap_literal l;
  char buf[3];
  ok(imap_parse_literal_header(&w->parser, &l), "a literal8");
  ok(l.binary && !l.synchronizing && l.size == 5, "is described");
  imap_literal_accept(&w->parser, &l);
  is_uint((uint64_t)imap_input_literal(&w->in, buf, sizeof buf), 3, "its bytes come in pieces");
  wire_free(w);

  w = text("{5}\r\nabcde\r\n");
  ok(imap_parse_literal_header(&w->parser, &l) && l.synchronizing, "a synchronizing header");
  ok(!w->parser.unfinished, "ends the command unless it is accepted");
  imap_literal_accept(&w->parser, &l);
  ok(w->parser.unfinished, "and begins it again if it is");
  uint64_t got = 0;
  for (ssize_t r; (r = imap_input_literal(&w->in, buf, sizeof buf)) > 0;) got += (uint64_t)r;
  is_uint(got, 5, "it is read to its end");
  ok(imap_parse_end(&w->parser), "and no further");
  wire_free(w);
}

/* After a bad command whose text is `bad`, is command B found, and what has been answered? */
static void skip(char const *bad, bool found, bool hopeless) {
  char input[2000];
  snprintf(input, sizeof input, "%s\r\nB\r\n", bad);
  struct wire *w = text(input);
  struct imap_bytes b;
  char *atom;
  (void)(imap_parse_atom(&w->parser, &atom) && imap_parse_space(&w->parser) &&
         imap_parse_astring(&w->parser, &b));
  imap_command_skip(&w->parser);
  bool is_hopeless = w->parser.hopeless;
  imap_command_begin(&w->parser);
  bool good = !is_hopeless && imap_parse_atom(&w->parser, &atom) && !strcmp(atom, "B");
  ok(good == found && is_hopeless == hopeless, bad);
  is(wire_answer(w), "", "  asks for nothing");
  wire_free(w);
}

static void test_skip(void) {
  skip("A x y z", true, false);
  skip("A (", true, false);
  skip("A \"open", true, false);
  skip("A ( {9+}\r\nC LOGOUT\n (", true, false);
  skip("A ( {9+}\nC LOGOUT\n {4+}\r\n\r\n\r\n", true, false);
  skip("A ({1+}\r\nx{2+}\r\nyz", true, false);
  skip("A {9999}", true, false); /* too large, synchronizing: it will not come */
  skip("A {4294967296}", true, false);
  skip("A {18446744073709551616}", true, false);
  skip("A ( {18446744073709551616}", true, false);
  skip("A {4294967296+}", false, true);
  skip("A {18446744073709551616+}", false, true);
  skip("A {18446744073709551625+}", false, true);
  skip("A ( {18446744073709551616+}", false, true);
  skip("A {1{2+}\r\nxy", true, false);
  skip("A ({2+} \r\nB", true, false); /* a blank after it: no literal, B is the command */
}

static void test_skip_large_literal(void) {
  enum { SIZE = 50000 };
  char *input = malloc(SIZE + 100);
  int head = sprintf(input, "A {%d+}\r\n", SIZE);
  memset(input + head, '\n', SIZE);
  int tail = sprintf(input + head + SIZE, "\r\nB\r\n");
  struct wire *w = wire_new(input, (size_t)(head + SIZE + tail), LIMIT);
  struct imap_bytes b;
  char *atom;
  ok(imap_parse_atom(&w->parser, &atom) && imap_parse_space(&w->parser) &&
         !imap_parse_astring(&w->parser, &b),
     "a literal above the limit fails");
  is(w->parser.error, "Literal too large", "and says why");
  imap_command_skip(&w->parser);
  imap_command_begin(&w->parser);
  ok(imap_parse_atom(&w->parser, &atom) && !strcmp(atom, "B"), "it is read away");
  is_uint(w->in.bytes, (uint64_t)(head + SIZE + tail), "every byte is counted");
  wire_free(w);
  free(input);
}

/* ---- input: where bytes come from ---- */

static ssize_t one_byte(struct imap_input *in, char *buf, size_t size) {
  ++*(int *)in->context;
  return read(in->fd, buf, size ? 1 : 0);
}

static void test_fill(void) {
  struct wire *w = text("A {3+}\r\nabc\r\nrest");
  int calls = 0;
  struct imap_bytes b;
  char *atom, rest[10] = "";
  w->in.fill = one_byte;
  w->in.context = &calls;
  ok(imap_parse_atom(&w->parser, &atom) && imap_parse_space(&w->parser) &&
         imap_parse_astring(&w->parser, &b) && imap_parse_end(&w->parser),
     "a fill of the caller's own");
  is_uint((uint64_t)calls, 13, "is asked for what the command has");
  ok(!imap_input_pending(&w->in), "and nothing else is buffered");
  ok(read(w->in.fd, rest, sizeof rest - 1) == 4, "the rest");
  is(rest, "rest", "is still in the descriptor");
  wire_free(w);
}

static void test_timeout(void) {
  int fds[2];
  struct imap_input *in = malloc(sizeof *in);
  ok(!pipe(fds), "a pipe");
  imap_input_init(in, fds[0]);
  in->deadline = clock_ms();
  ok(imap_input_peek(in) == -1 && in->end == IMAP_TIMEOUT, "nothing before the deadline");
  ok(write(fds[1], "x", 1) == 1 && imap_input_peek(in) == -1, "that is final");
  in->end = IMAP_OPEN;
  is_uint((uint64_t)imap_input_peek(in), 'x', "unless the caller opens it again");
  close(fds[0]);
  close(fds[1]);
  free(in);
}

/* ---- dates and sequence sets within commands ---- */

static void test_dates(void) {
  struct wire *w = text("1-Feb-1994 \"17-Jul-1996\" \"17-Jul-1996 02:44:25 -0700\" 31-Feb-1994 ");
  int32_t day;
  time_t t;
  ok(imap_parse_date(&w->parser, &day) && day == 8797, "unquoted date");
  ok(imap_parse_space(&w->parser) && imap_parse_date(&w->parser, &day) && day == 9694,
     "quoted date");
  ok(imap_parse_space(&w->parser) && imap_parse_date_time(&w->parser, &t) && t == 837596665,
     "date-time");
  ok(imap_parse_space(&w->parser) && !imap_parse_date(&w->parser, &day), "no such day");
  wire_free(w);
}

int main(void) {
  test_words();
  test_tag_length();
  test_strings();
  test_nil();
  test_nul();
  test_numbers();
  test_ends();
  test_char();
  test_limit();
  test_limit_in_header();
  test_literal_request();
  test_literal_stream();
  test_skip();
  test_skip_large_literal();
  test_fill();
  test_timeout();
  test_dates();
  return tap_done();
}
