/* auth: what every authentication module is made of, and the user database's format.
 *
 *   run.c          a module's whole life: read, verify, pass the verdict on
 *   credentials.c  descriptor 3
 *   domain.c       names without a domain
 *   dialogue.c     asking the client for more
 *   confined.c     taking apart what others wrote, in a child
 *   chain.c        the words after a module's name, and the way back to imaplogin
 *   account.c      becoming the user and handing the connection to the last program
 *   home.c         home directories that are not there yet
 *   environment.c  what the last program's environment holds
 *   password.c     passwords against crypt(3) hashes
 *   scheme.c       passwords against `{SCHEME}...` of LDAP directories and databases
 *   cram.c         CRAM-MD5's keyed hash (SCRAM: scram.h)
 *   installation.c the installation's own secret
 *   userdb.c       userdb(5): one record
 *   userdb_file.c  userdb(5): the text file, and the cdb made from it
 *
 * A module is a main() of one line, `auth_run(argc, argv, &module)`, and a function that turns
 * credentials into a result.  The contract with imaplogin is doc/chain.md; without IMAPLOGIN in the
 * environment a module is a checkpassword program.  Where accounts are looked up is source.h.
 */
#ifndef AUTH_H
#define AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>
#include <sys/types.h>

/* ---- what a module is ---- */

struct auth_dialogue;

/* What the client sent.  All but the user is wiped once the verdict is known. */
struct auth_credentials {
  char const *mechanism; /* AUTHMECH; null for a password */
  char const *user;      /* empty only with mechanisms whose message names the user; an account may
                            point to it */
  union {
    char const *password;  /* without a mechanism */
    char const *challenge; /* with one */
  };
  union {
    char const *timestamp; /* decimal seconds */
    char const *response;
  };
  char const *authzid;            /* who the client wants to act as; null if nobody else */
  struct auth_dialogue *dialogue; /* for auth_ask */
};

/* Whom the session belongs to.  Memory is the module's and lives until exec. */
struct auth_account {
  char const *user; /* as finally identified */
  uid_t uid;
  gid_t gid;
  gid_t const *groups; /* supplementary ones */
  size_t groups_count;
  char const *home;      /* absolute */
  char const *directory; /* where the session starts, absolute; null: home */
  char const *shell;     /* null: /bin/sh */
  char const *maildir;   /* absolute or relative to home; null: not the account's matter */
  char const *options;   /* Courier's account options, `name=value,...`; null: none */
  char const *quota;     /* a Maildir quota, `10000000S,1000C`; null: none */
  char const *master;    /* who has really logged in; null: the user */
  char const *label;     /* of the application password that was given; null: none was */
};

enum auth_verdict {
  AUTH_ACCEPT,
  AUTH_DECLINE,  /* another module may know better */
  AUTH_REFUSE,   /* no other module may admit */
  AUTH_TEMPORARY /* cannot tell now; the module has logged why */
};

struct auth_result {
  enum auth_verdict verdict;
  char const *reason; /* for the log: unknown-user, wrong-password, ...; null with AUTH_ACCEPT */
};

struct auth_module {
  char const *name;
  /* The values of AUTHMECH it knows besides passwords, ended by a null pointer; null: none. */
  char const *const *mechanisms;
  bool no_passwords; /* it knows mechanisms only */
  bool authzid;      /* it can tell whether a user may act as another */
  /* On AUTH_ACCEPT the account is filled; its members are null before.  With credentials that name
   * no user, account->user is whom the client claims to be, whatever the verdict: for the log. */
  struct auth_result (*verify)(struct auth_credentials const *, struct auth_account *);
};

/* ---- run.c ---- */
noreturn void auth_run(int argc, char **argv, struct auth_module const *);
/* Somebody has judged these credentials and not admitted them: imaplogin counts that in part,
 * should nobody admit them and another source fail.  A module that declines has said so already. */
void auth_tried(void);

/* ---- credentials.c ---- */
enum {
  CREDENTIALS_FD = 3,
  CREDENTIALS_MAX = 4000 /* the smallest pipe holds 4096: writing never waits for a reader */
};
struct credentials_buffer {
  char bytes[CREDENTIALS_MAX + 1]; /* one more, so that too much is seen */
  size_t size;
};
/* Reads descriptor 3 to its end and closes it.  EBADF: there is none; EMSGSIZE: too much. */
int credentials_read(struct credentials_buffer *);
/* Fills user, password and timestamp.  False if these are not three strings, each ended by NUL, and
 * then nothing; checkpassword programs ignore what follows, which `more` allows. */
