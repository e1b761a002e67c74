/* store: mailboxes and their state.  The Maildir is the truth about messages; what it cannot hold
 * lives beside each folder in our own directory (doc/store.md).  This is all that imapd knows of
 * where mail is.
 *
 *   tree.c      a Maildir++ tree: opening, creating, deleting, renaming
 *   list.c      listing it
 *   subscribe.c subscriptions
 *   folder.c    one folder opened: its view, its columns
 *   message.c   opening a message's file
 *   sync.c      following what others did
 *   change.c    flags, expunge
 *   copy.c      copy and move
 *   append.c    new messages
 *   facts.c     what a message's bytes say, from the cache or from the file
 *   header.c    fields of its header; fields.c: how the cache has them
 *   text.c      searching in its text
 *   preview.c   its first words, likewise
 *   sort.c      what SORT compares; links.c: what THREAD follows
 *   status.c    counting without selecting
 *   watch.c     waiting for changes
 * and behind these, declared in folder.h:
 *   journal.c   the folder's memory on disk; record.c: what it says
 *   view.c      what that means, in memory; keywords.c, apply.c
 *   transaction.c, snapshot.c, batch.c, publish.c   how it is written, replaced and recovered
 *   scan.c, settle.c   comparing it with the Maildir; own.c: where that is not needed
 *   index.c     the messages in a file, so that the journal need not be read; mapping.c
 *   cache.c, cacheput.c, cachewrite.c   what messages' bytes say, kept; declared in cache.h
 *   rank.c      orders of texts; sortfile.c: what it and links.c have found out, kept; declared in
 *               sortfile.h
 *   sessions.c  who else looks, and what is kept for them
 *   names.c, bases.c, uidvalidity.c, boot.c, birth.c, network.c, error.c
 *   takeover.c  moving in from another server, with moved.c, letters.c and dotlock.c
 *   foreign.c   that one's files; handover.c: moving back; each has a header
 *   inspect.c   what maildircheck sees and mends, likewise
 *
 * Every function that can fail returns enum store_error.  A failure of the system (STORE_NOPERM to
 * STORE_UNAVAILABLE) has been logged when it returns: path, cause, remedy.  store_words() is the
 * sentence for the client.
 *
 * Durability: when a changing function has returned STORE_OK, its effect survives a crash.
 *
 * Nothing here waits for a client; locks are held only inside a call.
 */
#ifndef STORE_H
#define STORE_H

#include "base/base.h"

#include <time.h>
#include <skalibs/stralloc.h>

enum store_error {
  STORE_OK = 0,
  STORE_NONEXISTENT, /* no such mailbox                            [NONEXISTENT] */
  STORE_EXISTS,      /* there is one already                       [ALREADYEXISTS] */
  STORE_CANNOT,      /* the name or the operation is impossible    [CANNOT] */
  STORE_EXPUNGED,    /* some of the messages are gone              [EXPUNGEISSUED] */
  STORE_LIMIT,       /* a limit of ours, e.g. keywords             [LIMIT] */
  STORE_NOPERM,      /* permission denied by the file system       [NOPERM] */
  STORE_FULL,        /* ENOSPC, EDQUOT                             [OVERQUOTA] */
  STORE_UNAVAILABLE, /* I/O error, lock timeout, descriptors, ...  [UNAVAILABLE] */
};
/* A sentence a mail user understands: "The disk of the mail server is full". */
char const *store_words(enum store_error);
/* The response code without brackets, null for STORE_OK. */
char const *store_code(enum store_error);

/* ---- flags ---- */

enum message_flag {
  FLAG_DRAFT = 1 << 0,    /* D */
  FLAG_FLAGGED = 1 << 1,  /* F */
  FLAG_ANSWERED = 1 << 2, /* R */
  FLAG_SEEN = 1 << 3,     /* S */
  FLAG_DELETED = 1 << 4,  /* T */
  FLAG_STANDARD = (1 << 5) - 1,
  FLAG_RECENT = 1 << 5, /* of this session */
};
enum { KEYWORDS_MAX = 256 }; /* per folder: real folders have a few dozen; 257th: STORE_LIMIT */
enum { KEYWORD_SIZE_MAX = 250 };

/* ---- tree.c ---- */

/* One Maildir++ tree: INBOX is the Maildir itself, folder a.b the directory .a.b in it. */
struct store;

struct store_options {
  mode_t umask;         /* for what we create: 077 by default */
  bool check_ownership; /* refuse a Maildir that is not ours */
};

