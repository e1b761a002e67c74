/* What SORT compares and THREAD follows, of a folder whose messages are ordered_text of some
 * number: whatever happened to what is kept of it, it must be what the texts say. */
#ifndef ORDERS_H
#define ORDERS_H

#include "answers.h"
#include "message/thread.h"

enum { ORDERED_MAX = 5000 }; /* messages, and the highest number */

static inline char const *ordered_text(int number) {
  static char text[200];
  snprintf(text, sizeof text,
           "Subject: number %d\nMessage-ID: <%d@x>\nReferences: <of-%d@x>\n\nbody %d\n", number,
           number, number, number);
  return text;
}

/* Of all messages of the folder, by sequence number. */
struct orders {
  uint64_t ranks[ORDERED_MAX];
  struct message_links links[ORDERED_MAX];
  struct arena arena;
};
/* By number of the message, as it was at first. */
static struct { uint64_t id, reference; } links_of[ORDERED_MAX + 1];

static inline bool never_ends(void *context) {
  (void)context;
  return false;
}

/* Null: an error, which is no answer. */
static inline struct orders *ask_orders(struct folder *f) {
  static struct orders o;
  static uint32_t seqs[ORDERED_MAX];
  struct folder_patience const patience = {never_ends, 0};
  uint32_t n = folder_count(f);
  must(n <= ORDERED_MAX, "no more messages than ever");
  arena_release(&o.arena);
  for (uint32_t i = 0; i < n; i++) seqs[i] = i + 1;
  if (!answered(folder_sort_values(f, SORT_SUBJECT, seqs, n, &patience, o.ranks)) ||
      !answered(folder_links(f, seqs, n, &patience, &o.arena, o.links)))
    return 0;
  return &o;
}

/* From a folder of which nothing is kept yet. */
static inline void learn_links(struct folder *f) {
  struct orders *o = ask_orders(f);
  must(o != 0, "the orders");
  for (uint32_t i = 0; i < folder_count(f); i++) {
    int number = number_of(content_of(f, i + 1));
    must(o->links[i].id && o->links[i].nreferences == 1, "links");
    links_of[number].id = o->links[i].id;
    links_of[number].reference = *o->links[i].references;
  }
}

/* Of two messages, if they can be read. */
static inline bool orders_fit(struct folder *f, struct orders const *o, uint32_t a, uint32_t b) {
  char texts[2][200];
  snprintf(texts[0], sizeof texts[0], "%.199s", content_of(f, a));
  snprintf(texts[1], sizeof texts[1], "%.199s", content_of(f, b));
  int number = number_of(texts[0]);
  if (number < 0 || number_of(texts[1]) < 0 || folder_is_expunged(f, a) || folder_is_expunged(f, b))
    return true;
  texts[0][strcspn(texts[0], "\n")] = texts[1][strcspn(texts[1], "\n")] = 0;
  int compared = strcmp(texts[0], texts[1]);
  uint64_t x = o->ranks[a - 1], y = o->ranks[b - 1];
  if ((x > y) - (x < y) != (compared > 0) - (compared < 0)) {
    printf("# \"%s\" is not ordered right beside \"%s\"\n", texts[0], texts[1]);
    return false;
  }
  struct message_links const *l = &o->links[a - 1];
  if (l->id == links_of[number].id && l->nreferences == 1 &&
      *l->references == links_of[number].reference)
    return true;
  printf("# links of \"%s\"\n", texts[0]);
  return false;
}

#endif
