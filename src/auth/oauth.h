/* oauth: SASL OAUTHBEARER (RFC 7628) and XOAUTH2, with bearer tokens that are JSON Web Tokens
 * (RFC 7519) signed by RS256 or ES256 (RFC 7518).
 *
 *   oauth_message.c    the client's message, and the token's outer form
 *   oauth_json.c       what is JSON: a key set, a token's header, its claims        (jansson)
 *   oauth_signature.c  whether a key has signed it                                  (BearSSL)
 *
 * What comes from elsewhere is taken apart in a confined child (confined.c) each time, which
 * returns one of the structures below.  There are three such steps, each in a child of its own, so
 * that none of them can lie about what another has found: the keys, from the administrator's file,
 * without the token; the message and the token's header, which anybody can write; and the claims,
 * once the parent has found the signature over them good.
 *
 * jansson, of the JSON libraries that Debian has, because it refuses what two readers may read
 * differently: names that are there twice, NUL in strings, wrong UTF-8, numbers out of range.
 */
#ifndef AUTH_OAUTH_H
#define AUTH_OAUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  OAUTH_MESSAGE_MAX = 3400, /* as imaplogin takes it */
  OAUTH_USER_MAX = 512,
  OAUTH_KID_MAX = 256,
  OAUTH_KEYS_MAX = 32,      /* of one set: an issuer has two or three */
  OAUTH_RSA_MAX = 4096 / 8, /* BearSSL's limit */
  OAUTH_RSA_MIN = 2048 / 8, /* RFC 7518 section 3.3 */
  OAUTH_SIGNATURE_MAX = OAUTH_RSA_MAX,
  OAUTH_POINT_SIZE = 65, /* 4, x, y */
};

/* Why somebody is refused; oauth_problems has the words. */
enum oauth_problem {
  OAUTH_GOOD,
  OAUTH_MESSAGE,   /* no message of this mechanism */
  OAUTH_TOKEN,     /* no JSON Web Token */
  OAUTH_ALGORITHM, /* another algorithm, or an extension that must be understood */
  OAUTH_KEY,       /* no such key */
  OAUTH_SIGNATURE,
  OAUTH_ISSUER,
  OAUTH_AUDIENCE,
  OAUTH_EXPIRED,
  OAUTH_EARLY,
  OAUTH_SCOPE,
  OAUTH_NO_USER,    /* the claim that names the user is missing or no name */
  OAUTH_OTHER_USER, /* the client wants to be somebody else */
  OAUTH_PROBLEMS
};
struct oauth_problem_words {
  char const *reason; /* for the log */
  char const *status; /* RFC 7628 section 3.2.2, RFC 6750 section 3.1 */
};
extern struct oauth_problem_words const oauth_problems[OAUTH_PROBLEMS];

enum oauth_algorithm { OAUTH_RS256, OAUTH_ES256, OAUTH_ALGORITHMS };

/* ---- oauth_json.c ---- */
/* To be called before confinement. */
void oauth_prepare(void);

struct oauth_key {
  enum oauth_algorithm algorithm;
  char id[OAUTH_KID_MAX + 1];           /* empty: none */
  unsigned char n[OAUTH_RSA_MAX], e[8]; /* RSA: big-endian */
  size_t n_size, e_size;
  unsigned char point[OAUTH_POINT_SIZE]; /* P-256 */
};
struct oauth_keys {
  bool good; /* it is a set of keys (RFC 7517 section 5) */
  size_t count;
  struct oauth_key keys[OAUTH_KEYS_MAX];
};
/* Takes those keys that can verify RS256 or ES256. */
void oauth_read_keys(char const *text, size_t size, struct oauth_keys *);

struct oauth_header {
  enum oauth_algorithm algorithm;
  char key[OAUTH_KID_MAX + 1]; /* its id; empty: not said */
};
enum oauth_problem oauth_read_header(char const *json, size_t size, struct oauth_header *);

/* What a token must say; lists have blanks between their words. */
struct oauth_demands {
  char const *issuer, *audiences;
  char const *scopes; /* all of them; empty: any */
  char const *user_claim;
  int64_t now, leeway; /* seconds */
};
struct oauth_claims {
  enum oauth_problem problem;
  char user[OAUTH_USER_MAX + 1];
};
void oauth_read_claims(char const *json, size_t size, struct oauth_demands const *,
                       struct oauth_claims *);

/* ---- oauth_message.c ---- */
struct oauth_request {
  enum oauth_problem problem;
  char user[OAUTH_USER_MAX + 1]; /* whom the client wants to be; empty: not said */
  struct oauth_header header;
  char text[OAUTH_MESSAGE_MAX + 1]; /* what is signed: header and claims, in base64url */
  unsigned char signature[OAUTH_SIGNATURE_MAX];
  size_t signature_size;
};
void oauth_read_message(char const *message, bool bearer, struct oauth_request *);
/* The claims within what is signed, decoded; returns their size, -1. */
ptrdiff_t oauth_decode_claims(char const *text, char out[OAUTH_MESSAGE_MAX]);
/* base64url (RFC 7515 section 2); out has room for size bytes.  -1: it is none. */
ptrdiff_t oauth_decode(char const *text, size_t size, char *out);

/* ---- oauth_signature.c ---- */
/* Whether any of the keys that may have made it has. */
enum oauth_problem oauth_check_signature(struct oauth_request const *, struct oauth_keys const *);

#endif
