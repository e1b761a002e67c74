/* Threads: the RFC's examples, and random and hostile mail against a model that does literally what
 * RFC 5256 section 3 says, without regard to its cost. */
#include "../tap.h"
#include "message/thread.h"

#include <stdlib.h>
#include <skalibs/stralloc.h>

enum { MOST = 8000, REFERENCES = 8 };

/* The messages of a test; IDs are numbers from 1. */
static struct {
  uint32_t n;
  uint64_t sent[MOST], arrived[MOST], subjects[MOST];
  uint64_t references[MOST][REFERENCES];
  struct message_links links[MOST];
} mail;

static void begin(void) {
  memset(&mail, 0, sizeof mail);
}

/* References end with a 0. */
static void add(uint64_t id, uint64_t const *references, uint64_t sent, uint64_t subject,
                bool reply) {
  uint32_t i = mail.n++, k = 0;
  for (; references[k]; k++) mail.references[i][k] = references[k];
  mail.links[i] = (struct message_links){id, mail.references[i], k, reply};
  mail.sent[i] = sent;
  mail.subjects[i] = subject;
}

#define REFS(...) ((uint64_t const[]){__VA_ARGS__ __VA_OPT__(, ) 0})

/* ---- what the library says ---- */

static stralloc text;

static void put_text(void *context, char const *s) {
  (void)context;
  stralloc_cats(&text, s);
}

static void put_message(void *context, uint32_t message) {
  char number[12];
  snprintf(number, sizeof number, "%u", message + 1);
  put_text(context, number);
}

static char const *threads_by(thread_algorithm *algorithm) {
  struct thread_messages const m = {mail.n, mail.sent, mail.arrived, mail.subjects, mail.links};
  struct thread_writer const writer = {0, put_text, put_message};
  struct arena arena = {0};
  struct threads t;
  text.len = 0;
  algorithm(&m, &arena, &t);
  threads_write(&t, &writer);
  arena_release(&arena);
  stralloc_0(&text);
  return text.s;
}

/* ---- the model ---- */

enum { NODES = 3 * MOST, ROOT = -1, GONE = -2 };
static struct {
  int n; /* nodes: messages, then others */
  int parent[NODES];
  uint64_t id[NODES]; /* 0: nobody's */
} model;

static bool model_dummy(int node) {
  return node >= (int)mail.n;
}

static int model_node(uint64_t id) {
  for (int i = 0; i < model.n; i++)
    if (model.id[i] == id) return i;
  model.parent[model.n] = ROOT;
  model.id[model.n] = id;
  return model.n++;
}

static void model_link(int parent, int child) {
  for (int i = parent; i != ROOT; i = model.parent[i])
    if (i == child) return;
  model.parent[child] = parent;
}

static void model_step_1(void) {
  model.n = (int)mail.n;
  for (int i = 0; i < model.n; i++) {
    model.parent[i] = ROOT;
    model.id[i] = mail.links[i].id;
    for (int k = 0; k < i; k++)
      if (model.id[k] == model.id[i]) model.id[i] = 0;
  }
  for (uint32_t i = 0; i < mail.n; i++) {
    int before = ROOT;
    for (uint32_t k = 0; k < mail.links[i].nreferences; k++) {
      int node = model_node(mail.links[i].references[k]);
      if (before != ROOT && model.parent[node] == ROOT) model_link(before, node);
      before = node;
    }
    model.parent[i] = ROOT;
    if (before != ROOT) model_link(before, (int)i);
  }
}

static int model_compare(int a, int b, uint64_t const *dates) {
  return dates[a] != dates[b] ? (dates[a] > dates[b] ? 1 : -1) : (a > b) - (a < b);
}

static int model_children(int parent, int *list) {
  int n = 0;
  for (int i = 0; i < model.n; i++)
    if (model.parent[i] == parent) list[n++] = i;
  return n;
}

/* The message that a node is sorted by: itself or its first child. */
static int model_face(int node) {
  int face = -1;
  if (!model_dummy(node)) return node;
  for (int i = 0; i < (int)mail.n; i++)
    if (model.parent[i] == node && (face < 0 || model_compare(i, face, mail.sent) < 0)) face = i;
  return face;
}

