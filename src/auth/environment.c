/* What the last program's environment holds: a list of what may stay, never of what must go.  A
 * user can read the environment of their own session, and administrators keep database passwords in
 * that of the modules. */
#include "auth/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A name that ends in `*` stands for all that begin so. */
static char const *const allowed[] = {
    "PATH",
    "TZ",
    "LANG",
    "LC_*",
    "PROTO",
    "TCPLOCALIP",
    "TCPLOCALPORT",
    "TCPLOCALHOST",
    "TCPREMOTEIP",
    "TCPREMOTEPORT",
    "TCPREMOTEHOST",
    "SSL_PROTOCOL",
    "SSL_CIPHER",
    "SSL_TLS_SNI_SERVERNAME",
    "SSL_PEER_*",
    "IMAPLOGINTAG",
    "IMAPLOGIN_COMMAND",
    "IMAP_*",
    "MAILDIRPATH",
    "OUTBOX",
    "HEADERFROM",
    "SENDMAIL",
};

static bool matches(char const *name, size_t size, char const *pattern) {
  size_t n = strlen(pattern);
  if (pattern[n - 1] == '*') return size >= n - 1 && !memcmp(name, pattern, n - 1);
  return size == n && !memcmp(name, pattern, n);
}

static bool is_allowed(char const *variable) {
  size_t size = strcspn(variable, "=");
  for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
    if (matches(variable, size, allowed[i])) return true;
  return false;
}

static char *make_variable(char const *name, char const *value) {
  size_t size = strlen(name) + strlen(value) + 2;
  char *s = malloc(size);
  if (s) snprintf(s, size, "%s=%s", name, value);
  return s;
}

char const **environment_rebuild(char const *const *inherited, struct auth_account const *a,
                                 char const *module) {
  struct {
    char const *name, *value;
  } const account[] = {
      {"HOME", a->home},          {"USER", a->user},
      {"LOGNAME", a->user},       {"SHELL", a->shell ? a->shell : "/bin/sh"},
      {"MAILDIR", a->maildir},    {"OPTIONS", a->options},
      {"MAILDIRQUOTA", a->quota}, {"AUTHENTICATED", a->user},
      {"AUTHADDR", a->user},      {"AUTHMODULE", module},
  };
  enum { ACCOUNT_VARIABLES = sizeof account / sizeof *account };
  size_t n = 0, room = ACCOUNT_VARIABLES + 1;
  for (size_t i = 0; inherited[i]; i++) room++;
  char const **result = calloc(room, sizeof *result);
  if (!result) return 0;
  for (size_t i = 0; inherited[i]; i++)
    if (is_allowed(inherited[i])) result[n++] = inherited[i];
  for (size_t i = 0; i < ACCOUNT_VARIABLES; i++)
    if (account[i].value && !(result[n++] = make_variable(account[i].name, account[i].value)))
      return 0; /* what was allocated goes with the process, which can only give up now */
  return result;
}
