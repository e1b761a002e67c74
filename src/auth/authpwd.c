/* authpwd: the system's accounts, by passwd and shadow; see authpwd(8).  Linked dynamically,
 * because the system's account databases (NSS) are shared objects. */
#include "auth/auth.h"
#include "base/base.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <shadow.h>
#endif

enum {
  ENTRY_ROOM =
      64 << 10, /* one passwd or shadow entry: lines of /etc/passwd have no limit of their own */
  NAME_MAX_SIZE = 255,
  GROUPS_MAX = 65536, /* Linux's own limit */
  SECONDS_A_DAY = 86400
};

static struct auth_result declined(char const *reason) {
  return (struct auth_result){AUTH_DECLINE, reason};
}

static struct auth_result refused(char const *reason) {
  return (struct auth_result){AUTH_REFUSE, reason};
}

static struct auth_result unavailable(char const *attempt, char const *path, char const *remedy) {
  log_failure(attempt, path, remedy);
  return (struct auth_result){AUTH_TEMPORARY, "account-database"};
}

static bool is_name(char const *s) {
  if (strlen(s) > NAME_MAX_SIZE || *s == '-' || *s == '+') return false; /* + and -: NIS compat */
  for (; *s; s++)
    if ((unsigned char)*s <= ' ' || *s == 0x7f || *s == ':' || *s == '/' || *s == ',') return false;
  return true;
}

/* What the functions of NSS leave in errno for a name that nobody knows. */
static bool means_unknown(int error) {
  return !error || error == ENOENT || error == ESRCH;
}

/* Where the hash is, and until when the account and its password are good; days since 1970, -1
 * for no limit. */
struct secret {
  char const *hash;
  long account_end;
  long password_end; /* 0: to be changed before anything else */
};

#ifdef __linux__
/* Returns 0 or an error number; ENOENT: no entry. */
static int read_shadow(char const *user, struct secret *s) {
  static char room[ENTRY_ROOM];
  struct spwd entry, *found;
  int r = getspnam_r(user, &entry, room, sizeof room, &found);
  if (!found) return means_unknown(r) ? ENOENT : r;
  s->hash = found->sp_pwdp;
  s->account_end = found->sp_expire > 0 ? found->sp_expire : -1;
  if (!found->sp_lstchg)
    s->password_end = 0;
  else if (found->sp_lstchg > 0 && found->sp_max >= 0 &&
           found->sp_max < LONG_MAX - found->sp_lstchg)
    s->password_end = found->sp_lstchg + found->sp_max;
  return 0;
}
#else
static int read_shadow(char const *user, struct secret *s) {
  (void)user;
  (void)s;
  return ENOENT;
}
#endif

/* `!` before a hash is what usermod -L and passwd -l write: somebody wants this user out.  Anything
 * else of the kind says that there is no password here. */
static bool is_locked(char const *hash) {
  return *hash == '!' && hash[1 + strspn(hash + 1, "!*")];
}

static bool is_no_password(char const *hash) {
  return !*hash || *hash == '!' || *hash == '*' || !strcmp(hash, "x");
}

static struct auth_result check_secret(char const *password, struct secret const *s) {
  long today = (long)(time(0) / SECONDS_A_DAY);
  if (s->account_end >= 0 && today >= s->account_end) return refused("account-expired");
  if (is_locked(s->hash)) return refused("locked");
  if (is_no_password(s->hash)) return declined("no-password");
  struct auth_result result = password_result(password_check(password, s->hash));
  if (result.verdict != AUTH_ACCEPT) return result;
  /* IMAP has no way to ask for a new one. */
  if (!s->password_end || (s->password_end > 0 && today > s->password_end))
    return refused("password-expired");
  return result;
}

/* False if there is no memory. */
static bool find_groups(struct auth_account *a) {
  int room = 64;
  for (;;) {
    int count = room;
    gid_t *groups = malloc((size_t)room * sizeof *groups);
    if (!groups) return false;
    if (getgrouplist(a->user, a->gid, groups, &count) >= 0) {
      a->groups = groups;
      a->groups_count = (size_t)count;
      return true;
    }
    free(groups);
    if (room >= GROUPS_MAX) return false;
    room = count > room ? count : room * 2;
    if (room > GROUPS_MAX) room = GROUPS_MAX;
  }
}

static struct auth_result verify(struct auth_credentials const *c, struct auth_account *a) {
  static char room[ENTRY_ROOM]; /* the account points into it */
  static struct passwd entry;
  struct passwd *found;
  if (!is_name(c->user)) return declined("unknown-user");
  int error = getpwnam_r(c->user, &entry, room, sizeof room, &found);
  if (!found && means_unknown(error)) return declined("unknown-user");
  if (!found) {
    errno = error;
    return unavailable("look the user up in passwd", 0, "see nsswitch.conf(5) and what it names");
  }
  if (!entry.pw_uid) return declined("uid-0");
  struct secret secret = {entry.pw_passwd, -1, -1};
  error = read_shadow(entry.pw_name, &secret);
  /* The C library may say "no such entry" where it may not read the file. */
  if (error == ENOENT && geteuid() && !strcmp(secret.hash, "x")) error = EACCES;
  if (error && error != ENOENT) {
    errno = error;
    return unavailable("look the user up in shadow", 0,
                       geteuid() ? "start the service as root, or take authpwd out of the chain"
                                 : "see nsswitch.conf(5) and what it names");
  }
  struct auth_result result = check_secret(c->password, &secret);
  if (result.verdict != AUTH_ACCEPT) return result;
  *a = (struct auth_account){.user = entry.pw_name,
                             .uid = entry.pw_uid,
                             .gid = entry.pw_gid,
                             .home = entry.pw_dir,
                             .shell = *entry.pw_shell ? entry.pw_shell : 0};
  errno = ENOMEM;
  if (!find_groups(a)) return unavailable("look up the user's groups", 0, "raise the memory limit");
  return result;
}

int main(int argc, char **argv) {
  static struct auth_module const module = {.name = "authpwd", .verify = verify};
  auth_run(argc, argv, &module);
}
