/* How FETCH is written; its sections are section.c's.
 *
 *   fetch     = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att /
 *               "(" fetch-att *(SP fetch-att) ")") [SP "(" "PARTIAL" SP partial-range ")"]
 *   fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" / ".TEXT"] /
 *               "BODY" ["STRUCTURE"] / "UID" / "SAVEDATE" (RFC 8514) /
 *               "BODY" section ["<" number "." nz-number ">"] /
 *               "BODY.PEEK" section ["<" number "." nz-number ">"] /
 *               "BINARY" [".PEEK"] section-binary ["<" number "." nz-number ">"] /
 *               "BINARY.SIZE" section-binary / "PREVIEW" [SP "(LAZY)"] */
#include "imapd/fetch.h"

#include <string.h>
#include <strings.h>

enum { FETCH_ITEMS_MAX = 200 }; /* clients ask for a dozen */

static struct {
  char const *name, *label;
  enum section_form form;
  bool seen;
} const section_items[] = {
    {"BODY", "BODY", FORM_BODY, true},
    {"BODY.PEEK", "BODY", FORM_BODY, false},
    {"BINARY", "BINARY", FORM_BINARY, true},
    {"BINARY.PEEK", "BINARY", FORM_BINARY, false},
    {"BINARY.SIZE", "BINARY.SIZE", FORM_BINARY_SIZE, false},
};

/* The older names of sections. */
static struct {
  char const *name;
  enum message_section_kind section;
  bool seen;
} const rfc822_items[] = {
    {"RFC822", SECTION_ALL, true},
    {"RFC822.HEADER", SECTION_HEADER, false},
    {"RFC822.TEXT", SECTION_TEXT, true},
};

static struct {
  char const *name;
  unsigned int kinds;
} const macros[] = {
    {"FAST", 1 << FETCH_FLAGS | 1 << FETCH_INTERNALDATE | 1 << FETCH_SIZE},
    {"ALL", 1 << FETCH_FLAGS | 1 << FETCH_INTERNALDATE | 1 << FETCH_SIZE | 1 << FETCH_ENVELOPE},
    {"FULL", 1 << FETCH_FLAGS | 1 << FETCH_INTERNALDATE | 1 << FETCH_SIZE | 1 << FETCH_ENVELOPE |
                 1 << FETCH_BODY},
};

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static struct fetch_item *new_item(struct session *s, struct fetch *f) {
  f->items = arena_grow(&s->arena, f->items, &f->capacity, f->n + 1, sizeof *f->items);
  return &f->items[f->n++];
}

void fetch_add_plain(struct session *s, struct fetch *f, enum fetch_kind kind) {
  if (f->kinds & 1U << kind) return;
  *new_item(s, f) = (struct fetch_item){.kind = kind};
  f->kinds |= 1U << kind;
  f->facts |= plain_items[kind].facts;
}

static bool add_macro(struct session *s, struct fetch *f, char const *name) {
  for (size_t i = 0; i < LENGTH(macros); i++) {
    if (strcasecmp(name, macros[i].name)) continue;
    for (unsigned int kind = 0; kind < FETCH_SECTION; kind++)
      if (macros[i].kinds & 1U << kind) fetch_add_plain(s, f, kind);
    return true;
  }
  return false;
}

static void add_section(struct session *s, struct fetch *f, struct fetch_item const *item) {
  struct fetch_item *added = new_item(s, f);
  *added = *item;
  section_prepare(s, added);
  f->kinds |= 1U << FETCH_SECTION;
  if (item->seen) f->seen = true;
}

static bool parse_section(struct session *s, struct fetch *f, char const *name) {
  for (size_t i = 0; i < LENGTH(section_items); i++) {
    if (strcasecmp(name, section_items[i].name)) continue;
    struct fetch_item item = {.kind = FETCH_SECTION,
                              .form = section_items[i].form,
                              .name = section_items[i].label,
                              .seen = section_items[i].seen};
    if (!section_parse(s, &item)) return false;
    add_section(s, f, &item);
    return true;
  }
  return imap_parse_fail(&s->parser, "Unknown FETCH item");
}

/* "(" preview-mod *(SP preview-mod) ")", preview-mod = "LAZY" (RFC 8970 section 6). */
static bool parse_lazy(struct session *s) {
  char *modifier;
  return imap_parse_word(&s->parser, &modifier) &&
         (!strcasecmp(modifier, "LAZY") || imap_parse_fail(&s->parser, "LAZY expected"));
}

