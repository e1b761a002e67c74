/* STORE (RFC 3501 section 6.4.6).
 *
 *   store           = "STORE" SP sequence-set SP store-att-flags
 *   store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
 */
#include "imapd/session.h"

#include <strings.h>

static struct {
  char const *name;
  enum flag_operation operation;
  bool silent;
} const store_items[] = {
    {"FLAGS", FLAGS_REPLACE, false}, {"FLAGS.SILENT", FLAGS_REPLACE, true},
    {"+FLAGS", FLAGS_ADD, false},    {"+FLAGS.SILENT", FLAGS_ADD, true},
    {"-FLAGS", FLAGS_REMOVE, false}, {"-FLAGS.SILENT", FLAGS_REMOVE, true},
};

static bool parse_store_item(struct session *s, enum flag_operation *operation, bool *silent) {
  char *name;
  if (!imap_parse_space(&s->parser) || !imap_parse_word(&s->parser, &name)) return false;
  for (size_t i = 0; i < sizeof store_items / sizeof *store_items; i++) {
    if (strcasecmp(name, store_items[i].name)) continue;
    *operation = store_items[i].operation;
    *silent = store_items[i].silent;
    return true;
  }
  return imap_parse_fail(&s->parser, "FLAGS, +FLAGS or -FLAGS expected");
}

static void store_flags(struct session *s, struct set const *seqs, struct flag_change const *change,
                        bool silent) {
  struct flag_result result;
  enum store_error error = folder_store(s->folder, seqs, change, &s->arena, &result);
  if (error == STORE_OK) {
    update_keywords(s);
    for (uint32_t seq = 0; !silent && set_next(&result.changed, &seq);) update_put_flags(s, seq);
    if (result.gone.n) error = STORE_EXPUNGED;
  }
  answer_done(s, error, "STORE completed");
}

bool command_store(struct session *s) {
  struct imap_sequence sequence;
  struct flag_change change = {.unchanged_since = UINT64_MAX};
  struct flag_list list;
  struct set seqs;
  bool silent = false;
  if (!parse_messages(s, &sequence) || !parse_store_item(s, &change.operation, &silent) ||
      !imap_parse_space(&s->parser) || !parse_flag_list(s, true, &list) ||
      !imap_parse_end(&s->parser))
    return false;
  if (!messages_named(s, &sequence, &seqs) || refused_read_only(s)) return true;
  change.flags = list.flags;
  change.keywords = list.keywords;
  change.nkeywords = list.nkeywords;
  if (list.too_long)
    answer_no(s, store_code(STORE_LIMIT), "A keyword is too long");
  else if (!seqs.n)
    answer_ok(s, "No such messages, nothing stored");
  else
    store_flags(s, &seqs, &change, silent);
  return true;
}
