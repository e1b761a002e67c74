/* maildir: one Maildir directory on disk.  Names, delivery, scanning; no UIDs, no sessions.
 *
 *   name.c      names of message files: base name, flags, hints; making unique ones
 *   create.c    making a Maildir or a Maildir++ folder
 *   scan.c      reading a directory with its stamps
 *   entries.c   all entries of a directory                        (Linux, with a fallback)
 *   check.c     is this a Maildir we may serve, and if not, why
 *   folders.c   the folders of a tree; becoming its owner         (for tools)
 *   rename.c    renaming that never replaces                       (Linux, with a fallback)
 *
 * https://cr.yp.to/proto/maildir.html; Maildir++: folders are `.name` inside the Maildir and hold
 * an empty file `maildirfolder`.
 *
 * Functions that return int return 0, or -1 with errno set.
 */
#ifndef MAILDIR_H
#define MAILDIR_H

#include "base/base.h"

#include <sys/stat.h>
#include <time.h>

/* ---- name.c ---- */

enum { MAILDIR_NAME_MAX = 255 }; /* NAME_MAX of every file system mail is kept on */

/* The parts of `base:2,info`; pointers into the name. */
struct maildir_name {
  char const *base; /* not NUL-ended: up to base_size */
  size_t base_size;
  char const *info; /* what follows ":2,", null without one */
};
void maildir_name_split(char const *name, struct maildir_name *);
/* The flag letters of info as bits: D, F, R, S, T as in the store's enum message_flag order (bit 0
 * to 4); other letters are ignored here and kept by maildir_name_join. */
unsigned int maildir_name_flags(struct maildir_name const *);
/* Writes base ":2," and the letters of flags merged with the other letters of the old name's info,
 * in ASCII order, each once.  size includes the NUL; false if it does not fit. */
bool maildir_name_join(char *out, size_t size, struct maildir_name const *old, unsigned int flags);
/* Whether the name is what maildir_name_join makes of base and flags alone, or has no info. */
bool maildir_name_is_plain(struct maildir_name const *);
/* A base name no other process on this host or another makes: seconds, microseconds, pid, a
 * counter, the batch if not 0, and the host with / and : as \057 and \072.  At least size
 * MAILDIR_NAME_MAX + 1; the result is at most MAILDIR_UNIQUE_MAX bytes, which leaves room for hints
 * and flags. */
enum { MAILDIR_UNIQUE_MAX = 180 };
void maildir_unique(char *out, size_t size, uint64_t batch);
/* Whether maildir_unique made it for this batch. */
bool maildir_name_has_batch(char const *name, uint64_t batch);

/* ---- create.c ---- */
/* Makes path with cur, new, tmp (0700 as Courier's maildirmake).  EEXIST if there is one. */
int maildir_create(char const *path);
/* Makes folder `.name` in the Maildir that dirfd is: cur, new, tmp and the file maildirfolder,
 * whole or not at all, synced.  mode: of the directories, exactly; group: (gid_t)-1 to leave it. */
int maildir_create_folder(int dirfd, char const *name, mode_t mode, gid_t group);
/* A folder's name as on disk without its leading dot: levels separated by single dots, no slash, no
 * control characters, at most 254 bytes. */
bool maildir_folder_name_ok(char const *name);

/* ---- scan.c ---- */
/* The stamps of a directory that tell whether it may have changed. */
struct maildir_stamp {
  uint64_t inode;
  struct timespec mtime, ctime;
};
/* ENOTDIR if it is no directory. */
int maildir_stamp(int dirfd, char const *subdir, struct maildir_stamp *);
bool maildir_stamp_equal(struct maildir_stamp const *, struct maildir_stamp const *);
/* Whether a change after `now` could still leave this stamp as it is: it is younger than the tick
 * of the clock that it is taken from. */
bool maildir_stamp_racy(struct maildir_stamp const *, struct timespec now);
/* How long to wait until a stamp of now is no longer racy, where ticks are fine. */
enum { MAILDIR_TICK_MS = 20 };

/* Calls `seen` for every message file of dirfd/subdir: regular files whose name has a base and does
 * not begin with a dot.  inode is readdir's.  `odd` (may be null) is called for what is neither
 * that nor a directory.  A name that is gone before its type is known is left out.  EINVAL: subdir
 * is not the directory with this inode any more. */
typedef void maildir_seen(void *context, char const *name, uint64_t inode);
int maildir_scan(int dirfd, char const *subdir, uint64_t inode, maildir_seen *seen,
                 maildir_seen *odd, void *context);

/* ---- entries.c ---- */
/* Calls it for every entry of the directory, which has just been opened; type: DT_REG and others of
 * readdir(3), DT_UNKNOWN or 0 where the file system does not say. */
typedef void maildir_entry(void *context, char const *name, uint64_t inode, unsigned int type);
int maildir_entries(int fd, maildir_entry *, void *context);

/* ---- check.c ---- */
/* Opens the Maildir at path and makes sure it can be served: its directory, cur, new and tmp are
 * directories that we can read and search; if at least one of the three is there, missing ones are
 * made.  With `owned`, it must belong to the effective user.  Returns a descriptor of it (close-on-
 * exec, the caller closes it), or -1 and *why (a phrase) and
 * *remedy (what the administrator can do, no path in it); errno is set too. */
int maildir_check(char const *path, bool owned, char const **why, char const **remedy);

/* ---- folders.c ---- */
struct maildir_folders {
  char **names; /* sorted; "" first */
  size_t n;
};
/* Every folder of the Maildir that dirfd is: directories `.name` with a name that can be one. */
int maildir_folders(int dirfd, struct maildir_folders *);
void maildir_folders_free(struct maildir_folders *);
/* For a tool that root has started: becomes the owner of the Maildir at path, for good, so that
 * nothing the owner may have put there leads root astray.  Root's own Maildir leaves it root. */
int maildir_become_owner(char const *path);
/* For a tool: becomes the owner of the Maildir at path, makes sure it can be served, and lists its
 * folders.  Gives maildir_check's descriptor; ends the process, with a log line, if it cannot. */
int maildir_open_tree(char const *path, struct maildir_folders *);

/* ---- rename.c ---- */
/* rename(2) that fails with EEXIST rather than replace. */
int maildir_rename(int olddir, char const *oldname, int newdir, char const *newname);

#endif
