/* What the tests of cages share: code of somebody who has taken a confined process over tries each
 * way out, in a process that is confined just so.  A forbidden call kills the process; where the
 * sanitizers are built in it fails.  Linux only. */
#ifndef CAGE_H
#define CAGE_H

#include "tap.h"
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <netinet/in.h>

enum { ESCAPED = 1, FAILED = 2, NOBODY_ID = 65533 };

/* Made before the confinement, for calls that need a descriptor. */
static int cage_ends[2], cage_socket;

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
  static struct sockaddr_in const anywhere = {.sin_family = AF_INET};
  return syscall(SYS_connect, cage_socket, &anywhere, sizeof anywhere);
}
static long try_fork(void) {
  long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (!pid) _exit(0);
  return pid;
}
static long try_exec(void) {
  static char program[] = "/bin/true";
  char *const argv[] = {program, 0};
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
static long try_descriptors(void) { /* to send one away, or to be sent one */
  struct msghdr none = {0};
  return syscall(SYS_sendmsg, cage_ends[0], &none, 0);
}

struct cage_attempt {
  long (*attempt)(void);
  char const *name;
};
/* Ways out of any cage. */
static struct cage_attempt const cage_attempts[] = {
    {try_open, "open"},
    {try_create, "create a file"},
    {try_socket, "make a socket"},
    {try_connect, "connect"},
    {try_fork, "fork"},
    {try_exec, "exec"},
    {try_kill, "send a signal"},
    {try_trace, "trace"},
    {try_root, "become root"},
    {try_descriptors, "pass a descriptor"},
};

/* Confines the calling process; ends it where that cannot be done. */
typedef void cage_confine(void);

static int cage_status(cage_confine *enter, long (*attempt)(void)) {
  int status = -1;
  pid_t pid = fork();
  if (!pid) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    enter();
    _exit(attempt() < 0 && errno == EPERM ? FAILED : ESCAPED);
  }
  waitpid(pid, &status, 0);
  return status;
}

static bool cage_is_exit(int status, int code) {
  return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

static void cage_holds(cage_confine *enter, struct cage_attempt const *attempts, size_t n) {
  for (size_t i = 0; i < n; i++) {
    int status = cage_status(enter, attempts[i].attempt);
#ifdef __SANITIZE_ADDRESS__
    ok(cage_is_exit(status, FAILED), attempts[i].name);
#else
    ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, attempts[i].name);
#endif
  }
}

/* Whether this kernel has seccomp filters. */
static bool cage_has_filters(void) {
  int status = -1, none[1] = {0};
  pid_t pid = fork();
  if (!pid) _exit(confine_syscalls(none, 0) < 0 ? FAILED : ESCAPED);
  waitpid(pid, &status, 0);
  return cage_is_exit(status, ESCAPED);
}

#endif
