/* Several sessions in as many processes, a delivery agent and a stranger who renames and deletes,
 * all at once on two folders: every view is what its listener was told, no UID is ever another
 * message, and nobody waits for ever.  Without the stranger, what one session expunges the others
 * can read until they have been told. */
#define _GNU_SOURCE /* strchrnul */
#include "store-test.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { SESSIONS = 3, STEPS = 150, UIDS = 100000, FOLDERS = 2 };
static char const *const names[FOLDERS] = {"", "box"};

/* By folder and UID: the number in the message, seen by whoever came first. */
static uint32_t (*shared)[UIDS];

/* A client's own idea of its mailbox. */
struct client {
  struct folder *f;
  uint32_t count;
  bool good;
  bool alone;      /* no stranger is about */
  bool mine[UIDS]; /* expunged by this session: it may have been the last */
};

static void client_expunged(void *context, uint32_t seq, uint32_t uid) {
  struct client *c = context;
  (void)uid;
  if (seq < 1 || seq > c->count) c->good = false;
  c->count--;
}

static void client_exists(void *context, uint32_t count, uint32_t old_count) {
  struct client *c = context;
  if (old_count != c->count || count < c->count) c->good = false;
  c->count = count;
}

static void client_flags(void *context, uint32_t seq) {
  struct client *c = context;
  if (seq < 1 || seq > c->count) c->good = false;
}

static bool check_view(struct client *c, int folder) {
  if (!c->good || c->count != folder_count(c->f)) return false;
  for (uint32_t i = 1; i <= c->count; i++) {
    uint32_t uid = folder_uid(c->f, i);
    if (i > 1 && uid <= folder_uid(c->f, i - 1)) return false;
    if (uid >= folder_uidnext(c->f) || uid >= UIDS) return false;
    char const *text = content_of(c->f, i);
    if (strncmp(text, "number ", 7)) { /* expunged */
      if (!c->alone || c->mine[uid]) continue;
      printf("# %s: UID %u, expunged by another, is \"%s\"\n", names[folder], uid, text);
      return false;
    }
    uint32_t number = (uint32_t)atoi(text + 7);
    uint32_t *known = &shared[folder][uid];
    uint32_t first = __sync_val_compare_and_swap(known, 0, number);
    if (first && first != number) {
      printf("# %s: UID %u is %u and was %u\n", names[folder], uid, number, first);
      return false;
    }
  }
  return true;
}

static bool append_number(struct store *s, char const *folder, uint32_t number) {
  struct append *a;
  struct arena arena = {0};
  struct set uids;
  uint32_t validity;
  char text[40];
  int n = snprintf(text, sizeof text, "number %u\r\n", number);
  if (append_begin(s, folder, &a)) return false;
  append_write(a, text, (size_t)n);
  append_message(a, 0, 0, 0, (time_t)-1);
  bool good = !append_commit(a, &arena, &validity, &uids);
  arena_release(&arena);
  return good;
}

static bool may_happen(enum store_error e) {
  return !e || e == STORE_EXPUNGED;
}

/* What this session is about to expunge, or to move. */
static void note(struct client *c, int act, uint32_t seq) {
  for (uint32_t i = 1; act == 4 && i <= c->count; i++) c->mine[folder_uid(c->f, i)] = true;
  if (act == 5 && seq) c->mine[folder_uid(c->f, seq)] = true;
}

