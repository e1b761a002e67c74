/* login: what the pieces of imaplogin share.  imaplogin is two processes of one program: the
 * keeper, which is what tcpserver started and what becomes the session, and the parser, which
 * talks to the stranger and can do nothing else.
 *
 *   imaplogin.c    which of the two this process is
 *   keeper.c       the keeper: what must survive a broken parser (keeper.h: its state)
 *   judgement.c    what becomes of a login
 *   parser.c       the parser: the dialogue before login (parser.h: its state)
 *   authenticate.c the parser's logins, and the questions of modules
 *   confine.c      the parser's cage
 *   spawn.c        how the keeper starts the parser
 *   exact.c        taking one command, and not a byte more, off the connection
 *   credentials.c  the parser's message that holds a login
 *   method.c       the ways of logging in
 *   state.c        the keeper's memory while it is an auth module
 *   chain.c        the words after `imaplogin`, and the way into the first of them
 *   ucspitls.c     starting TLS
 *   wait.c         waiting until a failure may be answered
 *
 * doc/chain.md is the contract with everybody else.  Parser and keeper are joined by a
 * SOCK_SEQPACKET socket; each message is one packet that begins with one of the bytes below.
 */
#ifndef LOGIN_H
#define LOGIN_H

#include "base/base.h"

#include "imap/imap.h"

/* Bounds of what a stranger may send; together below the 4,000 bytes of descriptor 3.  The response
 * of a mechanism takes the place of the password. */
enum {
  TAG_SIZE_MAX = 100,
  USER_SIZE_MAX = 512, /* a mail address has 254 */
  PASSWORD_SIZE_MAX = 3400,
  AUTHZID_SIZE_MAX = 512,
  CHALLENGE_SIZE_MAX = 80,               /* <32 digits.20 digits@chainmail> */
  DIALOGUE_SIZE_MAX = PASSWORD_SIZE_MAX, /* of a module's question and of the answer */
  MESSAGE_SIZE_MAX =
      2 + TAG_SIZE_MAX + 1 + USER_SIZE_MAX + 1 + PASSWORD_SIZE_MAX + 1 + AUTHZID_SIZE_MAX + 1,
};

/* Keeper (or, where said, an auth module) to parser. */
enum {
  TELL_CONFIG = 'C',      /* struct parser_config follows; the first message, and only once */
  TELL_ACCEPTED = 'A',    /* module: the connection will be imapd's when this socket closes */
  TELL_UNAVAILABLE = 'U', /* module: something failed; the end */
  TELL_DENIED = 'D',      /* wrong; the client may try again */
  TELL_DENIED_BYE = 'B',  /* wrong, and that was the last try */
  TELL_TEMPORARY = 'T',   /* nobody could know; the client may try again */
  TELL_TLS = 'S',         /* TLS has begun; uint32_t follows: the methods offered now */
  TELL_CHALLENGE = 'M',   /* up to CHALLENGE_SIZE_MAX bytes follow */
  TELL_ASK = '+',         /* module: up to DIALOGUE_SIZE_MAX bytes for the client follow */
  TELL_QUIT = 'G',        /* end without a word */
};

/* Parser to keeper. */
enum {
  ASK_READY = 'R',     /* a byte of CONFINED_* follows */
  ASK_FAILED = 'F',    /* a byte of enum confine_step and an int, errno, follow; then the end */
  ASK_LOGIN = 'L',     /* credentials.c */
  ASK_TLS = 'T',       /* the client has been told to begin */
  ASK_CHALLENGE = 'M', /* for a login by a method that is challenged */
  ASK_LEAVE = 'X',     /* a byte of enum reason follows; then the end */
};

/* Parser to module: what came of TELL_ASK. */
enum {
  ANSWER_RESPONSE = '=', /* up to DIALOGUE_SIZE_MAX bytes follow */
  ANSWER_CANCEL = '*',
  ANSWER_TIMEOUT = 't',
  ANSWER_END = 'e',
};

/* Why a connection ended before a session began. */
enum reason {
  REASON_LOGOUT,
  REASON_CLOSED,
  REASON_TIMEOUT,
  REASON_ERRORS,
  REASON_INJECTION,
  REASON_COUNT,
};

/* The numbers of the parser's descriptors.  It has no 2: what it wrote there could pass for the
 * log. */
enum { PARSER_KEEPER_FD = 3, PARSER_SSLREAD_FD, PARSER_SSLWRITE_FD, PARSER_SLOT_FD };

#define PARSER_NAME "imaplogin-parser" /* its argv[0], by which imaplogin knows what it is */

struct parser_config {
  bool confine; /* root: become uid and gid, with an empty root directory */
  uint32_t uid, gid;
  bool starttls;     /* may be begun */
  bool tls;          /* is on */
  bool tls_required; /* no password without it */
  uint32_t methods;  /* bits: 1 << enum method */
  uint32_t timeout_ms;
};

