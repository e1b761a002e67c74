/* Comparing the journal with what is in new/ and cur/ (doc/store.md, "Seeing what is there"): what
 * is found, and whether to look at all.  settle.c makes records of it. */
#include "store/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PASSES_MAX = 4 };

/* ---- one pass ---- */

static size_t keep_name(struct scan *s, char const *name) {
  size_t size = strlen(name) + 1, at = s->pool_size;
  if (size > s->pool_room - at) {
    s->pool_room = s->pool_room ? s->pool_room * 2 : 4096;
    s->pool = must_have(realloc(s->pool, s->pool_room));
  }
  memcpy(s->pool + at, name, size);
  s->pool_size += size;
  return at;
}

void scan_keep(struct found_list *list, struct found found) {
  if (list->n == list->room) {
    list->room = list->room ? list->room * 2 : 64;
    list->items = must_have(realloc(list->items, list->room * sizeof *list->items));
  }
  list->items[list->n++] = found;
}

struct message *scan_message(struct scan *s, uint32_t index) {
  return view_at(&s->f->view, index);
}

int scan_directory(struct scan const *s, bool in_new) {
  return in_new ? s->f->new : s->f->cur;
}

/* Whether the inode is the message's; readdir's number may differ from stat's on stacked file
 * systems, so a difference is looked into. */
static bool same_file(struct scan *s, struct message const *m, char const *name, uint64_t inode) {
  struct stat st;
  if (m->inode == inode) return true;
  return !fstatat(scan_directory(s, s->in_new), name, &st, AT_SYMLINK_NOFOLLOW) &&
         st.st_ino == m->inode;
}

static uint32_t find_base(struct scan *s, char const *name, uint64_t inode, uint64_t hash,
                          bool *same) {
  struct bases_search search = bases_search(hash);
  uint32_t found = NOBODY;
  *same = false;
  for (struct message *m; !*same && (m = bases_next(&s->bases, &search));) {
    found = search.index;
    *same = same_file(s, m, name, inode);
  }
  return found;
}

/* Whether the name is the one the journal gives the message now. */
static bool is_expected(struct scan *s, struct message const *m, char const *name,
                        struct maildir_name const *n) {
  unsigned int const slow = BIT_EXACT | BIT_LETTERS;
  if (!(m->bits & BIT_NEW) != !s->in_new) return false;
  if (!(m->bits & slow))
    return !(m->bits & BIT_INFO) == !n->info && maildir_name_is_plain(n) &&
           maildir_name_flags(n) == (m->bits & FLAG_STANDARD);
  char expected[MAILDIR_NAME_MAX + 1];
  int dirfd;
  return !folder_name(s->f, m, expected, &dirfd) && !strcmp(expected, name);
}

/* A second name for one file: at most one of them is right. */
static void sighted_twice(struct scan *s, uint32_t index, bool expected, struct found again) {
  uint32_t before = s->sight[index];
  if (before == AS_EXPECTED) {
    scan_keep(&s->extra, again);
    return;
  }
  struct found *first = &s->renamed.items[before - RENAMED];
  if (expected) {
    scan_keep(&s->extra, *first);
    first->extra = true;
    s->sight[index] = AS_EXPECTED;
  } else if (first->in_new && !again.in_new) {
    scan_keep(&s->extra, *first);
    *first = again;
  } else
    scan_keep(&s->extra, again);
}

static void seen(void *context, char const *name, uint64_t inode) {
  struct scan *s = context;
  struct maildir_name n;
  bool same;
  maildir_name_split(name, &n);
  uint64_t hash = base_hash(n.base, n.base_size);
  uint32_t index = find_base(s, name, inode, hash, &same);
  if (!same) {
    struct found f = {hash, inode, keep_name(s, name), index, s->in_new, false};
    scan_keep(&s->unknown, f);
    return;
  }
  bool expected = is_expected(s, scan_message(s, index), name, &n);
  s->ever[index] = 1;
  if (s->sight[index] == ABSENT && expected) {
    s->sight[index] = AS_EXPECTED;
    return;
  }
  struct found f = {hash, inode, keep_name(s, name), index, s->in_new, false};
  if (s->sight[index] != ABSENT) {
    sighted_twice(s, index, expected, f);
    return;
  }
  s->sight[index] = RENAMED + (uint32_t)s->renamed.n;
  scan_keep(&s->renamed, f);
}

static void odd(void *context, char const *name, uint64_t inode) {
  struct scan *s = context;
  (void)inode;
  if (s->f->logged_odd) return;
  s->f->logged_odd = true;
  log_event("ignored", "path", s->f->path, "name", name, "why", "it is not a regular file",
            "remedy", "remove it from cur or new", (char *)0);
}

static void begin_pass(struct scan *s) {
  struct view const *v = &s->f->view;
  if (!s->ever || s->epoch != s->f->epoch) {
    free(s->ever);
    s->ever = must_have(calloc((size_t)v->n + 1, 1));
  } else if (v->n > s->n) {
    s->ever = must_have(realloc(s->ever, (size_t)v->n + 1));
    memset(s->ever + s->n, 0, v->n - s->n + 1);
  }
  s->epoch = s->f->epoch;
  s->n = v->n;
  free(s->sight);
  s->sight = must_have(calloc((size_t)v->n + 1, sizeof *s->sight));
  s->unknown.n = s->renamed.n = s->extra.n = 0;
  s->pool_size = 0;
  s->unsettled = false;
  bases_free(&s->bases);
  if (bases_init(&s->bases, v) < 0) log_die_memory();
}