/* Behind the first one. */
static bool parse_more_laziness(struct session *s) {
  while (imap_parse_peek(&s->parser) == ' ')
    if (!imap_parse_space(&s->parser) || !parse_lazy(s)) return false;
  return true;
}

static bool parse_preview_modifiers(struct session *s) {
  return imap_parse_char(&s->parser, '(') && parse_lazy(s) && parse_more_laziness(s) &&
         imap_parse_char(&s->parser, ')');
}

/* In a list; outside, what follows may be a modifier of FETCH.  A preview that is asked for with
 * and without LAZY is told as without. */
static bool parse_preview(struct session *s, struct fetch *f) {
  bool eager = f->kinds & 1U << FETCH_PREVIEW && !f->lazy;
  fetch_add_plain(s, f, FETCH_PREVIEW);
  f->lazy = false;
  if (!f->in_list || imap_parse_peek(&s->parser) != ' ') return true;
  imap_parse_space(&s->parser);
  f->blank_taken = imap_parse_peek(&s->parser) != '(';
  if (f->blank_taken) return true;
  f->lazy = !eager;
  return parse_preview_modifiers(s);
}

static bool parse_named(struct session *s, struct fetch *f, char const *name) {
  if (imap_parse_peek(&s->parser) == '[') return parse_section(s, f, name);
  if (!strcasecmp(name, plain_items[FETCH_PREVIEW].name)) return parse_preview(s, f);
  for (unsigned int kind = 0; kind < FETCH_SECTION; kind++) {
    if (strcasecmp(name, plain_items[kind].name)) continue;
    fetch_add_plain(s, f, kind);
    return true;
  }
  for (size_t i = 0; i < LENGTH(rfc822_items); i++) {
    if (strcasecmp(name, rfc822_items[i].name)) continue;
    struct fetch_item item = {.kind = FETCH_SECTION,
                              .name = rfc822_items[i].name,
                              .seen = rfc822_items[i].seen,
                              .section = {.kind = rfc822_items[i].section}};
    add_section(s, f, &item);
    return true;
  }
  return imap_parse_fail(&s->parser, "Unknown FETCH item");
}

static bool parse_item(struct session *s, struct fetch *f) {
  char *name;
  if (f->n == FETCH_ITEMS_MAX) return imap_parse_fail(&s->parser, "Too many items");
  return imap_parse_word(&s->parser, &name) && parse_named(s, f, name);
}

static bool parse_item_list(struct session *s, struct fetch *f) {
  if (!imap_parse_char(&s->parser, '(')) return false;
  f->in_list = true;
  for (;;) {
    f->blank_taken = false;
    if (!parse_item(s, f)) return false;
    if (f->blank_taken) continue;
    if (imap_parse_peek(&s->parser) == ')') return imap_parse_char(&s->parser, ')');
    if (!imap_parse_space(&s->parser)) return false;
  }
}

bool fetch_parse_items(struct session *s, struct fetch *f) {
  if (!imap_parse_space(&s->parser)) return false;
  if (imap_parse_peek(&s->parser) == '(') return parse_item_list(s, f);
  char *name;
  if (!imap_parse_word(&s->parser, &name)) return false;
  return add_macro(s, f, name) || parse_named(s, f, name);
}

/* LAZY is PREVIEW's, where that stands alone; PARTIAL (RFC 9394 section 3.3) of UID FETCH only. */
static bool parse_modifier(struct session *s, struct fetch *f, struct partial *partial) {
  char *name;
  if (!imap_parse_atom(&s->parser, &name)) return false;
  bool alone = f->kinds & 1U << FETCH_PREVIEW && !f->in_list;
  if (!strcasecmp(name, "LAZY") && alone && !f->lazy && !partial->first)
    return f->lazy = parse_more_laziness(s);
  if (!strcasecmp(name, "PARTIAL") && command_by_uid(s) && !partial->first)
    return partial_parse(s, partial);
  return imap_parse_fail(&s->parser, "Unknown FETCH modifier");
}

bool fetch_parse_modifiers(struct session *s, struct fetch *f, struct partial *partial) {
  while (imap_parse_peek(&s->parser) == ' ')
    if (!imap_parse_space(&s->parser) || !imap_parse_char(&s->parser, '(') ||
        !parse_modifier(s, f, partial) || !imap_parse_char(&s->parser, ')'))
      return false;
  return true;
}
