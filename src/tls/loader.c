/* The loader: the engine has given up the file system before it knows which name the client wants,
 * so a process beside it that can still read the keys waits for that name, answers once, and ends.
 *
 * Both are forked from one tlsd and never exec, so what lies at an address in one lies there in the
 * other: the answer is the bytes of `places`, whose pointers lead into itself. */
#include "tls/tls.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MS = 10000 }; /* reading some small files; the handshake's own time goes on */

struct request {
  char name[SERVER_NAME_MAX + 1]; /* filled up with NULs */
};
/* Followed by that many bytes of each place. */
struct answer {
  size_t n, sizes[KINDS];
};

static struct credentials places[KINDS];
static struct identity named = {.of = {&places[0], &places[1]}};

static bool read_all(int fd, void *buf, size_t size, int64_t deadline) {
  for (char *p = buf; size;) {
    ssize_t n = io_read(fd, p, size, deadline);
    if (n <= 0) return false;
    p += n;
    size -= (size_t)n;
  }
  return true;
}

noreturn void loader_run(struct certificate_files const *files, int fd) {
  struct request request;
  struct answer answer = {0};
  char name[SERVER_NAME_MAX + 1];
  loader_confine();
  if (!read_all(fd, &request, sizeof request, -1)) _exit(0); /* the client wanted no name */
  /* The engine has looked at the name, too, but it talks to a stranger. */
  request.name[SERVER_NAME_MAX] = 0;
  if (server_name_take(request.name, name) && identity_load_name(&named, files, name) > 0)
    answer.n = named.n;
  for (size_t i = 0; i < answer.n; i++) answer.sizes[i] = x509_credentials_size(&places[i]);
  int64_t deadline = clock_ms() + ANSWER_MS;
  if (io_write_all(fd, &answer, sizeof answer, deadline) < 0) _exit(0);
  for (size_t i = 0; i < answer.n; i++)
    if (io_write_all(fd, &places[i], answer.sizes[i], deadline) < 0) _exit(0);
  _exit(0);
}

/* Whether an answer has come, maybe that there is no such name. */
static bool exchange(int fd, struct request const *request, struct answer *answer) {
  int64_t deadline = clock_ms() + ANSWER_MS;
  if (io_write_all(fd, request, sizeof *request, deadline) < 0) return false;
  if (!read_all(fd, answer, sizeof *answer, deadline) || answer->n > KINDS) return false;
  for (size_t i = 0; i < answer->n; i++)
    if (answer->sizes[i] > sizeof places[i] ||
        !read_all(fd, &places[i], answer->sizes[i], deadline))
      return false;
  return true;
}

struct identity const *loader_ask(int fd, char const *name, bool *failed) {
  struct request request = {{0}};
  struct answer answer;
  if (!server_name_take(name, request.name)) return 0;
  if (!exchange(fd, &request, &answer)) {
    memory_wipe(places, sizeof places); /* half an answer may be half a key */
    *failed = true;
    return 0;
  }
  named.n = answer.n;
  return answer.n ? &named : 0;
}
