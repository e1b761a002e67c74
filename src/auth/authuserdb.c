/* authuserdb: virtual users from a cdb that makeuserdb(8) compiles; see authuserdb(8).  Needs no
 * account on the system, and asks none of its databases. */
#include "auth/auth.h"
#include "base/base.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SERVICE_MAX = 32 };

static struct auth_result const unknown_user = {AUTH_DECLINE, "unknown-user"};
static struct auth_result const no_database = {AUTH_TEMPORARY, "userdb"};

static char const *database_path(void) {
  char const *path = getenv("USERDB");
  return path && *path ? path : PREFIX "/conf/userdb.cdb";
}

/* Whoever can write it can become anybody. */
static bool is_trustworthy(struct stat const *st) {
  return S_ISREG(st->st_mode) && !(st->st_mode & (S_IWGRP | S_IWOTH)) &&
         (!st->st_uid || st->st_uid == geteuid());
}

static int open_database(char const *path, struct cdb *cdb) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &st) < 0) {
    log_failure("open", path,
                errno == ENOENT ? "compile it with makeuserdb, or take authuserdb out of the chain"
                                : "give it to the account the service runs as, mode 0600");
    goto fail;
  }
  if (!is_trustworthy(&st)) {
    log_event("failed", "attempt", "open", "path", path, "why",
              "it is no regular file, or others can write to it", "remedy",
              "chown root, chmod 600, and look who wrote to it", (char *)0);
    goto fail;
  }
  if (!cdb_init(cdb, fd)) return fd;
  log_failure("read", path, "compile it again with makeuserdb");
fail:
  if (fd >= 0) close(fd);
  return -1;
}

/* 1 found, 0 not, -1 a broken file. */
static int copy_record(struct cdb *cdb, char const *user, char record[USERDB_RECORD_MAX + 1]) {
  errno = EINVAL; /* tinycdb does not always say */
  int r = cdb_find(cdb, user, (unsigned)strlen(user));
  if (r <= 0) return r;
  unsigned size = cdb_datalen(cdb);
  if (size > USERDB_RECORD_MAX) return -1;
  if (cdb_read(cdb, record, size, cdb_datapos(cdb)) < 0) return -1;
  record[size] = 0;
  return 1;
}

static int look_up(char const *user, char record[USERDB_RECORD_MAX + 1]) {
  struct cdb cdb;
  char const *path = database_path();
  int fd = open_database(path, &cdb);
  if (fd < 0) return -1;
  int r = copy_record(&cdb, user, record);
  if (r < 0) log_failure("read", path, "compile it again with makeuserdb");
  cdb_free(&cdb);
  close(fd);
  return r;
}

/* The service's own password if the user has one, else the one for all services. */
static char const *hash_of(struct userdb_record const *r) {
  char field[SERVICE_MAX + sizeof "pw"];
  char const *service = getenv("AUTHSERVICE");
  snprintf(field, sizeof field, "%.*spw", SERVICE_MAX, service && *service ? service : "imap");
  char const *hash = userdb_get(r, field);
  if (!hash) hash = userdb_get(r, "systempw");
  return hash ? hash : "";
}

static struct auth_result verify(struct auth_credentials const *c, struct auth_account *a) {
  static char text[USERDB_RECORD_MAX + 1]; /* the account points into it */
  struct userdb_record record;
  if (strlen(c->user) > USERDB_NAME_MAX) return unknown_user;
  int found = look_up(c->user, text);
  if (found < 0) return no_database;
  if (!found) return unknown_user;
  char const *problem = userdb_split(text, &record);
  if (!problem) problem = userdb_account(&record, a);
  if (problem) {
    log_event("failed", "attempt", "read", "path", database_path(), "user", c->user, "why", problem,
              "remedy", "correct the text and compile it again with makeuserdb", (char *)0);
    return no_database;
  }
  if (!a->uid) return (struct auth_result){AUTH_DECLINE, "uid-0"};
  char const *hash = hash_of(&record);
  if (!*hash) return (struct auth_result){AUTH_DECLINE, "no-password"};
  a->user = c->user;
  return password_result(password_check(c->password, hash));
}

int main(int argc, char **argv) {
  static struct auth_module const module = {.name = "authuserdb", .verify = verify};
  auth_run(argc, argv, &module);
}
