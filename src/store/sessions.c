/* Who else has the folder selected, and the files of expunged messages that are kept for them
 * (doc/store.md, "Expunge and those who still look"). */
#include "store/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  SLOTS_MAX = 4096, /* sessions on one folder; with more, nothing is kept for the rest */
  ASIDE_NAME = 2 * 20 + 2,
};

struct slot {
  uint64_t told, checksum;
};

static uint64_t checksum(uint64_t told) {
  return store_hash(6, &told, sizeof told);
}

/* ---- the files ---- */

/* The directory, made if it is missing; -1 with errno. */
static int open_aside(struct folder *f) {
  struct stat st;
  if (f->aside >= 0) return f->aside;
  int fd = openat(f->area, "expunged", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT && !f->frozen) {
    if (fstat(f->area, &st) < 0) return -1;
    if (mkdirat(f->area, "expunged", 0700) < 0 && errno != EEXIST) return -1;
    fd = openat(f->area, "expunged", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* Whoever may use our directory may use this one.  Not the owner: then it has been set. */
    if (fd >= 0 && store_set_mode(fd, st.st_mode & 07777, f->group) < 0 && errno != EPERM) {
      close(fd);
      return -1;
    }
  }
  return f->aside = fd;
}

static int open_slots(struct folder *f) {
  int const flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  if (f->sessions >= 0) return f->sessions;
  if (open_aside(f) < 0) return -1;
  int fd = openat(f->aside, "sessions", flags);
  if (fd < 0 && errno == ENOENT && !f->frozen) {
    fd = openat(f->aside, "sessions", flags | O_CREAT, 0600);
    if (fd >= 0 && store_set_mode(fd, f->file_mode, f->group) < 0 && errno != EPERM) {
      close(fd);
      return -1;
    }
  }
  return f->sessions = fd;
}

/* ---- slots ---- */

static int write_slot(struct folder *f, uint64_t told) {
  struct slot slot = {told, checksum(told)};
  off_t at = (off_t)f->slot * (off_t)sizeof slot;
  f->told = told;
  return pwrite(f->sessions, &slot, sizeof slot, at) == (ssize_t)sizeof slot ? 0 : -1;
}

static int take_slot(struct folder *f) {
  if (open_slots(f) < 0) return -1;
  for (int i = 0; i < SLOTS_MAX; i++) {
    if (!lock_part(f->sessions, LOCK_WRITE, (uint64_t)i * sizeof(struct slot),
                   sizeof(struct slot))) {
      f->slot = i;
      if (!write_slot(f, 0)) return 0;
      /* What the slot says is somebody else's. */
      lock_part(f->sessions, LOCK_NONE, (uint64_t)i * sizeof(struct slot), sizeof(struct slot));
      f->slot = -1;
      return -1;
    }
    if (errno != EAGAIN) return -1;
  }
  errno = EUSERS;
  return -1;
}

enum store_error sessions_enter(struct folder *f) {
  if (f->frozen) return STORE_OK;
  if (lock_file(f->lock, LOCK_WRITE, LOCK_TIMEOUT_MS) < 0)
    return folder_failure(f, "lock", AREA "/lock");
  if (take_slot(f) < 0) folder_failure(f, "write", AREA "/expunged/sessions");
  folder_unlock(f);
  return STORE_OK;
}

bool sessions_others(struct folder *f) {
  return open_slots(f) >= 0 && lock_taken(f->sessions, 0, 0) > 0;
}

/* What the slowest of the others has been told. */
static uint64_t least_told(struct folder *f) {
  struct slot slots[256];
  uint64_t least = UINT64_MAX;
  int at = 0;
  while (at < SLOTS_MAX) {
    ssize_t r = pread(f->sessions, slots, sizeof slots, (off_t)at * (off_t)sizeof *slots);
    if (r < 0) return 0;
    int n = (int)((size_t)r / sizeof *slots);
    if (!n) break;
    for (int i = 0; i < n; i++, at++) {
      uint64_t told = slots[i].checksum == checksum(slots[i].told) ? slots[i].told : 0;
      if (told >= least) continue;
      if (lock_taken(f->sessions, (uint64_t)at * sizeof *slots, sizeof *slots)) least = told;
    }
  }
  /* Slots that are held and were never written. */
  return lock_taken(f->sessions, (uint64_t)at * sizeof *slots, 0) ? 0 : least;
}

/* ---- files set aside ---- */

static bool parse_name(char const *name, uint32_t *uid, uint64_t *modseq) {
  char *end;
  errno = 0;
  if (*name < '1' || *name > '9') return false;
  uintmax_t n = strtoumax(name, &end, 10);
  if (errno || n > UINT32_MAX || *end != '-' || end[1] < '0' || end[1] > '9') return false;
  *uid = (uint32_t)n;
  *modseq = strtoumax(end + 1, &end, 10);
  return !errno && !*end;
}

static DIR *list_aside(struct folder *f) {
  if (open_aside(f) < 0) return 0;
  int fd = openat(f->aside, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *d = fd < 0 ? 0 : fdopendir(fd);
  if (!d && fd >= 0) close(fd);
  return d;
}

int sessions_unlink(struct folder *f, bool keep, uint32_t uid, uint64_t modseq, int dirfd,
                    char const *name) {
  char aside[ASIDE_NAME];
  if (keep && open_aside(f) >= 0) {
    snprintf(aside, sizeof aside, "%" PRIu32 "-%" PRIu64, uid, modseq);
    if (!maildir_rename(dirfd, name, f->aside, aside)) {
      own_changed(f, OWN_MOVED_OUT, dirfd, name);
      return 0;
    }
  }
  if (unlinkat(dirfd, name, 0) < 0) return -1;
  own_changed(f, OWN_UNLINKED, dirfd, name);
  return 0;
}

enum store_error sessions_open_aside(struct folder *f, struct message const *m, int *fd) {
  struct dirent *e;
  struct stat st;
  uint32_t uid;
  uint64_t modseq;
  enum store_error error = STORE_EXPUNGED;
  *fd = -1;
  DIR *d = list_aside(f);
  if (!d && (errno == ENOENT || errno == ENOTDIR)) return STORE_EXPUNGED;
  if (!d) return folder_failure(f, "read", AREA "/expunged");
  while (*fd < 0 && (e = readdir(d))) {
    if (!parse_name(e->d_name, &uid, &modseq) || uid != m->uid) continue;
    *fd = openat(f->aside, e->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (*fd < 0 && errno != ENOENT)
      error = folder_failure(f, "open a message in", AREA "/expunged");
    if (*fd < 0 || (!fstat(*fd, &st) && S_ISREG(st.st_mode) && st.st_ino == m->inode)) continue;
    close(*fd);
    *fd = -1;
  }
  closedir(d);
  return *fd < 0 ? error : STORE_OK;
}

/* Unlinks what nobody needs who has been told less than `own`. */
static void reap(struct folder *f, uint64_t own) {
  struct dirent *e;
  uint32_t uid;
  uint64_t modseq, least = UINT64_MAX;
  bool asked = false;
  DIR *d = list_aside(f);
  if (!d) return;
  while ((e = readdir(d))) {
    if (!parse_name(e->d_name, &uid, &modseq) || modseq > own) continue;
    if (!asked) least = least_told(f);
    asked = true;
    if (modseq <= least && unlinkat(f->aside, e->d_name, 0) < 0 && errno != ENOENT)
      folder_failure(f, "unlink in " AREA "/expunged", e->d_name);
  }
  closedir(d);
}

void sessions_told(struct folder *f) {
  if (f->slot < 0 || (f->told && f->told >= f->view.expunged)) return;
  /* A slot that cannot be written says too little: files stay longer. */
  write_slot(f, f->view.modseq);
  reap(f, f->told);
}

void sessions_leave(struct folder *f) {
  if (f->slot >= 0) {
    lock_part(f->sessions, LOCK_NONE, (uint64_t)f->slot * sizeof(struct slot), sizeof(struct slot));
    f->slot = -1;
    reap(f, UINT64_MAX);
  }
  if (f->sessions >= 0) close(f->sessions);
  if (f->aside >= 0) close(f->aside);
  f->sessions = f->aside = -1;
}
