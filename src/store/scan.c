/* Comparing the journal with what is in new/ and cur/ (doc/store.md, "Seeing what is there"). */
#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PASSES_MAX = 4 };
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
  uint32_t *table, mask; /* message index + 1 by hash of the base name */
  uint32_t *sight;       /* by message, in this pass */
  unsigned char *ever;   /* by message, in any pass */
  uint32_t n;            /* messages when `ever` was sized */
  unsigned int epoch;
  struct found_list unknown, renamed, extra;
  char *pool;
  size_t pool_size, pool_room;
  bool still;
  bool unsettled; /* something is there that this scan could not account for */
};

static void *must(void *p) {
  if (!p) log_die_memory();
  return p;
}

/* ---- one pass ---- */

static size_t keep_name(struct scan *s, char const *name) {
  size_t size = strlen(name) + 1, at = s->pool_size;
  if (size > s->pool_room - at) {
    s->pool_room = s->pool_room ? s->pool_room * 2 : 4096;
    s->pool = must(realloc(s->pool, s->pool_room));
  }
  memcpy(s->pool + at, name, size);
  s->pool_size += size;
  return at;
}

static void keep(struct found_list *list, struct found found) {
  if (list->n == list->room) {
    list->room = list->room ? list->room * 2 : 64;
    list->items = must(realloc(list->items, list->room * sizeof *list->items));
  }
  list->items[list->n++] = found;
}

static struct message *message_of(struct scan *s, uint32_t index) {
  return view_at(&s->f->view, index);
}

static int directory_of(struct scan const *s, bool in_new) {
  return in_new ? s->f->new : s->f->cur;
}

/* Whether the inode is the message's; readdir's number may differ from stat's on stacked file
 * systems, so a difference is looked into. */
static bool same_file(struct scan *s, struct message const *m, char const *name, uint64_t inode) {
  struct stat st;
  if (m->inode == inode) return true;
  return !fstatat(directory_of(s, s->in_new), name, &st, AT_SYMLINK_NOFOLLOW) &&
         st.st_ino == m->inode;
}

static uint32_t find_base(struct scan *s, char const *name, uint64_t inode, uint64_t hash,
                          bool *same) {
  uint32_t found = NOBODY;
  *same = false;
  for (uint32_t at = (uint32_t)hash & s->mask; s->table[at]; at = (at + 1) & s->mask) {
    uint32_t index = s->table[at] - 1;
    if (message_of(s, index)->hash != hash) continue;
    found = index;
    if ((*same = same_file(s, message_of(s, index), name, inode))) break;
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
    keep(&s->extra, again);
    return;
  }
  struct found *first = &s->renamed.items[before - RENAMED];
  if (expected) {
    keep(&s->extra, *first);
    first->extra = true;
    s->sight[index] = AS_EXPECTED;
  } else if (first->in_new && !again.in_new) {
    keep(&s->extra, *first);
    *first = again;
  } else
    keep(&s->extra, again);
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
    keep(&s->unknown, f);
    return;
  }
  bool expected = is_expected(s, message_of(s, index), name, &n);
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
  keep(&s->renamed, f);
}

static void odd(void *context, char const *name, uint64_t inode) {
  struct scan *s = context;
  (void)inode;
  if (s->f->logged_odd) return;
  s->f->logged_odd = true;
  log_event("ignored", "path", s->f->path, "name", name, "why", "it is not a regular file",
            "remedy", "remove it from cur or new", (char *)0);
}

static void build_table(struct scan *s) {
  struct view const *v = &s->f->view;
  uint32_t size = 16;
  while (size < v->n * 2) size *= 2;
  free(s->table);
  s->table = must(calloc(size, sizeof *s->table));
  s->mask = size - 1;
  for (uint32_t i = 0; i < v->n; i++) {
    struct message const *m = view_at(v, i);
    if (m->bits & BIT_GONE) continue;
    uint32_t at = (uint32_t)m->hash & s->mask;
    while (s->table[at]) at = (at + 1) & s->mask;
    s->table[at] = i + 1;
  }
}

