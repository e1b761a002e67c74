/* authcram: CRAM-MD5 (RFC 2195) against the secrets in userdb(5); see authcram(8).  imaplogin has
 * made the challenge and knows that it has never been there before. */
#include "auth/source.h"
#include "base/base.h"

static struct auth_result judge(struct source_entry const *e, struct auth_credentials const *c) {
  char digest[CRAM_DIGEST_SIZE];
  if (!e->hmac_md5) return (struct auth_result){AUTH_DECLINE, "no-password"};
  if (cram_digest(e->hmac_md5, c->challenge, digest))
    return source_judge(e, password_equal(digest, c->response));
  log_event("failed", "attempt", "read hmac-md5pw", "user", c->user, "why",
            "it is not 64 hexadecimal digits", "remedy", "set it again with userdbpw -m",
            (char *)0);
  return (struct auth_result){AUTH_TEMPORARY, source_userdb.unavailable};
}

static struct auth_result verify(struct auth_credentials const *c, struct auth_account *a) {
  static struct source_entry entry; /* the account points into it */
  struct source_query q = {c->user, source_service()};
  source_open(&source_userdb);
  switch (source_lookup(&source_userdb, &q, &entry)) {
  case SOURCE_UNKNOWN: return (struct auth_result){AUTH_DECLINE, "unknown-user"};
  case SOURCE_TEMPORARY: return (struct auth_result){AUTH_TEMPORARY, source_userdb.unavailable};
  case SOURCE_FOUND: break;
  }
  struct auth_result result = judge(&entry, c);
  source_wipe(&entry);
  if (result.verdict == AUTH_ACCEPT) *a = entry.account;
  return result;
}

int main(int argc, char **argv) {
  static char const *const mechanisms[] = {"CRAM-MD5", 0};
  static struct auth_module const module = {
      .name = "authcram", .mechanisms = mechanisms, .no_passwords = true, .verify = verify};
  auth_run(argc, argv, &module);
}
