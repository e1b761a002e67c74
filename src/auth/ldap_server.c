/* LDAP servers: connecting, binding, searching, each within the time limit.  Referrals are not
 * followed: they would take passwords to servers that the administrator has not named. */
#include "auth/ldap.h"
#include "base/base.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c && strchr("@._-", c));
}

bool ldap_escape(char **to, char const *end, char const *value, size_t size) {
  static char const hex[] = "0123456789abcdef";
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)value[i];
    if (end - *to <= 3) return false;
    if (is_plain(value[i])) {
      *(*to)++ = value[i];
      continue;
    }
    *(*to)++ = '\\';
    *(*to)++ = hex[c >> 4];
    *(*to)++ = hex[c & 15];
  }
  return true;
}

void ldap_server_log(struct ldap_settings const *s, char const *attempt, char const *place,
                     int error) {
  log_event("failed", "attempt", attempt, "server", s->uri, "entry", place, "why",
            ldap_err2string(error), "remedy", "see whether the server runs, and the LDAP_ settings",
            (char *)0);
}

bool ldap_is_lost(int error) {
  return error == LDAP_SERVER_DOWN || error == LDAP_UNAVAILABLE || error == LDAP_CONNECT_ERROR;
}

static int set_options(LDAP *server, struct ldap_settings const *s) {
  int version = LDAP_VERSION3;
  struct timeval limit = {.tv_sec = s->timeout};
  struct {
    int option;
    void const *value;
  } const options[] = {
      {LDAP_OPT_PROTOCOL_VERSION, &version}, {LDAP_OPT_DEREF, &s->deref},
      {LDAP_OPT_NETWORK_TIMEOUT, &limit},    {LDAP_OPT_TIMEOUT, &limit},
      {LDAP_OPT_REFERRALS, LDAP_OPT_OFF},
  };
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    int r = ldap_set_option(server, options[i].option, options[i].value);
    if (r != LDAP_OPT_SUCCESS) return LDAP_PARAM_ERROR;
  }
  return LDAP_SUCCESS;
}

/* ---- the handshake of TLS ---- */

/* libldap gives it no limit of time: with GnuTLS it reads from a server that says nothing again and
 * again, for ever.  So an alarm shuts the socket down. */
static volatile sig_atomic_t handshake = -1; /* the descriptor */

static void cut_off(int number) {
  int saved = errno;
  (void)number;
  shutdown(handshake, SHUT_RDWR);
  errno = saved;
}

/* libldap has connected, perhaps to the next of several servers. */
static int begin_handshake(LDAP *server, Sockbuf *buffer, LDAPURLDesc *url,
                           struct sockaddr *address, struct ldap_conncb *callback) {
  int fd = -1;
  struct ldap_settings const *s = callback->lc_arg;
  (void)server;
  (void)url;
  (void)address;
  ber_sockbuf_ctrl(buffer, LBER_SB_OPT_GET_FD, &fd);
  handshake = fd;
  alarm((unsigned int)s->timeout + 1); /* libldap's own limits come first */
  return 0;
}

static void end_handshake(LDAP *server, Sockbuf *buffer, struct ldap_conncb *callback) {
  (void)server;
  (void)buffer;
  (void)callback;
  alarm(0);
  handshake = -1;
}

static int connect_in_time(LDAP *server, struct ldap_settings const *s, char const **attempt) {
  static struct ldap_conncb callback = {.lc_add = begin_handshake, .lc_del = end_handshake};
  struct sigaction action = {.sa_handler = cut_off};
  callback.lc_arg = (void *)s;
  sigaction(SIGALRM, &action, 0);
  int r = ldap_set_option(server, LDAP_OPT_CONNECT_CB, &callback);
  if (r != LDAP_OPT_SUCCESS) return LDAP_PARAM_ERROR;
  r = ldap_connect(server);
  if (r == LDAP_SUCCESS && s->tls) {
    *attempt = "start TLS";
    r = ldap_start_tls_s(server, 0, 0);
  }
  end_handshake(server, 0, &callback);
  return r;
}

/* ---- a connection ---- */

LDAP *ldap_server_connect(struct ldap_settings const *s) {
  LDAP *server = 0;
  char const *attempt = "connect";
  int r = ldap_initialize(&server, s->uri);
  if (r == LDAP_SUCCESS) r = set_options(server, s);
  if (r == LDAP_SUCCESS) r = connect_in_time(server, s, &attempt);
  if (r == LDAP_SUCCESS) return server;
  ldap_server_log(s, attempt, 0, r);
  if (server) ldap_unbind_ext_s(server, 0, 0);
  return 0;
}

int ldap_server_bind(LDAP *server, char const *dn, char const *password) {
  struct berval credentials = {.bv_len = strlen(password), .bv_val = (char *)password};
  return ldap_sasl_bind_s(server, dn, LDAP_SASL_SIMPLE, &credentials, 0, 0, 0);
}

int ldap_server_search(LDAP *server, struct ldap_settings const *s, char const *base, int scope,
                       char const *filter, char **attributes, int limit, LDAPMessage **result) {
  struct timeval time = {.tv_sec = s->timeout};
  *result = 0;
  return ldap_search_ext_s(server, base, scope, filter, attributes, 0, 0, 0, &time, limit, result);
}

char *ldap_server_value(LDAP *server, LDAPMessage *entry, char const *attribute) {
  if (!*attribute) return 0;
  struct berval **values = ldap_get_values_len(server, entry, attribute);
  char *copy = 0;
  if (values && *values && !memchr((*values)->bv_val, 0, (*values)->bv_len))
    copy = strndup((*values)->bv_val, (*values)->bv_len);
  ldap_value_free_len(values);
  return copy;
}
