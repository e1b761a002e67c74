/* COPY (RFC 3501 section 6.4.7) and MOVE (RFC 6851), with COPYUID (RFC 4315 section 3).
 *
 *   copy = "COPY" SP sequence-set SP mailbox
 *   move = "MOVE" SP sequence-set SP mailbox
 */
#include "imapd/session.h"

static void put_copyuid(struct session *s, struct copied const *copied) {
  imap_puts(&s->out, "[COPYUID ");
  imap_put_number(&s->out, copied->uidvalidity);
  imap_puts(&s->out, " ");
  imap_put_set(&s->out, &copied->source_uids);
  imap_puts(&s->out, " ");
  imap_put_set(&s->out, &copied->target_uids);
  imap_puts(&s->out, "] ");
}

/* A mailbox that does not exist may be created first. */
static void answer_failure(struct session *s, enum store_error error) {
  char const *code = error == STORE_NONEXISTENT ? "TRYCREATE" : store_code(error);
  answer_no(s, code, store_words(error));
}

static void answer_copied(struct session *s, struct copied const *copied) {
  answer_begin(s, "OK");
  put_copyuid(s, copied);
  imap_puts(&s->out, "COPY completed\r\n");
}

/* The UIDs come first: after an EXPUNGE nobody would know whose they were (RFC 6851 section 4.3).
 */
static void answer_moved(struct session *s, struct copied const *copied) {
  imap_puts(&s->out, "* OK ");
  put_copyuid(s, copied);
  imap_puts(&s->out, "Moved\r\n");
  answer_ok(s, "MOVE completed");
}

/* Keeps of seqs what an update has left in the view; whether that is less. */
static bool drop_expunged(struct session *s, struct set *seqs) {
  struct set uids;
  uint64_t before = set_count(seqs);
  messages_uids(s, seqs, &uids);
  if (update_client(s, true) != STORE_OK) return false;
  set_init(seqs, &s->arena);
  folder_seqs(s->folder, &uids, seqs);
  return set_count(seqs) < before;
}

/* The UID of a message that another session has just expunged is no message's, and such a UID is no
 * error (RFC 3501 section 6.4.8): the client is told, and the others go.  By number the command
 * fails as a whole (RFC 2180 section 4.4.1). */
static enum store_error copy_messages(struct session *s, struct set *seqs, char const *folder,
                                      bool move, struct copied *copied) {
  *copied = (struct copied){0};
  while (seqs->n) {
    enum store_error error =
        folder_copy(s->folder, seqs, s->store, folder, move, &s->arena, copied);
    if (error != STORE_EXPUNGED || !command_by_uid(s) || !drop_expunged(s, seqs)) return error;
  }
  return STORE_OK;
}

static void transfer(struct session *s, struct set *seqs, struct imap_bytes name, bool move) {
  char const *folder = folder_from_mailbox(s, name);
  struct copied copied;
  if (!folder) {
    answer_no_such_name(s);
    return;
  }
  enum store_error error = copy_messages(s, seqs, folder, move, &copied);
  if (error != STORE_OK)
    answer_failure(s, error);
  else if (!copied.source_uids.n)
    answer_ok(s, "No such messages, nothing to do");
  else
    (move ? answer_moved : answer_copied)(s, &copied);
}

static bool copy_or_move(struct session *s, bool move) {
  struct imap_sequence sequence;
  struct imap_bytes name;
  struct set seqs;
  if (!parse_messages(s, &sequence) || !parse_mailbox(s, &name) || !imap_parse_end(&s->parser))
    return false;
  if (!messages_named(s, &sequence, &seqs) || (move && refused_read_only(s))) return true;
  if (!seqs.n)
    answer_ok(s, "No such messages, nothing to do");
  else
    transfer(s, &seqs, name, move);
  return true;
}

bool command_copy(struct session *s) {
  return copy_or_move(s, false);
}

bool command_move(struct session *s) {
  return copy_or_move(s, true);
}
