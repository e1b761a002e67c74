/* Whether a message matches a search key (RFC 3501 section 6.4.4, RFC 5032, RFC 8514).
 * What a key needs of the message
 * is got when it is first needed, and kept for the keys after it. */
#include "imapd/search.h"

/* ---- what is known of the message ---- */

static bool got_facts(struct search_subject *m) {
  if (m->has_facts) return true;
  if (m->error != STORE_OK) return false;
  struct session *s = m->session;
  m->error = folder_facts(s->folder, m->seq, m->facts_wanted, &s->message, &m->facts);
  m->has_facts = m->error == STORE_OK;
  return m->has_facts;
}

static bool got_fields(struct search_subject *m, struct search_key const *key,
                       struct field_lines *lines) {
  struct session *s = m->session;
  if (m->error == STORE_OK)
    m->error = folder_fields(s->folder, m->seq, &key->fields, &s->message, lines);
  return m->error == STORE_OK;
}

static unsigned int flags_of(struct search_subject const *m) {
  return folder_flags(m->session->folder, m->seq);
}

/* ---- keys made of keys ---- */

bool match_all(struct search_subject *m, struct search_key const *key) {
  (void)m;
  (void)key;
  return true;
}

bool match_list(struct search_subject *m, struct search_key const *key) {
  for (struct search_key const *k = key->child; k; k = k->next)
    if (!k->match(m, k)) return false;
  return true;
}

bool match_not(struct search_subject *m, struct search_key const *key) {
  return !key->child->match(m, key->child);
}

bool match_or(struct search_subject *m, struct search_key const *key) {
  for (struct search_key const *k = key->child; k; k = k->next)
    if (k->match(m, k)) return true;
  return false;
}

/* ---- keys of the view ---- */

bool match_seqs(struct search_subject *m, struct search_key const *key) {
  return set_contains(&key->seqs, m->seq);
}

bool match_flags_set(struct search_subject *m, struct search_key const *key) {
  return flags_of(m) & key->flags;
}

bool match_flags_unset(struct search_subject *m, struct search_key const *key) {
  return !(flags_of(m) & key->flags);
}

bool match_new(struct search_subject *m, struct search_key const *key) {
  (void)key;
  return (flags_of(m) & (FLAG_RECENT | FLAG_SEEN)) == FLAG_RECENT;
}

bool match_old(struct search_subject *m, struct search_key const *key) {
  (void)key;
  return !(flags_of(m) & FLAG_RECENT);
}

bool match_keyword(struct search_subject *m, struct search_key const *key) {
  return key->keyword >= 0 &&
         folder_has_keyword(m->session->folder, m->seq, (unsigned int)key->keyword);
}

bool match_no_keyword(struct search_subject *m, struct search_key const *key) {
  return !match_keyword(m, key);
}

/* ---- dates and sizes ---- */

static bool internal_date(struct search_subject *m, time_t *t) {
  if (m->error == STORE_OK) m->error = folder_internal_date(m->session->folder, m->seq, t);
  return m->error == STORE_OK;
}

static bool received(struct search_subject *m, int32_t *day) {
  time_t t;
  if (!internal_date(m, &t)) return false;
  *day = day_of_time(t);
  return true;
}

bool match_before(struct search_subject *m, struct search_key const *key) {
  int32_t day;
  return received(m, &day) && day < key->day;
}

bool match_on(struct search_subject *m, struct search_key const *key) {
  int32_t day;
  return received(m, &day) && day == key->day;
}

bool match_since(struct search_subject *m, struct search_key const *key) {
  int32_t day;
  return received(m, &day) && day >= key->day;
}

/* RFC 5032 section 2. */
bool match_older(struct search_subject *m, struct search_key const *key) {
  time_t t;
  return internal_date(m, &t) && t <= key->time;
}

bool match_younger(struct search_subject *m, struct search_key const *key) {
  time_t t;
  return internal_date(m, &t) && t >= key->time;
}

/* Without a save date, the internal date (RFC 8514 section 4.3). */
static bool saved(struct search_subject *m, int32_t *day) {
  time_t t;
  if (!folder_save_date(m->session->folder, m->seq, &t)) return received(m, day);
  *day = day_of_time(t);
  return true;
}

bool match_saved_before(struct search_subject *m, struct search_key const *key) {
  int32_t day;
  return saved(m, &day) && day < key->day;
}

bool match_saved_on(struct search_subject *m, struct search_key const *key) {
  int32_t day;
  return saved(m, &day) && day == key->day;
}

bool match_saved_since(struct search_subject *m, struct search_key const *key) {
  int32_t day;
  return saved(m, &day) && day >= key->day;
}

/* A message without a date that can be read was sent on no day. */
bool match_sent_before(struct search_subject *m, struct search_key const *key) {
  return got_facts(m) && m->facts.has_sent && m->facts.sent_day < key->day;
}

bool match_sent_on(struct search_subject *m, struct search_key const *key) {
  return got_facts(m) && m->facts.has_sent && m->facts.sent_day == key->day;
}

bool match_sent_since(struct search_subject *m, struct search_key const *key) {
  return got_facts(m) && m->facts.has_sent && m->facts.sent_day >= key->day;
}

bool match_larger(struct search_subject *m, struct search_key const *key) {
  return got_facts(m) && m->facts.size > key->size;
}

bool match_smaller(struct search_subject *m, struct search_key const *key) {
  return got_facts(m) && m->facts.size < key->size;
}

/* ---- text ---- */

static bool has_field(struct search_subject *m, struct search_key const *key) {
  struct field_lines lines;
  struct message_field field;
  size_t at = 0;
  return got_fields(m, key, &lines) && message_next_field(lines.data, lines.size, &at, &field);
}

/* With an empty string: that there is such a field. */
bool match_header(struct search_subject *m, struct search_key const *key) {
  struct session *s = m->session;
  bool holds = false;
  if (!key->needle) return has_field(m, key);
  if (m->error == STORE_OK)
    m->error =
        folder_fields_hold(s->folder, m->seq, &key->fields, key->needle, &s->message, &holds);
  return holds;
}

static bool text_matches(struct search_subject *m, struct search_key const *key, bool with_header) {
  bool holds = false;
  if (!key->needle) return true;
  if (m->error == STORE_OK)
    m->error = folder_text_holds(m->session->folder, m->seq, key->needle, with_header, &holds);
  return holds;
}

bool match_body(struct search_subject *m, struct search_key const *key) {
  return text_matches(m, key, false);
}

bool match_text(struct search_subject *m, struct search_key const *key) {
  return text_matches(m, key, true);
}

/* ---- the message ---- */

bool search_matches(struct search_subject *m, struct search_key const *key, uint32_t seq,
                    enum store_error *error) {
  m->seq = seq;
  *error = STORE_OK;
  if (key->cost == COST_VIEW) return key->match(m, key); /* opens nothing, cannot fail */
  m->has_facts = false;
  m->error = STORE_OK;
  bool matches = key->match(m, key) && m->error == STORE_OK;
  if (m->session->message.blocks) arena_release(&m->session->message);
  *error = m->error;
  return matches;
}
