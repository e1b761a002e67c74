/* The text of HTML: tags, comments, scripts and styles away, references read, for the first words
 * of a message (RFC 8970).  It follows the tokenizer of HTML 5 (section 13.2.5) as far as that
 * decides what is text; there is no tree, no style, and nothing here looks at attributes. */
#include "message/internal.h"

/* ---- elements ---- */

static bool is_among(char const *name, char const *const *list) {
  for (; *list; list++)
    if (!strcmp(name, *list)) return true;
  return false;
}

/* Where a line ends, at their beginning and end. */
static bool breaks_line(char const *name) {
  static char const *const names[] = {
      "address", "article", "aside", "blockquote", "body",   "br",   "caption", "center", "dd",
      "div",     "dl",      "dt",    "form",       "footer", "h1",   "h2",      "h3",     "h4",
      "h5",      "h6",      "head",  "header",     "hr",     "html", "li",      "main",   "nav",
      "ol",      "p",       "pre",   "section",    "table",  "tr",   "ul",      0};
  return is_among(name, names);
}

/* Whose content is no text to be read, up to their end tag whatever it holds. */
static bool is_raw(char const *name) {
  static char const *const names[] = {"iframe",   "noembed",  "noframes", "script", "style",
                                      "textarea", "template", "title",    "xmp",    0};
  return is_among(name, names);
}

static void end_tag_name(struct html *h, struct excerpt *e) {
  h->name[h->nname] = 0;
  if (!strcmp(h->name, "td") || !strcmp(h->name, "th")) excerpt_add(e, ' ');
  if (breaks_line(h->name)) excerpt_end_line(e);
  if (strcmp(h->name, "blockquote")) return;
  if (!h->closing)
    h->quotes++;
  else if (h->quotes)
    h->quotes--;
  e->in_quote = h->quotes;
}

static void end_tag(struct html *h) {
  h->state = HTML_TEXT;
  if (h->closing || !is_raw(h->name)) return;
  strcpy(h->raw, h->name);
  h->state = HTML_RAW;
}

/* ---- the tokenizer: what a character means in each state ---- */

