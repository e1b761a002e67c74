/* Files of what SORT and THREAD compare, for all messages of a folder at once: sortfile.c; used by
 * sort.c and links.c.  doc/store.md has the format.  Derived, never synced, checked when used. */
#ifndef STORE_SORTFILE_H
#define STORE_SORTFILE_H

#include "store/folder.h"

#define SORTFILE_MAGIC "chnmsrt\n"
enum {
  SORTFILE_ORDER = 0x01020304,
  SORTFILE_FORMAT = 1,
  UNSAVED_MAX = 64, /* messages that the file does not cover: that many are found out each time */
};

struct sortfile_header {
  char magic[8];
  uint32_t order, format;
  uint32_t uidvalidity, kind;
  uint32_t n;    /* messages */
  uint32_t word; /* the kind's own */
  uint64_t size; /* of all that follows */
  uint64_t content_check;
  uint32_t message; /* message_version, of which all this is */
  uint32_t zero;
  uint64_t check; /* of all before */
};

/* A message that is covered. */
struct sortfile_message {
  uint32_t uid;
  uint32_t mark; /* of its identity: another file under this UID has another */
};

struct sortfile {
  struct sortfile_header header;
  char *content;    /* malloc's */
  char const *data; /* the kind's, behind the messages; aligned to 8 */
  size_t size;
};
/* False: there is none that fits. */
bool sortfile_load(struct folder const *, char const *name, uint32_t kind, struct sortfile *);
void sortfile_free(struct sortfile *);

/* What of the folder a file covers. */
struct coverage {
  uint32_t *seqs;    /* by the file's numbers; 0: gone, or another message */
  uint32_t *missing; /* sequence numbers that it does not cover */
  uint32_t nmissing;
};
void sortfile_cover(struct folder const *, struct sortfile const *, struct arena *,
                    struct coverage *);
/* Replaces the file by one that covers these messages, in rising order.  data is in two pieces, the
 * second may be empty.  That it cannot be written is no error. */
struct sortfile_piece {
  void const *data;
  size_t size;
};
void sortfile_save(struct folder *, char const *name, uint32_t kind, uint32_t word,
                   uint32_t const *seqs, uint32_t n, struct sortfile_piece const pieces[2]);

/* ---- sort.c, for rank.c and links.c ---- */

/* What finding out takes. */
struct finding {
  struct folder *folder;
  struct field_choice choice;
  struct folder_patience const *patience;
  struct arena arena;     /* until the next message */
  enum store_error worst; /* of messages that could not be read */
  bool gone;              /* some are no longer there, which is no error */
  bool interrupted;
  bool known; /* what was found out last is what the message says: it was there, and decoded */
  unsigned long silences; /* of charsetd, until now */
  bool *unsure; /* by sequence number less one: messages with text that could not be decoded for
                   want of charsetd; null: nobody asks */
  uint32_t nunsure;
};
/* The names are not copied. */
void finding_init(struct finding *, struct folder *, char const *const *fields, size_t nfields,
                  struct folder_patience const *);
/* The fields of a message; none where that fails. */
struct field_lines finding_fields(struct finding *, uint32_t seq);
/* From now on `unsure` tells of the messages with which finding_decoded is called. */
void finding_watch(struct finding *, struct arena *);
/* Text of this message has been decoded. */
void finding_decoded(struct finding *, uint32_t seq);
/* Whether what has been found out of n messages is to be kept, but for what is unsure. */
bool finding_worth_keeping(struct finding const *, uint32_t n);
enum store_error finding_end(struct finding *);
/* Whether so few messages are asked for that no file is worth its reading. */
bool sort_is_few(struct folder const *, uint32_t n);

/* ---- rank.c, for sort.c ---- */

/* The field that a key comes from; null if it comes from none. */
char const *rank_field(enum sort_key);
/* Ranks of texts, those of sequence number 1 first: of all messages, or valid for these only. */
uint32_t const *ranks_of_all(struct finding *, enum sort_key, struct arena *);
uint32_t const *ranks_of(struct finding *, enum sort_key, uint32_t const *seqs, uint32_t n,
                         struct arena *);

#endif
