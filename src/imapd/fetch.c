/* FETCH (RFC 3501 sections 6.4.5 and 7.4.2), with BINARY (RFC 3516) and PREVIEW (RFC 8970): what it
 * answers.  How it is written is fetchparse.c's.
 *
 * A message's facts and sections are all at hand before the first byte of its response is put: a
 * message that cannot be read is left out, the others are told, and the answer is NO. */
#include "imapd/fetch.h"

#include <unistd.h>

/* ---- items ---- */

static void put_uid(struct session *s, uint32_t seq, struct fetched const *got) {
  (void)got;
  imap_put_number(&s->out, folder_uid(s->folder, seq));
}

static void put_flags(struct session *s, uint32_t seq, struct fetched const *got) {
  (void)got;
  put_message_flags(s, seq);
}

static void put_internal_date(struct session *s, uint32_t seq, struct fetched const *got) {
  (void)seq;
  imap_put_date_time(&s->out, got->date);
}

static void put_save_date(struct session *s, uint32_t seq, struct fetched const *got) {
  time_t t;
  (void)got;
  if (folder_save_date(s->folder, seq, &t))
    imap_put_date_time(&s->out, t);
  else
    imap_puts(&s->out, "NIL");
}

static void put_size(struct session *s, uint32_t seq, struct fetched const *got) {
  (void)seq;
  imap_put_number(&s->out, got->facts.size);
}

static void put_envelope(struct session *s, uint32_t seq, struct fetched const *got) {
  (void)seq;
  imap_put(&s->out, got->facts.envelope, got->facts.envelope_size);
}

static void put_body(struct session *s, uint32_t seq, struct fetched const *got) {
  (void)seq;
  imap_put(&s->out, got->facts.body, got->facts.body_size);
}

static void put_bodystructure(struct session *s, uint32_t seq, struct fetched const *got) {
  (void)seq;
  imap_put(&s->out, got->facts.bodystructure, got->facts.bodystructure_size);
}

static void put_preview(struct session *s, uint32_t seq, struct fetched const *got) {
  (void)seq;
  imap_put_nstring(&s->out, got->preview.text, got->preview.size);
}

#define NAMED(text) text, sizeof text - 1
struct plain_item const plain_items[FETCH_SECTION] = {
    [FETCH_UID] = {NAMED("UID"), 0, put_uid},
    [FETCH_FLAGS] = {NAMED("FLAGS"), 0, put_flags},
    [FETCH_INTERNALDATE] = {NAMED("INTERNALDATE"), 0, put_internal_date},
    [FETCH_SAVEDATE] = {NAMED("SAVEDATE"), 0, put_save_date},
    [FETCH_SIZE] = {NAMED("RFC822.SIZE"), FACT_SIZE, put_size},
    [FETCH_ENVELOPE] = {NAMED("ENVELOPE"), FACT_ENVELOPE, put_envelope},
    [FETCH_BODY] = {NAMED("BODY"), FACT_BODY, put_body},
    [FETCH_BODYSTRUCTURE] = {NAMED("BODYSTRUCTURE"), FACT_BODYSTRUCTURE, put_bodystructure},
    [FETCH_PREVIEW] = {NAMED("PREVIEW"), 0, put_preview},
};

static void put_item(struct session *s, uint32_t seq, struct fetch_item const *item,
                     struct fetched const *got, struct found_section const *section) {
  if (item->kind == FETCH_SECTION) {
    section_put(s, seq, item, section, got->fd);
    return;
  }
  struct plain_item const *plain = &plain_items[item->kind];
  imap_put(&s->out, plain->name, plain->name_size);
  imap_puts(&s->out, " ");
  plain->put(s, seq, got);
}

/* Whether the message's own header fields answer every section. */
static bool fields_suffice(struct fetch const *f) {
  for (size_t i = 0; i < f->n; i++) {
    struct message_section const *section = &f->items[i].section;
    if (f->items[i].kind == FETCH_SECTION &&
        (section->depth || section->kind != SECTION_HEADER_FIELDS))
      return false;
  }
  return true;
}

/* ---- responses ---- */

static void put_message(struct session *s, struct fetch const *f, uint32_t seq,
                        struct fetched const *got) {
  imap_puts(&s->out, "* ");
  imap_put_number(&s->out, seq);
  imap_puts(&s->out, " FETCH (");
  for (size_t i = 0; i < f->n && s->ending == GOING_ON; i++) {
    if (i) imap_puts(&s->out, " ");
    put_item(s, seq, &f->items[i], got, &got->sections[i]);
  }
  if (!(f->kinds & 1U << FETCH_FLAGS) && set_contains(&f->not_seen, seq)) {
    imap_puts(&s->out, " FLAGS ");
    put_message_flags(s, seq);
  }
  imap_puts(&s->out, ")\r\n");
}

