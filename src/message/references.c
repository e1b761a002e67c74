/* The REFERENCES algorithm, step by step as RFC 5256 section 3 numbers them, and REFS, which is its
 * steps 1 to 3 and 6 with the threads in the order of their latest arrivals
 * (draft-ietf-morg-inthread section 4). */
#include "message/forest.h"
#include "message/thread.h"

#include <string.h>

/* ---- IDs -> nodes ---- */

enum { FIRST_BITS = 10 };

struct slot {
  uint64_t id; /* 0: free */
  uint32_t node;
};
struct ids {
  struct slot *slots;
  size_t room, n; /* room: a power of 2 */
  unsigned int shift;
  uint64_t key;
  struct arena *arena;
};

/* Multiplied by a number that nobody can foresee: who sends mail chooses IDs, and might choose such
 * as would stand in one place. */
static uint64_t new_key(struct arena const *arena) {
  uint64_t where = (uintptr_t)arena->next, when = (uint64_t)clock_ms();
  return (where ^ when << 24) * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

static struct slot *slot_of(struct ids const *ids, uint64_t id) {
  size_t i = (size_t)(id * ids->key >> ids->shift);
  while (ids->slots[i].id && ids->slots[i].id != id) i = (i + 1) & (ids->room - 1);
  return &ids->slots[i];
}

static void make_room(struct ids *ids, unsigned int bits) {
  struct ids old = *ids;
  ids->room = (size_t)1 << bits;
  ids->shift = 64 - bits;
  ids->slots = arena_zalloc(ids->arena, ids->room * sizeof *ids->slots);
  for (size_t i = 0; i < old.room; i++)
    if (old.slots[i].id) *slot_of(ids, old.slots[i].id) = old.slots[i];
}

/* The node of an ID; `node` if it has none yet. */
static uint32_t intern(struct ids *ids, uint64_t id, uint32_t node) {
  if (2 * ids->n >= ids->room) make_room(ids, 64 - ids->shift + 1);
  struct slot *slot = slot_of(ids, id);
  if (!slot->id) {
    *slot = (struct slot){id, node};
    ids->n++;
  }
  return slot->node;
}

/* The nodes of all references, one message after another, and how many nodes there are.  Of several
 * messages with one ID the first has it. */
static uint32_t *intern_all(struct thread_messages const *m, struct arena *arena, uint32_t *nodes) {
  struct ids ids = {.arena = arena, .key = new_key(arena)};
  unsigned int bits = FIRST_BITS;
  size_t n = 0;
  while ((size_t)1 << bits < 2 * (size_t)m->n) bits++;
  make_room(&ids, bits);
  for (uint32_t i = 0; i < m->n; i++) {
    if (m->links[i].id) intern(&ids, m->links[i].id, i);
    n += m->links[i].nreferences;
  }
  uint32_t *references = arena_alloc(arena, n * sizeof *references + 1), *out = references;
  *nodes = m->n;
  for (uint32_t i = 0; i < m->n; i++)
    for (uint32_t k = 0; k < m->links[i].nreferences; k++) {
      *out = intern(&ids, m->links[i].references[k], *nodes);
      *nodes += *out++ == *nodes;
    }
  return references;
}

/* ---- step 1 ---- */

static void link_message(struct forest *f, uint32_t message, uint32_t const *references,
                         uint32_t n) {
  for (uint32_t k = 1; k < n; k++) /* A */
    if (f->parent[references[k]] == NO_NODE) forest_link(f, references[k - 1], references[k]);
  if (n && f->parent[message] == references[n - 1]) return;
  forest_cut(f, message); /* B */
  if (n) forest_link(f, references[n - 1], message);
}

static void link_all(struct thread_messages const *m, struct arena *arena, struct forest *f) {
  uint32_t nodes;
  uint32_t const *references = intern_all(m, arena, &nodes);
  forest_init(f, nodes, arena);
  for (uint32_t i = 0; i < m->n; i++) {
    link_message(f, i, references, m->links[i].nreferences);
    references += m->links[i].nreferences;
  }
}

/* ---- steps 2 and 3 ---- */

/* The nearest message above; if there is none the topmost dummy, or NO_NODE.  Ways through dummies
 * are shortened as they are walked. */
static uint32_t above(struct forest *f, uint32_t nmessages, uint32_t node) {
  uint32_t top = f->parent[node];
  while (top != NO_NODE && top >= nmessages && f->parent[top] != NO_NODE) top = f->parent[top];
  for (uint32_t next; (next = f->parent[node]) != top; node = next) f->parent[node] = top;
  return top;
}

/* Dummies go, but for roots with several children. */
static void prune(struct forest *f, uint32_t nmessages, struct arena *arena, struct threads *t) {
  uint32_t *children = arena_zalloc(arena, (size_t)f->n * sizeof *children + 1);
  threads_init(t, nmessages, f->n + nmessages, arena);
  t->nodes = f->n;
  for (uint32_t i = 0; i < nmessages; i++) {
    t->parent[i] = above(f, nmessages, i);
    if (t->parent[i] != NO_NODE) children[t->parent[i]]++;
  }
  for (uint32_t i = 0; i < nmessages; i++) {
    uint32_t parent = t->parent[i];
    if (parent != NO_NODE && parent >= nmessages && children[parent] == 1) t->parent[i] = NO_NODE;
  }
}

static void thread_by_links(struct thread_messages const *m, struct arena *arena,
                            struct threads *t) {
  struct forest f;
  link_all(m, arena, &f);
  prune(&f, m->n, arena, t);
}

/* ---- step 5 ---- */

struct subjects {
  struct thread_messages const *messages;
  struct threads *threads;
  uint32_t *table; /* by number of the base subject: node */
};

static bool is_dummy(struct subjects const *s, uint32_t node) {
  return node >= s->threads->n;
}

static bool is_reply(struct subjects const *s, uint32_t node) {
  return !is_dummy(s, node) && s->messages->links[node].reply;
}

/* Where in the table the thread of a root is; null if its subject is empty. */
static uint32_t *entry_of(struct subjects const *s, uint32_t root) {
  uint64_t subject = s->messages->subjects[is_dummy(s, root) ? s->threads->child[root] : root];
  return subject ? &s->table[subject] : 0;
}

/* B */
static void fill_table(struct subjects *s) {
  for (uint32_t root = s->threads->first; root != NO_NODE; root = s->threads->next[root]) {
    uint32_t *entry = entry_of(s, root);
    if (!entry) continue;
    if (*entry == NO_NODE || (!is_dummy(s, *entry) &&
                              (is_dummy(s, root) || (is_reply(s, *entry) && !is_reply(s, root)))))
      *entry = root;
  }
}

static void move_children(struct threads *t, uint32_t from, uint32_t to) {
  for (uint32_t node = t->child[from]; node != NO_NODE; node = t->next[node]) t->parent[node] = to;
}

/* C, (iv) */
static void merge(struct subjects *s, uint32_t root, uint32_t *entry) {
  struct threads *t = s->threads;
  if (is_dummy(s, *entry)) {
    if (is_dummy(s, root))
      move_children(t, root, *entry);
    else
      t->parent[root] = *entry;
  } else if (is_reply(s, root) && !is_reply(s, *entry)) {
    t->parent[root] = *entry;
  } else {
    uint32_t dummy = t->nodes++;
    t->parent[root] = t->parent[*entry] = dummy;
    *entry = dummy;
  }
}

/* C: a root that has been merged is none any more. */
static void merge_subjects(struct subjects *s) {
  for (uint32_t root = s->threads->first; root != NO_NODE; root = s->threads->next[root]) {
    uint32_t *entry = entry_of(s, root);
    if (entry && *entry != root && s->threads->parent[root] == NO_NODE) merge(s, root, entry);
  }
}

static void gather_subjects(struct thread_messages const *m, struct arena *arena,
                            struct threads *t) {
  uint64_t highest = 0;
  for (uint32_t i = 0; i < m->n; i++)
    if (m->subjects[i] > highest) highest = m->subjects[i];
  struct subjects s = {m, t, arena_alloc(arena, (highest + 1) * sizeof *s.table)};
  memset(s.table, 0xff, (highest + 1) * sizeof *s.table); /* NO_NODE */
  fill_table(&s);
  merge_subjects(&s);
}

/* ---- the algorithms ---- */

void thread_by_references(struct thread_messages const *m, struct arena *arena, struct threads *t) {
  uint32_t const *by_date = thread_order(m, m->sent, arena);
  thread_by_links(m, arena, t);
  threads_list(t, by_date); /* step 4 */
  gather_subjects(m, arena, t);
  threads_list(t, by_date); /* step 6 */
}

/* The root of each message's thread. */
static uint32_t *roots_of(struct threads const *t, struct arena *arena) {
  uint32_t *root = arena_alloc(arena, (size_t)t->nodes * sizeof *root + 1);
  for (uint32_t top = t->first; top != NO_NODE; top = t->next[top]) {
    for (uint32_t node = top; node != NO_NODE;) {
      root[node] = top;
      if (t->child[node] != NO_NODE) {
        node = t->child[node];
        continue;
      }
      while (node != top && t->next[node] == NO_NODE) node = t->parent[node];
      node = node == top ? NO_NODE : t->next[node];
    }
  }
  return root;
}

/* The thread that has got a message last is last. */
static void sort_by_arrival(struct thread_messages const *m, struct arena *arena,
                            struct threads *t) {
  uint32_t const *by_arrival = thread_order(m, m->arrived, arena);
  uint32_t const *root = roots_of(t, arena);
  char *listed = arena_zalloc(arena, (size_t)t->nodes + 1);
  uint32_t first = NO_NODE;
  for (uint32_t i = m->n; i--;) {
    uint32_t top = root[by_arrival[i]];
    if (listed[top]) continue;
    listed[top] = true;
    t->next[top] = first;
    first = top;
  }
  t->first = first;
}

void thread_by_refs(struct thread_messages const *m, struct arena *arena, struct threads *t) {
  thread_by_links(m, arena, t);
  threads_list(t, thread_order(m, m->sent, arena));
  sort_by_arrival(m, arena, t);
}
