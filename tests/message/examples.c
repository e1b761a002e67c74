/* Whole messages that RFCs show, and what has to be told of them. */
#include "message-test.h"

/* RFC 5322 appendix A, in its order but for those that are there twice. */
static struct {
  char const *name, *message, *envelope;
  time_t sent;
  char const *references;
} const mails[] = {
    {"RFC 5322 appendix A.1.1",
     "From: John Doe <jdoe@machine.example>\n"
     "To: Mary Smith <mary@example.net>\n"
     "Subject: Saying Hello\n"
     "Date: Fri, 21 Nov 1997 09:55:06 -0600\n"
     "Message-ID: <1234@local.machine.example>\n"
     "\n"
     "This is a message just to say hello.\n"
     "So, \"Hello\".\n",
     "(\"Fri, 21 Nov 1997 09:55:06 -0600\" \"Saying Hello\" ((\"John Doe\" NIL \"jdoe\" "
     "\"machine.example\")) ((\"John Doe\" NIL \"jdoe\" \"machine.example\")) ((\"John Doe\" NIL "
     "\"jdoe\" \"machine.example\")) ((\"Mary Smith\" NIL \"mary\" \"example.net\")) NIL NIL NIL "
     "\"<1234@local.machine.example>\")",
     880127706, ""},
    {"RFC 5322 appendix A.1.1",
     "From: John Doe <jdoe@machine.example>\n"
     "Sender: Michael Jones <mjones@machine.example>\n"
     "To: Mary Smith <mary@example.net>\n"
     "Subject: Saying Hello\n"
     "Date: Fri, 21 Nov 1997 09:55:06 -0600\n"
     "Message-ID: <1234@local.machine.example>\n"
     "\n"
     "This is a message just to say hello.\n"
     "So, \"Hello\".\n",
     "(\"Fri, 21 Nov 1997 09:55:06 -0600\" \"Saying Hello\" ((\"John Doe\" NIL \"jdoe\" "
     "\"machine.example\")) ((\"Michael Jones\" NIL \"mjones\" \"machine.example\")) ((\"John "
     "Doe\" NIL \"jdoe\" \"machine.example\")) ((\"Mary Smith\" NIL \"mary\" \"example.net\")) NIL "
     "NIL NIL \"<1234@local.machine.example>\")",
     880127706, ""},
    {"RFC 5322 appendix A.1.2",
     "From: \"Joe Q. Public\" <john.q.public@example.com>\n"
     "To: Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>\n"
     "Cc: <boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>\n"
     "Date: Tue, 1 Jul 2003 10:52:37 +0200\n"
     "Message-ID: <5678.21-Nov-1997@example.com>\n"
     "\n"
     "Hi everyone.\n",
     "(\"Tue, 1 Jul 2003 10:52:37 +0200\" NIL ((\"Joe Q. Public\" NIL \"john.q.public\" "
     "\"example.com\")) ((\"Joe Q. Public\" NIL \"john.q.public\" \"example.com\")) ((\"Joe Q. "
     "Public\" NIL \"john.q.public\" \"example.com\")) ((\"Mary Smith\" NIL \"mary\" "
     "\"x.test\")(NIL NIL \"jdoe\" \"example.org\")(\"Who?\" NIL \"one\" \"y.test\")) ((NIL NIL "
     "\"boss\" \"nil.test\")(\"Giant; \\\"Big\\\" Box\" NIL \"sysservices\" \"example.net\")) NIL "
     "NIL \"<5678.21-Nov-1997@example.com>\")",
     1057049557, ""},
    {"RFC 5322 appendix A.1.3",
     "From: Pete <pete@silly.example>\n"
     "To: A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;\n"
     "Cc: Undisclosed recipients:;\n"
     "Date: Thu, 13 Feb 1969 23:32:54 -0330\n"
     "Message-ID: <testabcd.1234@silly.example>\n"
     "\n"
     "Testing.\n",
     "(\"Thu, 13 Feb 1969 23:32:54 -0330\" NIL ((\"Pete\" NIL \"pete\" \"silly.example\")) "
     "((\"Pete\" NIL \"pete\" \"silly.example\")) ((\"Pete\" NIL \"pete\" \"silly.example\")) "
     "((NIL NIL \"A Group\" NIL)(\"Ed Jones\" NIL \"c\" \"a.test\")(NIL NIL \"joe\" "
     "\"where.test\")(\"John\" NIL \"jdoe\" \"one.test\")(NIL NIL NIL NIL)) ((NIL NIL "
     "\"Undisclosed recipients\" NIL)(NIL NIL NIL NIL)) NIL NIL \"<testabcd.1234@silly.example>\")",
     -27723426, ""},
    {"RFC 5322 appendix A.2",
     "From: Mary Smith <mary@example.net>\n"
     "To: John Doe <jdoe@machine.example>\n"
     "Reply-To: \"Mary Smith: Personal Account\" <smith@home.example>\n"
     "Subject: Re: Saying Hello\n"
     "Date: Fri, 21 Nov 1997 10:01:10 -0600\n"
     "Message-ID: <3456@example.net>\n"
     "In-Reply-To: <1234@local.machine.example>\n"
     "References: <1234@local.machine.example>\n"
     "\n"
     "This is a reply to your hello.\n",
     "(\"Fri, 21 Nov 1997 10:01:10 -0600\" \"Re: Saying Hello\" ((\"Mary Smith\" NIL \"mary\" "
     "\"example.net\")) ((\"Mary Smith\" NIL \"mary\" \"example.net\")) ((\"Mary Smith: Personal "
     "Account\" NIL \"smith\" \"home.example\")) ((\"John Doe\" NIL \"jdoe\" \"machine.example\")) "
     "NIL NIL \"<1234@local.machine.example>\" \"<3456@example.net>\")",
     880128070, "1234@local.machine.example "},
    {"RFC 5322 appendix A.2",
     "To: \"Mary Smith: Personal Account\" <smith@home.example>\n"
     "From: John Doe <jdoe@machine.example>\n"
     "Subject: Re: Saying Hello\n"
     "Date: Fri, 21 Nov 1997 11:00:00 -0600\n"
     "Message-ID: <abcd.1234@local.machine.test>\n"
     "In-Reply-To: <3456@example.net>\n"
     "References: <1234@local.machine.example> <3456@example.net>\n"
     "\n"
     "This is a reply to your reply.\n",
     "(\"Fri, 21 Nov 1997 11:00:00 -0600\" \"Re: Saying Hello\" ((\"John Doe\" NIL \"jdoe\" "
     "\"machine.example\")) ((\"John Doe\" NIL \"jdoe\" \"machine.example\")) ((\"John Doe\" NIL "
     "\"jdoe\" \"machine.example\")) ((\"Mary Smith: Personal Account\" NIL \"smith\" "
     "\"home.example\")) NIL NIL \"<3456@example.net>\" \"<abcd.1234@local.machine.test>\")",
     880131600, "1234@local.machine.example 3456@example.net "},
    {"RFC 5322 appendix A.3",
     "Resent-From: Mary Smith <mary@example.net>\n"
     "Resent-To: Jane Brown <j-brown@other.example>\n"
     "Resent-Date: Mon, 24 Nov 1997 14:22:01 -0800\n"
     "Resent-Message-ID: <78910@example.net>\n"
     "From: John Doe <jdoe@machine.example>\n"
     "To: Mary Smith <mary@example.net>\n"
     "Subject: Saying Hello\n"
     "Date: Fri, 21 Nov 1997 09:55:06 -0600\n"
     "Message-ID: <1234@local.machine.example>\n"
     "\n"
     "This is a message just to say hello.\n"
     "So, \"Hello\".\n",
     "(\"Fri, 21 Nov 1997 09:55:06 -0600\" \"Saying Hello\" ((\"John Doe\" NIL \"jdoe\" "
     "\"machine.example\")) ((\"John Doe\" NIL \"jdoe\" \"machine.example\")) ((\"John Doe\" NIL "
     "\"jdoe\" \"machine.example\")) ((\"Mary Smith\" NIL \"mary\" \"example.net\")) NIL NIL NIL "
     "\"<1234@local.machine.example>\")",
     880127706, ""},
    {"RFC 5322 appendix A.4",
     "Received: from x.y.test\n"
     "   by example.net\n"
     "   via TCP\n"
     "   with ESMTP\n"
     "   id ABC12345\n"
     "   for <mary@example.net>;  21 Nov 1997 10:05:43 -0600\n"
     "Received: from node.example by x.y.test; 21 Nov 1997 10:01:22 -0600\n"
     "From: John Doe <jdoe@node.example>\n"
     "To: Mary Smith <mary@example.net>\n"
     "Subject: Saying Hello\n"
     "Date: Fri, 21 Nov 1997 09:55:06 -0600\n"
     "Message-ID: <1234@local.node.example>\n"
     "\n"
     "This is a message just to say hello.\n"
     "So, \"Hello\".\n",
     "(\"Fri, 21 Nov 1997 09:55:06 -0600\" \"Saying Hello\" ((\"John Doe\" NIL \"jdoe\" "
     "\"node.example\")) ((\"John Doe\" NIL \"jdoe\" \"node.example\")) ((\"John Doe\" NIL "
     "\"jdoe\" \"node.example\")) ((\"Mary Smith\" NIL \"mary\" \"example.net\")) NIL NIL NIL "
     "\"<1234@local.node.example>\")",
     880127706, ""},
    {"RFC 5322 appendix A.5",
     "From: Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>\n"
     "To:A Group(Some people)\n"
     "     :Chris Jones <c@(Chris's host.)public.example>,\n"
     "         joe@example.org,\n"
     "  John <jdoe@one.test> (my dear friend); (the end of the group)\n"
     "Cc:(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;\n"
     "Date: Thu,\n"
     "      13\n"
     "        Feb\n"
     "          1969\n"
     "      23:32\n"
     "               -0330 (Newfoundland Time)\n"
     "Message-ID:              <testabcd.1234@silly.test>\n"
     "\n"
     "Testing.\n",
     "(\"Thu,      13        Feb          1969      23:32               -0330 (Newfoundland "
     "Time)\" NIL ((\"Pete\" NIL \"pete\" \"silly.test\")) ((\"Pete\" NIL \"pete\" "
     "\"silly.test\")) ((\"Pete\" NIL \"pete\" \"silly.test\")) ((NIL NIL \"A Group\" NIL)(\"Chris "
     "Jones\" NIL \"c\" \"public.example\")(NIL NIL \"joe\" \"example.org\")(\"John\" NIL \"jdoe\" "
     "\"one.test\")(NIL NIL NIL NIL)) ((NIL NIL \"Hidden recipients\" NIL)(NIL NIL NIL NIL)) NIL "
     "NIL \"<testabcd.1234@silly.test>\")",
     -27723480, ""},
    {"RFC 5322 appendix A.6.1",
     "From: Joe Q. Public <john.q.public@example.com>\n"
     "To: Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example\n"
     "Date: Tue, 1 Jul 2003 10:52:37 +0200\n"
     "Message-ID: <5678.21-Nov-1997@example.com>\n"
     "\n"
     "Hi everyone.\n",
     "(\"Tue, 1 Jul 2003 10:52:37 +0200\" NIL ((\"Joe Q. Public\" NIL \"john.q.public\" "
     "\"example.com\")) ((\"Joe Q. Public\" NIL \"john.q.public\" \"example.com\")) ((\"Joe Q. "
     "Public\" NIL \"john.q.public\" \"example.com\")) ((\"Mary Smith\" \"@node.test\" \"mary\" "
     "\"example.net\")(NIL NIL \"jdoe\" \"test.example\")) NIL NIL NIL "
     "\"<5678.21-Nov-1997@example.com>\")",
     1057049557, ""},
    {"RFC 5322 appendix A.6.2",
     "From: John Doe <jdoe@machine.example>\n"
     "To: Mary Smith <mary@example.net>\n"
     "Subject: Saying Hello\n"
     "Date: 21 Nov 97 09:55:06 GMT\n"
     "Message-ID: <1234@local.machine.example>\n"
     "\n"
     "This is a message just to say hello.\n"
     "So, \"Hello\".\n",
     "(\"21 Nov 97 09:55:06 GMT\" \"Saying Hello\" ((\"John Doe\" NIL \"jdoe\" "
     "\"machine.example\")) ((\"John Doe\" NIL \"jdoe\" \"machine.example\")) ((\"John Doe\" NIL "
     "\"jdoe\" \"machine.example\")) ((\"Mary Smith\" NIL \"mary\" \"example.net\")) NIL NIL NIL "
     "\"<1234@local.machine.example>\")",
     880106106, ""},
    {"RFC 5322 appendix A.6.3",
     "From  : John Doe <jdoe@machine(comment).  example>\n"
     "To    : Mary Smith\n"
     "  \n"
     "          <mary@example.net>\n"
     "Subject     : Saying Hello\n"
     "Date  : Fri, 21 Nov 1997 09(comment):   55  :  06 -0600\n"
     "Message-ID  : <1234   @   local(blah)  .machine .example>\n"
     "\n"
     "This is a message just to say hello.\n"
     "So, \"Hello\".\n",
     "(\"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600\" \"Saying Hello\" ((\"John Doe\" NIL "
     "\"jdoe\" \"machine.example\")) ((\"John Doe\" NIL \"jdoe\" \"machine.example\")) ((\"John "
     "Doe\" NIL \"jdoe\" \"machine.example\")) ((\"Mary Smith\" NIL \"mary\" \"example.net\")) NIL "
     "NIL NIL \"<1234   @   local(blah)  .machine .example>\")",
     880127706, ""},
};

