/* The words after `imaplogin`, and the way into the first of them. */
#include "login/login.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <skalibs/types.h>

enum { CREDENTIALS_FD = 3, CREDENTIALS_SIZE_MAX = 4000 };
_Static_assert(USER_SIZE_MAX + PASSWORD_SIZE_MAX + CHALLENGE_SIZE_MAX + 3 <= CREDENTIALS_SIZE_MAX,
               "what doc/chain.md promises about descriptor 3");
_Static_assert(CREDENTIALS_SIZE_MAX <= _POSIX_PIPE_BUF * 8, "a pipe takes it without a reader");

char const *base_name(char const *path) {
  char const *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

bool is_module(char const *word) {
  return !strncmp(base_name(word), "auth", 4);
}

bool chain_is_valid(char const *const *argv) {
  if (!argv[0] || !argv[1] || !is_module(argv[1])) return false;
  while (*++argv)
    if (!is_module(*argv)) return **argv;
  return false;
}

char const *chain_service(void) {
  char name[sizeof "AUTHSERVICE65535"];
  char const *port = getenv("TCPLOCALPORT");
  unsigned int number;
  if (!port || !uint0_scan(port, &number) || number > UINT16_MAX) return "imap";
  snprintf(name, sizeof name, "AUTHSERVICE%u", number);
  char const *service = getenv(name);
  return service && *service ? service : "imap";
}

char *chain_netstrings(char const *const *argv, struct arena *arena) {
  size_t size = 1;
  for (char const *const *a = argv; *a; a++) size += strlen(*a) + 22;
  char *text = arena_alloc(arena, size), *p = text;
  *p = 0;
  for (; *argv; argv++)
    p += snprintf(p, size - (size_t)(p - text), "%lu:%s,", (unsigned long)strlen(*argv), *argv);
  return text;
}

static char *put(char *out, char const *text) {
  size_t size = strlen(text) + 1;
  memcpy(out, text, size);
  return out + size;
}

static int pipe_to_three(int *writer) {
  int ends[2];
  if (pipe(ends) < 0) return -1;
  *writer = fd_move_high(ends[1]);
  if (*writer < 0) return -1;
  if (ends[0] == CREDENTIALS_FD) return 0;
  if (dup2(ends[0], CREDENTIALS_FD) < 0) return -1;
  close(ends[0]);
  return 0;
}

int chain_offer(struct credentials const *c, char const *challenge, int64_t timestamp) {
  char text[CREDENTIALS_SIZE_MAX], decimal[21], *p = text;
  int writer;
  if (pipe_to_three(&writer) < 0) return -1;
  p = put(p, c->user);
  if (methods[c->method].mechanism) p = put(p, challenge);
  p = put(p, c->password);
  if (!methods[c->method].mechanism) p = put(p, log_number(decimal, (uint64_t)timestamp));
  int r = io_write_all(writer, text, (size_t)(p - text), -1);
  int saved = errno;
  explicit_bzero(text, sizeof text);
  close(writer);
  errno = saved;
  return r;
}

void chain_withdraw(void) {
  close(CREDENTIALS_FD);
}
