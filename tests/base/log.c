/* Log lines: their form, their bounds, and that nobody can forge one. */
#include "base/base.h"
#include "../tap.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char line[2 * LOG_LINE_MAX];
static int pipe_fds[2];

/* What has been logged since, without program and process number. */
static char const *logged(void) {
  static char prefix[64];
  ssize_t n = read(pipe_fds[0], line, sizeof line - 1);
  line[n < 0 ? 0 : n] = 0;
  snprintf(prefix, sizeof prefix, "test: %ld: ", (long)getpid());
  return strncmp(line, prefix, strlen(prefix)) ? line : line + strlen(prefix);
}

static void test_values(void) {
  log_event("login", "user", "joe", "ip", "192.0.2.1", (char *)0);
  is(logged(), "login user=joe ip=192.0.2.1\n", "plain values");
  log_event("x", "empty", "", "null", (char *)0, "blank", "a b", (char *)0);
  is(logged(), "x empty=\"\" blank=\"a b\"\n", "empty, null and blanks");
  log_event("x", "v", "a\"b\\c=d", (char *)0);
  is(logged(), "x v=\"a\\\"b\\\\c=d\"\n", "quotes");
  log_event("x", "v", "a\ntest: 1: login user=root\r\t\x7f\xff", (char *)0);
  is(logged(), "x v=\"a\\x0atest: 1: login user=root\\x0d\\x09\\x7f\\xff\"\n", "no forged lines");
}

static void test_failure(void) {
  errno = ENOENT;
  log_failure("open", "/x", "make it");
  is_uint((uint64_t)errno, ENOENT, "errno is kept");
  is(logged(), "failed attempt=open path=/x why=\"No such file or directory\" remedy=\"make it\"\n",
     "a failure says what, where, why and what to do");
}

static void test_length(void) {
  static char big[3 * LOG_LINE_MAX];
  memset(big, 'x', sizeof big - 1);
  log_event("x", "v", big, "w", big, (char *)0);
  logged();
  is_uint(strlen(line), LOG_LINE_MAX, "a line has a limit");
  is_uint((uint64_t)line[LOG_LINE_MAX - 1], '\n', "and ends as one");
}

static void test_die(void) {
  int status = 0;
  pid_t pid = fork();
  if (!pid) log_die(EXIT_MISUSE, "usage", (char *)0);
  ok(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_MISUSE,
     "the exit code");
  logged();
  ok(strstr(line, ": usage\n"), "after the line");
}

int main(void) {
  char digits[21];
  if (pipe(pipe_fds) < 0 || dup2(pipe_fds[1], 2) < 0) return 1;
  log_init("test");
  test_values();
  test_failure();
  test_length();
  test_die();
  is(log_number(digits, UINT64_MAX), "18446744073709551615", "the largest number");
  return tap_done();
}