/* The IDs of References, a blank behind each. */
static char const *references_of(struct message_part const *root) {
  stralloc s = STRALLOC_ZERO;
  struct message_field field;
  for (size_t at = 0; message_next_field(root->header, root->header_size, &at, &field);) {
    if (field.name_size != 10 || strncasecmp(field.name, "References", 10)) continue;
    struct message_ids ids = {field.value, field.value + field.value_size, false, false};
    while (message_next_id(&ids, &s)) stralloc_append(&s, ' ');
  }
  return taken(&s);
}

static void test_mails(void) {
  for (size_t i = 0; i < sizeof mails / sizeof *mails; i++) {
    struct message_part const *root = parse_string(mails[i].message);
    char const *date = message_header_get(root->header, root->header_size, "Date", &test_arena);
    time_t sent = 0;
    int32_t day;
    is(envelope_of(root), mails[i].envelope, mails[i].name);
    ok(date && message_parse_date(date, strlen(date), &sent, &day) && sent == mails[i].sent,
       "... when it was sent");
    is(references_of(root), mails[i].references, "... and what it refers to");
  }
}

/* ---- RFC 3501 ---- */

/* A text of so many lines and octets, line ends (two octets each) included. */
static char const *text_of(unsigned int octets, unsigned int lines) {
  char *text = arena_alloc(&test_arena, octets + 1), *at = text;
  for (unsigned int i = 1; i <= lines; i++) {
    unsigned int size = octets / lines + (i == lines ? octets % lines : 0) - 2;
    memset(at, 'x', size);
    memcpy(at + size, "\n", 2);
    at += size + 1;
  }
  return text;
}

