/* Who somebody is, said by one module to another: Courier's PRE without a socket; doc/chain.md.  A
 * module that is asked so says what its source knows and ends.  It never becomes anybody, so that
 * no question of this kind, whoever put it, is a login. */
#include "auth/daemon.h"
#include "base/base.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_FD = 1, ANSWER_WAIT = 10000 /* ms: it fits into the pipe */ };

bool who_is_asked(void) {
  char const *mechanism = getenv("AUTHMECH");
  return mechanism && !strcmp(mechanism, WHO_MECHANISM) && !getenv("IMAPLOGIN");
}

static char const *read_name(void) {
  static struct credentials_buffer buffer;
  static char room[USER_ROOM];
  struct auth_credentials c;
  if (credentials_read(&buffer) < 0 || !credentials_parse(&buffer, false, &c) || !*c.user)
    log_die(EXIT_TEMPORARY, "unavailable", "reason", "malformed-credentials", (char *)0);
  return domain_complete(c.user, room);
}

/* An answer cannot express what has a control character in it. */
static int tell(struct source_query const *q, struct source_entry *e) {
  static struct daemon_text text;
  if (source_mark_refused(q, e) && daemon_put_account(&text, e, false))
    return io_write_all(ANSWER_FD, text.bytes, text.size, clock_ms() + ANSWER_WAIT);
  log_event("failed", "attempt", "say who somebody is", "user", q->name, "why",
            "the account has a control character in it, or more than 8000 bytes", "remedy",
            "correct it in the database", (char *)0);
  errno = EINVAL;
  return -1;
}

noreturn void who_tell(struct source const *s) {
  static struct source_entry e;
  static char const fail[] = "FAIL\n";
  log_init(s->name);
  privilege_protect_memory();
  signal(SIGPIPE, SIG_IGN);
  struct source_query q = {read_name(), source_service()};
  source_open(s);
  enum source_answer answer = source_lookup(s, &q, &e);
  if (answer == SOURCE_TEMPORARY) _exit(EXIT_TEMPORARY);
  bool known = answer == SOURCE_FOUND && !account_superuser(&e.account);
  int told = known ? tell(&q, &e)
                   : io_write_all(ANSWER_FD, fail, sizeof fail - 1, clock_ms() + ANSWER_WAIT);
  _exit(told < 0 ? EXIT_TEMPORARY : known ? 0 : EXIT_REFUSED);
}
