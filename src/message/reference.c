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
  char const *at, *end;
  stralloc *id;
  size_t start;          /* of the ID, in *id */
  size_t left;           /* size of what stands before the last `@` */
  bool has_host, inside; /* behind an `@`; behind a `<` */
  bool quotes_end;       /* no more quotes are closed */
  bool comments_end;
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

/* r->at is behind the quote. */
static void take_quoted(struct reader *r) {
  char const *close = r->quotes_end ? 0 : close_of_quote(r->at, r->end);
  if (!close) {
    r->quotes_end = true;
    put(r, '"');
    return;
  }
  for (; r->at < close; r->at++) {
    if (*r->at == '\\') r->at++;
    put(r, *r->at);
  }
  r->at = close + 1;
}

/* r->at is behind the parenthesis. */
static void take_comment(struct reader *r) {
  char const *behind = r->comments_end ? r->at : skip_blanks_and_comments(r->at - 1, r->end);
  if (behind == r->end && behind[-1] != ')') r->comments_end = true;
  if (r->comments_end)
    put(r, '(');
  else
    r->at = behind;
}

static void take_at_sign(struct reader *r) {
  r->has_host = true;
  r->left = r->id->len - r->start;
  sa_putc(r->id, '@');
}

/* A byte, or what it begins; true at the end of an ID. */
static bool take(struct reader *r) {
  char c = *r->at++;
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

bool message_next_id(char const *value, size_t size, size_t *at, stralloc *id) {
  struct reader r = {.at = value + *at, .end = value + size, .id = id, .start = id->len};
  bool found = false;
  while (r.at < r.end && !found) found = take(&r) && is_whole(&r);
  if (!found) id->len = r.start;
  *at = (size_t)(r.at - value);
  return found;
}
