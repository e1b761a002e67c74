/* What somebody who has taken the engine over could do from within: code of theirs, in a process
 * that is confined just as the engine is, tries each way out.  A forbidden call kills the process;
 * where the sanitizers are built in it fails. */
#include "tls/confine.c"

#include "../tap.h"

#ifdef __linux__
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <netinet/in.h>

enum { ESCAPED = 1, FAILED = 2, OTHER_ID = 65533 };

static char const program[] = "/bin/true";
static struct sockaddr_in const anywhere = {.sin_family = AF_INET};
static int ends[2], plain, file; /* made before the confinement, for calls that need a descriptor */

/* By number, as a payload would: no library has its say. */
static long try_open(void) {
  return syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY, 0);
}
static long try_create(void) {
  return syscall(SYS_openat, AT_FDCWD, "x", O_WRONLY | O_CREAT, 0600);
}
static long try_socket(void) {
  return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}
static long try_connect(void) {
  return syscall(SYS_connect, plain, &anywhere, sizeof anywhere);
}
static long try_accept(void) {
  return syscall(SYS_accept4, plain, 0, 0, 0);
}
static long try_fork(void) {
  long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (!pid) _exit(0);
  return pid;
}
static long try_exec(void) {
  char *const argv[] = {(char *)program, 0};
  return syscall(SYS_execve, program, argv, argv + 1);
}
static long try_kill(void) {
  return syscall(SYS_kill, getppid(), 0);
}
static long try_trace(void) {
  return syscall(SYS_ptrace, 0, 0, 0, 0);
}
static long try_root(void) {
  return syscall(SYS_setuid, 0);
}
static long try_descriptors(void) { /* to send one away */
  struct msghdr none = {0};
  return syscall(SYS_sendmsg, ends[0], &none, 0);
}
static long try_truncate(void) {
  return syscall(SYS_ftruncate, file, 1);
}
static long try_limit(void) {
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  return syscall(SYS_setrlimit, RLIMIT_FSIZE, &limit);
}
static long try_relay(void) {
  char byte;
  return send(ends[0], "x", 1, 0) == 1 && recv(ends[1], &byte, 1, 0) == 1 ? 0 : -1;
}
static long try_sessions(void) {
  char byte;
  return pwrite(file, "x", 1, 0) == 1 && pread(file, &byte, 1, 0) == 1 ? 0 : -1;
}

static noreturn void be_payload(long (*attempt)(void)) {
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  engine_confine(OTHER_ID, OTHER_ID);
  _exit(attempt() < 0 && errno == EPERM ? FAILED : ESCAPED);
}

static int status_of(long (*attempt)(void)) {
  int status = -1;
  pid_t pid = fork();
  if (!pid) be_payload(attempt);
  waitpid(pid, &status, 0);
  return status;
}

static bool is_exit(int status, int code) {
  return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

static bool is_held(int status) {
#ifdef __SANITIZE_ADDRESS__
  return is_exit(status, FAILED);
#else
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
#endif
}

static struct {
  long (*attempt)(void);
  char const *name;
} const attempts[] = {
    {try_open, "open"},
    {try_create, "create a file"},
    {try_socket, "make a socket"},
    {try_connect, "connect"},
    {try_accept, "accept"},
    {try_fork, "fork"},
    {try_exec, "exec"},
    {try_kill, "send a signal"},
    {try_trace, "trace"},
    {try_root, "become root"},
    {try_descriptors, "pass a descriptor"},
    {try_truncate, "truncate the file of sessions"},
    {try_limit, "raise a limit"},
};

static bool has_filters(void) {
  int status = -1;
  pid_t pid = fork();
  if (!pid) _exit(confine_syscalls(engine_calls, 0) < 0 ? FAILED : ESCAPED);
  waitpid(pid, &status, 0);
  return is_exit(status, ESCAPED);
}

int main(void) {
  char name[] = "/tmp/chainmail-cage.XXXXXX";
  log_init("cage");
  plain = socket(AF_INET, SOCK_STREAM, 0);
  file = mkstemp(name);
  if (plain < 0 || file < 0 || unlink(name) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
    return EXIT_TEMPORARY;
  if (!has_filters()) {
    tap_report(1, "skipped: this kernel has no seccomp filters", __FILE__, __LINE__);
    return tap_done();
  }
  ok(is_exit(status_of(try_relay), ESCAPED), "what the relay needs works");
  ok(is_exit(status_of(try_sessions), ESCAPED), "as does what the file of sessions needs");
  for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
    ok(is_held(status_of(attempts[i].attempt)), attempts[i].name);
  return tap_done();
}
#else
int main(void) {
  tap_report(1, "skipped: not Linux", __FILE__, __LINE__);
  return tap_done();
}
#endif
