/* Whether MESSAGE_VERSION still stands for what is said of messages, so that no cache goes on with
 * what an earlier program said.  When this fails and the change is meant: raise MESSAGE_VERSION,
 * once for a release, and note the new digest here. */
#include "message-test.h"

enum { NOTED_VERSION = 3 };
static uint64_t const noted_digest = UINT64_C(0xcfc80c9d9fa7f7ef);

/* No character is too new for any utf8proc. */
static char const *const messages[] = {
    "",
    "Subject: no body",
    "no header\n\nbody\n",
    "Received: by a\n\tb; Fri, 21 Nov 1997 09:55:06 -0600\nDate: Fri, 21 Nov 97 09:55(comment):06 "
    "-0600\nFrom: \"Joe Q. Public\" <john.q.public@example.com>, =?iso-8859-1?q?Andr=E9?= "
    "<a@b>\nSender: s@t (Name)\nReply-To: <@n.test,@x.test:mary@example.net>\nTo: A "
    "Group(Some):Ed <c@a.test>,joe@where.test;, root, <>, open <x@y\nTo: second@x\ncc: a@b@c; "
    "\"q\\\"s\" <d@[192.0.2.1]>\nBcc: Undisclosed:;\nsubject: Re: [list] =?utf-8?b?w4RwZmVs?=\n "
    "=?x-none?q?x?= \xe4 \"q\"  (fwd)\nSubject: second\nMessage-ID: <1234@local.example>\n"
    "In-Reply-To: <a@b> \"c\"@d\nReferences: <a(c)@b> <\"a\"@b>\n\nFirst words.\r\n> quoted\n-- \n",
    "Date: 1 Jan 70\nSubject : a\rb\nSubject:\n\nOn 1 Jan, x wrote:\n> only quoted\n",
    "From: a@b\nContent-Type: multipart/mixed; boundary=\"a b\"; x*0=1; x*1*=%202; y=z w\n"
    "Content-Language: en, de (c)\nContent-Disposition: inline; filename*=utf-8''%c3%a9\n\n"
    "pre\n--a b\n\none\n--a b\nContent-Type: text/html; charset=iso-8859-1\n"
    "Content-Transfer-Encoding: quoted-printable\nContent-ID: <i>\nContent-MD5: m\n"
    "Content-Location: l\nContent-Description: d\n\n<style>s</style><p>caf=E9 &amp; "
    "=\ntea=3D<br>x\n"
    "--a b\nContent-Type: message/rfc822\n\nSubject: inner\nTo: x\n\ntwo\n"
    "--a b\nContent-Type: multipart/alternative; boundary=\"a b c\"\n\n--a b c\n"
    "Content-Type: image/png; name=n\nContent-Transfer-Encoding: base64\n"
    "Content-Disposition: attachment\n\nAAEC\n--a b c\nContent-Type: text/plain; "
    "charset=windows-1252\nContent-Transfer-Encoding: base64\n\ngEVVUg==\n--a b c--\nepilogue\n"
    "--a b\nContent-Type: message/delivery-status\n\nStatus: 5\n--a b--\nepilogue\n",
    "Content-Type: multipart/digest; boundary=x\n\n--x\n\nSubject: in digest\n\nd\n--x\n"
    "Content-Type: text/plain; charset=utf-8; format=flowed\n\nGR\xc3\x9c\xc3\x9f\xc3\xa9 \xff\n",
    "Content-Type: multipart/mixed\n\n--no boundary\n",
    "Content-Type: text\nContent-Transfer-Encoding: x-new\n\n\xce\xa9 \xc3\xa9 \xe9\n",
    "Content-Type: multipart/encrypted; boundary=x\n\n--x\n\nVersion: 1\n--x--\n",
    "Subject: Fwd: Re[2]: a\nContent-Type: text/plain; charset=x-none\n\n-----BEGIN PGP SIGNED "
    "MESSAGE-----\nHash: x\n\nsigned \xe9\n-----BEGIN PGP SIGNATURE-----\n",
};

static uint64_t digest = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

static void say(void const *data, size_t size) {
  for (unsigned char const *c = data, *end = c + size; c < end; c++)
    digest = (digest ^ *c) * UINT64_C(0x100000001b3);
  digest = (digest ^ 0x100) * UINT64_C(0x100000001b3); /* no byte: ends it */
}

/* The same on every machine. */
static void say_number(uint64_t n) {
  char text[24];
  say(text, (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)n));
}

static void say_taken(stralloc *s) {
  say(s->len ? s->s : "", s->len);
  s->len = 0;
}

/* What SEARCH, SORT and THREAD take from a field, whatever its name. */
static void say_field(struct message_field const *f, stralloc *s) {
  time_t t = 0;
  int32_t day = 0;
  struct message_ids ids = {f->value, f->value + f->value_size, false, false};
  message_put_field(s, f);
  say_taken(s);
  message_put_folded(s, f->value, f->value_size);
  say_taken(s);
  bool said = message_put_base_subject(s, f->value, f->value_size);
  say_number(said);
  say_taken(s);
  for (int display = 0; display < 2; display++) {
    message_put_address_key(s, f->value, f->value_size, display);
    say_taken(s);
  }
  while (message_next_id(&ids, s)) say_taken(s);
  if (!message_parse_date(f->value, f->value_size, &t, &day)) t = -1;
  say_number((uint64_t)t);
  say_number((uint64_t)day);
}

/* A signature: two numbers of 32 bits, then of 64. */
static void say_words(stralloc *s) {
  uint32_t n[2];
  memcpy(n, s->s, sizeof n);
  say_number(n[0]);
  say_number(n[1]);
  for (size_t at = sizeof n; at < s->len; at += sizeof(uint64_t)) {
    uint64_t word;
    memcpy(&word, s->s + at, sizeof word);
    say_number(word);
  }
  s->len = 0;
}

static void say_message(char const *text) {
  static struct message_grams grams;
  struct message_part *root;
  struct message_field field;
  stralloc s = STRALLOC_ZERO;
  int fd = file_of(text, strlen(text));
  struct message_bytes const bytes = {.data = text, .size = strlen(text), .fd = -1};
  if (message_parse_file(fd, &test_arena, &root) < 0 || message_put_preview(&s, fd, root) < 0)
    exit(111);
  close(fd);
  say_taken(&s);
  message_put_envelope(&s, root);
  say_taken(&s);
  for (int extended = 0; extended < 2; extended++) {
    message_put_bodystructure(&s, root, extended);
    say_taken(&s);
  }
  say_number(root->header_wire);
  say_number(root->body_wire);
  for (size_t at = 0; message_next_field(root->header, root->header_size, &at, &field);)
    say_field(&field, &s);
  message_grams_clear(&grams);
  message_text_matches(&bytes, root, true, message_needle_new("", 0, &test_arena), &grams);
  message_put_signature(&s, &grams);
  say_words(&s);
  stralloc_free(&s);
}

int main(void) {
  log_init("test");
  setenv("IMAP_CHARSETD", "/nonexistent", 1);
  for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) say_message(messages[i]);
  if (digest != noted_digest) printf("# the digest is 0x%llx\n", (unsigned long long)digest);
  ok(digest == noted_digest, "what is said of messages is what it was");
  is_uint(MESSAGE_VERSION, NOTED_VERSION, "the version is the one that said so");
  arena_release(&test_arena);
  return tap_done();
}
