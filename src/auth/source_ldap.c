/* The source ldap: accounts in a directory; see authldap(8).  Three ways: the password is compared
 * here, or the server is asked by binding as the entry found (LDAP_AUTHBIND), or the entry's name
 * is made of the user's without a search (LDAP_AUTHBIND_DN). */
#include "auth/ldap.h"
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <skalibs/types.h>

enum {
  FILTER_MAX = 4096, /* the settings' filters and a name three times as long */
  ATTRIBUTES_MAX = 10 + LDAP_OPTIONS_MAX,
  OPTIONS_TEXT_MAX = 4000
};

static struct ldap_settings settings;
static LDAP *server; /* bound as BINDDN; null: no connection */

static struct auth_result const unknown_user = {AUTH_DECLINE, "unknown-user"};
static struct auth_result const wrong_password = {AUTH_DECLINE, "wrong-password"};
static struct auth_result const unavailable = {AUTH_TEMPORARY, "directory"};

static void disconnect(void) {
  if (server) ldap_unbind_ext_s(server, 0, 0);
  server = 0;
}

static bool connect_server(void) {
  server = ldap_server_connect(&settings);
  if (!server) return false;
  if (!settings.initbind) return true;
  int r = ldap_server_bind(server, settings.bind_dn, settings.bind_password);
  if (r == LDAP_SUCCESS) return true;
  ldap_server_log(&settings, "bind", settings.bind_dn, r);
  disconnect();
  return false;
}

/* One search over the lasting connection, which may have been lost since the last one. */
static int search(char const *base, int scope, char const *filter, char **attributes, int limit,
                  LDAPMessage **result) {
  for (;;) {
    bool fresh = !server;
    if (fresh && !connect_server()) return LDAP_SERVER_DOWN;
    int r = ldap_server_search(server, &settings, base, scope, filter, attributes, limit, result);
    if (r == LDAP_SUCCESS || r == LDAP_SIZELIMIT_EXCEEDED || r == LDAP_NO_SUCH_OBJECT) return r;
    ldap_server_log(&settings, "search", base, r);
    ldap_msgfree(*result);
    *result = 0;
    disconnect();
    if (fresh || !ldap_is_lost(r)) return r;
  }
}

/* ---- one entry ---- */

/* Keeps the attribute's value; null if the entry has none. */
static char const *keep(struct source_entry *e, LDAP *from, LDAPMessage *entry,
                        char const *attribute) {
  char *value = ldap_server_value(from, entry, attribute);
  char const *kept = source_keep(e, value);
  if (value) explicit_bzero(value, strlen(value));
  free(value);
  return kept;
}

static bool take_id(LDAP *from, LDAPMessage *entry, char const *attribute, uint32_t *id) {
  char *value = ldap_server_value(from, entry, attribute);
  bool good = value && uint320_scan(value, id) && *id < UINT32_MAX;
  free(value);
  return good;
}

static char const *take_ids(struct source_entry *e, LDAP *from, LDAPMessage *entry) {
  uint32_t uid = settings.glob_uid, gid = settings.glob_gid;
  if (!settings.has_uid && !take_id(from, entry, settings.uid, &uid))
    return "no uid: the attribute is missing or no number, and LDAP_GLOB_UID is not set";
  if (!settings.has_gid && !take_id(from, entry, settings.gid, &gid))
    return "no gid: the attribute is missing or no number, and LDAP_GLOB_GID is not set";
  e->account.uid = uid;
  e->account.gid = gid;
  return 0;
}

static void take_home(struct source_entry *e, LDAP *from, LDAPMessage *entry) {
  char path[SOURCE_TEXT_MAX];
  char *home = ldap_server_value(from, entry, settings.homedir);
  bool relative = home && *home != '/' && *settings.mailroot;
  int size = relative ? snprintf(path, sizeof path, "%s/%s", settings.mailroot, home) : 0;
  e->account.home = source_keep(e, relative ? path : home);
  if (size >= (int)sizeof path) e->overflow = true;
  free(home);
}

/* LDAP compares without letter case and outer blanks: the account's name is as the directory has
 * it, the value that the client meant or else the first. */
static void take_name(struct source_entry *e, LDAP *from, LDAPMessage *entry, char const *name) {
  struct berval **values = ldap_get_values_len(from, entry, settings.mail);
  char *first = ldap_server_value(from, entry, settings.mail);
  bool same = false;
  for (size_t i = 0; values && values[i] && !same; i++) {
    char *value = strndup(values[i]->bv_val, values[i]->bv_len);
    same = value && !strcasecmp(value, name);
    if (same) e->account.user = source_keep(e, value);
    free(value);
  }
  if (!same) e->account.user = source_keep(e, first ? first : name);
  free(first);
  ldap_value_free_len(values);
}

