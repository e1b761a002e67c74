/* authscram: SCRAM-SHA-256 and SCRAM-SHA-1, with and without -PLUS (RFC 5802, 7677), against the
 * keys in userdb(5); see authscram(8).  A user who is not there, or has no key, is played the same
 * game, with a salt that stays the same, and loses it. */
#include "auth/scram.h"
#include "auth/source.h"
#include "base/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct auth_result refused(char const *reason) {
  return (struct auth_result){AUTH_REFUSE, reason};
}

static struct auth_result const unavailable = {AUTH_TEMPORARY, "userdb"};

/* The player on our side. */
struct game {
  struct scram scram;
  struct source_entry entry;
  struct scram_key key;
  char const *lost; /* why the user cannot win whatever the proof is; or null */
};

/* ---- channel binding: RFC 5802 section 6 ---- */

static int hex_value(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What tlsd has computed; 0: nothing that can be used. */
static size_t read_end_point(unsigned char out[SCRAM_BINDING_MAX]) {
  char const *text = getenv("SSL_SERVER_END_POINT");
  size_t size = text ? strlen(text) / 2 : 0;
  if (!text || strlen(text) % 2 || size > SCRAM_BINDING_MAX) return 0;
  for (size_t i = 0; i < size; i++) {
    int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return 0;
    out[i] = (unsigned char)(high << 4 | low);
  }
  return size;
}

/* Null, or the reason to refuse.  A client that could bind and has not been offered to (`y`),
 * though we did offer it with either hash, has somebody in between who has taken the offer away. */
static char const *check_binding(struct scram *s, bool plus) {
  s->binding_size = read_end_point(s->binding);
  if (plus) return s->flag == 'p' && s->binding_size ? 0 : "channel-binding";
  if (s->flag == 'p') return "channel-binding";
  return s->flag == 'y' && s->binding_size ? "channel-binding-downgrade" : 0;
}

/* ---- names: RFC 5802 section 5.1 ---- */

struct prepared {
  bool good;
  char name[SCRAM_USER_MAX + 1];
};

static void work_on_name(void const *question, void *out) {
  struct prepared *p = out;
  char *prepared = saslprep(question);
  size_t size = prepared ? strlen(prepared) : 0;
  p->good = size && size <= SCRAM_USER_MAX;
  if (p->good) memcpy(p->name, prepared, size + 1);
}

static bool is_ascii(char const *s) {
  for (; *s; s++)
    if ((unsigned char)*s >= 0x80) return false;
  return true;
}

/* By SASLprep, in place.  Of ASCII it leaves all but control characters as it is; the tables for
 * anything else are not for a process that is root. */
static struct auth_result prepare_name(char name[SCRAM_USER_MAX + 1]) {
  static struct prepared p;
  struct auth_result const bad = refused("malformed-user-name");
  struct auth_result const good = {AUTH_ACCEPT, 0};
  for (char const *c = name; *c; c++)
    if ((unsigned char)*c < ' ' || *c == 0x7f) return bad;
  if (is_ascii(name)) return good;
  if (!confined_call(work_on_name, name, &p, sizeof p)) return unavailable;
  if (!p.good || !memchr(p.name, 0, sizeof p.name)) return bad;
  memcpy(name, p.name, sizeof p.name);
  return good;
}

/* ---- keys ---- */

/* A salt for whoever has none: always the same for one name, with its domain or without, like
 * anybody else's, and nobody who has not the secret can tell. */
static void derive_salt(struct scram_kind const *kind, char const *user,
                        unsigned char const *secret, struct scram_key *k) {
  unsigned char hash[br_sha256_SIZE];
  br_hmac_key_context key;
  br_hmac_context c;
  br_hmac_key_init(&key, &br_sha256_vtable, secret, INSTALLATION_SECRET_SIZE);
  br_hmac_init(&c, &key, 0);
  br_hmac_update(&c, kind->name, strlen(kind->name) + 1);
  br_hmac_update(&c, user, strlen(user));
  br_hmac_out(&c, hash);
  k->iterations = SCRAM_ITERATIONS;
  k->salt_size = SCRAM_SALT_SIZE;
  memcpy(k->salt, hash, SCRAM_SALT_SIZE);
}

static char const *key_text(struct game const *g) {
  return g->scram.kind == &scram_sha_256 ? g->entry.scram_sha_256 : g->entry.scram_sha_1;
}

/* False, after a log line: the user's key is damaged. */
static bool find_key(struct game *g, char const *user, bool known, unsigned char const *secret) {
  char const *text = known ? key_text(g) : 0;
  derive_salt(g->scram.kind, user, secret, &g->key);
  g->lost = text ? 0 : known ? "no-password" : "unknown-user";
  if (!text || scram_key_parse(g->scram.kind, text, &g->key)) return true;
  log_event("failed", "attempt", "read the SCRAM key", "user", g->scram.user, "why",
            "it is not iterations:salt$stored:server", "remedy", "set it again with userdbpw -S",
            (char *)0);
  return false;
}

/* ---- the game ---- */

static void make_nonce(char nonce[SCRAM_OWN_NONCE]) {
  unsigned char random[SCRAM_OWN_NONCE / 4 * 3];
  if (getentropy(random, sizeof random) < 0)
    log_die_failure(EXIT_TEMPORARY, "getentropy", 0, "the kernel must offer getrandom(2)");
  base64_encode(random, sizeof random, nonce);
}

/* The client must have seen our proof and agree: an empty message. */
static struct auth_result prove(struct game const *g, struct auth_dialogue *d, char const *final) {
  char answer[DIALOGUE_MAX + 1];
  struct auth_result result = source_judge(&g->entry, true);
  if (result.verdict != AUTH_ACCEPT) return result;
  char const *end = auth_ask(d, final, strlen(final), answer);
  if (!end && *answer) end = "malformed-message";
  return end ? refused(end) : result;
}

/* RFC 5802 section 7: server-error, which the client answers with nothing. */
static struct auth_result tell_unbound(struct auth_dialogue *d) {
  static char const error[] = "e=channel-bindings-dont-match";
  char answer[DIALOGUE_MAX + 1];
  auth_ask(d, error, strlen(error), answer);
  return refused("channel-binding-mismatch");
}

static struct auth_result play(struct game *g, struct auth_dialogue *d) {
  char nonce[SCRAM_OWN_NONCE], message[DIALOGUE_MAX + 1], final[SCRAM_MESSAGE_MAX];
  make_nonce(nonce);
  scram_challenge(&g->scram, &g->key, nonce);
  char const *end = auth_ask(d, g->scram.first, strlen(g->scram.first), message);
  if (end) return refused(end);
  switch (scram_finish(&g->scram, &g->key, message, final)) {
  case SCRAM_MALFORMED: return refused("malformed-message");
  case SCRAM_UNBOUND: return tell_unbound(d);
  case SCRAM_WRONG: return refused(g->lost ? g->lost : "wrong-password");
  case SCRAM_RIGHT: break;
  }
  return g->lost ? refused(g->lost) : prove(g, d, final);
}

static struct auth_result find_and_play(struct game *g, struct auth_dialogue *d) {
  unsigned char secret[INSTALLATION_SECRET_SIZE];
  char room[USER_ROOM];
  struct source_query q = {domain_complete(g->scram.user, room), source_service()};
  if (installation_secret(secret) < 0) return (struct auth_result){AUTH_TEMPORARY, "scram-secret"};
  source_open(&source_userdb);
  enum source_answer answer = source_lookup(&source_userdb, &q, &g->entry);
  bool good = answer != SOURCE_TEMPORARY && find_key(g, q.name, answer == SOURCE_FOUND, secret);
  explicit_bzero(secret, sizeof secret);
  return good ? play(g, d) : unavailable;
}

/* The mechanism's name: its hash, and whether it is bound. */
static bool take_mechanism(struct scram *s, char const *name) {
  size_t size = strlen(scram_sha_1.name);
  bool old = !strncmp(name, scram_sha_1.name, size) && (!name[size] || name[size] == '-');
  s->kind = old ? &scram_sha_1 : &scram_sha_256;
  return name[strlen(s->kind->name)];
}

/* What can be said without asking the client anything. */
static struct auth_result begin(struct scram *s, struct auth_credentials const *c,
                                struct auth_account *a) {
  bool plus = take_mechanism(s, c->mechanism);
  if (!scram_begin(s, c->response)) return refused("malformed-message");
  a->user = s->user;
  struct auth_result result = prepare_name(s->user);
  if (result.verdict == AUTH_ACCEPT && *s->authzid) result = prepare_name(s->authzid);
  if (result.verdict != AUTH_ACCEPT) return result;
  char const *problem = check_binding(s, plus);
  if (problem) return refused(problem);
  if (*s->authzid && !domain_same(s->authzid, s->user)) return refused("authorization-identity");
  return result;
}

static struct auth_result verify(struct auth_credentials const *c, struct auth_account *a) {
  static struct game g; /* the account points into it */
  struct auth_result result = begin(&g.scram, c, a);
  if (result.verdict == AUTH_ACCEPT) result = find_and_play(&g, c->dialogue);
  source_wipe(&g.entry);
  explicit_bzero(&g.key, sizeof g.key);
  if (result.verdict == AUTH_ACCEPT) *a = g.entry.account;
  return result;
}

int main(int argc, char **argv) {
  static char const *const mechanisms[] = {"SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1",
                                           "SCRAM-SHA-1-PLUS", 0};
  static struct auth_module const module = {
      .name = "authscram", .mechanisms = mechanisms, .no_passwords = true, .verify = verify};
  auth_run(argc, argv, &module);
}
