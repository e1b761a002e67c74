/* Which certificate and suite a client gets: the first suite of our list that it knows, for which
 * one of the certificates will do.  BearSSL's own policies have one certificate each. */
#include "tls/tls.h"

#include <string.h>
#include <unistd.h>

/* What the handshake's key exchange is signed with, best first: SHA-256 is what everybody has. */
static struct {
  int id;
  unsigned char const *oid;
} const hashes[] = {
    {br_sha256_ID, BR_HASH_OID_SHA256},
    {br_sha384_ID, BR_HASH_OID_SHA384},
    {br_sha512_ID, BR_HASH_OID_SHA512},
};
enum {
  HASHES = sizeof hashes / sizeof *hashes,
  HASH_MAX = 64,
  ECDSA_HASHES = 8,          /* where they begin in br_ssl_server_get_client_hashes */
  HASHED_FOR_US = 0xFF00,    /* of algo_id */
  ECDSA_SIGNATURE_MAX = 139, /* P-521, in DER */
};

/* 0 if client and we have none in common. */
static int common_hash(uint32_t client_hashes) {
  for (size_t i = 0; i < HASHES; i++)
    if (client_hashes >> hashes[i].id & 1) return hashes[i].id;
  return 0;
}

/* The hash to sign with, if these credentials will do for the suite and the client. */
static int hash_for(struct credentials const *c, br_ssl_server_context const *server,
                    unsigned int key_exchange) {
  uint32_t client_hashes = br_ssl_server_get_client_hashes(server);
  if (c->key.type == BR_KEYTYPE_RSA)
    return key_exchange == BR_SSLKEYX_ECDHE_RSA ? common_hash(client_hashes & 0xFF) : 0;
  if (key_exchange != BR_SSLKEYX_ECDHE_ECDSA) return 0;
  if (!(br_ssl_server_get_client_curves(server) >> c->key.ec.curve & 1)) return 0;
  return common_hash(client_hashes >> ECDSA_HASHES & 0xFF);
}

static bool choose_from(struct choice *c, struct identity const *identity,
                        br_ssl_server_context const *server, br_ssl_server_choices *choices) {
  size_t n;
  br_suite_translated const *suites = br_ssl_server_get_client_suites(server, &n);
  for (size_t s = 0; s < n; s++) {
    for (size_t i = 0; i < identity->n; i++) {
      struct credentials const *candidate = identity->of[i];
      int hash = hash_for(candidate, server, suites[s][1] >> 12);
      if (!hash) continue;
      choices->cipher_suite = suites[s][0];
      choices->algo_id = HASHED_FOR_US + (unsigned int)hash;
      choices->chain = candidate->chain;
      choices->chain_len = candidate->chain_length;
      c->chosen = candidate;
      return true;
    }
  }
  return false;
}

void choice_end(struct choice *c) {
  if (c->loader >= 0) close(c->loader); /* a loader that is not asked goes, too */
  c->loader = -1;
}

struct identity const *choice_identity(struct choice *c, char const *server_name) {
  struct identity const *own = 0;
  if (c->loader >= 0 && *server_name) own = loader_ask(c->loader, server_name, &c->loader_failed);
  choice_end(c);
  if (own) c->identity = own;
  return c->identity;
}

static int choose(br_ssl_server_policy_class const **context, br_ssl_server_context const *server,
                  br_ssl_server_choices *choices) {
  struct choice *c = (struct choice *)(void *)context;
  char const *name = br_ssl_engine_get_server_name(&server->eng);
  return choose_from(c, choice_identity(c, name), server, choices);
}

/* Suites without ephemeral keys are never offered. */
static uint32_t exchange_no_key(br_ssl_server_policy_class const **context, unsigned char *data,
                                size_t *size) {
  (void)context, (void)data, (void)size;
  return 0;
}

static size_t sign_rsa(br_rsa_private_key const *key, int hash_id, unsigned char const *hash,
                       size_t hash_size, unsigned char *to, size_t room) {
  size_t size = (key->n_bitlen + 7) / 8;
  if (size > room) return 0;
  for (size_t i = 0; i < HASHES; i++)
    if (hashes[i].id == hash_id)
      return br_rsa_pkcs1_sign_get_default()(hashes[i].oid, hash, hash_size, key, to) ? size : 0;
  return 0;
}

static size_t sign_ec(br_ec_private_key const *key, int hash_id, unsigned char const *hash,
                      unsigned char *to, size_t room) {
  br_hash_class const *class = hash_id == br_sha256_ID   ? &br_sha256_vtable
                               : hash_id == br_sha384_ID ? &br_sha384_vtable
                                                         : &br_sha512_vtable;
  if (room < ECDSA_SIGNATURE_MAX) return 0;
  return br_ecdsa_sign_asn1_get_default()(br_ec_get_default(), class, hash, key, to);
}

/* data: the hash, and the place for the signature. */
static size_t sign(br_ssl_server_policy_class const **context, unsigned int algorithm,
                   unsigned char *data, size_t hash_size, size_t room) {
  struct choice const *c = (struct choice const *)(void const *)context;
  unsigned char hash[HASH_MAX];
  int id = (int)(algorithm & 0xFF);
  if (hash_size > sizeof hash) return 0;
  memcpy(hash, data, hash_size);
  struct private_key const *key = &c->chosen->key;
  if (key->type == BR_KEYTYPE_RSA) return sign_rsa(&key->rsa, id, hash, hash_size, data, room);
  return sign_ec(&key->ec, id, hash, data, room);
}

static br_ssl_server_policy_class const policy = {
    .context_size = sizeof(struct choice),
    .choose = choose,
    .do_keyx = exchange_no_key,
    .do_sign = sign,
};

void choice_init(struct choice *c, struct identity const *identity, int loader) {
  *c = (struct choice){.vtable = &policy, .identity = identity, .loader = loader};
}
