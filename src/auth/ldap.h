/* ldap: the parts of the source ldap.
 *
 *   ldap_settings.c  Courier's settings
 *   ldap_server.c    connections: searching, binding; what a client sends, within names and filters
 *   source_ldap.c    questions and answers
 */
#ifndef AUTH_LDAP_H
#define AUTH_LDAP_H

#include "auth/sql.h"

#include <ldap.h>

/* ---- ldap_settings.c ---- */
enum { LDAP_OPTIONS_MAX = 32 };
struct ldap_settings {
  char const *uri, *base, *bind_dn, *bind_password, *filter, *enumerate_filter, *domain;
  /* Attributes; empty: none. */
  char const *mail, *homedir, *maildir, *quota, *fullname, *clear, *crypt, *uid, *gid;
  char const *mailroot;
  char const *map_base, *map_attribute, *map_mail;
  char *map_filter;      /* null: no map */
  char const *direct_dn; /* empty: names are searched for */
  bool authbind, initbind, tls, has_uid, has_gid;
  uid_t glob_uid;
  gid_t glob_gid;
  int deref, timeout; /* s */
  struct {
    char *attribute, *option;
  } options[LDAP_OPTIONS_MAX];
  size_t options_count;
};
void ldap_settings_read(struct ldap_settings *);

/* ---- ldap_server.c: errors are those of libldap, and have been logged unless it is said ---- */
/* Writes a value within a filter (RFC 4515) or a name (RFC 4514): letters and digits as they are, a
 * backslash and two hexadecimal digits for nearly all else. */
variables_escape ldap_escape;
/* A new connection that may be used; null: there is none. */
LDAP *ldap_server_connect(struct ldap_settings const *);
/* Binds; the result is not logged.  No password: anonymously. */
int ldap_server_bind(LDAP *, char const *dn, char const *password);
/* At most two entries, so that it can be seen whether there is more than one. */
int ldap_server_search(LDAP *, struct ldap_settings const *, char const *base, int scope,
                       char const *filter, char **attributes, int limit, LDAPMessage **result);
void ldap_server_log(struct ldap_settings const *, char const *attempt, char const *place,
                     int error);
bool ldap_is_lost(int error);
/* The first value of an attribute that is text, from malloc; null: none. */
char *ldap_server_value(LDAP *, LDAPMessage *entry, char const *attribute);

#endif
