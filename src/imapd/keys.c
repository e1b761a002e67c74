/* Search keys as they are written (RFC 3501 section 6.4.4, RFC 5032, RFC 8514), for SEARCH, SORT
 * and THREAD.
 *
 *   search-key = the names in the table below with their arguments / sequence-set /
 *                "UID" SP sequence-set / "(" search-key *(SP search-key) ")"
 *
 * They become a tree once, which match.c asks of each message. */
#include "imapd/search.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
  SEARCH_DEPTH_MAX = 100,       /* of NOT, OR and parentheses: each level is a function call */
  SEARCH_KEYS_MAX = 10000,      /* each is asked of each message */
  SEARCH_STRING_MAX = 16 << 10, /* nobody looks for longer texts; a match costs by their size */
};

/* ---- the table of keys ---- */

struct key_kind;
typedef bool argument_function(struct search *, struct key_kind const *, struct search_key *);
static argument_function no_argument, keyword_argument, date_argument, interval_argument,
    size_argument, text_argument, field_argument, header_argument, uid_argument, not_argument,
    or_argument;

struct key_kind {
  char const *name;
  argument_function *parse;
  match_function *match;
  enum search_cost cost;
  unsigned int facts;
  unsigned int flags;
  char const *field;
};

static struct key_kind const key_kinds[] = {
    {"ALL", no_argument, match_all, COST_VIEW, 0, 0, 0},
    {"ANSWERED", no_argument, match_flags_set, COST_VIEW, 0, FLAG_ANSWERED, 0},
    {"BCC", field_argument, match_header, COST_FACTS, 0, 0, "Bcc"},
    {"BEFORE", date_argument, match_before, COST_DATE, 0, 0, 0},
    {"BODY", text_argument, match_body, COST_FILE, 0, 0, 0},
    {"CC", field_argument, match_header, COST_FACTS, 0, 0, "Cc"},
    {"DELETED", no_argument, match_flags_set, COST_VIEW, 0, FLAG_DELETED, 0},
    {"DRAFT", no_argument, match_flags_set, COST_VIEW, 0, FLAG_DRAFT, 0},
    {"FLAGGED", no_argument, match_flags_set, COST_VIEW, 0, FLAG_FLAGGED, 0},
    {"FROM", field_argument, match_header, COST_FACTS, 0, 0, "From"},
    {"HEADER", header_argument, match_header, COST_FACTS, 0, 0, 0},
    {"KEYWORD", keyword_argument, match_keyword, COST_VIEW, 0, 0, 0},
    {"LARGER", size_argument, match_larger, COST_FACTS, FACT_SIZE, 0, 0},
    {"NEW", no_argument, match_new, COST_VIEW, 0, 0, 0},
    {"NOT", not_argument, match_not, COST_VIEW, 0, 0, 0},
    {"OLD", no_argument, match_old, COST_VIEW, 0, 0, 0},
    {"OLDER", interval_argument, match_older, COST_DATE, 0, 0, 0},
    {"ON", date_argument, match_on, COST_DATE, 0, 0, 0},
    {"OR", or_argument, match_or, COST_VIEW, 0, 0, 0},
    {"RECENT", no_argument, match_flags_set, COST_VIEW, 0, FLAG_RECENT, 0},
    {"SAVEDATESUPPORTED", no_argument, match_all, COST_VIEW, 0, 0, 0},
    {"SAVEDBEFORE", date_argument, match_saved_before, COST_DATE, 0, 0, 0},
    {"SAVEDON", date_argument, match_saved_on, COST_DATE, 0, 0, 0},
    {"SAVEDSINCE", date_argument, match_saved_since, COST_DATE, 0, 0, 0},
    {"SEEN", no_argument, match_flags_set, COST_VIEW, 0, FLAG_SEEN, 0},
    {"SENTBEFORE", date_argument, match_sent_before, COST_FACTS, FACT_SENT, 0, 0},
    {"SENTON", date_argument, match_sent_on, COST_FACTS, FACT_SENT, 0, 0},
    {"SENTSINCE", date_argument, match_sent_since, COST_FACTS, FACT_SENT, 0, 0},
    {"SINCE", date_argument, match_since, COST_DATE, 0, 0, 0},
    {"SMALLER", size_argument, match_smaller, COST_FACTS, FACT_SIZE, 0, 0},
    {"SUBJECT", field_argument, match_header, COST_FACTS, 0, 0, "Subject"},
    {"TEXT", text_argument, match_text, COST_FILE, 0, 0, 0},
    {"TO", field_argument, match_header, COST_FACTS, 0, 0, "To"},
    {"UID", uid_argument, match_seqs, COST_VIEW, 0, 0, 0},
    {"UNANSWERED", no_argument, match_flags_unset, COST_VIEW, 0, FLAG_ANSWERED, 0},
    {"UNDELETED", no_argument, match_flags_unset, COST_VIEW, 0, FLAG_DELETED, 0},
    {"UNDRAFT", no_argument, match_flags_unset, COST_VIEW, 0, FLAG_DRAFT, 0},
    {"UNFLAGGED", no_argument, match_flags_unset, COST_VIEW, 0, FLAG_FLAGGED, 0},
    {"UNKEYWORD", keyword_argument, match_no_keyword, COST_VIEW, 0, 0, 0},
    {"UNSEEN", no_argument, match_flags_unset, COST_VIEW, 0, FLAG_SEEN, 0},
    {"YOUNGER", interval_argument, match_younger, COST_DATE, 0, 0, 0},
};