bool credentials_parse(struct credentials_buffer const *, bool more, struct auth_credentials *);
/* A fresh pipe on descriptor 3 that holds them. */
int credentials_pass(struct credentials_buffer const *);
void credentials_wipe(struct credentials_buffer *);

/* ---- confined.c ---- */
/* Fills what `out` points to, and must fill all of it: it may be read by somebody with more rights,
 * who checks it.  May use memory, and make no system call. */
typedef void confined_work(void const *question, void *out);
/* Does the work in a child that is nobody, in an empty root directory (if this is root), without
 * descriptors and without system calls; of `size` bytes, below a pipe's 65536.  False, after a log
 * line: there is no answer. */
bool confined_call(confined_work *, void const *question, void *out, size_t size);

/* ---- domain.c ---- */
enum { DOMAIN_MAX = 255, USER_ROOM = CREDENTIALS_MAX + DOMAIN_MAX + 1 };
/* The name, which has less than CREDENTIALS_MAX bytes; with DEFDOMAIN behind it, in `room`, if it
 * has no domain. */
char const *domain_complete(char const *user, char room[USER_ROOM]);
/* Whether both are names of the same user: one may lack the domain that the other has. */
bool domain_same(char const *, char const *);

/* ---- dialogue.c ---- */
enum { DIALOGUE_MAX = 3400 }; /* of a question and of its answer, as imaplogin's parser has it */
struct auth_dialogue {
  int socket; /* to the parser; -1: nobody can be asked */
  bool begun; /* from now on the module accepts, refuses or fails; it no longer declines */
};
/* Sends the client `size` bytes, at most DIALOGUE_MAX, and waits for its answer, which is put into
 * `response` with a NUL behind it and has none within.  Returns null, or why there is no answer, as
 * a reason for AUTH_REFUSE. */
char const *auth_ask(struct auth_dialogue *, char const *question, size_t size,
                     char response[DIALOGUE_MAX + 1]);

/* ---- chain.c ---- */
struct chain {
  char **next;           /* the words after the module's own name */
  char **program;        /* the first of them that is no module */
  char const *imaplogin; /* how to come back to it; null: the caller is some other program */
  int socket;            /* to imaplogin's parser; -1 without imaplogin */
};
bool chain_is_module(char const *word);
/* False if the last program is missing; whatever else is wrong is logged and ends the process. */
bool chain_open(struct chain *, char **argv);
/* The next module, or imaplogin after the last one. */
noreturn void chain_next(struct chain const *);
/* imaplogin with its whole argument vector. */
noreturn void chain_return(struct chain const *);
/* Splits netstrings (`3:abc,2:de,`) in place into a null-ended vector from malloc; null if it is
 * malformed or empty (EINVAL). */
char **chain_split(char *netstrings);

/* ---- account.c ---- */
/* The reason, for the log, why nobody has a session with these numbers: the superuser's, and the
 * group that system files trust; null: nothing. */
char const *account_superuser(struct auth_account const *);
/* Becomes the user and executes the last program; returns never, and on failure tells the client
 * through imaplogin's parser that the service is unavailable. */
noreturn void account_become(struct auth_account const *, char const *module, struct chain const *);

/* ---- home.c ---- */
/* Makes the account's home directory and what AUTH_MKHOMEDIR_SKEL has, if that is set and nothing
 * is there yet; what goes wrong is logged. */
void home_provide(struct auth_account const *);

/* ---- environment.c ---- */
struct arena;
/* The environment that a session may see: those variables of `inherited` that are on the list of
 * doc/chain.md, and the account's. */
char **environment_rebuild(struct arena *, char *const *inherited, struct auth_account const *,
                           char const *module);

/* ---- password.c ---- */
/* In a time that depends on the lengths only. */
bool password_equal(char const *, char const *);
enum password_check { PASSWORD_RIGHT, PASSWORD_WRONG, PASSWORD_UNKNOWN };
/* Compares in constant time.  PASSWORD_UNKNOWN: crypt(3) failed, which has been logged.  A hash
 * that is no hash because it is empty or begins with `!` or `*` is never right. */
enum password_check password_check(char const *password, char const *hash);
enum { PASSWORD_HASH_MAX = 384 }; /* libcrypt's CRYPT_OUTPUT_SIZE, with the NUL */
/* Hashes with a fresh salt; prefix is `$y$`, `$2b$`, `$6$`.  -1: crypt(3) failed, which has been
 * logged. */
