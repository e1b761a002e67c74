/* The parser: the dialogue with a stranger before login.  It holds nothing that is worth stealing
 * and decides nothing: what a login is worth, how often it may be tried and what is logged is the
 * keeper's.  Logins themselves are in authenticate.c.  RFC 3501 (commands, STARTTLS), 2971 (ID),
 * 7888 (LITERAL+), 5530 (response codes). */
#include "login/parser.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  BAD_MAX = 10,             /* BAD answers to one connection: nobody types worse than that */
  ID_FIELDS_MAX = 30,       /* RFC 2971 section 3.3 */
  DISCARD_MAX = 16,         /* reads of what nobody will answer, before the connection closes */
  WRITE_TIMEOUT_MS = 10000, /* a line always fits into the socket of a client that reads */
};

/* ---- the keeper ---- */

void parser_ask(void const *message, size_t size) {
  if (send(PARSER_KEEPER_FD, message, size, MSG_NOSIGNAL) < 0) _exit(0);
}

int parser_hear(struct told *told) {
  char message[1 + sizeof told->bytes + 1];
  ssize_t r;
  do r = recv(PARSER_KEEPER_FD, message, sizeof message, 0);
  while (r < 0 && errno == EINTR);
  if (r <= 0 || r == sizeof message) return -1;
  told->size = (size_t)r - 1;
  memcpy(told->bytes, message + 1, told->size);
  return message[0];
}

/* Bytes left unread would make the close a reset, which can overtake our last words. */
void parser_finish_talking(struct parser *s) {
  imap_flush(&s->out);
  for (int i = 0; i < DISCARD_MAX && exact_pending(s->in.fd); i++) continue;
}

static noreturn void leave(struct parser *s, enum reason reason) {
  parser_finish_talking(s);
  parser_ask((char[]){ASK_LEAVE, (char)reason}, 2);
  _exit(0);
}

static noreturn void leave_saying(struct parser *s, enum reason reason, char const *bye) {
  imap_puts(&s->out, bye);
  leave(s, reason);
}

noreturn void parser_leave_at_end(struct parser *s) {
  if (s->in.end == IMAP_TIMEOUT)
    leave_saying(s, REASON_TIMEOUT, "* BYE Too long without a login\r\n");
  leave(s, REASON_CLOSED);
}

/* ---- answers ---- */

void parser_answer(struct parser *s, char const *text) {
  imap_puts(&s->out, s->tag);
  imap_puts(&s->out, " ");
  imap_puts(&s->out, text);
  imap_puts(&s->out, "\r\n");
}

void parser_answer_bad(struct parser *s, char const *words) {
  imap_puts(&s->out, s->tag);
  imap_puts(&s->out, " BAD ");
  imap_puts(&s->out, words);
  imap_puts(&s->out, "\r\n");
  if (++s->bad >= BAD_MAX) leave_saying(s, REASON_ERRORS, "* BYE Too many errors\r\n");
}

bool parser_may_log_in(struct parser const *s) {
  return s->config.tls || !s->config.tls_required;
}

static void put_capabilities(struct parser *s) {
  imap_puts(&s->out, "CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID");
  if (s->config.starttls) imap_puts(&s->out, " STARTTLS");
  bool open = parser_may_log_in(s);
  if (!open || !(s->config.methods & 1U << METHOD_LOGIN)) imap_puts(&s->out, " LOGINDISABLED");
  if (!open) return;
  for (unsigned int i = 0; i < METHOD_COUNT; i++) {
    if (!methods[i].sasl || !(s->config.methods & 1U << i)) continue;
    imap_puts(&s->out, " AUTH=");
    imap_puts(&s->out, methods[i].name);
  }
}

static void greet(struct parser *s) {
  imap_puts(&s->out, "* OK [");
  put_capabilities(s);
  imap_puts(&s->out, "] chainmail ready\r\n");
  imap_flush(&s->out);
}

