/* userdb(5): one record, `field=value|field=value...`, as text and as data of the cdb alike.  Files
 * are userdb_file.c's matter. */
#include "auth/auth.h"

#include <stdint.h>
#include <string.h>
#include <skalibs/types.h>

static bool has_control(char const *s) {
  for (; *s; s++)
    if ((unsigned char)*s < ' ' || *s == 0x7f) return true;
  return false;
}

char const *userdb_get(struct userdb_record const *r, char const *name) {
  for (size_t i = 0; i < r->count; i++)
    if (!strcmp(r->fields[i].name, name)) return r->fields[i].value;
  return 0;
}

/* A field without `=` is one whose value is empty, as for Courier. */
static char const *add_field(struct userdb_record *r, char *field) {
  if (!*field) return 0; /* `||`, or a bar at the end: Courier's tools leave these */
  char *value = strchr(field, '=');
  if (value)
    *value++ = 0;
  else
    value = field + strlen(field);
  if (!*field) return "a field has no name";
  if (userdb_get(r, field)) return "a field is there twice";
  if (r->count == USERDB_FIELDS_MAX) return "more than 64 fields";
  r->fields[r->count++] = (struct userdb_field){field, value};
  return 0;
}

char const *userdb_split(char *text, struct userdb_record *r) {
  r->count = 0;
  if (has_control(text)) return "a control character (a carriage return, a second tab?)";
  while (text) {
    char *bar = strchr(text, '|');
    if (bar) *bar++ = 0;
    char const *problem = add_field(r, text);
    if (problem) return problem;
    text = bar;
  }
  return 0;
}

/* UINT32_MAX is (uid_t)-1, which means "nobody in particular" to chown and setreuid. */
static bool scan_id(char const *s, uint32_t *id) {
  return s && uint320_scan(s, id) && *id < UINT32_MAX;
}

static char const *filled(char const *s) {
  return s && *s ? s : 0;
}

char const *userdb_account(struct userdb_record const *r, struct auth_account *a) {
  uint32_t uid, gid;
  if (!scan_id(userdb_get(r, "uid"), &uid)) return "uid= is missing or no number";
  if (!scan_id(userdb_get(r, "gid"), &gid)) return "gid= is missing or no number";
  a->uid = uid;
  a->gid = gid;
  a->home = userdb_get(r, "home");
  if (!a->home || *a->home != '/') return "home= is missing or does not begin with /";
  a->shell = filled(userdb_get(r, "shell"));
  a->maildir = filled(userdb_get(r, "mail"));
  a->options = filled(userdb_get(r, "options"));
  a->quota = filled(userdb_get(r, "quota"));
  return 0;
}

bool userdb_is_disabled(struct userdb_record const *r) {
  char const *value = userdb_get(r, "disabled");
  return value && strcmp(value, "0");
}

char const *userdb_label(char const *field) {
  static char const prefix[] = "apppw:";
  return strncmp(field, prefix, sizeof prefix - 1) ? 0 : field + sizeof prefix - 1;
}

bool userdb_label_is_valid(char const *label) {
  static char const allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  size_t size = strlen(label);
  return size && size <= USERDB_LABEL_MAX && strspn(label, allowed) == size;
}

/* `$kind$...`, `{SCHEME}...`, a DES hash, or something that locks the account: never the password
 * itself. */
static bool looks_hashed(char const *s) {
  static char const des[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  enum { DES_SIZE = 13 };
  if (!*s || *s == '!' || *s == '*') return true;
  if (*s == '$') return strchr(s + 1, '$');
  if (*s == '{') return scheme_is_known(s);
  return strlen(s) == DES_SIZE && strspn(s, des) == DES_SIZE;
}

static char const *check_name(char const *name) {
  if (!*name) return "no name before the tab";
  if (*name == '#') return "a name that begins with #, which makes the line a comment";
  if (strlen(name) > USERDB_NAME_MAX) return "the name is longer than 255 bytes";
  if (has_control(name) || strpbrk(name, " |"))
    return "a blank, bar or control character in the name";
  return 0;
}

/* `systempw`, `imappw`: hashes.  Those with a hyphen are for challenge mechanisms: other secrets.
 */
static bool is_hash_field(char const *name) {
  size_t size = strlen(name);
  if (userdb_label(name)) return true;
  return size > 2 && !strcmp(name + size - 2, "pw") && !strchr(name, '-');
}

static char const *check_labels(struct userdb_record const *r) {
  size_t count = 0;
  for (size_t i = 0; i < r->count; i++) {
    char const *label = userdb_label(r->fields[i].name);
    if (label && !userdb_label_is_valid(label))
      return "the label of an application password is not 1 to 32 letters, digits, `.`, `_`, `-`";
    count += label ? 1 : 0;
  }
  return count > USERDB_APPS_MAX ? "more than 10 application passwords" : 0;
}

static char const *check_hashes(struct userdb_record const *r) {
  for (size_t i = 0; i < r->count; i++)
    if (is_hash_field(r->fields[i].name) && !looks_hashed(r->fields[i].value))
      return "the password is not hashed (or its hash is of no known form): use userdbpw";
  return 0;
}

static char const *check_account(struct userdb_record const *r) {
  struct auth_account a;
  char const *problem = userdb_account(r, &a);
  if (problem) return problem;
  if (!a.uid) return "uid=0: root has no mail session; give mail for root to a user";
  if (!a.gid) return "gid=0: the superuser's group has no mail session; give the user another";
  problem = check_labels(r);
  return problem ? problem : check_hashes(r);
}

static char const *check_alias(struct userdb_record const *r, char const *alias) {
  if (r->count > 1) return "an alias has no other fields: they are the account's";
  return *alias ? check_name(alias) : "alias= names nobody";
}

char const *userdb_check(char const *name, char *fields) {
  struct userdb_record r;
  char const *problem = check_name(name);
  if (!problem && strlen(fields) > USERDB_RECORD_MAX)
    problem = "the fields are longer than 4000 bytes";
  if (!problem) problem = userdb_split(fields, &r);
  if (problem) return problem;
  char const *alias = userdb_get(&r, "alias");
  return alias ? check_alias(&r, alias) : check_account(&r);
}
