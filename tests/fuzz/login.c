/* The dialogue before login (login/parser.c, authenticate.c), which reads from strangers: whatever
 * they send, the keeper gets messages as they should be, no password without TLS where that is
 * required, and the client gets lines of text. */
#include "fuzz.h"
#include "login/login.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <strings.h>
#include <sys/socket.h>

/* imaplogin is a program and no library: the parser is included, with us in the place of the
 * system. */
static noreturn void end_process(int code);
static ssize_t keeper_takes(int fd, void const *message, size_t size, int flags);
static ssize_t keeper_tells(int fd, void *message, size_t size, int flags);
static int replace_descriptor(int from, int to);
static int close_descriptor(int fd);
#define _exit end_process
#define send keeper_takes
#define recv keeper_tells
#define dup2 replace_descriptor
#define close close_descriptor
#include "login/parser.c"
#include "login/authenticate.c"
#undef _exit
#undef send
#undef recv
#undef dup2
#undef close
#define put put_in_message /* chain.c has one of its own */
#include "login/credentials.c"
#undef put
#include "login/chain.c"
#include "login/method.c"

static struct client {
  uint8_t const *data;
  size_t left;
  struct dice dice;
  int waits;     /* ASK_TLS, ASK_LOGIN or ASK_CHALLENGE, which the keeper has to answer; or 0 */
  bool asked;    /* a module has asked something */
  bool accepted; /* it has said so: one more message is its end */
  bool tls;
  jmp_buf end;
} client;

static struct parser parser;

static noreturn void end_process(int code) {
  must(!code);
  longjmp(client.end, 1);
}

static void take_login(char const *message, size_t size) {
  struct credentials c;
  must(size <= MESSAGE_SIZE_MAX && credentials_unpack(message, size, &c));
  must(client.tls || !parser.config.tls_required);
  must(parser.config.methods & 1U << c.method);
}

static void take_answer(char const *message, size_t size) {
  client.asked = false;
  must(strchr((char[]){ANSWER_RESPONSE, ANSWER_CANCEL, ANSWER_TIMEOUT, ANSWER_END, 0}, *message));
  must(size == 1 || (*message == ANSWER_RESPONSE && size <= 1 + DIALOGUE_SIZE_MAX));
  must(!memchr(message + 1, 0, size - 1));
}

static ssize_t keeper_takes(int fd, void const *message, size_t size, int flags) {
  char const *m = message;
  must(fd == PARSER_KEEPER_FD && size && flags == MSG_NOSIGNAL);
  if (client.asked) {
    take_answer(m, size);
    return (ssize_t)size;
  }
  must(!client.waits || m[0] == ASK_LEAVE);
  client.waits = m[0] == ASK_LEAVE ? 0 : m[0];
  switch (m[0]) {
  case ASK_LOGIN: take_login(m, size); break;
  case ASK_TLS: must(size == 1 && parser.config.starttls && !client.tls); break;
  case ASK_CHALLENGE: must(size == 1); break;
  case ASK_LEAVE: must(size == 2 && m[1] >= 0 && m[1] < REASON_COUNT); break;
  default: must(!"known to the keeper");
  }
  return (ssize_t)size;
}

static size_t tell_tls(char *out) {
  uint32_t all = (1U << METHOD_COUNT) - 1;
  client.tls = true;
  client.waits = 0;
  *out = TELL_TLS;
  memcpy(out + 1, &all, sizeof all);
  return 1 + sizeof all;
}

static size_t tell_challenge(char *out) {
  client.waits = 0;
  *out = TELL_CHALLENGE;
  memset(out + 1, 'c', CHALLENGE_SIZE_MAX);
  return 1 + CHALLENGE_SIZE_MAX;
}