int password_hash(char const *password, char const *prefix, char hash[PASSWORD_HASH_MAX]);
/* ---- scheme.c ---- */
/* password_check for what databases hold besides crypt(3) hashes: `{CRYPT}` and one, `{SHA}`,
 * `{SSHA}`, `{SHA256}`, `{SSHA256}`, `{SHA512}`, `{SSHA512}`, `{MD5}`, `{SMD5}` and base64,
 * `{MD5RAW}` and hexadecimal; without a brace, crypt(3).  PASSWORD_UNKNOWN for another scheme. */
enum password_check scheme_check(char const *password, char const *hash);
/* Whether `hash` is of a form that scheme_check knows. */
bool scheme_is_known(char const *hash);

/* The result of a module that has nothing else to say about it. */
struct auth_result password_result(enum password_check);

/* ---- cram.c ---- */
enum { CRAM_SECRET_SIZE = 65, CRAM_DIGEST_SIZE = 33 }; /* hexadecimal digits and a NUL */
/* The secret of a password, as `userdbpw -hmac-md5` of Courier writes it. */
void cram_secret(char const *password, char secret[CRAM_SECRET_SIZE]);
/* What a client that knows the password answers; false if the secret is none. */
bool cram_digest(char const *secret, char const *challenge, char digest[CRAM_DIGEST_SIZE]);

/* ---- installation.c ---- */
enum { INSTALLATION_SECRET_SIZE = 32 };
/* The installation's own secret, made if there is none yet; -1: it cannot be had, which has been
 * logged. */
int installation_secret(unsigned char secret[INSTALLATION_SECRET_SIZE]);

/* ---- userdb.c: `name TAB field=value|field=value...`, see userdb(5) ---- */
enum {
  USERDB_NAME_MAX = 255,
  USERDB_RECORD_MAX = 4000, /* all fields; room for several hashes, and an honest bound */
  USERDB_FIELDS_MAX = 64,
  USERDB_APPS_MAX = 10, /* application passwords: each costs a wrong login one more hash */
  USERDB_LABEL_MAX = 32
};
struct userdb_field {
  char const *name, *value;
};
struct userdb_record {
  struct userdb_field fields[USERDB_FIELDS_MAX];
  size_t count;
};
/* The functions that return a string say what is wrong, in words for a message; null: nothing. */
/* Splits `text` in place; the record points into it. */
char const *userdb_split(char *text, struct userdb_record *);
/* The field's value, null if there is no such field. */
char const *userdb_get(struct userdb_record const *, char const *name);
/* Fills all but the user's name.  uid and gid 0 are for the caller to refuse. */
char const *userdb_account(struct userdb_record const *, struct auth_account *);
/* The label of an application password's field, `apppw:label`; null for any other field. */
char const *userdb_label(char const *field);
/* Whether it may be such a label. */
bool userdb_label_is_valid(char const *label);
/* Whether the record says that its account may not be used. */
bool userdb_is_disabled(struct userdb_record const *);
/* Whether a name and its fields may stand in the database; `fields` is spoilt. */
char const *userdb_check(char const *name, char *fields);

/* ---- userdb_file.c ---- */
enum { USERDB_TEXT_MAX = 64 << 20 }; /* a quarter of a million users; a guard against /dev/zero */
/* Opens the text file and locks it, against loss by another writer (exclusive) or by compiling an
 * older text over a newer one.  Returns the descriptor, -1 with errno. */
int userdb_open(char const *path, bool exclusive);
/* The next line of [*next, end); false at the end.  Lines are without their newline. */
bool userdb_line(char const **next, char const *end, char const **line, size_t *size);
/* The name to build a cdb under, beside the one it will replace; from malloc, null if there is no
 * memory. */
char *userdb_temporary(char const *cdb);
struct userdb_text {
  char const *text;
  size_t size;
  char const *source; /* for messages */
};
/* Compiles texts, as if they were one, into the file `cdb`, mode 0600, and syncs it; a leftover of
 * that name is removed.  Bad lines are logged.  Returns 0, 1 if there were any, -1 with errno; cdb
 * is removed on failure. */
int userdb_build(struct userdb_text const *, size_t count, char const *cdb);
/* Puts a built file in the place of `cdb`, durably. */
int userdb_install(char const *built, char const *cdb);

#endif
