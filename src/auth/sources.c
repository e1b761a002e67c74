/* All sources that this build has.  A program that takes this in needs all their libraries: authd.
 * The Makefile says which were found. */
#include "auth/source.h"

#include <string.h>

static struct source const *const sources[] = {
    &source_passwd,
    &source_shadow,
    &source_userdb,
#ifdef WITH_PAM
    &source_pam,
#endif
#ifdef WITH_LDAP
    &source_ldap,
#endif
#ifdef WITH_PGSQL
    &source_pgsql,
#endif
#ifdef WITH_MYSQL
    &source_mysql,
#endif
#ifdef WITH_SQLITE
    &source_sqlite,
#endif
    0,
};

struct source const *source_by_name(char const *module) {
  struct source const *const *s = sources;
  while (*s && strcmp((*s)->name, module) != 0) s++;
  return *s;
}