static void begin_pass(struct scan *s) {
  struct view const *v = &s->f->view;
  if (!s->ever || s->epoch != s->f->epoch) {
    free(s->ever);
    s->ever = must(calloc((size_t)v->n + 1, 1));
  } else if (v->n > s->n) {
    s->ever = must(realloc(s->ever, (size_t)v->n + 1));
    memset(s->ever + s->n, 0, v->n - s->n + 1);
  }
  s->epoch = s->f->epoch;
  s->n = v->n;
  free(s->sight);
  s->sight = must(calloc((size_t)v->n + 1, sizeof *s->sight));
  s->unknown.n = s->renamed.n = s->extra.n = 0;
  s->pool_size = 0;
  s->unsettled = false;
  build_table(s);
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

/* ---- settling: from what was found to records ---- */

static bool is_absent(struct scan const *s, uint32_t index) {
  return s->sight[index] == ABSENT && !(view_at(&s->f->view, index)->bits & BIT_GONE);
}

static bool has_absent(struct scan const *s) {
  for (uint32_t i = 0; i < s->n; i++)
    if (is_absent(s, i)) return true;
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

/* When no scan was still: a name may have been missed that has been there all the time. */
static bool is_there(struct scan *s, struct message const *m) {
  char name[MAILDIR_NAME_MAX + 1];
  struct stat st;
  int dirfd;
  return !folder_name(s->f, m, name, &dirfd) && !fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) &&
         st.st_ino == m->inode;
}

static void put_expunged(struct scan *s, struct records *r, uint64_t modseq) {
  uint32_t *uids = must(malloc((size_t)s->n * sizeof *uids + 1)), n = 0;
  for (uint32_t i = 0; i < s->n; i++) {
    if (!is_absent(s, i)) continue;
    if (!s->still && (s->ever[i] || is_there(s, message_of(s, i))))
      s->unsettled = true;
    else
      uids[n++] = message_of(s, i)->uid;
  }
  if (n) record_uids(r, RECORD_EXPUNGE, &modseq, uids, n);
  free(uids);
}

static void begin_entries(struct records *r, size_t n) {
  record_begin(r, RECORD_ENTRY);
  record_u64(r, 0);
  record_u32(r, (uint32_t)n);
  record_u32(r, 0);
}

static enum store_error put_renamed(struct scan *s, struct records *r, uint64_t modseq) {
  for (size_t i = 0; i < s->renamed.n; i++) {
    struct found const *found = &s->renamed.items[i];
    struct message const *m = message_of(s, found->index);
    struct maildir_name n;
    struct entry e;
    if (found->extra) continue;
    enum store_error error = folder_entry(s->f, m, &e);
    if (error) return error;
    strcpy(e.name, s->pool + found->name);
    maildir_name_split(e.name, &n);
    e.inode = m->inode;
    e.in_new = found->in_new;
    e.flags = maildir_name_flags(&n);
    e.modseq = e.flags == (m->bits & FLAG_STANDARD) ? m->modseq : modseq;
    begin_entries(r, 1);
    record_entry(r, &e, view_keywords_of(&s->f->view, m));
    record_end(r);
  }
  return STORE_OK;
}

/* ---- new messages ---- */

struct fresh {
  struct entry entry; /* uid, modseq not yet */
  int64_t arrived;    /* seconds */
  long nanoseconds;
};

struct fresh_list {
  struct fresh *items;
  size_t n, room;
};

/* Gives a second file of one base name a base of its own. */
static bool rename_apart(struct scan *s, struct found const *found,
                         char name[MAILDIR_NAME_MAX + 1]) {
  char unique[MAILDIR_NAME_MAX + 1];
  struct maildir_name n;
  if (!s->touch || !s->still) return false;
  maildir_name_split(name, &n);
  size_t info = n.info ? strlen(n.info) + 3 : 0;
  maildir_unique(unique, sizeof unique, 0);
  size_t size = strlen(unique);
  if (size + info > MAILDIR_NAME_MAX) return false;
  memcpy(unique + size, name + n.base_size, info + 1);
  int dirfd = directory_of(s, found->in_new);
  if (maildir_rename(dirfd, name, dirfd, unique) < 0) {
    if (errno != ENOENT) folder_failure(s->f, "rename the second of two files called", name);
    return false;
  }
  log_event("renamed-duplicate", "path", s->f->path, "name", name, "to", unique, (char *)0);
  strcpy(name, unique);
  return true;
}

static int64_t arrival(char const *name, struct stat const *st) {
  int64_t seconds = 0;
  int digits = 0;
  for (; *name >= '0' && *name <= '9' && digits < 12; name++, digits++)
    seconds = seconds * 10 + (*name - '0');
  return digits && *name == '.' ? seconds : (int64_t)st->st_mtim.tv_sec;
}

static void add_fresh(struct scan *s, struct fresh_list *list, struct found const *found,
                      bool has_twin) {
  struct stat st;
  struct maildir_name n;
  struct fresh fresh = {.entry = {.in_new = found->in_new}};
  strcpy(fresh.entry.name, s->pool + found->name);
  if (fstatat(directory_of(s, found->in_new), fresh.entry.name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
      !S_ISREG(st.st_mode) || (has_twin && !rename_apart(s, found, fresh.entry.name))) {
    s->unsettled = true;
    return;
  }
  if (has_twin) s->unsettled = true; /* our rename has changed the stamps */
  maildir_name_split(fresh.entry.name, &n);
  fresh.entry.flags = maildir_name_flags(&n);
  fresh.entry.inode = st.st_ino;
  fresh.entry.size = (uint64_t)st.st_size;
  fresh.entry.mtime = (int64_t)st.st_mtim.tv_sec;
  fresh.entry.saved = entry_saved(st.st_ctim.tv_sec);
  fresh.arrived = arrival(fresh.entry.name, &st);
  fresh.nanoseconds = st.st_mtim.tv_nsec;
  if (list->n == list->room) {
    list->room = list->room ? list->room * 2 : 64;
    list->items = must(realloc(list->items, list->room * sizeof *list->items));
  }
  list->items[list->n++] = fresh;
}

static int by_base(void const *a, void const *b) {
  struct found const *x = a, *y = b;
  if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
  if (x->inode != y->inode) return x->inode < y->inode ? -1 : 1;
  return x->in_new - y->in_new; /* cur/ first */
}

static int by_arrival(void const *a, void const *b) {
  struct fresh const *x = a, *y = b;
  if (x->arrived != y->arrived) return x->arrived < y->arrived ? -1 : 1;
  if (x->entry.mtime != y->entry.mtime) return x->entry.mtime < y->entry.mtime ? -1 : 1;
  if (x->nanoseconds != y->nanoseconds) return x->nanoseconds < y->nanoseconds ? -1 : 1;
  return strcmp(x->entry.name, y->entry.name);
}

/* Whether the message that has this file's base name still has a file of its own. */
static bool base_is_taken(struct scan const *s, struct found const *found) {
  return found->index != NOBODY && !is_absent(s, found->index);
}

/* A file in the place of another waits until the other is known to be gone. */
static bool replaces_unsurely(struct scan *s, struct found const *found) {
  return found->index != NOBODY && is_absent(s, found->index) && !s->still &&
         (s->ever[found->index] || is_there(s, message_of(s, found->index)));
}

static void collect_fresh(struct scan *s, struct fresh_list *list) {
  struct found *items = s->unknown.items;
  if (s->unknown.n) qsort(items, s->unknown.n, sizeof *items, by_base);
  for (size_t i = 0; i < s->unknown.n; i++) {
    bool twin = i && items[i - 1].hash == items[i].hash;
    if (twin && items[i - 1].inode == items[i].inode)
      keep(&s->extra, items[i]);
    else if (replaces_unsurely(s, &items[i]))
      s->unsettled = true;
    else
      add_fresh(s, list, &items[i], twin || base_is_taken(s, &items[i]));
  }
  if (list->n) qsort(list->items, list->n, sizeof *list->items, by_arrival);
}

static enum store_error put_fresh(struct scan *s, struct fresh_list *list, struct records *r,
                                  uint64_t modseq) {
  if (!list->n) return STORE_OK;
  enum store_error e = folder_reserve(s->f, (uint32_t)list->n);
  if (e) return e;
  uint32_t uid = s->f->view.uidnext;
  for (size_t i = 0; i < list->n; i++) {
    size_t left = list->n - i;
    if (i % ENTRIES_PER_RECORD == 0)
      begin_entries(r, left < ENTRIES_PER_RECORD ? left : ENTRIES_PER_RECORD);
    list->items[i].entry.uid = uid++;
    list->items[i].entry.modseq = modseq;
    record_entry(r, &list->items[i].entry, &s->f->view.sets[0]);
    if (left == 1 || (i + 1) % ENTRIES_PER_RECORD == 0) record_end(r);
  }
  return STORE_OK;
}

/* Second names of one file. */
static void drop_extra(struct scan *s) {
  for (size_t i = 0; i < s->extra.n; i++) {
    char const *name = s->pool + s->extra.items[i].name;
    s->unsettled = true;
    if (!s->touch || !s->still) continue;
    if (unlinkat(directory_of(s, s->extra.items[i].in_new), name, 0) < 0 && errno != ENOENT)
      folder_failure(s->f, "unlink the second name of a message,", name);
  }
}

static enum store_error settle(struct scan *s) {
  struct records r = {0};
  struct fresh_list fresh = {0};
  uint64_t modseq = folder_next_modseq(s->f);
  put_expunged(s, &r, modseq);
  enum store_error e = put_renamed(s, &r, modseq);
  if (!e) {
    collect_fresh(s, &fresh);
    drop_extra(s);
    e = put_fresh(s, &fresh, &r, modseq);
  }
  bool sync = fresh.n > 0;
  free(fresh.items);
  if (e) {
    records_free(&r);
    return e;
  }
  if (s->still && !s->unsettled) record_stamps(&r, s->stamps);
  s->f->rescan = false;
  return folder_write(s->f, &r, sync, false);
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
    e = settle(s);
  if (!e && !*again && folder_wants_snapshot(s->f)) e = folder_snapshot(s->f);
  if (!e && !*again) index_renew_locked(s->f);
  folder_unlock(s->f);
  return e;
}

static void free_scan(struct scan *s) {
  free(s->table);
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
