/* What a journal looks like from outside, and mending it: for tools. */
#ifndef STORE_INSPECT_H
#define STORE_INSPECT_H

#include "store/folder.h"

enum journal_health {
  HEALTH_SOUND,
  HEALTH_NONE,    /* there is none, nor has there been one that we know of */
  HEALTH_LOST,    /* there was one */
  HEALTH_INVALID, /* its first line is damaged: nothing can be read */
  HEALTH_DAMAGED, /* a bad record with good ones behind it, or it has been cut short */
  HEALTH_TORN,    /* it ends in half a record, as a crash leaves it */
  HEALTH_COPIED,  /* it is a copy or from a backup */
};
struct inspection {
  enum journal_health health;
  uint32_t messages; /* in the journal */
  uint32_t absent;   /* of these, without a file */
  uint32_t unknown;  /* files in cur/ that it does not know */
  uint32_t batches;  /* begun and not ended */
};
/* Looks at the folder that dir is; changes nothing.  -1 with errno. */
int folder_inspect(int dir, struct inspection *);

/* Does all that opening the folder would do: recovery, repair, comparing with the files. */
enum store_error folder_mend(struct store *, char const *name);
/* The jump of a rollback, asked for by hand: next UID 2^20 higher, fresh mod-sequences. */
enum store_error folder_jump(struct store *, char const *name);
/* tree.c: what a crash left of a RENAME or DELETE is finished. */
enum store_error store_mend(struct store *);

#endif
