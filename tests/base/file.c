/* Whole small files. */
#include "base/base.h"
#include "../tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int dir;

static size_t entries(void) {
  char command[] = "test \"$(ls -A | wc -l)\" -eq 1";
  return fchdir(dir) < 0 || system(command) ? 2 : 1;
}

static void test_reading(void) {
  char *data;
  size_t size;
  ok(file_read(dir, "none", 10, &data, &size) < 0 && errno == ENOENT && !data, "a missing file");
  ok(file_read(dir, ".", 10, &data, &size) < 0 && errno == EISDIR && !data, "a directory");
  ok(!file_replace(dir, "f", 0600, "0123456789", 10), "a new file");
  ok(!file_read(dir, "f", 10, &data, &size) && size == 10, "of as much as may be");
  is(data, "0123456789", "is what was written");
  free(data);
  ok(file_read(dir, "f", 9, &data, &size) < 0 && errno == EFBIG && !data, "of more");
  ok(!mkfifoat(dir, "fifo", 0600) && !file_read(dir, "fifo", 10, &data, &size) && !size,
     "a FIFO does not stop us");
  free(data);
  unlinkat(dir, "fifo", 0);
}

static void test_reading_into(void) {
  char buf[12] = "-----------";
  ok(file_read_into(dir, "none", buf, sizeof buf) < 0 && errno == ENOENT, "a missing file");
  ok(file_read_into(dir, ".", buf, sizeof buf) < 0 && errno == EISDIR, "a directory");
  is_uint((uint64_t)file_read_into(dir, "f", buf, 11), 10, "room for all of it and a NUL");
  is(buf, "0123456789", "is what was written");
  memset(buf, '-', sizeof buf);
  ok(file_read_into(dir, "f", buf, 10) < 0 && errno == EFBIG, "no room for the NUL");
  ok(!memcmp(buf + 10, "--", 2), "nothing is written beyond");
  ok(file_read_into(dir, "f", buf, 0) < 0 && errno == EFBIG, "no room");
  ok(!mkfifoat(dir, "fifo", 0600) && !file_read_into(dir, "fifo", buf, sizeof buf) && !*buf,
     "a FIFO does not stop us");
  unlinkat(dir, "fifo", 0);
}

static void test_replacing(void) {
  static char big[100000];
  char *data;
  size_t size;
  struct stat before, after;
  ok(!fstatat(dir, "f", &before, 0) && !file_replace(dir, "f", 0640, big, sizeof big) &&
         !fstatat(dir, "f", &after, 0),
     "an old file replaced");
  ok(before.st_ino != after.st_ino, "as a whole");
  is_uint(after.st_mode & 0777, 0640, "with the mode asked for");
  ok(!file_read(dir, "f", sizeof big, &data, &size) && size == sizeof big &&
         !memcmp(data, big, size),
     "a large one reads back");
  free(data);
  ok(!file_replace(dir, "f", 0600, "", 0) && !file_read(dir, "f", 1, &data, &size) && !size,
     "with nothing");
  free(data);
  is_uint(entries(), 1, "no temporary file is left");
  char name[300];
  memset(name, 'x', 299);
  name[299] = 0;
  ok(file_replace(dir, name, 0600, "", 0) < 0 && errno == ENAMETOOLONG, "a name too long");
  ok(file_replace(dir, "no/such", 0600, "", 0) < 0 && errno == ENOENT, "no such directory");
  is_uint(entries(), 1, "nor after failures");
}

static void test_parts(void) {
  char buf[10] = "";
  int fd = openat(dir, "part", O_RDWR | O_CREAT, 0600);
  ok(fd >= 0 && !file_write_at(fd, "world", 5, 6) && !file_write_at(fd, "hello ", 6, 0),
     "parts written");
  is_uint((uint64_t)file_read_at(fd, buf, 5, 6), 5, "a part read");
  is(buf, "world", "as it is there");
  is_uint((uint64_t)file_read_at(fd, buf, 9, 8), 3, "fewer at the end");
  is_uint((uint64_t)file_read_at(fd, buf, 9, 100), 0, "nothing behind it");
  close(fd);
  ok(file_read_at(fd, buf, 1, 0) < 0 && errno == EBADF, "reading fails");
  ok(file_write_at(fd, buf, 1, 0) < 0 && errno == EBADF, "writing fails");
  unlinkat(dir, "part", 0);
}

int main(void) {
  char path[] = "/tmp/chainmail-file.XXXXXX";
  umask(0022);
  if (!mkdtemp(path) || (dir = open(path, O_RDONLY | O_DIRECTORY)) < 0) return 1;
  test_reading();
  test_reading_into();
  test_replacing();
  test_parts();
  ok(!dir_sync(dir), "a directory can be synced");
  unlinkat(dir, "f", 0);
  rmdir(path);
  return tap_done();
}
