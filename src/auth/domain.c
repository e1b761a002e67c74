/* The domain of users who give none, as Courier has it: DEFDOMAIN and DOMAINSEP.  (Databases have
 * settings of their own for this, which come later.) */
#include "auth/auth.h"
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A name has a domain if any of DOMAINSEP is in it; without DOMAINSEP, the domain's first byte. */
static bool has_domain(char const *user, char const *domain) {
  char const *separators = getenv("DOMAINSEP");
  if (separators && *separators) return strpbrk(user, separators);
  return strchr(user, *domain);
}

char const *domain_complete(char const *user, char room[USER_ROOM]) {
  char const *domain = getenv("DEFDOMAIN");
  if (!domain || !*domain || !*user || has_domain(user, domain)) return user;
  if (strlen(domain) > DOMAIN_MAX)
    log_die(EXIT_MISUSE, "bad-setting", "name", "DEFDOMAIN", "why", "it is longer than 255 bytes",
            (char *)0);
  snprintf(room, USER_ROOM, "%s%s", user, domain);
  return room;
}

bool domain_same(char const *one, char const *other) {
  char room[USER_ROOM], other_room[USER_ROOM];
  if (strlen(one) >= CREDENTIALS_MAX || strlen(other) >= CREDENTIALS_MAX) return false;
  return !strcmp(domain_complete(one, room), domain_complete(other, other_room));
}
