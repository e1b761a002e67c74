/* The cache of a folder: what messages' bytes say, kept in files of ours so that listings open no
 * message.  doc/store.md has the format.  Derived, never synced, checked whenever it is used; that
 * it is damaged, missing or cannot be written is never an error.
 *
 *   cache.c       looking things up
 *   cacheput.c    what has been put and is not written yet
 *   cachewrite.c  adding to the files, sorting and rewriting them
 *   fields.c      lines of the header: how they are kept and chosen
 *   facts.c       answers it or the message's file gives; header.c: of the header; text.c: of all
 */
#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include "store/folder.h"

/* A message's values of the first columns are put together, by whoever finds that it has none; the
 * late ones are added one at a time, when somebody first needs them. */
enum cache_column {
  CACHE_ENVELOPE,
  CACHE_BODY,
  CACHE_BODYSTRUCTURE,
  CACHE_COMMON,  /* lines of the header under well-known names */
  CACHE_RARE,    /* all others but traces */
  CACHE_SUBJECT, /* what SEARCH compares: values as message_put_folded has them, 0xff between */
  CACHE_FROM,
  CACHE_TO,
  CACHE_CC,
  CACHE_BCC,
  CACHE_LATE,                   /* the first of the late columns */
  CACHE_SIGNATURE = CACHE_LATE, /* what short strings its text may hold: signature.c */
  CACHE_PREVIEW,                /* the first words, UTF-8: preview.c */
  CACHE_COLUMNS,
};

enum {
  CACHE_WINDOW = 64 << 10,              /* read at once of a file; fits in a processor's cache */
  CACHE_VALUE_MAX = CACHE_WINDOW - 256, /* a longer value is not kept */
  CACHE_PENDING_MAX = 256 << 10,        /* bytes of values; then they are written */
  CACHE_TAIL_MAX = 4096,                /* entries out of order; then the directory is sorted */
};

struct cache_value {
  char const *data; /* null: not to be kept */
  size_t size;
};

/* What is small enough to stand in the directory. */
struct cache_numbers {
  uint64_t size;     /* RFC822.SIZE */
  int64_t sent;      /* the Date field: seconds since 1970-01-01 UTC */
  int32_t sent_day;  /* the date as written there, in days since 1970-01-01 */
  uint32_t has_sent; /* 0: there is no such field that could be read */
};

/* CACHE_LARGE: it is known that the value is too large to be kept. */
enum cache_answer { CACHE_UNKNOWN, CACHE_LARGE, CACHE_KNOWN };

/* Whether what is found out about messages can be kept. */
bool cache_writable(struct folder *);
bool cache_numbers(struct folder *, uint32_t seq, struct cache_numbers *);
/* The value is valid until the same column is asked again, or something is put or flushed. */
enum cache_answer cache_get(struct folder *, uint32_t seq, enum cache_column, struct cache_value *);
/* Everything about a message but its late columns; written with others, sooner or later. */
void cache_put(struct folder *, uint32_t seq, struct cache_numbers const *,
               struct cache_value const values[CACHE_LATE]);
/* A late column of a message for which cache_get has said CACHE_UNKNOWN.  False: it is not kept,
 * since nothing can be written, or everything else about the message has yet to be put. */
bool cache_add(struct folder *, uint32_t seq, enum cache_column, struct cache_value const *);
/* FIELDS_SIZE_MAX bytes for the fields of one message; null without memory. */
char *cache_scratch(struct folder *);
/* Writes what has been put. */
void cache_flush(struct folder *);
/* Flushes, and keeps no memory but a few words, and no file open. */
void cache_rest(struct folder *);
void cache_close(struct folder *);

/* ---- the files ---- */

#define CACHE_DIRECTORY "cache"
#define CACHE_MAGIC "chnmcch\n"
enum {
  CACHE_ORDER = 0x01020304,
  CACHE_FORMAT = 2,
  CACHE_ENTRIES_MAX = 1 << 26, /* more messages than a Maildir can bear; bounds what is allocated */
  PENDING_BASE = 3,            /* offsets below are those of enum cache_at */
};
extern char const *const cache_column_names[CACHE_COLUMNS];

struct cache_header {
  char magic[8];
  uint32_t order, format;
  uint64_t generation; /* the same in all files of a cache; a file's never changes */
  uint32_t uidvalidity, column;
  uint32_t message, zero_1; /* message_version, of which all this is */
  uint64_t check;           /* of all before */
  uint32_t sorted;          /* of the directory: so many entries are in rising order of UIDs */
  uint32_t dropped; /* entries that have been left out since the columns were written anew */
  uint32_t zero[2];
};

