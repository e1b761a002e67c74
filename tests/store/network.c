/* A Maildir on a file system of the network: no index, no inotify, and one line that says so.
 * fstatfs is intercepted here: this program's definition comes before the C library's. */
#define _GNU_SOURCE
#include "store-test.h"
#include "store/folder.h"

#include <sys/statfs.h>
#include <sys/syscall.h>

enum { MESSAGES = 600 };

static struct {
  long type;   /* what file systems are said to be, 0: what they are */
  ino_t inode; /* only that of this directory, 0: all */
  int error;   /* fail with this */
} lie;

int fstatfs(int fd, struct statfs *out) {
  struct stat st;
  if (syscall(SYS_fstatfs, fd, out) < 0) return -1;
  must(!fstat(fd, &st), "fstat");
  if (lie.inode && st.st_ino != lie.inode) return 0;
  errno = lie.error;
  if (lie.type) out->f_type = (__typeof__(out->f_type))lie.type;
  return lie.error ? -1 : 0;
}

/* ---- the log ---- */

static char log_path[300];

static void empty_log(void) {
  must(!truncate(log_path, 0), "truncate");
}

static unsigned int lines_with(char const *word) {
  char *data, *p;
  size_t size;
  unsigned int n = 0;
  must(!file_read(AT_FDCWD, log_path, 1 << 20, &data, &size), "the log");
  data = realloc(data, size + 1);
  must(!!data, "realloc");
  data[size] = 0;
  for (p = data; (p = strstr(p, word)); p++) n++;
  free(data);
  return n;
}

static void keep_log(void) {
  snprintf(log_path, sizeof log_path, "%s/log", root);
  int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  must(fd >= 0 && dup2(fd, 2) == 2 && !close(fd), "the log");
}

/* ---- what is used ---- */

static bool has_index(void) {
  return !access(path_of("", "chainmail/index"), F_OK);
}

struct use {
  bool map, index_written, watch, own;
  unsigned int lines;
};

/* A session that selects the folder, changes as much as makes an index worth it, and waits. */
static struct use use_folder(void) {
  struct use u = {0};
  let_settle();
  empty_log();
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  must(folder_count(f) >= MESSAGES, "count");
  u.map = f->view.map != 0;
  for (int i = 0; i < 4; i++) {
    enum flag_operation operation = i % 2 ? FLAGS_REMOVE : FLAGS_ADD;
    must(!change_flags(f, 1, MESSAGES, operation, FLAG_FLAGGED, "$Work"), "flags");
    u.own |= f->own.fd >= 0;
  }
  u.watch = folder_watch(f) >= 0;
  unlink(path_of("", "chainmail/index"));
  f->indexed = 0;
  folder_close(f);
  store_close(s);
  u.index_written = has_index();
  u.lines = lines_with("network-file-system");
  return u;
}

static void check_network(char const *what) {
  char text[200];
  must(has_index(), "an index from before");
  struct use u = use_folder();
  snprintf(text, sizeof text, "%s: no index is mapped or written", what);
  ok(!u.map && !u.index_written, text);
  snprintf(text, sizeof text, "%s: inotify is not trusted", what);
  ok(!u.watch && !u.own, text);
  snprintf(text, sizeof text, "%s: one line of the log says so", what);
  is_uint(u.lines, 1, text);
}

static void check_local(char const *what) {
  char text[200];
  struct use u = use_folder();
  struct use again = use_folder();
  snprintf(text, sizeof text, "%s: an index, inotify, and no line", what);
  ok(u.index_written && again.map && again.watch && again.own && !again.lines, text);
}

/* Two sessions there are told what the other does. */
static void check_sessions(void) {
  struct store *s = open_store(), *s2 = open_store();
  struct folder *f = select_folder(s, ""), *f2 = select_folder(s2, "");
  char told[40];
  must(!change_flags(f, 3, 3, FLAGS_ADD, FLAG_ANSWERED, "$New"), "flags");
  is(sync_and_hear(f2, true), "k f3 ", "on NFS: another session is told of flags");
  deliver("", "new/9.x.h", "Subject: late\n\nx\n");
  snprintf(told, sizeof told, "+%u:%u ", MESSAGES + 1, MESSAGES);
  is(sync_and_hear(f2, true), told, "on NFS: of new mail");
  must(!change_flags(f2, MESSAGES + 1, MESSAGES + 1, FLAGS_ADD, FLAG_DELETED, 0) &&
           !folder_expunge(f2, 0) && !folder_sync(f2, true, 0),
       "expunge");
  is_uint(folder_count(f2), MESSAGES, "on NFS: and of EXPUNGE");
  folder_close(f);
  folder_close(f2);
  store_close(s);
  store_close(s2);
}

static ino_t inode_of(char const *part) {
  struct stat st;
  must(!stat(path_of("", part), &st), part);
  return st.st_ino;
}

int main(void) {
  if (!getenv("TMPDIR") && !access("/dev/shm", W_OK)) setenv("TMPDIR", "/dev/shm", 1);
  make_maildir();
  for (int i = 1; i <= MESSAGES; i++) {
    char name[100];
    snprintf(name, sizeof name, "cur/1700%06d.x.h:2,S", i);
    deliver("", name, "Subject: x\n\nbody\n");
  }
  keep_log();
  check_local("here");
  static struct {
    long type;
    char const *name;
  } const kinds[] = {{0x6969, "NFS"}, {(long)0xff534d42, "CIFS"}, {0x65735546, "FUSE"}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    lie.type = kinds[i].type;
    check_network(kinds[i].name);
    lie.type = 0;
    check_local("here again");
  }
  lie.type = 0x6969;
  check_sessions();
  lie.inode = inode_of("cur");
  lie.type = 0;
  check_local("before");
  lie.type = 0x6969;
  check_network("cur/ alone on NFS");
  lie.type = 0;
  check_local("after");
  lie.inode = 0;
  lie.error = ESTALE;
  check_network("its kind cannot be told");
  return tap_done();
}
