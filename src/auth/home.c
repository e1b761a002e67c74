/* Home directories that are not there yet: made at the first login, with what is in
 * AUTH_MKHOMEDIR_SKEL (Courier's name).  A new home is built under another name and then renamed,
 * so that nobody finds half of one.
 *
 * All of it is done by a child that has become the user, but for the one step the user has no right
 * to: root makes the empty directory in its parent, and renames it, where the parent and all above
 * it are root's alone, so that nobody can put a symbolic link in the way. */
#include "auth/auth.h"
#include "auth/skeleton.h"
#include "base/base.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  HOME_MODE = 0700,
  ABOVE_MODE = 0755, /* directories between what is there and the home */
  DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
};

struct plan {
  struct auth_account const *account;
  char const *skeleton;
  char path[PATH_MAX]; /* of the home, without a slash at its end */
  char temporary[40];  /* the name it is built under, beside it */
  int parent;          /* root's alone; -1: the user must be able to make it */
};

static char const *name_of(struct plan const *p) {
  return strrchr(p->path, '/') + 1;
}

static bool is_roots_alone(int fd) {
  struct stat st;
  return !fstat(fd, &st) && !st.st_uid && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* The directory `name` in `parent`, made if it is missing; the parent is closed. */
static int descend(int parent, char const *name) {
  int fd = openat(parent, name, DIRECTORY_FLAGS);
  if (fd < 0 && errno == ENOENT && !mkdirat(parent, name, ABOVE_MODE))
    fd = openat(parent, name, DIRECTORY_FLAGS);
  int saved = errno;
  close(parent);
  errno = saved;
  return fd;
}

/* Where the home is to be, as long as every step is root's alone; -1: it is not. */
static int open_roots_parent(struct plan const *p) {
  char copy[PATH_MAX], *rest = copy;
  memcpy(copy, p->path, sizeof copy);
  *strrchr(copy, '/') = 0;
  int fd = open("/", DIRECTORY_FLAGS);
  for (char *name; fd >= 0 && is_roots_alone(fd) && (name = strtok_r(rest, "/", &rest));)
    fd = descend(fd, name);
  if (fd < 0 || (is_roots_alone(fd) && (!rest || !*rest))) return fd;
  close(fd);
  return -1;
}

/* As the user, who may follow what links they like. */
static int open_own_parent(struct plan const *p) {
  char copy[PATH_MAX];
  memcpy(copy, p->path, sizeof copy);
  *strrchr(copy, '/') = 0;
  for (char *slash = copy; (slash = strchr(slash + 1, '/'));) {
    *slash = 0;
    mkdir(copy, HOME_MODE);
    *slash = '/';
  }
  if (*copy) mkdir(copy, HOME_MODE);
  return open(*copy ? copy : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Somebody else's login may have been faster: a directory takes the place of an empty one only. */
static int rename_home(struct plan const *p, int parent) {
  if (!renameat(parent, p->temporary, parent, name_of(p))) return 0;
  return errno == EEXIST || errno == ENOTEMPTY ? 1 : -1;
}

static int copy_skeleton(struct plan const *p, int parent) {
  int home = openat(parent, p->temporary, DIRECTORY_FLAGS);
  if (home < 0) return -1;
  int r = skeleton_copy(p->skeleton, home);
  int saved = errno;
  if (r < 0) skeleton_remove(home);
  close(home);
  errno = saved;
  return r;
}

static int empty(struct plan const *p, int parent) {
  int home = openat(parent, p->temporary, DIRECTORY_FLAGS);
  if (home < 0) return -1;
  skeleton_remove(home);
  return close(home);
}

static int build_below(struct plan const *p) {
  return copy_skeleton(p, p->parent);
}

static int empty_below(struct plan const *p) {
  return empty(p, p->parent);
}

static int build_alone(struct plan const *p) {
  int parent = open_own_parent(p);
  if (parent < 0 || mkdirat(parent, p->temporary, HOME_MODE) < 0) return -1;
  int r = copy_skeleton(p, parent);
  if (!r && (r = rename_home(p, parent)) > 0) r = empty(p, parent);
  int saved = errno;
  unlinkat(parent, p->temporary, AT_REMOVEDIR); /* if it is still there */
  errno = saved;
  return r;
}

typedef int task(struct plan const *);

/* The child: never back as root. */
static noreturn void act(struct plan const *p, task *t) {
  struct auth_account const *a = p->account;
  umask(0);
  int r = privilege_become(a->uid, a->gid, a->groups, a->groups_count);
  if (!r) r = t(p);
  if (r < 0)
    log_failure(
        "make the home directory", p->path,
        "let the user read AUTH_MKHOMEDIR_SKEL, and root or the user write to the directory "
        "above; root does so only where root alone can write, and passes no symbolic link");
  _exit(r ? EXIT_TEMPORARY : 0);
}

static bool act_in_child(struct plan const *p, task *t) {
  int status = 0;
  pid_t child = fork();
  if (!child) act(p, t);
  if (child < 0) log_failure("fork", 0, "raise the limit on processes");
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return child > 0 && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* root's two steps around the child's. */
static bool provide_by_root(struct plan const *p) {
  struct auth_account const *a = p->account;
  bool made = !mkdirat(p->parent, p->temporary, HOME_MODE) &&
              !fchownat(p->parent, p->temporary, a->uid, a->gid, AT_SYMLINK_NOFOLLOW);
  if (!made) log_failure("make a directory beside", p->path, 0);
  int r = made && act_in_child(p, build_below) ? rename_home(p, p->parent) : -1;
  if (r > 0) act_in_child(p, empty_below);
  if (r) unlinkat(p->parent, p->temporary, AT_REMOVEDIR);
  return !r;
}

static bool make_plan(struct plan *p, struct auth_account const *a, char const *skeleton) {
  size_t size = strlen(a->home);
  while (size > 1 && a->home[size - 1] == '/') size--;
  if (size < 2 || size >= sizeof p->path || strstr(a->home, "/../")) return false;
  memcpy(p->path, a->home, size);
  p->path[size] = 0;
  if (!strcmp(name_of(p), "..") || !strcmp(name_of(p), ".")) return false;
  snprintf(p->temporary, sizeof p->temporary, ".new-home.%lu", (unsigned long)getpid());
  p->account = a;
  p->skeleton = skeleton;
  p->parent = geteuid() ? -1 : open_roots_parent(p);
  return true;
}

void home_provide(struct auth_account const *a) {
  static struct plan plan;
  struct stat st;
  char const *skeleton = getenv("AUTH_MKHOMEDIR_SKEL");
  if (!skeleton || !*skeleton || !lstat(a->home, &st) || errno != ENOENT) return;
  if (!make_plan(&plan, a, skeleton)) return;
  bool made = plan.parent < 0 ? act_in_child(&plan, build_alone) : provide_by_root(&plan);
  if (plan.parent >= 0) close(plan.parent);
  if (made) log_event("created", "user", a->user, "path", plan.path, (char *)0);
}
