/* The sources passwd and shadow: the system's accounts and the hashes that the system's databases
 * hold, wherever nsswitch.conf(5) has them; see authpwd(8) and authshadow(8). */
#include "auth/source.h"
#include "base/base.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <shadow.h>
#endif

enum { ENTRY_ROOM = 64 << 10, SECONDS_A_DAY = 86400 };

/* Until when the account and its password are good; days since 1970, -1 for no limit. */
struct limits {
  long account_end;
  long password_end; /* 0: to be changed before anything else */
};

#ifdef __linux__
static long password_end(struct spwd const *s) {
  if (!s->sp_lstchg) return 0;
  if (s->sp_lstchg < 0 || s->sp_max < 0 || s->sp_max >= LONG_MAX - s->sp_lstchg) return -1;
  return s->sp_lstchg + s->sp_max;
}

/* Returns 0 or an error number; ENOENT: no entry. */
static int read_shadow(struct source_entry *e, struct limits *l) {
  static char room[ENTRY_ROOM];
  struct spwd entry, *found = 0;
  int r = getspnam_r(e->account.user, &entry, room, sizeof room, &found);
  if (!found) return system_means_unknown(r) ? ENOENT : r;
  e->hash = source_keep(e, found->sp_pwdp);
  l->account_end = found->sp_expire > 0 ? found->sp_expire : -1;
  l->password_end = password_end(found);
  explicit_bzero(room, sizeof room);
  return 0;
}
#else
static int read_shadow(struct source_entry *e, struct limits *l) {
  (void)e;
  (void)l;
  return ENOENT;
}
#endif

/* `!` before a hash is what usermod -L and passwd -l write: somebody wants this user out.  Anything
 * else of the kind says that there is no password here. */
static bool is_locked(char const *hash) {
  return *hash == '!' && hash[1 + strspn(hash + 1, "!*")];
}

static bool is_no_password(char const *hash) {
  return *hash == '!' || *hash == '*' || !strcmp(hash, "x");
}

static void judge(struct source_entry *e, struct limits const *l) {
  long today = (long)(time(0) / SECONDS_A_DAY);
  if (l->account_end >= 0 && today >= l->account_end)
    e->refusal = "account-expired";
  else if (e->hash && is_locked(e->hash))
    e->refusal = "locked";
  /* IMAP has no way to ask for a new one. */
  if (!l->password_end || (l->password_end > 0 && today > l->password_end))
    e->after = "password-expired";
  if (e->hash && is_no_password(e->hash)) e->hash = 0;
}

static enum source_answer unreadable(int error, char const *module) {
  char remedy[80] = "start the service as root, or take ";
  errno = error;
  strcat(strcat(remedy, module), " out of the chain");
  log_failure("look the user up in shadow", 0,
              geteuid() ? remedy : "see nsswitch.conf(5) and what it names");
  return SOURCE_TEMPORARY;
}

/* The source shadow does not look at the hash of passwd. */
static enum source_answer look_up(struct source const *s, struct source_query const *q,
                                  struct source_entry *e) {
  bool only_shadow = s == &source_shadow;
  struct limits limits = {-1, -1};
  enum source_answer answer = system_lookup(q->name, e);
  if (answer != SOURCE_FOUND || !e->account.uid) return answer;
  bool elsewhere = only_shadow || (e->hash && !strcmp(e->hash, "x"));
  if (only_shadow) e->hash = 0;
  int error = read_shadow(e, &limits);
  /* The C library may say "no such entry" where it may not read the file. */
  if (error == ENOENT && geteuid() && elsewhere) error = EACCES;
  if (error && error != ENOENT) return unreadable(error, s->name);
  judge(e, &limits);
  return SOURCE_FOUND;
}

static enum source_answer enumerate(struct source const *s, source_visit *visit, void *context) {
  (void)s;
  setpwent();
  for (struct passwd *p; (errno = 0, p = getpwent());) {
    struct auth_account a = {
        .user = p->pw_name, .uid = p->pw_uid, .gid = p->pw_gid, .home = p->pw_dir};
    if (p->pw_uid && !visit(&a, context)) break;
  }
  int error = errno;
  endpwent();
  if (system_means_unknown(error)) return SOURCE_FOUND;
  errno = error;
  log_failure("enumerate passwd", 0, "see nsswitch.conf(5) and what it names");
  return SOURCE_TEMPORARY;
}

struct source const source_passwd = {.name = "authpwd",
                                     .unavailable = "account-database",
                                     .lookup = look_up,
                                     .enumerate = enumerate};

struct source const source_shadow = {.name = "authshadow",
                                     .unavailable = "account-database",
                                     .lookup = look_up,
                                     .enumerate = enumerate};
