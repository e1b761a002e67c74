/* What addresses have failed to log in lately, for all connections and services that name the same
 * file, and how long an address has to wait for it.  Not for accounts: whoever could make an
 * account wait could lock its user out.
 *
 * The file is a table of fixed size: a secret, then BUCKETS buckets of WAYS entries.  There is no
 * daemon, no header to be wrong, and nothing to clean: entries fade, and a full bucket gives up its
 * coldest one.  Any bytes at all make a valid table: addresses are stored whole, so that a damaged
 * entry is most likely nobody's, and what an entry may say is bounded when it is read.  A bucket is
 * read and written under a lock that ends with its process, never mapped: a file that somebody cuts
 * off must not be a signal.  doc/chain.md, "Slowing down", has the reasons. */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
  BUCKETS_LOG2 = 13,
  BUCKETS = 1 << BUCKETS_LOG2,
  WAYS = 8,          /* with BUCKETS, 65,536 addresses in 1 MiB */
  COUNT_BEYOND = 20, /* what is counted beyond the failures that are free: bounds the punishment */
  WHOLE = 8,         /* one failure; a try that only some sources could judge is one of its parts */
  LOCK_WAIT_MS = 1000, /* it is held for microseconds, unless the machine is overrun */
  LOCK_PAUSE_NS = 1000000
};

struct entry {
  uint64_t address;
  uint32_t since; /* seconds of the epoch: what had faded by then is taken off */
  uint32_t count; /* of parts of failures */
};

struct bucket {
  struct entry entries[WAYS];
};

/* With these nobody outside can tell which addresses share a bucket: multiply and shift, one of a
 * universal family of functions. */
struct secret {
  uint64_t factor, summand;
};

struct table {
  int fd;
  off_t place;
  struct bucket bucket;
};

static int read_at(int fd, void *to, size_t size, off_t place) {
  memset(to, 0, size);
  ssize_t n;
  do n = pread(fd, to, size, place);
  while (n < 0 && errno == EINTR);
  return n < 0 ? -1 : 0; /* beyond the end there are zeros */
}

static int write_at(int fd, void const *from, size_t size, off_t place) {
  ssize_t n;
  do n = pwrite(fd, from, size, place);
  while (n < 0 && errno == EINTR);
  if (n >= 0 && (size_t)n < size) errno = ENOSPC;
  return n == (ssize_t)size ? 0 : -1;
}

static int lock(int fd, off_t place, size_t size) {
  int64_t deadline = clock_ms() + LOCK_WAIT_MS;
  struct timespec pause = {0, LOCK_PAUSE_NS};
  while (lock_part(fd, LOCK_WRITE, (uint64_t)place, size) < 0) {
    if (errno != EAGAIN || clock_ms() >= deadline) return -1;
    nanosleep(&pause, 0);
  }
  return 0;
}

static bool is_made(struct secret const *s) {
  return s->factor && s->summand;
}

static int find_secret(int fd, struct secret *s) {
  if (read_at(fd, s, sizeof *s, 0) < 0) return -1;
  if (is_made(s)) return 0;
  if (lock(fd, 0, sizeof *s) < 0 || read_at(fd, s, sizeof *s, 0) < 0) return -1;
  if (is_made(s)) return 0; /* by another, meanwhile */
  if (getentropy(s, sizeof *s) < 0) return -1;
  s->factor |= 1;
  s->summand |= 1;
  return write_at(fd, s, sizeof *s, 0);
}

static int find_bucket(struct table *t, uint64_t address) {
  struct secret s;
  if (find_secret(t->fd, &s) < 0) return -1;
  uint64_t mixed = (address ^ address >> 32) * s.factor + s.summand;
  uint64_t number = mixed >> (64 - BUCKETS_LOG2);
  t->place = (off_t)(sizeof s + number * sizeof t->bucket);
  if (lock(t->fd, t->place, sizeof t->bucket) < 0) return -1;
  return read_at(t->fd, &t->bucket, sizeof t->bucket, t->place);
}

