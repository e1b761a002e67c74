/* Sequence sets -> messages of the view (RFC 3501 section 9, sequence-set and its comments). */
#include "imapd/session.h"

#include <stdio.h>

static enum messages_error find_numbers(struct session *s, struct imap_sequence const *sequence,
                                        struct set *seqs) {
  uint32_t count = folder_count(s->folder);
  imap_sequence_resolve(sequence, count, seqs);
  if (!count) return MESSAGES_BEYOND;
  return seqs->n && seqs->ranges[seqs->n - 1].last > count ? MESSAGES_BEYOND : MESSAGES_OK;
}

static enum messages_error find_uids(struct session *s, struct imap_sequence const *sequence,
                                     struct set *seqs) {
  uint32_t count = folder_count(s->folder);
  struct set uids;
  set_init(&uids, &s->arena);
  imap_sequence_resolve(sequence, count ? folder_uid(s->folder, count) : 0, &uids);
  folder_seqs(s->folder, &uids, seqs);
  return MESSAGES_OK;
}

enum messages_error messages_find(struct session *s, struct imap_sequence const *sequence,
                                  bool by_uid, struct set *seqs) {
  set_init(seqs, &s->arena);
  if (sequence->saved) return MESSAGES_NOTHING_SAVED;
  return (by_uid ? find_uids : find_numbers)(s, sequence, seqs);
}

bool parse_messages(struct session *s, struct imap_sequence *sequence) {
  return imap_parse_space(&s->parser) && imap_parse_sequence(&s->parser, sequence);
}

bool messages_named(struct session *s, struct imap_sequence const *sequence, struct set *seqs) {
  switch (messages_find(s, sequence, command_by_uid(s), seqs)) {
  case MESSAGES_OK: return true;
  case MESSAGES_BEYOND: answer_bad(s, "There are not so many messages"); return false;
  default: answer_bad(s, "No search result has been saved"); return false;
  }
}

void messages_uids(struct session *s, struct set const *seqs, struct set *uids) {
  set_init(uids, &s->arena);
  for (uint32_t seq = 0; set_next(seqs, &seq);) set_add(uids, folder_uid(s->folder, seq));
}

bool refused_read_only(struct session *s) {
  if (!folder_read_only(s->folder)) return false;
  answer_no(s, "READ-ONLY", "The mailbox is open for reading only");
  return true;
}

enum store_error message_unreadable(struct session const *s, uint32_t seq) {
  char which[NAME_SIZE_MAX + 32];
  snprintf(which, sizeof which, "%s UID %lu", *s->selected ? s->selected : "INBOX",
           (unsigned long)folder_uid(s->folder, seq));
  log_failure("read a message", which, "check the disk");
  return STORE_UNAVAILABLE;
}
