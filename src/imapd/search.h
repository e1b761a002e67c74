/* What the commands that search share: SEARCH, SORT, THREAD.
 *
 *   keys.c    search keys as they are written
 *   match.c   whether a message matches them
 *   search.c  which messages match; SEARCH itself
 *   result.c  what is asked of the result, and the answer
 *   sort.c    SORT; thread.c: THREAD
 */
#ifndef SEARCH_H
#define SEARCH_H

#include "imapd/session.h"
#include "message/message.h"

/* A key is matched by a function; keys.c's table says which. */
struct search_key;
struct search_subject;
typedef bool match_function(struct search_subject *, struct search_key const *);

/* What a key costs for one message: in a list the cheap ones decide first. */
enum search_cost { COST_VIEW, COST_DATE, COST_FACTS, COST_FILE };

struct search_key {
  match_function *match;
  enum search_cost cost;
  unsigned int facts;       /* what folder_facts is needed for */
  struct search_key *next;  /* in a list: all must match */
  struct search_key *child; /* a list's first, NOT's and OR's operands */
  /* The argument, as the function wants it. */
  unsigned int flags;
  int keyword; /* -1: no message has it */
  int32_t day;
  time_t time;
  uint32_t size;
  char const *field;             /* of the header */
  struct field_choice fields;    /* that one */
  struct message_needle *needle; /* null: the empty string, which is in everything */
  struct set seqs;
};

/* ---- keys.c ---- */

/* A search while it is parsed, and as it is run. */
struct search {
  struct session *session;
  struct imap_parser *parser;
  struct search_key all; /* the list of all keys */
  unsigned int facts;    /* what folder_facts is needed for */
  char const *charset;   /* of strings; null: none was named */
  bool charset_unknown;  /* the rest is parsed all the same, to be answered by result_refuse */
  char *word;            /* the next word, which has been read already; null: none */
  unsigned int depth, keys;
};

void search_init(struct search *, struct session *);
/* The optional word (in capitals) that may stand before the keys: RETURN, CHARSET.  If another is
 * there it remains to be parsed. */
bool search_parse_word(struct search *, char const *word, bool *present);
/* astring: the charset of the strings that follow. */
bool search_parse_charset(struct search *);
/* search-key *(SP search-key) CRLF */
bool search_parse_keys(struct search *);
/* SP charset SP search-key *(SP search-key) CRLF: as SORT and THREAD have it. */
bool search_parse_program(struct search *);

/* ---- search.c ---- */

struct result_options;

/* Sequence numbers in the order of the result: rising, unless they were sorted. */
struct found {
  uint32_t *seqs;
  uint32_t n;
};
/* The messages that match, in the session's arena; only as many as the options (null: all) ask for.
 * A message that is gone matches nothing; the worst of other failures is returned, with what was
 * found all the same. */
enum store_error search_run(struct search const *, struct result_options const *, struct found *);
/* Until the session is to end. */
struct folder_patience search_patience(struct session *);

/* ---- result.c ---- */

/* RFC 4731 section 3.1, RFC 5182, RFC 9394. */
enum result_option {
  RESULT_MIN = 1 << 0,
  RESULT_MAX = 1 << 1,
  RESULT_COUNT = 1 << 2,
  RESULT_ALL = 1 << 3,
  RESULT_PARTIAL = 1 << 4,
  RESULT_SAVE = 1 << 5,
};
struct result_options {
  unsigned int wanted; /* enum result_option; 0: RETURN was not said */
  struct partial partial;
};
/* SP "(" [option *(SP option)] ")", after RETURN. */
bool result_parse_options(struct session *, struct result_options *);
/* How many results are wanted at most, and whether those at the end; left as they are for all. */
void result_limit(struct result_options const *, bool *backwards, uint32_t *limit);
/* Answers the command `name` (SEARCH, SORT): the result, unless a signal broke it off, saves it if
 * that is wanted, and the tagged line. */
void result_answer(struct session *, char const *name, struct result_options const *,
                   struct found const *, enum store_error);
/* Answers NO for a charset that is not known; tells of some that are. */
void result_refuse(struct session *, struct result_options const *);

/* A message while it is being looked at. */
struct search_subject {
  struct session *session;
  unsigned int facts_wanted; /* by all keys */
  uint32_t seq;
  bool has_facts;
  struct facts facts;
  enum store_error error; /* the message could not be read */
};

/* ---- match.c ---- */

/* Whether message seq matches; *error is set if it could not be read (then it does not). */
bool search_matches(struct search_subject *, struct search_key const *, uint32_t seq,
                    enum store_error *error);

match_function match_all, match_list, match_not, match_or, match_flags_set, match_flags_unset,
    match_new, match_old, match_keyword, match_no_keyword, match_before, match_on, match_since,
    match_older, match_younger, match_saved_before, match_saved_on, match_saved_since,
    match_sent_before, match_sent_on, match_sent_since, match_larger, match_smaller, match_header,
    match_body, match_text, match_seqs;

#endif
