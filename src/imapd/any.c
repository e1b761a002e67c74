/* Commands that concern no mailbox in particular: CAPABILITY NOOP LOGOUT (RFC 3501 section 6.1),
 * CHECK (6.4.1), ID (RFC 2971), ENABLE (RFC 5161), NAMESPACE (RFC 2342).
 *
 *   id     = "ID" SP id-params-list     id-params-list = "(" [string SP nstring *(...)] ")" / nil
 *   enable = "ENABLE" 1*(SP capability)
 */
#include "imapd/session.h"

#include <string.h>
#include <strings.h>

bool command_capability(struct session *s) {
  if (!imap_parse_end(&s->parser)) return false;
  imap_puts(&s->out, "* CAPABILITY ");
  imap_puts(&s->out, session_capabilities);
  imap_puts(&s->out, "\r\n");
  answer_ok(s, "CAPABILITY completed");
  return true;
}

/* Commands whose only purpose is to be told of changes: a failure to look is theirs. */
static bool tell(struct session *s, char const *words) {
  if (!imap_parse_end(&s->parser)) return false;
  enum store_error error = update_client(s, true);
  s->updated = true;
  answer_result(s, error, words);
  return true;
}

bool command_noop(struct session *s) {
  return tell(s, "NOOP completed");
}

bool command_check(struct session *s) {
  return tell(s, "CHECK completed");
}

bool command_logout(struct session *s) {
  if (!imap_parse_end(&s->parser)) return false;
  imap_puts(&s->out, "* BYE Logging out\r\n");
  answer_ok(s, "LOGOUT completed");
  s->ending = END_LOGOUT;
  return true;
}

/* RFC 2971 section 3.3. */
enum { ID_FIELDS_MAX = 30, ID_FIELD_SIZE_MAX = 30, ID_VALUE_SIZE_MAX = 1024 };

/* What the administrator wants to know of a client. */
struct client {
  char const *name, *version;
};

static bool parse_id_pair(struct session *s, struct client *client) {
  struct imap_bytes field, value;
  if (!imap_parse_string(&s->parser, &field) || !imap_parse_space(&s->parser) ||
      !imap_parse_nstring(&s->parser, &value))
    return false;
  if (field.size > ID_FIELD_SIZE_MAX || value.size > ID_VALUE_SIZE_MAX)
    return imap_parse_fail(&s->parser, "Field or value too long");
  if (!strcasecmp(field.data, "name")) client->name = value.data;
  if (!strcasecmp(field.data, "version")) client->version = value.data;
  return true;
}

static bool parse_id_list(struct session *s, struct client *client) {
  if (imap_parse_peek(&s->parser) != '(') {
    struct imap_bytes nil;
    return imap_parse_nstring(&s->parser, &nil) &&
           (!nil.data || imap_parse_fail(&s->parser, "List or NIL expected"));
  }
  if (!imap_parse_char(&s->parser, '(')) return false;
  for (int n = 0; imap_parse_peek(&s->parser) != ')'; n++) {
    if (n == ID_FIELDS_MAX) return imap_parse_fail(&s->parser, "Too many fields");
    if (n && !imap_parse_space(&s->parser)) return false;
    if (!parse_id_pair(s, client)) return false;
  }
  return imap_parse_char(&s->parser, ')');
}

bool command_id(struct session *s) {
  struct client client = {0};
  if (!imap_parse_space(&s->parser) || !parse_id_list(s, &client) || !imap_parse_end(&s->parser))
    return false;
  if (client.name && !s->client_noted) {
    log_event("client", "name", client.name, "version", client.version, (char *)0);
    s->client_noted = true;
  }
  imap_puts(&s->out, "* ID (\"name\" \"chainmail\")\r\n");
  answer_ok(s, "ID completed");
  return true;
}

/* No extension offered here has to be enabled; RFC 5161 section 3.1: others are ignored. */
bool command_enable(struct session *s) {
  do {
    char *capability;
    if (!imap_parse_space(&s->parser) || !imap_parse_atom(&s->parser, &capability)) return false;
  } while (imap_parse_peek(&s->parser) == ' ');
  if (!imap_parse_end(&s->parser)) return false;
  imap_puts(&s->out, "* ENABLED\r\n");
  answer_ok(s, "ENABLE completed");
  return true;
}

bool command_namespace(struct session *s) {
  if (!imap_parse_end(&s->parser)) return false;
  imap_puts(&s->out, "* NAMESPACE ((");
  imap_put_string(&s->out, s->personal.prefix, strlen(s->personal.prefix));
  imap_puts(&s->out, " ");
  imap_put_string(&s->out, &s->personal.separator, 1);
  imap_puts(&s->out, ")) NIL NIL\r\n");
  answer_ok(s, "NAMESPACE completed");
  return true;
}