static size_t tell_verdict(char *out) {
  static char const verdicts[] = {TELL_DENIED,    TELL_ASK,      TELL_ASK,  TELL_DENIED_BYE,
                                  TELL_TEMPORARY, TELL_ACCEPTED, TELL_QUIT, TELL_UNAVAILABLE};
  *out = verdicts[throw_of(&client.dice, sizeof verdicts)];
  client.accepted = *out == TELL_ACCEPTED;
  client.asked = *out == TELL_ASK;
  if (*out == TELL_DENIED || *out == TELL_TEMPORARY) client.waits = 0;
  if (!client.asked) return 1;
  size_t size = throw_of(&client.dice, DIALOGUE_SIZE_MAX + 1);
  memset(out + 1, 0x80, size);
  return 1 + size;
}

static ssize_t keeper_tells(int fd, void *message, size_t size, int flags) {
  must(fd == PARSER_KEEPER_FD && size > 1 + DIALOGUE_SIZE_MAX && !flags && client.waits);
  if (client.accepted) return 0;
  return (ssize_t)(client.waits == ASK_TLS         ? tell_tls
                   : client.waits == ASK_CHALLENGE ? tell_challenge
                                                   : tell_verdict)(message);
}

static int replace_descriptor(int from, int to) {
  must((from == PARSER_SSLREAD_FD && !to) || (from == PARSER_SSLWRITE_FD && to == 1));
  return to;
}

static int close_descriptor(int fd) {
  must(fd == PARSER_SSLREAD_FD || fd == PARSER_SSLWRITE_FD);
  return 0;
}

/* In the place of confine.c and exact.c: no byte behind the line or the literal at hand. */
int parser_confine(struct parser_config const *config, enum confine_step *step) {
  (void)config, (void)step;
  return 0;
}

ssize_t exact_fill(struct imap_input *in, char *buf, size_t size) {
  if (size > client.left) size = client.left;
  if (size) size = chunk_of(&client.dice, size);
  uint8_t const *feed = in->literal_left || !size ? 0 : memchr(client.data, '\n', size);
  if (in->literal_left && size > in->literal_left) size = (size_t)in->literal_left;
  if (feed) size = (size_t)(feed - client.data) + 1;
  if (size) memcpy(buf, client.data, size);
  client.data += size, client.left -= size;
  return (ssize_t)size;
}

bool exact_pending(int fd) {
  must(!fd);
  return client.left && throw_of(&client.dice, 4);
}

static int hear_answer(struct imap_output *out, void const *data, size_t size) {
  char const *text = data;
  (void)out;
  must(size >= 2 && !memcmp(text + size - 2, "\r\n", 2));
  for (size_t i = 0; i < size; i++) {
    if (text[i] == '\r') must(text[i + 1] == '\n');
    must((text[i] == '\r' && i + 1 < size) || (text[i] == '\n' && i && text[i - 1] == '\r') ||
         (text[i] >= ' ' && text[i] < 0x7f));
  }
  return 0;
}

static void begin(void) {
  struct parser_config *c = &parser.config;
  parser.bad = 0;
  *c = (struct parser_config){.timeout_ms = 1000,
                              .methods = (uint32_t)throw_of(&client.dice, 1U << METHOD_COUNT)};
  c->tls = throw_of(&client.dice, 2);
  c->starttls = !c->tls && throw_of(&client.dice, 2);
  c->tls_required = throw_of(&client.dice, 2);
  client.tls = c->tls;
  imap_input_init(&parser.in, 0);
  parser.in.fill = exact_fill;
  imap_output_init(&parser.out, 1, 0);
  parser.out.write = hear_answer;
  imap_parser_init(&parser.p, &parser.in, &parser.out, &parser.arena, COMMAND_SIZE_MAX);
  parser_wipe(&parser);
  greet(&parser);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  client.data = data;
  client.left = size;
  client.dice = dice_of(data, size);
  client.waits = client.accepted = client.asked = false;
  if (!setjmp(client.end)) {
    begin();
    for (;;) serve_next(&parser);
  }
  imap_output_idle(&parser.out);
  arena_release(&parser.arena);
  return 0;
}
