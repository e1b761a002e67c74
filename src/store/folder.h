/* What the files of src/store share and nobody else sees: the folder as the journal tells it, the
 * journal's records, transactions.  doc/store.md is the specification. */
#ifndef STORE_FOLDER_H
#define STORE_FOLDER_H

#include "store/store.h"
#include "maildir/maildir.h"

/* ---- limits ---- */
enum {
  LOCK_TIMEOUT_MS = 30000,     /* a transaction takes milliseconds; a stopped process forever */
  RECORD_SIZE_MAX = 64 << 20,  /* bounds what a damaged length can make us allocate */
  ENTRIES_PER_RECORD = 1000,   /* outside batches: keeps records of a first scan readable */
  CEILING_STEP = 1000,         /* UIDs reserved with one sync */
  UID_JUMP = 1 << 20,          /* more than any server hands out between two backups */
  COMMITTED_BATCHES = 64,      /* remembered for the recovery of moves */
  COMPACT_MINIMUM = 256 << 10, /* below, replacing a journal saves nothing */
  COMPACT_RATIO = 4,
};
#define AREA "chainmail" /* our directory in each folder */

/* ---- a folder as its journal tells it: view.c, keywords.c, apply.c ---- */

enum message_bit {                        /* with enum message_flag in one word */
                   BIT_NEW = 1 << 8,      /* the file is in new/ */
                   BIT_INFO = 1 << 9,     /* its name has ":2," */
                   BIT_EXACT = 1 << 10,   /* its name is the entry's as it stands */
                   BIT_LETTERS = 1 << 11, /* its name has unknown info letters */
                   BIT_GONE = 1 << 12,    /* expunged; stays until the client has been told */
                   BIT_CHANGED = 1 << 13, /* flags or keywords changed since the client was told */
};

struct message {
  uint64_t modseq;
  uint64_t inode;
  uint64_t hash; /* of the base name */
  uint32_t uid;
  uint32_t entry;    /* where in the journal its entry is, in units of 8 bytes */
  uint32_t keywords; /* id of a keyword set */
  uint32_t bits;
  uint32_t date;  /* INTERNALDATE; DATE_ELSEWHERE: does not fit, the entry knows */
  uint32_t saved; /* SAVEDATE; 0: not known */
};
#define DATE_ELSEWHERE UINT32_MAX

/* A set of keywords of one folder.  Few distinct ones exist, so messages hold their id. */
struct keyword_set {
  uint64_t words[KEYWORDS_MAX / 64];
};

struct batch {
  uint64_t id;
  bool move;                   /* MOVE in the source; else INTENT in the target */
  uint32_t target_uidvalidity; /* of a move */
  char *target;
  uint32_t *uids;
  uint32_t n;
};

struct mapping; /* below */

struct view {
  uint32_t uidvalidity, generation;
  uint32_t uidnext, ceiling, recent;
  uint64_t modseq, boot;
  struct message *messages; /* in rising UID order; through view_at, see there */
  uint32_t n, room;
  struct mapping *map; /* where messages are the index, mapped; else null, and they are malloc's */
  /* Of the messages that are not gone: how many are unseen, are deleted, are in new/, and a UID
   * below which there is none that is unseen, or in new/. */
  uint32_t unseen, deleted, in_new;
  uint32_t unseen_from, new_from;
  uint32_t gone;     /* messages with BIT_GONE */
  uint32_t *touched; /* UIDs of those with BIT_GONE or BIT_CHANGED, perhaps of some without */
  uint32_t ntouched, touched_room;
  char **keywords;
  unsigned int nkeywords;
  struct keyword_set *sets; /* [0] is empty */
  uint32_t nsets, sets_room;
  uint32_t *set_table; /* open addressing: id + 1, 0 free */
  uint32_t set_table_size;
  struct maildir_stamp seen[2]; /* cur, new as of the last SCANNED */
  uint64_t expunged;            /* no EXPUNGE that the view has taken in is above it */
  struct batch *pending;
  size_t npending;
  uint64_t committed[COMMITTED_BATCHES];
  size_t ncommitted; /* ever; the last ones are kept */
};

