/* What somebody who has taken the parser over could do from within: code of theirs, in a process
 * that is confined just as the parser is, tries each way out.  A forbidden call kills the process;
 * where the sanitizers are built in it fails. */
#include "login/confine.c"

#include "../tap.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <netinet/in.h>

enum { ESCAPED = 1, FAILED = 2, NOT_CONFINED = 3, NO_FILTERS = 4 };

#ifdef __linux__
static char const program[] = "/bin/true";
static struct sockaddr_in const anywhere = {.sin_family = AF_INET};
static int ends[2], plain; /* made before the confinement, for calls that need a descriptor */

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
static long try_listen(void) {
  return syscall(SYS_listen, plain, 1);
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
static long try_execveat(void) {
  char *const argv[] = {(char *)program, 0};
  return syscall(SYS_execveat, AT_FDCWD, program, argv, argv + 1, 0);
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
static long try_descriptors(void) { /* to send one away, or to be sent one */
  struct msghdr none = {0};
  return syscall(SYS_sendmsg, ends[0], &none, 0);
}
static long try_write(void) {
  return write(ends[1], "x", 1);
}

static noreturn void be_payload(long (*attempt)(void)) {
  struct parser_config config = {.confine = !geteuid(), .uid = 65533, .gid = 65533};
  enum confine_step step;
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  int done = parser_confine(&config, &step);
  if (done < 0) _exit(NOT_CONFINED);
  if (!(done & CONFINED_SYSCALLS)) _exit(NO_FILTERS);
  _exit(attempt() < 0 && errno == EPERM ? FAILED : ESCAPED);
}

static int status_of(long (*attempt)(void)) {
  int status = -1;
  pid_t pid = fork();
  if (!pid) be_payload(attempt);
  waitpid(pid, &status, 0);
  return status;
}

#if defined(__SANITIZE_ADDRESS__)
static bool is_held(int status) {
  return WIFEXITED(status) && WEXITSTATUS(status) == FAILED;
}
#else
static bool is_held(int status) {
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}
#endif

static struct {
  long (*attempt)(void);
  char const *name;
} const attempts[] = {
    {try_open, "open"},       {try_create, "create a file"}, {try_socket, "make a socket"},
    {try_connect, "connect"}, {try_listen, "listen"},        {try_fork, "fork"},
    {try_exec, "exec"},       {try_execveat, "execveat"},    {try_kill, "send a signal"},
    {try_trace, "trace"},     {try_root, "become root"},     {try_descriptors, "pass a descriptor"},
};

int main(void) {
  plain = socket(AF_INET, SOCK_STREAM, 0);
  if (plain < 0 || pipe(ends) < 0) return EXIT_TEMPORARY;
  int status = status_of(try_write);
  if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTERS) {
    tap_report(1, "skipped: this kernel has no seccomp filters", __FILE__, __LINE__);
    return tap_done();
  }
  ok(WIFEXITED(status) && WEXITSTATUS(status) == ESCAPED, "what the parser needs works");
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