static void take_options(struct source_entry *e, LDAP *from, LDAPMessage *entry) {
  char text[OPTIONS_TEXT_MAX] = "";
  size_t used = 0;
  for (size_t i = 0; i < settings.options_count; i++) {
    char *value = ldap_server_value(from, entry, settings.options[i].attribute);
    if (value)
      used += (size_t)snprintf(text + used, sizeof text - used, "%s%s=%s", used ? "," : "",
                               settings.options[i].option, value);
    free(value);
    if (used >= sizeof text) e->overflow = true;
    if (e->overflow) return;
  }
  e->account.options = source_keep(e, text);
}

static char const *fill(struct source_entry *e, LDAP *from, LDAPMessage *entry, char const *name) {
  char *dn = ldap_get_dn(from, entry);
  e->place = source_keep(e, dn);
  ldap_memfree(dn);
  take_name(e, from, entry, name);
  take_home(e, from, entry);
  take_options(e, from, entry);
  e->account.maildir = keep(e, from, entry, settings.maildir);
  e->account.quota = keep(e, from, entry, settings.quota);
  e->fullname = keep(e, from, entry, settings.fullname);
  if (!settings.authbind) {
    e->hash = keep(e, from, entry, settings.crypt);
    e->clear = keep(e, from, entry, settings.clear);
  }
  return take_ids(e, from, entry);
}

static void list_attributes(char *list[ATTRIBUTES_MAX]) {
  char const *const all[] = {settings.mail,     settings.homedir, settings.maildir,
                             settings.quota,    settings.uid,     settings.gid,
                             settings.fullname, settings.crypt,   settings.clear};
  size_t n = 0;
  bool secrets = !settings.authbind && !*settings.direct_dn;
  for (size_t i = 0; i < sizeof all / sizeof *all - (secrets ? 0 : 2); i++)
    if (*all[i]) list[n++] = (char *)all[i];
  for (size_t i = 0; i < settings.options_count; i++) list[n++] = settings.options[i].attribute;
  list[n] = 0;
}

/* What a search has found becomes the entry. */
static enum source_answer take(LDAP *from, LDAPMessage *result, bool many, char const *name,
                               struct source_entry *e) {
  LDAPMessage *entry = result ? ldap_first_entry(from, result) : 0;
  char const *problem = 0;
  if (!entry) return SOURCE_UNKNOWN;
  if (many || ldap_next_entry(from, entry))
    problem = "more than one entry";
  else
    problem = fill(e, from, entry, name);
  if (!problem) return SOURCE_FOUND;
  log_event("failed", "attempt", "look the user up", "server", settings.uri, "user", name, "entry",
            e->place, "why", problem, "remedy", "correct the entry or the LDAP_ settings",
            (char *)0);
  return SOURCE_TEMPORARY;
}

/* ---- finding it ---- */

/* Places `(&FILTER(attribute=value))` of what is all the administrator's but for $(user). */
static bool make_filter(struct variables const *v, char const *filter, char const *attribute,
                        char out[FILTER_MAX]) {
  char text[FILTER_MAX];
  int size = *filter ? snprintf(text, sizeof text, "(&%s(%s=$(user)))", filter, attribute)
                     : snprintf(text, sizeof text, "(%s=$(user))", attribute);
  return size < (int)sizeof text &&
         variables_expand(v, text, (size_t)size, ldap_escape, out, FILTER_MAX);
}

/* The handle of an address; the name that is searched for becomes it. */
static enum source_answer map_name(struct variables *v) {
  char filter[FILTER_MAX], *wanted[] = {(char *)settings.map_attribute, 0};
  LDAPMessage *result = 0;
  if (!*v->domain || !variables_expand(v, settings.map_filter, strlen(settings.map_filter),
                                       ldap_escape, filter, sizeof filter))
    return SOURCE_UNKNOWN;
  int r = search(settings.map_base, LDAP_SCOPE_SUBTREE, filter, wanted, 2, &result);
  if (r != LDAP_SUCCESS && r != LDAP_NO_SUCH_OBJECT) {
    ldap_msgfree(result);
    return SOURCE_TEMPORARY;
  }
  LDAPMessage *entry = result ? ldap_first_entry(server, result) : 0;
  bool one = entry && !ldap_next_entry(server, entry);
  char *handle = one ? ldap_server_value(server, entry, settings.map_attribute) : 0;
  struct source_query q = {handle ? handle : "", v->service};
  bool good = handle && *handle && variables_set(v, &q, 0);
  free(handle);
  ldap_msgfree(result);
  return good ? SOURCE_FOUND : SOURCE_UNKNOWN;
}

