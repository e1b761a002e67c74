/* SORT (RFC 5256, RFC 5957, RFC 5267 section 3).
 *
 *   sort     = "SORT" [SP "RETURN" SP "(" [options] ")"] SP "(" criterion *(SP criterion) ")" SP
 *              charset 1*(SP search-key)
 *   criterion = ["REVERSE" SP] ("ARRIVAL" / "CC" / "DATE" / "DISPLAYFROM" / "DISPLAYTO" / "FROM" /
 *               "SIZE" / "SUBJECT" / "TO")
 */
#include "imapd/search.h"

#include <strings.h>

enum { CRITERIA_MAX = 32 }; /* each key both ways, and some more: later ones change nothing */

struct criterion {
  enum sort_key key;
  bool reverse;
};
struct criteria {
  struct criterion list[CRITERIA_MAX];
  size_t n;
};

static char const *const key_names[SORT_KEYS] = {
    [SORT_ARRIVAL] = "ARRIVAL",
    [SORT_CC] = "CC",
    [SORT_DATE] = "DATE",
    [SORT_DISPLAYFROM] = "DISPLAYFROM",
    [SORT_DISPLAYTO] = "DISPLAYTO",
    [SORT_FROM] = "FROM",
    [SORT_SIZE] = "SIZE",
    [SORT_SUBJECT] = "SUBJECT",
    [SORT_TO] = "TO",
};

/* ---- parsing ---- */

static bool parse_key(struct imap_parser *p, char const *name, struct criterion *c) {
  for (unsigned int key = 0; key < SORT_KEYS; key++) {
    if (strcasecmp(name, key_names[key])) continue;
    c->key = (enum sort_key)key;
    return true;
  }
  return imap_parse_fail(p, "Unknown sort criterion");
}

static bool parse_criterion(struct imap_parser *p, struct criteria *criteria) {
  char *name;
  if (criteria->n == CRITERIA_MAX) return imap_parse_fail(p, "Too many sort criteria");
  struct criterion *c = &criteria->list[criteria->n++];
  if (!imap_parse_atom(p, &name)) return false;
  c->reverse = !strcasecmp(name, "REVERSE");
  if (c->reverse && (!imap_parse_space(p) || !imap_parse_atom(p, &name))) return false;
  return parse_key(p, name, c);
}

static bool parse_criteria(struct imap_parser *p, struct criteria *criteria) {
  if (!imap_parse_char(p, '(')) return false;
  for (;;) {
    if (!parse_criterion(p, criteria)) return false;
    if (imap_parse_peek(p) == ')') return imap_parse_char(p, ')');
    if (!imap_parse_space(p)) return false;
  }
}

static bool parse_options(struct search *search, struct result_options *options) {
  bool present;
  struct imap_parser *p = search->parser;
  if (imap_parse_peek(p) == '(') return true;
  return search_parse_word(search, "RETURN", &present) &&
         (present || imap_parse_fail(p, "Sort criteria expected")) &&
         result_parse_options(search->session, options) && imap_parse_space(p);
}

/* ---- sorting ---- */

/* Stable, so the last criterion comes first; in the end the order of the mailbox decides. */
static enum store_error sort(struct session *s, struct criteria const *criteria,
                             struct found *found) {
  uint32_t n = found->n;
  uint64_t *values = arena_alloc(&s->arena, n * sizeof *values + 1);
  uint32_t *order = arena_alloc(&s->arena, n * sizeof *order + 1);
  uint32_t *scratch = arena_alloc(&s->arena, n * sizeof *scratch + 1);
  struct folder_patience const patience = search_patience(s);
  enum store_error worst = STORE_OK;
  for (uint32_t i = 0; i < n; i++) order[i] = i;
  for (size_t c = criteria->n; c-- && s->ending == GOING_ON;) {
    enum store_error error =
        folder_sort_values(s->folder, criteria->list[c].key, found->seqs, n, &patience, values);
    if (error > worst) worst = error;
    for (uint32_t i = 0; criteria->list[c].reverse && i < n; i++) values[i] = ~values[i];
    order_by(order, n, values, scratch);
  }
  for (uint32_t i = 0; i < n; i++) scratch[i] = found->seqs[order[i]];
  found->seqs = scratch;
  return worst;
}

bool command_sort(struct session *s) {
  struct search search;
  struct criteria criteria = {.n = 0};
  struct result_options options = {0};
  search_init(&search, s);
  if (!imap_parse_space(&s->parser) || !parse_options(&search, &options) ||
      !parse_criteria(&s->parser, &criteria) || !search_parse_program(&search))
    return false;
  if (search.charset_unknown) {
    result_refuse(s, &options);
  } else {
    struct found found;
    enum store_error error = search_run(&search, 0, &found), unsorted = sort(s, &criteria, &found);
    result_answer(s, "SORT", &options, &found, unsorted > error ? unsorted : error);
  }
  return true;
}
