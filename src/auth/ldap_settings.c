/* Courier's authldaprc, as environment variables; see authldap(8). */
#include "auth/ldap.h"
#include "base/base.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TIMEOUT = 5, TIMEOUT_MAX = 300 };

static char const *get(char const *name, char const *fallback) {
  char const *value = getenv(name);
  return value ? value : fallback;
}

static noreturn void die(char const *variable, char const *why) {
  log_die(EXIT_MISUSE, "misconfigured", "variable", variable, "value", getenv(variable), "why", why,
          (char *)0);
}

static char *copy_of(char const *variable, char const *value) {
  char *copy = strdup(value);
  if (!copy) log_die_failure(EXIT_TEMPORARY, "read", variable, "raise the memory limit");
  return copy;
}

static char const *need(char const *name) {
  char const *value = get(name, "");
  if (!*value) die(name, "not set");
  return value;
}

static char const *filter(char const *name) {
  char const *value = get(name, "");
  if (*value && *value != '(') die(name, "a filter begins with (");
  char const *problem = variables_check(value, strlen(value), false);
  if (problem) die(name, problem);
  return value;
}

static void read_ids(struct ldap_settings *s) {
  char const *uid = get("LDAP_GLOB_UID", ""), *gid = get("LDAP_GLOB_GID", "");
  s->has_uid = *uid;
  s->has_gid = *gid;
  if (*uid && !system_uid(uid, &s->glob_uid)) die("LDAP_GLOB_UID", "no such user");
  if (*gid && !system_gid(gid, &s->glob_gid)) die("LDAP_GLOB_GID", "no such group");
}

static int read_deref(void) {
  static struct {
    char const *name;
    int value;
  } const words[] = {{"", LDAP_DEREF_NEVER},
                     {"never", LDAP_DEREF_NEVER},
                     {"searching", LDAP_DEREF_SEARCHING},
                     {"finding", LDAP_DEREF_FINDING},
                     {"always", LDAP_DEREF_ALWAYS}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (!strcasecmp(get("LDAP_DEREF", ""), words[i].name)) return words[i].value;
  die("LDAP_DEREF", "none of never, searching, finding, always");
}

/* `attribute=option,attribute=option` */
static void read_options(struct ldap_settings *s) {
  static char const name[] = "LDAP_AUXOPTIONS";
  char *state, *list = copy_of(name, get(name, ""));
  for (char *pair = strtok_r(list, ",", &state); pair; pair = strtok_r(0, ",", &state)) {
    char *equals = strchr(pair, '=');
    if (!equals || equals == pair || !equals[1]) die(name, "no list of attribute=option");
    if (s->options_count == LDAP_OPTIONS_MAX) die(name, "more than 32 options");
    *equals = 0;
    s->options[s->options_count].attribute = pair;
    s->options[s->options_count++].option = equals + 1;
  }
}

/* Courier writes @user@ and @realm@ here; both notations are known. */
static char *read_map_filter(void) {
  static char const name[] = "LDAP_EMAILMAP";
  static struct {
    char const *old, *new;
  } const words[] = {{"@user@", "$(local_part)"}, {"@realm@", "$(domain)"}};
  char const *text = filter(name);
  size_t size = strlen(text);
  if (!size) return 0;
  char *result = malloc(3 * size + 1), *to = result;
  if (!result) log_die_failure(EXIT_TEMPORARY, "read", name, "raise the memory limit");
  while (*text) {
    size_t i = 0;
    while (i < 2 && strncmp(text, words[i].old, strlen(words[i].old)) != 0) i++;
    char const *piece = i < 2 ? words[i].new : text;
    size_t piece_size = i < 2 ? strlen(piece) : 1;
    memcpy(to, piece, piece_size);
    to += piece_size;
    text += i < 2 ? strlen(words[i].old) : 1;
  }
  *to = 0;
  return result;
}

static void read_map(struct ldap_settings *s) {
  s->map_filter = read_map_filter();
  if (!s->map_filter) return;
  if (*s->domain) die("LDAP_DOMAIN", "set beside LDAP_EMAILMAP, which needs what the client gave");
  s->map_base = get("LDAP_EMAILMAP_BASEDN", s->base);
  s->map_attribute = need("LDAP_EMAILMAP_ATTRIBUTE");
  s->map_mail = need("LDAP_EMAILMAP_MAIL");
}

static void read_attributes(struct ldap_settings *s) {
  s->mail = get("LDAP_MAIL", "mail");
  s->homedir = get("LDAP_HOMEDIR", "homeDirectory");
  s->mailroot = get("LDAP_MAILROOT", "");
  s->maildir = get("LDAP_MAILDIR", "mailbox");
  s->quota = get("LDAP_MAILDIRQUOTA", "");
  s->fullname = get("LDAP_FULLNAME", "cn");
  s->clear = get("LDAP_CLEARPW", "");
  s->crypt = get("LDAP_CRYPTPW", "userPassword");
  s->uid = get("LDAP_UID", "uidNumber");
  s->gid = get("LDAP_GID", "gidNumber");
  if (!*s->mail) die("LDAP_MAIL", "empty");
}

void ldap_settings_read(struct ldap_settings *s) {
  s->uri = need("LDAP_URI");
  s->direct_dn = get("LDAP_AUTHBIND_DN", "");
  char const *problem = variables_check(s->direct_dn, strlen(s->direct_dn), false);
  if (problem) die("LDAP_AUTHBIND_DN", problem);
  s->base = *s->direct_dn ? get("LDAP_BASEDN", "") : need("LDAP_BASEDN");
  s->bind_dn = get("LDAP_BINDDN", "");
  s->bind_password = get("LDAP_BINDPW", "");
  s->filter = filter("LDAP_FILTER");
  s->enumerate_filter = filter("LDAP_ENUMERATE_FILTER");
  s->domain = get("LDAP_DOMAIN", "");
  s->authbind = setting_switch("LDAP_AUTHBIND", false);
  s->initbind = setting_switch("LDAP_INITBIND", *s->bind_dn);
  s->tls = setting_switch("LDAP_TLS", false);
  s->timeout = (int)setting_number("LDAP_TIMEOUT", TIMEOUT, 1, TIMEOUT_MAX);
  s->deref = read_deref();
  setting_number("LDAP_PROTOCOL_VERSION", LDAP_VERSION3, LDAP_VERSION3, LDAP_VERSION3);
  read_attributes(s);
  read_ids(s);
  read_options(s);
  read_map(s);
}