/* ---- method.c ---- */
enum method {
  METHOD_LOGIN,
  METHOD_PLAIN,
  METHOD_CRAM_MD5,
  METHOD_SCRAM_SHA_1,
  METHOD_SCRAM_SHA_1_PLUS,
  METHOD_SCRAM_SHA_256,
  METHOD_SCRAM_SHA_256_PLUS,
  METHOD_EXTERNAL,
  METHOD_OAUTHBEARER,
  METHOD_XOAUTH2,
  METHOD_COUNT
};
struct method_facts {
  char const *name;    /* in the log; with sasl, AUTHENTICATE's argument */
  char const *command; /* IMAPLOGIN_COMMAND */
  bool sasl;           /* offered as AUTH=name */
  bool mechanism;      /* the modules hear its name in AUTHMECH; else it is a password */
  bool challenged;     /* the keeper speaks first */
  bool user, secret;   /* which of the two the client's message holds, and then never empty */
};
extern struct method_facts const methods[METHOD_COUNT];
/* The bits of the methods that the chain's modules provide. */
uint32_t methods_of_chain(char const *const *argv);
/* Those of them that this connection may use, by the environment; tls: TLS is on. */
uint32_t methods_offered(char const *const *argv, bool tls);

/* ---- credentials.c ---- */
struct credentials {
  enum method method;
  char tag[TAG_SIZE_MAX + 1];
  char user[USER_SIZE_MAX + 1];
  char password[PASSWORD_SIZE_MAX + 1];
  char authzid[AUTHZID_SIZE_MAX + 1]; /* empty if the client named none */
};
/* Into buf, which has room for MESSAGE_SIZE_MAX bytes; returns the size. */
size_t credentials_pack(struct credentials const *, char *buf);
/* Whether these size bytes are such a message; every field is checked. */
bool credentials_unpack(char const *buf, size_t size, struct credentials *);
/* RFC 3501 `tag`, at most TAG_SIZE_MAX bytes. */
bool tag_is_valid(char const *tag);

/* ---- state.c ---- */
struct login_state {
  uint32_t failures;
  int64_t began;    /* clock_ms: when the connection came */
  int64_t received; /* clock_ms: when the credentials came */
  bool tls;         /* begun by STARTTLS */
  enum method method;
  char user[USER_SIZE_MAX + 1];
};
enum { STATE_TEXT_SIZE = 128 + USER_SIZE_MAX };
void state_format(struct login_state const *, char text[STATE_TEXT_SIZE]);
/* False if the text is not what this very process has written earlier. */
bool state_parse(char const *text, struct login_state *);

/* ---- chain.c ---- */
char const *base_name(char const *path);
bool is_module(char const *word);
/* Whether argv is imaplogin, modules, and a program that is none. */
bool chain_is_valid(char const *const *argv);
/* The service that modules are asked for: what the variable AUTHSERVICE143 says, or that of
 * whichever port the client has come to; else `imap`. */
char const *chain_service(void);
/* A vector of words as netstrings. */
char *chain_netstrings(char const *const *argv, struct arena *);
/* A pipe of which descriptor 3 is the reading end, with these credentials in it; the writing end is
 * closed.  Wipes what it has copied.  The challenge counts for mechanisms, the timestamp for
 * passwords. */
int chain_offer(struct credentials const *, char const *challenge, int64_t timestamp);
/* Closes descriptor 3 again: nobody has come for what is in it. */
void chain_withdraw(void);

/* ---- ucspitls.c ---- */
struct ucspitls {
  int control, read, write; /* -1 where TLS cannot be begun */
};
/* From SSLCTLFD, SSLREADFD and SSLWRITEFD, moved to 10 and above and the variables with them.
 * False, after a log line, if they are set but wrong. */
bool ucspitls_find(struct ucspitls *);
/* Begins TLS before the deadline: sets SSL_PROTOCOL and the rest in the environment and makes 0 and
 * 1 the inside of TLS.  Returns null, or the reason in words why not (in a static buffer). */
char const *ucspitls_begin(struct ucspitls *, int64_t deadline);

/* ---- spawn.c ---- */
/* Starts the parser with the connection on 0 and 1 and tells it its config.  slot is a descriptor
 * for it to hold until it ends, or -1.  Returns the socket to it, close-on-exec, or -1. */
int parser_spawn(char const *program, struct parser_config const *, struct ucspitls const *,
                 int slot);

/* ---- parser.c ---- */
noreturn void parser_run(void);

/* ---- keeper.c ---- */
noreturn void keeper_run(char const *const *argv);

/* ---- confine.c ---- */
enum { CONFINED_USER = 1, CONFINED_ROOT = 2, CONFINED_SYSCALLS = 4 };
enum confine_step {
  STEP_EXEC,
  STEP_DIRECTORY,
  STEP_CHROOT,
  STEP_PRIVILEGE,
  STEP_SYSCALLS,
  STEP_COUNT
};
/* Shuts this process in; returns CONFINED_* bits, or -1 with errno and *step set. */
int parser_confine(struct parser_config const *, enum confine_step *step);

/* ---- exact.c ---- */
/* The `fill` of an imap_input: never reads past the end of the current line or literal.  `context`
 * points to the keeper's socket, whose end is an end of the input too; or is null. */
ssize_t exact_fill(struct imap_input *, char *buf, size_t size);
/* Whether the client has sent something that nobody has read yet; throws some of it away. */
bool exact_pending(int fd);

/* ---- wait.c ---- */
/* When to answer the failure whose credentials came at `received`: the next whole multiple of step
 * after that.  All in milliseconds. */
int64_t failure_boundary(int64_t received, int64_t now, int64_t step);
/* The step for the count-th failure (from 1): doubles from first, up to a limit. */
int64_t failure_step(int64_t first, uint32_t count);
/* Waits; false if the client or the parser has gone meanwhile. */
bool wait_until(int64_t when, int parser);

#endif