void view_init(struct view *);
void view_free(struct view *);
static inline struct message *view_at(struct view const *, uint32_t index);
/* Takes the messages out of the map, into memory of their own. */
void view_unmap(struct view *);
/* Sets BIT_GONE or BIT_CHANGED. */
void view_touch(struct view *, struct message *, unsigned int bit);
/* Counts anew after messages have been changed otherwise than by records. */
void view_recount(struct view *);
/* Index of the first message with UID >= uid; n if none. */
uint32_t view_find(struct view const *, uint32_t uid);
/* The message with this UID that is not gone, or null. */
struct message *view_message(struct view *, uint32_t uid);
/* Drops messages that are gone, with indexes from `from` to before `to`, and tells of each (dropped
 * may be null) its index after those dropped before.  Gives their number. */
uint32_t view_drop(struct view *, uint32_t from, uint32_t to,
                   void (*dropped)(void *context, uint32_t index, uint32_t uid), void *context);
/* Drops messages that are gone and were never shown: those from index `from` on. */
void view_sweep(struct view *, uint32_t from);
/* For keywords.c and apply.c: an array with room for `want`; before or after a record changes a
 * message; taking it out of what is counted, or into it. */
void *view_grow(void *array, uint32_t *room, uint32_t want, size_t size);
void view_changing(struct view *, struct message const *);
void view_count(struct view *, struct message const *, bool on);

/* keywords.c */
void view_init_sets(struct view *);
/* The keywords of a message. */
struct keyword_set const *view_keywords_of(struct view const *, struct message const *);
uint32_t view_keyword_set(struct view *, struct keyword_set const *);
/* Forgets the sets that no message has; the others get new ids. */
void view_drop_sets(struct view *);
int view_keyword(struct view const *, char const *name);
/* Whether it can be a keyword: an atom (RFC 3501 section 9), and not too long. */
bool keyword_valid(char const *name, size_t size);

/* apply.c */
/* A journal record's content; offset: of the content in the journal.  quiet: changes of flags are
 * not for the client to be told.  False: it makes no sense. */
bool view_apply(struct view *, unsigned int type, char const *content, size_t size, uint64_t offset,
                bool quiet);
/* An entry, found in the journal at `offset` outside of any valid record: taken if its message
 * comes next, so that none of `known`, what valid records tell, is passed over or made another.
 * Gives its size; 0: there is none. */
size_t view_salvage(struct view *, struct view const *known, char const *data, size_t size,
                    uint64_t offset);
void view_free_batches(struct view *);
/* Forgets INTENTs: their files are as good as any. */
void view_drop_intents(struct view *);
bool view_committed(struct view const *, uint64_t batch);

/* ---- the index: a view's messages in a file, mapped: index.c, mapping.c ---- */

enum {
  BLOCK_MESSAGES = 340, /* have one checksum: just under 16 KiB */
  CHANGED_PIECE = 4096, /* a usual page */
};

/* An address range that begins with the index, copied on write, and goes on as memory. */
struct mapping {
  char *start;
  size_t size, file_size; /* file_size: what of it is the file: whole pages */
  int fd;                 /* the index; -1: the messages have been made again from the journal */
  uint64_t data;          /* where in it they begin */
  uint32_t room;          /* messages that have room in it */
  uint32_t n;             /* messages of the index */
  uint32_t unchecked;     /* blocks whose checksum has not been verified */
  unsigned char *checked; /* by block */
  uint32_t nchanged; /* pieces of CHANGED_PIECE bytes that records have changed: no longer shared */
  unsigned char *changed;
  uint64_t *sums;
  struct fault_region region;
  /* For making its content again from the journal: */
  struct view *view;
  char const *path;
  int area, journal;
  uint32_t generation;
  uint64_t end;
  uint32_t *removed; /* UIDs dropped from the view since, in any order */
  uint32_t nremoved, removed_room;
  bool moving; /* messages are being moved: what is where cannot be told */
};
/* Maps n messages that fd has at `data` (a multiple of the page size); sums: of the blocks.  Both
 * are the mapping's then.  checked: they need not be verified.  Null: errno, and fd and sums are
 * the caller's. */
struct mapping *mapping_new(int fd, uint64_t data, uint32_t n, uint64_t *sums, bool checked);
void mapping_free(struct mapping *);
/* Verifies the block this message is in; makes everything again from the journal if it is bad. */
void mapping_check(struct mapping *, uint32_t index);
void mapping_check_from(struct mapping *, uint32_t index);
/* Before anything lasting is concluded from the messages: somebody may have written into the file
 * since its blocks were verified.  False: they have been made again, and are right now. */
