/* What the engine tells the chain of the connection, by UCSPI-TLS: nothing of it is trusted there,
 * see base/tlsfacts.c. */
#include "tls/tls.h"

#include <string.h>
#include <sys/socket.h>

/* A host name as RFC 6066 section 3 means it.  It will be in logs and environments. */
static bool is_host_name(char const *name) {
  for (char const *p = name; *p; p++)
    if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._", *p))
      return false;
  return *name;
}

static void put_fact(char *text, size_t *size, char const *name, char const *value) {
  size_t n = strlen(name), v = strlen(value);
  if (n + 1 + v > FACT_MAX) return; /* whoever reads it would not believe it */
  memcpy(text + *size, name, n);
  text[*size + n] = '=';
  memcpy(text + *size + n + 1, value, v + 1);
  *size += n + v + 2;
}

void facts_send(int control, br_ssl_engine_context const *tls,
                struct credentials const *credentials, struct peer const *peer,
                char const *warning) {
  char text[(5 + PEER_ATTRIBUTES) * (FACT_MAX + 1) + 1];
  char end_point[END_POINT_SIZE] = "";
  size_t size = 0;
  char const *server_name = br_ssl_engine_get_server_name(tls);
  put_fact(text, &size, "SSL_PROTOCOL", version_name(br_ssl_engine_get_version(tls)));
  put_fact(text, &size, "SSL_CIPHER", suite_name(tls->session.cipher_suite));
  if (is_host_name(server_name)) put_fact(text, &size, "SSL_TLS_SNI_SERVERNAME", server_name);
  if (credentials) x509_end_point(credentials, end_point);
  if (*end_point) put_fact(text, &size, "SSL_SERVER_END_POINT", end_point);
  if (warning) put_fact(text, &size, "SSL_WARNING", warning);
  for (size_t i = 0; i < PEER_ATTRIBUTES; i++) {
    char const *value, *name = peer_attribute(peer, i, &value);
    if (name) put_fact(text, &size, name, value);
  }
  text[size++] = 0;
  send(control, text, size, MSG_NOSIGNAL);
}

void facts_send_failure(int control, char const *reason) {
  char text[FACT_MAX + 1];
  size_t size = 0;
  put_fact(text, &size, "SSL_ERROR", reason);
  send(control, text, size, MSG_NOSIGNAL);
}
