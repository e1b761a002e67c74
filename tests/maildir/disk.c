/* Scanning, stamps, creating, checking, renaming. */
#include "../tap.h"
#include "maildir/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[200];

static void must(int good, char const *what) {
  if (good) return;
  printf("Bail out! %s: %s\n", what, strerror(errno));
  exit(111);
}

static void touch(char const *name) {
  int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
  must(fd >= 0 && !close(fd), name);
}

static void clean_up(void) {
  char command[300];
  snprintf(command, sizeof command, "rm -rf '%s'", directory);
  if (system(command)) perror(command);
}

struct names {
  char text[400];
  unsigned int n;
  uint64_t inode;
};

static void collect(void *context, char const *name, uint64_t inode) {
  struct names *names = context;
  snprintf(names->text, sizeof names->text, "%s", name);
  names->n++;
  names->inode = inode;
}

static void scanning(void) {
  struct names seen = {{0}, 0, 0}, odd = {{0}, 0, 0};
  struct maildir_stamp before, after;
  struct stat st;
  must(!maildir_stamp(AT_FDCWD, "M/cur", &before), "stamp");
  must(!maildir_stamp(AT_FDCWD, "M/cur", &after), "stamp");
  ok(maildir_stamp_equal(&before, &after), "stamps of an unchanged directory are equal");
  touch("M/cur/1.a.h:2,S");
  touch("M/cur/.hidden");
  touch("M/cur/:2,S");
  must(!mkdir("M/cur/directory", 0700), "mkdir");
  must(!maildir_stamp(AT_FDCWD, "M/cur", &after), "stamp");
  ok(!maildir_stamp_equal(&before, &after), "of a changed one they differ");
  is_uint((uint64_t)maildir_scan(AT_FDCWD, "M/cur", after.inode, collect, 0, &seen), 0, "scan");
  is_uint(seen.n, 1, "sees messages only");
  is(seen.text, "1.a.h:2,S", "by name");
  must(!stat("M/cur/1.a.h:2,S", &st), "stat");
  is_uint(seen.inode, st.st_ino, "and inode");
  must(!symlink("/dev/null", "M/cur/link"), "symlink");
  maildir_scan(AT_FDCWD, "M/cur", after.inode, collect, collect, &odd);
  is_uint(odd.n, 2, "what is odd is told");
  ok(maildir_scan(AT_FDCWD, "M/new", after.inode, collect, 0, &odd) < 0 && errno == EINVAL,
     "another directory than expected: EINVAL");
  ok(maildir_scan(AT_FDCWD, "M/none", 1, collect, 0, &odd) < 0 && errno == ENOENT, "none: ENOENT");
  ok(maildir_stamp(AT_FDCWD, "M/cur/link", &after) < 0 && errno == ENOTDIR, "no directory");
}

static void count(void *context, char const *name, uint64_t inode, unsigned int type) {
  (void)name, (void)inode, (void)type;
  ++*(unsigned int *)context;
}

static void entries(void) {
  enum { MANY = 3000 }; /* more than are read at once */
  unsigned int n = 0;
  char name[40];
  must(!mkdir("many", 0700), "mkdir");
  int fd = open("many", O_RDONLY | O_DIRECTORY);
  must(fd >= 0, "open");
  for (int i = 0; i < MANY; i++) {
    snprintf(name, sizeof name, "many/%d.a.host:2,", i);
    touch(name);
  }
  ok(!maildir_entries(fd, count, &n) && n == MANY + 2, "all entries of a large directory");
  for (int i = 0; i < MANY; i++) {
    snprintf(name, sizeof name, "many/%d.a.host:2,", i);
    must(!unlink(name), name);
  }
  must(!rmdir("many") && !lseek(fd, 0, SEEK_SET), "rmdir");
  n = 0;
  ok(!maildir_entries(fd, count, &n) && n <= 2, "of one that has been removed: none");
  close(fd);
  fd = open("M/cur/1.a.h:2,S", O_RDONLY);
  errno = 0;
  ok(maildir_entries(fd, count, &n) < 0 && errno == ENOTDIR, "of what is none: an error");
  close(fd);
}

static void racy(void) {
  struct maildir_stamp s = {1, {1000, 500000000}, {1000, 500000000}};
  ok(maildir_stamp_racy(&s, (struct timespec){1000, 510000000}), "10 ms old: racy");
  ok(!maildir_stamp_racy(&s, (struct timespec){1000, 530000000}), "30 ms old: not");
  ok(maildir_stamp_racy(&s, (struct timespec){999, 0}), "of the future: racy");
  s.ctime.tv_nsec = 525000000;
  ok(maildir_stamp_racy(&s, (struct timespec){1000, 530000000}), "the younger stamp counts");
  s.mtime.tv_nsec = s.ctime.tv_nsec = 0;
  ok(maildir_stamp_racy(&s, (struct timespec){1001, 0}), "whole seconds: racy for two");
  ok(!maildir_stamp_racy(&s, (struct timespec){1002, 0}), "then not");
}

static void renaming(void) {
  touch("M/new/a");
  touch("M/new/b");
  ok(maildir_rename(AT_FDCWD, "M/new/a", AT_FDCWD, "M/new/b") < 0 && errno == EEXIST,
     "a rename replaces nothing");
  is_uint((uint64_t)maildir_rename(AT_FDCWD, "M/new/a", AT_FDCWD, "M/cur/a:2,"), 0, "it moves");
  ok(maildir_rename(AT_FDCWD, "M/new/a", AT_FDCWD, "M/cur/x") < 0 && errno == ENOENT,
     "only what is there");
}

static void checking(void) {
  char const *why = 0, *remedy = 0;
  int fd = maildir_check("M", true, &why, &remedy);
  ok(fd >= 0, "a Maildir");
  close(fd);
  ok(maildir_check("none", true, &why, &remedy) < 0 && strstr(remedy, "maildirmake"), "none");
  ok(maildir_check("M/cur/1.a.h:2,S", true, &why, &remedy) < 0 && remedy, "a file");
  ok(maildir_check("M/new", true, &why, &remedy) < 0 && strstr(why, "no Maildir"), "no Maildir");
  must(!rmdir("M/tmp"), "rmdir");
  fd = maildir_check("M", true, &why, &remedy);
  ok(fd >= 0 && !access("M/tmp", F_OK), "what is missing is made");
  close(fd);
}

static void creating(void) {
  is_uint((uint64_t)maildir_create("M"), 0, "makes a Maildir");
  ok(maildir_create("M") < 0 && errno == EEXIST, "once");
  int fd = open("M", O_RDONLY | O_DIRECTORY);
  must(fd >= 0, "open");
  is_uint((uint64_t)maildir_create_folder(fd, "a.b", 0700, (gid_t)-1), 0, "makes a folder");
  ok(!access("M/.a.b/maildirfolder", F_OK) && !access("M/.a.b/cur", F_OK), "with its parts");
  ok(maildir_create_folder(fd, "a.b", 0700, (gid_t)-1) < 0 && errno == EEXIST, "once");
  ok(maildir_create_folder(fd, "../a", 0700, (gid_t)-1) < 0 && errno == EINVAL, "inside only");
  close(fd);
}

int main(void) {
  char const *tmp = getenv("TMPDIR");
  snprintf(directory, sizeof directory, "%s/chainmail-maildir.XXXXXX", tmp ? tmp : "/tmp");
  must(mkdtemp(directory) && !chdir(directory), "mkdtemp");
  atexit(clean_up);
  creating();
  scanning();
  entries();
  racy();
  renaming();
  checking();
  must(!chdir("/"), "chdir");
  return tap_done();
}
