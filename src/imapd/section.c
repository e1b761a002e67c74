/* FETCH's BODY[...] and BINARY[...] items (RFC 3501 section 6.4.5, RFC 3516): which part of a
 * message, and its bytes.
 *
 *   section         = "[" [section-spec] "]"
 *   section-spec    = section-msgtext / (section-part ["." section-text])
 *   section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
 *   section-part    = nz-number *("." nz-number)
 *   section-text    = section-msgtext / "MIME"
 *   section-binary  = "[" [section-part] "]"
 *   header-list     = "(" header-fld-name *(SP header-fld-name) ")"
 */
#include "imapd/fetch.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum {
  SECTION_DEPTH_MAX = 2 * MESSAGE_MAX_DEPTH, /* deeper ones cannot exist */
  SECTION_FIELDS_MAX = 1000,                 /* clients ask for a few dozen */
};

static struct {
  char const *name;
  enum message_section_kind kind;
} const section_texts[] = {
    {"HEADER", SECTION_HEADER},
    {"HEADER.FIELDS", SECTION_HEADER_FIELDS},
    {"HEADER.FIELDS.NOT", SECTION_HEADER_FIELDS_NOT},
    {"TEXT", SECTION_TEXT},
    {"MIME", SECTION_MIME},
};
enum { SECTION_TEXTS = sizeof section_texts / sizeof *section_texts };

/* ---- parsing ---- */

static bool has_fields(struct message_section const *section) {
  return section->kind == SECTION_HEADER_FIELDS || section->kind == SECTION_HEADER_FIELDS_NOT;
}

static bool parse_field_names(struct session *s, struct message_section *section) {
  size_t capacity = 0;
  if (!imap_parse_space(&s->parser) || !imap_parse_char(&s->parser, '(')) return false;
  for (;;) {
    struct imap_bytes name;
    if (!imap_parse_astring(&s->parser, &name)) return false;
    if (section->nfields == SECTION_FIELDS_MAX)
      return imap_parse_fail(&s->parser, "Too many header fields");
    section->fields = arena_grow(&s->arena, section->fields, &capacity, section->nfields + 1,
                                 sizeof *section->fields);
    section->fields[section->nfields++] = name.data;
    if (imap_parse_peek(&s->parser) == ')') return imap_parse_char(&s->parser, ')');
    if (!imap_parse_space(&s->parser)) return false;
  }
}

/* One part number, at *text; moves behind it and its dot. */
static bool take_part_number(struct session *s, char const **text, uint32_t *number) {
  char const *p = *text;
  uint64_t n = 0;
  for (; *p >= '0' && *p <= '9' && n <= UINT32_MAX; p++) n = n * 10 + (uint64_t)(*p - '0');
  if (!n || n > UINT32_MAX) return imap_parse_fail(&s->parser, "Part numbers begin with 1");
  if (*p == '.' && p[1])
    p++;
  else if (*p)
    return imap_parse_fail(&s->parser, "Part number expected");
  *text = p;
  *number = (uint32_t)n;
  return true;
}

static bool take_path(struct session *s, char const **text, struct message_section *section) {
  size_t capacity = 0;
  while (**text >= '0' && **text <= '9') {
    uint32_t number = 0;
    if (!take_part_number(s, text, &number)) return false;
    if (section->depth == SECTION_DEPTH_MAX)
      return imap_parse_fail(&s->parser, "Part nested too deep");
    section->path =
        arena_grow(&s->arena, section->path, &capacity, section->depth + 1, sizeof *section->path);
    section->path[section->depth++] = number;
  }
  return true;
}

static bool take_text(struct session *s, char const *text, struct message_section *section) {
  if (!*text) return true;
  for (size_t i = 0; i < SECTION_TEXTS; i++) {
    if (strcasecmp(text, section_texts[i].name)) continue;
    section->kind = section_texts[i].kind;
    if (section->kind == SECTION_MIME && !section->depth) break;
    return true;
  }
  return imap_parse_fail(&s->parser, "Unknown section");
}

static bool is_binary(struct fetch_item const *item) {
  return item->form == FORM_BINARY || item->form == FORM_BINARY_SIZE;
}

static bool parse_spec(struct session *s, struct fetch_item *item) {
  struct message_section *section = &item->section;
  char *word;
  section->kind = SECTION_ALL;
  if (imap_parse_peek(&s->parser) == ']') return true;
  if (!imap_parse_word(&s->parser, &word)) return false;
  char const *text = word;
  if (!take_path(s, &text, section)) return false;
  if (is_binary(item)) return !*text || imap_parse_fail(&s->parser, "Part number expected");
  return take_text(s, text, section) && (!has_fields(section) || parse_field_names(s, section));
}

