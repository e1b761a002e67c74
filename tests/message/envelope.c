/* ENVELOPE and address lists. */
#include "message-test.h"

/* The From member of a message with this From field. */
static char const *from(char const *value) {
  stralloc s = STRALLOC_ZERO;
  stralloc_cats(&s, "To: x@y\nFrom: ");
  stralloc_cats(&s, value);
  stralloc_catb(&s, "\n\n", 3);
  char const *envelope = envelope_of(parse_string(taken(&s)));
  char *start = (char *)envelope + strlen("(NIL NIL ");
  /* From, Sender and Reply-To are the same three times, then To. */
  char *end = strstr(start, " ((NIL NIL \"x\" \"y\"))");
  size_t third = (size_t)(end - start - 2) / 3;
  return arena_copy(&test_arena, start, end ? third : 0);
}

static void test_whole(void) {
  /* RFC 3501 section 8 shows this envelope of this header. */
  is(envelope_of(parse_string("Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
                              "From: Terry Gray <gray@cac.washington.edu>\r\n"
                              "Subject: IMAP4rev1 WG mtg summary and minutes\r\n"
                              "To: imap@cac.washington.edu\r\n"
                              "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
                              "Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
                              "MIME-Version: 1.0\r\n"
                              "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n")),
     "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" "
     "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
     "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
     "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
     "((NIL NIL \"imap\" \"cac.washington.edu\")) "
     "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" "
     "\"MIT.EDU\")) NIL NIL \"<B27397-0100000@cac.washington.edu>\")",
     "RFC 3501 section 8");
  is(envelope_of(parse_string("\n")), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
     "an empty header");
  is(envelope_of(parse_string("")), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)", "no bytes at all");
  is(envelope_of(parse_string("Subject:\nSender: \nFrom: a@b\nReply-To: c@d\n\n")),
     "(NIL \"\" ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) "
     "NIL NIL NIL NIL NIL)",
     "RFC 3501 section 7.4.2: an empty text is empty, an empty Sender is From");
  is(envelope_of(parse_string("To: a@b\nTo: c@d\nSubject: 1\nSubject: 2\n\n")),
     "(NIL \"1\" NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL NIL)",
     "RFC 5322 section 4.5.3: repeated destinations are joined");
  is(envelope_of(parse_string("Subject: This\r\n is a\r\n\ttest  \r\n\r\n")),
     "(NIL \"This is a\ttest\" NIL NIL NIL NIL NIL NIL NIL NIL)",
     "RFC 5322 section 2.2.3: unfolding removes line ends only");
  is(envelope_of(parse_string("Subject : a \"q\" \\ b\n\n")),
     "(NIL \"a \\\"q\\\" \\\\ b\" NIL NIL NIL NIL NIL NIL NIL NIL)",
     "quotes and backslashes, a blank before the colon");
  is(envelope_of(parse_string("Subject: caf\xc3\xa9\n\n")),
     "(NIL {5}\r\ncaf\xc3\xa9 NIL NIL NIL NIL NIL NIL NIL NIL)", "8-bit text is a literal");
  is(envelope_of(parse_string("Subject: a\rb\n\n")),
     "(NIL {3}\r\na\rb NIL NIL NIL NIL NIL NIL NIL NIL)", "a bare CR is in a literal");
  is(envelope_of(parse_chunked("Subject: a\0b\n\n", 14, 14)),
     "(NIL {3}\r\na\x80"
     "b NIL NIL NIL NIL NIL NIL NIL NIL)",
     "a NUL becomes 0x80");
}

