/* Random damage to a large folder: bytes, blocks, cuts, blocks that change places, in its journal,
 * index, cache, an order and links, before a session begins and under one.  No crash, never another
 * message under a UID, every answer right, every mail there and as it was, a line of the log where
 * something was repaired.  STEPS= and SEED= in the environment make it longer or repeat a run;
 * FIRST= goes on from that step. */
#define _GNU_SOURCE /* the prototype of clock_gettime */
#include "orders.h"
#include "saved-file.h"
#include "store/folder.h"

#include <sys/syscall.h>
#include <sys/wait.h>

enum {
  MESSAGES = ORDERED_MAX,
  EXPUNGED = 100, /* from UID 2001 on: UIDs are not sequence numbers */
  WORK = 1000,    /* the first ones have a keyword */
  STEPS_DEFAULT = 40,
  SEED_DEFAULT = 1,
  FILES_MAX = 40,
  FILE_MAX = 16 << 20,
  BLOCK_MAX = 8192,
  SAMPLE = 400, /* messages of which a session looks at everything */
};

/* A scan right after a change would be repeated, after a while.  Nobody else is here: no need. */
int clock_gettime(clockid_t id, struct timespec *t) {
  int r = (int)syscall(SYS_clock_gettime, id, t);
  if (!r && id == CLOCK_REALTIME) t->tv_sec += 10;
  return r;
}

struct file {
  struct saved_file f;
  char name[100];
  char *damaged;
  size_t damaged_size;
};
static struct file files[FILES_MAX];
static int nfiles;
static char log_path[300];
static uint32_t validity, uidnext;
static unsigned int seed;
static bool under_session;

static unsigned int dice(unsigned int n) {
  seed = seed * 1664525 + 1013904223;
  return (unsigned int)((uint64_t)(seed >> 4) * n >> 28);
}

/* ---- the scene ---- */

static int number_of_uid(uint32_t uid) {
  return (int)uid; /* names are in the order of UIDs */
}

static bool is_ours(char const *name) {
  return !strcmp(name, "journal") || !strcmp(name, "index") || !strncmp(name, "cache", 5) ||
         !strncmp(name, "sort", 4);
}

static char const *path_in_area(char const *name) {
  char rest[300];
  snprintf(rest, sizeof rest, "chainmail/%.250s", name);
  return path_of("", rest);
}

static void remember(void) {
  DIR *d = opendir(path_of("", "chainmail"));
  must(!!d, "chainmail");
  for (struct dirent *e; (e = readdir(d));) {
    struct file *f = &files[nfiles];
    if (!is_ours(e->d_name) && strcmp(e->d_name, "lock") != 0) continue;
    snprintf(f->name, sizeof f->name, "%.99s", e->d_name);
    save_file(&f->f, path_in_area(e->d_name), nfiles, FILE_MAX);
    f->damaged = malloc(f->f.size + BLOCK_MAX);
    must(f->damaged && ++nfiles < FILES_MAX, "a file more");
  }
  closedir(d);
}

static void prepare(void) {
  make_maildir();
  for (int i = 1; i <= MESSAGES; i++) {
    char name[60];
    snprintf(name, sizeof name, "cur/%d.x.h:2,S", 1000000 + i);
    deliver("", name, ordered_text(i));
  }
  let_settle();
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  must(!change_flags(f, 1, WORK, FLAGS_ADD, 0, "$Work") &&
           !change_flags(f, 2001, 2000 + EXPUNGED, FLAGS_ADD, FLAG_DELETED, 0) &&
           !folder_expunge(f, 0) && !folder_sync(f, true, 0) &&
           folder_count(f) == MESSAGES - EXPUNGED,
       "the scene");
  for (uint32_t seq = 1; seq <= folder_count(f); seq++)
    must(answers_fit(f, seq, content_of(f, seq)), "the answers");
  learn_links(f);
  f->indexed = 0; /* the index is to be of the present */
  folder_close(f);
  f = select_folder(s, "");
  must(f->view.map != 0, "an index");
  validity = folder_uidvalidity(f);
  uidnext = folder_uidnext(f);
  folder_close(f);
  store_close(s);
  remember();
}

