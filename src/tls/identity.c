/* Which certificate files there are for whom, by Courier's convention: TLS_CERTFILE for everybody,
 * beside it TLS_CERTFILE.NAME for who asks for that name or comes to that address, and with each
 * of them one more that ends in `.ecdsa`. */
#include "tls/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Into what is empty. */
static void take_path(char path[PATH_MAX], char const *variable) {
  char const *value = getenv(variable);
  size_t n = value ? strlen(value) : 0;
  if (!n) return; /* and a page of memory stays untouched */
  /* The longest suffix must fit, too; the kernel takes no longer paths. */
  if (n >= PATH_MAX - SERVER_NAME_MAX - sizeof SECOND_KIND)
    log_die(EXIT_MISUSE, "bad-setting", "name", variable, "why", "too long", "remedy",
            "name a file with a shorter path", (char *)0);
  memcpy(path, value, n + 1);
}

bool identity_settings(struct certificate_files *f) {
  take_path(f->certfile, "TLS_CERTFILE");
  take_path(f->keyfile, "TLS_PRIVATE_KEYFILE");
  take_path(f->trust, "TLS_TRUSTCERTS");
  return *f->certfile;
}

static void log_problem(struct certificate_problem const *p) {
  char remedy[PATH_MAX + 200];
  snprintf(remedy, sizeof remedy, "%s; run tlscheck %s", p->remedy, p->path);
  if (!p->why)
    log_event("failed", "ip", getenv("TCPREMOTEIP"), "attempt", "read", "path", p->path, "why",
              strerror(p->error), "remedy", remedy, (char *)0);
  else
    log_event("bad-certificate", "ip", getenv("TCPREMOTEIP"), "path", p->path, "key", p->key, "why",
              p->why, "remedy", remedy, (char *)0);
}

/* Whether looking there says that nothing is there; what else is wrong, reading will say. */
static bool is_absent(char const *path) {
  return access(path, F_OK) < 0 && (errno == ENOENT || errno == ENAMETOOLONG);
}

/* One file pair, into the next place. */
static int load_pair(struct identity *id, struct certificate_files const *f, char const *suffix,
                     char const *kind) {
  char certfile[2 * PATH_MAX], keyfile[2 * PATH_MAX];
  struct certificate_problem problem;
  bool is_main = !*suffix && !*kind;
  snprintf(certfile, sizeof certfile, "%s%s%s", f->certfile, suffix, kind);
  snprintf(keyfile, sizeof keyfile, "%s%s%s", f->keyfile, suffix, kind);
  if (!is_main && is_absent(certfile)) return 0;
  /* TLS_PRIVATE_KEYFILE is meant to be there; of the others each may hold its key itself. */
  bool apart = *f->keyfile && (is_main || !is_absent(keyfile));
  if (x509_credentials_load(id->of[id->n], certfile, apart ? keyfile : 0, *f->trust ? f->trust : 0,
                            &problem) < 0) {
    log_problem(&problem);
    x509_credentials_wipe(id->of[id->n]);
    return -1;
  }
  id->n++;
  return 1;
}

/* What is at TLS_CERTFILE with this suffix (`.192.0.2.1`, or none) and at the same with `.ecdsa`
 * behind it. */
static int identity_load(struct identity *id, struct certificate_files const *f,
                         char const *suffix) {
  id->n = 0;
  int second = load_pair(id, f, suffix, SECOND_KIND);
  int first = load_pair(id, f, suffix, "");
  if (id->n) return 1;
  return first < 0 || second < 0 ? -1 : 0;
}

int identity_load_default(struct identity *id, struct certificate_files const *f,
                          char const *address) {
  char suffix[64];
  int r = 0;
  if (address && is_address(address)) {
    /* An IPv4 client of an IPv6 socket has come to an IPv4 address. */
    if (!strncasecmp(address, "::ffff:", 7) && strchr(address, '.')) address += 7;
    snprintf(suffix, sizeof suffix, ".%s", address);
    r = identity_load(id, f, suffix);
  }
  return r > 0 ? r : identity_load(id, f, "");
}

void identity_wipe(struct identity const *id) {
  for (size_t i = 0; i < id->n; i++) x509_credentials_wipe(id->of[i]);
}

static bool take_name(void *context, char const *suffix, enum certificate_for whom) {
  (void)suffix;
  if (whom == FOR_NAME) *(bool *)context = true;
  return whom != FOR_NAME;
}

bool identity_has_names(struct certificate_files const *f) {
  bool found = false;
  /* Who may not list may still open: the loader will see. */
  return certificate_files_beside(f->certfile, take_name, &found) < 0 || found;
}

int identity_load_name(struct identity *id, struct certificate_files const *f, char const *name) {
  char suffix[SERVER_NAME_MAX + 3];
  char const *parent = strchr(name, '.');
  snprintf(suffix, sizeof suffix, ".%s", name);
  int r = identity_load(id, f, suffix);
  if (r > 0 || !strchr(parent + 1, '.')) return r; /* not for all of a top-level domain */
  snprintf(suffix, sizeof suffix, ".*%s", parent);
  return identity_load(id, f, suffix);
}
