/* A folder opened: its directories, its view, its columns. */
#include "store/cache.h"
#include "store/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what we create ---- */

mode_t store_file_mode(struct store const *s, struct stat const *dir, gid_t *group) {
  bool shared = dir->st_mode & (S_ISGID | S_IWGRP);
  *group = shared ? dir->st_gid : (gid_t)-1;
  return shared ? dir->st_mode & 0660 : 0666 & ~s->options.umask;
}

int store_set_mode(int fd, mode_t mode, gid_t group) {
  if (group != (gid_t)-1 && fchown(fd, (uid_t)-1, group) < 0 && errno != EPERM) return -1;
  return fchmod(fd, mode);
}

int store_open_area(struct store const *s, int dir) {
  struct stat st;
  gid_t group;
  int fd = openat(dir, AREA, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0 || errno != ENOENT || fstat(dir, &st) < 0) return fd;
  if (mkdirat(dir, AREA, 0700) < 0 && errno != EEXIST) return -1;
  fd = openat(dir, AREA, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return -1;
  mode_t mode = store_file_mode(s, &st, &group);
  /* Who may read may search; a shared folder's group stays with what is made inside. */
  mode |= (mode & 0444) >> 2 | (st.st_mode & S_ISGID);
  if (store_set_mode(fd, mode, group) < 0 && errno != EPERM) {
    close(fd);
    return -1;
  }
  return fd;
}

int folder_create_file(struct folder const *f, int dirfd, char const *name) {
  int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd >= 0 && store_set_mode(fd, f->file_mode, f->group) < 0) {
    int saved = errno;
    close(fd);
    unlinkat(dirfd, name, 0);
    errno = saved;
    return -1;
  }
  return fd;
}

/* ---- opening ---- */

/* Where the folder is in the Maildir. */
static void disk_name(char const *name, char out[MAILDIR_NAME_MAX + 2]) {
  snprintf(out, MAILDIR_NAME_MAX + 2, ".%s", name);
}

bool folder_exists(struct folder const *f) {
  char name[MAILDIR_NAME_MAX + 2];
  struct stat st;
  disk_name(f->name, name);
  return !fstatat(f->store->fd, name, &st, 0) && st.st_ino == f->inode && st.st_dev == f->device;
}