static bool parse_partial(struct session *s, struct fetch_item *item) {
  if (item->form == FORM_BINARY_SIZE || imap_parse_peek(&s->parser) != '<') return true;
  item->partial = true;
  return imap_parse_char(&s->parser, '<') && imap_parse_number(&s->parser, &item->offset) &&
         imap_parse_char(&s->parser, '.') && imap_parse_nz_number(&s->parser, &item->count) &&
         imap_parse_char(&s->parser, '>');
}

bool section_parse(struct session *s, struct fetch_item *item) {
  return imap_parse_char(&s->parser, '[') && parse_spec(s, item) &&
         imap_parse_char(&s->parser, ']') && parse_partial(s, item);
}

/* ---- preparing ---- */

/* The section as the client wrote it, canonical in case. */
static void put_spec(struct imap_output *out, struct message_section const *section) {
  for (size_t i = 0; i < section->depth; i++) {
    if (i) imap_puts(out, ".");
    imap_put_number(out, section->path[i]);
  }
  for (size_t i = 0; i < SECTION_TEXTS; i++) {
    if (section->kind != section_texts[i].kind) continue;
    if (section->depth) imap_puts(out, ".");
    imap_puts(out, section_texts[i].name);
  }
  if (!has_fields(section)) return;
  for (size_t i = 0; i < section->nfields; i++) {
    imap_puts(out, i ? " " : " (");
    imap_put_astring(out, section->fields[i]);
  }
  imap_puts(out, ")");
}

static void put_label(struct imap_output *out, struct fetch_item const *item) {
  imap_puts(out, item->name);
  if (item->form == FORM_RFC822) return;
  imap_puts(out, "[");
  put_spec(out, &item->section);
  imap_puts(out, "]");
  if (!item->partial) return;
  imap_puts(out, "<");
  imap_put_number(out, item->offset);
  imap_puts(out, ">");
}

/* Collects what is put, in the session's arena. */
struct collected {
  struct imap_output out;
  struct arena *arena;
  char *data;
  size_t size, capacity;
};

static int collect(struct imap_output *out, void const *data, size_t size) {
  struct collected *c = (struct collected *)out; /* its first member */
  c->data = arena_grow(c->arena, c->data, &c->capacity, c->size + size, 1);
  memcpy(c->data + c->size, data, size);
  c->size += size;
  return 0;
}

void section_prepare(struct session *s, struct fetch_item *item) {
  struct collected label = {.arena = &s->arena};
  imap_output_init(&label.out, -1, -1);
  label.out.write = collect;
  put_label(&label.out, item);
  imap_output_idle(&label.out);
  item->label = (struct imap_bytes){label.data, label.size};
  if (item->section.kind == SECTION_HEADER_FIELDS)
    field_choice_init(&item->fields, item->section.fields, item->section.nfields);
}

/* ---- finding ---- */

/* How much of a message the sections ask to be understood. */
enum need { NEED_NOTHING, NEED_HEADER, NEED_TREE };

static enum need need_of(struct message_section const *section) {
  if (section->depth) return NEED_TREE;
  return section->kind == SECTION_ALL ? NEED_NOTHING : NEED_HEADER;
}

static enum need most_needed(struct fetch const *f) {
  enum need most = NEED_NOTHING;
  for (size_t i = 0; i < f->n; i++) {
    if (f->items[i].kind != FETCH_SECTION) continue;
    enum need need = need_of(&f->items[i].section);
    if (need > most) most = need;
  }
  return most;
}

static int parse_as_needed(struct session *s, enum need need, int fd, struct message_part **root) {
  *root = 0;
  switch (need) {
  case NEED_HEADER: return message_parse_header(fd, &s->message, root);
  case NEED_TREE: return message_parse_file(fd, &s->message, root);
  default: return 0;
  }
}

/* The message's whole, and its text, need no MIME tree. */
static int find_extent(struct session *s, int fd, uint64_t size, struct message_part const *root,
                       struct message_section const *section, struct message_extent *extent) {
  bool whole = section->kind == SECTION_ALL;
  if (section->depth || (!whole && section->kind != SECTION_TEXT))
    return message_section_find(fd, root, section, &s->message, extent);
  *extent =
      (struct message_extent){.exists = true, .start = whole ? 0 : root->body_start, .end = size};
  if (extent->start > size) extent->start = size;
  return message_wire_size(fd, extent->start, extent->end, &extent->wire);
}

