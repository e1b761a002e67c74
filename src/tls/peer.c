/* The client's certificate: BearSSL's validation of the chain (RFC 5280 section 6, dates,
 * signatures and basic constraints), and what it leaves to others: what the certificate is for, and
 * that under TLS_VERIFYPEER=PEER none at all is fine, but a bad one is not. */
#include "tls/tls.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
  EPOCH_DAYS = 719528, /* from the year 0 to 1970 */
  DAY_SECONDS = 86400,
  RSA_BYTES_MIN = 256, /* 2048 bits */
  EXTENSIONS = DER_TAGGED + 3,
};

/* The object identifiers are as br_name_element has them: a length, then the bytes. */
static struct {
  unsigned char oid[12];
  char const *fact;
} const attributes[PEER_ATTRIBUTES] = {
    {{3, 0x55, 4, 3}, "SSL_PEER_CERT_SUBJECT_CN"},
    {{3, 0x55, 4, 6}, "SSL_PEER_CERT_SUBJECT_C"},
    {{3, 0x55, 4, 7}, "SSL_PEER_CERT_SUBJECT_L"},
    {{3, 0x55, 4, 8}, "SSL_PEER_CERT_SUBJECT_ST"},
    {{3, 0x55, 4, 10}, "SSL_PEER_CERT_SUBJECT_O"},
    {{3, 0x55, 4, 11}, "SSL_PEER_CERT_SUBJECT_OU"},
    {{10, 0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 1}, "SSL_PEER_CERT_SUBJECT_UID"},
    {{9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 1}, "SSL_PEER_CERT_SUBJECT_EMAILADDRESS"},
};

/* RFC 5280 section 4.2.1.12 */
static unsigned char const extended_key_usage[] = {0x55, 0x1D, 0x25};
static unsigned char const any_usage[] = {0x55, 0x1D, 0x25, 0};
static unsigned char const client_usage[] = {0x2B, 6, 1, 5, 5, 7, 3, 2};

static bool is_oid(struct der oid, unsigned char const *bytes, size_t size) {
  return der_equal(oid, (struct der){bytes, size});
}

/* The extensions of a certificate: the content of their SEQUENCE.  Empty if it has none. */
static struct der extensions_of(struct der bytes) {
  struct der certificate, fields, list = {0};
  struct der_item item;
  if (!der_take(&bytes, DER_SEQUENCE, &certificate)) return list;
  if (!der_take(&certificate, DER_SEQUENCE, &fields)) return list;
  while (der_next(&fields, &item))
    if (item.tag == EXTENSIONS) der_take(&item.content, DER_SEQUENCE, &list);
  return list;
}

static bool names_clients(struct der value) {
  struct der usages, oid;
  if (!der_take(&value, DER_SEQUENCE, &usages)) return false;
  while (der_take(&usages, DER_OID, &oid))
    if (is_oid(oid, any_usage, sizeof any_usage) || is_oid(oid, client_usage, sizeof client_usage))
      return true;
  return false;
}

/* Whether it may be shown by a client; where it does not say, it may.  That it is well-formed,
 * BearSSL has seen. */
static bool is_for_clients(struct der certificate) {
  struct der list = extensions_of(certificate), extension, oid, value;
  while (der_take(&list, DER_SEQUENCE, &extension)) {
    struct der ignored;
    if (!der_take(&extension, DER_OID, &oid)) return false;
    der_take(&extension, DER_BOOLEAN, &ignored); /* critical or not */
    if (!is_oid(oid, extended_key_usage, sizeof extended_key_usage)) continue;
    return der_take(&extension, DER_OCTETS, &value) && names_clients(value);
  }
  return true;
}

/* ---- BearSSL's view ---- */

static struct peer *peer_of(br_x509_class const **context) {
  return (struct peer *)(void *)context;
}

static void set_time(br_x509_minimal_context *minimal) {
  struct timespec now = {0};
  clock_gettime(CLOCK_REALTIME, &now);
  br_x509_minimal_set_time(minimal, (uint32_t)(now.tv_sec / DAY_SECONDS + EPOCH_DAYS),
                           (uint32_t)(now.tv_sec % DAY_SECONDS));
}

static void start_chain(br_x509_class const **context, char const *server_name) {
  struct peer *p = peer_of(context);
  (void)server_name; /* ours: of no interest in a client's certificate */
  p->count = p->size = 0;
  set_time(&p->minimal);
  p->minimal.vtable->start_chain(&p->minimal.vtable, 0);
}

/* Who shows one has to show a good one. */
static void start_certificate(br_x509_class const **context, uint32_t size) {
  struct peer *p = peer_of(context);
  br_ssl_engine_remove_flags(p->tls, BR_OPT_TOLERATE_NO_CLIENT_AUTH);
  p->count++;
  p->minimal.vtable->start_cert(&p->minimal.vtable, size);
}