/* ---- parsing ---- */

static bool parse_key(struct search *, struct search_key **);

static bool fail(struct search *search, char const *words) {
  return imap_parse_fail(search->parser, words);
}

static bool no_argument(struct search *search, struct key_kind const *kind,
                        struct search_key *key) {
  (void)search;
  (void)kind;
  (void)key;
  return true;
}

static bool keyword_argument(struct search *search, struct key_kind const *kind,
                             struct search_key *key) {
  char *name;
  (void)kind;
  if (!imap_parse_space(search->parser) || !imap_parse_atom(search->parser, &name)) return false;
  key->keyword = folder_keyword_find(search->session->folder, name);
  return true;
}

static void choose_field(struct search_key *key, char const *field) {
  key->field = field;
  field_choice_init(&key->fields, &key->field, 1);
}

static bool date_argument(struct search *search, struct key_kind const *kind,
                          struct search_key *key) {
  (void)kind;
  return imap_parse_space(search->parser) && imap_parse_date(search->parser, &key->day);
}

/* Seconds before now, which is one moment for all messages (RFC 5032 section 2). */
static bool interval_argument(struct search *search, struct key_kind const *kind,
                              struct search_key *key) {
  uint32_t seconds;
  (void)kind;
  if (!imap_parse_space(search->parser) || !imap_parse_nz_number(search->parser, &seconds))
    return false;
  key->time = time(0) - (time_t)seconds;
  return true;
}

static bool size_argument(struct search *search, struct key_kind const *kind,
                          struct search_key *key) {
  (void)kind;
  return imap_parse_space(search->parser) && imap_parse_number(search->parser, &key->size);
}

/* A string in the command's charset; without one, UTF-8 is understood beside US-ASCII. */
static bool make_needle(struct search *search, struct imap_bytes text, struct search_key *key) {
  struct arena *arena = &search->session->arena;
  if (!text.size || search->charset_unknown) return true;
  if (!search->charset) {
    key->needle = message_needle_new(text.data, text.size, arena);
  } else {
    stralloc utf8 = STRALLOC_ZERO;
    if (charset_to_utf8(&utf8, search->charset, text.data, text.size))
      key->needle = message_needle_new(utf8.s, utf8.len, arena);
    stralloc_free(&utf8);
  }
  return key->needle || fail(search, "The string is not valid in its charset");
}

static bool text_argument(struct search *search, struct key_kind const *kind,
                          struct search_key *key) {
  struct imap_bytes text;
  (void)kind;
  if (!imap_parse_space(search->parser) || !imap_parse_astring(search->parser, &text)) return false;
  if (text.size > SEARCH_STRING_MAX) return fail(search, "String too long");
  return make_needle(search, text, key);
}

static bool field_argument(struct search *search, struct key_kind const *kind,
                           struct search_key *key) {
  choose_field(key, kind->field);
  return text_argument(search, kind, key);
}

static bool header_argument(struct search *search, struct key_kind const *kind,
                            struct search_key *key) {
  struct imap_bytes name;
  if (!imap_parse_space(search->parser) || !imap_parse_astring(search->parser, &name)) return false;
  choose_field(key, name.data);
  return text_argument(search, kind, key);
}

static bool set_argument(struct search *search, bool by_uid, struct search_key *key) {
  struct imap_sequence sequence;
  if (!imap_parse_sequence(search->parser, &sequence)) return false;
  /* "1:*" is what clients say for all, of an empty mailbox too. */
  return messages_find(search->session, &sequence, by_uid, &key->seqs) ||
         !folder_count(search->session->folder) || fail(search, "There are not so many messages");
}

