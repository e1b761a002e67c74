/* The system's accounts, by NSS, as several sources need them: who somebody is, not whether the
 * password is right.  Programs with this in them are linked dynamically. */
#include "auth/source.h"
#include "base/base.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <skalibs/types.h>

enum {
  ENTRY_ROOM = 64 << 10, /* one entry: lines of /etc/passwd have no limit of their own */
  NAME_MAX_SIZE = 255,
  GROUPS_MAX = 65536 /* Linux's own limit */
};

static char room[ENTRY_ROOM];

bool system_is_name(char const *s) {
  if (strlen(s) > NAME_MAX_SIZE || *s == '-' || *s == '+') return false; /* + and -: NIS compat */
  for (; *s; s++)
    if ((unsigned char)*s <= ' ' || *s == 0x7f || *s == ':' || *s == '/' || *s == ',') return false;
  return true;
}

bool system_means_unknown(int error) {
  return !error || error == ENOENT || error == ESRCH;
}

static size_t without_superuser(gid_t *groups, size_t count) {
  size_t left = 0;
  for (size_t i = 0; i < count; i++)
    if (groups[i]) groups[left++] = groups[i];
  return left;
}

/* All groups of a user, from malloc, but for group 0: administrators may be in it, and reading mail
 * needs nothing of it.  False: no memory. */
static bool system_groups(struct auth_account *a) {
  int size = 64;
  for (;;) {
    int count = size;
    gid_t *groups = malloc((size_t)size * sizeof *groups);
    if (!groups) return false;
    if (getgrouplist(a->user, a->gid, groups, &count) >= 0) {
      a->groups = groups;
      a->groups_count = without_superuser(groups, (size_t)count);
      return true;
    }
    free(groups);
    if (size >= GROUPS_MAX) return false;
    size = count > size ? count : size * 2;
    if (size > GROUPS_MAX) size = GROUPS_MAX;
  }
}

/* A full name is what comes before the first comma. */
static char const *keep_fullname(struct source_entry *e, char *gecos) {
  if (gecos) gecos[strcspn(gecos, ",")] = 0;
  return source_keep(e, gecos);
}

static void keep(struct source_entry *e, struct passwd const *p) {
  e->account.user = e->system_user = source_keep(e, p->pw_name);
  e->account.uid = p->pw_uid;
  e->account.gid = p->pw_gid;
  e->account.home = source_keep(e, p->pw_dir);
  e->account.shell = source_keep(e, p->pw_shell);
  e->hash = source_keep(e, p->pw_passwd);
  e->fullname = keep_fullname(e, p->pw_gecos);
}

enum source_answer system_lookup(char const *name, struct source_entry *e) {
  struct passwd entry, *found = 0;
  if (!system_is_name(name)) return SOURCE_UNKNOWN;
  int error = getpwnam_r(name, &entry, room, sizeof room, &found);
  if (!found && system_means_unknown(error)) return SOURCE_UNKNOWN;
  if (!found) {
    errno = error;
    log_failure("look the user up in passwd", 0, "see nsswitch.conf(5) and what it names");
    return SOURCE_TEMPORARY;
  }
  keep(e, found);
  errno = ENOMEM;
  if (system_groups(&e->account)) return SOURCE_FOUND;
  log_failure("look up the user's groups", 0, "raise the memory limit");
  return SOURCE_TEMPORARY;
}

char const *system_complete(struct source_entry *e, bool has_uid) {
  static struct source_entry of_system;
  if (!e->system_user) return 0;
  enum source_answer found = system_lookup(e->system_user, &of_system);
  source_wipe(&of_system);
  if (found == SOURCE_UNKNOWN) return "it names a user that passwd does not have";
  if (found == SOURCE_TEMPORARY) return "";
  if (has_uid && of_system.account.uid != e->account.uid)
    return "its uid is not that of the user it names";
  e->account.uid = of_system.account.uid;
  e->account.groups = of_system.account.groups;
  e->account.groups_count = of_system.account.groups_count;
  return 0;
}

static bool scan_id(char const *word, uint32_t *id) {
  return uint320_scan(word, id) && *id < UINT32_MAX;
}

bool system_uid(char const *word, uid_t *uid) {
  struct passwd entry, *found = 0;
  uint32_t number;
  if (scan_id(word, &number)) {
    *uid = number;
    return true;
  }
  if (!system_is_name(word) || getpwnam_r(word, &entry, room, sizeof room, &found) || !found)
    return false;
  *uid = found->pw_uid;
  return true;
}

bool system_gid(char const *word, gid_t *gid) {
  struct group entry, *found = 0;
  uint32_t number;
  if (scan_id(word, &number)) {
    *gid = number;
    return true;
  }
  if (!system_is_name(word) || getgrnam_r(word, &entry, room, sizeof room, &found) || !found)
    return false;
  *gid = found->gr_gid;
  return true;
}