bool mapping_confirm(struct mapping *);
/* A record changes this message. */
void mapping_changed(struct mapping *, struct message const *);
void mapping_removed(struct mapping *, uint32_t uid);
uint64_t mapping_sum(uint32_t block, void const *messages, uint32_t n);

/* Every access to a message: the block of the index that it is in has been verified then. */
static inline struct message *view_at(struct view const *v, uint32_t index) {
  if (v->map && v->map->unchecked) mapping_check(v->map, index);
  return &v->messages[index];
}

/* ---- records: record.c ---- */

enum record_type {
  RECORD_STATE = 1,
  RECORD_KEYWORD,
  RECORD_ENTRY,
  RECORD_FLAGS,
  RECORD_CUR,
  RECORD_EXPUNGE,
  RECORD_RECENT,
  RECORD_INTENT,
  RECORD_MOVE,
  RECORD_DONE,
  RECORD_SCANNED,
  RECORD_CONTINUED,
  RECORD_CEILING,
};

/* Records on their way to the journal. */
struct records {
  char *data;
  size_t size, room;
  size_t begun;   /* where the record that is being built begins */
  bool too_large; /* one exceeded RECORD_SIZE_MAX */
};
/* Zero-initialised is empty.  Out of memory ends the process, as with arenas. */
void records_free(struct records *);
void record_begin(struct records *, enum record_type);
void record_bytes(struct records *, void const *, size_t);
void record_u16(struct records *, uint16_t);
void record_u32(struct records *, uint32_t);
void record_u64(struct records *, uint64_t);
void record_align(struct records *); /* zeros up to a multiple of 8 */
void record_end(struct records *);

/* What an entry says beyond struct message. */
struct entry {
  uint32_t uid;
  unsigned int flags;
  uint64_t modseq, inode, size;
  int64_t mtime;
  uint32_t saved; /* as in struct message */
  bool in_new;
  char name[MAILDIR_NAME_MAX + 1];
};
/* What `saved` is for this time. */
uint32_t entry_saved(time_t);
/* Begins an ENTRY record of n entries, which commits a batch if that is not 0. */
void record_entries(struct records *, uint64_t batch, uint32_t n);
/* Appends an entry to the ENTRY record that is being built; gives its offset in records. */
size_t record_entry(struct records *, struct entry const *, struct keyword_set const *);
void record_uids(struct records *, enum record_type, uint64_t const *modseq, uint32_t const *uids,
                 uint32_t n);
void record_stamps(struct records *, struct maildir_stamp const seen[2]);
/* Reads an entry out of `size` bytes; its length, 0 if it makes no sense.  keywords: at most
 * KEYWORDS_MAX ids (may be null). */
size_t entry_parse(char const *data, size_t size, struct entry *, uint16_t *keywords,
                   unsigned int *nkeywords);
enum { ENTRY_FIXED = 56, ENTRY_SIZE_MAX = ENTRY_FIXED + 2 * KEYWORDS_MAX + 264 };

/* A cursor over content; reads past the end give 0 and set `bad`. */
struct cursor {
  char const *at, *end;
  bool bad;
};
uint16_t take_u16(struct cursor *);
uint32_t take_u32(struct cursor *);
uint64_t take_u64(struct cursor *);
char const *take_bytes(struct cursor *, size_t n);

/* 64 bits over bytes; seed begins it. */
uint64_t store_hash(uint64_t seed, void const *data, size_t size);

/* ---- the journal's file: journal.c ---- */

