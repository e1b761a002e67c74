/* What the last program's environment holds: a list of what may stay, never of what must go.  A
 * user can read the environment of their own session, and administrators keep database passwords in
 * that of the modules. */
#include "auth/auth.h"
#include "base/base.h"

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

char **environment_rebuild(struct arena *arena, char *const *inherited,
                           struct auth_account const *a, char const *module) {
  struct variable const account[] = {
      {"HOME", a->home},          {"USER", a->user},
      {"LOGNAME", a->user},       {"SHELL", a->shell ? a->shell : "/bin/sh"},
      {"MAILDIR", a->maildir},    {"OPTIONS", a->options},
      {"MAILDIRQUOTA", a->quota}, {"AUTHENTICATED", a->user},
      {"AUTHADDR", a->user},      {"AUTHMODULE", module},
  };
  return environment_make(arena, inherited, is_allowed, account, sizeof account / sizeof *account);
}