/* The message below a root that arrived last. */
static int model_latest(int root) {
  int latest = -1;
  for (int i = 0; i < (int)mail.n; i++) {
    int top = i;
    while (model.parent[top] != ROOT) top = model.parent[top];
    if (top == root && (latest < 0 || model_compare(i, latest, mail.arrived) > 0)) latest = i;
  }
  return latest;
}

static void model_prune(int node, bool top) {
  int *list = malloc(sizeof(int) * NODES);
  int n = model_children(node, list);
  list = realloc(list, sizeof(int) * (size_t)(n + 1));
  for (int i = 0; i < n; i++) model_prune(list[i], false);
  list = realloc(list, sizeof(int) * NODES);
  n = model_children(node, list);
  if (model_dummy(node) && !(top && n > 1)) {
    for (int i = 0; i < n; i++) model.parent[list[i]] = model.parent[node];
    model.parent[node] = GONE;
  }
  free(list);
}

static void model_sort(int *list, int n, bool by_arrival) {
  static int keys[NODES];
  for (int i = 0; i < n; i++) {
    int node = list[i], key = by_arrival ? model_latest(node) : model_face(node), k = i;
    for (; k && model_compare(keys[k - 1], key, by_arrival ? mail.arrived : mail.sent) > 0; k--) {
      keys[k] = keys[k - 1];
      list[k] = list[k - 1];
    }
    keys[k] = key;
    list[k] = node;
  }
}

static bool model_reply(int node) {
  return !model_dummy(node) && mail.links[node].reply;
}

static void model_step_5(int const *roots, int n) {
  static int table[MOST];
  memset(table, 0xff, sizeof table);
  for (int i = 0; i < n; i++) {
    int node = roots[i], *entry = &table[mail.subjects[model_face(node)]];
    if (entry == table) continue;
    if (*entry < 0 || (!model_dummy(*entry) &&
                       (model_dummy(node) || (model_reply(*entry) && !model_reply(node)))))
      *entry = node;
  }
  for (int i = 0; i < n; i++) {
    int node = roots[i], *entry = &table[mail.subjects[model_face(node)]];
    if (entry == table || *entry == node || model.parent[node] != ROOT) continue;
    if (model_dummy(*entry) && model_dummy(node)) {
      for (int k = 0; k < (int)mail.n; k++)
        if (model.parent[k] == node) model.parent[k] = *entry;
      model.parent[node] = GONE;
    } else if (model_dummy(*entry) || (model_reply(node) && !model_reply(*entry))) {
      model.parent[node] = *entry;
    } else {
      model.parent[model.n] = ROOT;
      model.parent[node] = model.parent[*entry] = model.n;
      *entry = model.n++;
    }
  }
}

static void model_write(stralloc *out, int node) {
  int *list = malloc(sizeof(int) * NODES);
  int n = model_children(node, list);
  char number[12];
  snprintf(number, sizeof number, "%d", node + 1);
  if (!model_dummy(node)) stralloc_cats(out, number);
  model_sort(list, n, false);
  list = realloc(list, sizeof(int) * (size_t)(n + 1));
  if (n && !model_dummy(node)) stralloc_cats(out, " ");
  for (int i = 0; i < n; i++) {
    if (n > 1) stralloc_cats(out, "(");
    model_write(out, list[i]);
    if (n > 1) stralloc_cats(out, ")");
  }
  free(list);
}

static char const *model_threads(bool refs) {
  static stralloc out;
  static int roots[NODES];
  model_step_1();
  int n = model_children(ROOT, roots);
  for (int i = 0; i < n; i++) model_prune(roots[i], true);
  n = model_children(ROOT, roots);
  model_sort(roots, n, refs);
  if (!refs) {
    model_step_5(roots, n);
    n = model_children(ROOT, roots);
    model_sort(roots, n, false);
  }
  out.len = 0;
  for (int i = 0; i < n; i++) {
    stralloc_cats(&out, "(");
    model_write(&out, roots[i]);
    stralloc_cats(&out, ")");
  }
  stralloc_0(&out);
  return out.s;
}

/* ---- examples ---- */

