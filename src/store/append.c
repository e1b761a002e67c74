/* New messages from the client: written to tmp/ as they come, published all at once.  One that may
 * hold binary bodies is written exactly as it comes first, then once more in the form that is kept.
 */
#include "store/folder.h"
#include "message/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 16384 };

struct appended {
  char tmp[MAILDIR_NAME_MAX + 1];
  unsigned int flags;
  char **keywords;
  size_t nkeywords;
  uint64_t inode, size;
  int64_t mtime;
};

struct append {
  struct store *store;
  char *name;
  uint64_t device, inode; /* of the folder that it was begun for */
  int tmp;                /* its tmp/ */
  mode_t mode;
  gid_t group;
  int fd;                 /* of the current message, -1 between messages */
  bool binary;            /* it is written exactly as it comes */
  bool held_cr;           /* a CR whose next byte has not come */
  enum store_error error; /* of the first failure: nothing more is written */
  struct appended *messages;
  size_t n, room; /* n: of those begun */
  size_t used;
  char buffer[BUFFER];
};

enum store_error append_begin(struct store *s, char const *name, struct append **out) {
  struct folder *f;
  *out = 0;
  enum store_error e = folder_acquire(s, name, &f);
  if (e) return e;
  if (f->frozen) return STORE_NOPERM;
  int tmp = openat(f->dir, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (tmp < 0) return folder_failure(f, "open", "tmp");
  struct append *a = calloc(1, sizeof *a);
  if (!a || !(a->name = strdup(name))) log_die_memory();
  a->store = s;
  a->device = f->device;
  a->inode = f->inode;
  a->tmp = tmp;
  a->mode = f->file_mode;
  a->group = f->group;
  a->fd = -1;
  *out = a;
  return STORE_OK;
}

/* ---- writing ---- */

static enum store_error failed(struct append *a, char const *attempt) {
  char path[4096];
  snprintf(path, sizeof path, "%s%s%s/tmp", a->store->path, *a->name ? "/." : "", a->name);
  if (!a->error) a->error = store_failure(attempt, path);
  return a->error;
}

static enum store_error open_file(struct append *a, struct appended *m) {
  maildir_unique(m->tmp, sizeof m->tmp, 0);
  a->fd = openat(a->tmp, m->tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (a->fd < 0) return failed(a, "create a file in");
  if (store_set_mode(a->fd, a->mode, a->group) < 0) return failed(a, "set the mode of a file in");
  return STORE_OK;
}

static enum store_error begin_message(struct append *a) {
  if (a->fd >= 0) return STORE_OK;
  if (a->n == a->room) {
    a->room = a->room ? a->room * 2 : 4;
    a->messages = realloc(a->messages, a->room * sizeof *a->messages);
    if (!a->messages) log_die_memory();
  }
  struct appended *m = &a->messages[a->n];
  *m = (struct appended){0};
  a->n++;
  return open_file(a, m);
}

static void flush(struct append *a) {
  if (a->used && !a->error && io_write_all(a->fd, a->buffer, a->used, -1) < 0)
    failed(a, "write a file in");
  a->used = 0;
}

static void put(struct append *a, char const *data, size_t size) {
  while (size) {
    size_t room = sizeof a->buffer - a->used, n = size < room ? size : room;
    memcpy(a->buffer + a->used, data, n);
    a->used += n;
    data += n;
    size -= n;
    if (a->used == sizeof a->buffer) flush(a);
  }
}

void append_binary(struct append *a) {
  a->binary = true;
}

enum store_error append_write(struct append *a, void const *data, size_t size) {
  char const *p = data, *end = p + size;
  if (a->error || begin_message(a)) return a->error;
  if (a->binary) {
    put(a, data, size);
    return a->error;
  }
  while (p < end && !a->error) {
    if (a->held_cr && *p != '\n') put(a, "\r", 1);
    a->held_cr = false;
    char const *cr = memchr(p, '\r', (size_t)(end - p));
    put(a, p, (size_t)((cr ? cr : end) - p));
    a->held_cr = cr;
    p = cr ? cr + 1 : end;
  }
  return a->error;
}

static bool write_encoded(void *context, char const *data, size_t size) {
  return append_write(context, data, size) == STORE_OK;
}

/* RFC 3516 section 4.4: from the file as it came, which goes, to one that is kept as others are. */
static enum store_error encode(struct append *a, struct appended *m) {
  struct arena arena = {0};
  struct message_part *root;
  int raw = a->fd;
  a->binary = false;
  flush(a);
  unlinkat(a->tmp, m->tmp, 0);
  if (!a->error && !open_file(a, m) &&
      (message_parse_file(raw, &arena, &root) < 0 ||
       message_copy_encoded(raw, root, write_encoded, a) < 0))
    failed(a, "read a file in");
  close(raw);
  arena_release(&arena);
  return a->error;
}

static enum store_error finish_file(struct append *a, struct appended *m, time_t date) {
  struct timespec const times[2] = {{.tv_sec = date}, {.tv_sec = date}};
  struct stat st;
  if (a->binary && encode(a, m)) return a->error;
  if (a->held_cr) put(a, "\r", 1);
  a->held_cr = false;
  flush(a);
  if (a->error) return a->error;
  if (date != (time_t)-1 && futimens(a->fd, times) < 0) return failed(a, "date a file in");
  if (fsync(a->fd) < 0 || fstat(a->fd, &st) < 0) return failed(a, "sync a file in");
  m->inode = st.st_ino;
  m->size = (uint64_t)st.st_size;
  m->mtime = (int64_t)st.st_mtim.tv_sec;
  return STORE_OK;
}

enum store_error append_message(struct append *a, unsigned int flags, char const *const *keywords,
                                size_t nkeywords, time_t date) {
  if (a->error || begin_message(a)) return a->error;
  struct appended *m = &a->messages[a->n - 1];
  m->flags = flags & FLAG_STANDARD;
  m->keywords = calloc(nkeywords + 1, sizeof *m->keywords);
  if (!m->keywords) log_die_memory();
  for (; m->nkeywords < nkeywords; m->nkeywords++)
    if (!(m->keywords[m->nkeywords] = strdup(keywords[m->nkeywords]))) log_die_memory();
  enum store_error e = finish_file(a, m, date);
  if (close(a->fd) < 0 && !e) e = failed(a, "close a file in");
  a->fd = -1;
  return e;
}

/* ---- publishing ---- */

static enum store_error prepare(struct folder *f, struct appended const *m, uint64_t batch,
                                struct arrival *out) {
  *out = (struct arrival){
      .entry = {.flags = m->flags, .inode = m->inode, .size = m->size, .mtime = m->mtime}};
  publish_name(out->entry.name, batch, m->size, m->flags);
  for (size_t i = 0; i < m->nkeywords; i++) {
    unsigned int id;
    enum store_error e = folder_intern(f, m->keywords[i], &id);
    if (e) return e;
    out->keywords.words[id / 64] |= UINT64_C(1) << id % 64;
  }
  return STORE_OK;
}

static enum store_error publish(struct append *a, struct folder *f, struct arrival *arrivals,
                                struct set *uids) {
  uint64_t batch = a->n > 1 ? batch_new() : 0;
  size_t made = 0;
  enum store_error e = STORE_OK;
  for (size_t i = 0; !e && i < a->n; i++) e = prepare(f, &a->messages[i], batch, &arrivals[i]);
  if (e) return e;
  if (batch) e = publish_intent(f, batch);
  for (; !e && made < a->n; made++) {
    char const *name = arrivals[made].entry.name;
    if (maildir_rename(a->tmp, a->messages[made].tmp, f->cur, name) < 0) {
      e = folder_failure(f, "move to cur the file tmp/", a->messages[made].tmp);
      break;
    }
    own_changed(f, OWN_MOVED_IN, f->cur, name);
  }
  if (!e) e = publish_commit(f, batch, arrivals, a->n, uids);
  if (e) publish_abort(f, batch, arrivals, made);
  return e;
}

static enum store_error commit(struct append *a, uint32_t *uidvalidity, struct set *uids) {
  struct folder *f;
  if (a->error) return a->error;
  enum store_error e = folder_acquire(a->store, a->name, &f);
  if (e) return e;
  if (f->device != a->device || f->inode != a->inode) return STORE_NONEXISTENT;
  struct arrival *arrivals = calloc(a->n + 1, sizeof *arrivals);
  if (!arrivals) log_die_memory();
  if (!(e = folder_lock(f))) {
    *uidvalidity = f->view.uidvalidity;
    /* Deleted before we had the lock: what is put there now would be lost. */
    if (!folder_exists(f))
      e = STORE_NONEXISTENT;
    else if (a->n) {
      own_begin(f);
      e = publish(a, f, arrivals, uids);
      own_end(f, !e);
    }
    folder_unlock(f);
  }
  free(arrivals);
  return e;
}

enum store_error append_commit(struct append *a, struct arena *arena, uint32_t *uidvalidity,
                               struct set *uids) {
  set_init(uids, arena);
  *uidvalidity = 0;
  enum store_error e = commit(a, uidvalidity, uids);
  append_abort(a);
  return e;
}

void append_abort(struct append *a) {
  if (a->fd >= 0) close(a->fd);
  for (size_t i = 0; i < a->n; i++) {
    unlinkat(a->tmp, a->messages[i].tmp, 0); /* ENOENT: it was published */
    for (size_t k = 0; k < a->messages[i].nkeywords; k++) free(a->messages[i].keywords[k]);
    free(a->messages[i].keywords);
  }
  free(a->messages);
  close(a->tmp);
  free(a->name);
  free(a);
}