/* Of a message that cannot be shown, and has become \Seen. */
static void put_seen(struct session *s, struct fetch const *f, uint32_t seq) {
  if (!set_contains(&f->not_seen, seq)) return;
  imap_puts(&s->out, "* ");
  imap_put_number(&s->out, seq);
  imap_puts(&s->out, " FETCH (FLAGS ");
  put_message_flags(s, seq);
  imap_puts(&s->out, ")\r\n");
}

static enum store_error fetch_message(struct session *s, struct fetch const *f, uint32_t seq,
                                      struct fetched *got) {
  enum store_error error = STORE_OK;
  got->fd = -1;
  got->undecodable = false;
  if (f->kinds & 1U << FETCH_SECTION) error = section_find(s, seq, f, got);
  if (error == STORE_OK && f->kinds & 1U << FETCH_INTERNALDATE)
    error = folder_internal_date(s->folder, seq, &got->date);
  if (error == STORE_OK && f->kinds & 1U << FETCH_PREVIEW) {
    error = folder_preview(s->folder, seq, f->lazy, &s->message, &got->preview);
    s->previews += !f->lazy;
  }
  /* Last, since they live until the next call. */
  if (error == STORE_OK && f->facts)
    error = folder_facts(s->folder, seq, f->facts, &s->message, &got->facts);
  if (error == STORE_OK && !got->undecodable)
    put_message(s, f, seq, got);
  else
    put_seen(s, f, seq);
  if (got->fd >= 0) close(got->fd);
  if (s->message.blocks) arena_release(&s->message);
  return error;
}

/* ---- the command ---- */

/* \Seen for those of the messages that lack it, in one change.  That it fails (a full disk) is no
 * reason not to show the messages; the store has logged it. */
static void set_seen(struct session *s, struct fetch *f, struct set const *seqs) {
  if (!f->seen || folder_read_only(s->folder)) return;
  for (uint32_t seq = 0; set_next(seqs, &seq);)
    if (!(folder_flags(s->folder, seq) & FLAG_SEEN)) set_add(&f->not_seen, seq);
  if (!f->not_seen.n) return;
  struct flag_change const change = {
      .operation = FLAGS_ADD, .flags = FLAG_SEEN, .unchanged_since = UINT64_MAX};
  struct flag_result result;
  if (folder_store(s->folder, &f->not_seen, &change, &s->arena, &result) != STORE_OK)
    set_init(&f->not_seen, &s->arena);
  else
    f->not_seen = result.changed;
}

/* The worst of what happened to single messages; a failure of the system outweighs an expunge. */
static void note_error(enum store_error *worst, enum store_error error) {
  if (error > *worst) *worst = error;
}

static enum store_error fetch_messages(struct session *s, struct fetch *f, struct set const *seqs) {
  enum store_error worst = STORE_OK;
  struct fetched got = {.sections = arena_alloc(&s->arena, f->n * sizeof *got.sections)};
  for (uint32_t seq = 0; set_next(seqs, &seq);) {
    if (wait_interrupted(s)) break;
    note_error(&worst, fetch_message(s, f, seq, &got));
    f->undecodable |= got.undecodable;
  }
  return worst;
}

bool command_fetch(struct session *s) {
  struct imap_sequence sequence;
  struct fetch f = {0};
  struct partial partial = {0};
  struct set seqs;
  if (command_by_uid(s)) fetch_add_plain(s, &f, FETCH_UID);
  if (!parse_messages(s, &sequence) || !fetch_parse_items(s, &f) ||
      !fetch_parse_modifiers(s, &f, &partial) || !imap_parse_end(&s->parser))
    return false;
  if (!messages_named(s, &sequence, &seqs)) return true;
  if (partial.first) partial_keep(&partial, &seqs);
  f.fields_only = fields_suffice(&f);
  set_init(&f.not_seen, &s->arena);
  set_seen(s, &f, &seqs);
  enum store_error error = fetch_messages(s, &f, &seqs);
  if (s->ending != GOING_ON) return true;
  if (error == STORE_OK && f.undecodable)
    answer_no(s, "UNKNOWN-CTE", "Not all of these parts can be decoded");
  else
    answer_done(s, error, "FETCH completed");
  return true;
}
