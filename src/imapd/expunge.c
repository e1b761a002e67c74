/* EXPUNGE (RFC 3501 section 6.4.3) and UID EXPUNGE (RFC 4315 section 2.1).
 *
 *   expunge     = "EXPUNGE"
 *   uid-expunge = "UID" SP "EXPUNGE" SP sequence-set
 *
 * The EXPUNGE responses are those of the update before the answer. */
#include "imapd/session.h"

bool command_expunge(struct session *s) {
  if (!imap_parse_end(&s->parser)) return false;
  if (refused_read_only(s)) return true;
  answer_result(s, folder_expunge(s->folder, 0), "EXPUNGE completed");
  return true;
}

bool command_uid_expunge(struct session *s) {
  struct imap_sequence sequence;
  struct set seqs, uids;
  if (!parse_messages(s, &sequence) || !imap_parse_end(&s->parser)) return false;
  if (!messages_named(s, &sequence, &seqs) || refused_read_only(s)) return true;
  messages_uids(s, &seqs, &uids);
  answer_result(s, uids.n ? folder_expunge(s->folder, &uids) : STORE_OK, "EXPUNGE completed");
  return true;
}
