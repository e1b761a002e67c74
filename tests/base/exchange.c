/* dir_exchange: both ways of doing it. */
#define _GNU_SOURCE
#include "../tap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BY_STEPS
#define dir_exchange dir_exchange_by_steps
#include "base/exchange.c"
#undef dir_exchange
int dir_exchange(int dirfd, char const *a, char const *b);

typedef int exchange_function(int, char const *, char const *);

static bool exists(int dirfd, char const *name) {
  return !faccessat(dirfd, name, F_OK, 0);
}

static void test(exchange_function *exchange, int dirfd, char const *how) {
  ok(!mkdirat(dirfd, "a", 0700) && !mkdirat(dirfd, "a/first", 0700) && !mkdirat(dirfd, "b", 0700) &&
         !mkdirat(dirfd, "b/second", 0700),
     how);
  ok(!exchange(dirfd, "a", "b"), "exchange");
  ok(exists(dirfd, "a/second") && exists(dirfd, "b/first"), "each has the other's content");
  ok(!exists(dirfd, "a/first") && !exists(dirfd, "b/second"), "and nothing else");
  ok(!exists(dirfd, "a.x"), "nothing is left over");
  errno = 0;
  ok(exchange(dirfd, "missing", "b") < 0 && errno == ENOENT, "a is missing: ENOENT");
  ok(exists(dirfd, "b/first"), "a is missing: b stays");
  errno = 0;
  ok(exchange(dirfd, "a", "missing") < 0 && errno == ENOENT, "b is missing: ENOENT");
  ok(exists(dirfd, "a/second"), "b is missing: a stays");
  ok(!unlinkat(dirfd, "a/second", AT_REMOVEDIR) && !unlinkat(dirfd, "b/first", AT_REMOVEDIR) &&
         !unlinkat(dirfd, "a", AT_REMOVEDIR) && !unlinkat(dirfd, "b", AT_REMOVEDIR),
     "cleaned up");
}

int main(void) {
  char path[] = "/tmp/chainmail-test.XXXXXX";
  int dirfd = mkdtemp(path) ? open(path, O_RDONLY | O_DIRECTORY) : -1;
  ok(dirfd >= 0, "a private directory");
  test(dir_exchange, dirfd, "as this system does it");
  test(dir_exchange_by_steps, dirfd, "by steps");
  ok(!rmdir(path), "it is empty in the end");
  return tap_done();
}
