/* The keeper's state, shared by keeper.c (the connection and the parser's messages) and judgement.c
 * (what becomes of a login). */
#ifndef LOGIN_KEEPER_H
#define LOGIN_KEEPER_H

#include "login/login.h"

struct keeper {
  char const *const *argv;
  int parser; /* the socket; -1 before there is one */
  struct parser_config config;
  struct ucspitls tls;
  struct login_state state;
  struct credentials credentials;
  char challenge[CHALLENGE_SIZE_MAX + 1]; /* told to the parser, good for one login; or empty */
  int64_t deadline;
  uint32_t failures_max;
  int64_t delay_ms, handshake_ms;
  struct slowdown slowdown;
  char const *ip; /* null if there is no network */
  bool ready;     /* the parser has said so */
};

/* ---- keeper.c ---- */
void keeper_tell(struct keeper const *, char what);
/* Ends with a line of log: why, in a word. */
noreturn void keeper_end(struct keeper const *, char const *reason, int code);
/* The parser has sent what an honest one never does. */
noreturn void keeper_end_violation(struct keeper const *, char const *what);
void keeper_renew_deadline(struct keeper *);

/* ---- judgement.c ---- */
/* What the modules have come to, by IMAPLOGIN_VERDICT; null: all have declined. */
void keeper_settle(struct keeper *, char const *verdict);
/* Messages of the parser, as the table in keeper.c wants them. */
void keeper_take_challenge(struct keeper *, char const *message, size_t size);
void keeper_take_login(struct keeper *, char const *message, size_t size);

#endif
