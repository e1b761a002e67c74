/* Lines of a message's header as the cache keeps them, and how those that are asked for are chosen.
 *
 * A value of the columns CACHE_COMMON and CACHE_RARE is: number of fields 2; 1 if an empty line
 * ends the header 1; zero 1; for each field 4 (size of its lines 2, its place in the header 1, the
 * number of its name 1); the lines, in CRLF form.  Together they hold all fields that have a name,
 * in the header's order, but for traces. */
#include "store/fields.h"

#include <string.h>
#include <strings.h>

/* The numbers are part of the format. */
static char const *const common_names[] = {
    "Date",
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Subject",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Content-Type",
    "Priority",
    "X-Priority",
    "Importance",
    "Newsgroups",
    "MIME-Version",
    "Mail-Followup-To",
    "List-Id",
    "List-Post",
    "Precedence",
    "Auto-Submitted",
    "X-Mailer",
    "User-Agent",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Disposition-Notification-To",
    "X-Label",
    "Resent-From",
    "Resent-To",
    "Followup-To",
    "Thread-Topic",
};
enum { COMMON_NAMES = sizeof common_names / sizeof *common_names, RARE_NAME = 255 };
_Static_assert(COMMON_NAMES <= 64, "field_choice has a bit for each");

/* Long, many, and asked for by nobody who lists messages.  A name that ends in '*' begins so. */
static char const *const trace_names[] = {
    "Received",
    "X-Received",
    "Received-SPF",
    "DKIM-Signature",
    "ARC-*",
    "DomainKey-Signature",
    "Authentication-Results",
    "X-Google-*",
    "X-Gm-*",
    "X-MS-Exchange-*",
    "X-Microsoft-*",
    "X-Forefront-*",
    "X-Spam-Report",
    "X-Face",
    "Face",
    "Autocrypt",
    "X-Proofpoint-*",
    "X-IronPort-*",
};

static bool is_name(char const *a, size_t size, char const *b) {
  return size && (*a | 32) == (*b | 32) && !strncasecmp(a, b, size) && !b[size];
}

static unsigned int number_of(char const *name, size_t size) {
  for (unsigned int i = 0; i < COMMON_NAMES; i++)
    if (is_name(name, size, common_names[i])) return i;
  return RARE_NAME;
}

/* The pattern is of letters and hyphens, and perhaps the `*`; the name of anything but NUL: a blank
 * must not be taken for the pattern's end. */
static bool is_like(char const *name, size_t size, char const *pattern) {
  size_t i = 0;
  while (i < size && pattern[i] && pattern[i] != '*' && (name[i] | 32) == (pattern[i] | 32)) i++;
  return pattern[i] == '*' || (i == size && !pattern[i]);
}

static bool is_trace(char const *name, size_t size) {
  for (size_t i = 0; i < sizeof trace_names / sizeof *trace_names; i++)
    if (is_like(name, size, trace_names[i])) return true;
  return false;
}

/* Of which there are columns in the form that SEARCH compares. */
static struct {
  char const *name;
  enum cache_column column;
} const folded_fields[] = {{"Subject", CACHE_SUBJECT},
                           {"From", CACHE_FROM},
                           {"To", CACHE_TO},
                           {"Cc", CACHE_CC},
                           {"Bcc", CACHE_BCC}};

static int folded_column(char const *name, size_t size) {
  for (size_t i = 0; i < sizeof folded_fields / sizeof *folded_fields; i++)
    if (is_name(name, size, folded_fields[i].name)) return (int)folded_fields[i].column;
  return -1;
}

void field_choice_init(struct field_choice *c, char const *const *names, size_t n) {
  *c = (struct field_choice){.names = names, .n = n, .folded = -1};
  if (n == 1) c->folded = folded_column(*names, strlen(*names));
  for (size_t i = 0; i < n; i++) {
    size_t size = strlen(names[i]);
    unsigned int number = number_of(names[i], size);
    if (number != RARE_NAME)
      c->common |= UINT64_C(1) << number;
    else if (is_trace(names[i], size))
      c->traces = true;
    else
      c->rare = true;
  }
}

/* ---- keeping ---- */

enum { FIELDS_MAX = 255, FIXED = 4 };
#define FOLDED_BETWEEN ((char)0xff) /* in no needle: nothing is found across values */

struct line_entry {
  uint16_t size;
  uint8_t place, name;
};

/* One of the two columns being made. */
struct keeping {
  struct line_entry entries[FIELDS_MAX];
  uint16_t n;
  stralloc lines;
};

static bool keep(struct keeping *k, struct message_field const *field, unsigned int place,
                 unsigned int name) {
  size_t before = k->lines.len;
  message_put_field(&k->lines, field);
  size_t size = k->lines.len - before;
  if (place >= FIELDS_MAX || size > UINT16_MAX) return false;
  k->entries[k->n++] = (struct line_entry){(uint16_t)size, (uint8_t)place, (uint8_t)name};
  return true;
}

