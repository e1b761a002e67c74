/* Asking the client for more than its first message, through imaplogin's parser; see doc/chain.md.
 * What the questions are is the module's matter. */
#include "auth/auth.h"
#include "base/base.h"

#include <string.h>
#include <sys/socket.h>

enum {
  SEND_WAIT = 10000, /* ms: one message into a socket that is empty */
  GRACE_MS = 15000,  /* beyond the parser's own timeout, which it tells */
  FRAME_ASK = '+',
  FRAME_RESPONSE = '=',
};

/* What the parser says instead of a response. */
static struct {
  char frame;
  char const *reason;
} const ends[] = {{'*', "cancelled"}, {'t', "timeout"}, {'e', "client-closed"}};

static char const *reason_of(char frame) {
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    if (ends[i].frame == frame) return ends[i].reason;
  return "parser-violation";
}

static int64_t answer_deadline(void) {
  return clock_ms() + (int64_t)setting_number("IMAP_LOGIN_TIMEOUT", 60, 1, 3600) * 1000 + GRACE_MS;
}

/* The whole is one message of a SOCK_SEQPACKET socket. */
static int send_question(int socket, char const *question, size_t size) {
  char frame[1 + DIALOGUE_MAX];
  frame[0] = FRAME_ASK;
  memcpy(frame + 1, question, size);
  return io_write_all(socket, frame, 1 + size, clock_ms() + SEND_WAIT);
}

char const *auth_ask(struct auth_dialogue *d, char const *question, size_t size,
                     char response[DIALOGUE_MAX + 1]) {
  char frame[1 + DIALOGUE_MAX + 1]; /* one more, so that too much is seen */
  if (d->socket < 0) return "no-dialogue";
  d->begun = true;
  if (send_question(d->socket, question, size) < 0) return "parser-died";
  ssize_t n = io_read(d->socket, frame, sizeof frame, answer_deadline());
  if (n < 0) return "timeout";
  if (!n) return "parser-died";
  if (frame[0] != FRAME_RESPONSE) return reason_of(frame[0]);
  if ((size_t)n == sizeof frame || memchr(frame, 0, (size_t)n)) return "parser-violation";
  memcpy(response, frame + 1, (size_t)n - 1);
  response[n - 1] = 0;
  explicit_bzero(frame, sizeof frame);
  return 0;
}
