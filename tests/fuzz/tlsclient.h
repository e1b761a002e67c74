/* A TLS client in memory, BearSSL's, for the fuzz target of the engine. */
#ifndef TLSCLIENT_H
#define TLSCLIENT_H

#include "fuzz.h"
#include "x509/x509.h"

struct tls_client {
  br_ssl_client_context tls;
  unsigned char io[BR_SSL_BUFSIZE_BIDI];
  /* It takes any server's certificate: what it checks of the handshake is not under test. */
  br_x509_class const *vtable;
  br_x509_decoder_context server;
  size_t certificates; /* of the server's, seen */
};

static inline struct tls_client *client_of(br_x509_class const **context) {
  return (struct tls_client *)(void *)((char *)(void *)context -
                                       offsetof(struct tls_client, vtable));
}

static void client_chain(br_x509_class const **context, char const *name) {
  (void)name;
  client_of(context)->certificates = 0;
}

static void client_certificate(br_x509_class const **context, uint32_t size) {
  struct tls_client *c = client_of(context);
  (void)size;
  if (!c->certificates++) br_x509_decoder_init(&c->server, 0, 0);
}

static void client_append(br_x509_class const **context, unsigned char const *data, size_t size) {
  struct tls_client *c = client_of(context);
  if (c->certificates == 1) br_x509_decoder_push(&c->server, data, size);
}

static void client_certificate_end(br_x509_class const **context) {
  (void)context;
}

static unsigned int client_chain_end(br_x509_class const **context) {
  return br_x509_decoder_get_pkey(&client_of(context)->server) ? 0 : BR_ERR_X509_BAD_SERVER_NAME;
}

static br_x509_pkey const *client_key(br_x509_class const *const *context, unsigned int *usages) {
  struct tls_client *c = client_of((br_x509_class const **)(void *)context);
  if (usages) *usages = BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN;
  return br_x509_decoder_get_pkey(&c->server);
}

/* Its randomness is always the same. */
static void client_init(struct tls_client *c, struct credentials const *own,
                        struct credentials const *key) {
  static br_x509_class const class = {
      .context_size = sizeof(struct tls_client),
      .start_chain = client_chain,
      .start_cert = client_certificate,
      .append = client_append,
      .end_cert = client_certificate_end,
      .end_chain = client_chain_end,
      .get_pkey = client_key,
  };
  static br_x509_minimal_context unused;
  br_ssl_client_init_full(&c->tls, &unused, 0, 0);
  c->vtable = &class;
  br_ssl_engine_set_x509(&c->tls.eng, &c->vtable);
  br_ssl_engine_set_buffer(&c->tls.eng, c->io, sizeof c->io, 1);
  c->tls.eng.rng_os_rand_done = 1;
  br_ssl_engine_inject_entropy(&c->tls.eng, "client", 6);
  if (own)
    br_ssl_client_set_single_ec(&c->tls, own->chain, own->chain_length, &key->key.ec,
                                BR_KEYTYPE_SIGN, BR_KEYTYPE_EC, br_ec_get_default(),
                                br_ecdsa_sign_asn1_get_default());
}

static inline bool client_is_in(struct tls_client const *c, unsigned int states) {
  return br_ssl_engine_current_state(&c->tls.eng) & states;
}

#endif