/* ---- damage and restoring ---- */

static void restore(void) {
  for (int i = 0; i < nfiles; i++) put_back(&files[i].f);
}

static size_t some_block(struct file const *f, size_t *at) {
  size_t n = dice(2) ? 1 + dice(BLOCK_MAX) : 512u << dice(4);
  if (n > f->damaged_size) n = f->damaged_size;
  *at = dice((unsigned int)(f->damaged_size - n + 1));
  if (dice(2)) *at &= ~(size_t)7;
  return n;
}

static void some_bytes(struct file *f) {
  for (unsigned int n = 1u << dice(7); n; n--)
    f->damaged[dice((unsigned int)f->damaged_size)] = (char)dice(256);
}
static void random_block(struct file *f) {
  size_t at, n = some_block(f, &at);
  while (n--) f->damaged[at++] = (char)dice(256);
}
static void zero_block(struct file *f) {
  size_t at, n = some_block(f, &at);
  memset(f->damaged + at, 0, n);
}
static void cut(struct file *f) {
  f->damaged_size = dice((unsigned int)f->damaged_size);
}
static void lengthen(struct file *f) {
  for (unsigned int n = f->damaged_size <= f->f.size ? 1 + dice(BLOCK_MAX / 2) : 0; n; n--)
    f->damaged[f->damaged_size++] = (char)dice(256);
}
static void swap_blocks(struct file *f) {
  char kept[BLOCK_MAX];
  size_t a, b, n = some_block(f, &a);
  b = dice((unsigned int)(f->damaged_size - n + 1));
  if (dice(2)) b &= ~(size_t)7;
  memcpy(kept, f->damaged + a, n);
  memmove(f->damaged + a, f->damaged + b, n);
  memcpy(f->damaged + b, kept, n);
}
/* Such as a disk that confuses sectors would make. */
static void foreign_block(struct file *f) {
  struct file const *other = &files[dice((unsigned int)nfiles)];
  size_t at, n = some_block(f, &at);
  if (n > other->f.size) n = other->f.size;
  memcpy(f->damaged + at, other->f.data + dice((unsigned int)(other->f.size - n + 1)), n);
}

static struct {
  void (*make)(struct file *);
  char const *name;
} const damages[] = {
    {some_bytes, "bytes"},
    {random_block, "random block"},
    {zero_block, "zero block"},
    {cut, "cut"},
    {lengthen, "longer"},
    {swap_blocks, "swapped blocks"},
    {foreign_block, "block of another file"},
};
enum { DAMAGES = sizeof damages / sizeof *damages };

static char done[1000]; /* in words */

static struct file *some_file(void) {
  for (;;) {
    struct file *f = &files[dice((unsigned int)nfiles)];
    /* There are more files of the cache, which matter less. */
    if (is_ours(f->name) && f->f.size && (*f->name != 'c' || !dice(3))) return f;
  }
}

static void damage(void) {
  *done = 0;
  for (unsigned int n = 1 + dice(3); n; n--) {
    struct file *f = some_file();
    unsigned int kind = dice(DAMAGES);
    memcpy(f->damaged, f->f.data, f->damaged_size = f->f.size);
    damages[kind].make(f);
    write_saved(&f->f, f->damaged, f->damaged_size);
    size_t used = strlen(done);
    snprintf(done + used, sizeof done - used, " %s: %s;", f->name, damages[kind].name);
  }
}

/* ---- judging ---- */

static bool wrong(char const *what, uint32_t uid, char const *found) {
  printf("# %s of UID %u: %.60s\n", what, uid, found);
  return false;
}

/* Whether UIDs are those that were given out at first; higher ones are new. */
static bool is_known(struct folder const *f, uint32_t uid) {
  return folder_uidvalidity(f) == validity && uid < uidnext;
}