static void set_wanted(struct fetch_item const *item, struct found_section *found) {
  found->skip = !item->partial ? 0 : item->offset < found->size ? item->offset : found->size;
  found->n = found->size - found->skip;
  if (item->partial && item->count < found->n) found->n = item->count;
}

static int find_decoded(struct fetch_item const *item, int fd, struct found_section *found) {
  uint64_t count = item->partial ? item->count : UINT64_MAX;
  return message_decoded_size(fd, &found->extent, item->offset, count, &found->size,
                              &found->binary);
}

static int find_one(struct session *s, struct fetch_item const *item, uint64_t size,
                    struct message_part const *root, struct fetched *got,
                    struct found_section *found) {
  *found = (struct found_section){0};
  if (find_extent(s, got->fd, size, root, &item->section, &found->extent) < 0) return -1;
  if (!found->extent.exists) return 0;
  found->size = found->extent.wire;
  if (is_binary(item)) {
    if (!message_can_decode(&found->extent)) got->undecodable = true;
    if (!got->undecodable && find_decoded(item, got->fd, found) < 0) return -1;
  }
  set_wanted(item, found);
  return 0;
}

static int find_all(struct session *s, struct fetch const *f, struct fetched *got) {
  struct message_part *root;
  struct stat st;
  if (fstat(got->fd, &st) < 0 || parse_as_needed(s, most_needed(f), got->fd, &root) < 0) return -1;
  for (size_t i = 0; i < f->n; i++)
    if (f->items[i].kind == FETCH_SECTION &&
        find_one(s, &f->items[i], (uint64_t)st.st_size, root, got, &got->sections[i]) < 0)
      return -1;
  return 0;
}

/* Lines live until the next are asked for: of several items each but the last is copied. */
static enum store_error find_fields(struct session *s, uint32_t seq, struct fetch const *f,
                                    struct fetched *got) {
  struct message_extent *last = 0;
  for (size_t i = 0; i < f->n; i++) {
    struct field_lines lines;
    if (f->items[i].kind != FETCH_SECTION) continue;
    if (last) last->data = arena_copy(&s->message, last->data, (size_t)last->wire);
    enum store_error error =
        folder_fields(s->folder, seq, &f->items[i].fields, &s->message, &lines);
    if (error != STORE_OK) return error;
    struct found_section *found = &got->sections[i];
    *found = (struct found_section){.size = lines.size};
    set_wanted(&f->items[i], found);
    last = &found->extent;
    *last = (struct message_extent){
        .exists = true, .in_memory = true, .wire = lines.size, .data = lines.data};
  }
  return STORE_OK;
}

enum store_error section_find(struct session *s, uint32_t seq, struct fetch const *f,
                              struct fetched *got) {
  if (f->fields_only) return find_fields(s, seq, f, got);
  enum store_error error = folder_message(s->folder, seq, &got->fd);
  if (error != STORE_OK) return error;
  return find_all(s, f, got) < 0 ? message_unreadable(s, seq) : STORE_OK;
}

/* ---- putting ---- */

static bool put_chunk(void *context, char const *data, size_t size) {
  struct imap_output *out = context;
  imap_put(out, data, size);
  return !out->failed;
}

/* After the literal's size has been promised only the end of the connection tells the client that
 * the rest will not come. */
static void broken_off(struct session *s, uint32_t seq) {
  message_unreadable(s, seq);
  s->out.failed = true;
  s->ending = END_DAMAGED;
}

static int put_bytes(struct session *s, struct fetch_item const *item,
                     struct found_section const *found, int fd) {
  struct message_extent const *e = &found->extent;
  (found->binary ? imap_put_literal8_header : imap_put_literal_header)(&s->out, found->n);
  if (is_binary(item))
    return message_copy_decoded(fd, e, found->skip, found->n, put_chunk, &s->out);
  if (!e->in_memory)
    return message_copy_wire(fd, e->start, e->end, found->skip, found->n, put_chunk, &s->out);
  imap_put(&s->out, e->data + found->skip, (size_t)found->n);
  return 0;
}

void section_put(struct session *s, uint32_t seq, struct fetch_item const *item,
                 struct found_section const *found, int fd) {
  imap_put(&s->out, item->label.data, item->label.size);
  imap_puts(&s->out, " ");
  if (item->form == FORM_BINARY_SIZE)
    imap_put_number(&s->out, found->size);
  else if (!found->extent.exists)
    imap_puts(&s->out, "NIL");
  else if (put_bytes(s, item, found, fd) < 0)
    broken_off(s, seq);
}
