/* Message IDs (RFC 5322 section 3.6.4), as Message-ID, In-Reply-To and References hold them.
 *
 *   msg-id = [CFWS] "<" id-left "@" id-right ">" [CFWS]
 *
 * They are found among whatever else stands there and normalised, as RFC 5256 section 3 asks:
 * quotes, comments and blanks are taken away, so that <"a"@b> and <a@b> are one.  Readings of what
 * is broken: an ID without `@`, or with nothing on one side of it, is none; `<` begins anew; a
 * quote or a comment that is not closed is a character. */
#include "message/internal.h"

struct reader {
  struct message_ids *in;
  stralloc *id;
  size_t start;          /* of the ID, in *id */
  size_t left;           /* size of what stands before the last `@` */
  bool has_host, inside; /* behind an `@`; behind a `<` */
};

static void begin(struct reader *r) {
  r->id->len = r->start;
  r->inside = true;
  r->has_host = false;
}

static bool is_whole(struct reader const *r) {
  size_t size = r->id->len - r->start;
  return r->has_host && r->left && size > r->left + 1;
}

static char const *close_of_quote(char const *at, char const *end) {
  for (; at < end && *at != '"'; at++)
    if (*at == '\\' && at + 1 < end) at++;
  return at < end ? at : 0;
}

static void put(struct reader *r, char c) {
  if (r->inside && c != '\r' && c != '\n') sa_putc(r->id, c);
}

/* in->at is behind the quote. */
static void take_quoted(struct reader *r) {
  struct message_ids *in = r->in;
  char const *close = in->quotes_end ? 0 : close_of_quote(in->at, in->end);
  if (!close) {
    in->quotes_end = true;
    put(r, '"');
    return;
  }
  for (; in->at < close; in->at++) {
    if (*in->at == '\\') in->at++;
    put(r, *in->at);
  }
  in->at = close + 1;
}

/* in->at is behind the parenthesis. */
static void take_comment(struct reader *r) {
  struct message_ids *in = r->in;
  char const *behind = in->comments_end ? in->at : skip_blanks_and_comments(in->at - 1, in->end);
  if (behind == in->end && behind[-1] != ')') in->comments_end = true;
  if (in->comments_end)
    put(r, '(');
  else
    in->at = behind;
}

static void take_at_sign(struct reader *r) {
  r->has_host = true;
  r->left = r->id->len - r->start;
  sa_putc(r->id, '@');
}

/* A byte, or what it begins; true at the end of an ID. */
static bool take(struct reader *r) {
  char c = *r->in->at++;
  bool ends = c == '>' && r->inside;
  if (c == '(')
    take_comment(r);
  else if (c == '"')
    take_quoted(r);
  else if (c == '<')
    begin(r);
  else if (c == '@' && r->inside)
    take_at_sign(r);
  else if (!ends && !is_blank(c))
    put(r, c);
  if (ends) r->inside = false;
  return ends;
}

bool message_next_id(struct message_ids *in, stralloc *id) {
  struct reader r = {.in = in, .id = id, .start = id->len};
  bool found = false;
  while (in->at < in->end && !found) found = take(&r) && is_whole(&r);
  if (!found) id->len = r.start;
  return found;
}