int folder_stamps(struct folder const *f, struct maildir_stamp stamps[2]) {
  if (maildir_stamp(f->dir, "cur", &stamps[0]) < 0 || maildir_stamp(f->dir, "new", &stamps[1]) < 0)
    return -1;
  if (stamps[0].inode == f->cur_inode && stamps[1].inode == f->new_inode) return 0;
  errno = ESTALE;
  return -1;
}

static bool stamps_equal(struct maildir_stamp const a[2], struct maildir_stamp const b[2]) {
  return maildir_stamp_equal(&a[0], &b[0]) && maildir_stamp_equal(&a[1], &b[1]);
}

static int read_directory(struct scan *s, bool is_new) {
  s->in_new = is_new;
  return is_new ? maildir_scan(s->f->dir, "new", s->f->new_inode, seen, odd, s)
                : maildir_scan(s->f->dir, "cur", s->f->cur_inode, seen, odd, s);
}

static int pass_once(struct scan *s) {
  struct timespec now;
  struct maildir_stamp after[2];
  begin_pass(s);
  clock_gettime(CLOCK_REALTIME, &now);
  if (folder_stamps(s->f, s->stamps) < 0 || read_directory(s, true) < 0 ||
      read_directory(s, false) < 0 || folder_stamps(s->f, after) < 0)
    return -1;
  s->still = stamps_equal(s->stamps, after) && !maildir_stamp_racy(&after[0], now) &&
             !maildir_stamp_racy(&after[1], now);
  return 0;
}

/* ---- differences ---- */

bool scan_absent(struct scan const *s, uint32_t index) {
  return s->sight[index] == ABSENT && !(view_at(&s->f->view, index)->bits & BIT_GONE);
}

static bool has_absent(struct scan const *s) {
  for (uint32_t i = 0; i < s->n; i++)
    if (scan_absent(s, i)) return true;
  return false;
}

/* Another file under the base name of a message: to be renamed apart, which asks for a still scan.
 */
static bool has_conflict(struct scan const *s) {
  for (size_t i = 0; s->touch && i < s->unknown.n; i++)
    if (s->unknown.items[i].index != NOBODY) return true;
  return false;
}

static bool has_difference(struct scan const *s) {
  return s->unknown.n || s->renamed.n || s->extra.n || has_absent(s);
}

/* A difference may be the index's damage, not the directory's change: then once more. */
static int pass(struct scan *s) {
  struct mapping *map = s->f->view.map;
  if (pass_once(s) < 0) return -1;
  return map && has_difference(s) && !mapping_confirm(map) ? pass_once(s) : 0;
}

/* ---- deciding whether to look at all ---- */

/* As the last SCANNED says, or as we have made them since. */
int folder_is_known(struct folder *f) {
  struct maildir_stamp now[2];
  if (folder_stamps(f, now) < 0) return -1;
  return !f->rescan && (stamps_equal(now, f->view.seen) || own_covers(f, now));
}

static enum store_error unreadable(struct folder *f) {
  return folder_failure(f, "read cur and new of", 0);
}

/* *again: it was not still, and something seemed to be missing, or there twice. */
static enum store_error look(struct scan *s, bool last, bool *again) {
  *again = false;
  enum store_error e = folder_lock(s->f);
  if (e) return e;
  int known = folder_is_known(s->f);
  if (known < 0 || (!known && pass(s) < 0))
    e = unreadable(s->f);
  else if (!known && !last && !s->still && (has_absent(s) || s->extra.n || has_conflict(s)))
    *again = true;
  else if (!known)
    e = scan_settle(s);
  if (!e && !*again && folder_wants_snapshot(s->f)) e = folder_snapshot(s->f);
  if (!e && !*again) index_renew_locked(s->f);
  folder_unlock(s->f);
  return e;
}

static void free_scan(struct scan *s) {
  bases_free(&s->bases);
  free(s->sight);
  free(s->ever);
  free(s->unknown.items);
  free(s->renamed.items);
  free(s->extra.items);
  free(s->pool);
}

enum store_error folder_refresh(struct folder *f, bool touch) {
  enum store_error e = folder_follow(f);
  if (e || f->frozen) return e;
  int known = folder_is_known(f);
  if (known < 0) return unreadable(f);
  /* A batch that is not ended: it is going on, or its maker died and the lock's holder ends it.  A
   * damaged entry has been read: the lock's holder repairs the journal. */
  if (known && !f->view.npending && !f->journal.damaged) {
    own_settle(f);
    return STORE_OK;
  }
  struct scan s = {.f = f, .touch = touch};
  struct timespec tick = {0, MAILDIR_TICK_MS * 1000000L + 1000000L};
  bool again = true;
  for (int i = 1; !e && again; i++) {
    e = look(&s, i == PASSES_MAX, &again);
    if (!e && again) nanosleep(&tick, 0);
  }
  /* It has met a damaged entry: the lock, taken anew, has the journal repaired. */
  if (e == STORE_UNAVAILABLE && f->journal.damaged) e = look(&s, true, &again);
  free_scan(&s);
  return e;
}
