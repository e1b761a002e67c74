/* A system that fails, and a process that is killed, at every call that changes the disk
 * (failing.h).  FAULTS=all leaves out no call for any error. */
#include "failing.h"
#include "store/folder.h"

#include <sys/wait.h>

/* ---- a session to be killed ---- */

struct scene {
  struct store *s;
  struct folder *f;
};

static void begin_scene(struct scene *x) {
  x->s = open_store();
  x->f = select_folder(x->s, "");
}

static void end_scene(struct scene *x) {
  folder_close(x->f);
  store_close(x->s);
}

static enum store_error do_append(struct scene *x) {
  return append_messages(x->s, "", "one", 1, 0) ? STORE_OK : STORE_UNAVAILABLE;
}
static enum store_error do_append_many(struct scene *x) {
  return append_messages(x->s, "", "many", 3, FLAG_SEEN) ? STORE_OK : STORE_UNAVAILABLE;
}
static enum store_error do_flag(struct scene *x) {
  return change_flags(x->f, 1, 1, FLAGS_ADD, FLAG_FLAGGED, 0);
}
/* Of one message: STORE is no batch, and one record for each outcome. */
static enum store_error do_keyword(struct scene *x) {
  return change_flags(x->f, 2, 2, FLAGS_ADD, 0, "$Kw");
}
static enum store_error do_copy(struct scene *x) {
  return copy_messages(x->f, 1, 3, x->s, "box", false);
}
static enum store_error do_move(struct scene *x) {
  return copy_messages(x->f, 2, 3, x->s, "box", true);
}
static enum store_error do_move_back(struct scene *x) {
  struct folder *box;
  enum store_error e = folder_open(x->s, "box", FOLDER_SELECT, &box);
  if (!e) e = copy_messages(box, 1, 2, x->s, "", true);
  if (box) folder_close(box);
  return e;
}
static enum store_error do_delete(struct scene *x) {
  return change_flags(x->f, 1, 1, FLAGS_ADD, FLAG_DELETED, 0);
}
static enum store_error do_expunge(struct scene *x) {
  return folder_expunge(x->f, 0);
}
static enum store_error do_compact(struct scene *x) {
  must(!folder_lock(x->f), "lock");
  enum store_error e = folder_snapshot(x->f);
  folder_unlock(x->f);
  return e;
}

static enum store_error do_create(struct scene *x) {
  return store_create(x->s, "tree");
}
static enum store_error do_create_below(struct scene *x) {
  return store_create(x->s, "tree.top");
}
static enum store_error do_first_look(struct scene *x) {
  struct folder *f;
  int at = fault.at;
  fault.at = 0; /* the deliverer has better luck */
  deliver("tree", "cur/5.e.h:2,T", "Subject: e\n\n");
  deliver("tree", "new/6.f.h", "Subject: f\n\n");
  fault.at = at;
  enum store_error e = folder_open(x->s, "tree", FOLDER_SELECT, &f);
  if (f) folder_close(f);
  return e;
}
static enum store_error do_rename(struct scene *x) {
  return store_rename(x->s, "tree", "wood");
}
static enum store_error do_set_aside(struct scene *x) {
  struct folder *f, *other = 0;
  enum store_error e = folder_open(x->s, "wood", FOLDER_SELECT, &f);
  if (!e) e = folder_open(x->s, "wood", FOLDER_EXAMINE, &other);
  if (!e) e = folder_expunge(f, 0);
  if (f) folder_close(f);
  if (other) folder_close(other);
  return e;
}
static enum store_error do_remove(struct scene *x) {
  return store_delete(x->s, "wood");
}

static struct {
  char const *name;
  enum store_error (*act)(struct scene *);
} const acts[] = {
    {"append", do_append},
    {"append many", do_append_many},
    {"flag", do_flag},
    {"keyword", do_keyword},
    {"copy", do_copy},
    {"move", do_move},
    {"compact", do_compact},
    {"move back", do_move_back},
    {"delete", do_delete},
    {"expunge", do_expunge},
    {"create", do_create},
    {"create below", do_create_below},
    {"first look", do_first_look},
    {"rename", do_rename},
    {"set aside", do_set_aside},
    {"remove", do_remove},
};
enum { ACTS = sizeof acts / sizeof *acts };

