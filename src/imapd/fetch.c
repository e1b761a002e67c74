/* FETCH (RFC 3501 sections 6.4.5 and 7.4.2), with BINARY (RFC 3516) and PREVIEW (RFC 8970).
 *
 *   fetch     = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att /
 *               "(" fetch-att *(SP fetch-att) ")") [SP "(" "PARTIAL" SP partial-range ")"]
 *   fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" / ".TEXT"] /
 *               "BODY" ["STRUCTURE"] / "UID" / "SAVEDATE" (RFC 8514) /
 *               "BODY" section ["<" number "." nz-number ">"] /
 *               "BODY.PEEK" section ["<" number "." nz-number ">"] /
 *               "BINARY" [".PEEK"] section-binary ["<" number "." nz-number ">"] /
 *               "BINARY.SIZE" section-binary / "PREVIEW" [SP "(LAZY)"]
 *
 * A message's facts and sections are all at hand before the first byte of its response is put: a
 * message that cannot be read is left out, the others are told, and the answer is NO. */
#include "imapd/fetch.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { FETCH_ITEMS_MAX = 200 }; /* clients ask for a dozen */

/* ---- items: how they are put ---- */

/* What the items without arguments need of a message, and how they are put. */
struct plain_item {
  char const *name;
  unsigned int facts;
  void (*put)(struct session *, uint32_t seq, struct fetched const *);
};
static void put_uid(struct session *s, uint32_t seq, struct fetched const *got) {
  (void)got;
  imap_put_number(&s->out, folder_uid(s->folder, seq));
}

static void put_flags(struct session *s, uint32_t seq, struct fetched const *got) {
  (void)got;
  put_message_flags(s, seq);
}

static void put_internal_date(struct session *s, uint32_t seq, struct fetched const *got) {
  (void)seq;
  imap_put_date_time(&s->out, got->date);
}

static void put_save_date(struct session *s, uint32_t seq, struct fetched const *got) {
  time_t t;
  (void)got;
  if (folder_save_date(s->folder, seq, &t))
    imap_put_date_time(&s->out, t);
  else
    imap_puts(&s->out, "NIL");
}

static void put_size(struct session *s, uint32_t seq, struct fetched const *got) {
  (void)seq;
  imap_put_number(&s->out, got->facts.size);
}

static void put_envelope(struct session *s, uint32_t seq, struct fetched const *got) {
  (void)seq;
  imap_put(&s->out, got->facts.envelope, got->facts.envelope_size);
}

static void put_body(struct session *s, uint32_t seq, struct fetched const *got) {
  (void)seq;
  imap_put(&s->out, got->facts.body, got->facts.body_size);
}

static void put_bodystructure(struct session *s, uint32_t seq, struct fetched const *got) {
  (void)seq;
  imap_put(&s->out, got->facts.bodystructure, got->facts.bodystructure_size);
}

static void put_preview(struct session *s, uint32_t seq, struct fetched const *got) {
  (void)seq;
  imap_put_nstring(&s->out, got->preview.text, got->preview.size);
}

static struct plain_item const plain_items[FETCH_SECTION] = {
    [FETCH_UID] = {"UID", 0, put_uid},
    [FETCH_FLAGS] = {"FLAGS", 0, put_flags},
    [FETCH_INTERNALDATE] = {"INTERNALDATE", 0, put_internal_date},
    [FETCH_SAVEDATE] = {"SAVEDATE", 0, put_save_date},
    [FETCH_SIZE] = {"RFC822.SIZE", FACT_SIZE, put_size},
    [FETCH_ENVELOPE] = {"ENVELOPE", FACT_ENVELOPE, put_envelope},
    [FETCH_BODY] = {"BODY", FACT_BODY, put_body},
    [FETCH_BODYSTRUCTURE] = {"BODYSTRUCTURE", FACT_BODYSTRUCTURE, put_bodystructure},
    [FETCH_PREVIEW] = {"PREVIEW", 0, put_preview},
};

static void put_item(struct session *s, uint32_t seq, struct fetch_item const *item,
                     struct fetched const *got, struct found_section const *section) {
  if (item->kind == FETCH_SECTION) {
    section_put(s, seq, item, section, got->fd);
    return;
  }
  imap_puts(&s->out, plain_items[item->kind].name);
  imap_puts(&s->out, " ");
  plain_items[item->kind].put(s, seq, got);
}

/* ---- items: how they are parsed ---- */

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

/* An item without arguments is told once however often it is asked for. */
static void add_plain(struct session *s, struct fetch *f, enum fetch_kind kind) {
  if (f->kinds & 1U << kind) return;
  *new_item(s, f) = (struct fetch_item){.kind = kind};
  f->kinds |= 1U << kind;
  f->facts |= plain_items[kind].facts;
}

