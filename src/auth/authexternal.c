/* authexternal: SASL EXTERNAL (RFC 4422 appendix A): the user is the one whom the client's
 * certificate names, which the TLS side has verified; see authexternal(8).  Linked dynamically, for
 * NSS. */
#include "auth/source.h"
#include "base/base.h"

#include <string.h>

static struct auth_result verify(struct auth_credentials const *c, struct auth_account *a) {
  static struct source_entry entry; /* the account points into it */
  char const *user = tls_peer_identity();
  if (!user) return (struct auth_result){AUTH_DECLINE, "no-certificate"};
  a->user = user;
  if (c->authzid && strcmp(c->authzid, user))
    return (struct auth_result){AUTH_REFUSE, "authorization-identity"};
  struct auth_result result = proven_verify(user, &entry);
  source_wipe(&entry);
  if (result.verdict == AUTH_ACCEPT) *a = entry.account;
  return result;
}

int main(int argc, char **argv) {
  static char const *const mechanisms[] = {"EXTERNAL", 0};
  static struct auth_module const module = {.name = "authexternal",
                                            .mechanisms = mechanisms,
                                            .no_passwords = true,
                                            .authzid = true,
                                            .verify = verify};
  auth_run(argc, argv, &module);
}
