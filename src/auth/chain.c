/* The chain as a module sees it: the words after its own name, and the way back to imaplogin. */
#include "auth/auth.h"
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <skalibs/types.h>

enum { SOCKET_LOWEST = 10 }; /* doc/chain.md: everything private is there or above */

bool chain_is_module(char const *word) {
  char const *slash = strrchr(word, '/');
  return !strncmp(slash ? slash + 1 : word, "auth", 4);
}

static int open_socket(char const *number) {
  unsigned int fd;
  if (!number || !uint0_scan(number, &fd) || fd < SOCKET_LOWEST || fcntl((int)fd, F_GETFD) < 0)
    log_die(EXIT_MISUSE, "misconfigured", "variable", "IMAPLOGIN_FD", "value", number, "why",
            "no open descriptor of 10 or above", "remedy",
            "imaplogin sets it: do not set IMAPLOGIN yourself", (char *)0);
  return (int)fd;
}

bool chain_open(struct chain *c, char **argv) {
  c->next = argv + 1;
  c->program = c->next;
  while (*c->program && chain_is_module(*c->program)) c->program++;
  c->imaplogin = getenv("IMAPLOGIN");
  if (c->imaplogin && !*c->imaplogin) c->imaplogin = 0;
  c->socket = c->imaplogin ? open_socket(getenv("IMAPLOGIN_FD")) : -1;
  return *c->program;
}

/* One string off the front, its comma made the NUL that ends it; null if it is malformed. */
static char *take_netstring(char **next) {
  size_t size;
  size_t digits = size_scan(*next, &size);
  char *s = *next + digits + 1;
  if (!digits || s[-1] != ':' || strnlen(s, size) < size || s[size] != ',') return 0;
  s[size] = 0;
  *next = s + size + 1;
  return s;
}

char **chain_split(char *netstrings) {
  enum { SHORTEST = 3 }; /* `0:,` */
  size_t n = 0;
  char **words = calloc(strlen(netstrings) / SHORTEST + 1, sizeof *words);
  if (!words) return 0;
  while (*netstrings) {
    char *word = take_netstring(&netstrings);
    if (!word) break;
    words[n++] = word;
  }
  if (*netstrings || !n) {
    free(words);
    errno = EINVAL;
    return 0;
  }
  return words;
}

noreturn void chain_return(struct chain const *c) {
  char const *netstrings = getenv("IMAPLOGIN_ARGV");
  char *copy = netstrings ? strdup(netstrings) : 0; /* the environment is imaplogin's too */
  char **words = copy ? chain_split(copy) : 0;
  if (!words)
    log_die(EXIT_MISUSE, "misconfigured", "variable", "IMAPLOGIN_ARGV", "why",
            netstrings ? "no list of netstrings" : "not set", "remedy",
            "imaplogin sets it: do not set IMAPLOGIN yourself", (char *)0);
  close(CREDENTIALS_FD);
  execvp(c->imaplogin, words);
  log_die_failure(EXIT_TEMPORARY, "exec", c->imaplogin,
                  "imaplogin was replaced or removed: install it again");
}

/* A module that cannot be run is a temporary failure of that module. */
noreturn void chain_next(struct chain const *c) {
  for (char **word = c->next; word < c->program; word++) {
    execvp(*word, word);
    log_failure("exec", *word, "install this module or take it out of the chain");
    setenv("IMAPLOGIN_VERDICT", "temporary", 1);
  }
  chain_return(c);
}
