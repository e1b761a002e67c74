/* daemon: the protocol of Courier's authdaemon, as text; see authd(8), where it is specified.
 *
 *   daemon_request.c  what a client asks: when it is whole, and what it says
 *   daemon_answer.c   an account as an answer, and back
 *
 * Nothing here reads or writes a descriptor.  authd answers, authclient asks.  A client connects,
 * sends one request, and reads to the end of the stream; a stream that ends without a whole answer
 * is a temporary failure.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include "auth/source.h"

/* What authd says before it closes the stream without an answer, if one of its sources has judged
 * the login and not admitted it.  Others take no notice: it is no answer. */
#define DAEMON_TRIED "TRIED=1\n"

/* Where Courier has its socket, `socket`, unless authdaemonvar names another directory. */
#define DAEMON_DIRECTORY "/run/courier/authdaemon"

/* Courier's programs have buffers of stdio's BUFSIZ, 8192 bytes, with a NUL in them. */
enum { DAEMON_REQUEST_MAX = 8191, DAEMON_ANSWER_MAX = 8191 };

/* ---- daemon_request.c ---- */
enum daemon_frame { DAEMON_MORE, DAEMON_WHOLE, DAEMON_BROKEN };
/* Whether these bytes hold a whole request; *size becomes its size.  DAEMON_BROKEN: no bytes to
 * come can make it one. */
enum daemon_frame daemon_frame(char const *bytes, size_t *size);

enum daemon_command { DAEMON_AUTH, DAEMON_PRE, DAEMON_PASSWD, DAEMON_ENUMERATE, DAEMON_COMMANDS };
/* What is not of this command is null. */
struct daemon_request {
  enum daemon_command command;
  char const *ip;      /* TCPREMOTEIP, an address; null if the client did not say */
  char const *service; /* `imap`, or the client's own word: letters, digits, -, _ and . */
  char const *module;  /* PRE: the one module to ask; null for all */
  char const *type;    /* AUTH: `login`, `cram-md5` */
  char const *user;    /* not empty; AUTH with another type than login: null */
  union {
    char const *password;  /* AUTH login, PASSWD */
    char const *challenge; /* AUTH with another type: base64 */
  };
  union {
    char const *new_password; /* PASSWD */
    char const *response;     /* AUTH with another type: base64 */
  };
};
/* Takes a whole request apart, in place; one byte after it must be there to write to.  False if it
 * is none that can be answered. */
bool daemon_parse(char *bytes, size_t size, struct daemon_request *);

/* Whether a string can be part of a request or an answer: it holds no control character. */
bool daemon_may_say(char const *);

/* ---- daemon_answer.c ---- */
struct daemon_text {
  char bytes[DAEMON_ANSWER_MAX + 1];
  size_t size;
  bool broken; /* it does not fit, or a value held a control character */
};
/* The answer to AUTH and PRE.  `passwords`: with the hash and the password in clear, where the
 * source has them.  False if it cannot be said in this protocol. */
bool daemon_put_account(struct daemon_text *, struct source_entry const *, bool passwords);
/* A line of ENUMERATE. */
bool daemon_put_line(struct daemon_text *, struct auth_account const *);

enum daemon_outcome { DAEMON_ACCOUNT, DAEMON_FAIL, DAEMON_NONSENSE };
/* Whether an answer has come to its end. */
bool daemon_is_answered(char const *bytes, size_t size);
/* Fills an entry that is empty; `bytes`, which end in an uncounted NUL, are spoilt.  Strings that
 * are missing are null.  An answer without UID leaves account.uid at 0 and system_user set: the
 * user's own uid is meant. */
enum daemon_outcome daemon_read_answer(char *bytes, struct source_entry *, bool *has_uid);

#endif
