/* Writing what Courier-IMAP and Dovecot keep beside a folder, from what we know. */
#include "store/handover.h"
#include "store/takeover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOREIGN_LOCK_TIMEOUT_MS = 10000 };

struct handing {
  struct folder *f;
  enum foreign_kind kind;
  struct handed_over *out;
  struct moved mark;           /* its letters go on */
  int letter_of[KEYWORDS_MAX]; /* by keyword, -1: it has none */
};

/* ---- text that grows ---- */

static void put(struct records *text, char const *p) {
  record_bytes(text, p, strlen(p));
}

static void put_number(struct records *text, uint64_t n) {
  char digits[21];
  put(text, log_number(digits, n));
}

static enum store_error replace(struct handing *h, int dir, char const *name,
                                struct records *text) {
  int r = file_replace(dir, name, h->f->file_mode, text->data ? text->data : "", text->size);
  records_free(text);
  return r < 0 ? folder_failure(h->f, "replace", name) : STORE_OK;
}

/* ---- UIDs ---- */

/* What the other server has gone on to, if it still has this folder's UIDVALIDITY. */
static uint32_t next_uid(struct handing *h, struct records *guid) {
  struct foreign x;
  char const *why;
  struct view const *v = &h->f->view;
  uint32_t next = v->ceiling > v->uidnext ? v->ceiling : v->uidnext;
  if (h->mark.uidvalidity == v->uidvalidity && h->mark.raised > next) next = h->mark.raised;
  if (foreign_read(&x, h->kind, h->f->dir, &why)) return next;
  if (x.uidvalidity == v->uidvalidity && x.uidnext > next) next = x.uidnext;
  /* Dovecot knows the folder by this, too. */
  char const *feed = memchr(x.text, '\n', x.size);
  char const *g = *x.text == '3' ? strstr(x.text, " G") : 0;
  if (g && g < feed) {
    char const *blank = memchr(g + 1, ' ', (size_t)(feed - g - 1));
    record_bytes(guid, g, (size_t)((blank ? blank : feed) - g));
  }
  foreign_free(&x);
  return next;
}

static enum store_error write_uids(struct handing *h) {
  struct records text = {0}, guid = {0};
  struct view const *v = &h->f->view;
  bool dovecot = h->kind == FOREIGN_DOVECOT;
  enum store_error e = STORE_OK;
  uint32_t next = next_uid(h, &guid);
  put(&text, dovecot ? "3 V" : "1 ");
  put_number(&text, v->uidvalidity);
  put(&text, dovecot ? " N" : " ");
  put_number(&text, next);
  record_bytes(&text, guid.data, guid.size);
  put(&text, "\n");
  records_free(&guid);
  for (uint32_t i = 0; !e && i < v->n; i++) {
    char name[MAILDIR_NAME_MAX + 1];
    struct maildir_name n;
    int dirfd;
    if (view_at(v, i)->bits & BIT_GONE) continue;
    if ((e = folder_name(h->f, view_at(v, i), name, &dirfd))) break;
    maildir_name_split(name, &n);
    put_number(&text, view_at(v, i)->uid);
    put(&text, dovecot ? " :" : " ");
    record_bytes(&text, n.base, n.base_size);
    put(&text, "\n");
    h->out->messages++;
  }
  if (!e) return replace(h, h->f->dir, foreign_uids_name(h->kind), &text);
  records_free(&text);
  return e;
}

/* ---- Courier's keywords ---- */

