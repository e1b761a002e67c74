/* The accounts of users who have proved by other means than a password who they are.  Programs with
 * this in them are linked dynamically, for NSS. */
#include "auth/source.h"
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

static struct auth_result const unknown_user = {AUTH_DECLINE, "unknown-user"};

/* Only accounts are asked for, never a password. */
static struct source const *const own[] = {&source_userdb, &source_passwd, &source_shadow, 0};

/* What needs a library, or a service, is asked as a program. */
#define OTHER(module) \
  { .name = (module), .unavailable = "account-source", .lookup = who_ask }
static struct source const others[] = {
    OTHER("authpam"),   OTHER("authldap"),   OTHER("authpgsql"),
    OTHER("authmysql"), OTHER("authsqlite"), OTHER("authclient"),
};
#undef OTHER

static bool is_named(struct source const *s, char const *name, size_t size) {
  return strlen(s->name) == size && !memcmp(s->name, name, size);
}

static struct source const *find_source(char const *name, size_t size) {
  for (struct source const *const *s = own; *s; s++)
    if (is_named(*s, name, size)) return *s;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (is_named(&others[i], name, size)) return &others[i];
  log_die(EXIT_MISUSE, "bad-setting", "name", "authmodulelist", "value", name, "wanted",
          "some of authuserdb authpwd authshadow authpam authldap authpgsql authmysql authsqlite "
          "authclient, with blanks between",
          (char *)0);
}

static struct auth_result ask(struct source const *s, struct source_query const *q,
                              struct source_entry *e) {
  source_open(s);
  switch (source_lookup(s, q, e)) {
  case SOURCE_FOUND: return source_judge(e, true);
  case SOURCE_TEMPORARY: return (struct auth_result){AUTH_TEMPORARY, s->unavailable};
  case SOURCE_UNKNOWN: break;
  }
  return unknown_user;
}

/* The first source that knows the user decides; one that cannot tell now might have been it. */
struct auth_result proven_verify(char const *user, struct source_entry *e) {
  struct source_query q = {user, source_service()};
  char const *list = getenv("authmodulelist");
  struct auth_result result = unknown_user;
  if (!list || !*list) list = source_userdb.name;
  while (*(list += strspn(list, " \t"))) {
    size_t size = strcspn(list, " \t");
    struct auth_result one = ask(find_source(list, size), &q, e);
    if (one.reason != unknown_user.reason) result = one;
    if (one.verdict == AUTH_ACCEPT || one.verdict == AUTH_REFUSE) return one;
    list += size;
  }
  return result;
}
