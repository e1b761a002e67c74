/* Telling the client what happened to the selected mailbox (RFC 3501 sections 5.2, 7.2.6, 7.3 and
 * 7.4): EXPUNGE, EXISTS, RECENT, FLAGS, FETCH, that nobody asked for. */
#include "imapd/session.h"

void update_put_flag_lists(struct session *s) {
  imap_puts(&s->out, "* FLAGS (");
  put_folder_flags(s, false);
  imap_puts(&s->out, ")\r\n* OK [PERMANENTFLAGS (");
  bool read_only = folder_read_only(s->folder);
  if (!read_only) put_folder_flags(s, folder_keyword_count(s->folder) < KEYWORDS_MAX);
  imap_puts(&s->out, read_only ? ")] No flag can be changed\r\n" : ")] Flags that can be kept\r\n");
  s->keywords_told = folder_keyword_count(s->folder);
}

void update_keywords(struct session *s) {
  if (s->keywords_told != folder_keyword_count(s->folder)) update_put_flag_lists(s);
}

static void put_number_and(struct session *s, uint32_t number, char const *words) {
  imap_puts(&s->out, "* ");
  imap_put_number(&s->out, number);
  imap_puts(&s->out, words);
}

static void tell_expunged(void *context, uint32_t seq, uint32_t uid) {
  (void)uid;
  put_number_and(context, seq, " EXPUNGE\r\n");
}

static void tell_exists(void *context, uint32_t count, uint32_t old_count) {
  (void)old_count;
  put_number_and(context, count, " EXISTS\r\n");
}

static void tell_keywords(void *context) {
  update_keywords(context);
}

void update_put_flags(struct session *s, uint32_t seq) {
  put_number_and(s, seq, " FETCH (");
  if (command_by_uid(s)) { /* RFC 3501 section 6.4.8 */
    imap_puts(&s->out, "UID ");
    imap_put_number(&s->out, folder_uid(s->folder, seq));
    imap_puts(&s->out, " ");
  }
  imap_puts(&s->out, "FLAGS ");
  put_message_flags(s, seq);
  imap_puts(&s->out, ")\r\n");
}

static void tell_flags(void *context, uint32_t seq) {
  update_put_flags(context, seq);
}

static void tell_recent(struct session *s) {
  uint32_t recent = folder_recent(s->folder);
  if (recent == s->recent_told) return;
  put_number_and(s, recent, " RECENT\r\n");
  s->recent_told = recent;
}

/* There is no response that says "nothing is selected any more"; RFC 2180 section 3.3 lets the
 * server close. */
static void selected_is_gone(struct session *s) {
  imap_puts(&s->out, "* BYE [NONEXISTENT] The selected mailbox has been deleted or renamed\r\n");
  s->ending = END_DELETED;
}

enum store_error update_client(struct session *s, bool may_expunge) {
  if (!s->folder) return STORE_OK;
  struct folder_listener const listener = {.context = s,
                                           .expunged = tell_expunged,
                                           .exists = tell_exists,
                                           .keywords = tell_keywords,
                                           .flags = tell_flags};
  enum store_error error = folder_sync(s->folder, may_expunge, &listener);
  if (error == STORE_NONEXISTENT)
    selected_is_gone(s);
  else
    tell_recent(s);
  return error;
}