/* Opens the Maildir at path.  A missing one, one of another owner or without cur, new or tmp is
 * refused: STORE_UNAVAILABLE with the log line that says what to do. */
enum store_error store_open(struct store **, char const *path, struct store_options const *);
void store_close(struct store *);

/* Folder names here: "" is INBOX; else the name as on disk without the leading dot, levels
 * separated by dots, modified UTF-7: "Archive.2025".  Anything else (empty levels, '/', leading or
 * trailing dots, control characters, over 255 bytes with its dot) is STORE_CANNOT. */

struct store_folder_entry {
  char const *name;
  bool exists;   /* false: only a level above an existing folder */
  bool has_new;  /* new/ is not empty: \Marked; only where asked for */
  bool children; /* existing folders below it */
};
struct store_list {
  struct store_folder_entry *entries; /* sorted by name; "" first */
  size_t n;
};
enum store_error store_list(struct store *, bool want_new, struct arena *, struct store_list *);
enum store_error store_create(struct store *, char const *name);
/* Sessions that have it selected go on until they are told. */
enum store_error store_delete(struct store *, char const *name);
/* Renames the folder and all below it (RFC 3501 section 6.3.5).  From "": moves all messages of
 * INBOX into a new folder and leaves INBOX empty. */
enum store_error store_rename(struct store *, char const *from, char const *to);
/* Subscriptions are names as the client gave them, kept in courierimapsubscribed's format, whether
 * or not such a mailbox exists; names are IMAP names ("INBOX.Sent"). */
enum store_error store_subscribe(struct store *, char const *imap_name, bool on);
enum store_error store_subscriptions(struct store *, struct arena *, char const ***names,
                                     size_t *n); /* sorted */

/* ---- folder.c: a folder opened, as one session sees it ----
 * The view is a list of messages numbered 1..folder_count in rising UID order.  It changes only
 * inside folder_sync and the changing functions of the same session. */
struct folder;

enum folder_mode {
  FOLDER_EXAMINE, /* changes nothing on disk but our own bookkeeping; clears no \Recent */
  FOLDER_SELECT,  /* moves new mail to cur/ and claims \Recent */
};
enum store_error folder_open(struct store *, char const *name, enum folder_mode, struct folder **);
void folder_close(struct folder *);
/* Before a wait that may be long: what only speeds things up is given back, of the folder, and
 * whatever was kept open for the next APPEND, COPY or STATUS. */
void folder_rest(struct folder *);
void store_rest(struct store *);

uint32_t folder_uidvalidity(struct folder const *);
uint32_t folder_uidnext(struct folder const *);
uint64_t folder_highest_modseq(struct folder const *);
bool folder_read_only(struct folder const *); /* examined, or the file system lets us only read */
uint32_t folder_count(struct folder const *);
uint32_t folder_recent(struct folder const *);
uint32_t folder_first_unseen(struct folder const *); /* sequence number, 0 if none */

/* seq: 1..folder_count. */
uint32_t folder_uid(struct folder const *, uint32_t seq);
/* The first sequence number whose UID is >= uid; folder_count + 1 if there is none. */
uint32_t folder_seq(struct folder const *, uint32_t uid);
/* The sequence numbers of those of the UIDs that exist. */
void folder_seqs(struct folder const *, struct set const *uids, struct set *seqs);
unsigned int folder_flags(struct folder const *, uint32_t seq);
/* The first message from seq on of whose flags in `mask` exactly those in `wanted` are set; one
 * more than there are messages if there is none. */
uint32_t folder_next_flagged(struct folder const *, uint32_t seq, unsigned int mask,
                             unsigned int wanted);
uint64_t folder_modseq(struct folder const *, uint32_t seq);
bool folder_has_keyword(struct folder const *, uint32_t seq, unsigned int keyword);
/* When it was received: the file's mtime. */
enum store_error folder_internal_date(struct folder *, uint32_t seq, time_t *);
/* When it came into this folder; false: that is not known. */
bool folder_save_date(struct folder const *, uint32_t seq, time_t *);
/* It has been expunged, which is not yet reported.  Its content can be had if it was set aside for
 * this session; it cannot be copied or changed. */
bool folder_is_expunged(struct folder const *, uint32_t seq);

/* Keywords of the folder: ids 0..count-1, for good while the folder is open; new ones are added at
 * the end. */
unsigned int folder_keyword_count(struct folder const *);
char const *folder_keyword_name(struct folder const *, unsigned int id);
/* Case-insensitive; -1 if the folder has no such keyword. */
int folder_keyword_find(struct folder const *, char const *name);

