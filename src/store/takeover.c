/* Moving a folder in: a first journal with the UIDs and keywords that Courier or Dovecot gave.  See
 * doc/store.md for the order of the steps and what a crash between them leaves. */
#include "store/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
  FOREIGN_LOCK_TIMEOUT_MS = 10000, /* then the client is told to come again */
  PASSES_MAX = 4,                  /* as for any scan */
};

/* ---- which of its messages are there ---- */

/* The file of a message, as it was first found. */
struct sighting {
  uint64_t inode, size;
  int64_t mtime;
  uint32_t saved;
  char *name; /* null: not found yet */
  bool in_new;
};

struct finding {
  struct folder *f;
  struct foreign const *x;
  struct sighting *sightings; /* by index in x->messages */
  size_t found;
  bool in_new;
};

static void sight(void *context, char const *name, uint64_t inode) {
  struct finding *s = context;
  struct maildir_name n;
  struct stat st;
  (void)inode;
  maildir_name_split(name, &n);
  struct foreign_message *m = foreign_find(s->x, n.base, n.base_size);
  if (!m) return;
  struct sighting *at = &s->sightings[m - s->x->messages];
  if (at->name) return; /* in an earlier pass; or there are two: the scan that follows sees to it */
  int dirfd = s->in_new ? s->f->new : s->f->cur;
  if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode)) return;
  *at = (struct sighting){.inode = st.st_ino,
                          .size = (uint64_t)st.st_size,
                          .mtime = (int64_t)st.st_mtim.tv_sec,
                          .saved = entry_saved(st.st_ctim.tv_sec),
                          .name = must_have(strdup(name)),
                          .in_new = s->in_new};
  s->found++;
}

static int stamps_of(struct folder const *f, struct maildir_stamp stamps[2]) {
  return maildir_stamp(f->dir, "cur", &stamps[0]) < 0 ||
                 maildir_stamp(f->dir, "new", &stamps[1]) < 0
             ? -1
             : 0;
}

/* 1: nothing can have been missed; 0: something may have been; -1. */
static int pass(struct finding *s) {
  struct maildir_stamp before[2], after[2];
  struct timespec now;
  struct folder *f = s->f;
  clock_gettime(CLOCK_REALTIME, &now);
  if (stamps_of(f, before) < 0) return -1;
  s->in_new = true;
  if (maildir_scan(f->dir, "new", f->new_inode, sight, 0, s) < 0) return -1;
  s->in_new = false;
  if (maildir_scan(f->dir, "cur", f->cur_inode, sight, 0, s) < 0 || stamps_of(f, after) < 0)
    return -1;
  if (s->found == s->x->n) return 1;
  return maildir_stamp_equal(&before[0], &after[0]) && maildir_stamp_equal(&before[1], &after[1]) &&
         !maildir_stamp_racy(&after[0], now) && !maildir_stamp_racy(&after[1], now);
}

/* A name that is renamed while the directory is read can be missed, and would get another UID. */
static int find_all(struct finding *s, struct folder *f, struct foreign const *x) {
  struct timespec const tick = {0, MAILDIR_TICK_MS * 1000000L + 1000000L};
  *s = (struct finding){.f = f, .x = x};
  s->sightings = must_have(calloc(x->n + 1, sizeof *s->sightings));
  for (int i = 1;; i++) {
    int r = pass(s);
    if (r || i == PASSES_MAX) return r < 0 ? -1 : 0;
    nanosleep(&tick, 0);
  }
}

static void finding_free(struct finding *s) {
  for (size_t i = 0; s->sightings && i < s->x->n; i++) free(s->sightings[i].name);
  free(s->sightings);
}

/* ---- the journal ---- */

/* Dovecot's keywords are in the name of each message. */
static struct keyword_set keywords_of(struct foreign const *x, size_t i, char const *name) {
  struct keyword_set set = x->messages[i].keywords;
  struct maildir_name n;
  maildir_name_split(name, &n);
  for (char const *p = n.info ? n.info : ""; *p; p++) {
    int id = *p >= 'a' && *p <= 'z' ? x->letters[*p - 'a'] : -1;
    if (id >= 0) set.words[id / 64] |= UINT64_C(1) << id % 64;
  }
  return set;
}

