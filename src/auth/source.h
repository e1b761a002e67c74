/* source: where accounts and their passwords are.  A module asks one source once and becomes the
 * account; authd asks them again and again.
 *
 *   source.c           what is the same for all: asking, judging, the module made of a source
 *   proven.c           the accounts of users who have proved otherwise who they are
 *   who.c, ask.c       who somebody is, said by one module to another
 *   master.c           logins of a master user as somebody else
 *   options.c, system.c  what several of them need
 *   sources.c          all sources that this build has, by name
 *   source_system.c    passwd and shadow                              (NSS: shared objects)
 *   source_userdb.c    userdb(5)
 *   source_pam.c       PAM                                            (libpam)
 *   source_ldap.c      LDAP                                           (libldap)
 *   source_pgsql.c, source_mysql.c, source_sqlite.c                   (libpq, libmariadb, sqlite3)
 *
 * A source is configured by the environment, read once by `open`.  What it keeps between questions,
 * a connection for instance, is its own static state: a process asks one thing at a time.  A
 * connection that was lost is made anew by the next question, so that a process may live for
 * months. Every question ends within the source's time limit; a source that does not answer has
 * logged what was attempted, where and why.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "auth/auth.h"

struct source_query {
  char const *name;    /* as the client gave it, never empty */
  char const *service; /* `imap`, `pop3`: which password, which disable option */
};

enum source_answer {
  SOURCE_FOUND,
  SOURCE_UNKNOWN,
  SOURCE_TEMPORARY /* cannot tell now; the source has logged why */
};

/* One password of several, each for one program or device. */
struct source_app {
  char const *label;
  char const *hash; /* as the entry's own */
};

enum { SOURCE_TEXT_MAX = 16 << 10 }; /* all strings of one account; a userdb record has 4000 */

/* What a source knows of an account.  Strings are null where there is nothing, and live in `text`;
 * a whole entry is static or on the heap, never on a stack. */
struct source_entry {
  struct auth_account account;
  char const *fullname;
  char const *system_user;   /* whose uid and gid these are, where the source says; else null */
  char const *hash;          /* crypt(3), or `{SCHEME}...`, see scheme.c */
  char const *clear;         /* the password itself */
  char const *hmac_md5;      /* Courier's: both halves of HMAC-MD5, 64 hex digits */
  char const *scram_sha_1;   /* RFC 5803 without the scheme: iterations:salt$stored:server */
  char const *scram_sha_256; /* likewise */
  struct source_app apps[USERDB_APPS_MAX];
  size_t apps_count;
  char const *refusal; /* the account is there and may not be used: the reason for the log */
  char const *after;   /* the same, once the password has been found right: it has expired */
  char const *place;   /* where the source found it, for its own use: an LDAP name */
  bool overflow;       /* `text` was too small */
  size_t used;
  char text[SOURCE_TEXT_MAX];
};

/* One account of an enumeration; false ends it. */
typedef bool source_visit(struct auth_account const *, void *context);

struct source {
  char const *name;        /* of its module: `authuserdb` */
  char const *unavailable; /* the reason for the log with AUTH_TEMPORARY */
  void *state;             /* what its functions, which get the source, have of it; or null */
  /* Reads the configuration; what is wrong with it is logged and ends the process (100).  Null:
   * there is none. */
  void (*open)(struct source const *);
  /* Fills an entry that is empty. */
  enum source_answer (*lookup)(struct source const *, struct source_query const *,
                               struct source_entry *);
  /* For sources that check passwords themselves: fills the entry on AUTH_ACCEPT.  Null: hash and
   * clear of what lookup found decide. */
  struct auth_result (*verify)(struct source const *, struct source_query const *,
                               char const *password, struct source_entry *);
  /* Null: this source cannot. */
  enum source_answer (*enumerate)(struct source const *, source_visit *, void *context);
  /* Sets another password, once the old one has been verified; the entry is that account's.  Null:
   * this source cannot. */
  struct auth_result (*change)(struct source const *, struct source_query const *,
                               struct source_entry const *, char const *old, char const *password);
};

/* ---- source.c ---- */
void source_open(struct source const *);
/* The account, as far as it could have a session: a broken one is
 * SOURCE_TEMPORARY; that of uid or gid 0 is source_judge's to decline.  Its options
 * are merged with DEFAULTOPTIONS.  A refusal is in the entry. */
enum source_answer source_lookup(struct source const *, struct source_query const *,
                                 struct source_entry *);