/* ---- what is on the disk, as a client sees it ---- */

enum { STATE = 3000 };

static void append_state(struct folder *f, char *text, char *uids) {
  for (uint32_t i = 1; i <= folder_count(f); i++) {
    char line[400], content[40];
    snprintf(content, sizeof content, "%.30s", content_of(f, i));
    content[strcspn(content, "\n")] = 0;
    char flags[100];
    snprintf(flags, sizeof flags, "%.90s", flags_of(f, i));
    char *recent = strchr(flags, 'r'); /* \Recent is whoever's comes first */
    if (recent) memmove(recent, recent + 1, strlen(recent));
    snprintf(line, sizeof line, "%s [%s]\n", content, flags);
    strcat(text, line);
    snprintf(line, sizeof line, "%s %u %s\n", *f->name ? f->name : "INBOX", folder_uid(f, i),
             content);
    strcat(uids, line);
  }
}

/* text: messages and flags of all folders; uids: who has which UID. */
static void read_state(char *text, char *uids) {
  struct store *s = open_store();
  struct arena arena = {0};
  struct store_list list;
  *text = *uids = 0;
  must(!store_list(s, false, &arena, &list), "store_list");
  for (size_t i = 0; i < list.n; i++) {
    if (!list.entries[i].exists) continue;
    struct folder *f = select_folder(s, list.entries[i].name);
    strcat(text, *f->name ? f->name : "INBOX");
    strcat(text, ":\n");
    append_state(f, text, uids);
    folder_close(f);
  }
  arena_release(&arena);
  store_close(s);
}

static void prepare_scene(void) {
  make_maildir();
  struct store *s = open_store();
  must(!store_create(s, "box"), "create");
  deliver("", "cur/1.a.h:2,", "Subject: a\n\n");
  deliver("", "cur/2.b.h:2,", "Subject: b\n\n");
  folder_close(select_folder(s, ""));
  folder_close(select_folder(s, "box"));
  store_close(s);
}

/* The states that a session which is not killed goes through. */
static char states[ACTS + 1][STATE];

static void record_states(void) {
  char uids[STATE];
  struct scene x;
  prepare_scene();
  read_state(states[0], uids);
  begin_scene(&x);
  for (int i = 0; i < ACTS; i++) {
    enum store_error e = acts[i].act(&x);
    must(!e && !folder_sync(x.f, true, 0), acts[i].name);
    read_state(states[i + 1], uids);
  }
  end_scene(&x);
}

/* Every line of `before` whose UID is still there in `after` is there unchanged. */
static bool uids_kept(char const *before, char const *after) {
  char line[200];
  for (char const *p = before; *p; p = strchr(p, '\n') + 1) {
    size_t size = (size_t)(strchr(p, '\n') - p);
    snprintf(line, sizeof line, "%.*s", (int)size, p);
    *strrchr(line, ' ') = 0;               /* the content is "Subject: x" */
    *(strrchr(line, ' ') + 1) = 0;         /* folder and UID */
    char const *now = strstr(after, line); /* "box 1 " */
    if (now && strncmp(now, p, size + 1)) return false;
  }
  return true;
}

/* What the child tells before it is killed. */
struct testimony {
  int done; /* acts that were answered OK */
  char uids[STATE];
};

/* Runs all acts in a child that dies at call `at`.  False: it lived to the end. */
static bool run_and_kill(int at, bool half, struct testimony *t) {
  int fds[2];
  must(!pipe(fds), "pipe");
  pid_t pid = fork();
  if (!pid) {
    static struct testimony mine;
    char text[STATE];
    struct scene x;
    fault.at = at;
    fault.half = half;
    begin_scene(&x);
    for (int i = 0; i < ACTS; i++) {
      if (acts[i].act(&x) || folder_sync(x.f, true, 0)) _exit(2);
      fault.at = 0; /* looking is not part of it */
      read_state(text, mine.uids);
      mine.done = i + 1;
      if (write(fds[1], &mine, sizeof mine) != (ssize_t)sizeof mine) _exit(3);
      fault.at = at;
    }
    _exit(0);
  }
  close(fds[1]);
  *t = (struct testimony){0};
  struct testimony heard;
  while (read(fds[0], &heard, sizeof heard) == (ssize_t)sizeof heard) *t = heard;
  close(fds[0]);
  int status;
  waitpid(pid, &status, 0);
  if (!WIFEXITED(status) || (WEXITSTATUS(status) && WEXITSTATUS(status) != KILLED))
    printf("# the child ended with %d\n", status);
  return WIFEXITED(status) && WEXITSTATUS(status) == KILLED;
}

