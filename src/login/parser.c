/* The parser: the dialogue with a stranger before login.  It holds nothing that is worth stealing
 * and decides nothing: what a login is worth, how often it may be tried and what is logged is the
 * keeper's.  RFC 3501 (commands, LOGIN, STARTTLS), 4959 (SASL-IR), 2971 (ID), 7888 (LITERAL+), 5530
 * (response codes). */
#include "login/login.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  COMMAND_SIZE_MAX = 8192,          /* above what the longest AUTHENTICATE needs */
  POOL_SIZE = 8 * COMMAND_SIZE_MAX, /* what such a command can make of itself in memory */
  BAD_MAX = 10,             /* BAD answers to one connection: nobody types worse than that */
  ID_FIELDS_MAX = 30,       /* RFC 2971 section 3.3 */
  DISCARD_MAX = 16,         /* reads of what nobody will answer, before the connection closes */
  WRITE_TIMEOUT_MS = 10000, /* a line always fits into the socket of a client that reads */
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
  /* The arena's memory: in one place, so that a command's passwords can be wiped with it. */
  _Alignas(16) char pool[POOL_SIZE];
};

/* ---- the keeper ---- */

static void ask(void const *message, size_t size) {
  if (send(PARSER_KEEPER_FD, message, size, MSG_NOSIGNAL) < 0) _exit(0);
}

/* The next message of one byte, -1 at the end. */
static int hear(void) {
  char message;
  ssize_t r;
  do r = recv(PARSER_KEEPER_FD, &message, 1, 0);
  while (r < 0 && errno == EINTR);
  return r == 1 ? message : -1;
}

/* Bytes left unread would make the close a reset, which can overtake our last words. */
static void finish_talking(struct parser *s) {
  imap_flush(&s->out);
  for (int i = 0; i < DISCARD_MAX && exact_pending(s->in.fd); i++) continue;
}

static noreturn void leave(struct parser *s, enum reason reason) {
  finish_talking(s);
  ask((char[]){ASK_LEAVE, (char)reason}, 2);
  _exit(0);
}

static noreturn void leave_saying(struct parser *s, enum reason reason, char const *bye) {
  imap_puts(&s->out, bye);
  leave(s, reason);
}

static noreturn void leave_at_end(struct parser *s) {
  if (s->in.end == IMAP_TIMEOUT)
    leave_saying(s, REASON_TIMEOUT, "* BYE Too long without a login\r\n");
  leave(s, REASON_CLOSED);
}

/* ---- answers ---- */

static void answer(struct parser *s, char const *text) {
  imap_puts(&s->out, s->tag);
  imap_puts(&s->out, " ");
  imap_puts(&s->out, text);
  imap_puts(&s->out, "\r\n");
}

static void answer_bad(struct parser *s, char const *words) {
  imap_puts(&s->out, s->tag);
  imap_puts(&s->out, " BAD ");
  imap_puts(&s->out, words);
  imap_puts(&s->out, "\r\n");
  if (++s->bad >= BAD_MAX) leave_saying(s, REASON_ERRORS, "* BYE Too many errors\r\n");
}

static bool passwords_allowed(struct parser const *s) {
  return s->config.tls || !s->config.tls_required;
}