static void examples(void) {
  begin();
  is(threads_by(thread_by_references), "", "no message, no thread");
  /* 1 to 6 are 2, 3, 6, 4, 44, 23 of the RFC; then 7, 96. */
  begin();
  add(2, REFS(), 1, 1, false);
  add(3, REFS(), 2, 2, false);
  add(6, REFS(3), 3, 2, true);
  add(4, REFS(3, 6), 4, 2, true);
  add(44, REFS(3, 6), 5, 2, true);
  add(23, REFS(3, 6, 4), 6, 2, true);
  add(7, REFS(6, 44), 7, 2, true);
  add(96, REFS(7), 8, 2, true);
  is(threads_by(thread_by_references), "(1)(2 3 (4 6)(5 7 8))",
     "RFC 5256 section 4: (2)(3 6 (4 23)(44 7 96))");
  is(threads_by(thread_by_subject), "(1)(2 (3)(4)(5)(6)(7)(8))", "the same by subject");
  begin();
  add(3, REFS(1), 1, 1, true);
  add(5, REFS(1), 2, 1, true);
  is(threads_by(thread_by_references), "((1)(2))", "RFC 5256 section 4: ((3)(5))");
}

/* Mail that must give the answer shown, whose messages are `first` and those behind it: sent in the
 * order shown, each the child of what it stands below, if of none of a message that is not there;
 * a subject for each thread. */
static void make_as_shown(char const *shown, unsigned long first, bool subjects) {
  enum { DEEPEST = 10, LOST = 1000 };
  static struct { uint64_t parent, sent, subject; } made[MOST];
  uint64_t above[DEEPEST] = {0}, sent = 0, threads = 0;
  unsigned int depth = 0;
  for (char *at = (char *)shown; *at;) {
    if (*at == '(') {
      if (!depth) threads++;
      above[depth + 1] = depth || at[1] != '(' ? above[depth] : LOST + threads;
      depth++, at++;
    } else if (*at >= '0' && *at <= '9') {
      unsigned long number = strtoul(at, &at, 10), i = number - first;
      made[i].parent = above[depth];
      made[i].sent = ++sent;
      made[i].subject = subjects ? threads : 0;
      above[depth] = number;
    } else {
      depth -= *at++ == ')';
    }
  }
  begin();
  for (uint64_t i = 0; i < sent; i++)
    add(first + i, REFS(made[i].parent), made[i].sent, made[i].subject, false);
}

/* Of messages numbered from 1 the numbers shown. */
static char const *renumbered(char const *threads, unsigned long first) {
  static char out[1000];
  size_t n = 0;
  for (char *at = (char *)threads; *at;)
    if (*at >= '0' && *at <= '9')
      n += (size_t)snprintf(out + n, sizeof out - n, "%lu", strtoul(at, &at, 10) + first - 1);
    else
      out[n++] = *at++;
  out[n] = 0;
  return out;
}

static void shown_answers(void) {
  enum { FIRST = 166 };
  static char const by_subject[] =
      "(166)(167)(168)(169)(172)(170)(171)(173)(174 (175)(176)(178)(181)(180))(179)(177 (183)(182)"
      "(188)(184)(185)(186)(187)(189))(190)(191)(192)(193)(194 195)(196 (197)(198))(199)(200 202)"
      "(201)(203)(204)(205)(206 207)(208)";
  static char const by_references[] =
      "(166)(167)(168)(169)(172)((170)(179))(171)(173)((174)(175)(176)(178)(181)(180))((177)(183)"
      "(182)(188 (184)(189))(185 186)(187))(190)(191)(192)(193)((194)(195 196))(197 198)(199)(200 "
      "202)(201)(203)(204)(205 206 207)(208)";
  make_as_shown(by_subject, FIRST, true);
  is(renumbered(threads_by(thread_by_subject), FIRST), by_subject,
     "RFC 5256 section 3: THREAD ORDEREDSUBJECT");
  make_as_shown(by_references, FIRST, false);
  is(renumbered(threads_by(thread_by_references), FIRST), by_references,
     "RFC 5256 section 3: THREAD REFERENCES");
}

