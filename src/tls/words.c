/* Names of versions, and reasons in words: what BearSSL has only numbers for. */
#include "tls/tls.h"

enum {
  ALERT_RECEIVED = BR_ERR_RECV_FATAL_ALERT,
  ALERT_SENT = BR_ERR_SEND_FATAL_ALERT,
  HANDSHAKE_FAILURE = 40, /* RFC 5246 section 7.2 */
  PROTOCOL_VERSION = 70,
};

struct word {
  int code;
  char const *text;
};

static struct word const versions[] = {
    {BR_TLS10, "TLSv1"},
    {BR_TLS11, "TLSv1.1"},
    {BR_TLS12, "TLSv1.2"},
};

static struct word const old_versions[] = {
    {BR_SSL30, "client offered only SSL 3.0"},
    {BR_TLS10, "client offered only TLS 1.0"},
    {BR_TLS11, "client offered only TLS 1.1"},
};

static struct word const reasons[] = {
    {BR_ERR_UNSUPPORTED_VERSION, "client did not speak TLS"},
    {BR_ERR_BAD_VERSION, "client mixed TLS versions"},
    {BR_ERR_UNKNOWN_TYPE, "client did not speak TLS"},
    {BR_ERR_TOO_LARGE, "client sent an oversized record"},
    {BR_ERR_BAD_LENGTH, "client sent a record of wrong length"},
    {BR_ERR_BAD_MAC, "client sent a record that fails its integrity check"},
    {BR_ERR_BAD_FINISHED, "client's Finished message is wrong: handshake tampered with"},
    {BR_ERR_UNEXPECTED, "client sent a message out of turn"},
    {BR_ERR_BAD_CIPHER_SUITE, "no shared cipher suite"},
    {BR_ERR_BAD_SECRENEG, "client's renegotiation data is wrong"},
    {BR_ERR_NO_RANDOM, "no randomness from the system"},
    {BR_ERR_IO, "connection failed"},
    {ALERT_SENT + HANDSHAKE_FAILURE, "no shared cipher suite"},
    {ALERT_SENT + PROTOCOL_VERSION, "client offered only another TLS version"},
    {ALERT_SENT + 47, "no shared elliptic curve or signature algorithm"},
    {ALERT_RECEIVED + 0, "client closed the connection"},
    {ALERT_RECEIVED + 40, "client sent alert: handshake failure"},
    {ALERT_RECEIVED + 42, "client sent alert: bad certificate"},
    {ALERT_RECEIVED + 43, "client sent alert: unsupported certificate"},
    {ALERT_RECEIVED + 44, "client sent alert: certificate revoked"},
    {ALERT_RECEIVED + 45, "client sent alert: certificate expired"},
    {ALERT_RECEIVED + 46, "client sent alert: certificate unknown"},
    {ALERT_RECEIVED + 48, "client sent alert: unknown certificate authority"},
    {ALERT_RECEIVED + 51, "client sent alert: decrypt error"},
    {ALERT_RECEIVED + 70, "client sent alert: protocol version"},
    {ALERT_RECEIVED + 71, "client sent alert: insufficient security"},
    {ALERT_RECEIVED + 80, "client sent alert: internal error"},
    {ALERT_RECEIVED + 90, "client sent alert: user canceled"},
};

#define LOOK_UP(table, code) look_up(table, sizeof table / sizeof *table, (int)(code))
static char const *look_up(struct word const *table, size_t n, int code) {
  for (size_t i = 0; i < n; i++)
    if (table[i].code == code) return table[i].text;
  return 0;
}

char const *version_name(unsigned int version) {
  char const *name = LOOK_UP(versions, version);
  return name ? name : "unknown";
}

char const *failure_reason(br_ssl_server_context const *server, enum relay_state state) {
  int error = br_ssl_engine_last_error(&server->eng);
  char const *reason = 0;
  if (state == RELAY_TIMEOUT) return "handshake timed out";
  if (state == RELAY_TRUNCATED || state == RELAY_CLOSED) return "client closed the connection";
  if (error == ALERT_SENT + PROTOCOL_VERSION)
    reason = LOOK_UP(old_versions, server->client_max_version);
  if (!reason) reason = LOOK_UP(reasons, error);
  if (!reason && error >= ALERT_RECEIVED && error < ALERT_SENT) reason = "client sent an alert";
  return reason ? reason : "client sent a malformed handshake";
}
