/* THREAD (RFC 5256; REFS: draft-ietf-morg-inthread).
 *
 *   thread = "THREAD" SP ("ORDEREDSUBJECT" / "REFERENCES" / "REFS") SP charset 1*(SP search-key)
 */
#include "imapd/search.h"
#include "message/thread.h"

#include <strings.h>

/* What the algorithms look at. */
enum { BY_SUBJECT = 1, BY_LINKS = 2, BY_ARRIVAL = 4 };

static struct algorithm {
  char const *name;
  thread_algorithm *run;
  unsigned int columns;
} const algorithms[] = {
    {"ORDEREDSUBJECT", thread_by_subject, BY_SUBJECT},
    {"REFERENCES", thread_by_references, BY_SUBJECT | BY_LINKS},
    {"REFS", thread_by_refs, BY_LINKS | BY_ARRIVAL},
};

static bool parse_algorithm(struct imap_parser *p, struct algorithm const **algorithm) {
  char *name;
  if (!imap_parse_space(p) || !imap_parse_atom(p, &name)) return false;
  for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
    *algorithm = &algorithms[i];
    if (!strcasecmp(name, algorithms[i].name)) return true;
  }
  return imap_parse_fail(p, "Unknown threading algorithm");
}

/* ---- columns ---- */

struct columns {
  struct session *session;
  struct found const *found;
  struct folder_patience patience;
  enum store_error worst;
};

static void note(struct columns *c, enum store_error error) {
  if (error > c->worst) c->worst = error;
}

static uint64_t const *values(struct columns *c, enum sort_key key) {
  struct session *s = c->session;
  uint64_t *v = arena_alloc(&s->arena, c->found->n * sizeof *v + 1);
  note(c, folder_sort_values(s->folder, key, c->found->seqs, c->found->n, &c->patience, v));
  return v;
}

static struct message_links const *links(struct columns *c) {
  struct session *s = c->session;
  struct message_links *l = arena_alloc(&s->arena, c->found->n * sizeof *l + 1);
  note(c, folder_links(s->folder, c->found->seqs, c->found->n, &c->patience, &s->arena, l));
  return l;
}

static enum store_error fill(struct session *s, struct found const *found, unsigned int wanted,
                             struct thread_messages *m) {
  struct columns c = {.session = s, .found = found, .patience = search_patience(s)};
  *m = (struct thread_messages){.n = found->n, .sent = values(&c, SORT_DATE)};
  if (wanted & BY_SUBJECT) m->subjects = values(&c, SORT_SUBJECT);
  if (wanted & BY_ARRIVAL) m->arrived = values(&c, SORT_ARRIVAL);
  if (wanted & BY_LINKS) m->links = links(&c);
  return c.worst;
}

/* ---- the answer ---- */

struct answer {
  struct session *session;
  struct found const *found;
};

static void put_text(void *context, char const *text) {
  struct answer const *a = context;
  imap_puts(&a->session->out, text);
}

static void put_message(void *context, uint32_t message) {
  struct answer const *a = context;
  uint32_t seq = a->found->seqs[message];
  bool by_uid = command_by_uid(a->session);
  imap_put_number(&a->session->out, by_uid ? folder_uid(a->session->folder, seq) : seq);
}

static void answer(struct session *s, struct found const *found, struct threads const *t,
                   enum store_error error) {
  struct answer a = {s, found};
  struct thread_writer const writer = {&a, put_text, put_message};
  imap_puts(&s->out, found->n ? "* THREAD " : "* THREAD");
  threads_write(t, &writer);
  imap_puts(&s->out, "\r\n");
  answer_result(s, error, "THREAD completed");
}

static void thread(struct session *s, struct search const *search, struct algorithm const *a) {
  struct found found;
  struct thread_messages messages;
  struct threads threads;
  enum store_error error = search_run(search, 0, &found);
  enum store_error unread = fill(s, &found, a->columns, &messages);
  if (s->ending != GOING_ON) return;
  a->run(&messages, &s->arena, &threads);
  answer(s, &found, &threads, unread > error ? unread : error);
}

bool command_thread(struct session *s) {
  struct search search;
  struct algorithm const *algorithm;
  search_init(&search, s);
  if (!parse_algorithm(&s->parser, &algorithm) || !search_parse_program(&search)) return false;
  if (search.charset_unknown)
    result_refuse(s, &(struct result_options){0});
  else
    thread(s, &search, algorithm);
  return true;
}
