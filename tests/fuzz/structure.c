/* ENVELOPE, BODY and BODYSTRUCTURE (message/envelope.c, bodystructure.c): whatever the message is,
 * the response is right by the grammar of RFC 3501 section 9. */
#include "mail.h"

/* ---- reading a response ---- */

struct reader {
  char const *at, *end;
};

static bool next_is(struct reader const *r, char c) {
  return r->at < r->end && *r->at == c;
}

static void take(struct reader *r, char const *text) {
  size_t size = strlen(text);
  must(size <= (size_t)(r->end - r->at) && !memcmp(r->at, text, size));
  r->at += size;
}

static void take_number(struct reader *r) {
  char const *start = r->at;
  while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
  must(r->at > start && (r->at - start == 1 || *start != '0'));
}

static void take_quoted(struct reader *r) {
  take(r, "\"");
  while (!next_is(r, '"')) {
    must(r->at < r->end);
    if (*r->at == '\\') {
      r->at++;
      must(next_is(r, '"') || next_is(r, '\\'));
    }
    must(*r->at > 0 && *r->at != '\r' && *r->at != '\n');
    r->at++;
  }
  take(r, "\"");
}

static void take_literal(struct reader *r) {
  take(r, "{");
  size_t size = strtoul(r->at, 0, 10);
  take_number(r);
  take(r, "}\r\n");
  must(size <= (size_t)(r->end - r->at) && !memchr(r->at, 0, size));
  r->at += size;
}

static void take_string(struct reader *r) {
  (next_is(r, '{') ? take_literal : take_quoted)(r);
}

/* Whether it was a string. */
static bool take_nstring(struct reader *r) {
  bool string = !next_is(r, 'N');
  if (string)
    take_string(r);
  else
    take(r, "NIL");
  return string;
}

/* ---- the grammar ---- */

static void take_addresses(struct reader *r) {
  if (next_is(r, 'N')) {
    take(r, "NIL");
    return;
  }
  take(r, "(");
  do {
    take(r, "(");
    for (int i = 0; i < 4; i++) {
      if (i) take(r, " ");
      take_nstring(r);
    }
    take(r, ")");
  } while (next_is(r, '('));
  take(r, ")");
}

static void take_envelope(struct reader *r) {
  enum { FIRST_ADDRESSES = 2, LAST_ADDRESSES = 7, MEMBERS = 10 };
  for (int i = 0; i < MEMBERS; i++) {
    take(r, i ? " " : "(");
    if (i < FIRST_ADDRESSES || i > LAST_ADDRESSES)
      take_nstring(r);
    else
      take_addresses(r);
  }
  take(r, ")");
}

/* body-fld-param; how many strings there must be to each. */
static void take_list(struct reader *r, int strings) {
  if (next_is(r, 'N')) {
    take(r, "NIL");
    return;
  }
  take(r, "(");
  bool first = true;
  for (; !next_is(r, ')'); first = false)
    for (int i = 0; i < strings; i++) {
      if (!first || i) take(r, " ");
      take_string(r);
    }
  must(!first);
  take(r, ")");
}

/* body-fld-dsp SP body-fld-lang SP body-fld-loc */
static void take_extension(struct reader *r) {
  if (next_is(r, 'N')) {
    take(r, "NIL");
  } else {
    take(r, "(");
    take_string(r);
    take(r, " ");
    take_list(r, 2);
    take(r, ")");
  }
  take(r, " ");
  take_list(r, 1);
  take(r, " ");
  take_nstring(r);
}

static void take_body(struct reader *r, bool extended);

static void take_multipart(struct reader *r, bool extended) {
  while (next_is(r, '(')) take_body(r, extended);
  take(r, " ");
  take_string(r);
  if (!extended) return;
  take(r, " ");
  take_list(r, 2);
  take(r, " ");
  take_extension(r);
}

static bool is_quoted(char const *at, char const *text) {
  return !strncasecmp(at, text, strlen(text));
}

static void take_single(struct reader *r, bool extended) {
  bool text = is_quoted(r->at, "\"text\" "), message = is_quoted(r->at, "\"message\" \"rfc822\" ");
  take_string(r);
  take(r, " ");
  take_string(r);
  take(r, " ");
  take_list(r, 2);
  for (int i = 0; i < 2; i++) {
    take(r, " ");
    take_nstring(r);
  }
  take(r, " ");
  take_string(r);
  take(r, " ");
  take_number(r);
  if (message) {
    take(r, " ");
    take_envelope(r);
    take(r, " ");
    take_body(r, extended);
  }
  if (message || text) {
    take(r, " ");
    take_number(r);
  }
  if (!extended) return;
  take(r, " ");
  take_nstring(r);
  take(r, " ");
  take_extension(r);
}

static void take_body(struct reader *r, bool extended) {
  take(r, "(");
  (next_is(r, '(') ? take_multipart : take_single)(r, extended);
  take(r, ")");
}

static void check(stralloc *s, struct reader *r) {
  must(r->at == r->end);
  s->len = 0;
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  struct arena arena = {0};
  stralloc s = STRALLOC_ZERO;
  struct message_part *root = parse_in_chunks(data, size, &arena);
  message_put_envelope(&s, root);
  struct reader r = {s.s, s.s + s.len};
  take_envelope(&r);
  check(&s, &r);
  for (int extended = 0; extended < 2; extended++) {
    message_put_bodystructure(&s, root, extended);
    r = (struct reader){s.s, s.s + s.len};
    take_body(&r, extended);
    check(&s, &r);
  }
  stralloc_free(&s);
  arena_release(&arena);
  return 0;
}