static bool uid_argument(struct search *search, struct key_kind const *kind,
                         struct search_key *key) {
  (void)kind;
  return imap_parse_space(search->parser) && set_argument(search, true, key);
}

/* A key that is an argument: it costs its owner what it costs itself. */
static bool parse_child(struct search *search, struct search_key *key, struct search_key **child) {
  if (!imap_parse_space(search->parser) || !parse_key(search, child)) return false;
  if ((*child)->cost > key->cost) key->cost = (*child)->cost;
  return true;
}

static bool not_argument(struct search *search, struct key_kind const *kind,
                         struct search_key *key) {
  (void)kind;
  return parse_child(search, key, &key->child);
}

static bool or_argument(struct search *search, struct key_kind const *kind,
                        struct search_key *key) {
  struct search_key *second;
  (void)kind;
  if (!parse_child(search, key, &key->child) || !parse_child(search, key, &second)) return false;
  if (second->cost < key->child->cost) {
    second->next = key->child;
    key->child = second;
  } else {
    key->child->next = second;
  }
  return true;
}

/* Into a list sorted by cost, behind those of the same. */
static void insert_by_cost(struct search_key **list, struct search_key *last[COST_FILE + 1],
                           struct search_key *key) {
  struct search_key *before = 0;
  for (int cost = (int)key->cost; cost >= 0 && !before; cost--) before = last[cost];
  struct search_key **at = before ? &before->next : list;
  key->next = *at;
  *at = key;
  last[key->cost] = key;
}

/* Keys up to the closing parenthesis or the end of the line, the first without its space. */
static bool parse_list(struct search *search, struct search_key *list) {
  struct search_key *last[COST_FILE + 1] = {0};
  list->match = match_list;
  for (;;) {
    struct search_key *key;
    if (!parse_key(search, &key)) return false;
    if (key->cost > list->cost) list->cost = key->cost;
    insert_by_cost(&list->child, last, key);
    if (imap_parse_peek(search->parser) != ' ') return true;
    if (!imap_parse_space(search->parser)) return false;
  }
}

static bool parse_named_key(struct search *search, char const *name, struct search_key *key) {
  for (size_t i = 0; i < sizeof key_kinds / sizeof *key_kinds; i++) {
    struct key_kind const *kind = &key_kinds[i];
    if (strcasecmp(name, kind->name)) continue;
    key->match = kind->match;
    key->cost = kind->cost;
    key->flags = kind->flags;
    search->facts |= kind->facts;
    return kind->parse(search, kind, key);
  }
  return fail(search, "Unknown search key");
}

static bool parse_any_key(struct search *search, struct search_key *key) {
  char *name = search->word;
  search->word = 0;
  if (name) return parse_named_key(search, name, key);
  int c = imap_parse_peek(search->parser);
  if (c == '(')
    return imap_parse_char(search->parser, '(') && parse_list(search, key) &&
           imap_parse_char(search->parser, ')');
  if ((c >= '0' && c <= '9') || c == '*' || c == '$') {
    key->match = match_seqs;
    return set_argument(search, false, key);
  }
  return imap_parse_atom(search->parser, &name) && parse_named_key(search, name, key);
}

static bool parse_key(struct search *search, struct search_key **key) {
  if (search->depth == SEARCH_DEPTH_MAX) return fail(search, "Search nested too deep");
  if (++search->keys > SEARCH_KEYS_MAX) return fail(search, "Too many search keys");
  *key = arena_zalloc(&search->session->arena, sizeof **key);
  search->depth++;
  bool good = parse_any_key(search, *key);
  search->depth--;
  return good;
}

/* ---- for the commands ---- */

void search_init(struct search *search, struct session *s) {
  *search = (struct search){.session = s, .parser = &s->parser};
}

bool search_parse_word(struct search *search, char const *word, bool *present) {
  *present = false;
  if (!search->word) {
    if (toupper(imap_parse_peek(search->parser)) != word[0]) return true;
    if (!imap_parse_atom(search->parser, &search->word)) return false;
  }
  *present = !strcasecmp(search->word, word);
  if (*present) search->word = 0;
  return true;
}

bool search_parse_charset(struct search *search) {
  struct imap_bytes charset;
  if (!imap_parse_astring(search->parser, &charset)) return false;
  search->charset = charset.data;
  search->charset_unknown = !charset_known(charset.data);
  return true;
}

bool search_parse_program(struct search *search) {
  struct imap_parser *p = search->parser;
  return imap_parse_space(p) && search_parse_charset(search) && imap_parse_space(p) &&
         search_parse_keys(search);
}

bool search_parse_keys(struct search *search) {
  return parse_list(search, &search->all) && imap_parse_end(search->parser);
}
