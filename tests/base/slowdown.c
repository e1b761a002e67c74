/* The table of failed logins: what is counted, for whom, for how long; and that nothing in the file
 * can do more harm than a wait for one address. */
#include "base/base.h"
#include "../tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FREE = 3, FADE = 60, MOST_MS = 8000, BEYOND = 20, TABLE_SIZE = 16 + (1 << 13) * 8 * 16 };

static char path[64];

static struct slowdown of(uint64_t address) {
  return (struct slowdown){path, address, FREE, FADE, MOST_MS};
}

static uint32_t count_of(uint64_t address) {
  struct slowdown s = of(address);
  uint32_t count;
  slowdown_wait(&s, &count);
  return count;
}

static int64_t wait_of(uint64_t address) {
  struct slowdown s = of(address);
  uint32_t count;
  return slowdown_wait(&s, &count);
}

static void fail(uint64_t address, unsigned int times) {
  struct slowdown s = of(address);
  while (times--) slowdown_failed(&s);
}

/* Replaces in the file each 4 bytes that read as `from` where the times are. */
static void age(uint32_t seconds) {
  FILE *f = fopen(path, "r+");
  uint32_t entry[4];
  fseek(f, 16, SEEK_SET);
  while (fread(entry, sizeof entry, 1, f) == 1) {
    if (!entry[3]) continue;
    entry[2] -= seconds;
    fseek(f, -(long)sizeof entry, SEEK_CUR);
    fwrite(entry, sizeof entry, 1, f);
    fseek(f, 0, SEEK_CUR);
  }
  fclose(f);
}

static void fill(unsigned char const *bytes, size_t size) {
  FILE *f = fopen(path, "w");
  fwrite(bytes, size, 1, f);
  fclose(f);
}

static void test_counting(void) {
  ok(!wait_of(1) && !count_of(1), "nothing has failed");
  fail(1, FREE - 1);
  ok(!wait_of(1), "some failures cost nothing");
  int64_t waits[6];
  for (size_t i = 0; i < 6; i++) {
    fail(1, 1);
    waits[i] = wait_of(1);
  }
  ok(waits[0] == 1000 && waits[1] == 2000 && waits[2] == 4000 && waits[3] == MOST_MS &&
         waits[4] == MOST_MS && waits[5] == MOST_MS,
     "then the wait doubles, up to the longest");
  ok(!wait_of(2), "for this address only");
  struct stat st;
  ok(!stat(path, &st) && (st.st_mode & 0777) == 0600 && st.st_size <= TABLE_SIZE,
     "the file is the service's alone, and bounded");
  struct slowdown s = of(1);
  slowdown_admitted(&s);
  ok(count_of(1) == FREE + 4, "a login takes one failure back");
  for (int i = 0; i < 7; i++) slowdown_tried(&s);
  ok(count_of(1) == FREE + 4, "seven tries are no failure");
  slowdown_tried(&s);
  ok(count_of(1) == FREE + 5, "... eight are one");
  slowdown_admitted(&s);
  s = of(3);
  slowdown_tried(&s);
  slowdown_admitted(&s);
  ok(!count_of(3), "and nothing where there is none");
  fail(1, 1000);
  ok(count_of(1) == FREE + BEYOND, "there is an end to counting");
}

static void test_fading(void) {
  fail(4, 5);
  age(FADE - 2);
  ok(count_of(4) == 5, "what has failed stays");
  age(2);
  ok(count_of(4) == 4, "... until it fades");
  age(FADE / 2);
  fail(4, 1);
  age(FADE / 2);
  ok(count_of(4) == 4, "... one by one, and no failure puts that off");
  age(FADE * 4);
  ok(!count_of(4), "... to nothing");
  fail(4, 5);
  age((uint32_t)-3600);
  ok(!count_of(4), "what was counted in the future was not");
  struct slowdown s = of(4);
  for (int i = 0; i < 12; i++) slowdown_tried(&s);
  age(FADE);
  for (int i = 0; i < 4; i++) slowdown_tried(&s);
  ok(count_of(4) == 1, "... of tries, eight at once");
  age(FADE * 2);
  ok(!count_of(4), "... and the rest");
  s.path = 0;
  slowdown_failed(&s);
  uint32_t count;
  ok(!slowdown_wait(&s, &count) && !count && !count_of(4), "without a file nothing is counted");
}