struct journal {
  int fd; /* -1: not open */
  uint64_t inode;
  uint32_t generation;
  uint64_t end; /* behind the last valid record read */
  bool moved;   /* it is a copy: to be repaired under the lock */
  bool bad;     /* when it was loaded, it did not end with a valid record: likewise */
  bool damaged; /* what was read of it is not what it was: likewise */
};
enum journal_state { JOURNAL_OK, JOURNAL_MISSING, JOURNAL_INVALID, JOURNAL_ERROR };
/* Opens area/journal and checks its header; sets `moved`. */
enum journal_state journal_open(int area, bool writable, struct journal *, uint32_t *uidvalidity);
void journal_close(struct journal *);
/* Whether area/journal is still this file: 1, 0, or -1 on error. */
int journal_current(int area, struct journal const *);
/* END_SHORT: the file has become shorter than what was read of it. */
enum journal_end { END_CLEAN, END_BAD, END_CONTINUED, END_SHORT, END_ERROR };
/* Applies every valid record from journal->end on. */
enum journal_end journal_read(struct journal *, struct view *, bool quiet);
/* Only those before `limit`. */
enum journal_end journal_read_to(struct journal *, struct view *, bool quiet, uint64_t limit);
/* Behind a bad record: applies every valid one that follows.  0: there is none; -1: an error.  With
 * `known`, what all valid records tell: also good entries of bad records (view_salvage), at last up
 * to `end`, where the journal is known to have ended once. */
int journal_read_on(struct journal *, struct view *, struct view const *known, uint64_t end);
/* Writes records at the verified end, syncs if asked to, and applies them to the view.  -1: nothing
 * was written; -2: it was written, but not synced. */
int journal_append(struct journal *, struct records *, bool sync, struct view *, bool quiet);
/* Writes a new journal and gives it the name; its records begin at JOURNAL_HEADER.  On failure the
 * old one stays, unless only the directory's sync failed. */
int journal_create(int area, mode_t mode, gid_t group, uint32_t generation, uint32_t uidvalidity,
                   struct records *, struct journal *);
enum { JOURNAL_HEADER = 64 };

/* ---- a folder opened ---- */

/* own.c: changes of cur/ and new/ that were this session's. */
struct own_changes {
  int fd;                      /* inotify's, -1: nothing is watched */
  int cur, new;                /* the watches */
  bool valid;                  /* own_begin has found everything known */
  bool known;                  /* with `stamps` the directories are as the journal says */
  uint64_t expected, happened; /* sums over events */
  unsigned int pending;
  struct maildir_stamp base[2]; /* what SCANNED said then */
  struct maildir_stamp stamps[2];
};

struct folder {
  struct store *store;
  struct folder *next; /* of the store's open folders */
  char *name, *path;   /* path: for log lines and inotify */
  enum folder_mode mode;
  bool frozen;  /* our directory cannot be written */
  bool network; /* neither maps nor inotify are to be trusted there */
  bool lost;    /* the folder is another one now: STORE_NONEXISTENT for good */
  bool logged_odd;
  int dir, cur, new, area, lock;
  uint64_t device, inode, cur_inode, new_inode;
  mode_t file_mode;
  gid_t group; /* (gid_t)-1: not to be set */
  struct journal journal;
  struct view view;
  unsigned int epoch;   /* counts reloads, after which indexes mean something else */
  uint32_t count;       /* what the client knows: the first `count` messages */
  uint32_t recent_from; /* none below this UID has FLAG_RECENT */
  uint32_t learned;     /* folder_learn has been below this UID */
  uint64_t indexed; /* the offset in the journal up to which there is an index, 0: none is known */
  unsigned int told_keywords;
  struct maildir_stamp new_synced; /* how new/ was when it was synced last */
  bool rescan;         /* the stamps are not to be trusted: something was found to be otherwise */
  struct cache *cache; /* null until something is asked of it */
  int watch;
  /* sessions.c; -1: not open, no slot */
  int aside, sessions, slot;
  uint64_t told; /* what the slot says */
  struct own_changes own;
};

struct store {
  char *path;
  int fd;   /* the Maildir */
  int area; /* its AREA; -1 if it cannot be had */
  struct store_options options;
  uint64_t boot;
  struct folder *open; /* all of this session's open folders */
  struct folder *kept; /* opened for APPEND, COPY, STATUS and kept for the next */
  bool logged_watch, logged_network;
};

/* error.c: the error that errno is; logs it.  name: inside the folder, may be null. */
enum store_error store_failure(char const *attempt, char const *path);
enum store_error folder_failure(struct folder const *, char const *attempt, char const *name);

/* boot.c: a number that differs from boot to boot of this machine. */
uint64_t store_boot(void);

