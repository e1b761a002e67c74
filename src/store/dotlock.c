/* The locks of Courier ("tmp/courier.lock") and Dovecot ("dovecot-uidlist.lock"): a file that
 * exists. */
#include "store/takeover.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
  POLL_MS = 50,
  STALE_S = 120,    /* both servers hold theirs for moments */
  HOLDER_MAX = 300, /* "pid:host" */
};

static void host_name(char host[HOLDER_MAX]) {
  if (gethostname(host, HOLDER_MAX) < 0) strcpy(host, "localhost");
  host[HOLDER_MAX - 1] = 0;
}

/* Whether it names a process of this host that is no more. */
static bool holder_dead(int dir, char const *name) {
  char host[HOLDER_MAX], *text, *end;
  size_t size;
  if (file_read(dir, name, HOLDER_MAX, &text, &size) < 0) return false;
  long pid = strtol(text, &end, 10);
  host_name(host);
  bool dead = pid > 0 && pid <= INT32_MAX && *end == ':' && !strncmp(end + 1, host, strlen(host)) &&
              kill((pid_t)pid, 0) < 0 && errno == ESRCH;
  free(text);
  return dead;
}

static void break_stale(int dir, char const *name) {
  struct stat st;
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return;
  bool old = time(0) - st.st_mtim.tv_sec > STALE_S;
  if (!old && !holder_dead(dir, name)) return;
  log_event("lock-broken", "path", name, "why",
            old ? "it is over two minutes old" : "its process is dead", (char *)0);
  unlinkat(dir, name, 0);
}

/* The file that becomes the lock; its name. */
static int make_candidate(struct dotlock *l, char path[MAILDIR_NAME_MAX + 8]) {
  char unique[MAILDIR_NAME_MAX + 1], host[HOLDER_MAX], text[HOLDER_MAX + 24];
  struct stat st;
  maildir_unique(unique, sizeof unique, 0);
  snprintf(path, MAILDIR_NAME_MAX + 8, "tmp/%s", unique);
  int fd = openat(l->dir, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  host_name(host);
  int n = snprintf(text, sizeof text, "%ld:%s", (long)getpid(), host);
  int r = io_write_all(fd, text, (size_t)n, -1) < 0 || fstat(fd, &st) < 0 ? -1 : 0;
  int saved = errno;
  if (!r) l->inode = st.st_ino;
  close(fd);
  if (r < 0) unlinkat(l->dir, path, 0);
  errno = saved;
  return r;
}

int dotlock_take(struct dotlock *l, int dir, char const *name, int timeout_ms) {
  char path[MAILDIR_NAME_MAX + 8];
  struct timespec const pause = {0, POLL_MS * 1000000L};
  int64_t deadline = clock_ms() + timeout_ms;
  *l = (struct dotlock){.dir = dir, .name = name};
  if (make_candidate(l, path) < 0) return -1;
  int r;
  while ((r = linkat(dir, path, dir, name, 0)) < 0 && errno == EEXIST) {
    if (clock_ms() >= deadline) {
      errno = EAGAIN;
      break;
    }
    break_stale(dir, name);
    nanosleep(&pause, 0);
  }
  int saved = errno;
  unlinkat(dir, path, 0);
  errno = saved;
  return r;
}

void dotlock_drop(struct dotlock *l) {
  struct stat st;
  /* Unless somebody thought it stale and has one of his own there. */
  if (!fstatat(l->dir, l->name, &st, AT_SYMLINK_NOFOLLOW) && st.st_ino == l->inode)
    unlinkat(l->dir, l->name, 0);
}
