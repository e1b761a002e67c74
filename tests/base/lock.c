/* Locks that belong to the open file. */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "base/base.h"
#include "../tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[] = "/tmp/chainmail-lock.XXXXXX";

static bool is_free(int fd, enum lock_type type) {
  errno = 0;
  if (lock_file(fd, type, 0)) return false;
  lock_file(fd, LOCK_NONE, 0);
  return true;
}

#ifndef F_OFD_SETLK
int main(void) {
  puts("1..0 # SKIP this system's locks belong to processes");
  return 0;
}
#else
int main(void) {
  int a = mkstemp(path), b = open(path, O_RDWR), c = open(path, O_RDWR);
  if (a < 0 || b < 0 || c < 0) return 1;
  ok(!lock_file(a, LOCK_READ, 0) && !lock_file(b, LOCK_READ, 0), "two readers");
  ok(!is_free(c, LOCK_WRITE) && errno == EAGAIN, "keep a writer out");
  ok(!lock_file(a, LOCK_NONE, 0) && !lock_file(b, LOCK_WRITE, 0), "one can become the writer");
  ok(!is_free(a, LOCK_READ) && errno == EAGAIN, "who keeps readers out");
  ok(lock_file(a, LOCK_READ, 20) && errno == EAGAIN, "also those that wait a little");
  close(open(path, O_RDONLY));
  ok(!is_free(a, LOCK_READ), "whatever else is closed");
  pid_t pid = fork();
  if (!pid) {
    close(b);
    _exit(lock_file(a, LOCK_WRITE, -1) != 0);
  }
  close(b);
  int status = 1;
  ok(waitpid(pid, &status, 0) == pid && !status, "closing gives the lock to one that waits");
  ok(!is_free(c, LOCK_READ), "and it is held by the file, though the process is gone");
  close(a);
  ok(is_free(c, LOCK_WRITE), "until that is closed, too");
  a = open(path, O_RDWR);
  ok(!lock_part(a, LOCK_WRITE, 16, 16) && !lock_part(c, LOCK_WRITE, 0, 16), "parts are apart");
  ok(lock_part(c, LOCK_WRITE, 31, 1) && errno == EAGAIN, "where they meet, they are not");
  ok(lock_taken(c, 16, 16) == 1 && lock_taken(c, 0, 0) == 1, "another's is seen");
  ok(!lock_taken(c, 32, 0) && !lock_taken(c, 0, 16), "nobody's and one's own are not");
  close(a);
  ok(!lock_taken(c, 0, 0), "nor one that was closed");
  ok(lock_taken(-1, 0, 0) < 0, "no file, no answer");
  ok(lock_file(-1, LOCK_READ, 0) && errno == EBADF, "no file, no lock");
  unlink(path);
  return tap_done();
}
#endif
