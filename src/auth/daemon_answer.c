/* An account as the answer to AUTH and PRE, and as a line of ENUMERATE:
 *
 *   answer = *( name "=" value LF ) "." LF / "FAIL" LF
 *   line   = name TAB uid TAB gid TAB home TAB [maildir] TAB [options] LF
 *
 * The order is that of Courier's daemon, on which Exim's recipes depend. */
#include "auth/daemon.h"
#include "base/base.h"

#include <string.h>
#include <skalibs/types.h>

static void put(struct daemon_text *t, char const *s) {
  size_t size = strlen(s);
  if (size > DAEMON_ANSWER_MAX - t->size) {
    t->broken = true;
    return;
  }
  memcpy(t->bytes + t->size, s, size + 1);
  t->size += size;
}

static void put_value(struct daemon_text *t, char const *value) {
  if (!daemon_may_say(value)) t->broken = true;
  put(t, value);
}

static void put_setting(struct daemon_text *t, char const *name, char const *value) {
  if (!value) return;
  put(t, name);
  put(t, "=");
  put_value(t, value);
  put(t, "\n");
}

bool daemon_put_account(struct daemon_text *t, struct source_entry const *e, bool passwords) {
  struct auth_account const *a = &e->account;
  char uid[21], gid[21];
  put_setting(t, "USERNAME", e->system_user);
  put_setting(t, "UID", log_number(uid, a->uid));
  put_setting(t, "GID", log_number(gid, a->gid));
  put_setting(t, "HOME", a->home);
  put_setting(t, "ADDRESS", a->user);
  put_setting(t, "NAME", e->fullname);
  put_setting(t, "MAILDIR", a->maildir);
  put_setting(t, "QUOTA", a->quota);
  put_setting(t, "PASSWD", passwords ? e->hash : 0);
  put_setting(t, "PASSWD2", passwords ? e->clear : 0);
  put_setting(t, "OPTIONS", a->options);
  put(t, ".\n");
  return !t->broken;
}

bool daemon_put_line(struct daemon_text *t, struct auth_account const *a) {
  char uid[21], gid[21];
  char const *const values[] = {
      a->user, log_number(uid, a->uid), log_number(gid, a->gid), a->home, a->maildir, a->options};
  enum { VALUES = sizeof values / sizeof *values };
  for (size_t i = 0; i < VALUES; i++) {
    if (values[i]) put_value(t, values[i]);
    put(t, i + 1 < VALUES ? "\t" : "\n");
  }
  return !t->broken;
}

/* ---- the other side ---- */

bool daemon_is_answered(char const *bytes, size_t size) {
  static char const fail[] = "FAIL\n", end[] = "\n.\n";
  size_t n = strlen(end);
  return (size == strlen(fail) && !memcmp(bytes, fail, size)) ||
         (size >= n && !memcmp(bytes + size - n, end, n));
}

/* UINT32_MAX is (uid_t)-1, which means "nobody in particular". */
static bool scan_id(char const *s, uint32_t *id) {
  return uint320_scan(s, id) && *id < UINT32_MAX;
}

/* What has come, by name; PASSWD and PASSWD2 are not wanted here. */
struct answer {
  char *username, *uid, *gid, *home, *address, *name, *maildir, *quota, *options;
};

static void set(struct answer *a, char const *name, char *value) {
  struct {
    char const *name;
    char **value;
  } const known[] = {
      {"USERNAME", &a->username}, {"UID", &a->uid},         {"GID", &a->gid},
      {"HOME", &a->home},         {"ADDRESS", &a->address}, {"NAME", &a->name},
      {"MAILDIR", &a->maildir},   {"QUOTA", &a->quota},     {"OPTIONS", &a->options},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (!strcmp(known[i].name, name)) *known[i].value = value;
}

/* One line off the front, null if there is none. */
static char *take_line(char **next) {
  char *line = *next, *end = strchr(line, '\n');
  if (!end) return 0;
  *end = 0;
  *next = end + 1;
  return line;
}

static enum daemon_outcome split(char *bytes, struct answer *a) {
  char *line;
  while ((line = take_line(&bytes))) {
    if (!strcmp(line, ".")) return DAEMON_ACCOUNT;
    if (!strcmp(line, "FAIL")) return DAEMON_FAIL;
    char *equals = strchr(line, '=');
    if (!equals || !daemon_may_say(line)) return DAEMON_NONSENSE;
    *equals = 0;
    set(a, line, equals + 1);
  }
  return DAEMON_NONSENSE;
}

/* A gid is there in any answer; a uid, or a user of the system whose uid it is, or both. */
static bool fill_ids(struct answer const *a, struct source_entry *e, bool *has_uid) {
  uint32_t uid = 0, gid;
  *has_uid = a->uid;
  if (!a->gid || !scan_id(a->gid, &gid) || (a->uid && !scan_id(a->uid, &uid))) return false;
  e->account.uid = uid;
  e->account.gid = gid;
  return a->uid || (a->username && *a->username);
}

enum daemon_outcome daemon_read_answer(char *bytes, struct source_entry *e, bool *has_uid) {
  struct answer a = {0};
  enum daemon_outcome outcome = split(bytes, &a);
  if (outcome != DAEMON_ACCOUNT) return outcome;
  if (!fill_ids(&a, e, has_uid)) return DAEMON_NONSENSE;
  e->account.user = source_keep(e, a.address ? a.address : a.username);
  e->account.home = source_keep(e, a.home);
  e->account.maildir = source_keep(e, a.maildir);
  e->account.quota = source_keep(e, a.quota);
  e->account.options = source_keep(e, a.options);
  e->system_user = source_keep(e, a.username);
  e->fullname = source_keep(e, a.name);
  return DAEMON_ACCOUNT;
}