/* Far more addresses than there is room for. */
static void test_flood(void) {
  fail(5, FREE + 5);
  uint64_t const addresses = 100000;
  unlink(path);
  fail(5, FREE + 5);
  FILE *f = fopen(path, "r+"); /* as those addresses would have it, without 100,000 locks */
  fseek(f, 16, SEEK_SET);
  for (uint64_t i = 0; i < addresses && ftell(f) < TABLE_SIZE; i++) {
    uint64_t e[2];
    long here = ftell(f);
    bool mine = fread(e, sizeof e, 1, f) == 1 && e[0] == 5;
    fseek(f, here + (mine ? (long)sizeof e : 0), SEEK_SET);
    if (mine) continue;
    uint32_t rest[2] = {(uint32_t)time(0), 2};
    uint64_t address = 1000 + i;
    fwrite(&address, sizeof address, 1, f);
    fwrite(rest, sizeof rest, 1, f);
  }
  fclose(f);
  ok(count_of(5) == FREE + 5, "a full table keeps the hottest");
  for (uint64_t i = 0; i < 200; i++) fail(UINT64_C(1) << 40 | i << 17, 1);
  ok(count_of(5) == FREE + 5, "... whoever comes");
  fail(6, 1);
  ok(count_of(6) == 1, "and who is new there is counted, in place of the coldest");
  struct stat st;
  ok(!stat(path, &st) && st.st_size == TABLE_SIZE, "it does not grow");
}

static void test_damage(void) {
  unsigned char *bytes = malloc(TABLE_SIZE);
  memset(bytes, 0xff, TABLE_SIZE);
  fill(bytes, TABLE_SIZE);
  ok(!wait_of(7), "a file of ones makes nobody wait");
  fail(7, FREE);
  ok(wait_of(7) == 1000, "... and counts");
  srand(1);
  for (size_t i = 0; i < TABLE_SIZE; i++) bytes[i] = (unsigned char)(rand() >> 7);
  fill(bytes, TABLE_SIZE);
  unsigned int slowed = 0;
  for (uint64_t a = 1; a <= 200; a++) slowed += wait_of(a << 30 | 99) != 0;
  ok(!slowed, "a file of noise makes nobody wait");
  fail(8, FREE);
  ok(wait_of(8) == 1000, "... and counts");
  for (size_t i = 0; i < TABLE_SIZE; i += 16) {
    uint32_t entry[4] = {9, 0, (uint32_t)time(0), UINT32_MAX};
    memcpy(bytes + i, entry, sizeof entry);
  }
  fill(bytes, TABLE_SIZE);
  ok(count_of(9) == FREE + BEYOND, "a count that nobody has reached is one that can be");
  fill(bytes, 16 + 7);
  fail(7, FREE);
  ok(wait_of(7) == 1000, "a file cut off counts on");
  fill(bytes, 0);
  fail(7, FREE);
  ok(wait_of(7) == 1000, "an empty one, too");
  free(bytes);
  unlink(path);
  mkdir(path, 0700);
  ok(!wait_of(7), "what is no file makes nobody wait");
  rmdir(path);
  ok(!symlink("/tmp/chainmail-slowdown.target", path) && !wait_of(7) &&
         access("/tmp/chainmail-slowdown.target", F_OK),
     "a symbolic link is not followed");
  unlink(path);
}

static void test_together(void) {
  enum { PROCESSES = 4, EACH = 5 };
  for (int i = 0; i < PROCESSES; i++)
    if (!fork()) {
      fail(10, EACH);
      _exit(0);
    }
  for (int i = 0; i < PROCESSES; i++) wait(0);
  ok(count_of(10) == PROCESSES * EACH, "several processes lose no count");
}

int main(void) {
  char dir[] = "/tmp/chainmail-slowdown.XXXXXX";
  if (!mkdtemp(dir)) return 1;
  snprintf(path, sizeof path, "%s/table", dir);
  log_init("slowdown");
  test_counting();
  test_fading();
  test_flood();
  test_damage();
  test_together();
  unlink(path);
  rmdir(dir);
  return tap_done();
}
