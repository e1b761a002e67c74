/* What search.c (the keys as they are written) and match.c (whether a message matches) share. */
#ifndef SEARCH_H
#define SEARCH_H

#include "imapd/session.h"
#include "message/message.h"

/* A key is matched by a function; search.c's table says which. */
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
  uint32_t size;
  char const *field;             /* of the header */
  struct field_choice fields;    /* that one */
  struct message_needle *needle; /* null: the empty string, which is in everything */
  struct set seqs;
};

/* A message while it is being looked at. */
struct search_subject {
  struct session *session;
  unsigned int facts_wanted; /* by all keys */
  uint32_t seq;
  bool has_facts;
  struct facts facts;
  int fd; /* -1 until opened */
  struct message_part *root;
  enum store_error error; /* the message could not be read */
};

/* Whether message seq matches; *error is set if it could not be read (then it does not). */
bool search_matches(struct search_subject *, struct search_key const *, uint32_t seq,
                    enum store_error *error);

match_function match_all, match_list, match_not, match_or, match_flags_set, match_flags_unset,
    match_new, match_old, match_keyword, match_no_keyword, match_before, match_on, match_since,
    match_sent_before, match_sent_on, match_sent_since, match_larger, match_smaller, match_header,
    match_body, match_text, match_seqs;

#endif
