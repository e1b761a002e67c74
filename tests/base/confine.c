/* Confinement: what is allowed works, what is not does not.  Each case is a process of its own. */
#include "base/base.h"
#include "../tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { UNSUPPORTED = 77 };
static char dir[] = "/tmp/chainmail-confine.XXXXXX";

/* The wait status of a child that runs the case. */
static int run(int (*test)(void)) {
  int status = -1;
  pid_t pid = fork();
  if (!pid) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    _exit(test());
  }
  waitpid(pid, &status, 0);
  return status;
}

static void skip(unsigned int n, char const *why) {
  while (n--) tap_report(1, why, __FILE__, __LINE__);
}

#ifdef __linux__
static int const allowed[] = {SYS_write, SYS_exit_group, SYS_getppid};

static int confine(void) {
  if (!confine_syscalls(allowed, sizeof allowed / sizeof *allowed)) return 0;
  return errno == ENOSYS ? UNSUPPORTED : 1;
}

static int allowed_call(void) {
  int r = confine();
  return r ? r : getppid() <= 0;
}

static int forbidden_call(void) {
  int r = confine();
  if (r) return r;
  return syscall(SYS_getuid) == -1 && errno == EPERM ? 0 : 1;
}

static int too_many(void) {
  static int list[10000];
  return !(confine_syscalls(list, 10000) == -1 && errno == EINVAL);
}

/* Numbers that no kernel knows yet: what is let through fails with ENOSYS.  Alone, in pairs, in
 * longer runs, twice and out of order. */
enum { UNKNOWN = 5000, UNKNOWN_COUNT = 64 };
static int const some[] = {UNKNOWN + 40, UNKNOWN + 1,  UNKNOWN + 3,   UNKNOWN + 4,  UNKNOWN + 63,
                           UNKNOWN + 9,  UNKNOWN + 11, UNKNOWN + 10,  UNKNOWN + 12, UNKNOWN + 40,
                           UNKNOWN + 41, UNKNOWN + 43, SYS_exit_group};
static int asked;

static bool is_listed(int call) {
  for (size_t i = 0; i < sizeof some / sizeof *some; i++)
    if (some[i] == call) return true;
  return false;
}

static int unknown_call(void) {
  if (confine_syscalls(some, sizeof some / sizeof *some)) return 1;
  return syscall(asked) == -1 && errno == ENOSYS ? 0 : 2;
}

static unsigned int count_misjudged(void) {
  unsigned int wrong = 0;
  for (asked = UNKNOWN - 1; asked <= UNKNOWN + UNKNOWN_COUNT; asked++)
    wrong += !run(unknown_call) != is_listed(asked);
  return wrong;
}

static int most_gaps(void) {
  int list[125]; /* and two of seccomp.c's own; the sanitizers need more, too many */
  for (int i = 0; i < 125; i++) list[i] = UNKNOWN + 2 * i;
  if (!confine_syscalls(list, 125)) return syscall(UNKNOWN) != -1 || errno != ENOSYS;
  return errno != EINVAL;
}

static int negative(void) {
  return !(confine_syscalls((int[]){SYS_write, -1}, 2) == -1 && errno == EINVAL);
}

static void test_syscalls(void) {
  int status = run(allowed_call);
  if (WIFEXITED(status) && WEXITSTATUS(status) == UNSUPPORTED) {
    skip(6, "skip: this kernel has no seccomp filters");
    return;
  }
  is_uint((uint64_t)status, 0, "a system call of the list works");
  status = run(forbidden_call);
  /* Sanitizer builds are told EPERM instead, else they could not report anything. */
#ifdef __SANITIZE_ADDRESS__
  is_uint((uint64_t)status, 0, "another is refused");
#else
  ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "another is the end of the process");
#endif
  is_uint(count_misjudged(), 0, "each of a list's numbers is allowed, and none beside them");
  is_uint((uint64_t)run(most_gaps), 0, "a list full of gaps works or is refused, not misjudged");
  is_uint((uint64_t)run(negative), 0, "no call has a negative number");
  is_uint((uint64_t)run(too_many), 0, "a list has a limit");
}
#else
static void test_syscalls(void) {
  ok(confine_syscalls(0, 0) == -1 && errno == ENOSYS, "no seccomp filters here");
}
#endif

static bool can_read(char const *path) {
  int fd = open(path, O_RDONLY);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

static bool can_make(char const *path) {
  int fd = open(path, O_WRONLY | O_CREAT, 0600);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

static int files(void) {
  struct confine_path const paths[] = {
      {"box", true, false}, {"read", false, false}, {"file", true, false}, {"missing", true, true}};
  if (confine_files(paths, 4)) return errno == ENOSYS ? UNSUPPORTED : 100;
  if (!can_read("box/a") || !can_make("box/new") || mkdir("box/d", 0700)) return 1;
  if (rename("box/new", "box/d/new") || unlink("box/d/new") || rmdir("box/d")) return 2;
  if (link("box/a", "box/b") || truncate("box/b", 0)) return 3;
  if (!can_read("read/a") || can_make("read/new") || !unlink("read/a")) return 4;
  if (!can_make("file") || !can_read("file")) return 5;
  if (can_read("other/a") || can_make("other/new") || can_read("/etc/passwd")) return 6;
  if (!rename("box/a", "other/a") || !link("read/a", "other/b")) return 7;
  if (!access("/bin/true", X_OK) && execl("/bin/true", "true", (char *)0) == 0) return 8;
  return errno == EACCES ? 0 : 9;
}

static int run_program(void) {
  struct confine_path const paths[] = {{"/", false, true}};
  if (confine_files(paths, 1)) return 100;
  execl("/bin/true", "true", (char *)0);
  return 1;
}

static int nothing(void) {
  if (confine_files(0, 0)) return 100;
  return can_read("box/a") || can_read("/");
}

static void test_files(void) {
  int status = run(files);
  if (WIFEXITED(status) && WEXITSTATUS(status) == UNSUPPORTED) {
    skip(3, "skip: this kernel has no Landlock, or only its first version");
    return;
  }
  is_uint((uint64_t)WEXITSTATUS(status), 0, "the file system is what the list says");
  is_uint((uint64_t)WEXITSTATUS(run(run_program)), 0, "programs run where that is allowed");
  is_uint((uint64_t)WEXITSTATUS(run(nothing)), 0, "an empty list is an empty file system");
}

static bool prepare(void) {
  return mkdtemp(dir) && !chdir(dir) && !mkdir("box", 0700) && !mkdir("read", 0700) &&
         !mkdir("other", 0700) && can_make("box/a") && can_make("read/a") && can_make("other/a") &&
         can_make("file");
}

static void clean_up(void) {
  static char const *const names[] = {"box/a", "box/b", "read/a", "other/a", "file"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) unlink(names[i]);
  rmdir("box");
  rmdir("read");
  rmdir("other");
  rmdir(dir);
}

int main(void) {
  if (!prepare()) return 1;
  test_syscalls();
  test_files();
  clean_up();
  return tap_done();
}