/* Where an entry is to be found, and what it has to match. */
struct place {
  char const *base;
  int scope;
  char filter[FILTER_MAX];
};

static enum source_answer look_at(struct place const *at, char const *name,
                                  struct source_entry *e) {
  char *attributes[ATTRIBUTES_MAX + 1];
  LDAPMessage *result = 0;
  list_attributes(attributes);
  int r = search(at->base, at->scope, at->filter, attributes, 2, &result);
  enum source_answer answer = SOURCE_TEMPORARY;
  if (r == LDAP_SUCCESS || r == LDAP_SIZELIMIT_EXCEEDED)
    answer = take(server, result, r == LDAP_SIZELIMIT_EXCEEDED, name, e);
  else if (r == LDAP_NO_SUCH_OBJECT)
    answer = SOURCE_UNKNOWN;
  ldap_msgfree(result);
  return answer;
}

/* The entry whose name is made of the user's. */
static bool make_direct(struct variables const *v, char dn[FILTER_MAX], char filter[FILTER_MAX]) {
  char const *text = *settings.filter ? settings.filter : "(objectClass=*)";
  return variables_expand(v, settings.direct_dn, strlen(settings.direct_dn), ldap_escape, dn,
                          FILTER_MAX) &&
         variables_expand(v, text, strlen(text), ldap_escape, filter, FILTER_MAX);
}

static enum source_answer look_up_direct(struct variables const *v, struct source_entry *e) {
  char dn[FILTER_MAX];
  struct place at = {.base = dn, .scope = LDAP_SCOPE_BASE};
  return make_direct(v, dn, at.filter) ? look_at(&at, v->user, e) : SOURCE_UNKNOWN;
}

static enum source_answer look_up(struct source const *s, struct source_query const *q,
                                  struct source_entry *e) {
  (void)s;
  struct place at = {.base = settings.base, .scope = LDAP_SCOPE_SUBTREE};
  struct variables v;
  if (!variables_set(&v, q, settings.domain)) return SOURCE_UNKNOWN;
  if (*settings.direct_dn) return look_up_direct(&v, e);
  char name[sizeof v.user];
  memcpy(name, v.user, sizeof name);
  if (settings.map_filter) {
    enum source_answer mapped = map_name(&v);
    if (mapped != SOURCE_FOUND) return mapped;
  }
  return make_filter(&v, settings.filter, settings.map_filter ? settings.map_mail : settings.mail,
                     at.filter)
             ? look_at(&at, name, e)
             : SOURCE_UNKNOWN;
}

/* ---- asking the server about the password ---- */

static struct auth_result judge_bind(char const *dn, int r) {
  if (r == LDAP_SUCCESS) return (struct auth_result){AUTH_ACCEPT, 0};
  if (r == LDAP_INVALID_CREDENTIALS || r == LDAP_INAPPROPRIATE_AUTH || r == LDAP_NO_SUCH_OBJECT ||
      r == LDAP_INVALID_DN_SYNTAX)
    return wrong_password;
  ldap_server_log(&settings, "bind", dn, r);
  return unavailable;
}

/* A connection of its own, so that the lasting one stays who it is.  Null if the verdict is no. */
static LDAP *bind_as(char const *dn, char const *password, struct auth_result *result) {
  *result = unavailable;
  LDAP *own = ldap_server_connect(&settings);
  if (!own) return 0;
  *result = judge_bind(dn, ldap_server_bind(own, dn, password));
  if (result->verdict == AUTH_ACCEPT) return own;
  ldap_unbind_ext_s(own, 0, 0);
  return 0;
}

static struct auth_result bind_found(struct source_entry *e, char const *password) {
  struct auth_result result = source_judge(e, true);
  if (result.verdict != AUTH_ACCEPT) return result;
  LDAP *own = bind_as(e->place, password, &result);
  if (own) ldap_unbind_ext_s(own, 0, 0);
  return result;
}