static bool check_content(struct folder *f, uint32_t seq, unsigned int *readable) {
  uint32_t uid = folder_uid(f, seq);
  char const *text = content_of(f, seq);
  if (number_of(text) < 0) return true; /* NO */
  ++*readable;
  return !is_known(f, uid) || !strcmp(text, ordered_text(number_of_uid(uid))) ||
         wrong("content", uid, text);
}

/* What is said of it is what the message says, whatever its UID. */
static bool check_answers(struct folder *f, uint32_t seq) {
  char text[200];
  snprintf(text, sizeof text, "%.199s", content_of(f, seq));
  if (number_of(text) < 0) return true;
  if (!answers_fit(f, seq, text)) return false;
  uint32_t uid = folder_uid(f, seq);
  int work = folder_keyword_find(f, "$Work");
  /* A session verifies a block of the index once; what is changed in it later it may show. */
  return under_session || work < 0 || !is_known(f, uid) || uid <= WORK ||
         !folder_has_keyword(f, seq, (unsigned int)work) || wrong("keyword", uid, text);
}

static bool check_orders_once(struct folder *f) {
  struct orders const *o = ask_orders(f);
  bool good = true;
  for (unsigned int i = 0; o && good && folder_count(f) && i < SAMPLE; i++)
    good = orders_fit(f, o, 1 + dice(folder_count(f)), 1 + dice(folder_count(f)));
  return good;
}

/* A session may take one message for another that the index has in its place, UID and all, until it
 * finds that out and has the index's messages made again: then what it said before does not count.
 */
static bool check_orders(struct folder *f) {
  bool indexed = f->view.map && f->view.map->fd >= 0;
  return check_orders_once(f) ||
         (indexed && !(f->view.map && f->view.map->fd >= 0) && check_orders_once(f));
}

static bool check_some(struct folder *f) {
  unsigned int readable = 0;
  for (unsigned int i = 0; i < SAMPLE && folder_count(f); i++) {
    uint32_t seq = 1 + dice(folder_count(f));
    if (!check_content(f, seq, &readable) || !check_answers(f, seq)) return false;
  }
  return check_orders(f);
}

enum { GOOD, BAD, ENDED };

/* A session that was there before may hear NO, but nothing false. */
static int live_session(void) {
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  unsigned int before = dice(2) ? dice(50) : 0, readable = 0;
  while (before--) /* some of the index has been verified */
    if (!check_content(f, 1 + dice(folder_count(f)), &readable)) return BAD;
  damage();
  under_session = true;
  bool good = check_some(f);
  uint32_t seq = 1 + dice(folder_count(f));
  change_flags(f, seq, seq, FLAGS_ADD, FLAG_ANSWERED, "$Later");
  change_flags(f, seq, seq, FLAGS_REMOVE, FLAG_ANSWERED, 0);
  folder_sync(f, true, 0);
  good = good && check_some(f);
  folder_close(f);
  store_close(s);
  return good ? GOOD : BAD;
}

/* How many messages can be read; -1: something is wrong. */
static long read_all(struct folder *f) {
  unsigned int readable = 0;
  for (uint32_t seq = 1; seq <= folder_count(f); seq++)
    if (!check_content(f, seq, &readable)) return -1;
  return readable;
}

/* If it meets with damage, it may hear NO; the next sync has repaired it, or ends the session where
 * that has made another folder of it. */
static int new_session(void) {
  struct store *s = open_store();
  struct folder *f = 0;
  enum store_error e = folder_open(s, "", FOLDER_SELECT, &f);
  if (e) {
    wrong("opening", 0, store_code(e));
    return BAD;
  }
  long n = read_all(f);
  if (n >= 0 && n < MESSAGES - EXPUNGED) {
    e = folder_sync(f, true, 0);
    if (e == STORE_NONEXISTENT) return ENDED;
    n = read_all(f);
  }
  bool good = n == MESSAGES - EXPUNGED && !e && check_some(f);
  if (n != MESSAGES - EXPUNGED) printf("# %ld messages of %u can be read\n", n, folder_count(f));
  folder_close(f);
  store_close(s);
  return good ? GOOD : BAD;
}

/* ---- the log ---- */

