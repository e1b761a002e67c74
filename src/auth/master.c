/* Logins of a master user, who has a password, as somebody else, whose password is not needed: for
 * support and migration.  Off unless MASTER_USERS names somebody.  A master is a user of the same
 * source as those whose mail it is. */
#include "auth/source.h"

#include <stdlib.h>
#include <string.h>

/* Both names; user is the one the session will be. */
struct names {
  char const *user, *master;
};

static char const *masters(void) {
  char const *list = getenv("MASTER_USERS");
  return list ? list + strspn(list, " ") : "";
}

bool master_is_possible(void) {
  return *masters();
}

static char separator(void) {
  char const *setting = getenv("MASTER_SEPARATOR");
  return setting && *setting ? *setting : '*';
}

static bool is_master(char const *name) {
  size_t size = strlen(name);
  for (char const *at = masters(); *at; at += strspn(at, " ")) {
    size_t n = strcspn(at, " ");
    if (n == size && !memcmp(at, name, n)) return true;
    at += n;
  }
  return false;
}

/* `user*master`, each of which may lack its domain.  False: a name like any other. */
static bool split(char const *name, char user[USER_ROOM], struct names *n) {
  static char user_room[USER_ROOM], master_room[USER_ROOM];
  char const *sign = strrchr(name, separator());
  if (!sign || sign == name || !sign[1]) return false;
  memcpy(user, name, (size_t)(sign - name));
  user[sign - name] = 0;
  n->user = domain_complete(user, user_room);
  n->master = domain_complete(sign + 1, master_room);
  return true;
}

static struct auth_result declined(char const *reason) {
  return (struct auth_result){AUTH_DECLINE, reason};
}

/* Whoever the session will be must be allowed in, but for the password. */
static struct auth_result become(struct source const *s, struct names const *n,
                                 char const *password, struct source_entry *e) {
  static struct source_entry master;
  struct source_query as_master = {n->master, source_service()};
  struct source_query as_user = {n->user, source_service()};
  struct auth_result result = source_verify(s, &as_master, password, &master);
  source_forget(&master);
  if (result.verdict != AUTH_ACCEPT) return result;
  switch (source_lookup(s, &as_user, e)) {
  case SOURCE_UNKNOWN: return declined("unknown-user");
  case SOURCE_TEMPORARY: return (struct auth_result){AUTH_TEMPORARY, s->unavailable};
  case SOURCE_FOUND: break;
  }
  e->after = 0; /* a password that has expired is not the one that was given */
  result = source_judge(e, true);
  e->account.master = source_keep(e, n->master);
  if (result.verdict == AUTH_ACCEPT && !e->account.master)
    return (struct auth_result){AUTH_TEMPORARY, s->unavailable};
  return result;
}

bool master_verify(struct source const *s, struct auth_credentials const *c, struct source_entry *e,
                   struct auth_result *result) {
  char user[USER_ROOM], room[USER_ROOM];
  struct names n = {c->authzid, c->user};
  if (!master_is_possible()) return false;
  if (c->authzid)
    n.user = strlen(c->authzid) < CREDENTIALS_MAX ? domain_complete(c->authzid, room) : c->authzid;
  else if (!split(c->user, user, &n))
    return false;
  *result = is_master(n.master) ? become(s, &n, c->password, e) : declined("no-master");
  return true;
}
