/* What Courier-IMAP and Dovecot keep beside a folder, read and written (doc/store.md, "Moving in,
 * and moving back").  Their files are input like any other: bounded and checked, and what makes no
 * sense is left out.  Not here: locks, our journal. */
#ifndef STORE_FOREIGN_H
#define STORE_FOREIGN_H

#include "store/folder.h"

enum foreign_kind { FOREIGN_NONE, FOREIGN_COURIER, FOREIGN_DOVECOT };

#define COURIER_UIDS "courierimapuiddb"
#define COURIER_KEYWORDS "courierimapkeywords"
#define COURIER_LOCK "tmp/courier.lock"
#define COURIER_SUBSCRIPTIONS "courierimapsubscribed"
#define DOVECOT_UIDS "dovecot-uidlist"
#define DOVECOT_KEYWORDS "dovecot-keywords"
#define DOVECOT_LOCK "dovecot-uidlist.lock"
#define DOVECOT_SUBSCRIPTIONS "subscriptions"

enum {
  LETTERS = 26,                        /* a to z in names, Dovecot's keywords */
  FOREIGN_UIDS_MAX = 128 << 20,        /* a million messages */
  FOREIGN_KEYWORDS_MAX = 64 << 20,     /* of all messages together */
  FOREIGN_KEYWORD_FILE_MAX = 64 << 10, /* of one message, or names only */

};
/* Above, a UIDVALIDITY is not believed: the next ones must still fit. */
#define FOREIGN_UIDVALIDITY_MAX UINT32_C(0xf0000000)

struct foreign_message {
  char const *base; /* not NUL-ended */
  size_t base_size;
  uint32_t uid;
  struct keyword_set keywords;
};

struct foreign {
  enum foreign_kind kind;
  uint32_t uidvalidity, uidnext;
  struct foreign_message *messages; /* in rising UID order, no base name twice */
  size_t n;
  char *keywords[KEYWORDS_MAX];
  unsigned int nkeywords;
  int letters[LETTERS]; /* keyword by letter, -1: none */
  bool damaged;         /* some line of the UIDs made no sense: higher UIDs may have been given */
  unsigned int dropped; /* keywords that could not be kept */
  char *text;           /* the file of the UIDs; base names point into it */
  size_t size;
  uint32_t *table, mask;
};

char const *foreign_server(enum foreign_kind); /* "Courier", "Dovecot" */
char const *foreign_uids_name(enum foreign_kind);
char const *foreign_lock_name(enum foreign_kind);

/* The kind whose file of UIDs is in the folder, the newer one of two (*both is set then). */
enum foreign_kind foreign_detect(int dir, bool *both);

/* Takes text (from malloc) over.  False: it is not such a file, *why says so. */
bool foreign_parse_uids(struct foreign *, enum foreign_kind, char *text, size_t size,
                        char const **why);
void foreign_parse_courier_list(struct foreign *, char const *text, size_t size);
void foreign_parse_courier_message(struct foreign *, struct foreign_message *, char const *text,
                                   size_t size);
void foreign_parse_dovecot_keywords(struct foreign *, char const *text, size_t size);
/* All files of the folder `dir`: 0, or -1 with errno, or 1 and *why: there is nothing to be had. */
int foreign_read(struct foreign *, enum foreign_kind, int dir, char const **why);
struct foreign_message *foreign_find(struct foreign const *, char const *base, size_t size);
void foreign_free(struct foreign *);

/* The text of the UIDs' file with this next UID, otherwise as it was (from malloc). */
char *foreign_raised(struct foreign const *, uint32_t uidnext, size_t *size);

/* One name of Dovecot's subscriptions, in our form ("INBOX.a.b"), one after the other: returns what
 * is left of the text, null at its end.  *name is empty where a line is no name.  version: 0 at the
 * beginning. */
enum { SUBSCRIPTION_SIZE_MAX = 1000 };
char const *foreign_subscription(char const *text, char const *end, int *version,
                                 char name[SUBSCRIPTION_SIZE_MAX + 1]);

#endif