static char const *together(char const *const *pieces) {
  stralloc s = STRALLOC_ZERO;
  for (; *pieces; pieces++) stralloc_catb(&s, *pieces, strlen(*pieces));
  return taken(&s);
}
#define TOGETHER(...) together((char const *const[]){__VA_ARGS__, 0})

static void test_imap(void) {
  static char const plain[] = "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\n"
                              "Content-Transfer-Encoding: 7BIT\n\n";
  is(body_of(TOGETHER(plain, text_of(2279, 48))),
     "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 2279 48)",
     "RFC 3501 section 7.4.2: a simple text message of 48 lines and 2279 octets");
  is(body_of(TOGETHER("Content-Type: MULTIPART/MIXED; BOUNDARY=x\n\n--x\n", plain,
                      text_of(1152, 23),
                      "\n--x\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME=\"cc.diff\"\n"
                      "Content-ID: <960723163407.20117h@cac.washington.edu>\nContent-Description: "
                      "Compiler diff\n"
                      "Content-Transfer-Encoding: BASE64\n\n",
                      text_of(4554, 73), "\n--x--\n")),
     "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1152 23)"
     "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") "
     "\"<960723163407.20117h@cac.washington.edu>\" \"Compiler diff\" \"BASE64\" 4554 73) "
     "\"MIXED\")",
     "RFC 3501 section 7.4.2: a text and an attachment");
  is(body_of(TOGETHER(plain, text_of(3028, 92))),
     "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3028 92)",
     "RFC 3501 section 8");
  is_uint(parse_string("Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\n"
                       "From: Terry Gray <gray@cac.washington.edu>\n"
                       "Subject: IMAP4rev1 WG mtg summary and minutes\n"
                       "To: imap@cac.washington.edu\n"
                       "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\n"
                       "Message-Id: <B27397-0100000@cac.washington.edu>\n"
                       "MIME-Version: 1.0\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\n\n")
              ->header_wire,
          342, "RFC 3501 section 8: BODY[HEADER]");
}

