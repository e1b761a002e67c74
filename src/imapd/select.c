/* SELECT EXAMINE CLOSE UNSELECT (RFC 3501 sections 6.3.1, 6.3.2, 6.4.2; RFC 3691).
 *
 *   select = "SELECT" SP mailbox     examine = "EXAMINE" SP mailbox
 */
#include "imapd/session.h"

#include <stdio.h>

static void unselect(struct session *s) {
  folder_close(s->folder);
  s->folder = 0;
  messages_forget_saved(s);
}

static void put_status(struct session *s, char const *code, uint32_t number, char const *words) {
  imap_puts(&s->out, "* OK [");
  imap_puts(&s->out, code);
  imap_puts(&s->out, " ");
  imap_put_number(&s->out, number);
  imap_puts(&s->out, "] ");
  imap_puts(&s->out, words);
  imap_puts(&s->out, "\r\n");
}

static void put_selected(struct session *s) {
  update_put_flag_lists(s);
  s->recent_told = folder_recent(s->folder);
  imap_puts(&s->out, "* ");
  imap_put_number(&s->out, folder_count(s->folder));
  imap_puts(&s->out, " EXISTS\r\n* ");
  imap_put_number(&s->out, s->recent_told);
  imap_puts(&s->out, " RECENT\r\n");
  uint32_t unseen = folder_first_unseen(s->folder);
  if (unseen) put_status(s, "UNSEEN", unseen, "The first unseen message");
  put_status(s, "UIDVALIDITY", folder_uidvalidity(s->folder), "UIDs are for good");
  put_status(s, "UIDNEXT", folder_uidnext(s->folder), "The next UID");
}

/* A mailbox that was selected is so no longer, even if this fails (RFC 3501 section 6.3.1). */
static bool open_mailbox(struct session *s, enum folder_mode mode) {
  struct imap_bytes name;
  if (!parse_mailbox(s, &name) || !imap_parse_end(&s->parser)) return false;
  if (s->folder) unselect(s);
  char const *folder = folder_from_mailbox(s, name);
  enum store_error error =
      folder ? folder_open(s->store, folder, mode, &s->folder) : STORE_NONEXISTENT;
  if (error != STORE_OK) {
    s->folder = 0;
    answer_result(s, error, 0);
    return true;
  }
  snprintf(s->selected, sizeof s->selected, "%s", folder);
  put_selected(s);
  answer_begin(s, "OK");
  imap_puts(&s->out, folder_read_only(s->folder) ? "[READ-ONLY] " : "[READ-WRITE] ");
  imap_puts(&s->out, mode == FOLDER_SELECT ? "SELECT completed\r\n" : "EXAMINE completed\r\n");
  return true;
}

bool command_select(struct session *s) {
  return open_mailbox(s, FOLDER_SELECT);
}

bool command_examine(struct session *s) {
  return open_mailbox(s, FOLDER_EXAMINE);
}

/* The messages with \Deleted go, and nothing is said of it.  If they cannot, all stays as it is; if
 * the mailbox itself has gone there is nothing to stay in. */
bool command_close(struct session *s) {
  if (!imap_parse_end(&s->parser)) return false;
  enum store_error error = folder_read_only(s->folder) ? STORE_OK : folder_expunge(s->folder, 0);
  if (error == STORE_NONEXISTENT) error = STORE_OK;
  if (error == STORE_OK) unselect(s);
  answer_result(s, error, "CLOSE completed");
  return true;
}

bool command_unselect(struct session *s) {
  if (!imap_parse_end(&s->parser)) return false;
  unselect(s);
  answer_ok(s, "UNSELECT completed");
  return true;
}