static bool keep_all(struct message_part const *root, struct keeping kept[2], bool *ends) {
  struct message_field field;
  unsigned int place = 0;
  size_t at = 0;
  while (message_next_field(root->header, root->header_size, &at, &field)) {
    if (!field.name_size || is_trace(field.name, field.name_size)) continue;
    unsigned int name = number_of(field.name, field.name_size);
    if (!keep(&kept[name == RARE_NAME], &field, place++, name)) return false;
  }
  *ends = message_header_ends(root, at);
  return true;
}

static struct cache_value value_of(struct keeping const *k, bool ends, struct arena *arena) {
  size_t table = k->n * sizeof *k->entries, size = FIXED + table + k->lines.len;
  char *value = arena_alloc(arena, size);
  memcpy(value, &k->n, sizeof k->n);
  value[2] = ends;
  value[3] = 0;
  memcpy(value + FIXED, k->entries, table);
  if (k->lines.len) memcpy(value + FIXED + table, k->lines.s, k->lines.len);
  return (struct cache_value){value, size};
}

void fields_keep(struct message_part const *root, struct arena *arena, struct cache_value *common,
                 struct cache_value *rare) {
  struct keeping kept[2] = {{.n = 0}, {.n = 0}};
  bool ends, whole = root->body_start - root->header_start == root->header_size;
  *common = *rare = (struct cache_value){0};
  if (whole && keep_all(root, kept, &ends)) {
    *common = value_of(&kept[0], ends, arena);
    *rare = value_of(&kept[1], ends, arena);
  }
  for (int i = 0; i < 2; i++) stralloc_free(&kept[i].lines);
}

/* One more value of a field; false: the column cannot be kept. */
static bool fold_value(stralloc *text, struct message_field const *field) {
  unsigned long silences = message_charset_silences();
  if (field->value_size > CACHE_VALUE_MAX) return false;
  if (text->len && !stralloc_append(text, FOLDED_BETWEEN)) log_die_memory();
  message_put_folded(text, field->value, field->value_size);
  return text->len <= CACHE_VALUE_MAX && silences == message_charset_silences();
}

void fields_fold(struct message_part const *root, struct arena *arena,
                 struct cache_value values[CACHE_LATE]) {
  struct message_field field;
  stralloc texts[CACHE_LATE] = {{0}};
  bool odd[CACHE_LATE] = {false};
  for (size_t at = 0; message_next_field(root->header, root->header_size, &at, &field);) {
    int column = folded_column(field.name, field.name_size);
    if (column >= 0 && !odd[column]) odd[column] = !fold_value(&texts[column], &field);
  }
  for (size_t i = 0; i < sizeof folded_fields / sizeof *folded_fields; i++) {
    enum cache_column column = folded_fields[i].column;
    stralloc *text = &texts[column];
    values[column] = (struct cache_value){0};
    if (!odd[column])
      values[column] =
          (struct cache_value){arena_copy(arena, text->len ? text->s : "", text->len), text->len};
    stralloc_free(text);
  }
}

/* ---- choosing ---- */

/* Going through a value. */
struct reading {
  char const *entry, *line, *end;
  unsigned int left; /* fields */
  bool ends;         /* an empty line does */
  struct line_entry e;
};

/* e is the next one, or its place is behind all. */
static void load_entry(struct reading *r) {
  enum { NOWHERE = FIELDS_MAX };
  if (r->left) memcpy(&r->e, r->entry, sizeof r->e);
  if (!r->left || r->e.size > r->end - r->line) {
    r->left = 0;
    r->e = (struct line_entry){0, NOWHERE, RARE_NAME};
  }
}

static struct reading begin(struct cache_value const *v) {
  struct reading r = {0};
  uint16_t n;
  if (v->data && v->size >= FIXED) {
    memcpy(&n, v->data, sizeof n);
    size_t table = n * sizeof r.e;
    if (table <= v->size - FIXED) {
      r.entry = v->data + FIXED;
      r.line = r.entry + table;
      r.end = v->data + v->size;
      r.left = n;
      r.ends = v->data[2];
    }
  }
  load_entry(&r);
  return r;
}

static void advance(struct reading *r) {
  r->line += r->e.size;
  r->entry += sizeof r->e;
  r->left--;
  load_entry(r);
}

static bool is_chosen(struct field_choice const *c, struct reading const *r) {
  struct message_field field;
  size_t at = 0;
  if (r->e.name < COMMON_NAMES) return c->common >> r->e.name & 1;
  if (!message_next_field(r->line, r->e.size, &at, &field)) return false;
  for (size_t i = 0; i < c->n; i++)
    if (is_name(field.name, field.name_size, c->names[i])) return true;
  return false;
}

size_t fields_choose(struct field_choice const *c, struct cache_value const *common,
                     struct cache_value const *rare, char *out) {
  struct reading a = begin(common), b = begin(rare);
  bool ends = a.ends || b.ends;
  char *start = out;
  while (a.left || b.left) {
    struct reading *r = !b.left || (a.left && a.e.place < b.e.place) ? &a : &b;
    if (is_chosen(c, r)) {
      memcpy(out, r->line, r->e.size);
      out += r->e.size;
    }
    advance(r);
  }
  if (ends) {
    memcpy(out, "\r\n", 2);
    out += 2;
  }
  return (size_t)(out - start);
}
