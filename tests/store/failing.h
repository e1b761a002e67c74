/* For programs that try a system that fails, or being killed: the calls that change the disk, and
 * pread, are intercepted here, since this program's definitions come before the C library's.  To be
 * included first. */
#ifndef FAILING_H
#define FAILING_H

#undef _FORTIFY_SOURCE /* its openat is another */
#define _GNU_SOURCE    /* RTLD_NEXT */
#include "store-test.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <sys/syscall.h>

static struct {
  int calls; /* so far */
  int at;    /* the call to fail or die at, 0: none */
  int error; /* fail with this; 0: die */
  bool half; /* of a pwrite: die when half of it is done; of others: die when it is done */
  char const *only;
  bool lasting; /* all later ones fail as well */
  bool opens;   /* every open counts, not only those that create */
} fault;

enum { KILLED = 77 };

/* -1: the call is to fail; else the caller goes on. */
static int step(char const *name) {
  if (!fault.at || (fault.only && strcmp(name, fault.only))) return 0;
  fault.calls++;
  if (fault.calls < fault.at || (fault.calls > fault.at && !fault.lasting)) return 0;
  if (!fault.error && !fault.half) _exit(KILLED);
  if (!fault.error) return 1;
  errno = fault.error;
  return -1;
}

static long finish(int stepped, long result) {
  if (stepped > 0) _exit(KILLED);
  return result;
}

/* The C library's own. */
static long system_call(long number, ...) {
  static long (*next)(long, ...);
  long of[6];
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; i++) of[i] = va_arg(list, long);
  va_end(list);
  if (!next) *(void **)&next = dlsym(RTLD_NEXT, "syscall");
  return next(number, of[0], of[1], of[2], of[3], of[4], of[5]);
}

#define INTERCEPT(name, ...)  \
  int stepped = step(name);   \
  if (stepped < 0) return -1; \
  return (int)finish(stepped, system_call(__VA_ARGS__))

ssize_t pwrite(int fd, void const *data, size_t size, off_t at) {
  int stepped = step("pwrite");
  if (stepped < 0) return -1;
  return finish(stepped, system_call(SYS_pwrite64, fd, data, stepped ? size / 2 : size, at));
}
ssize_t write(int fd, void const *data, size_t size) {
  int stepped = fd == 2 ? 0 : step("write");
  if (stepped < 0) return -1;
  return finish(stepped, system_call(SYS_write, fd, data, stepped ? size / 2 : size));
}
/* Changes nothing: it fails only where that is asked for. */
ssize_t pread(int fd, void *data, size_t size, off_t at) {
  int stepped = fault.only && !strcmp(fault.only, "pread") ? step("pread") : 0;
  if (stepped < 0) return -1;
  return finish(stepped, system_call(SYS_pread64, fd, data, size, at));
}
int openat(int dir, char const *name, int flags, ...) {
  va_list list;
  va_start(list, flags);
  unsigned int mode = flags & O_CREAT ? va_arg(list, unsigned int) : 0;
  va_end(list);
  int stepped = flags & O_CREAT || fault.opens ? step("openat") : 0;
  if (stepped < 0) return -1;
  return (int)finish(stepped, system_call(SYS_openat, dir, name, flags, mode));
}
int fchmod(int fd, mode_t mode) {
  INTERCEPT("fchmod", SYS_fchmod, fd, mode);
}
/* Nobody else is here: no scan need be repeated after a while because something has just changed.
 */
int clock_gettime(clockid_t id, struct timespec *t) {
  int r = (int)system_call(SYS_clock_gettime, id, t);
  if (!r && id == CLOCK_REALTIME) t->tv_sec += 10;
  return r;
}
int fsync(int fd) {
  INTERCEPT("fsync", SYS_fsync, fd);
}
int fdatasync(int fd) {
  INTERCEPT("fdatasync", SYS_fdatasync, fd);
}
int ftruncate(int fd, off_t size) {
  INTERCEPT("ftruncate", SYS_ftruncate, fd, size);
}
int renameat(int olddir, char const *old, int newdir, char const *new) {
  INTERCEPT("renameat", SYS_renameat2, olddir, old, newdir, new, 0);
}
/* What is called by its number, renameat2 alone changes the disk. */
long syscall(long number, ...) {
  long of[6];
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; i++) of[i] = va_arg(list, long);
  va_end(list);
  int stepped = number == SYS_renameat2 ? step("renameat2") : 0;
  if (stepped < 0) return -1;
  return finish(stepped, system_call(number, of[0], of[1], of[2], of[3], of[4], of[5]));
}
int linkat(int olddir, char const *old, int newdir, char const *new, int flags) {
  INTERCEPT("linkat", SYS_linkat, olddir, old, newdir, new, flags);
}
int unlinkat(int dir, char const *name, int flags) {
  INTERCEPT("unlinkat", SYS_unlinkat, dir, name, flags);
}
int mkdirat(int dir, char const *name, mode_t mode) {
  INTERCEPT("mkdirat", SYS_mkdirat, dir, name, mode);
}
int futimens(int fd, struct timespec const times[2]) {
  INTERCEPT("futimens", SYS_utimensat, fd, 0, times, 0);
}

static inline int descriptors(void) {
  int n = 0;
  for (int fd = 0; fd < 100; fd++) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

#endif
