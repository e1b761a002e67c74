/* SCRAM keys from a password: RFC 5802 section 3. */
#include "auth/scram.h"

#include <stdlib.h>
#include <string.h>

static void hmac(br_hmac_key_context const *key, void const *data, size_t size, void *out) {
  br_hmac_context c;
  br_hmac_init(&c, key, 0);
  br_hmac_update(&c, data, size);
  br_hmac_out(&c, out);
}

/* Hi(), which is PBKDF2 with one block of output. */
static void salted_password(struct scram_kind const *kind, char const *password,
                            struct scram_key const *k, unsigned char out[SCRAM_HASH_MAX]) {
  unsigned char u[SCRAM_HASH_MAX];
  br_hmac_key_context key;
  br_hmac_context first;
  br_hmac_key_init(&key, kind->hash, password, strlen(password));
  br_hmac_init(&first, &key, 0);
  br_hmac_update(&first, k->salt, k->salt_size);
  br_hmac_update(&first, "\0\0\0\1", 4);
  br_hmac_out(&first, u);
  memcpy(out, u, kind->size);
  for (uint32_t i = 1; i < k->iterations; i++) {
    hmac(&key, u, kind->size, u);
    for (size_t j = 0; j < kind->size; j++) out[j] ^= u[j];
  }
  explicit_bzero(&key, sizeof key);
  explicit_bzero(u, sizeof u);
}

static void make(struct scram_kind const *kind, char const *password, struct scram_key *k) {
  unsigned char salted[SCRAM_HASH_MAX], client[SCRAM_HASH_MAX];
  br_hmac_key_context key;
  br_hash_compat_context hash;
  salted_password(kind, password, k, salted);
  br_hmac_key_init(&key, kind->hash, salted, kind->size);
  hmac(&key, "Client Key", strlen("Client Key"), client);
  hmac(&key, "Server Key", strlen("Server Key"), k->server);
  kind->hash->init(&hash.vtable);
  kind->hash->update(&hash.vtable, client, kind->size);
  kind->hash->out(&hash.vtable, k->stored);
  explicit_bzero(salted, sizeof salted);
  explicit_bzero(client, sizeof client);
  explicit_bzero(&key, sizeof key);
  explicit_bzero(&hash, sizeof hash);
}

bool scram_key_make(struct scram_kind const *kind, char const *password, struct scram_key *k) {
  char *prepared = saslprep(password);
  if (!prepared) return false;
  make(kind, prepared, k);
  explicit_bzero(prepared, strlen(prepared));
  free(prepared);
  return true;
}
