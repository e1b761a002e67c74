/* The source userdb: virtual users from a cdb that makeuserdb(8) compiles; see authuserdb(8). Needs
 * no account on the system, and asks none of its databases.  The file is opened for each question,
 * because makeuserdb puts a new one in its place. */
#include "auth/source.h"
#include "base/base.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SERVICE_MAX = 32, KIND_MAX = 24 };

static char const *database_path(void) {
  char const *path = getenv("USERDB");
  return path && *path ? path : PREFIX "/conf/userdb.cdb";
}

/* Whoever can write it can become anybody. */
static bool is_trustworthy(struct stat const *st) {
  return S_ISREG(st->st_mode) && !(st->st_mode & (S_IWGRP | S_IWOTH)) &&
         (!st->st_uid || st->st_uid == geteuid());
}

static int open_database(char const *path) {
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
  return fd;
fail:
  if (fd >= 0) close(fd);
  return -1;
}

/* The data at the cdb's position; -1: a broken file. */
static int copy_data(struct cdb *cdb, char record[USERDB_RECORD_MAX + 1]) {
  unsigned size = cdb_datalen(cdb);
  if (size > USERDB_RECORD_MAX) return -1;
  if (cdb_read(cdb, record, size, cdb_datapos(cdb)) < 0) return -1;
  record[size] = 0;
  return 0;
}

/* What stands in the way of an answer is logged. */
static enum source_answer broken(char const *user, char const *why) {
  log_event("failed", "attempt", "read", "path", database_path(), "user", user, "why", why,
            "remedy", "correct the text and compile it again with makeuserdb", (char *)0);
  return SOURCE_TEMPORARY;
}

static enum source_answer unreadable(void) {
  log_failure("read", database_path(), "compile it again with makeuserdb");
  return SOURCE_TEMPORARY;
}

/* By reading: to map the file, for one record, takes longer. */
static enum source_answer read_record(int fd, char const *user, char text[USERDB_RECORD_MAX + 1],
                                      struct userdb_record *record) {
  unsigned size;
  errno = EINVAL; /* tinycdb does not always say */
  int found = cdb_seek(fd, user, (unsigned)strlen(user), &size);
  if (!found) return SOURCE_UNKNOWN;
  if (found < 0 || size > USERDB_RECORD_MAX || cdb_bread(fd, text, (int)size) < 0)
    return unreadable();
  text[size] = 0;
  char const *problem = userdb_split(text, record);
  return problem ? broken(user, problem) : SOURCE_FOUND;
}

/* An alias leads to an account, never to another alias. */
static enum source_answer follow_alias(int fd, char const *user, char const **name,
                                       char text[USERDB_RECORD_MAX + 1],
                                       struct userdb_record *record) {
  static char target[USERDB_NAME_MAX + 1];
  enum source_answer answer = read_record(fd, user, text, record);
  char const *alias = answer == SOURCE_FOUND ? userdb_get(record, "alias") : 0;
  *name = user;
  if (!alias) return answer;
  if (strlen(alias) > USERDB_NAME_MAX) return broken(user, "the alias is longer than 255 bytes");
  *name = strcpy(target, alias);
  answer = read_record(fd, target, text, record);
  if (answer == SOURCE_UNKNOWN) return broken(user, "an alias of nobody");
  if (answer == SOURCE_FOUND && userdb_get(record, "alias"))
    return broken(user, "an alias of an alias");
  return answer;
}

/* A secret of the service's own if the user has one, else the one for all services. */
static char const *secret_of(struct userdb_record const *r, char const *service,
                             char const *separator, char const *common) {
  char field[SERVICE_MAX + KIND_MAX];
  snprintf(field, sizeof field, "%.*s%s", SERVICE_MAX, service, separator);
  char const *own = userdb_get(r, field);
  return own || !common ? own : userdb_get(r, common);
}

static void keep_secrets(struct source_entry *e, struct userdb_record const *r,
                         char const *service) {
  e->hash = source_keep(e, secret_of(r, service, "pw", "systempw"));
  e->hmac_md5 = source_keep(e, secret_of(r, service, "-hmac-md5pw", "hmac-md5pw"));
  e->scram_sha_1 = source_keep(e, secret_of(r, service, "-scram-sha-1pw", "scram-sha-1pw"));
  e->scram_sha_256 = source_keep(e, secret_of(r, service, "-scram-sha-256pw", "scram-sha-256pw"));
}