static bool judge(struct testimony const *t, int at, bool half) {
  char text[STATE], uids[STATE];
  read_state(text, uids);
  int next = t->done < ACTS ? t->done + 1 : t->done;
  bool good = !strcmp(text, states[t->done]) || !strcmp(text, states[next]);
  if (!good)
    printf("# killed %s call %d, in \"%s\":\n%s# instead of\n%s# or\n%s", half ? "after" : "before",
           at, t->done < ACTS ? acts[t->done].name : "the end", text, states[t->done],
           states[next]);
  if (!uids_kept(t->uids, uids)) {
    printf("# killed at call %d: UIDs were\n%s# and are\n%s", at, t->uids, uids);
    good = false;
  }
  /* A second look finds nothing more to do. */
  char again[STATE], more[STATE];
  read_state(again, more);
  if (strcmp(again, text) || strcmp(more, uids)) {
    printf("# killed at call %d: the second look differs\n", at);
    good = false;
  }
  return good;
}

static void kill_everywhere(bool half, char const *name) {
  bool good = true;
  int at = 0;
  for (bool killed = true; killed && good;) {
    struct testimony t;
    prepare_scene();
    killed = run_and_kill(++at, half, &t);
    good = judge(&t, at, half);
  }
  ok(good, name);
  ok(at > 40, "there were many such calls");
  printf("# %d calls\n", at - 1);
}

/* ---- a system that fails ---- */

/* Begins a session and does what can be done; how many acts were OK. */
static int run_and_fail(void) {
  struct scene x = {0};
  int done = 0;
  if (store_open(&x.s, maildir, &options)) return 0;
  if (!folder_open(x.s, "", FOLDER_SELECT, &x.f)) {
    while (done < ACTS && !acts[done].act(&x) && !folder_sync(x.f, true, 0)) done++;
    folder_close(x.f);
  }
  store_close(x.s);
  return done;
}

static bool judge_failure(int at, int done, bool logged) {
  char text[STATE], uids[STATE];
  int next = done < ACTS ? done + 1 : done;
  read_state(text, uids);
  bool good = !strcmp(text, states[done]) || !strcmp(text, states[next]);
  if (!good)
    printf("# call %d failed in \"%s\":\n%s# instead of\n%s# or\n%s", at,
           done < ACTS ? acts[done].name : "the end", text, states[done], states[next]);
  if (done == ACTS || logged) return good;
  printf("# call %d failed in \"%s\", and nothing was logged\n", at, acts[done].name);
  return false;
}

/* Every act with every call failing in turn: an error that is logged or success, but nothing in
 * between; the next session finds everything in order. */
static void fail_everywhere(int error, bool lasting, char const *only) {
  char name[100];
  bool good = true;
  /* A disk that is full or fails for a moment: every call.  The rest: every third. */
  bool all = getenv("FAULTS") || (!lasting && (error == ENOSPC || error == EIO));
  int at = 0, open = 0;
  fault.error = error;
  for (bool last = false; good && !last;) {
    prepare_scene();
    open = descriptors();
    off_t log = lseek(2, 0, SEEK_END);
    fault.calls = 0;
    fault.only = only;
    fault.opens = only;
    fault.lasting = lasting;
    fault.at = at += all ? 1 : 3;
    int done = run_and_fail();
    last = fault.calls < at;
    fault.at = 0;
    good = judge_failure(at, done, lseek(2, 0, SEEK_END) > log);
    if (descriptors() != open) {
      printf("# call %d failed: %d descriptors are left\n", at, descriptors() - open);
      good = false;
    }
  }
  snprintf(name, sizeof name, "%s%s at every %s: all or nothing", strerror(error),
           lasting ? " from then on" : "", only ? only : "call");
  ok(good, name);
  fault.error = 0;
  fault.opens = fault.lasting = false;
  fault.only = 0;
}

