/* SEARCH (RFC 3501 section 6.4.4, RFC 4731).
 *
 *   search = "SEARCH" [SP "RETURN" SP "(" [options] ")"] [SP "CHARSET" SP astring]
 *            1*(SP search-key)
 */
#include "imapd/search.h"

/* Clients ask for a flag more often than for all else: the messages without it are passed over
 * where they lie. */
static uint32_t skip_to_flags(struct session *s, struct search_key const *key, uint32_t seq) {
  if (key->match == match_flags_set)
    return folder_next_flagged(s->folder, seq, key->flags, key->flags);
  if (key->match == match_flags_unset) return folder_next_flagged(s->folder, seq, key->flags, 0);
  return seq;
}

/* A search that is under way. */
struct run {
  struct search_subject subject;
  struct search_key const *key;
  uint32_t count; /* messages of the view */
  uint32_t limit; /* no more are wanted */
  struct found *found;
  enum store_error worst;
};

/* Whether to go on. */
static bool look_at(struct run *r, uint32_t seq) {
  enum store_error error;
  if (search_matches(&r->subject, r->key, seq, &error)) r->found->seqs[r->found->n++] = seq;
  if (error > r->worst && error != STORE_EXPUNGED) r->worst = error;
  return r->found->n < r->limit && !wait_interrupted(r->subject.session);
}

static void run_forwards(struct run *r) {
  for (uint32_t seq = 1; seq <= r->count; seq++) {
    seq = skip_to_flags(r->subject.session, r->key, seq);
    if (seq > r->count || !look_at(r, seq)) return;
  }
}

static void run_backwards(struct run *r) {
  for (uint32_t seq = r->count; seq && look_at(r, seq);) seq--;
  uint32_t *seqs = r->found->seqs;
  for (uint32_t i = 0, j = r->found->n; i + 1 < j; i++) {
    uint32_t last = seqs[--j];
    seqs[j] = seqs[i];
    seqs[i] = last;
  }
}

enum store_error search_run(struct search const *search, struct result_options const *options,
                            struct found *found) {
  struct session *s = search->session;
  struct search_key const *first = search->all.child;
  struct run r = {.subject = {.session = s, .facts_wanted = search->facts},
                  .key = first->next ? &search->all : first,
                  .count = folder_count(s->folder),
                  .limit = UINT32_MAX,
                  .found = found};
  bool backwards = false;
  if (options) result_limit(options, &backwards, &r.limit);
  *found = (struct found){.seqs = arena_alloc(&s->arena, r.count * sizeof *found->seqs)};
  (backwards ? run_backwards : run_forwards)(&r);
  return r.worst;
}

static bool ends(void *session) {
  return wait_interrupted(session);
}

struct folder_patience search_patience(struct session *s) {
  return (struct folder_patience){ends, s};
}

static bool parse(struct search *search, struct result_options *options) {
  struct imap_parser *parser = search->parser;
  bool has_options, has_charset;
  if (!imap_parse_space(parser) || !search_parse_word(search, "RETURN", &has_options)) return false;
  if (has_options && (!result_parse_options(search->session, options) || !imap_parse_space(parser)))
    return false;
  if (!search_parse_word(search, "CHARSET", &has_charset)) return false;
  if (has_charset &&
      (!imap_parse_space(parser) || !search_parse_charset(search) || !imap_parse_space(parser)))
    return false;
  return search_parse_keys(search);
}

bool command_search(struct session *s) {
  struct search search;
  struct result_options options = {0};
  search_init(&search, s);
  if (!parse(&search, &options)) return false;
  if (search.charset_unknown) {
    result_refuse(s, &options);
  } else {
    struct found found;
    enum store_error error = search_run(&search, &options, &found);
    result_answer(s, "SEARCH", &options, &found, error);
  }
  return true;
}
