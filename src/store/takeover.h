/* Moving a folder in from another server, and the mark that says so (doc/store.md, "Moving in, and
 * moving back"). */
#ifndef STORE_TAKEOVER_H
#define STORE_TAKEOVER_H

#include "store/foreign.h"

/* ---- dotlock.c: the other servers' locks ---- */
struct dotlock {
  int dir; /* not ours to close */
  char const *name;
  uint64_t inode;
};
/* dir/name as a link to a file that holds "pid:host".  One whose process is dead, or that is old,
 * is broken.  EAGAIN after the timeout. */
int dotlock_take(struct dotlock *, int dir, char const *name, int timeout_ms);
void dotlock_drop(struct dotlock *);

/* ---- moved.c: the mark, dir/MOVED_MARK ----
 * In the folder's own directory, so that it outlives our directory: whoever loses that gets a new
 * UIDVALIDITY, not UIDs from a file that is years old. */
#define MOVED_MARK "chainmail.moved"
struct file_stamp {
  uint64_t inode, size;
  int64_t seconds, nanoseconds;
};
struct moved {
  enum foreign_kind from;
  bool done; /* there has been a journal */
  int64_t when;
  uint32_t uidvalidity, uidnext; /* what was taken over */
  uint32_t raised;               /* the other server's next UID since then */
  struct file_stamp stamp;       /* of its file of UIDs, as we left or last saw it */
  char letters[LETTERS][KEYWORD_SIZE_MAX + 1];
};
/* 1: there is one; 0: there is none; -1: errno.  A damaged one is one from nobody. */
int moved_read(int dir, struct moved *);
int moved_write(int dir, mode_t mode, struct moved const *);
bool moved_stamp(int dir, enum foreign_kind, struct file_stamp *);

/* ---- takeover.c ---- */
/* Under the lock, where there is no journal: makes one of what another server has left, if it has.
 */
enum store_error takeover(struct folder *, bool *taken);
/* On opening: notices that the other server has gone on. */
void takeover_watch(struct folder *);
/* What takeover would do with the folder that dir is; nothing is changed.  1 with *x filled in (to
 * be freed), 0 if there is nothing to take over, *why says why; -1 with errno.  present: of its
 * messages, those that are there. */
int takeover_preview(int dir, struct foreign *x, size_t *present, char const **why);

/* ---- letters.c: Dovecot's keywords in names ---- */
struct letters {
  struct moved *mark; /* null: not read yet */
};
/* Renames the message's file without the letters of keywords it is about to lose, and writes its
 * new name to the journal.  1: done or nothing to do; 0: the file is not where it should be; -1:
 * *e. */
int letters_drop(struct letters *, struct folder *, struct message *,
                 struct keyword_set const *lost, enum store_error *e);
void letters_free(struct letters *);

#endif
