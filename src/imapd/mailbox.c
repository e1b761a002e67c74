/* Commands on mailboxes as a whole: CREATE DELETE RENAME SUBSCRIBE UNSUBSCRIBE STATUS (RFC 3501
 * sections 6.3.3 to 6.3.7 and 6.3.10).
 *
 *   create = "CREATE" SP mailbox      subscribe   = "SUBSCRIBE" SP mailbox
 *   delete = "DELETE" SP mailbox      unsubscribe = "UNSUBSCRIBE" SP mailbox
 *   rename = "RENAME" SP mailbox SP mailbox
 *   status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"
 */
#include "imapd/session.h"

#include <string.h>
#include <strings.h>

/* The whole of a command that takes one mailbox. */
static bool parse_only_mailbox(struct session *s, struct imap_bytes *name) {
  return parse_mailbox(s, name) && imap_parse_end(&s->parser);
}

bool command_create(struct session *s) {
  struct imap_bytes name;
  if (!parse_only_mailbox(s, &name)) return false;
  char const *folder = folder_from_new_mailbox(s, name);
  if (!folder)
    answer_no_such_name(s);
  else if (!*folder)
    answer_no(s, store_code(STORE_EXISTS), "INBOX is always there");
  else
    answer_result(s, store_create(s->store, folder), "CREATE completed");
  return true;
}

/* Whoever deletes or renames the selected mailbox has nothing selected afterwards: what a client
 * knows of a mailbox it knows by the name. */
static void forget(struct session *s) {
  folder_close(s->folder);
  s->folder = 0;
}

bool command_delete(struct session *s) {
  struct imap_bytes name;
  if (!parse_only_mailbox(s, &name)) return false;
  char const *folder = folder_from_mailbox(s, name);
  if (folder && !*folder) {
    answer_no(s, store_code(STORE_CANNOT), "INBOX cannot be deleted");
    return true;
  }
  enum store_error error = folder ? store_delete(s->store, folder) : STORE_NONEXISTENT;
  if (error == STORE_OK && s->folder && !strcmp(s->selected, folder)) forget(s);
  answer_result(s, error, "DELETE completed");
  return true;
}

/* The selected mailbox may be the renamed one or below it.  INBOX keeps its name. */
static bool selected_within(struct session const *s, char const *folder) {
  size_t size = strlen(folder);
  if (!s->folder || !size || strncmp(s->selected, folder, size)) return false;
  return !s->selected[size] || s->selected[size] == '.';
}

bool command_rename(struct session *s) {
  struct imap_bytes from_name, to_name;
  if (!parse_mailbox(s, &from_name) || !parse_only_mailbox(s, &to_name)) return false;
  char const *from = folder_from_mailbox(s, from_name), *to = folder_from_new_mailbox(s, to_name);
  if (!to) {
    answer_no_such_name(s);
  } else if (!*to) {
    answer_no(s, store_code(STORE_EXISTS), "INBOX is always there");
  } else {
    enum store_error error = from ? store_rename(s->store, from, to) : STORE_NONEXISTENT;
    if (error == STORE_OK && selected_within(s, from)) forget(s);
    answer_result(s, error, "RENAME completed");
  }
  return true;
}

/* A mailbox need not exist to be subscribed to (RFC 3501 section 6.3.6), but it could: LSUB tells
 * the name to every client.  What is in the list, whoever put it there, can be taken out. */
static bool subscribe(struct session *s, bool on, char const *words) {
  struct imap_bytes name;
  if (!parse_only_mailbox(s, &name)) return false;
  char const *folder = (on ? folder_from_new_mailbox : folder_from_mailbox)(s, name);
  if (folder) {
    answer_result(s, store_subscribe(s->store, subscription_from_folder(s, folder), on), words);
  } else if (!on && *s->personal.prefix) {
    /* Left over from another server's namespaces: may go, not come. */
    answer_result(s, store_subscribe(s->store, name.data, false), words);
  } else {
    answer_no_such_name(s);
  }
  return true;
}

bool command_subscribe(struct session *s) {
  return subscribe(s, true, "SUBSCRIBE completed");
}

bool command_unsubscribe(struct session *s) {
  return subscribe(s, false, "UNSUBSCRIBE completed");
}

/* ---- STATUS ---- */

enum status_item { MESSAGES, RECENT, UIDNEXT, UIDVALIDITY, UNSEEN, STATUS_ITEMS };
static char const *const status_names[STATUS_ITEMS] = {
    [MESSAGES] = "MESSAGES",       [RECENT] = "RECENT", [UIDNEXT] = "UIDNEXT",
    [UIDVALIDITY] = "UIDVALIDITY", [UNSEEN] = "UNSEEN",
};

/* Which items are asked for: each is told once, in our order. */
static bool parse_status_item(struct session *s, bool wanted[STATUS_ITEMS]) {
  char *name;
  if (!imap_parse_word(&s->parser, &name)) return false;
  for (int i = 0; i < STATUS_ITEMS; i++) {
    if (strcasecmp(name, status_names[i])) continue;
    wanted[i] = true;
    return true;
  }
  return imap_parse_fail(&s->parser, "Unknown STATUS item");
}

static bool parse_status_items(struct session *s, bool wanted[STATUS_ITEMS]) {
  if (!imap_parse_space(&s->parser) || !imap_parse_char(&s->parser, '(')) return false;
  for (;;) {
    if (!parse_status_item(s, wanted)) return false;
    if (imap_parse_peek(&s->parser) == ')') break;
    if (!imap_parse_space(&s->parser)) return false;
  }
  return imap_parse_char(&s->parser, ')') && imap_parse_end(&s->parser);
}

static void put_status(struct session *s, char const *folder, bool const wanted[STATUS_ITEMS],
                       struct folder_status const *status) {
  uint32_t const values[STATUS_ITEMS] = {
      [MESSAGES] = status->messages,       [RECENT] = status->recent, [UIDNEXT] = status->uidnext,
      [UIDVALIDITY] = status->uidvalidity, [UNSEEN] = status->unseen,
  };
  char buf[NAME_SIZE_MAX];
  bool first = true;
  imap_puts(&s->out, "* STATUS ");
  imap_put_astring(&s->out, mailbox_from_folder(s, folder, buf));
  imap_puts(&s->out, " (");
  for (int i = 0; i < STATUS_ITEMS; i++) {
    if (!wanted[i]) continue;
    if (!first) imap_puts(&s->out, " ");
    first = false;
    imap_puts(&s->out, status_names[i]);
    imap_puts(&s->out, " ");
    imap_put_number(&s->out, values[i]);
  }
  imap_puts(&s->out, ")\r\n");
}

bool command_status(struct session *s) {
  struct imap_bytes name;
  bool wanted[STATUS_ITEMS] = {false};
  if (!parse_mailbox(s, &name) || !parse_status_items(s, wanted)) return false;
  char const *folder = folder_from_mailbox(s, name);
  struct folder_status status;
  enum store_error error = folder ? store_status(s->store, folder, &status) : STORE_NONEXISTENT;
  if (error == STORE_OK) put_status(s, folder, wanted, &status);
  answer_result(s, error, "STATUS completed");
  return true;
}
