/* A scan of new/ and cur/: what scan.c finds and settle.c makes records of. */
#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include "store/folder.h"

#define NOBODY UINT32_MAX

/* A file whose name the journal does not give to a message. */
struct found {
  uint64_t hash, inode;
  size_t name;    /* offset in the pool */
  uint32_t index; /* of the message with its base name, or NOBODY */
  bool in_new, extra;
};

struct found_list {
  struct found *items;
  size_t n, room;
};

enum { ABSENT, AS_EXPECTED, RENAMED }; /* and higher: RENAMED + index in `renamed` */

struct scan {
  struct folder *f;
  bool touch;
  bool in_new; /* what is being read */
  struct maildir_stamp stamps[2];
  struct bases bases;
  uint32_t *sight;     /* by message, in this pass */
  unsigned char *ever; /* by message, in any pass */
  uint32_t n;          /* messages when `ever` was sized */
  unsigned int epoch;
  struct found_list unknown, renamed, extra;
  char *pool;
  size_t pool_size, pool_room;
  bool still;
  bool unsettled; /* something is there that this scan could not account for */
};

/* scan.c */
void scan_keep(struct found_list *, struct found);
struct message *scan_message(struct scan *, uint32_t index);
int scan_directory(struct scan const *, bool in_new);
/* The message of this index has not been found. */
bool scan_absent(struct scan const *, uint32_t index);

/* settle.c, under the lock: writes what has been found, touches duplicates if it may. */
enum store_error scan_settle(struct scan *);

#endif