/* uidvalidity.c */
enum store_error store_next_uidvalidity(struct store *, uint32_t *);
/* One that a folder has from elsewhere: later ones are higher. */
enum store_error store_note_uidvalidity(struct store *, uint32_t);

/* tree.c: the lock of the tree: a descriptor to close, or -1 and *e. */
int store_lock_tree(struct store *, enum store_error *e);
/* Whether this directory, whose path it is, is on a file system of the network; says so once. */
bool store_on_network(struct store *, int fd, char const *path);
/* So that nobody sees half of a RENAME: waits for one that is going on, finishes one whose maker
 * died. */
void store_settle_tree(struct store *);

/* folder.c */
enum store_error folder_load(struct store *, char const *name, enum folder_mode, struct folder **);
/* The folder for a transaction: one of the session's, or the kept one, or opened for it.  Valid
 * until the next folder_acquire of the same store. */
enum store_error folder_acquire(struct store *, char const *name, struct folder **);
/* Whether the name still leads to the folder that was opened. */
bool folder_exists(struct folder const *);
/* The inode of a message's file, as the journal knows it. */
uint64_t folder_inode(struct folder const *, uint32_t seq);
void folder_drop_kept(struct store *);
/* What we create in a folder: openat with O_CREAT|O_EXCL, mode and group as doc/store.md says. */
int folder_create_file(struct folder const *, int dirfd, char const *name);
/* Mode for files in a directory whose stat this is, and the group to set, (gid_t)-1 for none. */
mode_t store_file_mode(struct store const *, struct stat const *, gid_t *group);
int store_set_mode(int fd, mode_t mode, gid_t group);
/* Opens, and makes where it is missing, the AREA of a folder. */
int store_open_area(struct store const *, int dir);

/* transaction.c */
enum store_error folder_follow(struct folder *); /* without the lock */
enum store_error folder_lock(struct folder *);   /* and follow, and recover */
/* Whether what has been loaded without the lock had better be looked at under it. */
bool folder_needs_repair(struct folder const *);
void folder_unlock(struct folder *);
/* Both, in the global order; they may be the same. */
enum store_error folder_lock_two(struct folder *, struct folder *);
void folder_unlock_two(struct folder *, struct folder *);
/* Writes records under the lock; frees them. */
enum store_error folder_write(struct folder *, struct records *, bool sync, bool quiet);
/* Makes room for n UIDs below the durable ceiling; the first will be view.uidnext. */
enum store_error folder_reserve(struct folder *, uint32_t n);
uint64_t folder_next_modseq(struct folder const *);
/* The id of a keyword, under the lock; made if it is missing.  The record is not synced: what uses
 * it comes after it in the same file. */
enum store_error folder_intern(struct folder *, char const *name, unsigned int *id);

/* index.c */
/* Fills in a view that is empty, and journal->end, from the index; false: there is none that fits,
 * nothing has been changed. */
bool index_load(struct folder *, struct journal *, struct view *);
/* Removes an index that has turned out to be wrong, and says so. */
void index_drop(struct folder *, char const *why);
/* Writes the index, under the lock, where the journal behind the last one has grown long; the
 * folder's own view goes over to it where it can. */
void index_renew_locked(struct folder *);
/* Likewise, taking the lock for it if it is free. */
void index_renew(struct folder *);

/* snapshot.c */
/* What a journal begins with: the counters and keywords of the view. */
void record_state(struct records *, struct view const *);
void record_keywords(struct records *, struct view const *);
enum store_error folder_snapshot(struct folder *);
bool folder_wants_snapshot(struct folder const *);
enum repair_reason { REPAIR_DAMAGE, REPAIR_MOVED, REPAIR_BY_HAND };
enum store_error folder_repair(struct folder *, enum repair_reason);
/* An empty journal with a new UIDVALIDITY. */
enum store_error folder_begin_anew(struct folder *, char const *why);

/* batch.c */
uint64_t batch_new(void);
/* Ends, under the lock, batches whose maker died: INTENTs only. */
enum store_error batch_recover(struct folder *);
bool batch_move_pending(struct folder const *);
/* Without the lock: resolves moves out of this folder. */
enum store_error batch_resolve_moves(struct folder *);
/* Writes DONE. */
enum store_error batch_done(struct folder *, uint64_t id);