/* ---- memory ---- */

static void use_pool(struct parser *s) {
  s->arena.next = s->pool;
  s->arena.left = sizeof s->pool;
}

void parser_wipe(struct parser *s) {
  explicit_bzero(&s->credentials, sizeof s->credentials);
  explicit_bzero(s->in.buf, sizeof s->in.buf); /* exact_fill leaves nothing behind a command */
  s->in.head = s->in.tail = 0;
  explicit_bzero(s->pool, sizeof s->pool - (s->arena.blocks ? 0 : s->arena.left));
  arena_release(&s->arena);
  use_pool(s);
}

void parser_renew_deadline(struct parser *s) {
  s->in.deadline = clock_ms() + s->config.timeout_ms;
}

/* ---- the other commands ---- */

static bool do_capability(struct parser *s) {
  if (!imap_parse_end(&s->p)) return false;
  imap_puts(&s->out, "* ");
  put_capabilities(s);
  imap_puts(&s->out, "\r\n");
  parser_answer(s, "OK CAPABILITY completed");
  return true;
}

static bool do_noop(struct parser *s) {
  if (!imap_parse_end(&s->p)) return false;
  parser_answer(s, "OK NOOP completed");
  return true;
}

static bool do_logout(struct parser *s) {
  if (!imap_parse_end(&s->p)) return false;
  imap_puts(&s->out, "* BYE Until later\r\n");
  parser_answer(s, "OK LOGOUT completed");
  leave(s, REASON_LOGOUT);
}

/* id_params_list = "(" #(string SP nstring) ")" / nil */
static bool parse_id_parameters(struct parser *s) {
  struct imap_bytes field, value;
  if (imap_parse_peek(&s->p) != '(')
    return imap_parse_nstring(&s->p, &value) &&
           (!value.data || imap_parse_fail(&s->p, "List or NIL expected"));
  imap_parse_char(&s->p, '(');
  for (int fields = 0; imap_parse_peek(&s->p) != ')'; fields++) {
    if (fields == ID_FIELDS_MAX) return imap_parse_fail(&s->p, "Too many fields");
    if ((fields && !imap_parse_space(&s->p)) || !imap_parse_string(&s->p, &field) ||
        !imap_parse_space(&s->p) || !imap_parse_nstring(&s->p, &value))
      return false;
  }
  return imap_parse_char(&s->p, ')');
}

static bool do_id(struct parser *s) {
  if (!imap_parse_space(&s->p) || !parse_id_parameters(s) || !imap_parse_end(&s->p)) return false;
  imap_puts(&s->out, "* ID (\"name\" \"chainmail\")\r\n");
  parser_answer(s, "OK ID completed");
  return true;
}

/* What came in the clear behind STARTTLS could have been put there by somebody in the middle; to be
 * read as if it came inside TLS is all they would want (RFC 3501 section 11.1). */
static noreturn void refuse_injection(struct parser *s) {
  parser_answer(s, "BAD Nothing may follow STARTTLS before TLS has begun");
  leave_saying(s, REASON_INJECTION, "* BYE Plain text behind STARTTLS\r\n");
}

static bool do_starttls(struct parser *s) {
  if (!imap_parse_end(&s->p)) return false;
  if (!s->config.starttls) {
    parser_answer_bad(s, s->config.tls ? "TLS is on already" : "STARTTLS is not offered");
    return true;
  }
  if (exact_pending(s->in.fd)) refuse_injection(s);
  parser_answer(s, "OK Begin TLS now");
  imap_flush(&s->out);
  struct told told;
  parser_ask((char[]){ASK_TLS}, 1);
  if (parser_hear(&told) != TELL_TLS || told.size != sizeof s->config.methods) _exit(0);
  memcpy(&s->config.methods, told.bytes, told.size);
  if (dup2(PARSER_SSLREAD_FD, 0) < 0 || dup2(PARSER_SSLWRITE_FD, 1) < 0) _exit(EXIT_TEMPORARY);
  close(PARSER_SSLREAD_FD);
  close(PARSER_SSLWRITE_FD);
  s->config.starttls = false;
  s->config.tls = true;
  parser_renew_deadline(s);
  return true;
}

