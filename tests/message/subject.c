/* Base subjects, addresses as SORT compares them, message IDs. */
#include "message-test.h"

static bool is_reply;

static char const *base(char const *subject) {
  stralloc s = STRALLOC_ZERO;
  is_reply = message_put_base_subject(&s, subject, strlen(subject));
  return taken(&s);
}

static struct {
  char const *subject, *base;
  bool reply;
  char const *name;
} const subjects[] = {
    {"hello", "HELLO", false, "a plain one, folded (RFC 5051)"},
    {"", "", false, "empty"},
    {"  \t ", "", false, "blanks"},
    {" a \t b\r\n\tc  ", "A B C", false, "step 1: blanks and continuations"},
    {"=?utf-8?q?Re=3A_caf=C3=A9?= =?utf-8?q?_x?=", "CAFE\xcc\x81 X", true,
     "step 1: encoded words first"},
    {"a (fwd)", "A", true, "step 2: a trailer"},
    {"a (fwd) (FWD)(fwd) ", "A", true, "step 2: until no more"},
    {"(fwd)", "", true, "step 2: nothing else"},
    {"a(fwd) b", "A(FWD) B", false, "no trailer within"},
    {"Re: a", "A", true, "step 3: re"},
    {"re:a", "A", true, "without blank"},
    {"RE : a", "A", true, "a blank before the colon"},
    {"Fw: a", "A", true, "fw"},
    {"fwd: a", "A", true, "fwd"},
    {"re[2]: a", "A", true, "subj-refwd with a blob"},
    {"Re [x y] : a", "A", true, "blanks around it"},
    {"re[2][3]: a", "RE[2][3]: A", false, "with two it is none"},
    {"[list] Re: a", "A", true, "blobs before it: the leader"},
    {"[a] [b]Re[1]: [c] a", "A", true, "many blobs"},
    {"Re: [list] a", "A", true, "step 4: a blob"},
    {"[list] a", "A", false, "a blob alone is no reply"},
    {"[list]", "[LIST]", false, "step 4: something must remain"},
    {"[a][b]", "[B]", false, "of two the last"},
    {"[a] [b] Re: ", "", true, "with re: nothing must"},
    {"Re: Re: Fwd: re: a", "A", true, "step 5: repeated"},
    {"[a] Re: [b] Fw: [c] d [e]", "D [E]", true, "all of it"},
    {"reply: a", "REPLY: A", false, "another word"},
    {"res: a", "RES: A", false, "and another"},
    {"AW: a", "AW: A", false, "section 7: no translations"},
    {"Re", "RE", false, "no colon"},
    {"[fwd: a]", "A", true, "step 6"},
    {"[Fwd: [fwd: re: a (fwd)] (fwd)]", "A", true, "step 6, again from step 2"},
    {"[fwd: a] b", "B", false, "not to the end: a blob"},
    {"[fwd: [x] a", "[FWD: [X] A", false, "never closed"},
    {"[fwd:]", "", true, "step 6: nothing in it"},
    {"[a[b] c", "[A[B] C", false, "a blob holds no bracket"},
    {"[a]]b", "]B", false, "nor the other"},
    {"[] a", "A", false, "an empty one"},
    {"Re: \xe9t\xe9", "E\xcc\x81TE\xcc\x81", true, "8-bit bytes, read as ISO-8859-1"},
};

static void base_subjects(void) {
  for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
    is(base(subjects[i].subject), subjects[i].base, subjects[i].name);
    ok(is_reply == subjects[i].reply, subjects[i].reply ? "and a reply" : "and no reply");
  }
}

/* A subject of `count` times `part`, then `end`. */
static char const *repeated(char const *part, size_t count, char const *end) {
  size_t size = strlen(part);
  char *text = arena_alloc(&test_arena, size * count + strlen(end) + 1), *at = text;
  for (size_t i = 0; i < count; i++, at += size) memcpy(at, part, size);
  strcpy(at, end);
  return text;
}

/* Were these not linear, the test would not end. */
static void hostile_subjects(void) {
  enum { MANY = 300000 };
  is(base(repeated("[x]", MANY, "")), "[X]", "a million bytes of blobs");
  is(base(repeated("[x]", MANY, "a")), "A", "and a base");
  is(base(repeated("re:", MANY, "a")), "A", "of re:");
  is(base(repeated("[x]re:", MANY, "a")), "A", "of both");
  is(base(repeated("(fwd)", MANY, "")), "", "of trailers");
  ok(strlen(base(repeated("[", MANY, "a"))) == MANY + 1, "of brackets");
  ok(strlen(base(repeated("[fwd:", MANY, ""))) == 5 * (size_t)MANY, "of forwards, not closed");
  is(base(repeated("[fwd:", MANY, repeated("]", MANY, ""))), "", "of forwards, closed");
}

