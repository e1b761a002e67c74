/* The installation's secret: what SCRAM's salts for users who are not there are made of.  Random,
 * made by whoever needs it first, and then always the same. */
#include "auth/auth.h"
#include "base/base.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char const *secret_path(void) {
  char const *path = getenv("SCRAM_SECRET");
  return path && *path ? path : PREFIX "/conf/scram.secret";
}

static int write_new(char const *path) {
  unsigned char secret[INSTALLATION_SECRET_SIZE];
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  int r = getentropy(secret, sizeof secret);
  if (!r) r = io_write_all(fd, secret, sizeof secret, -1);
  if (!r) r = fsync(fd);
  explicit_bzero(secret, sizeof secret);
  close(fd);
  return r;
}

/* Whole from the first moment, and if two make one at the same time the first remains. */
static int make(char const *path) {
  char temporary[PATH_MAX];
  int n = snprintf(temporary, sizeof temporary, "%s.%lu.tmp", path, (unsigned long)getpid());
  if (n < 0 || (size_t)n >= sizeof temporary) {
    errno = ENAMETOOLONG;
    return -1;
  }
  unlink(temporary);
  int r = write_new(temporary);
  if (!r && link(temporary, path) < 0 && errno != EEXIST) r = -1;
  int saved = errno;
  unlink(temporary);
  errno = saved;
  return r;
}

static int open_secret(char const *path) {
  int const flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  int fd = open(path, flags);
  return fd < 0 && errno == ENOENT && !make(path) ? open(path, flags) : fd;
}

/* Who can read it can tell which users there are; who can write it can, too. */
static bool is_fit(int fd) {
  struct stat st;
  return !fstat(fd, &st) && S_ISREG(st.st_mode) && !(st.st_mode & (S_IRWXG | S_IRWXO)) &&
         st.st_size == INSTALLATION_SECRET_SIZE && (!st.st_uid || st.st_uid == geteuid());
}

int installation_secret(unsigned char secret[INSTALLATION_SECRET_SIZE]) {
  char const *path = secret_path();
  int fd = open_secret(path);
  if (fd < 0) {
    log_failure("open", path, "let root write to its directory, or name another in SCRAM_SECRET");
    return -1;
  }
  bool good = is_fit(fd) && read(fd, secret, INSTALLATION_SECRET_SIZE) == INSTALLATION_SECRET_SIZE;
  close(fd);
  if (good) return 0;
  log_event("failed", "attempt", "read", "path", path, "why",
            "it is no file of 32 bytes that is the service's alone", "remedy",
            "remove it, so that a new one is made", (char *)0);
  return -1;
}
