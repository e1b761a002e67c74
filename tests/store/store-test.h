/* For the store's tests: a private Maildir, a delivery agent, a stranger, a client that listens. */
#ifndef STORE_TEST_H
#define STORE_TEST_H

#include "../tap.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char root[200]; /* holds M, the Maildir */
static char maildir[220];
static struct store_options const options = {.umask = 077, .check_ownership = true};

static inline void must(int good, char const *what) {
  if (good) return;
  printf("Bail out! %s: %s\n", what, strerror(errno));
  exit(111);
}

static inline char const *path_of(char const *folder, char const *rest) {
  static char path[4][1000];
  static int turn;
  char *p = path[turn++ % 4];
  snprintf(p, sizeof path[0], "%s%s%s/%s", maildir, *folder ? "/." : "", folder, rest);
  return p;
}

static inline void remove_all(char const *path) {
  char command[400];
  snprintf(command, sizeof command, "rm -rf '%s'", path);
  must(!system(command), "rm");
}

static inline void forget_maildir(void) {
  if (*root) remove_all(root);
}

static inline void make_maildir(void) {
  char const *tmp = getenv("TMPDIR");
  log_init("test");
  if (*root)
    remove_all(root);
  else {
    atexit(forget_maildir);
    snprintf(root, sizeof root, "%s/chainmail-store.XXXXXX", tmp ? tmp : "/tmp");
    must(!!mkdtemp(root), "mkdtemp");
  }
  mkdir(root, 0700);
  snprintf(maildir, sizeof maildir, "%s/M", root);
  must(!mkdir(maildir, 0700) && !mkdir(path_of("", "cur"), 0700) &&
           !mkdir(path_of("", "new"), 0700) && !mkdir(path_of("", "tmp"), 0700),
       "mkdir");
}

static inline void write_file(char const *path, char const *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && !close(fd), path);
}

/* As a delivery agent does: tmp, then new (or cur, with flags). */
static inline void deliver(char const *folder, char const *name, char const *text) {
  char tmp[1000];
  snprintf(tmp, sizeof tmp, "%s", path_of(folder, "tmp/delivery"));
  write_file(tmp, text);
  must(!rename(tmp, path_of(folder, name)), name);
}

/* How many files a directory holds. */
static inline unsigned int files_in(char const *folder, char const *part) {
  unsigned int n = 0;
  DIR *d = opendir(path_of(folder, part));
  must(!!d, part);
  for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
  closedir(d);
  return n;
}

/* The one file of a directory whose name begins like this; empty if there is none. */
static inline char const *file_in(char const *folder, char const *part, char const *beginning) {
  static char name[300];
  *name = 0;
  DIR *d = opendir(path_of(folder, part));
  must(!!d, part);
  for (struct dirent *e; (e = readdir(d));)
    if (e->d_name[0] != '.' && !strncmp(e->d_name, beginning, strlen(beginning)))
      snprintf(name, sizeof name, "%s", e->d_name);
  closedir(d);
  return name;
}

static inline struct store *open_store(void) {
  struct store *s;
  must(!store_open(&s, maildir, &options), "store_open");
  return s;
}

static inline struct folder *select_folder(struct store *s, char const *name) {
  struct folder *f = 0;
  enum store_error e = folder_open(s, name, FOLDER_SELECT, &f);
  if (e) printf("# folder_open: %s\n", store_code(e));
  must(!e, "folder_open");
  return f;
}

/* What a client has been told, as text: "-2 +5:4 f1 " is expunged 2, 5 exist (4 before), flags of
 * 1. */