static char const *address(char const *value, bool display) {
  stralloc s = STRALLOC_ZERO;
  bool any = message_put_address_key(&s, value, strlen(value), display);
  char const *key = taken(&s);
  return any ? key : "none";
}

static void addresses(void) {
  is(address("Fred Foobar <foobar@Blurdybloop.example>", false), "FOOBAR",
     "RFC 5256 section 3: the mailbox");
  is(address("b@x, a@y", false), "B", "of the first");
  is(address("", false), "none", "no address");
  is(address("friends: a@b;", false), "FRIENDS", "a group: its name, as in ENVELOPE");
  is(address("Fred <f@x>", true), "FRED", "RFC 5957 section 3: the name");
  is(address("=?iso-8859-1?q?J=F6rg?= <f@x>", true), "JO\xcc\x88RG", "decoded");
  is(address("f@X.example", true), "F@X.EXAMPLE", "without one the address");
  is(address("\"\" <f@x>", true), "F@X", "an empty one is none");
  is(address("friends:;", true), "FRIENDS", "a group: no host");
}

/* All IDs, a comma behind each. */
static char const *ids(char const *value, size_t size) {
  stralloc s = STRALLOC_ZERO;
  for (struct message_ids in = {value, value + size, false, false}; message_next_id(&in, &s);)
    if (!stralloc_append(&s, ',')) break;
  return taken(&s);
}

static char const *ids_in(char const *value) {
  return ids(value, strlen(value));
}

static void message_ids(void) {
  is(ids_in(" <a@b>"), "a@b,", "an ID");
  is(ids_in("<a@b> <c@d>\r\n <e@f><g@h>"), "a@b,c@d,e@f,g@h,", "several, folded");
  is(ids_in("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>"), "01KF8JCEOCBS0045PS@xxx.yyy.com,",
     "RFC 5256 section 3: quoting is normalised");
  is(ids_in("<\"a\\\"b>\"@c>"), "a\"b>@c,", "quoted pairs");
  is(ids_in("< a . b @ c >"), "a.b@c,", "blanks");
  is(ids_in("<a(x(y)z)@b>"), "a@b,", "comments");
  is(ids_in("<a@[1.2.3.4]>"), "a@[1.2.3.4],", "a literal");
  is(ids_in("Your message of \"Mon <x\" <a@b> (see <c@d>)"), "a@b,", "among words");
  is(ids_in("<a@B> <A@b>"), "a@B,A@b,", "case matters");
  is(ids_in("a@b"), "", "no brackets");
  is(ids_in("<ab> <@b> <a@> <> <c@d>"), "c@d,", "one side is missing");
  is(ids_in("<a@b <c@d>"), "c@d,", "not closed: begun anew");
  is(ids_in("it's 5\" <a@b> (x <c@d>"), "a@b,c@d,", "quote and comment never closed");
  is(ids_in("<a\"x@b>"), "a\"x@b,", "within an ID");
  is(ids_in(""), "", "nothing");
}

static void hostile_ids(void) {
  enum { MANY = 1 << 20 };
  char *text = arena_alloc(&test_arena, MANY + 16);
  memset(text, 'a', MANY);
  memcpy(text, "<", 1);
  memcpy(text + MANY - 4, "@bc>", 4);
  ok(strlen(ids(text, MANY)) == MANY - 1, "an ID of a megabyte");
  for (char const *c = "<\"(\\@>"; *c; c++) {
    char name[40];
    memset(text, *c, MANY);
    snprintf(name, sizeof name, "a megabyte of %c", *c);
    is(ids(text, MANY), "", name);
  }
  char const *many = repeated("<a@b>", MANY / 5, "");
  ok(strlen(ids_in(many)) == 4 * (size_t)(MANY / 5), "200,000 IDs");
  many = repeated("<a@b>(", MANY / 6, "");
  ok(strlen(ids_in(many)) == 4 * (size_t)(MANY / 6), "a comment begun behind each, never closed");
  many = repeated("<a@b>\"\\", MANY / 7, "");
  ok(strlen(ids_in(many)) >= 4, "likewise quotes");
}

int main(void) {
  base_subjects();
  hostile_subjects();
  addresses();
  message_ids();
  hostile_ids();
  arena_release(&test_arena);
  return tap_done();
}
