/* SCRAM's messages: RFC 5802 section 5 and 7.  What the client has sent is read once, from the
 * left, each attribute at its place; the proof is judged in constant time. */
#include "auth/scram.h"
#include "base/base.h"

#include <stdio.h>
#include <string.h>

struct scram_kind const scram_sha_1 = {"SCRAM-SHA-1", &br_sha1_vtable, br_sha1_SIZE};
struct scram_kind const scram_sha_256 = {"SCRAM-SHA-256", &br_sha256_vtable, br_sha256_SIZE};

static char const binding_name[] = "p=tls-server-end-point";

/* ---- the client's first message ---- */

/* If the text begins with this, what follows it. */
static char const *skip(char const *text, char const *prefix) {
  size_t n = strlen(prefix);
  return !strncmp(text, prefix, n) ? text + n : 0;
}

/* saslname: `=2C` is a comma, `=3D` an equals sign, and neither stands for itself.  Returns where
 * it ends, null if it is none, empty or too long. */
static char const *take_name(char const *text, char out[SCRAM_USER_MAX + 1]) {
  size_t size = 0;
  while (*text && *text != ',') {
    char c = *text++;
    if (c == '=') {
      bool comma = skip(text, "2C"), equals = skip(text, "3D");
      if (!comma && !equals) return 0;
      c = comma ? ',' : '=';
      text += 2;
    }
    if (size == SCRAM_USER_MAX) return 0;
    out[size++] = c;
  }
  out[size] = 0;
  return size ? text : 0;
}

/* gs2-cbind-flag.  A client that names another binding than the one we know wants what it cannot
 * have. */
static char const *take_flag(struct scram *s, char const *text) {
  char const *bound = skip(text, binding_name);
  s->flag = *text;
  if (bound) return bound;
  return *text == 'n' || *text == 'y' ? text + 1 : 0;
}

/* gs2-header = gs2-cbind-flag "," [ "a=" saslname ] "," */
static char const *take_header(struct scram *s, char const *text) {
  s->header = text;
  s->authzid[0] = 0;
  text = take_flag(s, text);
  if (!text || *text++ != ',') return 0;
  char const *authzid = skip(text, "a=");
  if (authzid) text = take_name(authzid, s->authzid);
  return text && *text == ',' ? text + 1 : 0;
}

/* printable without comma */
static size_t nonce_size(char const *text) {
  size_t n = 0;
  while (text[n] > ' ' && text[n] <= '~' && text[n] != ',') n++;
  return n;
}

/* client-first-message-bare = username "," nonce ["," extensions]; `m=`, an extension that must be
 * understood, is none that exists.  Others are signed and mean nothing. */
bool scram_begin(struct scram *s, char const *message) {
  s->bare = take_header(s, message);
  char const *text = s->bare ? skip(s->bare, "n=") : 0;
  if (text) text = take_name(text, s->user);
  if (text) text = skip(text, ",r=");
  if (!text) return false;
  s->nonce = text;
  s->nonce_size = nonce_size(text);
  text += s->nonce_size;
  return s->nonce_size && s->nonce_size <= SCRAM_NONCE_MAX && (!*text || *text == ',');
}

/* ---- ours ---- */

_Static_assert(SCRAM_MESSAGE_MAX >= 2 + SCRAM_NONCE_MAX + SCRAM_OWN_NONCE + 3 +
                                        (SCRAM_SALT_MAX + 2) / 3 * 4 + 3 + 10 + 1,
               "server-first-message fits");

/* server-first-message = nonce "," salt "," iteration-count */
void scram_challenge(struct scram *s, struct scram_key const *k, char const *nonce) {
  char salt[(SCRAM_SALT_MAX + 2) / 3 * 4 + 1];
  salt[base64_encode(k->salt, k->salt_size, salt)] = 0;
  snprintf(s->first, sizeof s->first, "r=%.*s%.*s,s=%s,i=%lu", (int)s->nonce_size, s->nonce,
           SCRAM_OWN_NONCE, nonce, salt, (unsigned long)k->iterations);
}

/* ---- the client's final message ---- */

/* channel-binding = "c=" base64 of the header as it was sent and, with `p`, what both sides know of
 * the channel.  Returns what follows it. */