static void put_entries(struct records *r, struct finding const *s, uint64_t modseq) {
  size_t left = s->found, in_record = 0;
  for (size_t i = 0; i < s->x->n; i++) {
    struct sighting const *at = &s->sightings[i];
    struct maildir_name n;
    if (!at->name) continue;
    struct entry e = {.uid = s->x->messages[i].uid,
                      .modseq = modseq,
                      .inode = at->inode,
                      .size = at->size,
                      .mtime = at->mtime,
                      .saved = at->saved,
                      .in_new = at->in_new};
    strcpy(e.name, at->name);
    maildir_name_split(e.name, &n);
    e.flags = maildir_name_flags(&n);
    if (!in_record) {
      in_record = left < ENTRIES_PER_RECORD ? left : ENTRIES_PER_RECORD;
      record_entries(r, 0, (uint32_t)in_record);
    }
    struct keyword_set set = keywords_of(s->x, i, e.name);
    record_entry(r, &e, &set);
    left--;
    if (!--in_record) record_end(r);
  }
}

static enum store_error write_journal(struct folder *f, struct foreign *x,
                                      struct finding const *s) {
  struct records r = {0};
  struct journal j;
  struct view v = {.uidnext = x->uidnext,
                   .ceiling = x->uidnext,
                   .recent = x->uidnext - 1, /* its sessions have seen them */
                   .modseq = folder_next_modseq(f),
                   .boot = f->store->boot,
                   .keywords = x->keywords,
                   .nkeywords = x->nkeywords};
  record_state(&r, &v);
  record_keywords(&r, &v);
  put_entries(&r, s, v.modseq);
  int done = journal_create(f->area, f->file_mode, f->group, 1, x->uidvalidity, &r, &j);
  enum store_error e = done < 0 ? folder_failure(f, "write", AREA "/journal.new") : STORE_OK;
  if (j.fd >= 0) journal_close(&j);
  records_free(&r);
  return e;
}

/* ---- the other server's file and the mark ---- */