/* The whole judgement of a password; on AUTH_ACCEPT the entry is filled. */
struct auth_result source_verify(struct source const *, struct source_query const *,
                                 char const *password, struct source_entry *);
/* Verifies the old password and sets the new one.  A source that cannot declines. */
struct auth_result source_change(struct source const *, struct source_query const *,
                                 char const *old, char const *password, struct source_entry *);
/* The result of an entry that was found, for a proof that has been found right by other means:
 * accept, or its refusal. */
struct auth_result source_judge(struct source_entry const *, bool proved);
/* The judgement of a password by the hash, clear password and application passwords of an entry
 * that was found.  Of the last the label comes into the account. */
struct auth_result source_compare(struct source_entry *, char const *password);
/* If the entry may not be used now, so says its option `disable` and the service's name, by which
 * other programs go: mail for such an account is still delivered.  False: there is no room for
 * that, and nobody may be told of the account as if it could be used. */
bool source_mark_refused(struct source_query const *, struct source_entry *);
/* Erases the secrets; the account stays. */
void source_wipe(struct source_entry *);
/* Erases everything and gives memory back: the entry is empty again. */
void source_forget(struct source_entry *);
/* A copy in the entry's text; null for an empty string or a null pointer, and where it is full. */
char const *source_keep(struct source_entry *, char const *);
/* AUTHSERVICE, or `imap`. */
char const *source_service(void);
/* A module: auth_run with this source. */
noreturn void source_run(int argc, char **argv, struct source const *);

/* ---- master.c ---- */
/* Whether there are any master users. */
bool master_is_possible(void);
/* source_verify of a login by one: `user*master` or, with PLAIN, the one as the other.  False if
 * the credentials are somebody's own. */
bool master_verify(struct source const *, struct auth_credentials const *, struct source_entry *,
                   struct auth_result *);

/* ---- proven.c ---- */
/* The judgement of a user who needs no password any more, by the first of the sources in
 * authmodulelist that knows them. */
struct auth_result proven_verify(char const *user, struct source_entry *);

/* ---- who.c, ask.c: doc/chain.md, "Who somebody is" ---- */
#define WHO_MECHANISM "PRE" /* the value of AUTHMECH; no client can name it */
/* Whether this module is asked that, and not for a login. */
bool who_is_asked(void);
/* Says what this source knows of the user, as authd would, and ends. */
noreturn void who_tell(struct source const *);
/* The `lookup` of a source that is the module of its name, run as a child. */
enum source_answer who_ask(struct source const *, struct source_query const *,
                           struct source_entry *);

/* ---- options.c: Courier's account options, `name=value,name=value` ---- */
/* The value of an option; returns its size, 0 if there is none. */
size_t options_get(char const *options, char const *name, char const **value);
/* The account's own, then those of `defaults` that it does not have; false if room is too small. */
bool options_merge(char const *own, char const *defaults, char *merged, size_t room);
enum { OPTIONS_MAX = 4000 };
/* Adds DEFAULTOPTIONS, if there are any, and then they are in `room`; false if it is too small. */
bool options_complete(char const **options, char room[OPTIONS_MAX]);
/* Whether `disable` and the service's name is among the options, and not 0. */
bool options_disable(char const *options, char const *service);

/* ---- system.c: what sources that know a system's name for an account need ---- */
/* Whether it can be a name at all: what is none never comes near NSS or PAM, whose modules make
 * paths and lines of log of it. */
bool system_is_name(char const *);
/* Fills account and system_user from passwd; the name is looked up as it is. */
enum source_answer system_lookup(char const *name, struct source_entry *);
/* For an entry that some other program has filled: if it names a user of the system, their groups,
 * and their uid unless it has one.  Returns null, or what is wrong in words; they are empty where
 * the system could not tell, which has been logged. */
char const *system_complete(struct source_entry *, bool has_uid);
/* What the functions of NSS leave in errno for a name that nobody knows. */
bool system_means_unknown(int error);
/* A uid or gid, as a number or by its name; false if there is none such. */
bool system_uid(char const *word, uid_t *);
bool system_gid(char const *word, gid_t *);

/* ---- the sources ---- */
extern struct source const source_passwd, source_shadow, source_userdb;
extern struct source const source_pam, source_ldap, source_pgsql, source_mysql, source_sqlite;

/* ---- sources.c ---- */
/* The source of a module's name, null if this build has none such. */
struct source const *source_by_name(char const *module);

#endif