static char const *take_binding(struct scram const *s, char const *text) {
  enum { INPUT_MAX = sizeof binding_name + 4 + 3 * SCRAM_USER_MAX + SCRAM_BINDING_MAX };
  char input[INPUT_MAX], encoded[(INPUT_MAX + 2) / 3 * 4 + 1];
  size_t size = (size_t)(s->bare - s->header);
  memcpy(input, s->header, size);
  if (s->flag == 'p') {
    memcpy(input + size, s->binding, s->binding_size);
    size += s->binding_size;
  }
  encoded[base64_encode(input, size, encoded)] = 0;
  text = skip(text, "c=");
  return text ? skip(text, encoded) : 0;
}

/* nonce = "r=" both parts: what server-first-message begins with. */
static char const *take_nonce(struct scram const *s, char const *text) {
  size_t size = strcspn(s->first, ",");
  return !strncmp(text, s->first, size) ? text + size : 0;
}

/* The last attribute, `,p=` and base64 of exactly one hash.  Returns where it begins. */
static char const *take_proof(struct scram const *s, char const *text,
                              unsigned char proof[SCRAM_HASH_MAX]) {
  char decoded[(SCRAM_HASH_MAX + 2) / 3 * 3];
  char const *comma = strrchr(text, ',');
  char const *encoded = comma ? skip(comma, ",p=") : 0;
  if (!encoded || strlen(encoded) != (s->kind->size + 2) / 3 * 4) return 0;
  if (base64_decode(encoded, strlen(encoded), decoded) != (ssize_t)s->kind->size) return 0;
  memcpy(proof, decoded, s->kind->size);
  return comma;
}

/* HMAC of AuthMessage = client-first-message-bare "," server-first-message ","
 * client-final-message-without-proof */
static void sign(struct scram const *s, unsigned char const *key, char const *final, size_t size,
                 unsigned char out[SCRAM_HASH_MAX]) {
  br_hmac_key_context keyed;
  br_hmac_context c;
  br_hmac_key_init(&keyed, s->kind->hash, key, s->kind->size);
  br_hmac_init(&c, &keyed, 0);
  br_hmac_update(&c, s->bare, strlen(s->bare));
  br_hmac_update(&c, ",", 1);
  br_hmac_update(&c, s->first, strlen(s->first));
  br_hmac_update(&c, ",", 1);
  br_hmac_update(&c, final, size);
  br_hmac_out(&c, out);
}

/* ClientProof XOR ClientSignature is ClientKey, whose hash we know. */
static bool is_right(struct scram const *s, struct scram_key const *k, unsigned char *proof,
                     char const *final, size_t size) {
  unsigned char signature[SCRAM_HASH_MAX], stored[SCRAM_HASH_MAX], difference = 0;
  br_hash_compat_context hash;
  size_t n = s->kind->size;
  sign(s, k->stored, final, size, signature);
  for (size_t i = 0; i < n; i++) proof[i] ^= signature[i];
  s->kind->hash->init(&hash.vtable);
  s->kind->hash->update(&hash.vtable, proof, n);
  s->kind->hash->out(&hash.vtable, stored);
  explicit_bzero(proof, n);
  for (size_t i = 0; i < n; i++) difference |= stored[i] ^ k->stored[i];
  return !difference;
}

/* Whether the message begins with some `c=`, in base64. */
static bool has_binding(char const *message) {
  char const *text = skip(message, "c=");
  return text && *text != ',' && strchr(text, ',');
}

/* channel-binding "," nonce ["," extensions] "," proof */
enum scram_result scram_finish(struct scram const *s, struct scram_key const *k,
                               char const *message, char final[SCRAM_MESSAGE_MAX]) {
  unsigned char proof[SCRAM_HASH_MAX], signature[SCRAM_HASH_MAX];
  char const *text = take_binding(s, message);
  if (text) text = skip(text, ",");
  if (!text) return has_binding(message) ? SCRAM_UNBOUND : SCRAM_MALFORMED;
  text = take_nonce(s, text);
  char const *end = text ? take_proof(s, text, proof) : 0;
  if (!end || *text != ',' || skip(text, ",m=")) return SCRAM_MALFORMED;
  size_t size = (size_t)(end - message);
  if (!is_right(s, k, proof, message, size)) return SCRAM_WRONG;
  sign(s, k->server, message, size, signature);
  memcpy(final, "v=", 2);
  final[2 + base64_encode(signature, s->kind->size, final + 2)] = 0;
  return SCRAM_RIGHT;
}