static int session(int me, bool alone) {
  unsigned int seed = (unsigned int)me;
  int folder = me % FOLDERS;
  struct store *s = open_store();
  static struct client c;
  c = (struct client){.f = select_folder(s, names[folder]), .good = true, .alone = alone};
  struct folder_listener l = {&c, client_expunged, client_exists, 0, client_flags};
  c.count = folder_count(c.f);
  bool good = true;
  for (int i = 0; good && i < STEPS; i++) {
    uint32_t seq = c.count ? (uint32_t)rand_r(&seed) % c.count + 1 : 0;
    enum store_error e = STORE_OK;
    int act = rand_r(&seed) % 7;
    note(&c, act, seq);
    if (act == 0)
      good = append_number(s, names[rand_r(&seed) % FOLDERS], (uint32_t)(me * STEPS + i + 1));
    else if (act == 1 && seq)
      e = change_flags(c.f, seq, seq, FLAGS_ADD, FLAG_FLAGGED, "$k");
    else if (act == 2 && seq)
      e = change_flags(c.f, seq, seq, FLAGS_REMOVE, FLAG_FLAGGED | FLAG_SEEN, 0);
    else if (act == 3 && seq)
      e = change_flags(c.f, seq, seq, FLAGS_ADD, FLAG_DELETED, 0);
    else if (act == 4)
      e = folder_expunge(c.f, 0);
    else if (act == 5 && seq)
      e = copy_messages(c.f, seq, seq, s, names[rand_r(&seed) % FOLDERS], true);
    else if (seq)
      e = copy_messages(c.f, seq, seq, s, names[1 - folder], false);
    if (!may_happen(e)) printf("# session %d, act %d: %s\n", me, act, store_code(e));
    good = good && may_happen(e);
    e = folder_sync(c.f, rand_r(&seed) % 3, &l);
    if (e) printf("# session %d, sync: %s\n", me, store_code(e));
    good = good && !e && check_view(&c, folder);
  }
  folder_close(c.f);
  store_close(s);
  return good ? 0 : 1;
}

/* Delivers, renames, deletes, until it is killed. */
static void stranger(void) {
  unsigned int seed = 99;
  struct timespec pause = {0, 5000000};
  for (uint32_t n = 1;; n++) {
    char name[300], to[400], text[40];
    snprintf(text, sizeof text, "number %u\n", 50000 + n);
    snprintf(name, sizeof name, "new/%u.stranger.host", 100000 + n);
    deliver(names[n % FOLDERS], name, text);
    snprintf(name, sizeof name, "%s", file_in(names[n % FOLDERS], "cur", "1"));
    if (*name && rand_r(&seed) % 3) {
      *strchrnul(name, ':') = 0;
      snprintf(to, sizeof to, "cur/%s:2,%s", name, rand_r(&seed) % 2 ? "S" : "FRS");
      char from[400];
      snprintf(from, sizeof from, "cur/%s", file_in(names[n % FOLDERS], "cur", name));
      rename(path_of(names[n % FOLDERS], from), path_of(names[n % FOLDERS], to));
    } else if (*name) {
      snprintf(to, sizeof to, "cur/%s", name);
      unlink(path_of(names[n % FOLDERS], to));
    }
    nanosleep(&pause, 0);
  }
}

/* All of them until the sessions have done. */
static bool all_at_once(bool alone) {
  pid_t pids[SESSIONS], other = alone ? -1 : fork();
  int bad = 0;
  if (!other) stranger();
  for (int i = 0; i < SESSIONS; i++) {
    fflush(stdout);
    if (!(pids[i] = fork())) {
      int r = session(i, alone);
      fflush(stdout);
      _exit(r);
    }
  }
  for (int i = 0; i < SESSIONS; i++) {
    int status;
    waitpid(pids[i], &status, 0);
    bad += !WIFEXITED(status) || WEXITSTATUS(status);
  }
  if (alone) return !bad;
  kill(other, SIGKILL);
  waitpid(other, 0, 0);
  return !bad;
}

static void scene(bool alone) {
  make_maildir();
  struct store *s = open_store();
  must(!store_create(s, "box"), "create");
  for (uint32_t i = 0; i < 20; i++) append_number(s, names[i % FOLDERS], 90000 + i);
  store_close(s);
  memset(shared, 0, FOLDERS * sizeof *shared);
  ok(all_at_once(alone), "every session saw a mailbox that made sense");
  s = open_store();
  for (int i = 0; i < FOLDERS; i++) {
    static struct client c;
    c = (struct client){.f = select_folder(s, names[i]), .good = true};
    let_settle();
    must(!folder_sync(c.f, true, 0), "sync");
    c.count = folder_count(c.f);
    is_uint(c.count, files_in(names[i], "cur") + files_in(names[i], "new"),
            "in the end, as many messages as files");
    ok(check_view(&c, i), "each under the UID that it always had");
    is_uint(files_in(names[i], "chainmail/expunged"), 1, "and none set aside for nobody");
    folder_close(c.f);
  }
  store_close(s);
}

int main(void) {
  if (!getenv("TMPDIR") && !access("/dev/shm", W_OK)) setenv("TMPDIR", "/dev/shm", 1);
  shared =
      mmap(0, FOLDERS * sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  must(shared != MAP_FAILED, "mmap");
  scene(false);
  scene(true);
  return tap_done();
}
