/* Logging in: LOGIN, AUTHENTICATE, and the questions that a module asks of the client.  What a
 * login is worth is the modules' to say.  RFC 3501 (LOGIN, AUTHENTICATE), 4959 (SASL-IR), 5530
 * (response codes), 4616 (PLAIN), 2195 (CRAM-MD5), 4422 (EXTERNAL); of other mechanisms only the
 * form of the messages is known here. */
#include "login/parser.h"

#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DIGEST_DIGITS = 32 }; /* MD5 in hexadecimal digits */

static struct imap_bytes const nothing = {(char *)"", 0};

/* ---- the client's side of a mechanism ---- */

/* base64 CRLF, decoded; an empty line is an empty message.  "*" CRLF is the client's cancel: then
 * response->data is null. */
static bool parse_response(struct parser *s, struct imap_bytes *response) {
  *response = nothing;
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

static bool ask_client(struct parser *s, char const *challenge, size_t size,
                       struct imap_bytes *response) {
  char text[(DIALOGUE_SIZE_MAX + 2) / 3 * 4 + 1];
  text[base64_encode(challenge, size, text)] = 0;
  imap_puts(&s->out, "+ ");
  imap_puts(&s->out, text);
  imap_puts(&s->out, "\r\n");
  imap_flush(&s->out);
  imap_command_begin(&s->p);
  return parse_response(s, response);
}

/* ---- the verdict ---- */

static noreturn void end_unavailable(struct parser *s) {
  parser_answer(s, "NO [UNAVAILABLE] Login is not possible at the moment, try again later");
  imap_puts(&s->out, "* BYE [UNAVAILABLE] Try again later\r\n");
  parser_finish_talking(s);
  _exit(0);
}

static void answer_denied(struct parser *s) {
  if (s->cancelled)
    parser_answer_bad(s, s->cancelled);
  else
    parser_answer(s, "NO [AUTHENTICATIONFAILED] Login failed");
}

static noreturn void end_denied(struct parser *s) {
  answer_denied(s);
  imap_puts(&s->out, "* BYE Too many failed logins\r\n");
  parser_finish_talking(s);
  _exit(0);
}

static void answer_temporary(struct parser *s) {
  parser_answer(s, "NO [UNAVAILABLE] Login is not possible at the moment, try again later");
}

/* ---- dialogues ---- */

/* To the module that has asked. */
static void answer_module(struct parser *s, char type, struct imap_bytes const *response) {
  char frame[1 + DIALOGUE_SIZE_MAX];
  frame[0] = type;
  memcpy(frame + 1, response->data, response->size);
  ssize_t r = send(PARSER_KEEPER_FD, frame, 1 + response->size, MSG_NOSIGNAL);
  explicit_bzero(frame, sizeof frame);
  if (r < 0) end_unavailable(s);
}

/* The module asks; what the client has to say to it, or why it says nothing. */
static void converse(struct parser *s, struct told const *question) {
  struct imap_bytes response;
  char type = ANSWER_RESPONSE;
  if (!ask_client(s, question->bytes, question->size, &response)) {
    s->cancelled = s->p.error ? s->p.error : "Syntax error";
    imap_command_skip(&s->p);
  } else if (!response.data) {
    s->cancelled = "Cancelled";
  } else if (response.size > DIALOGUE_SIZE_MAX || memchr(response.data, 0, response.size)) {
    s->cancelled = "Response too long";
  }
  if (s->cancelled) type = ANSWER_CANCEL;
  if (s->in.end != IMAP_OPEN) type = s->in.end == IMAP_TIMEOUT ? ANSWER_TIMEOUT : ANSWER_END;
  if (type != ANSWER_RESPONSE) response = nothing;
  answer_module(s, type, &response);
  parser_wipe(s);
}

/* Until the verdict.  If it is for the client, the connection is imapd's from the moment the
 * keeper, by then imapd, has closed our socket. */
static void await_verdict(struct parser *s) {
  struct told told;
  bool accepted = false;
  s->cancelled = 0;
  for (;;) {
    switch (parser_hear(&told)) {
    case TELL_ACCEPTED: accepted = true; break;
    case TELL_ASK: converse(s, &told); break;
    case TELL_DENIED: answer_denied(s); return;
    case TELL_TEMPORARY: answer_temporary(s); return;
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
    parser_answer_bad(s, "User name or password too long");
    return;
  }
  parser_ask(message, credentials_pack(c, message));
  explicit_bzero(message, sizeof message);
  parser_wipe(s);
  await_verdict(s);
  if (s->in.end != IMAP_OPEN) parser_leave_at_end(s);
  parser_renew_deadline(s);
}

/* ---- LOGIN ---- */

/* Before the arguments are read: a literal must not even be asked for. */
static bool refuse_without_tls(struct parser *s) {
  if (parser_may_log_in(s)) return false;
  imap_command_skip(&s->p);
  parser_answer(s,
                "NO [PRIVACYREQUIRED] Begin TLS first: a password must not be sent in the clear");
  return true;
}

/* login = "LOGIN" SP userid SP password ; astrings */
bool parser_login(struct parser *s) {
  struct imap_bytes user, password;
  if (refuse_without_tls(s)) return true;
  if (!(s->config.methods & 1U << METHOD_LOGIN)) {
    imap_command_skip(&s->p);
    parser_answer(s, "NO [CANNOT] LOGIN is not offered, use AUTHENTICATE");
    return true;
  }
  if (!imap_parse_space(&s->p) || !imap_parse_astring(&s->p, &user) || !imap_parse_space(&s->p) ||
      !imap_parse_astring(&s->p, &password) || !imap_parse_end(&s->p))
    return false;
  log_in(s, METHOD_LOGIN, &user, &password, &nothing);
  return true;
}

/* ---- AUTHENTICATE: the client's first message, by mechanism ---- */

static enum method find_mechanism(struct parser const *s, char const *name) {
  for (unsigned int i = 0; i < METHOD_COUNT; i++)
    if (methods[i].sasl && s->config.methods & 1U << i && !strcasecmp(name, methods[i].name))
      return (enum method)i;
  return METHOD_COUNT;
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

/* RFC 2195: user SP digest, in lower-case hexadecimal digits.  A user's name may have blanks. */
static bool take_cram(struct parser *s, enum method method, struct imap_bytes *message) {
  size_t digest = message->size < DIGEST_DIGITS ? 0 : message->size - DIGEST_DIGITS;
  bool good = digest > 1 && message->data[digest - 1] == ' ';
  for (size_t i = digest; good && i < message->size; i++)
    good = (message->data[i] >= '0' && message->data[i] <= '9') ||
           (message->data[i] >= 'a' && message->data[i] <= 'f');
  if (!good) return imap_parse_fail(&s->p, "Not a message of CRAM-MD5");
  struct imap_bytes user = {message->data, digest - 1};
  struct imap_bytes response = {message->data + digest, DIGEST_DIGITS};
  log_in(s, method, &user, &response, &nothing);
  return true;
}

/* RFC 4422 appendix A: whom the client wants to act as, or nothing. */
static bool take_external(struct parser *s, enum method method, struct imap_bytes *message) {
  log_in(s, method, &nothing, &nothing, message);
  return true;
}

/* For the module to understand. */
static bool take_unread(struct parser *s, enum method method, struct imap_bytes *message) {
  log_in(s, method, &nothing, message, &nothing);
  return true;
}

static bool (*const first_messages[METHOD_COUNT])(struct parser *, enum method,
                                                  struct imap_bytes *) = {
    [METHOD_PLAIN] = take_plain,          [METHOD_CRAM_MD5] = take_cram,
    [METHOD_SCRAM_SHA_1] = take_unread,   [METHOD_SCRAM_SHA_1_PLUS] = take_unread,
    [METHOD_SCRAM_SHA_256] = take_unread, [METHOD_SCRAM_SHA_256_PLUS] = take_unread,
    [METHOD_EXTERNAL] = take_external,    [METHOD_OAUTHBEARER] = take_unread,
    [METHOD_XOAUTH2] = take_unread,
};

/* RFC 4959 section 3: a mechanism whose server speaks first takes no initial response. */
static bool ask_challenged(struct parser *s, struct imap_bytes *response) {
  struct told challenge;
  parser_ask((char[]){ASK_CHALLENGE}, 1);
  if (parser_hear(&challenge) != TELL_CHALLENGE) _exit(0);
  return ask_client(s, challenge.bytes, challenge.size, response);
}

/* authenticate = "AUTHENTICATE" SP auth-type [SP (base64 / "=")] *(CRLF base64) */
bool parser_authenticate(struct parser *s) {
  char *name;
  struct imap_bytes response;
  if (refuse_without_tls(s)) return true;
  if (!imap_parse_space(&s->p) || !imap_parse_atom(&s->p, &name)) return false;
  enum method method = find_mechanism(s, name);
  bool initial = imap_parse_peek(&s->p) == ' ';
  if (method == METHOD_COUNT) {
    imap_command_skip(&s->p);
    parser_answer(s, "NO Mechanism not offered");
    return true;
  }
  if (initial && methods[method].challenged)
    return imap_parse_fail(&s->p, "This mechanism takes no initial response");
  if (initial ? !parse_initial_response(s, &response)
              : !imap_parse_end(&s->p) ||
                    !(methods[method].challenged ? ask_challenged(s, &response)
                                                 : ask_client(s, "", 0, &response)))
    return false;
  if (!response.data) return imap_parse_fail(&s->p, "Cancelled");
  return first_messages[method](s, method, &response);
}
