/* Trees of messages in order; ORDEREDSUBJECT; the THREAD response (RFC 5256 sections 3 to 5). */
#include "message/thread.h"

#include <string.h>

void threads_init(struct threads *t, uint32_t n, uint32_t room, struct arena *arena) {
  size_t size = (size_t)room * sizeof *t->parent;
  *t = (struct threads){.n = n, .nodes = n, .room = room, .first = NO_NODE};
  t->parent = arena_alloc(arena, size + 1);
  t->child = arena_alloc(arena, size + 1);
  t->next = arena_alloc(arena, size + 1);
  t->last = arena_alloc(arena, size + 1);
  memset(t->parent, 0xff, size); /* NO_NODE */
}

uint32_t *thread_order(struct thread_messages const *m, uint64_t const *column,
                       struct arena *arena) {
  uint32_t *order = arena_alloc(arena, m->n * sizeof *order + 1);
  for (uint32_t i = 0; i < m->n; i++) order[i] = i;
  order_by(order, m->n, column, arena_alloc(arena, m->n * sizeof *order + 1));
  return order;
}

/* ---- lists ---- */

static void append_root(struct threads *t, uint32_t *last, uint32_t node) {
  *(*last == NO_NODE ? &t->first : &t->next[*last]) = node;
  *last = node;
}

static void append_child(struct threads *t, uint32_t parent, uint32_t node) {
  *(t->child[parent] == NO_NODE ? &t->child[parent] : &t->next[t->last[parent]]) = node;
  t->last[parent] = node;
}

void threads_list(struct threads *t, uint32_t const *order) {
  uint32_t last = NO_NODE;
  t->first = NO_NODE;
  memset(t->child, 0xff, (size_t)t->nodes * sizeof *t->child);
  memset(t->next, 0xff, (size_t)t->nodes * sizeof *t->next);
  for (uint32_t i = 0; i < t->n; i++) {
    uint32_t node = order[i], parent = t->parent[node];
    if (parent == NO_NODE) {
      append_root(t, &last, node);
    } else {
      if (parent >= t->n && t->child[parent] == NO_NODE) append_root(t, &last, parent);
      append_child(t, parent, node);
    }
  }
}

/* ---- ORDEREDSUBJECT ---- */

/* In the order of dates the first of a subject is the root, the others are its children. */
void thread_by_subject(struct thread_messages const *m, struct arena *arena, struct threads *t) {
  uint32_t *by_date = thread_order(m, m->sent, arena);
  uint32_t *by_subject = arena_alloc(arena, m->n * sizeof *by_subject + 1);
  memcpy(by_subject, by_date, m->n * sizeof *by_subject);
  order_by(by_subject, m->n, m->subjects, arena_alloc(arena, m->n * sizeof *by_subject + 1));
  threads_init(t, m->n, m->n, arena);
  for (uint32_t i = 1, first = 0; i < m->n; i++) {
    if (m->subjects[by_subject[i]] == m->subjects[by_subject[first]])
      t->parent[by_subject[i]] = by_subject[first];
    else
      first = i;
  }
  threads_list(t, by_date);
}

/* ---- the response ---- */

static bool has_branches(struct threads const *t, uint32_t node) {
  return t->child[node] != t->last[node];
}

/* From a node down to a leaf, as first children go. */
static uint32_t write_down(struct threads const *t, struct thread_writer const *w, uint32_t node) {
  w->text(w->context, "(");
  for (;;) {
    bool is_message = node < t->n;
    if (is_message) w->message(w->context, node);
    if (t->child[node] == NO_NODE) return node;
    if (is_message) w->text(w->context, " ");
    if (has_branches(t, node)) w->text(w->context, "(");
    node = t->child[node];
  }
}

/* From a leaf up to the next branch; NO_NODE at the end of the thread.  Every node that is one of
 * several children, and the root, closes a parenthesis. */
static uint32_t write_up(struct threads const *t, struct thread_writer const *w, uint32_t node) {
  for (;; node = t->parent[node]) {
    uint32_t parent = t->parent[node];
    if (parent == NO_NODE || has_branches(t, parent)) w->text(w->context, ")");
    if (parent == NO_NODE) return NO_NODE;
    if (t->next[node] != NO_NODE) return t->next[node];
  }
}

void threads_write(struct threads const *t, struct thread_writer const *w) {
  for (uint32_t root = t->first; root != NO_NODE; root = t->next[root])
    for (uint32_t node = root; node != NO_NODE;) node = write_up(t, w, write_down(t, w, node));
}
