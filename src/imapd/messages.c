/* Sequence sets -> messages of the view (RFC 3501 section 9, sequence-set and its comments; "$":
 * RFC 5182 section 2.1). */
#include "imapd/session.h"

#include <stdio.h>

static bool find_numbers(struct session *s, struct imap_sequence const *sequence,
                         struct set *seqs) {
  uint32_t count = folder_count(s->folder);
  imap_sequence_resolve(sequence, count, seqs);
  return count && !(seqs->n && seqs->ranges[seqs->n - 1].last > count);
}

static bool find_uids(struct session *s, struct imap_sequence const *sequence, struct set *seqs) {
  uint32_t count = folder_count(s->folder);
  struct set uids;
  set_init(&uids, &s->arena);
  imap_sequence_resolve(sequence, count ? folder_uid(s->folder, count) : 0, &uids);
  folder_seqs(s->folder, &uids, seqs);
  return true;
}

static bool find_saved(struct session *s, struct imap_sequence const *sequence, struct set *seqs) {
  (void)sequence;
  folder_seqs(s->folder, &s->saved, seqs);
  return true;
}

bool messages_find(struct session *s, struct imap_sequence const *sequence, bool by_uid,
                   struct set *seqs) {
  set_init(seqs, &s->arena);
  return (sequence->saved ? find_saved : by_uid ? find_uids : find_numbers)(s, sequence, seqs);
}

void messages_forget_saved(struct session *s) {
  arena_release(&s->saved_arena);
  set_init(&s->saved, &s->saved_arena);
}

/* A UID between those of two neighbours belongs to nobody, and never will: so a set is as many
 * ranges as it is by number, and expunges need not be followed. */
void messages_save(struct session *s, struct set const *seqs) {
  messages_forget_saved(s);
  for (size_t i = 0; i < seqs->n; i++)
    set_add_range(&s->saved, folder_uid(s->folder, seqs->ranges[i].first),
                  folder_uid(s->folder, seqs->ranges[i].last));
}

bool parse_messages(struct session *s, struct imap_sequence *sequence) {
  return imap_parse_space(&s->parser) && imap_parse_sequence(&s->parser, sequence);
}

bool messages_named(struct session *s, struct imap_sequence const *sequence, struct set *seqs) {
  if (messages_find(s, sequence, command_by_uid(s), seqs)) return true;
  answer_bad(s, "There are not so many messages");
  return false;
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
