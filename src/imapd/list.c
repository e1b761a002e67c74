/* LIST and LSUB (RFC 3501 sections 6.3.8 and 6.3.9; attributes: RFC 3348).
 *
 *   list = "LIST" SP mailbox SP list-mailbox
 *   lsub = "LSUB" SP mailbox SP list-mailbox
 */
#include "imapd/session.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- patterns ---- */

/* More literal characters than a name has match nothing, and between two of them one wildcard says
 * all that several do. */
enum { PATTERN_SIZE_MAX = 2 * NAME_SIZE_MAX };

struct pattern {
  char text[PATTERN_SIZE_MAX + 1];
  size_t size;
  char separator;
  bool impossible;   /* too long to match any name */
  bool percent_last; /* levels above are told too */
};

static bool is_wildcard(char c) {
  return c == '*' || c == '%';
}

/* Of neighbouring wildcards one stays: the star if there is one among them. */
static void add_to_pattern(struct pattern *p, char c) {
  if (is_wildcard(c) && p->size && is_wildcard(p->text[p->size - 1])) {
    if (c == '*') p->text[p->size - 1] = c;
  } else if (p->size == PATTERN_SIZE_MAX) {
    p->impossible = true;
  } else {
    p->text[p->size++] = c;
  }
}

/* INBOX is to be found in any case. */
static void upper_inbox(struct pattern *p) {
  if (p->size < 5 || strncasecmp(p->text, "INBOX", 5)) return;
  if (p->size == 5 || p->text[5] == p->separator || is_wildcard(p->text[5]))
    memcpy(p->text, "INBOX", 5);
}

static void pattern_init(struct pattern *p, char separator, struct imap_bytes reference,
                         struct imap_bytes mailbox) {
  p->size = 0;
  p->separator = separator;
  p->impossible = false;
  for (size_t i = 0; i < reference.size; i++) add_to_pattern(p, reference.data[i]);
  for (size_t i = 0; i < mailbox.size; i++) add_to_pattern(p, mailbox.data[i]);
  p->percent_last = p->size && p->text[p->size - 1] == '%';
  upper_inbox(p);
}

/* Keeps, for every beginning of the name, whether the pattern so far matches it: the time is the
 * product of the lengths whatever the wildcards. */
static bool pattern_matches(struct pattern const *p, char const *name, size_t size) {
  bool reached[NAME_SIZE_MAX + 1] = {true};
  if (p->impossible || size > NAME_SIZE_MAX) return false;
  for (size_t i = 0; i < p->size; i++) {
    char c = p->text[i];
    if (is_wildcard(c)) {
      for (size_t at = 0; at < size; at++)
        if (reached[at] && (c == '*' || name[at] != p->separator)) reached[at + 1] = true;
    } else {
      for (size_t at = size; at; at--) reached[at] = reached[at - 1] && name[at - 1] == c;
      reached[0] = false;
    }
  }
  return reached[size];
}

/* ---- responses ---- */

static void put_listed(struct session *s, char const *response, char const *attributes,
                       char const *name) {
  imap_puts(&s->out, response);
  imap_puts(&s->out, " (");
  imap_puts(&s->out, attributes);
  imap_puts(&s->out, ") ");
  imap_put_string(&s->out, &s->personal.separator, 1);
  imap_puts(&s->out, " ");
  imap_put_string(&s->out, name, strlen(name));
  imap_puts(&s->out, "\r\n");
}

static bool parse_arguments(struct session *s, struct imap_bytes *reference,
                            struct imap_bytes *mailbox) {
  return parse_mailbox(s, reference) && imap_parse_space(&s->parser) &&
         imap_parse_list_mailbox(&s->parser, mailbox) && imap_parse_end(&s->parser);
}

/* ---- LIST ---- */

/* The empty pattern asks for the separator and the root of the reference. */
static void put_root(struct session *s, struct imap_bytes reference) {
  char const *prefix = s->personal.prefix;
  bool ours = *prefix && !strncasecmp(reference.data, prefix, strlen(prefix));
  put_listed(s, "* LIST", "\\Noselect", ours ? prefix : "");
}

/* In the flat namespace INBOX.x is below INBOX; in Courier's every folder is. */
static bool inbox_has_children(struct session const *s, struct store_list const *list) {
  if (*s->personal.prefix) return list->n > 1;
  for (size_t i = 0; i < list->n; i++)
    if (!strncmp(list->entries[i].name, "INBOX.", 6)) return true;
  return false;
}

