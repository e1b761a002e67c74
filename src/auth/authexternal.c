/* authexternal: SASL EXTERNAL (RFC 4422 appendix A): the user is the one whom the client's
 * certificate names, which the TLS side has verified; see authexternal(8).  Linked dynamically, for
 * NSS. */
#include "auth/source.h"
#include "base/base.h"

static struct auth_result verify(struct auth_credentials const *c, struct auth_account *a) {
  static struct source_entry entry; /* the account points into it */
  static char room[USER_ROOM];
  char const *identity = tls_peer_identity();
  if (!identity) return (struct auth_result){AUTH_DECLINE, "no-certificate"};
  char const *user = a->user = domain_complete(identity, room);
  if (c->authzid && !domain_same(c->authzid, user))
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
