/* `$(user)` and its like in what an administrator has written: SQL, an LDAP name or filter.  The
 * names are Courier's, but for `user`, which is the whole of it. */
#include "auth/sql.h"

#include <stdio.h>
#include <string.h>

bool variables_set(struct variables *v, struct source_query const *q, char const *default_domain) {
  char const *at = strrchr(q->name, '@');
  bool append = !at && default_domain && *default_domain;
  int size = snprintf(v->user, sizeof v->user, "%s%s%s", q->name, append ? "@" : "",
                      append ? default_domain : "");
  if (size < 0 || (size_t)size >= sizeof v->user) return false;
  char const *sign = strrchr(v->user, '@');
  v->local_part_size = sign ? (size_t)(sign - v->user) : (size_t)size;
  v->domain = sign ? sign + 1 : v->user + size;
  v->service = q->service;
  v->newpass = v->newpass_crypt = 0;
  return true;
}

size_t variables_reference(char const *at, char const *end) {
  if (end - at < 3 || at[0] != '$' || at[1] != '(') return 0;
  char const *close = memchr(at, ')', (size_t)(end - at));
  return close ? (size_t)(close - at) + 1 : 0;
}

enum kind { USER, LOCAL_PART, DOMAIN, SERVICE, NEWPASS, NEWPASS_CRYPT, NO_KIND };

static char const *const names[] = {
    [USER] = "user",       [LOCAL_PART] = "local_part", [DOMAIN] = "domain",
    [SERVICE] = "service", [NEWPASS] = "newpass",       [NEWPASS_CRYPT] = "newpass_crypt",
};

static enum kind kind_of(char const *reference, size_t size) {
  size_t n = size - 3; /* `$()` */
  for (enum kind k = 0; k < NO_KIND; k++)
    if (strlen(names[k]) == n && !memcmp(reference + 2, names[k], n)) return k;
  return NO_KIND;
}

char const *variables_check(char const *text, size_t size, bool passwords) {
  for (char const *at = text, *end = text + size; at < end; at++) {
    if (at[0] != '$' || end - at < 2 || at[1] != '(') continue;
    size_t n = variables_reference(at, end);
    enum kind k = n ? kind_of(at, n) : NO_KIND;
    if (k == NO_KIND)
      return "a $( that is none of $(user), $(local_part), $(domain), $(service), $(newpass), "
             "$(newpass_crypt)";
    if (k >= NEWPASS && !passwords) return "a new password where none is being set";
  }
  return 0;
}

static char const *value_of(struct variables const *v, enum kind k, size_t *size) {
  char const *const values[] = {
      [USER] = v->user,       [LOCAL_PART] = v->user, [DOMAIN] = v->domain,
      [SERVICE] = v->service, [NEWPASS] = v->newpass, [NEWPASS_CRYPT] = v->newpass_crypt,
  };
  char const *value = k < NO_KIND && values[k] ? values[k] : "";
  *size = k == LOCAL_PART ? v->local_part_size : strlen(value);
  return value;
}

static bool put(char **to, char const *end, char const *value, size_t size) {
  if ((size_t)(end - *to) <= size) return false;
  memcpy(*to, value, size);
  *to += size;
  return true;
}

bool variables_expand(struct variables const *v, char const *text, size_t size,
                      variables_escape *escape, char *out, size_t room) {
  char const *end = text + size, *out_end = out + room;
  while (text < end) {
    size_t n = variables_reference(text, end), value_size = 1;
    char const *value = n ? value_of(v, kind_of(text, n), &value_size) : text;
    if (!(n && escape ? escape : put)(&out, out_end, value, value_size)) return false;
    text += n ? n : 1;
  }
  if (out == out_end) return false;
  *out = 0;
  return true;
}
