/* What fetch.c (what is told of messages), fetchparse.c (which items, in which order) and section.c
 * (what is in a message) share. */
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
  FETCH_PREVIEW,
  FETCH_SECTION,
};

/* What of a section is told. */
enum section_form {
  FORM_RFC822,      /* as it is, under one of its older names */
  FORM_BODY,        /* as it is */
  FORM_BINARY,      /* without its transfer encoding (RFC 3516) */
  FORM_BINARY_SIZE, /* how many bytes that are */
};

struct fetch_item {
  enum fetch_kind kind;
  /* Of a section: */
  enum section_form form;
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
  bool lazy;           /* previews are told only where that costs nothing */
  bool in_list;        /* the items are in parentheses */
  bool blank_taken;    /* what parses an item has parsed the blank behind it */
  struct set not_seen; /* messages whose \Seen this command sets: their FLAGS are told */
  bool undecodable;    /* of some message a part could not be decoded */
};

/* A section of an open message. */
struct found_section {
  struct message_extent extent;
  uint64_t size;    /* of all of it, as it is told */
  uint64_t skip, n; /* the bytes of it that are wanted */
  bool binary;      /* there are NULs among them */
};

/* An open message as its sections are found and put.  fd is -1 where facts do. */
struct fetched {
  struct facts facts;
  struct preview preview;
  time_t date; /* internal */
  int fd;
  struct found_section *sections; /* one for each item; meaningful for sections */
  bool undecodable;               /* one of them cannot be decoded: the message is not told */
};

/* ---- fetch.c ---- */

/* What the items without arguments need of a message, and how they are put. */
struct plain_item {
  char const *name;
  size_t name_size;
  unsigned int facts;
  void (*put)(struct session *, uint32_t seq, struct fetched const *);
};
extern struct plain_item const plain_items[FETCH_SECTION];

/* ---- fetchparse.c ---- */

/* An item without arguments is told once however often it is asked for. */
void fetch_add_plain(struct session *, struct fetch *, enum fetch_kind);
/* The blank, and the items behind it. */
bool fetch_parse_items(struct session *, struct fetch *);
/* What follows the items, perhaps nothing; partial stays as it is without PARTIAL. */
bool fetch_parse_modifiers(struct session *, struct fetch *, struct partial *);

/* ---- section.c ---- */

/* Makes ready an item whose section is known. */
void section_prepare(struct session *, struct fetch_item *);
/* Parses what follows "BODY.PEEK" and the like: "[" section "]" ["<" number "." nz-number ">"]. */
bool section_parse(struct session *, struct fetch_item *);
/* Finds all sections of a message, so that what can fail fails before anything is put. */
enum store_error section_find(struct session *, uint32_t seq, struct fetch const *,
                              struct fetched *);
/* "BODY[TEXT]<0> {5}...".  If the message breaks off inside, the session ends. */
void section_put(struct session *, uint32_t seq, struct fetch_item const *,
                 struct found_section const *, int fd);

#endif
