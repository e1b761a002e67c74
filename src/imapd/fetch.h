/* What fetch.c (which items, in which order) and section.c (what is in a message) share. */
#ifndef FETCH_H
#define FETCH_H

#include "imapd/session.h"
#include "message/message.h"

enum fetch_kind {
  FETCH_UID,
  FETCH_FLAGS,
  FETCH_INTERNALDATE,
  FETCH_SAVEDATE,
  FETCH_SIZE,
  FETCH_ENVELOPE,
  FETCH_BODY,
  FETCH_BODYSTRUCTURE,
  FETCH_SECTION,
};

struct fetch_item {
  enum fetch_kind kind;
  /* Of a section: */
  char const *name; /* how the answer names it: "BODY", else "RFC822.TEXT" and the like */
  bool seen;        /* asking for it sets \Seen */
  bool partial;
  uint32_t offset, count;
  struct message_section section;
  struct imap_bytes label;    /* "BODY[TEXT]<0>": how the answer begins */
  struct field_choice fields; /* of HEADER.FIELDS */
};

struct fetch {
  struct fetch_item *items;
  size_t n, capacity;
  unsigned int kinds;  /* 1 << kind, of those here */
  unsigned int facts;  /* what folder_facts is asked for */
  bool fields_only;    /* all sections are HEADER.FIELDS of the message itself: no file is needed */
  bool seen;           /* some item sets \Seen */
  struct set not_seen; /* messages whose \Seen this command sets: their FLAGS are told */
};

/* An open message as its sections are found and put.  fd is -1 where facts do. */
struct fetched {
  struct facts facts;
  time_t date; /* internal */
  int fd;
  struct message_extent *extents; /* one for each item; meaningful for sections */
};

/* Makes ready an item whose section is known. */
void section_prepare(struct session *, struct fetch_item *);
/* Parses what follows "BODY" or "BODY.PEEK": "[" section "]" ["<" number "." nz-number ">"]. */
bool section_parse(struct session *, struct fetch_item *);
/* Finds all sections of a message, so that what can fail fails before anything is put. */
enum store_error section_find(struct session *, uint32_t seq, struct fetch const *,
                              struct fetched *);
/* "BODY[TEXT]<0> {5}...".  If the message breaks off inside, the session ends. */
void section_put(struct session *, uint32_t seq, struct fetch_item const *,
                 struct message_extent const *, int fd);

#endif
