/* The parser's state, shared by parser.c (the connection, the commands that log nobody in) and
 * authenticate.c (LOGIN, AUTHENTICATE and the dialogues of modules). */
#ifndef LOGIN_PARSER_H
#define LOGIN_PARSER_H

#include "login/login.h"

enum {
  COMMAND_SIZE_MAX = 8192,          /* above what the longest AUTHENTICATE needs */
  POOL_SIZE = 8 * COMMAND_SIZE_MAX, /* what such a command can make of itself in memory */
};

struct parser {
  struct parser_config config;
  struct imap_input in;
  struct imap_output out;
  struct imap_parser p;
  struct arena arena;
  char tag[TAG_SIZE_MAX + 1];
  unsigned int bad;
  struct credentials credentials;
  char const *cancelled; /* why the dialogue that is going on will be answered with BAD; or null */
  /* The arena's memory: in one place, so that a command's passwords can be wiped with it. */
  _Alignas(16) char pool[POOL_SIZE];
  char talk[IMAP_OUTPUT_SIZE]; /* the output's memory */
};

/* What follows the first byte of a message of the keeper or of a module. */
struct told {
  char bytes[DIALOGUE_SIZE_MAX];
  size_t size;
};

/* ---- parser.c ---- */
/* To the keeper, who is gone if it fails: the process ends. */
void parser_ask(void const *message, size_t size);
/* The next message's first byte; -1 when there is nobody left to send one. */
int parser_hear(struct told *);
void parser_answer(struct parser *, char const *text);
void parser_answer_bad(struct parser *, char const *words);
/* Sends what there is and throws away what nobody will read. */
void parser_finish_talking(struct parser *);
/* The input has ended: says so, and ends. */
noreturn void parser_leave_at_end(struct parser *);
/* Whether logins are possible at all: TLS is on where it is required. */
bool parser_may_log_in(struct parser const *);
/* Forgets the command and all that the client has said. */
void parser_wipe(struct parser *);
void parser_renew_deadline(struct parser *);

/* ---- authenticate.c: commands, of the form that parser.c's table wants ---- */
bool parser_login(struct parser *);
bool parser_authenticate(struct parser *);

#endif