/* Opens the message's file for reading; that of an expunged one where it has been set aside, else
 * STORE_EXPUNGED. */
enum store_error folder_message(struct folder *, uint32_t seq, int *fd);
/* And how large it is. */
enum store_error folder_message_sized(struct folder *, uint32_t seq, int *fd, uint64_t *size);

/* ---- facts.c ---- */
enum fact {
  FACT_SIZE = 1 << 0,     /* RFC822.SIZE */
  FACT_ENVELOPE = 1 << 1, /* response values, ready for the wire */
  FACT_BODY = 1 << 2,
  FACT_BODYSTRUCTURE = 1 << 3,
  FACT_SENT = 1 << 4, /* the Date field */
};
struct facts {
  uint64_t size;
  bool has_sent;    /* there is a date that can be read */
  int64_t sent;     /* seconds since 1970-01-01 UTC */
  int32_t sent_day; /* as written, without regard to zone, in days since 1970-01-01 */
  char const *envelope, *body, *bodystructure;
  size_t envelope_size, body_size, bodystructure_size;
};
/* Fills in the facts whose bits are set in want, from the cache where it has them, else by reading
 * the file once.  Strings live until the next call on the folder, or as long as the arena if that
 * is shorter. */
enum store_error folder_facts(struct folder *, uint32_t seq, unsigned int want, struct arena *,
                              struct facts *);
/* Finds out the facts of a new message, if they are not known, for those who will ask.  False:
 * there is none more.  For when nobody waits. */
bool folder_learn(struct folder *);

/* Fields of the top header, chosen by their names; prepared once for many messages. */
struct field_choice {
  char const *const *names; /* not copied */
  size_t n;
  uint64_t common;   /* well-known names: a bit for each */
  bool rare, traces; /* there are others; there are such as only the file has */
  int folded;        /* the cache's column of the folded field; -1: there is none, or there are more
                        fields */
};
void field_choice_init(struct field_choice *, char const *const *names, size_t n);
struct message_needle; /* message.h */
struct field_lines {
  char const *data;
  size_t size;
};
/* The fields of these names, in the header's order, and its empty line, in CRLF form: what
 * BODY[HEADER.FIELDS] is.  They live until the next folder_fields or folder_rest, or as long as the
 * arena. */
enum store_error folder_fields(struct folder *, uint32_t seq, struct field_choice const *,
                               struct arena *, struct field_lines *);
/* Whether the value of one of these fields holds the needle, as message_value_matches says. */
enum store_error folder_fields_hold(struct folder *, uint32_t seq, struct field_choice const *,
                                    struct message_needle const *, struct arena *, bool *holds);

/* ---- text.c ---- */
/* Whether the message's text, with_header or that of its headers, holds the needle, as
 * message_text_matches says. */
enum store_error folder_text_holds(struct folder *, uint32_t seq, struct message_needle const *,
                                   bool with_header, bool *holds);

/* ---- preview.c ---- */
/* The first words of a message (message_put_preview), in the arena. */
struct preview {
  char const *text; /* null: not known, and that one was to be lazy */
  size_t size;
};
/* From the cache; else, unless one is to be lazy, from the file, and kept. */
enum store_error folder_preview(struct folder *, uint32_t seq, bool lazy, struct arena *,
                                struct preview *);

/* ---- sort.c, links.c ---- */
/* Both ask for messages seqs[0..n-1], in rising order, and fill in an answer for each, whatever
 * happens: of a message that cannot be read (the worst reason is what they return; that it is gone
 * is none) it is as if its header were empty.  They may take as long as reading all messages of the
 * folder takes, and then ask between two whether they are to end early, with STORE_UNAVAILABLE. */
struct folder_patience {
  bool (*ends)(void *context);
  void *context;
};

/* RFC 5256 and RFC 5957.  The numbers are part of the format of files. */
enum sort_key {
  SORT_ARRIVAL,
  SORT_CC,
  SORT_DATE,
  SORT_DISPLAYFROM,
  SORT_DISPLAYTO,
  SORT_FROM,
  SORT_SIZE,
  SORT_SUBJECT,
  SORT_TO,
  SORT_KEYS,
};
enum {
  SORT_TEXT_MAX = 512, /* bytes of a text that order messages; longer ones that begin alike are
                          told apart, but their order means nothing */
};
/* Numbers that sort as the keys do, equal ones for equal keys; 0 for an empty text, and for no
 * other. */
enum store_error folder_sort_values(struct folder *, enum sort_key, uint32_t const *seqs,
                                    uint32_t n, struct folder_patience const *, uint64_t *values);