/* ---- the table ---- */

static struct command {
  char const *name;
  /* Parses the command's arguments and its end, and answers; false if they are not right. */
  bool (*run)(struct parser *);
} const commands[] = {
    {"CAPABILITY", do_capability},
    {"NOOP", do_noop},
    {"LOGOUT", do_logout},
    {"ID", do_id},
    {"STARTTLS", do_starttls},
    {"LOGIN", parser_login},
    {"AUTHENTICATE", parser_authenticate},
};

static struct command const *find_command(char const *name) {
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    if (!strcasecmp(name, commands[i].name)) return &commands[i];
  return 0;
}

/* The tag and the name; until there is a tag, answers bear "*". */
static bool parse_head(struct parser *s, char **name) {
  char *tag;
  memcpy(s->tag, "*", 2);
  if (!imap_parse_tag(&s->p, &tag)) return false;
  if (strlen(tag) > TAG_SIZE_MAX) return imap_parse_fail(&s->p, "Tag too long");
  memcpy(s->tag, tag, strlen(tag) + 1);
  return imap_parse_space(&s->p) && imap_parse_atom(&s->p, name);
}

static bool serve(struct parser *s) {
  char *name;
  if (!parse_head(s, &name)) return false;
  struct command const *command = find_command(name);
  if (!command) return imap_parse_fail(&s->p, "Unknown, or not possible before login");
  return command->run(s);
}

static void serve_next(struct parser *s) {
  imap_command_begin(&s->p);
  bool good = serve(s);
  if (!good) {
    char const *error = s->p.error;
    imap_command_skip(&s->p);
    if (s->in.end != IMAP_OPEN) parser_leave_at_end(s);
    parser_answer_bad(s, error ? error : "Syntax error");
  }
  if (s->p.hopeless) leave_saying(s, REASON_ERRORS, "* BYE Literal too large\r\n");
  imap_flush(&s->out);
  if (s->out.failed) leave(s, REASON_CLOSED);
  parser_wipe(s);
}

/* ---- the beginning ---- */

static void hear_config(struct parser *s) {
  char message[1 + sizeof s->config + 1];
  ssize_t r = recv(PARSER_KEEPER_FD, message, sizeof message, 0);
  /* Another size: an imaplogin of another version has been installed a moment ago. */
  if (r != sizeof message - 1 || message[0] != TELL_CONFIG) _exit(EXIT_TEMPORARY);
  memcpy(&s->config, message + 1, sizeof s->config);
}

static void confine(struct parser *s) {
  enum confine_step step;
  int done = parser_confine(&s->config, &step);
  if (done >= 0) {
    parser_ask((char[]){ASK_READY, (char)done}, 2);
    return;
  }
  char failed[2 + sizeof errno] = {ASK_FAILED, (char)step};
  memcpy(failed + 2, &errno, sizeof errno);
  parser_ask(failed, sizeof failed);
  _exit(EXIT_TEMPORARY);
}

noreturn void parser_run(void) {
  static struct parser s;
  static int keeper = PARSER_KEEPER_FD;
  signal(SIGPIPE, SIG_IGN);
  hear_config(&s);
  confine(&s);
  imap_input_init(&s.in, 0);
  s.in.fill = exact_fill;
  s.in.context = &keeper;
  imap_output_init(&s.out, 1, WRITE_TIMEOUT_MS);
  s.out.buf = s.talk;
  imap_parser_init(&s.p, &s.in, &s.out, &s.arena, COMMAND_SIZE_MAX);
  use_pool(&s);
  parser_renew_deadline(&s);
  greet(&s);
  for (;;) serve_next(&s);
}
