/* SEARCH (RFC 3501 section 6.4.4).
 *
 *   search     = "SEARCH" [SP "CHARSET" SP astring] 1*(SP search-key)
 *   search-key = the names in the table below with their arguments / sequence-set /
 *                "UID" SP sequence-set / "(" search-key *(SP search-key) ")"
 *
 * The keys become a tree once, match.c asks it of each message, and the numbers go out as they are
 * found. */
#include "imapd/search.h"

#include <string.h>
#include <strings.h>

enum {
  SEARCH_DEPTH_MAX = 100,       /* of NOT, OR and parentheses: each level is a function call */
  SEARCH_KEYS_MAX = 10000,      /* each is asked of each message */
  SEARCH_STRING_MAX = 16 << 10, /* nobody looks for longer texts; a match costs by their size */
};

/* ---- the table of keys ---- */

struct parse;
struct key_kind;
typedef bool argument_function(struct parse *, struct key_kind const *, struct search_key *);
static argument_function no_argument, keyword_argument, date_argument, size_argument, text_argument,
    field_argument, header_argument, uid_argument, not_argument, or_argument;

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
    {"ON", date_argument, match_on, COST_DATE, 0, 0, 0},
    {"OR", or_argument, match_or, COST_VIEW, 0, 0, 0},
    {"RECENT", no_argument, match_flags_set, COST_VIEW, 0, FLAG_RECENT, 0},
    {"SEEN", no_argument, match_flags_set, COST_VIEW, 0, FLAG_SEEN, 0},
    {"SENTBEFORE", date_argument, match_sent_before, COST_FACTS, 0, 0, "Date"},
    {"SENTON", date_argument, match_sent_on, COST_FACTS, 0, 0, "Date"},
    {"SENTSINCE", date_argument, match_sent_since, COST_FACTS, 0, 0, "Date"},
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
};

/* ---- parsing ---- */

struct parse {
  struct session *session;
  struct imap_parser *parser;
  char const *charset;  /* null: none was named */
  bool charset_unknown; /* the rest is parsed all the same, to be answered NO */
  char *word;           /* a key's name that has been read already; null: none */
  unsigned int depth, keys;
  unsigned int facts;
};

static bool parse_key(struct parse *, struct search_key **);

static bool no_argument(struct parse *p, struct key_kind const *kind, struct search_key *key) {
  (void)p;
  (void)kind;
  (void)key;
  return true;
}

static bool keyword_argument(struct parse *p, struct key_kind const *kind, struct search_key *key) {
  char *name;
  (void)kind;
  if (!imap_parse_space(p->parser) || !imap_parse_atom(p->parser, &name)) return false;
  key->keyword = folder_keyword_find(p->session->folder, name);
  return true;
}

static void choose_field(struct search_key *key, char const *field) {
  key->field = field;
  field_choice_init(&key->fields, &key->field, 1);
}

static bool date_argument(struct parse *p, struct key_kind const *kind, struct search_key *key) {
  if (kind->field) choose_field(key, kind->field);
  return imap_parse_space(p->parser) && imap_parse_date(p->parser, &key->day);
}

static bool size_argument(struct parse *p, struct key_kind const *kind, struct search_key *key) {
  (void)kind;
  return imap_parse_space(p->parser) && imap_parse_number(p->parser, &key->size);
}

/* A string in the command's charset; without one, UTF-8 is understood beside US-ASCII. */
static bool make_needle(struct parse *p, struct imap_bytes text, struct search_key *key) {
  struct arena *arena = &p->session->arena;
  if (!text.size || p->charset_unknown) return true;
  if (!p->charset) {
    key->needle = message_needle_new(text.data, text.size, arena);
  } else {
    stralloc utf8 = STRALLOC_ZERO;
    if (charset_to_utf8(&utf8, p->charset, text.data, text.size))
      key->needle = message_needle_new(utf8.s, utf8.len, arena);
    stralloc_free(&utf8);
  }
  return key->needle || imap_parse_fail(p->parser, "The string is not valid in its charset");
}

static bool text_argument(struct parse *p, struct key_kind const *kind, struct search_key *key) {
  struct imap_bytes text;
  (void)kind;
  if (!imap_parse_space(p->parser) || !imap_parse_astring(p->parser, &text)) return false;
  if (text.size > SEARCH_STRING_MAX) return imap_parse_fail(p->parser, "String too long");
  return make_needle(p, text, key);
}

static bool field_argument(struct parse *p, struct key_kind const *kind, struct search_key *key) {
  choose_field(key, kind->field);
  return text_argument(p, kind, key);
}

static bool header_argument(struct parse *p, struct key_kind const *kind, struct search_key *key) {
  struct imap_bytes name;
  if (!imap_parse_space(p->parser) || !imap_parse_astring(p->parser, &name)) return false;
  choose_field(key, name.data);
  return text_argument(p, kind, key);
}

static bool set_argument(struct parse *p, bool by_uid, struct search_key *key) {
  struct imap_sequence sequence;
  if (!imap_parse_sequence(p->parser, &sequence)) return false;
  switch (messages_find(p->session, &sequence, by_uid, &key->seqs)) {
  case MESSAGES_OK: return true;
  case MESSAGES_NOTHING_SAVED: return imap_parse_fail(p->parser, "No search result has been saved");
  default:
    /* "1:*" is what clients say for all, of an empty mailbox too. */
    return !folder_count(p->session->folder) ||
           imap_parse_fail(p->parser, "There are not so many messages");
  }
}

static bool uid_argument(struct parse *p, struct key_kind const *kind, struct search_key *key) {
  (void)kind;
  return imap_parse_space(p->parser) && set_argument(p, true, key);
}

