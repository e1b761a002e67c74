/* The parser's message that holds a login: the byte ASK_LOGIN, the method's number, then tag, user,
 * password (or a mechanism's response) and authorization identity, each ended by a NUL.  What comes
 * out of credentials_unpack is well formed whoever wrote the message. */
#include "login/login.h"

#include <string.h>

/* ASTRING-CHAR except "+" (RFC 3501 section 9). */
static bool is_tag_char(char c) {
  return c > ' ' && c <= '~' && !strchr("(){%*\"\\+", c);
}

bool tag_is_valid(char const *tag) {
  size_t size = 0;
  while (tag[size])
    if (!is_tag_char(tag[size]) || ++size > TAG_SIZE_MAX) return false;
  return size > 0;
}

static char *put(char *out, char const *text) {
  size_t size = strlen(text) + 1;
  memcpy(out, text, size);
  return out + size;
}

size_t credentials_pack(struct credentials const *c, char *buf) {
  char *p = buf;
  *p++ = ASK_LOGIN;
  *p++ = (char)c->method;
  p = put(p, c->tag);
  p = put(p, c->user);
  p = put(p, c->password);
  p = put(p, c->authzid);
  return (size_t)(p - buf);
}

struct rest {
  char const *next;
  size_t left;
};

/* The next string into out, which has room for max bytes and the NUL. */
static bool get(struct rest *r, char *out, size_t max) {
  char const *end = r->left ? memchr(r->next, 0, r->left) : 0;
  if (!end || (size_t)(end - r->next) > max) return false;
  size_t size = (size_t)(end - r->next) + 1;
  memcpy(out, r->next, size);
  r->next += size;
  r->left -= size;
  return true;
}

/* A method whose message has no place for a user, or for a secret, has sent none. */
static bool suits_method(struct credentials const *c) {
  struct method_facts const *m = &methods[c->method];
  return (m->user || !*c->user) && (m->secret || !*c->password);
}

bool credentials_unpack(char const *buf, size_t size, struct credentials *c) {
  if (size < 2 || buf[0] != ASK_LOGIN || (unsigned char)buf[1] >= METHOD_COUNT) return false;
  struct rest r = {buf + 2, size - 2};
  c->method = (enum method)(unsigned char)buf[1];
  return get(&r, c->tag, TAG_SIZE_MAX) && get(&r, c->user, USER_SIZE_MAX) &&
         get(&r, c->password, PASSWORD_SIZE_MAX) && get(&r, c->authzid, AUTHZID_SIZE_MAX) &&
         !r.left && tag_is_valid(c->tag) && suits_method(c);
}
