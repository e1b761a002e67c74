/* scram: the server's side of SCRAM (RFC 5802, 7677), and the keys it is played with.
 *
 *   scram_key.c   keys as the user database has them (RFC 5803): parsing and writing
 *   scram_make.c  keys from a password, which for this is prepared as SASLprep wants
 *   scram.c       the messages: parsing the client's, making the server's, the proof
 *   saslprep.c    RFC 4013: names and passwords
 *
 * Nothing here asks anybody for anything: authscram.c holds the dialogue.  The parser of the
 * client's messages has no state but its place in the text, copies nothing, and is fuzzed
 * (tests/auth/scram.c feeds it noise, too); a process of its own to confine it would be larger than
 * itself.
 */
#ifndef SCRAM_H
#define SCRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bearssl.h>

enum {
  SCRAM_HASH_MAX = 32,
  SCRAM_SALT_SIZE = 16, /* of our own making */
  SCRAM_SALT_MAX = 64,
  /* What our own keys have: RFC 7677 section 4 wants 4,096 at least, and says that phones take half
   * a second for them. */
  SCRAM_ITERATIONS = 4096,
  SCRAM_ITERATIONS_MAX = 10000000,
  SCRAM_NONCE_MAX = 256,   /* the client's; real ones have 20 to 50 */
  SCRAM_OWN_NONCE = 24,    /* ours: 18 bytes in base64 */
  SCRAM_USER_MAX = 512,    /* as for passwords */
  SCRAM_BINDING_MAX = 64,  /* of tls-server-end-point: SHA-512 */
  SCRAM_MESSAGE_MAX = 512, /* the server's messages */
  SCRAM_KEY_TEXT = 256,    /* a key as text */
};

struct scram_kind {
  char const *name; /* `SCRAM-SHA-256`, without -PLUS */
  br_hash_class const *hash;
  size_t size; /* of its output */
};
extern struct scram_kind const scram_sha_1, scram_sha_256;

struct scram_key {
  uint32_t iterations;
  unsigned char salt[SCRAM_SALT_MAX];
  size_t salt_size;
  unsigned char stored[SCRAM_HASH_MAX], server[SCRAM_HASH_MAX];
};

/* ---- scram_key.c ---- */
/* `iterations:salt$stored:server`, the three last in base64; RFC 5803's scheme (`SCRAM-SHA-256$`)
 * may stand before it. */
bool scram_key_parse(struct scram_kind const *, char const *text, struct scram_key *);
void scram_key_format(struct scram_kind const *, struct scram_key const *,
                      char text[SCRAM_KEY_TEXT]);

/* ---- scram_make.c ---- */
/* Fills stored and server from the password and the salt and iterations that are there.  False: the
 * password may not be one, by SASLprep. */
bool scram_key_make(struct scram_kind const *, char const *password, struct scram_key *);

/* ---- scram.c ---- */
struct scram {
  struct scram_kind const *kind;
  /* Of the client's first message, which must stay: */
  char const *header, *bare; /* the GS2 header ends where `bare` begins */
  char const *nonce;
  size_t nonce_size;
  char flag; /* channel binding: n (the client cannot), y (thinks that we cannot), p (is used) */
  char user[SCRAM_USER_MAX + 1], authzid[SCRAM_USER_MAX + 1]; /* authzid: empty if none */
  char first[SCRAM_MESSAGE_MAX];                              /* server-first-message */
  unsigned char binding[SCRAM_BINDING_MAX];                   /* with `p` */
  size_t binding_size;
};
/* Reads client-first-message.  False if it is none. */
bool scram_begin(struct scram *, char const *message);
/* Makes server-first-message, with our part of the nonce (printable, without comma). */
void scram_challenge(struct scram *, struct scram_key const *, char const *nonce);
enum scram_result {
  SCRAM_RIGHT,
  SCRAM_WRONG,
  SCRAM_MALFORMED,
  SCRAM_UNBOUND /* `c` is not of this channel, or not what the first message said of binding */
};
/* Reads client-final-message.  With SCRAM_RIGHT `final` is server-final-message. */
enum scram_result scram_finish(struct scram const *, struct scram_key const *, char const *message,
                               char final[SCRAM_MESSAGE_MAX]);

/* ---- saslprep.c ---- */
/* RFC 4013 as far as names and passwords are typed: characters that say nothing (table B.1) go,
 * other blanks become spaces, the rest is normalized by NFKC; control characters, surrogates,
 * private and unassigned ones are refused.  Not done: the rules for texts that mix writing
 * directions.  Returns a string from malloc; null for what may be none. */
char *saslprep(char const *text);

#endif
