/* imapd: one IMAP session, after login, on one Maildir tree.
 *
 *   imapd.c      what it takes from the environment, the first words to the client, the end
 *   confine.c    what the process may still do once it serves
 *   session.c    the command table; reading a command, running it, answering it
 *   wait.c       waiting for the client, for signals, for changes
 *   update.c     telling the client what others changed
 *   namespace.c  mailbox names <-> folder names
 *   flags.c      flag lists, both ways
 *   messages.c   sequence sets -> messages of the view
 *   partial.c    parts of lists
 *
 * and one file for each family of commands:
 *
 *   any.c        CAPABILITY NOOP CHECK LOGOUT ID ENABLE NAMESPACE
 *   list.c       LIST LSUB
 *   mailbox.c    CREATE DELETE RENAME SUBSCRIBE UNSUBSCRIBE STATUS
 *   select.c     SELECT EXAMINE CLOSE UNSELECT
 *   append.c     APPEND
 *   fetch.c      FETCH; fetchparse.c: how it is written; section.c: its BODY[...] items
 *   flagstore.c  STORE
 *   search.c     SEARCH; keys.c, match.c, result.c: its keys and answers, declared in search.h
 *   sort.c       SORT; thread.c: THREAD
 *   copy.c       COPY MOVE
 *   expunge.c    EXPUNGE
 *   idle.c       IDLE
 */
#ifndef SESSION_H
#define SESSION_H

#include "base/base.h"
#include "imap/imap.h"
#include "store/store.h"

/* What a session may take of the machine. */
enum {
  COMMAND_SIZE_MAX = 2 << 20,  /* bytes of one command, streamed literals apart: a UID set that
                                  names every second of 400,000 messages fits */
  BAD_COMMANDS_MAX = 100,      /* in a row: whoever is this is no IMAP client */
  NAME_SIZE_MAX = 300,         /* a folder's name on disk (255) and the longest prefix */
  OUTPUT_TIMEOUT_MS = 60000,   /* a client that takes nothing for so long is gone */
  IDLE_TIMEOUT_SECONDS = 1800, /* RFC 3501 section 5.4 asks for at least 30 minutes */
  POLL_INTERVAL_MS = 500,      /* in IDLE, where the kernel does not tell of changes */
};

/* Why a session is over; the log's `reason=`. */
enum ending {
  GOING_ON = 0,
  END_LOGOUT,
  END_EOF,        /* the client closed the connection */
  END_READ_ERROR, /* or it broke */
  END_AUTOLOGOUT,
  END_STALLED,    /* the client took no answer */
  END_TERMINATED, /* a signal */
  END_NONSENSE,   /* no IMAP client, or commands and literals no longer told apart */
  END_DELETED,    /* the selected mailbox is gone */
  END_DAMAGED,    /* a message broke off inside its literal */
};

/* Personal mailboxes as the client sees them. */
struct namespace {
  char const *prefix; /* "INBOX." or "" */
  char separator;
};

struct command;

struct session {
  struct store *store;
  struct namespace personal;
  struct imap_input in;
  struct imap_output out;
  struct imap_parser parser;
  struct arena arena;   /* until the end of the command */
  struct arena message; /* until the end of the current message within a command */

  /* The selected mailbox; folder is null in the authenticated state. */
  struct folder *folder;
  char selected[NAME_SIZE_MAX]; /* its folder name */
  uint32_t recent_told;
  unsigned int keywords_told;
  struct set saved; /* UIDs: what "$" names */
  struct arena saved_arena;

  /* The command being run. */
  char const *tag;
  struct command const *command; /* null until it is known */
  bool updated;                  /* the client has been told of changes, it remains to answer */

  bool client_noted; /* what it calls itself is in the log */
  uint64_t previews; /* messages whose preview was asked for without LAZY */
  enum ending ending;
  unsigned int bad_commands; /* in a row */
  int64_t timeout_ms;        /* autologout */
  uint64_t append_max;
  int signals; /* readable when a signal asked us to end */
};

/* ---- session.c ---- */

/* CAPABILITY's list, for greetings and the login's answer too. */
extern char const session_capabilities[];

/* Runs commands until s->ending says why no more. */
void session_run(struct session *);

/* A command function returns false if its arguments did not parse (s->parser.error says why; BAD is
 * sent for it).  Else it has answered, by one of these: */
void answer_ok(struct session *, char const *words);
/* code (without brackets) may be null. */
void answer_no(struct session *, char const *code, char const *words);
void answer_bad(struct session *, char const *words);
/* OK with these words for STORE_OK, else NO with the store's code and words. */
void answer_result(struct session *, enum store_error, char const *words_if_ok);
/* The same for commands that have done to every message that is still there what they were to do:
 * of messages that are gone a command by UID is told in an OK (RFC 3501 section 6.4.8), one by
 * number in a NO (RFC 2180 sections 4.1.2 and 4.2.2). */
void answer_done(struct session *, enum store_error, char const *words_if_ok);
/* For answers with a response code of more than a word: tells of changes and begins the tagged line
 * ("a1 OK "); the caller goes on with s->out, to the end of the line. */
void answer_begin(struct session *, char const *status);

/* Whether the command numbers messages by UID. */
bool command_by_uid(struct session const *);

