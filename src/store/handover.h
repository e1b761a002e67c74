/* Moving folders back to another server (doc/store.md, "Moving in, and moving back"): for tools. */
#ifndef STORE_HANDOVER_H
#define STORE_HANDOVER_H

#include "store/foreign.h"

struct handed_over {
  uint32_t messages, keywords_lost; /* keywords that its files cannot hold */
};
/* Writes the server's files of a folder, then forgets our own: whoever opens it here again moves it
 * in anew.  No session may be open that should go on. */
enum store_error folder_hand_over(struct store *, char const *name, enum foreign_kind,
                                  struct handed_over *);
/* The list of subscriptions, in its file. */
enum store_error store_hand_over_subscriptions(struct store *, enum foreign_kind);

/* subscribe.c: IMAP names; from now on Courier's file is not taken for ours. */
enum store_error store_release_subscriptions(struct store *);

#endif