static void unlink_all(int parent, char const *subdir, char const *beginning, char const *except) {
  struct dirent *e;
  int fd = openat(parent, subdir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *d = fd < 0 ? 0 : fdopendir(fd);
  if (!d) {
    if (fd >= 0) close(fd);
    return;
  }
  while ((e = readdir(d)))
    if (strcmp(e->d_name, except) != 0 && !strncmp(e->d_name, beginning, strlen(beginning)))
      unlinkat(fd, e->d_name, 0); /* fails for directories, as it should */
  closedir(d);
}

static enum store_error put_keywords_of(struct handing *h, struct message const *m,
                                        struct records *text) {
  char name[MAILDIR_NAME_MAX + 1];
  struct maildir_name n;
  int dirfd;
  struct view const *v = &h->f->view;
  char const *separator = ":";
  enum store_error e = folder_name(h->f, m, name, &dirfd);
  if (e) return e;
  maildir_name_split(name, &n);
  record_bytes(text, n.base, n.base_size);
  for (unsigned int id = 0; id < v->nkeywords; id++) {
    if (!(view_keywords_of(v, m)->words[id / 64] >> id % 64 & 1)) continue;
    put(text, separator);
    put_number(text, id);
    separator = " ";
  }
  put(text, "\n");
  return STORE_OK;
}

static enum store_error write_courier_keywords(struct handing *h) {
  struct records text = {0};
  struct view const *v = &h->f->view;
  enum store_error e = STORE_OK;
  if (mkdirat(h->f->dir, COURIER_KEYWORDS, 0700) < 0 && errno != EEXIST)
    return folder_failure(h->f, "make", COURIER_KEYWORDS);
  for (unsigned int i = 0; i < v->nkeywords; i++) {
    put(&text, v->keywords[i]);
    put(&text, "\n");
  }
  put(&text, "\n");
  for (uint32_t i = 0; !e && i < v->n; i++)
    if (!(view_at(v, i)->bits & BIT_GONE) && view_at(v, i)->keywords)
      e = put_keywords_of(h, view_at(v, i), &text);
  if (e) {
    records_free(&text);
    return e;
  }
  int fd = openat(h->f->dir, COURIER_KEYWORDS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    records_free(&text);
    return folder_failure(h->f, "open", COURIER_KEYWORDS);
  }
  e = replace(h, fd, ":list", &text);
  close(fd);
  /* What single messages had is in the list now. */
  if (!e) unlink_all(h->f->dir, COURIER_KEYWORDS, "", ":list");
  return e;
}

/* ---- Dovecot's ---- */

/* The letters the folder had, then those that are free. */
static void assign_letters(struct handing *h) {
  struct view const *v = &h->f->view;
  for (unsigned int id = 0; id < KEYWORDS_MAX; id++) h->letter_of[id] = -1;
  for (int i = 0; i < LETTERS; i++) {
    int id = *h->mark.letters[i] ? view_keyword(v, h->mark.letters[i]) : -1;
    if (id >= 0) h->letter_of[id] = i;
  }
  for (unsigned int id = 0; id < v->nkeywords; id++) {
    int i = 0;
    if (h->letter_of[id] >= 0) continue;
    while (i < LETTERS && *h->mark.letters[i]) i++;
    if (i == LETTERS) continue;
    h->letter_of[id] = i;
    snprintf(h->mark.letters[i], sizeof h->mark.letters[i], "%s", v->keywords[id]);
  }
}

/* The file's name with the letters of the message's keywords, and no others; in cur/. */
static enum store_error rename_with_letters(struct handing *h, struct message const *m) {
  char name[MAILDIR_NAME_MAX + 1], plain[MAILDIR_NAME_MAX + 1];
  char wanted[MAILDIR_NAME_MAX + LETTERS + 8];
  struct maildir_name n;
  struct view const *v = &h->f->view;
  int dirfd;
  enum store_error e = folder_name(h->f, m, name, &dirfd);
  if (e) return e;
  maildir_name_split(name, &n);
  if (!maildir_name_join(plain, sizeof plain, &n, m->bits & FLAG_STANDARD)) return STORE_CANNOT;
  size_t to = n.base_size + 3;
  memcpy(wanted, plain, to);
  for (char const *p = plain + to; *p; p++)
    if (*p < 'a' || *p > 'z') wanted[to++] = *p;
  size_t bare = to;
  bool set[LETTERS] = {false};
  for (unsigned int id = 0; id < v->nkeywords; id++) {
    if (!(view_keywords_of(v, m)->words[id / 64] >> id % 64 & 1)) continue;
    if (h->letter_of[id] < 0)
      h->out->keywords_lost++;
    else
      set[h->letter_of[id]] = true;
  }
  for (int i = 0; i < LETTERS; i++)
    if (set[i]) wanted[to++] = (char)('a' + i);
  wanted[to] = 0;
  if (to > MAILDIR_NAME_MAX || !strcmp(wanted, name)) return STORE_OK;
  /* What is new without flags stays new. */
  if (m->bits & BIT_NEW && to == bare) return STORE_OK;
  if (maildir_rename(dirfd, name, h->f->cur, wanted) < 0 && errno != ENOENT)
    return folder_failure(h->f, "rename", name);
  return STORE_OK;
}

static enum store_error write_dovecot_keywords(struct handing *h) {
  struct records text = {0};
  struct view const *v = &h->f->view;
  enum store_error e = STORE_OK;
  for (int i = 0; i < LETTERS; i++) {
    if (!*h->mark.letters[i]) continue;
    put_number(&text, (uint64_t)i);
    put(&text, " ");
    put(&text, h->mark.letters[i]);
    put(&text, "\n");
  }
  e = replace(h, h->f->dir, DOVECOT_KEYWORDS, &text);
  for (uint32_t i = 0; !e && i < v->n; i++)
    if (!(view_at(v, i)->bits & BIT_GONE)) e = rename_with_letters(h, view_at(v, i));
  if (!e && dir_sync(h->f->cur) < 0) e = folder_failure(h->f, "sync", "cur");
  /* Its index has other UIDs than its list now; it makes another one. */
  unlink_all(h->f->dir, ".", "dovecot.index", "");
  if (!*h->f->name) unlink_all(h->f->dir, ".", "dovecot.list.index", "");
  return e;
}

/* ---- ours ---- */

static void unlink_ours(struct folder const *f) {
  /* What must not be replaced while somebody holds it, or is the whole Maildir's. */
  static char const *const kept[] = {
      "lock",      "cache.lock", "expunged", "uidvalidity", "uidvalidity.lock",
      "tree.lock", "renaming",   "trash",    "subscribed"};
  struct dirent *e;
  int fd = openat(f->area, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *d = fd < 0 ? 0 : fdopendir(fd);
  if (!d) {
    if (fd >= 0) close(fd);
    return;
  }
  while ((e = readdir(d))) {
    bool keep = *e->d_name == '.';
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) keep |= !strcmp(e->d_name, kept[i]);
    if (!keep) unlinkat(fd, e->d_name, 0);
  }
  closedir(d);
}

/* In this order: a crash in between leaves a folder that is handed over once more, or one that is
 * moved in again. */
static enum store_error forget(struct folder *f) {
  if (unlinkat(f->dir, MOVED_MARK, 0) < 0 && errno != ENOENT)
    return folder_failure(f, "unlink", MOVED_MARK);
  if (ftruncate(f->lock, 0) < 0) return folder_failure(f, "empty", AREA "/lock");
  if (unlinkat(f->area, "journal", 0) < 0 && errno != ENOENT)
    return folder_failure(f, "unlink", AREA "/journal");
  unlink_ours(f);
  return dir_sync(f->dir) < 0 || dir_sync(f->area) < 0 ? folder_failure(f, "sync", 0) : STORE_OK;
}

static enum store_error hand_over_locked(struct handing *h) {
  struct dotlock lock;
  if (dotlock_take(&lock, h->f->dir, foreign_lock_name(h->kind), FOREIGN_LOCK_TIMEOUT_MS) < 0)
    return folder_failure(h->f, "take the lock", foreign_lock_name(h->kind));
  enum store_error e =
      moved_read(h->f->dir, &h->mark) < 0 ? folder_failure(h->f, "read", MOVED_MARK) : STORE_OK;
  assign_letters(h);
  if (!e) e = write_uids(h);
  if (!e) e = h->kind == FOREIGN_COURIER ? write_courier_keywords(h) : write_dovecot_keywords(h);
  if (!e) e = forget(h->f);
  dotlock_drop(&lock);
  return e;
}

enum store_error folder_hand_over(struct store *s, char const *name, enum foreign_kind kind,
                                  struct handed_over *out) {
  struct handing *h = calloc(1, sizeof *h);
  *out = (struct handed_over){0};
  if (!h) return store_failure("find memory for", s->path);
  h->kind = kind;
  h->out = out;
  enum store_error e = folder_load(s, name, FOLDER_EXAMINE, &h->f);
  if (!e) e = folder_refresh(h->f, true);
  if (!e && !(e = folder_lock(h->f))) {
    e = hand_over_locked(h);
    folder_unlock(h->f);
  }
  if (h->f) folder_close(h->f);
  free(h);
  return e;
}

/* ---- subscriptions ---- */

static void put_subscription(struct records *text, char const *name) {
  if (!strncmp(name, "INBOX.", 6)) name += 6;
  for (; *name; name++) record_bytes(text, *name == '.' ? "\t" : name, 1);
  put(text, "\n");
}

enum store_error store_hand_over_subscriptions(struct store *s, enum foreign_kind kind) {
  struct arena arena = {0};
  struct records text = {0};
  struct stat st;
  gid_t group;
  char const **names;
  size_t n;
  enum store_error e = store_subscriptions(s, &arena, &names, &n);
  put(&text, kind == FOREIGN_DOVECOT ? "V\t2\n\n" : "");
  for (size_t i = 0; !e && i < n; i++) {
    if (kind == FOREIGN_DOVECOT)
      put_subscription(&text, names[i]);
    else {
      put(&text, names[i]);
      put(&text, "\n");
    }
  }
  if (!e &&
      (fstat(s->fd, &st) < 0 ||
       file_replace(s->fd, kind == FOREIGN_DOVECOT ? DOVECOT_SUBSCRIPTIONS : COURIER_SUBSCRIPTIONS,
                    store_file_mode(s, &st, &group), text.data ? text.data : "", text.size) < 0))
    e = store_failure("write the subscriptions in", s->path);
  if (!e) e = store_release_subscriptions(s);
  records_free(&text);
  arena_release(&arena);
  return e;
}