/* The next call of this name fails, and no other. */
static void refuse_first(char const *call, int error) {
  fault.calls = 0;
  fault.at = 1;
  fault.error = error;
  fault.only = call;
}

static void refuse_nothing(void) {
  fault.at = fault.error = 0;
  fault.only = 0;
}

static void failed_sync(void) {
  struct scene x;
  prepare_scene();
  begin_scene(&x);
  uint32_t generation = x.f->journal.generation;
  refuse_first("fdatasync", EIO);
  enum store_error e = do_keyword(&x);
  refuse_nothing();
  is_uint(e, STORE_OK, "a journal that cannot be synced");
  ok(x.f->journal.generation > generation, "is replaced, not synced again");
  end_scene(&x);
  begin_scene(&x);
  is(flags_of(x.f, 2), " $Kw", "by one that has it all");
  end_scene(&x);
}

static void full_disk(void) {
  struct scene x;
  prepare_scene();
  begin_scene(&x);
  refuse_first("pwrite", ENOSPC);
  is_uint(do_keyword(&x), STORE_FULL, "a full disk: STORE_FULL");
  refuse_nothing();
  is_uint(do_keyword(&x), STORE_OK, "and with room again it works");
  is_uint(do_append(&x), STORE_OK, "as does APPEND");
  end_scene(&x);
}

static void refused_links(void) {
  int const errors[] = {EMLINK, EXDEV, EPERM};
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    struct scene x;
    struct stat st;
    char part[400];
    prepare_scene();
    begin_scene(&x);
    refuse_first("linkat", errors[i]);
    is_uint(copy_messages(x.f, 1, 2, x.s, "box", false), STORE_OK, strerror(errors[i]));
    refuse_nothing();
    snprintf(part, sizeof part, "cur/%s", "1.a.h:2,");
    must(!stat(path_of("", part), &st), "stat");
    is_uint(st.st_nlink, 1, "a link refused: that message is copied");
    must(!stat(path_of("", "cur/2.b.h:2,"), &st), "stat");
    is_uint(st.st_nlink, 2, "the next is linked");
    struct folder *box = select_folder(x.s, "box");
    is(content_of(box, 1), "Subject: a\n\n", "it is the same");
    time_t t1 = 0, t2 = 1;
    folder_internal_date(box, 1, &t1);
    folder_internal_date(x.f, 1, &t2);
    is_uint((uint64_t)t1, (uint64_t)t2, "its date too");
    folder_close(box);
    end_scene(&x);
  }
}

/* By a kernel or a file system that does not know how not to replace. */
static void refused_renames(void) {
  int const errors[] = {ENOSYS, EINVAL};
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    struct scene x;
    struct stat st;
    prepare_scene();
    begin_scene(&x);
    refuse_first("renameat2", errors[i]);
    is_uint(do_flag(&x), STORE_OK, strerror(errors[i]));
    refuse_nothing();
    is_uint((uint64_t)fault.calls, 1, "a renaming refused");
    ok(!stat(path_of("", "cur/1.a.h:2,F"), &st) && st.st_nlink == 1 &&
           stat(path_of("", "cur/1.a.h:2,"), &st) < 0,
       "is done by a link");
    end_scene(&x);
  }
}

int main(void) {
  if (!getenv("TMPDIR") && !access("/dev/shm", W_OK)) setenv("TMPDIR", "/dev/shm", 1);
  record_states();
  ok(strstr(states[ACTS], "box:\n"), "the whole scene, undisturbed");
  kill_everywhere(false, "killed before every call: all or nothing");
  kill_everywhere(true, "killed within or after every call: all or nothing");
  int err = dup(2);
  FILE *log = tmpfile();
  must(err >= 0 && log && dup2(fileno(log), 2) == 2, "a log");
  for (int lasting = 0; lasting < 2; lasting++) {
    fail_everywhere(ENOSPC, lasting, 0);
    fail_everywhere(EIO, lasting, 0);
    fail_everywhere(EACCES, lasting, 0);
    fail_everywhere(EROFS, lasting, 0);
    fail_everywhere(EMFILE, lasting, "openat");
  }
  dup2(err, 2);
  failed_sync();
  full_disk();
  refused_links();
  refused_renames();
  return tap_done();
}