/* `imappw=`: no password is one for IMAP. */
static bool is_shut_out(struct userdb_record const *r, char const *service) {
  char const *secret = secret_of(r, service, "pw", 0);
  return secret && !*secret;
}

/* A database that makeuserdb has not made may hold more of them, or empty ones. */
static void keep_apps(struct source_entry *e, struct userdb_record const *r) {
  for (size_t i = 0; i < r->count && e->apps_count < USERDB_APPS_MAX; i++) {
    char const *label = userdb_label(r->fields[i].name);
    if (!label || !userdb_label_is_valid(label)) continue;
    struct source_app app = {source_keep(e, label), source_keep(e, r->fields[i].value)};
    if (app.label && app.hash) e->apps[e->apps_count++] = app;
  }
}

static void keep_account(struct source_entry *e, char const *name, struct auth_account const *a) {
  e->account.user = source_keep(e, name);
  e->account.uid = a->uid;
  e->account.gid = a->gid;
  e->account.home = source_keep(e, a->home);
  e->account.shell = source_keep(e, a->shell);
  e->account.maildir = source_keep(e, a->maildir);
  e->account.quota = source_keep(e, a->quota);
  e->account.options = source_keep(e, a->options);
}

static enum source_answer fill(struct source_query const *q, char const *name,
                               struct userdb_record const *r, struct source_entry *e) {
  struct auth_account a = {0};
  char const *problem = userdb_account(r, &a);
  if (problem) return broken(name, problem);
  keep_account(e, name, &a);
  keep_secrets(e, r, q->service);
  if (!is_shut_out(r, q->service)) keep_apps(e, r);
  e->fullname = source_keep(e, userdb_get(r, "gecos"));
  if (userdb_is_disabled(r)) e->refusal = "disabled";
  return SOURCE_FOUND;
}

static enum source_answer look_up(struct source const *s, struct source_query const *q,
                                  struct source_entry *e) {
  char text[USERDB_RECORD_MAX + 1];
  struct userdb_record record;
  char const *name;
  (void)s;
  if (strlen(q->name) > USERDB_NAME_MAX) return SOURCE_UNKNOWN;
  int fd = open_database(database_path());
  if (fd < 0) return SOURCE_TEMPORARY;
  enum source_answer answer = follow_alias(fd, q->name, &name, text, &record);
  if (answer == SOURCE_FOUND) answer = fill(q, name, &record, e);
  explicit_bzero(text, sizeof text);
  close(fd);
  return answer;
}

/* The account at the cdb's position; false for one that is none or cannot be read. */
static bool read_account(struct cdb *cdb, char name[USERDB_NAME_MAX + 1],
                         char text[USERDB_RECORD_MAX + 1], struct auth_account *a) {
  struct userdb_record record;
  unsigned size = cdb_keylen(cdb);
  if (size > USERDB_NAME_MAX || cdb_read(cdb, name, size, cdb_keypos(cdb)) < 0) return false;
  name[size] = 0;
  if (copy_data(cdb, text) < 0 || userdb_split(text, &record)) return false;
  *a = (struct auth_account){.user = name};
  return !userdb_get(&record, "alias") && !userdb_is_disabled(&record) &&
         !userdb_account(&record, a) && a->uid;
}

static enum source_answer enumerate(struct source const *s, source_visit *visit, void *context) {
  (void)s;
  char name[USERDB_NAME_MAX + 1], text[USERDB_RECORD_MAX + 1];
  struct auth_account a;
  struct cdb cdb;
  unsigned position;
  int r;
  int fd = open_database(database_path());
  if (fd < 0) return SOURCE_TEMPORARY;
  if (cdb_init(&cdb, fd) < 0) {
    enum source_answer answer = unreadable();
    close(fd);
    return answer;
  }
  cdb_seqinit(&position, &cdb);
  while ((r = cdb_seqnext(&position, &cdb)) > 0)
    if (read_account(&cdb, name, text, &a) && !visit(&a, context)) break;
  explicit_bzero(text, sizeof text);
  cdb_free(&cdb);
  close(fd);
  return r < 0 ? broken(0, "a damaged file") : SOURCE_FOUND;
}

struct source const source_userdb = {
    .name = "authuserdb", .unavailable = "userdb", .lookup = look_up, .enumerate = enumerate};
