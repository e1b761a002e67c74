/* The first characters of a text that are worth showing (RFC 8970): blanks collapsed, what shows
 * nothing left out, and of its lines one's own words before anybody else's.
 *
 *   - Lines that begin with `>` are quoted, and so is all behind `-----Original Message-----` in
 *     whatever language; what introduces a quotation, a line that ends in a colon, goes with it.
 *     Quoted words are shown where there are no others.
 *   - A line `-- ` (RFC 3676 section 4.3) ends the text, so does an encrypted message within it or
 *     a signature of OpenPGP (RFC 4880 section 6.2), whose own headers are no text either.
 *   - A line of nothing but `-`, `=` and the like is a rule. */
#include "message/internal.h"

#include <utf8proc.h>

enum {
  RULE_MIN = 3,   /* characters of a rule */
  DASHES_MIN = 5, /* on either side of `Original Message` */
};

/* ---- characters ---- */

static bool is_space(int32_t c) {
  return (c >= '\t' && c <= '\r') || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

/* Zero-width joiners are part of words, and of what senders fill the beginning of HTML with, in
 * turn with blanks, so that no more of it is shown. */
static bool is_joiner(int32_t c) {
  return c == 0x200c || c == 0x200d;
}

/* Controls, and marks that only direct or separate what is shown. */
static bool is_invisible(int32_t c) {
  return c < ' ' || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x34f || c == 0x61c ||
         c == 0x180e || c == 0x200b || (c >= 0x200e && c <= 0x200f) ||
         (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
         c == 0xfffe || c == 0xffff;
}

static bool is_digit(int32_t c) {
  return c >= '0' && c <= '9';
}

static bool is_full(struct excerpt_text const *t) {
  return t->characters + t->blank >= MESSAGE_PREVIEW_MAX;
}

static void put_character(struct excerpt_text *t, int32_t c) {
  utf8proc_uint8_t utf8[4];
  sa_add(&t->utf8, (char *)utf8, (size_t)utf8proc_encode_char(c, utf8));
  t->characters++;
}

static void put_text(struct excerpt_text *t, int32_t const *line, size_t n) {
  for (size_t i = 0; i < n && !is_full(t); i++) {
    int32_t c = line[i];
    if (is_space(c)) {
      t->blank = t->characters;
    } else if (!is_invisible(c) && !(is_joiner(c) && (t->blank || !t->characters))) {
      if (t->blank) put_character(t, ' ');
      t->blank = false;
      put_character(t, c);
    }
  }
}

/* ---- lines ---- */

static bool is_rule(int32_t const *line, size_t n) {
  size_t marks = 0;
  for (size_t i = 0; i < n; i++) {
    if (is_space(line[i])) continue;
    if (line[i] >= 0x80 || !strchr("-_=*~#+.", (int)line[i])) return false;
    marks++;
  }
  return marks >= RULE_MIN;
}

static bool begins_with(int32_t const *line, size_t n, char const *text) {
  size_t i = 0;
  while (text[i] && i < n && line[i] == text[i]) i++;
  return !text[i];
}

/* `-----Original Message-----`. */
static bool is_announcement(int32_t const *line, size_t n) {
  size_t before = 0, behind = 0;
  while (before < n && line[before] == '-') before++;
  while (behind < n && line[n - 1 - behind] == '-') behind++;
  return before < n && before >= DASHES_MIN && behind >= DASHES_MIN;
}

static bool is_signature(int32_t const *line, size_t n) {
  return n == 2 && begins_with(line, n, "--");
}

/* What introduces a quotation may be two lines: then the date is in the first of them. */
static void drop_introduction(struct excerpt *e) {
  struct excerpt_line const *line = &e->last;
  if (!line->colon) return;
  if (!line->digit && e->before.digit) line = &e->before;
  e->own.utf8.len = line->start;
  e->own.characters = line->characters;
  e->own.blank = line->characters;
  e->last = e->before = (struct excerpt_line){0};
}

static void add_own(struct excerpt *e, int32_t const *line, size_t n) {
  struct excerpt_text *t = &e->own;
  if (!e->continued) {
    e->before = e->in_paragraph ? e->last : (struct excerpt_line){0};
    e->last = (struct excerpt_line){.start = t->utf8.len, .characters = t->characters};
    e->in_paragraph = true;
  }
  for (size_t i = 0; i < n; i++) e->last.digit |= is_digit(line[i]);
  put_text(t, line, n);
}

static void add_quoted(struct excerpt *e, int32_t const *line, size_t n) {
  drop_introduction(e);
  while (n && (*line == '>' || is_space(*line))) line++, n--;
  put_text(&e->quoted, line, n);
}

static void end_paragraph(struct excerpt *e) {
  e->in_paragraph = false;
  e->signed_header = false;
}

/* Lines that are no text of anybody. */
static bool take_mark(struct excerpt *e, int32_t const *line, size_t n) {
  if (!n || is_rule(line, n)) {
    end_paragraph(e);
  } else if (begins_with(line, n, "-----BEGIN PGP SIGNED MESSAGE-----")) {
    e->signed_header = true;
  } else if (begins_with(line, n, "-----BEGIN PGP ") || is_signature(line, n)) {
    e->ended = true;
  } else if (is_announcement(line, n)) {
    e->rest_quoted = true;
  } else {
    return e->signed_header;
  }
  return true;
}

/* What is in `line`: all of a line, or a piece of a long one. */
static void take_line(struct excerpt *e) {
  int32_t const *line = e->line;
  size_t n = e->n;
  while (n && is_space(*line) && !e->continued) line++, n--;
  size_t text = n;
  while (text && is_space(line[text - 1])) text--;
  if (!e->continued) {
    if (e->ended || take_mark(e, line, text)) return;
    e->line_quoted = e->in_quote || e->rest_quoted || *line == '>';
    if (e->own.characters) e->own.blank = true;
    if (e->quoted.characters) e->quoted.blank = true;
  }
  if (!text) return;
  if (e->line_quoted) {
    add_quoted(e, line, n);
  } else {
    add_own(e, line, n);
    e->last.colon = line[text - 1] == ':' || line[text - 1] == 0xff1a;
  }
}

void excerpt_end_line(struct excerpt *e) {
  take_line(e);
  e->n = 0;
  e->continued = false;
}

void excerpt_add(struct excerpt *e, int32_t c) {
  if (e->n == EXCERPT_LINE_MAX) {
    take_line(e);
    e->n = 0;
    e->continued = true;
  }
  e->line[e->n++] = c;
}

bool excerpt_done(struct excerpt const *e) {
  return e->ended || is_full(&e->own);
}

void excerpt_take(struct excerpt *e, stralloc *out) {
  excerpt_end_line(e);
  stralloc *text = e->own.utf8.len ? &e->own.utf8 : &e->quoted.utf8;
  sa_add(out, text->s, text->len);
  stralloc_free(&e->own.utf8);
  stralloc_free(&e->quoted.utf8);
}