static void steps(void) {
  begin();
  add(0, REFS(7), 1, 0, false);
  add(7, REFS(), 2, 0, false);
  is(threads_by(thread_by_references), "(2 1)", "step 1: a message without ID has a parent");
  begin();
  add(1, REFS(), 1, 0, false);
  add(1, REFS(), 2, 0, false);
  add(2, REFS(1), 3, 0, false);
  is(threads_by(thread_by_references), "(1 3)(2)", "step 1: of two with one ID the first has it");
  begin();
  add(3, REFS(1, 2), 1, 0, false);
  add(2, REFS(), 2, 0, false);
  add(1, REFS(), 3, 0, false);
  is(threads_by(thread_by_references), "(2 1)(3)", "step 1 B: no references, no parent");
  begin();
  add(1, REFS(2), 1, 0, false);
  add(2, REFS(1), 2, 0, false);
  is(threads_by(thread_by_references), "(2 1)", "step 1: no loop");
  begin();
  add(1, REFS(1), 1, 0, false);
  is(threads_by(thread_by_references), "(1)", "nor one of one");
  begin();
  add(9, REFS(1, 2, 3), 1, 0, false);
  is(threads_by(thread_by_references), "(1)", "step 3: a single child of dummies is a root");
  add(8, REFS(1, 2), 2, 0, false);
  is(threads_by(thread_by_references), "((1)(2))", "step 3: several are not");
  begin();
  add(2, REFS(1), 5, 0, false);
  add(3, REFS(1), 1, 0, false);
  add(9, REFS(), 3, 0, false);
  is(threads_by(thread_by_references), "((2)(1))(3)", "step 4: a dummy goes by its first child");
  begin();
  add(1, REFS(), 1, 1, false);
  add(2, REFS(), 2, 1, true);
  is(threads_by(thread_by_references), "(1 2)", "step 5 C: a reply below what it replies to");
  begin();
  add(1, REFS(), 1, 1, true);
  add(2, REFS(), 2, 1, false);
  is(threads_by(thread_by_references), "(2 1)", "the other way round too");
  begin();
  add(1, REFS(), 1, 1, false);
  add(2, REFS(), 2, 1, false);
  add(3, REFS(), 3, 1, true);
  is(threads_by(thread_by_references), "((1)(2)(3))", "step 5 C: a dummy above equals");
  begin();
  add(1, REFS(), 1, 0, false);
  add(2, REFS(), 2, 0, true);
  is(threads_by(thread_by_references), "(1)(2)", "step 5: empty subjects gather nothing");
  is(threads_by(thread_by_subject), "(1 2)", "ORDEREDSUBJECT: but they are equal");
  begin();
  add(1, REFS(), 9, 1, false);
  add(2, REFS(), 2, 2, false);
  add(3, REFS(), 4, 1, false);
  is(threads_by(thread_by_subject), "(2)(3 1)", "ORDEREDSUBJECT: by dates of the first");
}

static void refs(void) {
  begin();
  add(1, REFS(), 1, 1, false);
  add(2, REFS(), 2, 1, true);
  add(3, REFS(1), 4, 1, true);
  add(4, REFS(1), 3, 1, true);
  for (uint32_t i = 0; i < mail.n; i++) mail.arrived[i] = 10 + i;
  is(threads_by(thread_by_refs), "(2)(1 (4)(3))",
     "inthread section 4: by latest arrival; within a thread by sent date; subjects ignored");
  mail.arrived[1] = 20;
  is(threads_by(thread_by_refs), "(1 (4)(3))(2)", "the thread that got the latest is last");
}

/* ---- against the model ---- */

static uint32_t seed = 1;

static uint32_t random_below(uint32_t n) {
  seed = seed * 1664525 + 1013904223;
  return (seed >> 8) % n;
}

static void add_random(uint32_t ids, uint32_t dates) {
  uint64_t references[REFERENCES + 1];
  uint32_t n = random_below(REFERENCES);
  for (uint32_t k = 0; k < n; k++) references[k] = 1 + random_below(ids);
  references[n] = 0;
  add(random_below(ids + 1), references, random_below(dates), random_below(4), random_below(2));
  mail.arrived[mail.n - 1] = random_below(dates);
}

static bool agrees(void) {
  char *got = strdup(threads_by(thread_by_references));
  bool same = !strcmp(got, model_threads(false));
  free(got);
  got = strdup(threads_by(thread_by_refs));
  same = same && !strcmp(got, model_threads(true));
  free(got);
  return same;
}