static void put_capabilities(struct parser *s) {
  imap_puts(&s->out, "CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID");
  if (s->config.starttls) imap_puts(&s->out, " STARTTLS");
  if (!passwords_allowed(s)) {
    imap_puts(&s->out, " LOGINDISABLED");
    return;
  }
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

static void wipe_command(struct parser *s) {
  explicit_bzero(&s->credentials, sizeof s->credentials);
  explicit_bzero(s->in.buf, sizeof s->in.buf); /* exact_fill leaves nothing behind a command */
  s->in.head = s->in.tail = 0;
  explicit_bzero(s->pool, sizeof s->pool - (s->arena.blocks ? 0 : s->arena.left));
  arena_release(&s->arena);
  s->arena.next = s->pool;
  s->arena.left = sizeof s->pool;
}

static void renew_deadline(struct parser *s) {
  s->in.deadline = clock_ms() + s->config.timeout_ms;
}

/* ---- login ---- */

static noreturn void end_unavailable(struct parser *s) {
  answer(s, "NO [UNAVAILABLE] Login is not possible at the moment, try again later");
  imap_puts(&s->out, "* BYE [UNAVAILABLE] Try again later\r\n");
  finish_talking(s);
  _exit(0);
}

static noreturn void end_denied(struct parser *s) {
  answer(s, "NO [AUTHENTICATIONFAILED] Login failed");
  imap_puts(&s->out, "* BYE Too many failed logins\r\n");
  finish_talking(s);
  _exit(0);
}

/* Until the verdict.  If it is for the client, the connection is imapd's from the moment the
 * keeper, by then imapd, has closed our socket. */
static void await_verdict(struct parser *s) {
  bool accepted = false;
  for (;;) {
    switch (hear()) {
    case TELL_ACCEPTED: accepted = true; break;
    case TELL_DENIED: answer(s, "NO [AUTHENTICATIONFAILED] Login failed"); return;
    case TELL_TEMPORARY:
      answer(s, "NO [UNAVAILABLE] Login is not possible at the moment, try again later");
      return;
    case TELL_DENIED_BYE: end_denied(s);
    case TELL_QUIT: _exit(0);
    case -1:
      if (accepted) _exit(0);
      end_unavailable(s);
    default: end_unavailable(s);
    }
  }
}

static bool copy_text(char *to, size_t max, char const *from, size_t size) {
  if (size > max || memchr(from, 0, size)) return false;
  memcpy(to, from, size);
  to[size] = 0;
  return true;
}

static void log_in(struct parser *s, enum method method, struct imap_bytes const *user,
                   struct imap_bytes const *password, struct imap_bytes const *authzid) {
  char message[MESSAGE_SIZE_MAX];
  struct credentials *c = &s->credentials;
  c->method = method;
  memcpy(c->tag, s->tag, sizeof c->tag);
  if (!copy_text(c->user, USER_SIZE_MAX, user->data, user->size) ||
      !copy_text(c->password, PASSWORD_SIZE_MAX, password->data, password->size) ||
      !copy_text(c->authzid, AUTHZID_SIZE_MAX, authzid->data, authzid->size)) {
    answer_bad(s, "User name or password too long");
    return;
  }
  ask(message, credentials_pack(c, message));
  explicit_bzero(message, sizeof message);
  wipe_command(s);
  await_verdict(s);
  renew_deadline(s);
}

/* Before the arguments are read: a literal must not even be asked for. */
static bool refuse_without_tls(struct parser *s) {
  if (passwords_allowed(s)) return false;
  imap_command_skip(&s->p);
  answer(s, "NO [PRIVACYREQUIRED] Begin TLS first: a password must not be sent in the clear");
  return true;
}

/* login = "LOGIN" SP userid SP password ; astrings */
static bool do_login(struct parser *s) {
  struct imap_bytes user, password, nobody = {(char *)"", 0};
  if (refuse_without_tls(s)) return true;
  if (!imap_parse_space(&s->p) || !imap_parse_astring(&s->p, &user) || !imap_parse_space(&s->p) ||
      !imap_parse_astring(&s->p, &password) || !imap_parse_end(&s->p))
    return false;
  log_in(s, METHOD_LOGIN, &user, &password, &nobody);
  return true;
}

/* ---- AUTHENTICATE ---- */

static enum method find_mechanism(struct parser const *s, char const *name) {
  for (unsigned int i = 0; i < METHOD_COUNT; i++)
    if (methods[i].sasl && s->config.methods & 1U << i && !strcasecmp(name, methods[i].name))
      return (enum method)i;
  return METHOD_COUNT;
}

/* base64 CRLF, decoded; an empty line is an empty message.  "*" CRLF is the client's cancel: then
 * response->data is null. */
static bool parse_response(struct parser *s, struct imap_bytes *response) {
  static char nothing[1];
  *response = (struct imap_bytes){nothing, 0};
  int c = imap_parse_peek(&s->p);
  if (c == '\r' || c == '\n') return imap_parse_end(&s->p);
  if (c == '*') {
    response->data = 0;
    return imap_parse_char(&s->p, '*') && imap_parse_end(&s->p);
  }
  char *text;
  if (!imap_parse_word(&s->p, &text) || !imap_parse_end(&s->p)) return false;
  ssize_t size = base64_decode(text, strlen(text), text);
  if (size < 0) return imap_parse_fail(&s->p, "Not base64");
  *response = (struct imap_bytes){text, (size_t)size};
  return true;
}

/* RFC 4959: "=" is an initial response that is there but empty. */
static bool parse_initial_response(struct parser *s, struct imap_bytes *response) {
  if (!imap_parse_space(&s->p)) return false;
  if (imap_parse_peek(&s->p) == '=') imap_parse_char(&s->p, '=');
  return parse_response(s, response);
}

static bool ask_client(struct parser *s, struct imap_bytes *response) {
  imap_puts(&s->out, "+ \r\n");
  imap_flush(&s->out);
  imap_command_begin(&s->p);
  return parse_response(s, response);
}

/* Takes the part of the message up to the next NUL, which must be there. */
static bool take_part(struct imap_bytes *message, struct imap_bytes *part) {
  char *nul = message->size ? memchr(message->data, 0, message->size) : 0;
  if (!nul) return false;
  *part = (struct imap_bytes){message->data, (size_t)(nul - message->data)};
  message->data += part->size + 1;
  message->size -= part->size + 1;
  return true;
}

/* RFC 4616: [authzid] NUL authcid NUL passwd; what is left of the message is the password. */
static bool take_plain(struct parser *s, enum method method, struct imap_bytes *message) {
  struct imap_bytes authzid, user;
  if (!take_part(message, &authzid) || !take_part(message, &user) || !user.size ||
      memchr(message->data, 0, message->size))
    return imap_parse_fail(&s->p, "Not a message of PLAIN");
  log_in(s, method, &user, message, &authzid);
  return true;
}

static bool (*const dialogues[METHOD_COUNT])(struct parser *, enum method, struct imap_bytes *) = {
    [METHOD_PLAIN] = take_plain,
};

/* authenticate = "AUTHENTICATE" SP auth-type [SP (base64 / "=")] *(CRLF base64) */
static bool do_authenticate(struct parser *s) {
  char *name;
  struct imap_bytes response;
  if (refuse_without_tls(s)) return true;
  if (!imap_parse_space(&s->p) || !imap_parse_atom(&s->p, &name)) return false;
  enum method method = find_mechanism(s, name);
  bool initial = imap_parse_peek(&s->p) == ' ';
  if (method == METHOD_COUNT) {
    imap_command_skip(&s->p);
    answer(s, "NO Mechanism not offered");
    return true;
  }
  if (initial ? !parse_initial_response(s, &response)
              : !imap_parse_end(&s->p) || !ask_client(s, &response))
    return false;
  if (!response.data) return imap_parse_fail(&s->p, "Cancelled");
  return dialogues[method](s, method, &response);
}

/* ---- the other commands ---- */

static bool do_capability(struct parser *s) {
  if (!imap_parse_end(&s->p)) return false;
  imap_puts(&s->out, "* ");
  put_capabilities(s);
  imap_puts(&s->out, "\r\n");
  answer(s, "OK CAPABILITY completed");
  return true;
}

static bool do_noop(struct parser *s) {
  if (!imap_parse_end(&s->p)) return false;
  answer(s, "OK NOOP completed");
  return true;
}

static bool do_logout(struct parser *s) {
  if (!imap_parse_end(&s->p)) return false;
  imap_puts(&s->out, "* BYE Until later\r\n");
  answer(s, "OK LOGOUT completed");
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
  answer(s, "OK ID completed");
  return true;
}

/* What came in the clear behind STARTTLS could have been put there by somebody in the middle; to be
 * read as if it came inside TLS is all they would want (RFC 3501 section 11.1). */
static noreturn void refuse_injection(struct parser *s) {
  answer(s, "BAD Nothing may follow STARTTLS before TLS has begun");
  leave_saying(s, REASON_INJECTION, "* BYE Plain text behind STARTTLS\r\n");
}

static bool do_starttls(struct parser *s) {
  if (!imap_parse_end(&s->p)) return false;
  if (!s->config.starttls) {
    answer_bad(s, s->config.tls ? "TLS is on already" : "STARTTLS is not offered");
    return true;
  }
  if (exact_pending(s->in.fd)) refuse_injection(s);
  answer(s, "OK Begin TLS now");
  imap_flush(&s->out);
  ask((char[]){ASK_TLS}, 1);
  if (hear() != TELL_TLS) _exit(0);
  if (dup2(PARSER_SSLREAD_FD, 0) < 0 || dup2(PARSER_SSLWRITE_FD, 1) < 0) _exit(EXIT_TEMPORARY);
  close(PARSER_SSLREAD_FD);
  close(PARSER_SSLWRITE_FD);
  s->config.starttls = false;
  s->config.tls = true;
  renew_deadline(s);
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
    {"LOGIN", do_login},
    {"AUTHENTICATE", do_authenticate},
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
    if (s->in.end != IMAP_OPEN) leave_at_end(s);
    answer_bad(s, error ? error : "Syntax error");
  }
  if (s->p.hopeless) leave_saying(s, REASON_ERRORS, "* BYE Literal too large\r\n");
  imap_flush(&s->out);
  if (s->out.failed) leave(s, REASON_CLOSED);
  wipe_command(s);
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
    ask((char[]){ASK_READY, (char)done}, 2);
    return;
  }
  char failed[2 + sizeof errno] = {ASK_FAILED, (char)step};
  memcpy(failed + 2, &errno, sizeof errno);
  ask(failed, sizeof failed);
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
  imap_parser_init(&s.p, &s.in, &s.out, &s.arena, COMMAND_SIZE_MAX);
  wipe_command(&s);
  renew_deadline(&s);
  greet(&s);
  for (;;) serve_next(&s);
}