static int open_directory(int at, char const *name) {
  return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_message_directory(struct folder *f, char const *name, int *fd, uint64_t *inode) {
  struct stat st;
  *fd = open_directory(f->dir, name);
  if (*fd < 0 || fstat(*fd, &st) < 0) return -1;
  *inode = st.st_ino;
  return 0;
}

static enum store_error open_directories(struct folder *f) {
  char name[MAILDIR_NAME_MAX + 2];
  struct stat st;
  disk_name(f->name, name);
  f->dir = open_directory(f->store->fd, name);
  if (f->dir < 0 && (errno == ENOENT || errno == ENOTDIR)) return STORE_NONEXISTENT;
  if (f->dir < 0 || fstat(f->dir, &st) < 0) return folder_failure(f, "open", 0);
  f->device = st.st_dev;
  f->inode = st.st_ino;
  f->file_mode = store_file_mode(f->store, &st, &f->group);
  if (open_message_directory(f, "cur", &f->cur, &f->cur_inode) < 0)
    return errno == ENOENT && *f->name ? STORE_NONEXISTENT : folder_failure(f, "open", "cur");
  if (open_message_directory(f, "new", &f->new, &f->new_inode) < 0)
    return folder_failure(f, "open", "new");
  /* Any of them may be a mount point, or a symbolic link to elsewhere. */
  f->network = store_on_network(f->store, f->dir, f->path) ||
               store_on_network(f->store, f->cur, f->path) ||
               store_on_network(f->store, f->new, f->path);
  return STORE_OK;
}

/* Our directory; where it cannot be written, the folder is frozen. */
static enum store_error open_bookkeeping(struct folder *f) {
  f->area = store_open_area(f->store, f->dir);
  if (f->area < 0) return folder_failure(f, "make", AREA);
  f->lock = openat(f->area, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (f->lock < 0 && errno == ENOENT) {
    f->lock = openat(f->area, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (f->lock >= 0 && store_set_mode(f->lock, f->file_mode, f->group) < 0 && errno != EPERM)
      return folder_failure(f, "set the mode of", AREA "/lock");
  }
  if (f->lock >= 0) return STORE_OK;
  if (errno != EACCES && errno != EPERM && errno != EROFS)
    return folder_failure(f, "open", AREA "/lock");
  f->frozen = true;
  return STORE_OK;
}

static enum store_error open_journal(struct folder *f) {
  enum store_error e = folder_follow(f);
  if (e || (f->frozen && f->journal.fd >= 0) || (!f->frozen && !folder_needs_repair(f))) return e;
  if (f->frozen) {
    errno = EACCES;
    return folder_failure(f, "make", AREA "/journal");
  }
  e = folder_lock(f);
  if (!e) folder_unlock(f);
  return e;
}

static struct folder *new_folder(struct store *s, char const *name, enum folder_mode mode) {
  struct folder *f = calloc(1, sizeof *f);
  size_t size = strlen(s->path) + strlen(name) + 3;
  if (!f || !(f->name = strdup(name)) || !(f->path = malloc(size))) log_die_memory();
  snprintf(f->path, size, *name ? "%s/.%s" : "%s", s->path, name);
  f->store = s;
  f->mode = mode;
  f->dir = f->cur = f->new = f->area = f->lock = f->journal.fd = f->watch = f->own.fd = -1;
  f->aside = f->sessions = f->slot = -1;
  f->recent_from = UINT32_MAX;
  view_init(&f->view);
  f->view.uidvalidity = 0; /* none until a journal is loaded */
  return f;
}

enum store_error folder_load(struct store *s, char const *name, enum folder_mode mode,
                             struct folder **out) {
  *out = 0;
  if (*name && !maildir_folder_name_ok(name)) return STORE_CANNOT;
  struct folder *f = new_folder(s, name, mode);
  enum store_error e = open_directories(f);
  if (!e) e = open_bookkeeping(f);
  if (!e) e = open_journal(f);
  if (e) {
    folder_close(f);
    return e;
  }
  index_renew(f);
  *out = f;
  return e;
}

enum store_error folder_open(struct store *s, char const *name, enum folder_mode mode,
                             struct folder **out) {
  struct folder *f;
  folder_drop_kept(s);
  enum store_error e = folder_load(s, name, mode, &f);
  *out = 0;
  if (!e) e = sessions_enter(f);
  if (!e && mode == FOLDER_SELECT) takeover_watch(f);
  if (!e) e = folder_sync(f, true, 0);
  if (e) {
    if (f) folder_close(f);
    return e;
  }
  f->next = s->open;
  s->open = f;
  *out = f;
  return STORE_OK;
}

static void unlink_from_store(struct folder *f) {
  for (struct folder **p = &f->store->open; *p; p = &(*p)->next)
    if (*p == f) {
      *p = f->next;
      return;
    }
}

void folder_close(struct folder *f) {
  unlink_from_store(f);
  cache_close(f);
  own_close(f);
  index_renew(f);
  folder_unwatch(f);
  sessions_leave(f);
  journal_close(&f->journal);
  int const fds[] = {f->dir, f->cur, f->new, f->area, f->lock};
  for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
    if (fds[i] >= 0) close(fds[i]);
  view_free(&f->view);
  free(f->name);
  free(f->path);
  free(f);
}

void folder_drop_kept(struct store *s) {
  if (s->kept) folder_close(s->kept);
  s->kept = 0;
}

enum store_error folder_acquire(struct store *s, char const *name, struct folder **out) {
  for (struct folder *f = s->open; f; f = f->next)
    if (!strcmp(f->name, name) && !f->lost && folder_exists(f)) {
      *out = f;
      return STORE_OK;
    }
  if (s->kept && !s->kept->lost && !strcmp(s->kept->name, name) && folder_exists(s->kept)) {
    view_sweep(&s->kept->view, 0); /* nobody is told of what it has lost */
    *out = s->kept;
    return STORE_OK;
  }
  folder_drop_kept(s);
  enum store_error e = folder_load(s, name, FOLDER_EXAMINE, &s->kept);
  *out = s->kept;
  return e;
}

/* ---- columns ---- */

static struct message const *at(struct folder const *f, uint32_t seq) {
  return view_at(&f->view, seq - 1);
}

uint32_t folder_uidvalidity(struct folder const *f) {
  return f->view.uidvalidity;
}

uint32_t folder_uidnext(struct folder const *f) {
  return f->view.uidnext;
}

uint64_t folder_highest_modseq(struct folder const *f) {
  return f->view.modseq;
}

bool folder_read_only(struct folder const *f) {
  return f->mode == FOLDER_EXAMINE || f->frozen || faccessat(f->cur, ".", W_OK, AT_EACCESS) < 0;
}

uint32_t folder_count(struct folder const *f) {
  return f->count;
}

uint32_t folder_recent(struct folder const *f) {
  uint32_t n = 0;
  for (uint32_t i = view_find(&f->view, f->recent_from); i < f->count; i++)
    n += view_at(&f->view, i)->bits / FLAG_RECENT & 1;
  return n;
}

uint32_t folder_first_unseen(struct folder const *f) {
  struct view const *v = &f->view;
  for (uint32_t i = view_find(v, v->unseen_from); v->unseen && i < f->count; i++)
    if (!(view_at(v, i)->bits & (FLAG_SEEN | BIT_GONE))) return i + 1;
  return 0;
}

uint32_t folder_uid(struct folder const *f, uint32_t seq) {
  return at(f, seq)->uid;
}

uint32_t folder_seq(struct folder const *f, uint32_t uid) {
  uint32_t i = view_find(&f->view, uid);
  return (i < f->count ? i : f->count) + 1;
}

void folder_seqs(struct folder const *f, struct set const *uids, struct set *seqs) {
  for (size_t i = 0; i < uids->n; i++) {
    uint32_t first = folder_seq(f, uids->ranges[i].first);
    uint32_t last = uids->ranges[i].last;
    uint32_t behind = last == UINT32_MAX ? f->count + 1 : folder_seq(f, last + 1);
    if (behind > first) set_add_range(seqs, first, behind - 1);
  }
}

unsigned int folder_flags(struct folder const *f, uint32_t seq) {
  return at(f, seq)->bits & (FLAG_STANDARD | FLAG_RECENT);
}

uint32_t folder_next_flagged(struct folder const *f, uint32_t seq, unsigned int mask,
                             unsigned int wanted) {
  mask &= FLAG_STANDARD | FLAG_RECENT;
  while (seq <= f->count && (at(f, seq)->bits & mask) != wanted) seq++;
  return seq;
}

uint64_t folder_inode(struct folder const *f, uint32_t seq) {
  return at(f, seq)->inode;
}

uint64_t folder_modseq(struct folder const *f, uint32_t seq) {
  return at(f, seq)->modseq;
}

bool folder_has_keyword(struct folder const *f, uint32_t seq, unsigned int keyword) {
  struct keyword_set const *set = view_keywords_of(&f->view, at(f, seq));
  return keyword < KEYWORDS_MAX && set->words[keyword / 64] >> keyword % 64 & 1;
}

bool folder_is_expunged(struct folder const *f, uint32_t seq) {
  return at(f, seq)->bits & BIT_GONE;
}

enum store_error folder_internal_date(struct folder *f, uint32_t seq, time_t *t) {
  struct entry e;
  struct stat st;
  int fd;
  *t = (time_t)at(f, seq)->date;
  if (at(f, seq)->date != DATE_ELSEWHERE) return STORE_OK;
  if (!folder_is_expunged(f, seq)) {
    enum store_error error = folder_entry(f, at(f, seq), &e);
    if (!error) *t = (time_t)e.mtime;
    return error;
  }
  /* The journal may have been replaced by one that no longer has the entry. */
  enum store_error error = sessions_open_aside(f, at(f, seq), &fd);
  if (error) return error;
  if (fstat(fd, &st) < 0)
    error = folder_failure(f, "stat a message in", AREA "/expunged");
  else
    *t = st.st_mtim.tv_sec;
  close(fd);
  return error;
}

bool folder_save_date(struct folder const *f, uint32_t seq, time_t *t) {
  *t = (time_t)at(f, seq)->saved;
  return at(f, seq)->saved;
}

unsigned int folder_keyword_count(struct folder const *f) {
  return f->view.nkeywords;
}

char const *folder_keyword_name(struct folder const *f, unsigned int id) {
  return f->view.keywords[id];
}

int folder_keyword_find(struct folder const *f, char const *name) {
  return view_keyword(&f->view, name);
}

void folder_rest(struct folder *f) {
  cache_rest(f);
  own_close(f);
}

void store_rest(struct store *s) {
  folder_drop_kept(s);
}