/* The commands (any.c to idle.c). */
typedef bool command_function(struct session *);
command_function command_append, command_capability, command_check, command_close, command_copy,
    command_create, command_delete, command_enable, command_examine, command_expunge, command_fetch,
    command_id, command_idle, command_list, command_logout, command_lsub, command_move,
    command_namespace, command_noop, command_rename, command_search, command_select, command_sort,
    command_status, command_store, command_subscribe, command_thread, command_uid_expunge,
    command_unselect, command_unsubscribe;

/* ---- wait.c ---- */

/* Signals that end a session arrive as a readable s->signals from here on. */
int wait_init(struct session *);
/* Until the client has sent something, a signal came, `watch` (-1: none) is readable or the
 * deadline (clock_ms; -1: none) has passed. */
enum event { EVENT_INPUT, EVENT_SIGNAL, EVENT_CHANGE, EVENT_DEADLINE, EVENT_ERROR };
enum event wait_event(struct session *, int watch, int64_t deadline);
/* Starts the autologout timer again. */
void wait_restart_timer(struct session *);
/* Sets s->ending from why the input ended. */
void wait_note_end(struct session *);
/* Sets it after the output has failed. */
void wait_note_failed(struct session *);
/* Whether a long command should stop because the session is to end. */
bool wait_interrupted(struct session *);

/* ---- update.c ---- */

/* Tells the client what happened to the selected mailbox since it was last told; not of expunges if
 * they would upset the numbers of the command at hand.  A mailbox that is gone ends the session. */
enum store_error update_client(struct session *, bool may_expunge);
/* "* 1 FETCH (FLAGS ...)", with the UID where the command is by UID. */
void update_put_flags(struct session *, uint32_t seq);
/* "* FLAGS ..." and "* OK [PERMANENTFLAGS ...]". */
void update_put_flag_lists(struct session *);
/* The same if the folder got keywords that the client was not told of. */
void update_keywords(struct session *);

/* ---- namespace.c ---- */

/* The folder a mailbox name means, in the session's arena: null if it can mean none. */
char const *folder_from_mailbox(struct session *, struct imap_bytes name);
/* The same for a name that something is to be given: it must be right modified UTF-7. */
char const *folder_from_new_mailbox(struct session *, struct imap_bytes name);
/* The mailbox name of a folder, in buf. */
char const *mailbox_from_folder(struct session const *, char const *folder,
                                char buf[NAME_SIZE_MAX]);
/* Subscriptions are kept by Courier's names, whatever the namespace. */
char const *subscription_from_folder(struct session *, char const *folder);
/* Null if it is no personal mailbox. */
char const *folder_from_subscription(char const *subscription);
/* Answers NO for a name that means no folder. */
void answer_no_such_name(struct session *);
/* Parses SP mailbox. */
bool parse_mailbox(struct session *, struct imap_bytes *name);

/* ---- flags.c ---- */

/* Flags as parsed: bits and keyword names. */
struct flag_list {
  unsigned int flags;
  char const **keywords;
  size_t nkeywords, capacity;
  bool too_long; /* a keyword longer than KEYWORD_SIZE_MAX */
};
/* flag-list / (flag *(SP flag)); the second form only where bare is true. */
bool parse_flag_list(struct session *, bool bare, struct flag_list *);
/* "(\Seen kw)" of a message. */
void put_message_flags(struct session *, uint32_t seq);
/* The flags a folder defines, inside parentheses; with_any: "\*" too. */
void put_folder_flags(struct session *, bool with_any);

/* ---- messages.c ---- */

/* Which messages a sequence set names, by UID or by number.  False if it names numbers that there
 * are not; seqs has them, too, then. */
bool messages_find(struct session *, struct imap_sequence const *, bool by_uid, struct set *seqs);
/* Makes these what "$" names (RFC 5182), or nothing. */
void messages_save(struct session *, struct set const *seqs);
void messages_forget_saved(struct session *);
/* Parses a sequence set. */
bool parse_messages(struct session *, struct imap_sequence *);
/* messages_find for the command at hand; if that fails answers BAD and returns false. */
bool messages_named(struct session *, struct imap_sequence const *, struct set *seqs);
/* The UIDs of these messages. */
void messages_uids(struct session *, struct set const *seqs, struct set *uids);
/* Logs that a message could not be read (errno says why) and returns what that is for the client.
 */
enum store_error message_unreadable(struct session const *, uint32_t seq);
/* The mailbox is open for reading only: answers NO and returns true. */
bool refused_read_only(struct session *);

/* ---- partial.c ---- */

/* A range of positions as written, without signs: of 1 and 3, or of -1 and -3 if from the end. */
struct partial {
  uint32_t first, last;
  bool from_end;
};
/* SP partial-range */
bool partial_parse(struct session *, struct partial *);
void partial_put(struct session *, struct partial const *);
/* The higher of both, without its sign. */
uint32_t partial_reach(struct partial const *);
/* Which those are of n: `n` from number `at` on, counted from 0. */
struct part {
  uint32_t at, n;
};
struct part partial_of(struct partial const *, uint32_t n);
/* Leaves in the set the numbers at those positions. */
void partial_keep(struct partial const *, struct set *);

#endif
