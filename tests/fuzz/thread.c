/* Threads (message/thread.c, references.c, forest.c): whatever the messages say of one another,
 * each is in one place, there are no loops, and the response is trees. */
#include "fuzz.h"
#include "message/thread.h"

enum { MESSAGES_MAX = 200, REFERENCES_MAX = 7 };

static struct {
  uint64_t sent[MESSAGES_MAX], arrived[MESSAGES_MAX], subjects[MESSAGES_MAX];
  uint64_t references[MESSAGES_MAX][REFERENCES_MAX];
  struct message_links links[MESSAGES_MAX];
} box;

/* What has been written. */
struct seen {
  bool messages[MESSAGES_MAX];
  uint32_t n;
  int depth;
  bool between; /* a message may follow */
};

static void see_text(void *context, char const *text) {
  struct seen *s = context;
  for (; *text; text++) {
    must(strchr("() ", *text));
    if (*text == '(') s->depth++;
    if (*text == ')') s->depth--;
    must(s->depth >= 0);
    s->between = *text != ')';
  }
}

static void see_message(void *context, uint32_t message) {
  struct seen *s = context;
  must(s->depth > 0 && s->between && !s->messages[message]);
  s->messages[message] = true;
  s->between = false;
  s->n++;
}

static void check_tree(struct threads const *t) {
  uint32_t visited = 0;
  for (uint32_t i = 0; i < t->nodes; i++) {
    uint32_t up = i, steps = 0;
    while (t->parent[up] != NO_NODE && steps <= t->nodes) up = t->parent[up], steps++;
    must(steps <= t->nodes);
    for (uint32_t c = t->child[i]; c != NO_NODE; c = t->next[c]) {
      must(t->parent[c] == i);
      must(++visited <= t->nodes);
    }
  }
}

static void check(struct thread_messages const *m, thread_algorithm *algorithm) {
  struct arena arena = {0};
  struct threads t;
  struct seen s = {.depth = 0};
  struct thread_writer const w = {&s, see_text, see_message};
  algorithm(m, &arena, &t);
  must(t.n == m->n);
  check_tree(&t);
  threads_write(&t, &w);
  must(!s.depth && s.n == m->n);
  arena_release(&arena);
}

/* The input: for each message a byte of ID and subject, one of dates, one of the number of its
 * references, and these. */
int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  enum { HEAD = 3 };
  struct thread_messages m = {
      .sent = box.sent, .arrived = box.arrived, .subjects = box.subjects, .links = box.links};
  for (; size >= HEAD && m.n < MESSAGES_MAX; m.n++) {
    uint32_t n = data[2] % (REFERENCES_MAX + 1);
    box.sent[m.n] = data[1] % 16;
    box.arrived[m.n] = data[1] / 16;
    box.subjects[m.n] = data[0] % 8;
    box.links[m.n] = (struct message_links){
        .id = data[0] / 8, .references = box.references[m.n], .reply = data[2] & 0x80};
    data += HEAD, size -= HEAD;
    if (n > size) n = (uint32_t)size;
    for (uint32_t i = 0; i < n; i++) box.references[m.n][i] = data[i] % 40;
    box.links[m.n].nreferences = n;
    data += n, size -= n;
  }
  check(&m, thread_by_subject);
  check(&m, thread_by_references);
  check(&m, thread_by_refs);
  return 0;
}