struct message_links; /* message/thread.h */
enum {
  REFERENCES_MAX = 250, /* of one message; the last ones, which are the nearest, are kept */
};
/* The references live as long as the arena. */
enum store_error folder_links(struct folder *, uint32_t const *seqs, uint32_t n,
                              struct folder_patience const *, struct arena *,
                              struct message_links *links);

/* ---- sync.c ---- */

/* What folder_sync tells, in this order: every expunge, then exists, then keywords, then flags.
 * Any member may be null. */
struct folder_listener {
  void *context;
  /* seq as it is after the expunges reported before this one. */
  void (*expunged)(void *context, uint32_t seq, uint32_t uid);
  /* There are new messages: the view's new size; old_count is what the client knows after the
   * expunges. */
  void (*exists)(void *context, uint32_t count, uint32_t old_count);
  void (*keywords)(void *context);            /* the folder has more keywords than before */
  void (*flags)(void *context, uint32_t seq); /* flags or keywords changed, not by this session */
};
/* Brings the view up to date with the disk.  Without may_expunge (while a FETCH, STORE or SEARCH
 * by sequence number is answered) messages that are gone stay in the view.  A failure leaves the
 * view as it was.  STORE_NONEXISTENT: the folder itself is gone. */
enum store_error folder_sync(struct folder *, bool may_expunge, struct folder_listener const *);

/* ---- change.c ---- */

enum flag_operation { FLAGS_REPLACE, FLAGS_ADD, FLAGS_REMOVE };
struct flag_change {
  enum flag_operation operation;
  unsigned int flags;          /* FLAG_STANDARD bits */
  char const *const *keywords; /* names; unknown ones are created, except by FLAGS_REMOVE */
  size_t nkeywords;
  uint64_t unchanged_since; /* RFC 7162; UINT64_MAX for none */
};
struct flag_result {
  struct set changed;  /* seqs whose flags are now as wanted (changed or already so) */
  struct set modified; /* seqs that failed UNCHANGEDSINCE */
  struct set gone;     /* seqs whose message no longer exists */
};
/* The view shows the new flags at once; folder_sync does not report them. */
enum store_error folder_store(struct folder *, struct set const *seqs, struct flag_change const *,
                              struct arena *, struct flag_result *);
/* Removes the messages with \Deleted, all or those among uids (RFC 4315).  Reported by the next
 * folder_sync with may_expunge. */
enum store_error folder_expunge(struct folder *, struct set const *uids);

/* ---- copy.c ---- */
struct copied {
  uint32_t uidvalidity;   /* of the target */
  struct set source_uids; /* in rising order, the target's in the same order */
  struct set target_uids;
};
/* All or nothing.  move: RFC 6851; the moved messages are reported expunged by the next
 * folder_sync.  Flags and keywords go along.  STORE_NONEXISTENT: no such target. */
enum store_error folder_copy(struct folder *, struct set const *seqs, struct store *target,
                             char const *name, bool move, struct arena *, struct copied *);

/* ---- append.c ---- */
/* One or more messages (RFC 3502), all or nothing. */
struct append;
enum store_error append_begin(struct store *, char const *name, struct append **);
/* Bytes of the current message, as they come; kept exactly, except that CRLF is stored as LF. */
enum store_error append_write(struct append *, void const *data, size_t size);
/* Before the first byte of a message that may hold NULs and binary bodies (a literal8, RFC 3516):
 * what it takes for it to be kept and served is done to it (message_copy_encoded). */
void append_binary(struct append *);
/* Ends the current message.  date: (time_t)-1 for now. */
enum store_error append_message(struct append *, unsigned int flags, char const *const *keywords,
                                size_t nkeywords, time_t date);
/* Publishes all.  Frees the append, also on failure. */
enum store_error append_commit(struct append *, struct arena *, uint32_t *uidvalidity,
                               struct set *uids);
void append_abort(struct append *);

/* ---- status ---- */
struct folder_status {
  uint32_t messages, recent, unseen, deleted, uidnext, uidvalidity;
  uint64_t highest_modseq;
};
/* Moves nothing and selects nothing. */
enum store_error store_status(struct store *, char const *name, struct folder_status *);

/* ---- watch.c: waiting for changes ---- */
/* A descriptor that becomes readable when the folder may have changed, -1 if there is none (no
 * inotify, no instance left, a file system of the network): then poll with folder_sync once a
 * second or more often. */
int folder_watch(struct folder *);
/* Reads it empty; before folder_sync. */
void folder_watch_drain(struct folder *);
void folder_unwatch(struct folder *);

#endif
