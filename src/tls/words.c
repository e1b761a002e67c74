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
    {ALERT_RECEIVED + 10, "client complained of a message out of turn"},
    {ALERT_RECEIVED + 20, "client complained of a record that fails its integrity check"},
    {ALERT_RECEIVED + 40, "client found nothing in common (handshake failure)"},
    {ALERT_RECEIVED + 42, "client refused our certificate (bad certificate)"},
    {ALERT_RECEIVED + 43, "client refused our certificate (unsupported)"},
    {ALERT_RECEIVED + 44, "client refused our certificate (revoked)"},
    {ALERT_RECEIVED + 45, "client refused our certificate (expired)"},
    {ALERT_RECEIVED + 46, "client refused our certificate (certificate unknown)"},
    {ALERT_RECEIVED + 47, "client complained of an illegal parameter"},
    {ALERT_RECEIVED + 48, "client refused our certificate (unknown CA)"},
    {ALERT_RECEIVED + 49, "client refused our certificate (access denied)"},
    {ALERT_RECEIVED + 50, "client could not decode a message"},
    {ALERT_RECEIVED + 51, "client could not verify our signature or Finished message"},
    {ALERT_RECEIVED + 70, "client wants another TLS version"},
    {ALERT_RECEIVED + 71, "client finds our cipher suites too weak"},
    {ALERT_RECEIVED + 80, "client had an internal error"},
    {ALERT_RECEIVED + 90, "client's user has canceled"},
    {ALERT_RECEIVED + 112, "client does not know our server name"},
    {ALERT_RECEIVED + 116, "client says that it needs a certificate"},
    {BR_ERR_NO_CLIENT_AUTH, "client sent no certificate, which TLS_VERIFYPEER requires"},
    {BR_ERR_BAD_SIGNATURE, "client does not have the key of its certificate"},
    {BR_ERR_INVALID_ALGORITHM, "client signed with an algorithm that was not offered"},
    {BR_ERR_WRONG_KEY_USAGE, "client's certificate is not for signatures (key usage)"},
    {BR_ERR_X509_EXPIRED,
     "client's certificate, or one it depends on, has expired or is not yet valid"},
    {BR_ERR_X509_NOT_TRUSTED, "client's certificate is from no authority in TLS_TRUSTCERTS"},
    {BR_ERR_X509_DN_MISMATCH, "client's certificate chain is out of order"},
    {BR_ERR_X509_NOT_CA, "client's certificate is signed by one that is no authority"},
    {BR_ERR_X509_BAD_SIGNATURE, "client's certificate has a wrong signature"},
    {BR_ERR_X509_FORBIDDEN_KEY_USAGE, "client's certificate is not for clients (key usage)"},
    {BR_ERR_X509_CRITICAL_EXTENSION, "client's certificate has a critical extension unknown to us"},
    {BR_ERR_X509_WEAK_PUBLIC_KEY, "client's certificate has a key that is too short"},
    {BR_ERR_X509_UNSUPPORTED, "client's certificate uses an algorithm unknown to us"},
    {BR_ERR_X509_LIMIT_EXCEEDED, "client's certificate is too large"},
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

/* Whether ClientHello has cipher suites of TLS 1.3 (RFC 8446 section B.4) and no others but those
 * that are none (RFC 5746, 7507, 8701).  BearSSL keeps only what it knows of them, and in its
 * buffer what it has received last, with 5 bytes of the record before it. */
static bool offered_only_tls13(br_ssl_engine_context const *tls) {
  enum { SESSION_ID = 5 + 4 + 2 + 32 };
  unsigned char const *p = tls->ibuf + SESSION_ID + 1 + tls->ibuf[SESSION_ID];
  size_t size = (size_t)p[0] << 8 | p[1];
  bool found = false;
  if (size > tls->ibuf_len - (size_t)(p + 2 - tls->ibuf)) return false;
  for (p += 2; size > 1; size -= 2, p += 2) {
    bool is_none = (!p[0] && p[1] == 0xFF) || (p[0] == 0x56 && !p[1]) ||
                   (p[0] == p[1] && (p[0] & 0x0F) == 0x0A);
    if (p[0] != 0x13 && !is_none) return false;
    found = found || p[0] == 0x13;
  }
  return found;
}

char const *failure_reason(br_ssl_server_context const *server, enum relay_state state) {
  int error = br_ssl_engine_last_error(&server->eng);
  char const *reason = 0;
  if (state == RELAY_TIMEOUT) return "handshake timed out";
  if (state == RELAY_TRUNCATED || state == RELAY_CLOSED) return "client closed the connection";
  if (error == ALERT_SENT + PROTOCOL_VERSION)
    reason = LOOK_UP(old_versions, server->client_max_version);
  if (error == ALERT_SENT + HANDSHAKE_FAILURE && offered_only_tls13(&server->eng))
    return "client offered only TLS 1.3";
  if (!reason) reason = LOOK_UP(reasons, error);
  if (!reason && error >= ALERT_RECEIVED && error < ALERT_SENT)
    reason = "client sent an alert without a name";
  if (!reason && error > BR_ERR_X509_OK && error <= BR_ERR_X509_NOT_TRUSTED)
    reason = "client's certificate is damaged";
  return reason ? reason : "client sent a malformed handshake";
}