struct cache_entry {
  uint32_t uid, check;
  struct cache_numbers numbers;
  /* Offsets in the columns' files, in units of 8 bytes, or enum cache_at.  `check` does not know of
   * the late ones: the record there tells whether it is right. */
  uint32_t at[CACHE_COLUMNS];
  uint32_t place; /* zero in the file; in memory its number in the directory */
};
enum cache_at { CACHE_AT_UNKNOWN, CACHE_AT_LARGE, CACHE_AT_EMPTY };

/* What stands before a value in its column; values are padded to 8 bytes. */
struct cache_record {
  uint32_t uid, size;
  uint64_t check;
};

/* A part of a file in memory.  Not a map: a map of a file that somebody cuts short ends the
 * process, and its pages count as the session's. */
struct cache_window {
  int fd;
  char *data; /* null until first used */
  uint64_t start;
  size_t size;
  size_t step; /* how much is read at once: more where it is read in order */
};
/* size bytes at offset; null if the file has not so many, or cannot be read. */
char const *cache_window_at(struct cache_window *, uint64_t offset, size_t size);

struct cache_new {
  struct cache_entry entry; /* `at`: PENDING_BASE and the offset in `values` */
  uint64_t inode;
  bool late; /* not an entry: late columns for one that is in the directory */
};
struct cache_pending {
  struct cache_new *entries;
  uint32_t n, room;
  uint32_t highest;               /* UID */
  stralloc values[CACHE_COLUMNS]; /* records as they will be in the files */
  size_t bytes;
};

struct cache {
  bool unwritable;      /* it could not be written once: not tried again in this session */
  uint32_t uidvalidity; /* what is found and pending here belongs to it */
  uint64_t inode;       /* of the directory's file; 0: there is none */
  struct cache_header header;
  uint32_t n; /* entries in the directory */
  bool stale; /* late columns of some of them have been written */
  struct cache_window directory, columns[CACHE_COLUMNS];
  struct cache_entry *tail; /* those out of order, sorted; null until needed */
  uint32_t ntail;
  uint32_t next;      /* where in the directory the next message in order would be */
  uint32_t found_uid; /* 0: none */
  struct cache_entry found;
  struct cache_pending pending;
  char *scratch;           /* null until needed */
  struct cache_text *text; /* null until needed */
};

/* cacheput.c, for the others */
struct cache_new *cache_find_pending(struct cache const *, uint32_t uid);
enum cache_answer cache_get_pending(struct cache const *, struct cache_entry const *,
                                    enum cache_column, struct cache_value *);
void cache_drop_pending(struct cache *);

/* text.c */
struct cache_text;
void cache_drop_text(struct cache *);

/* cache.c, for the others */
struct cache *cache_of(struct folder *);
/* Whether an offset is one of enum cache_at, and what that says. */
bool cache_answered(uint32_t at, enum cache_answer *, struct cache_value *);
/* The entry of a message in the files; null if there is none. */
struct cache_entry const *cache_find(struct folder *, struct cache *, uint32_t seq);
enum cache_answer cache_get_record(struct folder *, struct cache *, uint32_t seq,
                                   struct cache_entry const *, enum cache_column,
                                   struct cache_value *);
/* What checksums of a message's facts begin with: who it is. */
uint64_t cache_seed(struct folder const *, uint32_t uid, uint64_t inode);
uint64_t cache_hash(uint64_t seed, void const *data, size_t size);
void cache_seal_header(struct cache_header *);
void cache_seal_entry(struct folder const *, struct cache_entry *, uint64_t inode);
uint64_t cache_record_check(struct folder const *, uint32_t uid, uint64_t inode, enum cache_column,
                            char const *data, size_t size);
/* Looks whether the files are others, or longer, than when they were last looked at. */
void cache_refresh(struct folder *, struct cache *);
/* Forgets the files, not what is pending. */
void cache_forget(struct cache *);
/* By UIDs; of several for a message the last one stays, its place being its number from 0.  How
 * many remain. */
uint32_t cache_sort(struct cache_entry *, uint32_t n);
bool cache_entry_good(struct folder const *, struct cache_entry const *, uint64_t inode);
/* Where entry i of the directory is. */
uint64_t cache_entry_offset(uint32_t i);

/* cachewrite.c, for sortfile.c: the lock of those who write, dropped when it is closed; -1 if it
 * cannot be had. */
int cache_lock(struct folder const *);

#endif