static void append(br_x509_class const **context, unsigned char const *data, size_t size) {
  struct peer *p = peer_of(context);
  if (p->count == 1) {
    size_t room = sizeof p->certificate - p->size, n = size < room ? size : room;
    memcpy(p->certificate + p->size, data, n);
    p->size += n;
  }
  p->minimal.vtable->append(&p->minimal.vtable, data, size);
}

static void end_certificate(br_x509_class const **context) {
  struct peer *p = peer_of(context);
  p->minimal.vtable->end_cert(&p->minimal.vtable);
}

static unsigned int end_chain(br_x509_class const **context) {
  struct peer *p = peer_of(context);
  unsigned int error = p->minimal.vtable->end_chain(&p->minimal.vtable);
  if (error) return error;
  if (p->size == sizeof p->certificate) return BR_ERR_X509_LIMIT_EXCEEDED;
  if (!is_for_clients((struct der){p->certificate, p->size}))
    return BR_ERR_X509_FORBIDDEN_KEY_USAGE;
  p->verified = true;
  return 0;
}

static br_x509_pkey const *get_key(br_x509_class const *const *context, unsigned int *usages) {
  struct peer const *p = (struct peer const *)(void const *)context;
  return p->minimal.vtable->get_pkey(&p->minimal.vtable, usages);
}

static br_x509_class const class = {
    .context_size = sizeof(struct peer),
    .start_chain = start_chain,
    .start_cert = start_certificate,
    .append = append,
    .end_cert = end_certificate,
    .end_chain = end_chain,
    .get_pkey = get_key,
};

/* ---- ours ---- */

/* No signatures by SHA-1, whose collisions are within reach. */
static void init_validation(br_x509_minimal_context *minimal, struct authority_list const *list) {
  br_x509_minimal_init(minimal, &br_sha256_vtable, list->anchors, list->n);
  br_x509_minimal_set_hash(minimal, br_sha256_ID, &br_sha256_vtable);
  br_x509_minimal_set_hash(minimal, br_sha384_ID, &br_sha384_vtable);
  br_x509_minimal_set_hash(minimal, br_sha512_ID, &br_sha512_vtable);
  br_x509_minimal_set_rsa(minimal, br_rsa_pkcs1_vrfy_get_default());
  br_x509_minimal_set_ecdsa(minimal, br_ec_get_default(), br_ecdsa_vrfy_asn1_get_default());
  br_x509_minimal_set_minrsa(minimal, RSA_BYTES_MIN);
}

void peer_ask(struct peer *p, br_ssl_server_context *server, struct authority_list const *list,
              bool required) {
  p->vtable = &class;
  p->tls = &server->eng;
  init_validation(&p->minimal, list);
  for (size_t i = 0; i < PEER_ATTRIBUTES; i++)
    p->elements[i] = (br_name_element){
        .oid = attributes[i].oid, .buf = p->values[i], .len = sizeof p->values[i]};
  br_x509_minimal_set_name_elements(&p->minimal, p->elements, PEER_ATTRIBUTES);
  br_ssl_engine_set_x509(p->tls, &p->vtable);
  br_ssl_engine_set_default_rsavrfy(p->tls);
  br_ssl_engine_set_default_ecdsa(p->tls);
  br_ssl_server_set_trust_anchor_names_alt(server, list->anchors, list->n);
  if (!required) br_ssl_engine_add_flags(p->tls, BR_OPT_TOLERATE_NO_CLIENT_AUTH);
}

char const *peer_attribute(struct peer const *p, size_t i, char const **value) {
  if (!p->verified || p->elements[i].status != 1) return 0;
  *value = p->values[i];
  return attributes[i].fact;
}

/* RFC 5246 section 7.2.2 */
static unsigned char alert_of(int error) {
  enum {
    HANDSHAKE_FAILURE = 40,
    BAD_CERTIFICATE = 42,
    UNSUPPORTED_CERTIFICATE = 43,
    CERTIFICATE_EXPIRED = 45,
    UNKNOWN_CA = 48
  };
  switch (error) {
  case BR_ERR_NO_CLIENT_AUTH: return HANDSHAKE_FAILURE;
  case BR_ERR_X509_EXPIRED: return CERTIFICATE_EXPIRED;
  case BR_ERR_X509_NOT_TRUSTED: return UNKNOWN_CA;
  case BR_ERR_X509_FORBIDDEN_KEY_USAGE:
  case BR_ERR_X509_CRITICAL_EXTENSION:
  case BR_ERR_X509_UNSUPPORTED:
  case BR_ERR_X509_WEAK_PUBLIC_KEY: return UNSUPPORTED_CERTIFICATE;
  }
  return error >= BR_ERR_X509_OK && error <= BR_ERR_X509_NOT_TRUSTED ? BAD_CERTIFICATE : 0;
}

/* Nothing is encrypted at that point of a handshake, and all of ours before it has gone out. */
void peer_refuse(int connection, int error) {
  unsigned char alert = alert_of(error);
  unsigned char const record[] = {21, 3, 3, 0, 2, 2, alert};
  if (alert) send(connection, record, sizeof record, MSG_DONTWAIT | MSG_NOSIGNAL);
}
