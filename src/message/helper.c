/* charsetd as seen from here: a child on a socketpair, started when first needed, that converts
 * charsets to UTF-8 and ends when this process does.  The protocol is in charsetd(8).
 *
 * Nothing it does is a failure of ours: what it cannot convert, or if it cannot run, is an unknown
 * charset, and one log line says so. */
#include "message/internal.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <skalibs/uint32.h>

enum {
  REQUEST_DATA_MAX = 32 * 1024,            /* charsetd takes no more at a time */
  ANSWER_MAX = 8 * REQUEST_DATA_MAX + 256, /* no character becomes more than this */
  TIMEOUT_MS = 10000,                      /* it only computes: something is wrong */
  STARTS_MAX = 3,                          /* then it is given up */
};
enum { OP_FIRST = 1, OP_LAST = 2, OP_QUERY = 4 };

static struct {
  int fd; /* valid if running */
  bool running;
  unsigned int starts;
  char asked[CHARSET_NAME_MAX + 1]; /* the last name asked for, and whether it is known */
  bool asked_known;
  unsigned long silences;
} helper;

unsigned long message_charset_silences(void) {
  return helper.silences;
}

/* It did not do what it was asked for.  Who answers no is still there. */
static void note_silence(void) {
  helper.silences += !helper.running;
}

static int spawn(char const *path, int fd) {
  char name[] = "charsetd", *argv[] = {name, 0}, *envp[] = {0};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fd, 0);
  posix_spawn_file_actions_adddup2(&actions, fd, 1);
  pid_t pid;
  int error = posix_spawn(&pid, path, &actions, 0, argv, envp);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

static bool start(void) {
  if (helper.running) return true;
  if (helper.starts >= STARTS_MAX) return false;
  helper.starts++;
  char const *path = getenv("IMAP_CHARSETD");
  if (!path || !*path) path = PREFIX "/bin/charsetd";
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) return false;
  fd_close_on_exec(ends[0], true);
  fd_close_on_exec(ends[1], true);
  errno = spawn(path, ends[1]);
  if (errno) {
    log_failure("exec", path, "install it or set IMAP_CHARSETD to its path");
    close(ends[0]);
    close(ends[1]);
    helper.starts = STARTS_MAX;
    return false;
  }
  close(ends[1]);
  helper.fd = fd_move_high(ends[0]);
  helper.running = helper.fd >= 0;
  return helper.running;
}

static void stop(void) {
  close(helper.fd);
  helper.running = false;
  helper.asked[0] = 0;
}

static bool read_all(char *buf, size_t size, int64_t deadline) {
  while (size) {
    ssize_t n = io_read(helper.fd, buf, size, deadline);
    if (n <= 0) return false;
    buf += n, size -= (size_t)n;
  }
  return true;
}

/* Request: length of the rest (4 bytes, big-endian), operation, length of the name, name, data. */
static bool send_request(int op, char const *charset, char const *data, size_t size,
                         int64_t deadline) {
  char head[6 + CHARSET_NAME_MAX];
  size_t name_size = strlen(charset);
  uint32_pack_big(head, (uint32_t)(2 + name_size + size));
  head[4] = (char)op;
  head[5] = (char)name_size;
  memcpy(head + 6, charset, name_size);
  return io_write_all(helper.fd, head, 6 + name_size, deadline) == 0 &&
         (!size || io_write_all(helper.fd, data, size, deadline) == 0);
}

/* Answer: length of the rest (4 bytes, big-endian), 0 for good, UTF-8.  Appended to out, unless
 * that is null. */
static bool read_answer(stralloc *out, bool *good, int64_t deadline) {
  char head[5];
  uint32_t size;
  if (!read_all(head, sizeof head, deadline)) return false;
  uint32_unpack_big(head, &size);
  *good = !head[4];
  if (!size || --size > ANSWER_MAX || (size && !out)) return false;
  if (!size) return true;
  if (!read_all(sa_room(out, size), size, deadline)) return false;
  out->len += size;
  return true;
}

/* Whether charsetd did what it was asked for. */
static bool exchange(int op, char const *charset, stralloc *out, char const *data, size_t size) {
  if (!start()) return false;
  int64_t deadline = clock_ms() + TIMEOUT_MS;
  bool good;
  if (send_request(op, charset, data, size, deadline) && read_answer(out, &good, deadline))
    return good;
  log_failure("convert", charset, "see why charsetd ended");
  stop();
  return false;
}

/* Only an answer is remembered. */
bool helper_knows(char const *charset) {
  if (strcasecmp(helper.asked, charset)) {
    bool known = exchange(OP_QUERY, charset, 0, 0, 0);
    if (helper.running) strcpy(helper.asked, charset);
    helper.asked_known = known;
  }
  if (!helper.asked_known) note_silence();
  return helper.asked_known;
}

bool helper_convert(char const *charset, bool first, bool last, stralloc *out, char const *data,
                    size_t size) {
  size_t before = out->len;
  do {
    size_t n = size < REQUEST_DATA_MAX ? size : REQUEST_DATA_MAX;
    int op = (first ? OP_FIRST : 0) | (last && n == size ? OP_LAST : 0);
    if (!exchange(op, charset, out, data, n)) {
      out->len = before;
      note_silence();
      return false;
    }
    first = false;
    if (n) data += n;
    size -= n;
  } while (size);
  return true;
}
