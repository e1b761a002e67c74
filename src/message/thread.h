/* thread: threads of messages (RFC 5256 section 3, draft-ietf-morg-inthread section 4).  Knows of
 * messages only what it is told here.
 *
 *   thread.c      trees in order, ORDEREDSUBJECT, what is told of them
 *   references.c  REFERENCES and REFS
 *   forest.c      parents and children without loops
 *
 * Time and memory are linear in messages and references (times the logarithm where mail was made to
 * deceive); nothing is recursive.
 */
#ifndef THREAD_H
#define THREAD_H

#include "base/base.h"

/* What the header of a message says of others.  IDs are numbers: 0 for none, else the same for the
 * same ID and no other. */
struct message_links {
  uint64_t id;
  uint64_t const *references; /* the parent last */
  uint32_t nreferences;
  bool reply; /* a reply or a forward, by its subject */
};

/* Messages numbered from 0, in the order of the mailbox.  An algorithm that has no use for a column
 * does not look at it. */
struct thread_messages {
  uint32_t n;
  uint64_t const *sent, *arrived; /* dates */
  uint64_t const *subjects;       /* base subjects: equal for equal ones; 0: empty */
  struct message_links const *links;
};

/* Trees of nodes: those below n are messages, others stand for messages that are not there and are
 * roots with two children or more.  NO_NODE: none. */
struct threads {
  uint32_t n, nodes, room;
  uint32_t first; /* root; `next` leads to the others */
  uint32_t *parent, *child, *next;
  uint32_t *last; /* child */
};
enum { NO_NODE = UINT32_MAX };

typedef void thread_algorithm(struct thread_messages const *, struct arena *, struct threads *);
thread_algorithm thread_by_subject, thread_by_references, thread_by_refs;

/* As the THREAD response has it: "(2)(3 6 (4 23)(44 7 96))". */
struct thread_writer {
  void *context;
  void (*text)(void *context, char const *text);
  void (*message)(void *context, uint32_t message);
};
void threads_write(struct threads const *, struct thread_writer const *);

/* ---- thread.c, for references.c ---- */

/* All roots, with room for `room` nodes. */
void threads_init(struct threads *, uint32_t n, uint32_t room, struct arena *);
/* The messages sorted by a column. */
uint32_t *thread_order(struct thread_messages const *, uint64_t const *column, struct arena *);
/* Roots and children as `parent` says: each list in the given order, that of all messages; a node
 * that is no message stands where its first child would. */
void threads_list(struct threads *, uint32_t const *order);

#endif