/* The user reads their own entry, which has to match the filter as if it had been searched for. */
static enum source_answer read_own(LDAP *own, char const *dn, char const *filter,
                                   struct variables const *v, struct source_entry *e) {
  char *attributes[ATTRIBUTES_MAX + 1];
  LDAPMessage *result = 0;
  list_attributes(attributes);
  int r = ldap_server_search(own, &settings, dn, LDAP_SCOPE_BASE, filter, attributes, 2, &result);
  if (r != LDAP_SUCCESS) ldap_server_log(&settings, "read the entry", dn, r);
  enum source_answer answer =
      r == LDAP_SUCCESS ? take(own, result, false, v->user, e) : SOURCE_TEMPORARY;
  ldap_msgfree(result);
  return answer;
}

static struct auth_result bind_direct(struct source_query const *q, char const *password,
                                      struct source_entry *e) {
  char dn[FILTER_MAX], filter[FILTER_MAX];
  struct variables v;
  struct auth_result result;
  if (!variables_set(&v, q, settings.domain) || !make_direct(&v, dn, filter)) return unknown_user;
  LDAP *own = bind_as(dn, password, &result);
  if (!own) return result;
  enum source_answer answer = read_own(own, dn, filter, &v, e);
  ldap_unbind_ext_s(own, 0, 0);
  if (answer == SOURCE_FOUND) return source_judge(e, true);
  return answer == SOURCE_UNKNOWN ? unknown_user : unavailable;
}

static struct auth_result verify(struct source const *s, struct source_query const *q,
                                 char const *password, struct source_entry *e) {
  /* RFC 4513 section 5.1.2: a bind without a password succeeds, as nobody. */
  bool asks_server = settings.authbind || *settings.direct_dn;
  if (asks_server && !*password) return wrong_password;
  if (*settings.direct_dn) return bind_direct(q, password, e);
  enum source_answer answer = source_lookup(s, q, e);
  if (answer == SOURCE_TEMPORARY) return unavailable;
  if (answer == SOURCE_UNKNOWN) return unknown_user;
  return settings.authbind ? bind_found(e, password) : source_compare(e, password);
}

/* ---- the rest ---- */

static enum source_answer enumerate(struct source const *s, source_visit *visit, void *context) {
  (void)s;
  static struct source_entry e;
  char *attributes[ATTRIBUTES_MAX + 1];
  char const *filter = *settings.enumerate_filter ? settings.enumerate_filter : settings.filter;
  LDAPMessage *result = 0;
  list_attributes(attributes);
  int r = search(settings.base, LDAP_SCOPE_SUBTREE, *filter ? filter : "(objectClass=*)",
                 attributes, 0, &result);
  LDAPMessage *entry = r == LDAP_SUCCESS ? ldap_first_entry(server, result) : 0;
  for (bool more = true; entry && more; entry = ldap_next_entry(server, entry)) {
    char *name = ldap_server_value(server, entry, settings.mail);
    source_forget(&e);
    if (name && !fill(&e, server, entry, name) && e.account.uid && e.account.home)
      more = visit(&e.account, context);
    free(name);
  }
  source_forget(&e);
  ldap_msgfree(result);
  return r == LDAP_SUCCESS ? SOURCE_FOUND : SOURCE_TEMPORARY;
}

/* RFC 3062, as the user: the server hashes, and its own rules for passwords hold. */
static struct auth_result change(struct source const *s, struct source_query const *q,
                                 struct source_entry const *e, char const *old,
                                 char const *password) {
  struct berval user = {.bv_len = strlen(e->place), .bv_val = (char *)e->place};
  struct berval before = {.bv_len = strlen(old), .bv_val = (char *)old};
  struct berval after = {.bv_len = strlen(password), .bv_val = (char *)password};
  struct auth_result result;
  (void)s;
  (void)q;
  LDAP *own = bind_as(e->place, old, &result);
  if (!own) return result;
  int r = ldap_passwd_s(own, &user, &before, &after, 0, 0, 0);
  ldap_unbind_ext_s(own, 0, 0);
  if (r == LDAP_SUCCESS) return (struct auth_result){AUTH_ACCEPT, 0};
  ldap_server_log(&settings, "change the password", e->place, r);
  if (r == LDAP_CONSTRAINT_VIOLATION || r == LDAP_INSUFFICIENT_ACCESS ||
      r == LDAP_UNWILLING_TO_PERFORM)
    return (struct auth_result){AUTH_REFUSE, "not-permitted"};
  return unavailable;
}

static void open_source(struct source const *s) {
  (void)s;
  ldap_settings_read(&settings);
}

struct source const source_ldap = {.name = "authldap",
                                   .unavailable = "directory",
                                   .open = open_source,
                                   .lookup = look_up,
                                   .verify = verify,
                                   .enumerate = enumerate,
                                   .change = change};
