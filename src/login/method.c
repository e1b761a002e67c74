/* The ways of logging in: what they are called, which modules provide them, and what a connection
 * must have for them.  How the client is asked is the parser's affair. */
#include "login/login.h"

#include <stdlib.h>
#include <string.h>

struct method_facts const methods[METHOD_COUNT] = {
    [METHOD_LOGIN] = {.name = "LOGIN", .command = "LOGIN", .user = true, .secret = true},
    [METHOD_PLAIN] =
        {.name = "PLAIN", .command = "AUTHENTICATE", .sasl = true, .user = true, .secret = true},
    [METHOD_CRAM_MD5] = {.name = "CRAM-MD5",
                         .command = "AUTHENTICATE",
                         .sasl = true,
                         .mechanism = true,
                         .challenged = true,
                         .user = true,
                         .secret = true},
#define BY_ONE_MESSAGE(text) \
  { .name = (text), .command = "AUTHENTICATE", .sasl = true, .mechanism = true, .secret = true }
    [METHOD_SCRAM_SHA_1] = BY_ONE_MESSAGE("SCRAM-SHA-1"),
    [METHOD_SCRAM_SHA_1_PLUS] = BY_ONE_MESSAGE("SCRAM-SHA-1-PLUS"),
    [METHOD_SCRAM_SHA_256] = BY_ONE_MESSAGE("SCRAM-SHA-256"),
    [METHOD_SCRAM_SHA_256_PLUS] = BY_ONE_MESSAGE("SCRAM-SHA-256-PLUS"),
    [METHOD_OAUTHBEARER] = BY_ONE_MESSAGE("OAUTHBEARER"),
    [METHOD_XOAUTH2] = BY_ONE_MESSAGE("XOAUTH2"),
#undef BY_ONE_MESSAGE
    [METHOD_EXTERNAL] = {.name = "EXTERNAL",
                         .command = "AUTHENTICATE",
                         .sasl = true,
                         .mechanism = true},
};

enum {
  PASSWORDS = 1 << METHOD_LOGIN | 1 << METHOD_PLAIN,
  SCRAM_OLD = 1 << METHOD_SCRAM_SHA_1 | 1 << METHOD_SCRAM_SHA_1_PLUS,
  SCRAM_BOUND = 1 << METHOD_SCRAM_SHA_1_PLUS | 1 << METHOD_SCRAM_SHA_256_PLUS,
  SCRAM = SCRAM_OLD | SCRAM_BOUND | 1 << METHOD_SCRAM_SHA_256,
};

/* Modules that take something else than passwords, or more. */
static struct provider {
  char const *module;
  uint32_t methods, wished; /* `wished`: if IMAP_CRAM_MD5 says so */
} const providers[] = {
    {"authcram", 1 << METHOD_CRAM_MD5, 0},
    {"authscram", SCRAM, 0},
    {"authexternal", 1 << METHOD_EXTERNAL, 0},
    {"authoauth", 1 << METHOD_OAUTHBEARER | 1 << METHOD_XOAUTH2, 0},
    /* Few auth services have secrets for it, and clients that find it offered may try no other. */
    {"authclient", PASSWORDS, 1 << METHOD_CRAM_MD5},
};

static uint32_t methods_of(char const *module) {
  struct provider const *p = providers, *end = p + sizeof providers / sizeof *p;
  while (p < end && strcmp(module, p->module) != 0) p++;
  if (p == end) return PASSWORDS;
  return p->methods | (setting_switch("IMAP_CRAM_MD5", false) ? p->wished : 0);
}

uint32_t methods_of_chain(char const *const *argv) {
  uint32_t bits = 0;
  for (argv++; *argv && is_module(*argv); argv++) bits |= methods_of(base_name(*argv));
  return bits;
}

uint32_t methods_offered(char const *const *argv, bool tls) {
  uint32_t bits = methods_of_chain(argv);
  if (!setting_switch("IMAP_SCRAM_SHA1", false)) bits &= ~(uint32_t)SCRAM_OLD;
  if (!tls || !getenv("SSL_SERVER_END_POINT")) bits &= ~(uint32_t)SCRAM_BOUND;
  if (!tls || !tls_peer_identity()) bits &= ~(1U << METHOD_EXTERNAL);
  return bits;
}