static bool is_letter(int32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_space(int32_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static void in_text(struct html *h, struct excerpt *e, int32_t c) {
  if (c == '<') {
    h->state = HTML_OPENED;
    h->closing = false;
    h->nname = 0;
  } else if (c == '&') {
    h->state = HTML_REFERENCE;
    h->nreference = 0;
  } else {
    excerpt_add(e, is_space(c) ? ' ' : c);
  }
}

static void in_name(struct html *h, struct excerpt *e, int32_t c) {
  if (is_space(c) || c == '/' || c == '>') {
    end_tag_name(h, e);
    h->state = HTML_TAG;
    if (c == '>') end_tag(h);
  } else if (h->nname < HTML_NAME_MAX) {
    h->name[h->nname++] = (char)(c < 0x80 ? (is_letter(c) ? c | 32 : c) : '?');
  }
}

/* Behind `<` or `</`. */
static void in_opened(struct html *h, struct excerpt *e, int32_t c) {
  if (is_letter(c)) {
    h->state = HTML_NAME;
    in_name(h, e, c);
  } else if (c == '/' && !h->closing) {
    h->closing = true;
  } else if (c == '!' || c == '?' || h->closing) {
    h->state = HTML_DECLARATION;
    h->dashes = 0;
    if (c == '>') h->state = HTML_TEXT;
  } else {
    excerpt_add(e, '<');
    h->state = HTML_TEXT;
    in_text(h, e, c);
  }
}

static void in_tag(struct html *h, struct excerpt *e, int32_t c) {
  (void)e;
  if (c == '>') end_tag(h);
  if (c == '=') h->state = HTML_VALUE;
}

/* Behind a `=`. */
static void in_value(struct html *h, struct excerpt *e, int32_t c) {
  (void)e;
  if (is_space(c)) return;
  h->quote = c;
  h->state = c == '"' || c == '\'' ? HTML_QUOTED : HTML_UNQUOTED;
  if (c == '>') end_tag(h);
}

static void in_quoted(struct html *h, struct excerpt *e, int32_t c) {
  (void)e;
  if (c == h->quote) h->state = HTML_TAG;
}

static void in_unquoted(struct html *h, struct excerpt *e, int32_t c) {
  (void)e;
  if (is_space(c)) h->state = HTML_TAG;
  if (c == '>') end_tag(h);
}

/* Behind `<!`: a comment if `--` follows at once. */
static void in_declaration(struct html *h, struct excerpt *e, int32_t c) {
  (void)e;
  if (c == '>')
    h->state = HTML_TEXT;
  else if (c != '-')
    h->dashes = 2; /* not any more */
  else if (h->dashes < 2 && ++h->dashes == 2)
    h->state = HTML_COMMENT;
}

/* Ends in `-->`, and those two dashes may be the first. */
static void in_comment(struct html *h, struct excerpt *e, int32_t c) {
  (void)e;
  if (c == '>' && h->dashes >= 2)
    h->state = HTML_TEXT;
  else if (c == '-')
    h->dashes++;
  else if (c != '!' || h->dashes < 2) /* `--!>` */
    h->dashes = 0;
}

/* As it was written. */
static void put_reference(struct html *h, struct excerpt *e) {
  excerpt_add(e, '&');
  for (size_t i = 0; i < h->nreference; i++) excerpt_add(e, h->reference[i]);
}

/* The semicolon may be missing. */
static void in_reference(struct html *h, struct excerpt *e, int32_t c) {
  bool belongs = is_letter(c) || (c >= '0' && c <= '9') || (c == '#' && !h->nreference);
  if (belongs && h->nreference < HTML_REFERENCE_MAX) {
    h->reference[h->nreference++] = (char)c;
    return;
  }
  h->reference[h->nreference] = 0;
  int32_t character = entity_character(h->reference);
  h->state = HTML_TEXT;
  if (character < 0)
    put_reference(h, e);
  else
    excerpt_add(e, character);
  if (c != ';' || character < 0) in_text(h, e, c);
}

static void in_raw(struct html *h, struct excerpt *e, int32_t c) {
  (void)e;
  if (c != '<') return;
  h->state = HTML_RAW_END;
  h->nname = 0;
}

/* Behind a `<`: whether `/` and the element's name follow. */
static void in_raw_end(struct html *h, struct excerpt *e, int32_t c) {
  size_t size = strlen(h->raw);
  if (h->nname == size + 1 && (is_space(c) || c == '/' || c == '>')) {
    h->closing = true;
    h->state = HTML_TAG;
    if (c == '>') end_tag(h);
    return;
  }
  int32_t wanted = !h->nname ? '/' : h->nname <= size ? h->raw[h->nname - 1] : -1;
  h->nname++;
  if ((is_letter(c) ? c | 32 : c) == wanted) return;
  h->state = HTML_RAW;
  in_raw(h, e, c);
}

typedef void take_character(struct html *, struct excerpt *, int32_t c);
static take_character *const states[] = {
    [HTML_TEXT] = in_text,         [HTML_OPENED] = in_opened,
    [HTML_NAME] = in_name,         [HTML_TAG] = in_tag,
    [HTML_VALUE] = in_value,       [HTML_QUOTED] = in_quoted,
    [HTML_UNQUOTED] = in_unquoted, [HTML_DECLARATION] = in_declaration,
    [HTML_COMMENT] = in_comment,   [HTML_REFERENCE] = in_reference,
    [HTML_RAW] = in_raw,           [HTML_RAW_END] = in_raw_end,
};

void html_end(struct html *h, struct excerpt *e) {
  if (h->state == HTML_REFERENCE) in_reference(h, e, ' ');
}

void html_add(struct html *h, struct excerpt *e, int32_t c) {
  states[h->state](h, e, c);
}
