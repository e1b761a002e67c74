/* From what a scan has found to records: what is gone, renamed, new, or there twice. */
#include "store/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* When no scan was still: a name may have been missed that has been there all the time. */
static bool is_there(struct scan *s, struct message const *m) {
  char name[MAILDIR_NAME_MAX + 1];
  struct stat st;
  int dirfd;
  return !folder_name(s->f, m, name, &dirfd) && !fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) &&
         st.st_ino == m->inode;
}

static void put_expunged(struct scan *s, struct records *r, uint64_t modseq) {
  uint32_t *uids = must_have(malloc((size_t)s->n * sizeof *uids + 1)), n = 0;
  for (uint32_t i = 0; i < s->n; i++) {
    if (!scan_absent(s, i)) continue;
    if (!s->still && (s->ever[i] || is_there(s, scan_message(s, i))))
      s->unsettled = true;
    else
      uids[n++] = scan_message(s, i)->uid;
  }
  if (n) record_uids(r, RECORD_EXPUNGE, &modseq, uids, n);
  free(uids);
}

static enum store_error put_renamed(struct scan *s, struct records *r, uint64_t modseq) {
  for (size_t i = 0; i < s->renamed.n; i++) {
    struct found const *found = &s->renamed.items[i];
    struct message const *m = scan_message(s, found->index);
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
    record_entries(r, 0, 1);
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
  int dirfd = scan_directory(s, found->in_new);
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
  if (fstatat(scan_directory(s, found->in_new), fresh.entry.name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
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
    list->items = must_have(realloc(list->items, list->room * sizeof *list->items));
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
  return found->index != NOBODY && !scan_absent(s, found->index);
}

/* A file in the place of another waits until the other is known to be gone. */
static bool replaces_unsurely(struct scan *s, struct found const *found) {
  return found->index != NOBODY && scan_absent(s, found->index) && !s->still &&
         (s->ever[found->index] || is_there(s, scan_message(s, found->index)));
}

static void collect_fresh(struct scan *s, struct fresh_list *list) {
  struct found *items = s->unknown.items;
  if (s->unknown.n) qsort(items, s->unknown.n, sizeof *items, by_base);
  for (size_t i = 0; i < s->unknown.n; i++) {
    bool twin = i && items[i - 1].hash == items[i].hash;
    if (twin && items[i - 1].inode == items[i].inode)
      scan_keep(&s->extra, items[i]);
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
      record_entries(r, 0, (uint32_t)(left < ENTRIES_PER_RECORD ? left : ENTRIES_PER_RECORD));
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
    if (unlinkat(scan_directory(s, s->extra.items[i].in_new), name, 0) < 0 && errno != ENOENT)
      folder_failure(s->f, "unlink the second name of a message,", name);
  }
}

enum store_error scan_settle(struct scan *s) {
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