static char const *attributes_of(struct store_folder_entry const *entry, bool children) {
  if (!entry->exists) return "\\Noselect \\HasChildren";
  if (entry->has_new) return children ? "\\Marked \\HasChildren" : "\\Marked \\HasNoChildren";
  return children ? "\\Unmarked \\HasChildren" : "\\Unmarked \\HasNoChildren";
}

static void list_matching(struct session *s, struct pattern const *pattern,
                          struct store_list const *list) {
  bool flat = !*s->personal.prefix;
  for (size_t i = 0; i < list->n; i++) {
    struct store_folder_entry const *entry = &list->entries[i];
    char buf[NAME_SIZE_MAX];
    /* A mere level of that name would be told as a second INBOX. */
    if (flat && !strcmp(entry->name, "INBOX")) continue;
    char const *name = mailbox_from_folder(s, entry->name, buf);
    if (!pattern_matches(pattern, name, strlen(name))) continue;
    bool children = *entry->name ? entry->children : inbox_has_children(s, list);
    put_listed(s, "* LIST", attributes_of(entry, children), name);
  }
}

bool command_list(struct session *s) {
  struct imap_bytes reference, mailbox;
  if (!parse_arguments(s, &reference, &mailbox)) return false;
  enum store_error error = STORE_OK;
  if (!mailbox.size) {
    put_root(s, reference);
  } else {
    struct pattern pattern;
    struct store_list list;
    pattern_init(&pattern, s->personal.separator, reference, mailbox);
    error = store_list(s->store, true, &s->arena, &list);
    if (error == STORE_OK) list_matching(s, &pattern, &list);
  }
  answer_result(s, error, "LIST completed");
  return true;
}

/* ---- LSUB ---- */

struct names {
  char const **name;
  size_t n;
};

static int compare_names(void const *a, void const *b) {
  return strcmp(*(char const *const *)a, *(char const *const *)b);
}

/* The stored names as this namespace has them. */
static void translate(struct session *s, struct names *names) {
  size_t n = 0;
  for (size_t i = 0; i < names->n; i++) {
    char const *folder = folder_from_subscription(names->name[i]);
    char buf[NAME_SIZE_MAX];
    if (!folder && !*s->personal.prefix) continue; /* shared ones: not in this namespace */
    char const *name = folder ? mailbox_from_folder(s, folder, buf) : names->name[i];
    names->name[n++] = arena_copy(&s->arena, name, strlen(name));
  }
  names->n = n;
  if (n) qsort(names->name, n, sizeof *names->name, compare_names);
}

static bool among(struct names const *names, char const *name) {
  return bsearch(&name, names->name, names->n, sizeof *names->name, compare_names);
}

/* RFC 3501 section 6.3.9: where "%" matches a level above a subscribed name, that level is told,
 * once, with \Noselect. */
static void put_levels_above(struct session *s, struct pattern const *pattern,
                             struct names const *names, size_t i) {
  char const *name = names->name[i], *previous = i ? names->name[i - 1] : "";
  for (char const *end = name; (end = strchr(end + 1, pattern->separator));) {
    size_t size = (size_t)(end - name);
    if (!strncmp(previous, name, size + 1) || !pattern_matches(pattern, name, size)) continue;
    char const *level = arena_copy(&s->arena, name, size);
    if (!among(names, level)) put_listed(s, "* LSUB", "\\Noselect", level);
  }
}

static void lsub_matching(struct session *s, struct pattern const *pattern,
                          struct names const *names) {
  for (size_t i = 0; i < names->n; i++) {
    if (pattern_matches(pattern, names->name[i], strlen(names->name[i])))
      put_listed(s, "* LSUB", "", names->name[i]);
    else if (pattern->percent_last && *names->name[i])
      put_levels_above(s, pattern, names, i);
  }
}

bool command_lsub(struct session *s) {
  struct imap_bytes reference, mailbox;
  if (!parse_arguments(s, &reference, &mailbox)) return false;
  struct names names;
  struct pattern pattern;
  enum store_error error = store_subscriptions(s->store, &s->arena, &names.name, &names.n);
  if (error == STORE_OK) {
    pattern_init(&pattern, s->personal.separator, reference, mailbox);
    translate(s, &names);
    lsub_matching(s, &pattern, &names);
  }
  answer_result(s, error, "LSUB completed");
  return true;
}