/* ---- MIME ---- */

static void test_mime(void) {
  is(body_of(
         "From: Moderator-Address\nTo: Recipient-List\nDate: Mon, 22 Mar 1994 13:34:51 +0000\n"
         "Subject: Internet Digest, volume 42\nMIME-Version: 1.0\n"
         "Content-Type: multipart/mixed;\n              boundary=\"---- main boundary ----\"\n\n"
         "------ main boundary ----\n\n  ...Introductory text or table of contents...\n\n"
         "------ main boundary ----\nContent-Type: multipart/digest;\n"
         "              boundary=\"---- next message ----\"\n\n------ next message ----\n\n"
         "From: someone-else\nDate: Fri, 26 Mar 1993 11:13:32 +0200\nSubject: my opinion\n\n"
         "  ...body goes here ...\n\n------ next message ----\n\nFrom: someone-else-again\n"
         "Date: Fri, 26 Mar 1993 10:07:13 -0500\nSubject: my different opinion\n\n"
         "  ... another body goes here ...\n\n------ next message ------\n\n"
         "------ main boundary ------\n"),
     "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 48 1)((\"message\" "
     "\"rfc822\" NIL NIL NIL \"7bit\" 107 (\"Fri, 26 Mar 1993 11:13:32 +0200\" \"my opinion\" "
     "((NIL NIL \"someone-else\" \"\")) ((NIL NIL \"someone-else\" \"\")) ((NIL NIL "
     "\"someone-else\" \"\")) NIL NIL NIL NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") "
     "NIL NIL \"7bit\" 25 1) 5)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 132 (\"Fri, 26 Mar "
     "1993 10:07:13 -0500\" \"my different opinion\" ((NIL NIL \"someone-else-again\" \"\")) ((NIL "
     "NIL \"someone-else-again\" \"\")) ((NIL NIL \"someone-else-again\" \"\")) NIL NIL NIL NIL "
     "NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 34 1) 5) \"digest\") "
     "\"mixed\")",
     "RFC 2046 section 5.1.5: a digest");
  is(body_of("MIME-Version: 1.0\nFrom: Nathaniel Borenstein <nsb@nsb.fv.com>\n"
             "To: Ned Freed <ned@innosoft.com>\nDate: Fri, 07 Oct 1994 16:15:05 -0700 (PDT)\n"
             "Subject: A multipart example\nContent-Type: multipart/mixed;\n"
             "              boundary=unique-boundary-1\n\n"
             "This is the preamble area of a multipart message.\n\n--unique-boundary-1\n\n"
             "  ... Some text appears here ...\n\n--unique-boundary-1\n"
             "Content-type: text/plain; charset=US-ASCII\n\n"
             "This could have been part of the previous part, but\n"
             "illustrates explicit versus implicit typing of body\nparts.\n\n"
             "--unique-boundary-1\nContent-Type: multipart/parallel; boundary=unique-boundary-2\n\n"
             "--unique-boundary-2\nContent-Type: audio/basic\n"
             "Content-Transfer-Encoding: base64\n\n"
             "  ... base64-encoded 8000 Hz single-channel\n"
             "      mu-law-format audio data goes here ...\n\n--unique-boundary-2\n"
             "Content-Type: image/jpeg\nContent-Transfer-Encoding: base64\n\n"
             "  ... base64-encoded image data goes here ...\n\n--unique-boundary-2--\n\n"
             "--unique-boundary-1\nContent-type: text/enriched\n\n"
             "This is <bold><italic>enriched.</italic></bold>\n"
             "<smaller>as defined in RFC 1896</smaller>\n\nIsn't it\n"
             "<bigger><bigger>cool?</bigger></bigger>\n\n--unique-boundary-1\n"
             "Content-Type: message/rfc822\n\nFrom: (mailbox in US-ASCII)\n"
             "To: (address in US-ASCII)\nSubject: (subject in US-ASCII)\n"
             "Content-Type: Text/plain; charset=ISO-8859-1\n"
             "Content-Transfer-Encoding: Quoted-printable\n\n"
             "  ... Additional text in ISO-8859-1 goes here ...\n\n--unique-boundary-1--\n"),
     "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 34 1)(\"text\" \"plain\" "
     "(\"charset\" \"US-ASCII\") NIL NIL \"7bit\" 114 3)((\"audio\" \"basic\" NIL NIL NIL "
     "\"base64\" 91)(\"image\" \"jpeg\" NIL NIL NIL \"base64\" 47) \"parallel\")(\"text\" "
     "\"enriched\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 145 5)(\"message\" \"rfc822\" NIL "
     "NIL NIL \"7bit\" 232 (NIL \"(subject in US-ASCII)\" NIL NIL NIL NIL NIL NIL NIL NIL) "
     "(\"Text\" \"plain\" (\"charset\" \"ISO-8859-1\") NIL NIL \"Quoted-printable\" 51 1) 7) "
     "\"mixed\")",
     "RFC 2049 appendix A: a complex multipart");
}

