/* Encoded words (RFC 2047): `=?charset?encoding?text?=`, the charset perhaps with a language behind
 * a `*` (RFC 2231 section 5).
 *
 * Readings of what is broken: words are decoded wherever they stand, inside quotes too; blanks are
 * allowed in their text; adjacent words of one charset and encoding are joined before the charset
 * is decoded, since some programs cut a character in two. */
#include "message/internal.h"

struct word {
  char const *start, *end; /* with the delimiters */
  char const *charset, *text;
  size_t charset_size, text_size;
  bool base64;
};

/* Whether an encoded word begins at `at`. */
static bool read_word(char const *at, char const *end, struct word *w) {
  w->start = at;
  if (end - at < 8 || at[0] != '=' || at[1] != '?') return false;
  w->charset = at += 2;
  while (at < end && *at != '?' && !is_blank(*at)) at++;
  char const *star = memchr(w->charset, '*', (size_t)(at - w->charset));
  w->charset_size = (size_t)((star ? star : at) - w->charset);
  if (!w->charset_size || end - at < 5 || *at != '?' || at[2] != '?') return false;
  char encoding = (char)(at[1] | 32);
  if (encoding != 'b' && encoding != 'q') return false;
  w->base64 = encoding == 'b';
  w->text = at += 3;
  at = memchr(at, '?', (size_t)(end - at));
  if (!at || end - at < 2 || at[1] != '=') return false;
  w->text_size = (size_t)(at - w->text);
  w->end = at + 2;
  return true;
}

/* Q: as quoted-printable without lines, `_` a blank (RFC 2047 section 4.2). */
static void decode_q(stralloc *out, char const *text, size_t size) {
  struct transfer t = {.encoding = TRANSFER_QUOTED_PRINTABLE};
  stralloc blanked = STRALLOC_ZERO;
  sa_add(&blanked, text, size);
  for (size_t i = 0; i < size; i++)
    if (blanked.s[i] == '_') blanked.s[i] = ' ';
  transfer_decode(&t, out, blanked.s, size, false);
  sa_add(out, t.held, t.nheld);
  stralloc_free(&blanked);
}

static void decode_word(stralloc *out, struct word const *w) {
  struct transfer t = {.encoding = TRANSFER_BASE64};
  if (w->base64)
    transfer_decode(&t, out, w->text, w->text_size, true);
  else
    decode_q(out, w->text, w->text_size);
}

static bool continues(struct word const *first, struct word const *next) {
  return first->base64 == next->base64 && first->charset_size == next->charset_size &&
         !strncasecmp(first->charset, next->charset, first->charset_size);
}

static void append_plain(stralloc *out, char const *text, size_t size) {
  struct charset lenient = {.kind = CHARSET_LENIENT};
  charset_convert(&lenient, out, text, size, true);
}

/* Decodes the run of words of one kind that begins with `first`; returns its end. */
static char const *decode_run(stralloc *out, struct word const *first, char const *end) {
  stralloc bytes = STRALLOC_ZERO;
  char charset[CHARSET_NAME_MAX + 1] = "";
  if (first->charset_size <= CHARSET_NAME_MAX) memcpy(charset, first->charset, first->charset_size);
  decode_word(&bytes, first);
  char const *run_end = first->end;
  for (struct word next;;) {
    char const *at = run_end;
    while (at < end && is_blank(*at)) at++;
    if (!read_word(at, end, &next) || !continues(first, &next)) break;
    decode_word(&bytes, &next);
    run_end = next.end;
  }
  if (!charset_to_utf8(out, charset, bytes.s, bytes.len))
    append_plain(out, first->start, (size_t)(run_end - first->start));
  stralloc_free(&bytes);
  return run_end;
}

static bool all_blank(char const *at, char const *end) {
  while (at < end && is_blank(*at)) at++;
  return at == end;
}

void message_decode_words(stralloc *out, char const *value, size_t size) {
  char const *end = value + size, *plain = value, *at = value;
  bool after_word = false;
  while (at < end && (at = memchr(at, '=', (size_t)(end - at)))) {
    struct word w;
    if (!read_word(at, end, &w)) {
      at++;
      continue;
    }
    /* RFC 2047 section 6.2: blanks between two encoded words are no text. */
    if (!after_word || !all_blank(plain, at)) append_plain(out, plain, (size_t)(at - plain));
    plain = at = decode_run(out, &w, end);
    after_word = true;
  }
  append_plain(out, plain, (size_t)(end - plain));
}