static bool add_macro(struct session *s, struct fetch *f, char const *name) {
  for (size_t i = 0; i < LENGTH(macros); i++) {
    if (strcasecmp(name, macros[i].name)) continue;
    for (unsigned int kind = 0; kind < FETCH_SECTION; kind++)
      if (macros[i].kinds & 1U << kind) add_plain(s, f, kind);
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
static bool parse_preview_modifiers(struct session *s) {
  if (!imap_parse_char(&s->parser, '(')) return false;
  for (;;) {
    char *modifier;
    if (!imap_parse_word(&s->parser, &modifier)) return false;
    if (strcasecmp(modifier, "LAZY")) return imap_parse_fail(&s->parser, "LAZY expected");
    if (imap_parse_peek(&s->parser) == ')') return imap_parse_char(&s->parser, ')');
    if (!imap_parse_space(&s->parser)) return false;
  }
}

/* In a list; outside, what follows may be a modifier of FETCH.  A preview that is asked for with
 * and without LAZY is told as without. */
static bool parse_preview(struct session *s, struct fetch *f) {
  bool eager = f->kinds & 1U << FETCH_PREVIEW && !f->lazy;
  add_plain(s, f, FETCH_PREVIEW);
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
    add_plain(s, f, kind);
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

static bool parse_items(struct session *s, struct fetch *f) {
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
  if (!strcasecmp(name, "LAZY") && alone && !f->lazy && !partial->first) return f->lazy = true;
  if (!strcasecmp(name, "PARTIAL") && command_by_uid(s) && !partial->first)
    return partial_parse(s, partial);
  return imap_parse_fail(&s->parser, "Unknown FETCH modifier");
}

static bool parse_modifiers(struct session *s, struct fetch *f, struct partial *partial) {
  while (imap_parse_peek(&s->parser) == ' ')
    if (!imap_parse_space(&s->parser) || !imap_parse_char(&s->parser, '(') ||
        !parse_modifier(s, f, partial) || !imap_parse_char(&s->parser, ')'))
      return false;
  return true;
}

/* Whether the message's own header fields answer every section. */
static bool fields_suffice(struct fetch const *f) {
  for (size_t i = 0; i < f->n; i++) {
    struct message_section const *section = &f->items[i].section;
    if (f->items[i].kind == FETCH_SECTION &&
        (section->depth || section->kind != SECTION_HEADER_FIELDS))
      return false;
  }
  return true;
}

/* ---- responses ---- */

static void put_message(struct session *s, struct fetch const *f, uint32_t seq,
                        struct fetched const *got) {
  imap_puts(&s->out, "* ");
  imap_put_number(&s->out, seq);
  imap_puts(&s->out, " FETCH (");
  for (size_t i = 0; i < f->n && s->ending == GOING_ON; i++) {
    if (i) imap_puts(&s->out, " ");
    put_item(s, seq, &f->items[i], got, &got->sections[i]);
  }
  if (!(f->kinds & 1U << FETCH_FLAGS) && set_contains(&f->not_seen, seq)) {
    imap_puts(&s->out, " FLAGS ");
    put_message_flags(s, seq);
  }
  imap_puts(&s->out, ")\r\n");
}

static enum store_error fetch_message(struct session *s, struct fetch const *f, uint32_t seq,
                                      struct fetched *got) {
  enum store_error error = STORE_OK;
  got->fd = -1;
  got->undecodable = false;
  if (f->kinds & 1U << FETCH_SECTION) error = section_find(s, seq, f, got);
  if (error == STORE_OK && f->kinds & 1U << FETCH_INTERNALDATE)
    error = folder_internal_date(s->folder, seq, &got->date);
  if (error == STORE_OK && f->kinds & 1U << FETCH_PREVIEW)
    error = folder_preview(s->folder, seq, f->lazy, &s->message, &got->preview);
  /* Last, since they live until the next call. */
  if (error == STORE_OK && f->facts)
    error = folder_facts(s->folder, seq, f->facts, &s->message, &got->facts);
  if (error == STORE_OK && !got->undecodable) put_message(s, f, seq, got);
  if (got->fd >= 0) close(got->fd);
  if (s->message.blocks) arena_release(&s->message);
  return error;
}

/* ---- the command ---- */

/* \Seen for those of the messages that lack it, in one change.  That it fails (a full disk) is no
 * reason not to show the messages; the store has logged it. */
static void set_seen(struct session *s, struct fetch *f, struct set const *seqs) {
  if (!f->seen || folder_read_only(s->folder)) return;
  for (uint32_t seq = 0; set_next(seqs, &seq);)
    if (!(folder_flags(s->folder, seq) & FLAG_SEEN)) set_add(&f->not_seen, seq);
  if (!f->not_seen.n) return;
  struct flag_change const change = {
      .operation = FLAGS_ADD, .flags = FLAG_SEEN, .unchanged_since = UINT64_MAX};
  struct flag_result result;
  if (folder_store(s->folder, &f->not_seen, &change, &s->arena, &result) != STORE_OK)
    set_init(&f->not_seen, &s->arena);
  else
    f->not_seen = result.changed;
}

/* The worst of what happened to single messages; a failure of the system outweighs an expunge. */
static void note_error(enum store_error *worst, enum store_error error) {
  if (error > *worst) *worst = error;
}

static enum store_error fetch_messages(struct session *s, struct fetch *f, struct set const *seqs) {
  enum store_error worst = STORE_OK;
  struct fetched got = {.sections = arena_alloc(&s->arena, f->n * sizeof *got.sections)};
  for (uint32_t seq = 0; set_next(seqs, &seq);) {
    if (wait_interrupted(s)) break;
    note_error(&worst, fetch_message(s, f, seq, &got));
    f->undecodable |= got.undecodable;
  }
  return worst;
}

bool command_fetch(struct session *s) {
  struct imap_sequence sequence;
  struct fetch f = {0};
  struct partial partial = {0};
  struct set seqs;
  if (command_by_uid(s)) add_plain(s, &f, FETCH_UID);
  if (!parse_messages(s, &sequence) || !parse_items(s, &f) || !parse_modifiers(s, &f, &partial) ||
      !imap_parse_end(&s->parser))
    return false;
  if (!messages_named(s, &sequence, &seqs)) return true;
  if (partial.first) partial_keep(&partial, &seqs);
  f.fields_only = fields_suffice(&f);
  set_init(&f.not_seen, &s->arena);
  set_seen(s, &f, &seqs);
  enum store_error error = fetch_messages(s, &f, &seqs);
  if (s->ending != GOING_ON) return true;
  if (error == STORE_OK && f.undecodable)
    answer_no(s, "UNKNOWN-CTE", "Not all of these parts can be decoded");
  else
    answer_done(s, error, "FETCH completed");
  return true;
}