static void random_mail(void) {
  enum { ROUNDS = 20000 };
  uint32_t wrong = 0;
  for (uint32_t round = 0; round < ROUNDS; round++) {
    begin();
    uint32_t n = 1 + random_below(12), ids = 1 + random_below(14);
    for (uint32_t i = 0; i < n; i++) add_random(ids, 6);
    if (!agrees()) wrong++;
  }
  is_uint(wrong, 0, "20,000 small mailboxes, as the model says");
}

/* A chain of `depth`, then pairs that are hung below its end: to see that no loop is closed the
 * whole chain would have to be walked each time; then links that would close one, and cuts. */
static void deep_mail(void) {
  enum { DEPTH = 1000, PAIRS = 400 };
  begin();
  for (uint64_t i = 1; i <= DEPTH; i++) add(i, REFS(i - 1), i, 0, false);
  for (uint64_t i = 0; i < PAIRS; i++) {
    uint64_t a = 2000 + 2 * i, b = a + 1;
    add(0, REFS(a, b), DEPTH + 3 * i, 0, false);
    add(0, REFS(DEPTH - random_below(10), a), DEPTH + 3 * i + 1, 0, false);
    if (i % 3 == 0) add(0, REFS(b, 1), DEPTH + 3 * i + 2, 0, false);
    if (i % 5 == 0) add(a, REFS(b), 0, 0, false);
  }
  add(1, REFS(DEPTH), 0, 0, false);
  ok(agrees(), "deep threads, joined and cut");
}

/* ---- too much for the model ---- */

enum { MANY = 200000 };
static uint64_t references[MANY][2], column[MANY];
static struct message_links links[MANY];

static char const *many(thread_algorithm *algorithm) {
  struct thread_messages const m = {MANY, column, column, column, links};
  struct thread_writer const writer = {0, put_text, put_message};
  struct arena arena = {0};
  struct threads t;
  text.len = 0;
  algorithm(&m, &arena, &t);
  threads_write(&t, &writer);
  arena_release(&arena);
  stralloc_0(&text);
  return text.s;
}

static size_t count(char const *s, char c) {
  size_t n = 0;
  for (; *s; s++) n += *s == c;
  return n;
}

static void set(uint32_t i, uint64_t id, uint64_t first, uint64_t second) {
  references[i][0] = first;
  references[i][1] = second;
  links[i] = (struct message_links){id, references[i], (first != 0) + (second != 0), false};
}

static void hostile_mail(void) {
  for (uint32_t i = 0; i < MANY; i++) set(i, i + 1, i ? i : 0, 0);
  is_uint(count(many(thread_by_references), '('), 1, "200,000 deep: one thread");
  is_uint(count(text.s, ' '), MANY - 1, "each a child of the one before");
  for (uint32_t i = 0; i < MANY; i++) set(i, i + 1, i + 2, 0);
  is_uint(count(many(thread_by_refs), '('), 1, "the other way round");
  for (uint32_t i = 0; i < MANY; i++) set(i, i + 1, (i + 1) % MANY + 1, 0);
  is_uint(count(many(thread_by_references), ')'), 1, "in a circle");
  for (uint32_t i = 0; i < MANY; i++) set(i, i + 1, i ? 1 : 0, 0);
  is_uint(count(many(thread_by_references), '('), MANY, "200,000 children of one");
  for (uint32_t i = 0; i < MANY; i++) set(i, 0, MANY + i / 2, MANY + i / 2 + 1);
  is_uint(count(many(thread_by_references), ')'), MANY + 1, "200,000 without ID below dummies");
  /* Two in three make nodes with a child that go below the deepest: for each one the way up from
   * there would be walked. */
  for (uint32_t i = 0; i < MANY; i++) {
    if (i < MANY / 3)
      set(i, i + 1, i, 0);
    else if (i % 2)
      set(i, 0, MANY + i, 0);
    else
      set(i, 0, MANY / 3, MANY + i - 1);
  }
  many(thread_by_references);
  ok(text.len > MANY && count(text.s, '(') == count(text.s, ')'),
     "loops looked for at the end of a long chain");
}

int main(void) {
  examples();
  shown_answers();
  steps();
  refs();
  random_mail();
  deep_mail();
  hostile_mail();
  stralloc_free(&text);
  return tap_done();
}
