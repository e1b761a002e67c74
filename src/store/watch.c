/* Waiting for changes: inotify, where there is any.  An instance exists only between folder_watch
 * and folder_unwatch: there are 128 to a uid by default, and virtual users share one. */
#include "store/folder.h"

#include <unistd.h>

#ifdef __linux__
#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>

enum {
  MAIL = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF,
  OURS = IN_MODIFY | IN_MOVED_TO,
  FOLDER = IN_DELETE_SELF | IN_MOVE_SELF,
};

static int add(struct folder *f, char const *part, uint32_t events) {
  char path[4096];
  int n = snprintf(path, sizeof path, "%s%s%s", f->path, *part ? "/" : "", part);
  if (n < 0 || (size_t)n >= sizeof path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  return inotify_add_watch(f->watch, path, events | IN_ONLYDIR);
}

static int watch_all(struct folder *f) {
  f->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (f->watch < 0) return -1;
  if (add(f, "new", MAIL) < 0 || add(f, "cur", MAIL) < 0 || add(f, AREA, OURS) < 0 ||
      add(f, "", FOLDER) < 0)
    return -1;
  return 0;
}

int folder_watch(struct folder *f) {
  if (f->watch >= 0) return f->watch;
  if (f->network) return -1; /* what other machines do is not reported */
  if (!watch_all(f)) return f->watch;
  if (!f->store->logged_watch)
    log_failure("watch", f->path, "raise fs.inotify.max_user_instances and max_user_watches");
  f->store->logged_watch = true;
  folder_unwatch(f);
  return -1;
}

void folder_watch_drain(struct folder *f) {
  char buffer[4096];
  while (f->watch >= 0) {
    ssize_t r = read(f->watch, buffer, sizeof buffer);
    if (r > 0 || (r < 0 && errno == EINTR)) continue;
    return;
  }
}
#else
int folder_watch(struct folder *f) {
  (void)f;
  return -1;
}

void folder_watch_drain(struct folder *f) {
  (void)f;
}
#endif

void folder_unwatch(struct folder *f) {
  if (f->watch >= 0) close(f->watch);
  f->watch = -1;
}