static void test_rfc_addresses(void) {
  is(from("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"),
     "((\"Pete\" NIL \"pete\" \"silly.test\"))", "RFC 5322 appendix A.5: comments");
  is(from("\"Joe Q. Public\" <john.q.public@example.com>"),
     "((\"Joe Q. Public\" NIL \"john.q.public\" \"example.com\"))", "RFC 5322 appendix A.1.2");
  is(from("Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>"),
     "((\"Mary Smith\" NIL \"mary\" \"x.test\")(NIL NIL \"jdoe\" \"example.org\")(\"Who?\" NIL "
     "\"one\" \"y.test\"))",
     "RFC 5322 appendix A.1.2: several");
  is(from("<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>"),
     "((NIL NIL \"boss\" \"nil.test\")(\"Giant; \\\"Big\\\" Box\" NIL \"sysservices\" "
     "\"example.net\"))",
     "RFC 5322 appendix A.1.2: quotes");
  is(from("A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;"),
     "((NIL NIL \"A Group\" NIL)(\"Ed Jones\" NIL \"c\" \"a.test\")(NIL NIL \"joe\" "
     "\"where.test\")(\"John\" NIL \"jdoe\" \"one.test\")(NIL NIL NIL NIL))",
     "RFC 5322 appendix A.1.3: a group");
  is(from("Undisclosed recipients:;"),
     "((NIL NIL \"Undisclosed recipients\" NIL)(NIL NIL NIL NIL))",
     "RFC 5322 appendix A.1.3: an empty group");
  is(from("Joe Q. Public <john.q.public@example.com>"),
     "((\"Joe Q. Public\" NIL \"john.q.public\" \"example.com\"))", "RFC 5322 appendix A.6.1");
  is(from("Mary Smith <@node.test,@x.test:mary@example.net>, , jdoe@test . example"),
     "((\"Mary Smith\" \"@node.test,@x.test\" \"mary\" \"example.net\")(NIL NIL \"jdoe\" "
     "\"test.example\"))",
     "RFC 5322 appendix A.6.1: a route, an empty entry, blanks around a dot");
  is(from("John Doe <jdoe@machine(comment).  example>"),
     "((\"John Doe\" NIL \"jdoe\" \"machine.example\"))", "RFC 5322 appendix A.6.3");
  is(from("A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>;"),
     "((NIL NIL \"A Group\" NIL)(\"Chris Jones\" NIL \"c\" \"public.example\")(NIL NIL NIL NIL))",
     "RFC 5322 appendix A.5: a group with comments and folding");
}

static void test_odd_addresses(void) {
  is(from("joe@x.test (Joe Doe)"), "((\"Joe Doe\" NIL \"joe\" \"x.test\"))",
     "a comment is the name");
  is(from("root"), "((NIL NIL \"root\" \"\"))", "a missing host is empty, not NIL");
  is(from("Cron Daemon"), "((\"Cron Daemon\" NIL \"\" \"\"))", "words alone are a name");
  is(from("<>"), "((NIL NIL \"\" \"\"))", "empty brackets");
  is(from("joe@x.test <joe@y.test>"), "((\"joe@x.test\" NIL \"joe\" \"y.test\"))",
     "an address as the name");
  is(from("a@b@c"), "((NIL NIL \"a@b\" \"c\"))", "the last @ separates");
  is(from("\"a b\"@[192.0.2.1]"), "((NIL NIL \"a b\" \"[192.0.2.1]\"))",
     "a quoted local part, a domain literal");
  is(from("a@b; c@d"), "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))", "; outside a group");
  is(from("List: a@b, c@d"),
     "((NIL NIL \"List\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")(NIL "
     "NIL NIL NIL))",
     "an open group is closed");
  is(from("\"Joe <joe@x.test>"), "((NIL NIL \"Joe <joe@x.test>\" \"\"))", "an open quote");
  is(from("Joe <joe@x.test"), "((\"Joe\" NIL \"joe\" \"x.test\"))", "an open bracket");
  is(from("a@b (open"), "((\"open\" NIL \"a\" \"b\"))", "an open comment");
  is(from("Joe Doe joe@x.test"), "((\"Joe Doe\" NIL \"joe\" \"x.test\"))", "brackets forgotten");
  is(from(">>,,;;::@"), "((NIL NIL \"\" \"\"))", "nothing but separators");
  is(from("=?utf-8?q?J=C3=B6?= <j@x>"), "((\"=?utf-8?q?J=C3=B6?=\" NIL \"j\" \"x\"))",
     "encoded words stay encoded");
}

/* Time and memory must grow with the value's size only: these would take hours otherwise. */
static void test_hostile_addresses(void) {
  static char const *const units[] = {
      "a ", "<@", "a@b@", "a@b ", "<a>",       "(",   "(a) ", "\"",   "a:",  ",",   "@",
      "[",  ".",  "\\",   "a;",   "a@b\"c\"@", "<@a", "<@a,", "<@a:", ": ;", "x@[", "\r\n "};
  enum { SIZE = 1 << 20 };
  char *value = malloc(SIZE);
  for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
    struct arena arena = {0};
    for (size_t i = 0, n = strlen(units[u]); i < SIZE; i++) value[i] = units[u][i % n];
    message_parse_addresses(value, SIZE, &arena);
    arena_release(&arena);
  }
  ok(true, "a megabyte of each separator");
  memset(value, 0, 100);
  ok(message_parse_addresses(value, 100, &test_arena), "NULs");
  free(value);
}

int main(void) {
  test_whole();
  test_rfc_addresses();
  test_odd_addresses();
  test_hostile_addresses();
  arena_release(&test_arena);
  return tap_done();
}