struct told {
  char text[2000];
};
static inline void tell(struct told *t, char const *text) {
  if (strlen(t->text) + strlen(text) < sizeof t->text) strcat(t->text, text);
}
static inline void told_expunged(void *context, uint32_t seq, uint32_t uid) {
  char text[40];
  (void)uid;
  snprintf(text, sizeof text, "-%u ", seq);
  tell(context, text);
}
static inline void told_exists(void *context, uint32_t count, uint32_t old_count) {
  char text[40];
  snprintf(text, sizeof text, "+%u:%u ", count, old_count);
  tell(context, text);
}
static inline void told_keywords(void *context) {
  tell(context, "k ");
}
static inline void told_flags(void *context, uint32_t seq) {
  char text[40];
  snprintf(text, sizeof text, "f%u ", seq);
  tell(context, text);
}
static inline char const *sync_and_hear(struct folder *f, bool may_expunge) {
  static struct told told[4];
  static int turn;
  struct told *t = &told[turn++ % 4];
  struct folder_listener l = {t, told_expunged, told_exists, told_keywords, told_flags};
  *t->text = 0;
  enum store_error e = folder_sync(f, may_expunge, &l);
  if (e) snprintf(t->text, sizeof t->text, "%s", store_code(e));
  return t->text;
}

/* The flags of a message as text: "SF $Work". */
static inline char const *flags_of(struct folder *f, uint32_t seq) {
  static char text[400];
  static char const letters[] = "DFRSTr";
  size_t n = 0;
  for (unsigned int i = 0; letters[i]; i++)
    if (folder_flags(f, seq) & 1u << i) text[n++] = letters[i];
  text[n] = 0;
  for (unsigned int k = 0; k < folder_keyword_count(f); k++)
    if (folder_has_keyword(f, seq, k)) {
      strcat(text, " ");
      strcat(text, folder_keyword_name(f, k));
    }
  return text;
}

static inline char const *content_of(struct folder *f, uint32_t seq) {
  static char text[4000];
  int fd;
  enum store_error e = folder_message(f, seq, &fd);
  if (e) return store_code(e);
  ssize_t r = read(fd, text, sizeof text - 1);
  close(fd);
  text[r < 0 ? 0 : r] = 0;
  return text;
}

static inline enum store_error change_flags(struct folder *f, uint32_t first, uint32_t last,
                                            enum flag_operation operation, unsigned int flags,
                                            char const *keyword) {
  struct arena arena = {0};
  struct set seqs;
  struct flag_result result;
  struct flag_change change = {operation, flags, &keyword, keyword != 0, UINT64_MAX};
  set_init(&seqs, &arena);
  set_add_range(&seqs, first, last);
  enum store_error e = folder_store(f, &seqs, &change, &arena, &result);
  arena_release(&arena);
  return e;
}

static inline enum store_error copy_messages(struct folder *f, uint32_t first, uint32_t last,
                                             struct store *s, char const *target, bool move) {
  struct arena arena = {0};
  struct set seqs;
  struct copied copied;
  set_init(&seqs, &arena);
  set_add_range(&seqs, first, last);
  enum store_error e = folder_copy(f, &seqs, s, target, move, &arena, &copied);
  arena_release(&arena);
  return e;
}

/* Appends n messages "<text>1" to "<text>n" in one go; the first UID or 0. */
static inline uint32_t append_messages(struct store *s, char const *folder, char const *text,
                                       unsigned int n, unsigned int flags) {
  struct append *a;
  struct arena arena = {0};
  struct set uids;
  uint32_t uidvalidity, uid = 0;
  if (append_begin(s, folder, &a)) return 0;
  for (unsigned int i = 1; i <= n; i++) {
    char line[200];
    int size = snprintf(line, sizeof line, "Subject: %s%u\r\n\r\nbody\r\n", text, i);
    append_write(a, line, (size_t)size);
    append_message(a, flags, 0, 0, (time_t)-1);
  }
  if (!append_commit(a, &arena, &uidvalidity, &uids)) set_next(&uids, &uid);
  arena_release(&arena);
  return uid;
}

/* Until stamps of now are no longer racy, so that the next scan is still. */
static inline void let_settle(void) {
  struct timespec t = {0, 30000000};
  nanosleep(&t, 0);
}

#endif
