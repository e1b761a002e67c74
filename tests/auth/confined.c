/* Work in a confined child: its answer, and what it cannot do. */
#include "auth/auth.h"
#include "base/base.h"
#include "../tap.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct answer {
  unsigned long sum;
  bool opened, connected, forked, wrote;
  char filler[40000]; /* more than a pipe takes in one go on some systems */
};

static void add(void const *question, void *out) {
  struct answer *a = out;
  unsigned char const *bytes = question;
  memset(a, 0, sizeof *a);
  for (size_t i = 0; bytes[i]; i++) a->sum += bytes[i];
  void *memory = malloc(1 << 20);
  if (memory) memset(memory, 1, 1 << 20);
  free(memory);
}

static void open_file(void const *question, void *out) {
  struct answer *a = out;
  memset(a, 0, sizeof *a);
  a->opened = open(question, O_RDONLY) >= 0;
}

static void make_socket(void const *question, void *out) {
  struct answer *a = out;
  (void)question;
  memset(a, 0, sizeof *a);
  a->connected = socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static void make_child(void const *question, void *out) {
  struct answer *a = out;
  (void)question;
  memset(a, 0, sizeof *a);
  pid_t child = fork();
  if (!child) _exit(0);
  a->forked = child > 0;
}

/* The connection and the log would be there. */
static void write_to_others(void const *question, void *out) {
  struct answer *a = out;
  (void)question;
  memset(a, 0, sizeof *a);
  for (int fd = 0; fd < 64; fd++)
    if (fd != 3 && write(fd, "x", 1) > 0) a->wrote = true;
}

static void crash(void const *question, void *out) {
  (void)question;
  (void)out;
  _exit(0);
}

static bool is_stopped(confined_work *work, bool const *done, struct answer *a) {
  return !confined_call(work, "/", a, sizeof *a) || !*done;
}

int main(void) {
  static struct answer a;
  log_init("confined");
  ok(confined_call(add, "abc", &a, sizeof a), "an answer");
  is_uint(a.sum, 'a' + 'b' + 'c', "... the right one");
  ok(!confined_call(crash, "", &a, sizeof a), "none of a child that ends");
#ifdef __linux__
  ok(is_stopped(open_file, &a.opened, &a), "no file can be opened");
  ok(is_stopped(make_socket, &a.connected, &a), "no socket made");
  ok(is_stopped(make_child, &a.forked, &a), "no child");
#endif
  ok(is_stopped(write_to_others, &a.wrote, &a), "nothing written but the answer");
  return tap_done();
}