/* A key that is an argument: it costs its owner what it costs itself. */
static bool parse_child(struct parse *p, struct search_key *key, struct search_key **child) {
  if (!imap_parse_space(p->parser) || !parse_key(p, child)) return false;
  if ((*child)->cost > key->cost) key->cost = (*child)->cost;
  return true;
}

static bool not_argument(struct parse *p, struct key_kind const *kind, struct search_key *key) {
  (void)kind;
  return parse_child(p, key, &key->child);
}

static bool or_argument(struct parse *p, struct key_kind const *kind, struct search_key *key) {
  struct search_key *second;
  (void)kind;
  if (!parse_child(p, key, &key->child) || !parse_child(p, key, &second)) return false;
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
static bool parse_list(struct parse *p, struct search_key *list) {
  struct search_key *last[COST_FILE + 1] = {0};
  list->match = match_list;
  for (;;) {
    struct search_key *key;
    if (!parse_key(p, &key)) return false;
    if (key->cost > list->cost) list->cost = key->cost;
    insert_by_cost(&list->child, last, key);
    if (imap_parse_peek(p->parser) != ' ') return true;
    if (!imap_parse_space(p->parser)) return false;
  }
}

static bool parse_named_key(struct parse *p, char const *name, struct search_key *key) {
  for (size_t i = 0; i < sizeof key_kinds / sizeof *key_kinds; i++) {
    struct key_kind const *kind = &key_kinds[i];
    if (strcasecmp(name, kind->name)) continue;
    key->match = kind->match;
    key->cost = kind->cost;
    key->flags = kind->flags;
    p->facts |= kind->facts;
    return kind->parse(p, kind, key);
  }
  return imap_parse_fail(p->parser, "Unknown search key");
}

static bool parse_any_key(struct parse *p, struct search_key *key) {
  char *name = p->word;
  p->word = 0;
  if (name) return parse_named_key(p, name, key);
  int c = imap_parse_peek(p->parser);
  if (c == '(')
    return imap_parse_char(p->parser, '(') && parse_list(p, key) && imap_parse_char(p->parser, ')');
  if ((c >= '0' && c <= '9') || c == '*' || c == '$') {
    key->match = match_seqs;
    return set_argument(p, false, key);
  }
  return imap_parse_atom(p->parser, &name) && parse_named_key(p, name, key);
}

static bool parse_key(struct parse *p, struct search_key **key) {
  if (p->depth == SEARCH_DEPTH_MAX) return imap_parse_fail(p->parser, "Search nested too deep");
  if (++p->keys > SEARCH_KEYS_MAX) return imap_parse_fail(p->parser, "Too many search keys");
  *key = arena_zalloc(&p->session->arena, sizeof **key);
  p->depth++;
  bool good = parse_any_key(p, *key);
  p->depth--;
  return good;
}

/* "CHARSET" looks like a key; what follows it is none. */
static bool parse_charset(struct parse *p) {
  struct imap_bytes charset;
  if (!imap_parse_space(p->parser) || !imap_parse_astring(p->parser, &charset) ||
      !imap_parse_space(p->parser))
    return false;
  p->charset = charset.data;
  p->charset_unknown = !charset_known(charset.data);
  return true;
}

/* The first word decides: CHARSET, or the name of the first key already. */
static bool parse_search(struct parse *p, struct search_key *all) {
  if (!imap_parse_space(p->parser)) return false;
  int c = imap_parse_peek(p->parser);
  if (c == 'C' || c == 'c') {
    if (!imap_parse_atom(p->parser, &p->word)) return false;
    if (!strcasecmp(p->word, "CHARSET")) {
      p->word = 0;
      if (!parse_charset(p)) return false;
    }
  }
  return parse_list(p, all) && imap_parse_end(p->parser);
}

/* ---- the answer ---- */

/* Clients ask for a flag more often than for all else: the messages without it are passed over
 * where they lie. */
static uint32_t skip_to_flags(struct session *s, struct search_key const *key, uint32_t seq) {
  if (key->match == match_flags_set)
    return folder_next_flagged(s->folder, seq, key->flags, key->flags);
  if (key->match == match_flags_unset) return folder_next_flagged(s->folder, seq, key->flags, 0);
  return seq;
}

/* Numbers as they are found.  A message that is gone matches nothing; the worst of other failures
 * is what the command ends in. */
static enum store_error put_matching(struct session *s, struct parse const *p,
                                     struct search_key const *all) {
  struct search_subject subject = {.session = s, .facts_wanted = p->facts};
  enum store_error worst = STORE_OK, error;
  uint32_t count = folder_count(s->folder);
  bool by_uid = command_by_uid(s);
  struct search_key const *key = all->child->next ? all : all->child;
  imap_puts(&s->out, "* SEARCH");
  for (uint32_t seq = 1; seq <= count && !wait_interrupted(s); seq++) {
    seq = skip_to_flags(s, key, seq);
    if (seq > count) break;
    bool matches = search_matches(&subject, key, seq, &error);
    if (error > worst && error != STORE_EXPUNGED) worst = error;
    if (!matches) continue;
    imap_puts(&s->out, " ");
    imap_put_number(&s->out, by_uid ? folder_uid(s->folder, seq) : seq);
  }
  imap_puts(&s->out, "\r\n");
  return worst;
}

/* Unless a signal broke the search off. */
static void answer_found(struct session *s, enum store_error error) {
  if (s->ending == GOING_ON) answer_result(s, error, "SEARCH completed");
}

bool command_search(struct session *s) {
  struct parse p = {.session = s, .parser = &s->parser};
  struct search_key all = {0};
  if (!parse_search(&p, &all)) return false;
  if (p.charset_unknown)
    answer_no(s, "BADCHARSET (US-ASCII UTF-8)", "That charset is not known here");
  else
    answer_found(s, put_matching(s, &p, &all));
  return true;
}