static bool log_has(char const *word) {
  char *data;
  size_t size;
  must(!file_read(AT_FDCWD, log_path, 1 << 24, &data, &size), "the log");
  bool has = size && memmem(data, size, word, strlen(word)) != 0;
  free(data);
  return has;
}

static void keep_log(void) {
  snprintf(log_path, sizeof log_path, "%s/log", root);
  int fd = open(log_path, O_RDWR | O_CREAT | O_APPEND | O_TRUNC, 0600);
  must(fd >= 0 && dup2(fd, 2) == 2 && !close(fd), "the log");
}

static bool is_same(char const *name) {
  for (int i = 0; i < nfiles; i++)
    if (!strcmp(files[i].name, name)) return is_saved(&files[i].f);
  return false;
}

/* A journal that is another one now was written by a repair; an index of the same journal, because
 * it was damaged: too little has been changed for anything else. */
static bool is_explained(void) {
  if (!is_same("journal"))
    return log_has("journal-repaired") || log_has("journal-lost") ||
           wrong("log", 0, "not a word of the journal");
  return is_same("index") || log_has("index-dropped") || wrong("log", 0, "not a word of the index");
}

static void show_log(void) {
  char line[300];
  FILE *f = fopen(log_path, "r");
  must(f != 0, "the log");
  for (int i = 0; i < 30 && fgets(line, sizeof line, f); i++) printf("# %s", line);
  fclose(f);
}

/* ---- steps ---- */

/* In a process of its own: with the index and the journal both lost a session ends. */
static int in_child(int (*session)(void)) {
  int status;
  fflush(stdout);
  pid_t pid = fork();
  must(pid >= 0, "fork");
  if (!pid) {
    int result = session();
    if (result == BAD) printf("# damage:%s\n", done);
    fflush(stdout);
    _exit(result);
  }
  must(waitpid(pid, &status, 0) == pid, "waitpid");
  if (WIFEXITED(status) && (WEXITSTATUS(status) == GOOD || WEXITSTATUS(status) == ENDED))
    return WEXITSTATUS(status);
  if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_TEMPORARY && log_has("index-lost"))
    return ENDED;
  printf("# status %x\n", (unsigned int)status);
  return BAD;
}

static int ended; /* sessions */

static bool try(unsigned int step_seed) {
  seed = step_seed;
  restore();
  must(!truncate(log_path, 0), "truncate");
  int live = GOOD, new;
  if (dice(2))
    live = in_child(live_session);
  else
    damage();
  new = in_child(new_session);
  ended += (live == ENDED) + (new == ENDED);
  if (new == ENDED) new = in_child(new_session);
  if (new == GOOD) new = in_child(new_session);
  return live != BAD && new == GOOD &&is_explained() &&
         files_in("", "cur") + files_in("", "new") == MESSAGES - EXPUNGED;
}

static long setting(char const *name, long otherwise) {
  char const *value = getenv(name);
  return value ? atol(value) : otherwise;
}

int main(void) {
  if (!getenv("TMPDIR") && !access("/dev/shm", W_OK)) setenv("TMPDIR", "/dev/shm", 1);
  long steps = setting("STEPS", STEPS_DEFAULT), i = setting("FIRST", 0);
  unsigned int begun = (unsigned int)setting("SEED", SEED_DEFAULT);
  bool good = true;
  prepare();
  int err = dup(2);
  must(err >= 0, "dup");
  keep_log();
  for (; good && i < steps; i++) good = try(begun * 1000003 + (unsigned int)i * 7919);
  if (!good) show_log();
  if (!good) printf("#%s\n# again: SEED=%u FIRST=%ld STEPS=%ld\n", done, begun, i - 1, i);
  ok(good, "a large folder outlives every damage");
  printf("# %ld steps, SEED=%u; sessions that ended: %d\n", i, begun, ended);
  dup2(err, 2);
  close(err);
  for (int n = 0; n < nfiles; n++) {
    free(files[n].f.data);
    free(files[n].damaged);
  }
  return tap_done();
}