static enum store_error raise_foreign(struct folder *f, struct foreign const *x, uint32_t raised) {
  struct stat st;
  size_t size;
  char const *name = foreign_uids_name(x->kind);
  char *text = foreign_raised(x, raised, &size);
  mode_t mode =
      fstatat(f->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? f->file_mode : st.st_mode & 0666;
  int r = file_replace(f->dir, name, mode, text, size);
  free(text);
  return r < 0 ? folder_failure(f, "raise the next UID in", name) : STORE_OK;
}

static struct moved mark_of(struct foreign const *x, uint32_t raised) {
  struct moved m = {.from = x->kind,
                    .when = (int64_t)time(0),
                    .uidvalidity = x->uidvalidity,
                    .uidnext = x->uidnext,
                    .raised = raised};
  for (int i = 0; i < LETTERS; i++)
    if (x->letters[i] >= 0) strcpy(m.letters[i], x->keywords[x->letters[i]]);
  return m;
}

static enum store_error write_mark(struct folder *f, struct moved const *m) {
  return moved_write(f->dir, f->file_mode, m) < 0 ? folder_failure(f, "write", MOVED_MARK)
                                                  : STORE_OK;
}

static void report(struct folder const *f, struct foreign const *x, size_t found, bool both) {
  char count[21], validity[21], next[21], dropped[21];
  log_event("moved-in", "path", f->path, "from", foreign_server(x->kind), "messages",
            log_number(count, found), "uidvalidity", log_number(validity, x->uidvalidity),
            "uidnext", log_number(next, x->uidnext), "damaged",
            x->damaged ? "lines of its file made no sense: those messages get new UIDs" : 0,
            "keywords-lost", x->dropped ? log_number(dropped, x->dropped) : 0, "newer-of-two",
            both ? foreign_uids_name(x->kind) : 0, (char *)0);
}

/* Under both locks, with the files read. */
static enum store_error move_in(struct folder *f, struct foreign *x, bool both) {
  struct finding s = {0};
  enum store_error e;
  if (x->damaged) x->uidnext += UID_JUMP;
  uint32_t raised = x->uidnext + UID_JUMP;
  struct moved mark = mark_of(x, raised);
  if ((e = store_note_uidvalidity(f->store, x->uidvalidity))) return e;
  if (find_all(&s, f, x) < 0) e = folder_failure(f, "read cur and new of", 0);
  if (!e) e = raise_foreign(f, x, raised);
  if (!e) {
    moved_stamp(f->dir, x->kind, &mark.stamp);
    e = write_mark(f, &mark);
  }
  if (!e) e = write_journal(f, x, &s);
  if (!e) {
    mark.done = true;
    e = write_mark(f, &mark);
  }
  if (!e) report(f, x, s.found, both);
  finding_free(&s);
  return e;
}

/* ---- whether to ---- */

/* 1: and *kind; 0: *why, null where there has never been another server; -1. */
static int may_take(struct folder const *f, enum foreign_kind *kind, bool *both, char const **why) {
  struct stat st;
  struct moved m;
  *why = 0;
  int moved = moved_read(f->dir, &m);
  if (moved < 0) return -1;
  *kind = foreign_detect(f->dir, both);
  if (*kind == FOREIGN_NONE) return 0;
  *why = "it was moved in before, and the journal has been lost since";
  if (moved && m.done) return 0;
  *why = "it had a journal before, which has been lost";
  if (f->lock < 0) return 1;
  return fstat(f->lock, &st) < 0 ? -1 : !st.st_size;
}

static enum store_error decline(struct folder const *f, enum foreign_kind kind, char const *why) {
  if (why)
    log_event("not-moved-in", "path", f->path, "from", foreign_server(kind), "why", why,
              "consequence", "new UIDVALIDITY: clients download again", (char *)0);
  return STORE_OK;
}

static enum store_error take_locked(struct folder *f, enum foreign_kind kind, bool both,
                                    bool *taken) {
  struct foreign x;
  char const *why;
  int r = foreign_read(&x, kind, f->dir, &why);
  if (r < 0) return folder_failure(f, "read", foreign_uids_name(kind));
  if (r) return decline(f, kind, why);
  enum store_error e = move_in(f, &x, both);
  foreign_free(&x);
  *taken = !e;
  return e;
}

enum store_error takeover(struct folder *f, bool *taken) {
  enum foreign_kind kind;
  struct dotlock lock;
  bool both;
  char const *why;
  *taken = false;
  int r = may_take(f, &kind, &both, &why);
  if (r < 0) return folder_failure(f, "look for another server's files in", 0);
  if (!r) return decline(f, kind, why);
  if (dotlock_take(&lock, f->dir, foreign_lock_name(kind), FOREIGN_LOCK_TIMEOUT_MS) < 0)
    return folder_failure(f, "take the lock", foreign_lock_name(kind));
  enum store_error e = take_locked(f, kind, both, taken);
  dotlock_drop(&lock);
  return e;
}

/* As much of an opened folder as looking needs; nothing is made. */
static int open_to_look(struct folder *f, int dir) {
  struct stat cur, new;
  *f = (struct folder){.dir = dir, .lock = -1};
  f->cur = openat(dir, "cur", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  f->new = openat(dir, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  f->lock = openat(dir, AREA "/lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (f->cur < 0 || f->new < 0 || fstat(f->cur, &cur) < 0 || fstat(f->new, &new) < 0) return -1;
  f->cur_inode = cur.st_ino;
  f->new_inode = new.st_ino;
  return f->lock < 0 && errno != ENOENT && errno != ENOTDIR ? -1 : 0;
}

static int preview(struct folder *f, struct foreign *x, size_t *present, char const **why) {
  enum foreign_kind kind;
  struct finding s;
  bool both;
  int r = may_take(f, &kind, &both, why);
  if (r <= 0) {
    if (!r && !*why) *why = "no other server has left its files";
    return r;
  }
  r = foreign_read(x, kind, f->dir, why);
  if (r) return r < 0 ? -1 : 0;
  r = find_all(&s, f, x);
  *present = s.found;
  finding_free(&s);
  if (r < 0) foreign_free(x);
  return r < 0 ? -1 : 1;
}

int takeover_preview(int dir, struct foreign *x, size_t *present, char const **why) {
  struct folder f;
  struct stat st;
  *why = "it has a journal of ours already";
  if (!fstatat(dir, AREA "/journal", &st, AT_SYMLINK_NOFOLLOW)) return 0;
  int r = open_to_look(&f, dir);
  if (!r) r = preview(&f, x, present, why);
  int saved = errno;
  int const fds[] = {f.cur, f.new, f.lock};
  for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
    if (fds[i] >= 0) close(fds[i]);
  errno = saved;
  return r;
}

/* ---- afterwards ---- */

void takeover_watch(struct folder *f) {
  struct moved m;
  struct file_stamp now;
  if (f->frozen || moved_read(f->dir, &m) <= 0 || m.from == FOREIGN_NONE) return;
  bool there = moved_stamp(f->dir, m.from, &now);
  bool changed = there && memcmp(&now, &m.stamp, sizeof now) != 0;
  if (changed)
    log_event("other-server-active", "path", f->path, "server", foreign_server(m.from), "file",
              foreign_uids_name(m.from), "why", "it has changed since the folder was moved in",
              "remedy", "stop that server, or whatever delivers with it; its UIDs are not ours",
              (char *)0);
  if (!changed && m.done) return;
  m.done = true;
  if (there) m.stamp = now;
  if (write_mark(f, &m)) return; /* logged; it will be told once more */
}