/* names.c: the file of a message */
enum store_error folder_entry(struct folder *, struct message const *, struct entry *);
/* Its name as it must be now, and the directory. */
enum store_error folder_name(struct folder *, struct message const *,
                             char name[MAILDIR_NAME_MAX + 1], int *dirfd);
/* The same where the entry is there. */
enum store_error folder_entry_name(struct folder const *, struct message const *,
                                   struct entry const *, char name[MAILDIR_NAME_MAX + 1],
                                   int *dirfd);
/* Writes the records of messages that have been unlinked, once that is on the disk.  Frees them. */
enum store_error folder_write_unlinked(struct folder *, struct records *);

/* bases.c: the messages of a view by the base names of their files */
struct bases {
  struct view const *view;
  uint32_t *table; /* index + 1 by hash; open addressing */
  uint32_t mask;
};
struct bases_search {
  uint64_t hash;  /* base_hash */
  uint32_t at;    /* to begin with the hash */
  uint32_t index; /* of the message found */
};
/* All but those that are gone.  -1: no memory. */
int bases_init(struct bases *, struct view const *);
void bases_free(struct bases *);
/* The next one with this base name, or null. */
struct message *bases_next(struct bases const *, struct bases_search *);
static inline struct bases_search bases_search(uint64_t hash) {
  return (struct bases_search){hash, (uint32_t)hash, 0};
}

/* scan.c: brings the journal up to what is in cur/ and new/, if their stamps have changed.
 * touch: duplicates may be renamed and dropped. */
enum store_error folder_refresh(struct folder *, bool touch);
uint64_t base_hash(char const *base, size_t size);
/* Whether cur/ and new/ are as the journal says: 1, 0, or -1 on an error. */
int folder_is_known(struct folder *);
/* Their stamps now; ESTALE if they are other directories. */
int folder_stamps(struct folder const *, struct maildir_stamp[2]);

/* own.c */
/* Under the lock, around changes of ours in cur/ and new/, of each of which own_changed is told.
 * good: the journal has them all. */
void own_begin(struct folder *);
enum own_change { OWN_MOVED_OUT, OWN_MOVED_IN, OWN_LINKED, OWN_UNLINKED };
void own_changed(struct folder *, enum own_change, int dirfd, char const *name);
void own_end(struct folder *, bool good);
/* Whether the directories, with these stamps, differ from the journal's by changes of ours only. */
bool own_covers(struct folder *, struct maildir_stamp const now[2]);
/* Takes the lock and tells all sessions by a SCANNED record, if the stamps are old enough. */
void own_settle(struct folder *);
/* Likewise, and ends the watch. */
void own_close(struct folder *);

/* sessions.c: who else has the folder selected, and what is kept for them */
/* Takes a slot; without one, where none can be had, the session works, too. */
enum store_error sessions_enter(struct folder *);
void sessions_leave(struct folder *);
/* After a sync that has told all there was. */
void sessions_told(struct folder *);
/* Under the lock: whether anybody else looks, so that files are to be set aside. */
bool sessions_others(struct folder *);
/* Under the lock: unlinks a message's file, or sets it aside, for the EXPUNGE record with this
 * modseq.  As unlinkat. */
int sessions_unlink(struct folder *, bool keep, uint32_t uid, uint64_t modseq, int dirfd,
                    char const *name);
/* The file of a message that is gone, if it has been set aside; else STORE_EXPUNGED. */
enum store_error sessions_open_aside(struct folder *, struct message const *, int *fd);

/* publish.c: new messages in a folder, all or none, under its lock */
struct arrival {
  struct entry entry; /* all but uid and modseq */
  struct keyword_set keywords;
};
/* The name of a new message in cur/: unique, with its size as a hint and its flags. */
void publish_name(char name[MAILDIR_NAME_MAX + 1], uint64_t batch, uint64_t size,
                  unsigned int flags);
/* Before the first name appears. */
enum store_error publish_intent(struct folder *, uint64_t batch);
/* All names are there: syncs cur/, gives UIDs, writes the record that makes them messages. */
enum store_error publish_commit(struct folder *, uint64_t batch, struct arrival *, size_t n,
                                struct set *uids);
/* Unlinks the first n and ends the batch if an intent was written. */
void publish_abort(struct folder *, uint64_t batch, struct arrival const *, size_t n);

#endif