static int table_open(struct table *t, struct slowdown const *s) {
  t->fd = open(s->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (t->fd < 0) return -1;
  t->fd = fd_move_high(t->fd);
  if (t->fd < 0) return -1;
  if (!find_bucket(t, s->address)) return 0;
  int saved = errno;
  close(t->fd);
  errno = saved;
  return -1;
}

static uint32_t most(struct slowdown const *s) {
  return (s->free + COUNT_BEYOND) * WHOLE;
}

/* What is left of an entry by now. */
static void fade(struct slowdown const *s, struct entry *e, uint32_t now) {
  if (e->since > now) e->count = 0; /* damaged, or the clock was */
  if (e->count > most(s)) e->count = most(s);
  uint32_t faded = e->count ? (now - e->since) / s->fade_s : 0;
  if (faded >= (e->count + WHOLE - 1) / WHOLE) {
    *e = (struct entry){0};
    return;
  }
  e->count -= faded * WHOLE;
  e->since += faded * s->fade_s;
}

/* The entry of the address, or the coldest, which is an empty one if there is any. */
static struct entry *find_entry(struct slowdown const *s, struct bucket *b, uint32_t now) {
  struct entry *coldest = b->entries;
  for (struct entry *e = b->entries; e < b->entries + WAYS; e++) {
    fade(s, e, now);
    if (e->count && e->address == s->address) return e;
    if (e->count < coldest->count) coldest = e;
  }
  return coldest;
}

static uint32_t sum(uint32_t count, int by, uint32_t limit) {
  int64_t result = (int64_t)count + by;
  return result < 0 ? 0 : result > limit ? limit : (uint32_t)result;
}

/* Adds to the count of the address; it returns what the count is then. */
static uint32_t change(struct slowdown const *s, struct bucket *b, int by) {
  uint32_t now = (uint32_t)time(0);
  struct entry *e = find_entry(s, b, now);
  if (!e->count || e->address != s->address) {
    if (by <= 0) return 0;
    *e = (struct entry){.address = s->address, .since = now};
  }
  return e->count = sum(e->count, by, most(s));
}

static uint32_t count_by(struct slowdown const *s, int by) {
  struct table t;
  uint32_t count = 0;
  if (!s->path) return 0;
  if (table_open(&t, s) < 0) {
    log_failure("count failed logins in", s->path,
                "let IMAP_LOGIN_SLOWDOWN name a file on a local disk");
    return 0;
  }
  struct bucket const before = t.bucket;
  count = change(s, &t.bucket, by);
  /* A login that has no failure to take back changes nothing, and wakes no disk. */
  if (by && memcmp(&before, &t.bucket, sizeof before) &&
      write_at(t.fd, &t.bucket, sizeof t.bucket, t.place) < 0)
    log_failure("count failed logins in", s->path, "make room on its disk");
  close(t.fd);
  return count;
}

void slowdown_configure(struct slowdown *s) {
  char const *path = getenv("IMAP_LOGIN_SLOWDOWN"), *ip = getenv("TCPREMOTEIP");
  char const *exempt = getenv("IMAP_LOGIN_EXEMPT");
  int listed = address_listed(ip, exempt ? exempt : "");
  if (listed < 0)
    log_die(EXIT_MISUSE, "bad-setting", "name", "IMAP_LOGIN_EXEMPT", "value", exempt, "why",
            "it must be a list of addresses and networks, as 192.0.2.0/24 2001:db8::/32",
            (char *)0);
  s->free = (uint32_t)setting_number("IMAP_LOGIN_FREE", 10, 1, 1000);
  s->fade_s = (uint32_t)setting_number("IMAP_LOGIN_FADE", 60, 1, 86400);
  s->most_ms = (int64_t)setting_number("IMAP_LOGIN_SLOWEST", 15, 1, 120) * 1000;
  s->address = ip ? address_group(ip) : 0;
  s->path = path && *path && s->address && !listed ? path : 0;
}

int64_t slowdown_wait(struct slowdown const *s, uint32_t *count) {
  *count = count_by(s, 0) / WHOLE;
  int64_t wait = 1000;
  if (*count < s->free) return 0;
  for (uint32_t n = s->free; n < *count && wait < s->most_ms; n++) wait *= 2;
  return wait < s->most_ms ? wait : s->most_ms;
}

void slowdown_failed(struct slowdown const *s) {
  count_by(s, WHOLE);
}

void slowdown_tried(struct slowdown const *s) {
  count_by(s, 1);
}

void slowdown_admitted(struct slowdown const *s) {
  count_by(s, -WHOLE);
}
