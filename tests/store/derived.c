/* What is derived, and may be lost: index, cache with its late columns, orders, links.  A system
 * that fails, and a process that is killed, at every call that writes them: every answer right, or
 * none, nothing left that misleads the next session, the mail as it was.  FAULTS=all leaves out no
 * call for any error. */
#include "failing.h"
#include "orders.h"

#include <sys/wait.h>

enum { MESSAGES = 66 }; /* more than those of which SORT keeps nothing */

/* ---- the scene ---- */

static void prepare(void) {
  make_maildir();
  for (int i = 1; i <= MESSAGES; i++) {
    char name[200];
    /* Long names make the journal long enough for an index. */
    snprintf(name, sizeof name, "cur/%d.M%0100dP1.h:2,S", 1000000 + i, i);
    deliver("", name, ordered_text(i));
  }
  let_settle();
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  must(folder_count(f) == MESSAGES, "the scene");
  learn_links(f);
  folder_close(f);
  store_close(s);
}

static bool is_derived(char const *name) {
  return !strncmp(name, "index", 5) || !strncmp(name, "cache", 5) || !strncmp(name, "sort", 4);
}

/* Removes all of it, or counts it. */
static unsigned int derived(bool remove) {
  unsigned int n = 0;
  DIR *d = opendir(path_of("", "chainmail"));
  must(!!d, "chainmail");
  for (struct dirent *e; (e = readdir(d));) {
    char path[300];
    snprintf(path, sizeof path, "chainmail/%.200s", e->d_name);
    if (!is_derived(e->d_name)) continue;
    n++;
    if (remove) must(!unlink(path_of("", path)), path);
  }
  closedir(d);
  return n;
}

/* ---- a session that asks for everything ---- */

/* So that late columns come to entries that are in the file. */
static void ask_sizes(struct folder *f) {
  struct arena arena = {0};
  struct facts facts;
  for (uint32_t seq = 1; seq <= folder_count(f); seq++)
    answered(folder_facts(f, seq, FACT_SIZE, &arena, &facts));
  arena_release(&arena);
  folder_rest(f);
}

/* False: something it was told is wrong. */
static bool all_fits(struct folder *f) {
  bool good = true;
  ask_sizes(f);
  for (uint32_t seq = 1; good && seq <= folder_count(f); seq++) {
    char text[200];
    snprintf(text, sizeof text, "%.199s", content_of(f, seq));
    if (number_of(text) < 0)
      unanswered++;
    else
      good = number_of(text) == (int)folder_uid(f, seq) && answers_fit(f, seq, text);
  }
  struct orders const *o = ask_orders(f);
  for (uint32_t seq = 1; o && good && seq < folder_count(f); seq++)
    good = orders_fit(f, o, seq, seq + 1);
  return good;
}

static bool session(void) {
  struct store *s;
  struct folder *f = 0;
  bool good = true;
  if (!answered(store_open(&s, maildir, &options))) return true;
  if (answered(folder_open(s, "", FOLDER_SELECT, &f))) {
    good = all_fits(f);
    if (folder_count(f) != MESSAGES) good = !printf("# %u messages\n", folder_count(f));
    folder_close(f);
  }
  store_close(s);
  return good;
}

/* To the next ones all is as if nothing had happened. */
static bool next_sessions(void) {
  for (int i = 0; i < 2; i++) {
    unanswered = 0;
    if (!session() || unanswered)
      return !printf("# session %d after it: %u questions unanswered\n", i + 1, unanswered);
  }
  return files_in("", "cur") == MESSAGES || !printf("# the mail\n");
}

/* ---- killed ---- */

/* False: it lived to the end. */
static bool run_and_kill(int at, bool half, bool *good) {
  int status;
  fflush(stdout);
  pid_t pid = fork();
  must(pid >= 0, "fork");
  if (!pid) {
    fault.at = at;
    fault.half = half;
    _exit(session() ? 0 : 1);
  }
  must(waitpid(pid, &status, 0) == pid, "waitpid");
  *good = WIFEXITED(status) && (!WEXITSTATUS(status) || WEXITSTATUS(status) == KILLED);
  return WIFEXITED(status) && WEXITSTATUS(status) == KILLED;
}

static void kill_everywhere(bool half, char const *name) {
  bool good = true, killed = true;
  int at = 0;
  while (killed && good) {
    derived(true);
    killed = run_and_kill(++at, half, &good);
    good = next_sessions() && good;
  }
  if (!good) printf("# killed at call %d\n", at);
  ok(good, name);
  ok(at > 90, "there were many such calls");
  printf("# %d calls\n", at - 1);
}

/* ---- failing ---- */

static void fail_everywhere(int error, bool lasting, char const *only) {
  char name[100];
  bool good = true, all = getenv("FAULTS") || (!lasting && error == ENOSPC);
  int at = 0, open = descriptors();
  for (bool last = false; good && !last;) {
    derived(true);
    fault.error = error;
    fault.calls = 0;
    fault.only = only;
    fault.opens = only;
    fault.lasting = lasting;
    fault.at = at += all ? 1 : 5;
    good = session();
    last = fault.calls < at;
    fault.at = fault.error = 0;
    fault.opens = fault.lasting = false;
    fault.only = 0;
    good = next_sessions() && good;
    if (descriptors() != open) good = !printf("# %d descriptors are left\n", descriptors() - open);
  }
  if (!good) printf("# call %d failed\n", at);
  snprintf(name, sizeof name, "%s%s at every %s: nothing false", strerror(error),
           lasting ? " from then on" : "", only ? only : "call");
  ok(good, name);
}

int main(void) {
  if (!getenv("TMPDIR") && !access("/dev/shm", W_OK)) setenv("TMPDIR", "/dev/shm", 1);
  prepare();
  derived(true);
  ok(next_sessions(), "undisturbed");
  is_uint(derived(false), 1 + 2 + 12 + 2, "index, cache and its lock, columns, order and links");
  kill_everywhere(false, "killed before every call");
  kill_everywhere(true, "killed within or after every call");
  int err = dup(2), null = open("/dev/null", O_WRONLY);
  must(err >= 0 && null >= 0 && dup2(null, 2) == 2, "no log");
  for (int lasting = 0; lasting < 2; lasting++) {
    fail_everywhere(ENOSPC, lasting, 0);
    fail_everywhere(EIO, lasting, 0);
    fail_everywhere(EACCES, lasting, 0);
    fail_everywhere(EMFILE, lasting, "openat");
  }
  dup2(err, 2);
  return tap_done();
}