/* ---- RFC 2047 ---- */

static char const *decoded(char const *value) {
  stralloc s = STRALLOC_ZERO;
  message_decode_words(&s, value, strlen(value));
  return taken(&s);
}

static void test_words(void) {
  is(decoded("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>"),
     "Keld J\xc3\xb8rn Simonsen <keld@dkuug.dk>", "RFC 2047 section 8: To");
  is(decoded("=?ISO-8859-1?Q?Olle_J=E4rnefors?= <ojarnef@admin.kth.se>"),
     "Olle J\xc3\xa4rnefors <ojarnef@admin.kth.se>", "RFC 2047 section 8: the second From");
  is(decoded("=?ISO-8859-1?Q?Patrik_F=E4ltstr=F6m?= <paf@nada.kth.se>"),
     "Patrik F\xc3\xa4ltstr\xc3\xb6m <paf@nada.kth.se>", "RFC 2047 section 8: the third");
  is(decoded("(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)"), "(ab)",
     "RFC 2047 section 8: in a comment");
  is(decoded("(=?ISO-8859-1?Q?a?= b)"), "(a b)", "RFC 2047 section 8: with text");
  /* The rest is charsetd's. */
  if (charset_known("iso-8859-8") && charset_known("iso-8859-2")) {
    is(decoded("Nathaniel Borenstein <nsb@thumper.bellcore.com>\n "
               "(=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=)"),
       "Nathaniel Borenstein <nsb@thumper.bellcore.com>\n (\xd7\x9d\xd7\x95\xd7\x9c\xd7\xa9 "
       "\xd7\x9f\xd7\x91 \xd7\x99\xd7\x9c\xd7\x98\xd7\xa4\xd7\xa0)",
       "RFC 2047 section 8: the fourth");
    is(decoded("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\n "
               "=?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?="),
       "If you can read this you understand the example.", "RFC 2047 section 8: Subject");
  } else {
    printf("# no charsetd, or no iso-8859-8 or -2 on this system: two examples are skipped\n");
  }
}

int main(void) {
  find_charsetd();
  log_init("test");
  test_mails();
  test_imap();
  test_mime();
  test_words();
  arena_release(&test_arena);
  return tap_done();
}
