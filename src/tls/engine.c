/* The confined process that holds the key and the connection.  It does TLS and nothing else; what
 * it says of the connection goes to the chain as strings that are not trusted there. */
#include "tls/tls.h"

#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SEED_SIZE = 48 }; /* beyond the strength of anything it is used for */

struct engine {
  br_ssl_server_context server;
  struct relay relay;
  struct choice choice;
  struct sessions sessions;
  struct {
    unsigned char input[BR_SSL_BUFSIZE_INPUT], output[BR_SSL_BUFSIZE_OUTPUT];
  } buffers;
  struct peer peer;
};

static void set_aes_gcm(br_ssl_engine_context *tls, struct suites const *suites) {
  if (!suites->ghash) {
    br_ssl_engine_set_default_aes_gcm(tls);
    return;
  }
  br_ssl_engine_set_gcm(tls, &br_sslrec_in_gcm_vtable, &br_sslrec_out_gcm_vtable);
  br_ssl_engine_set_aes_ctr(tls, suites->aes);
  br_ssl_engine_set_ghash(tls, suites->ghash);
}

static void set_suites(br_ssl_engine_context *tls, struct suites const *suites) {
  br_ssl_engine_set_suites(tls, suites->ids, suites->n);
  set_aes_gcm(tls, suites);
  br_ssl_engine_set_default_chapol(tls);
  br_ssl_engine_set_default_ec(tls);
  br_ssl_engine_set_hash(tls, br_sha256_ID, &br_sha256_vtable);
  br_ssl_engine_set_hash(tls, br_sha384_ID, &br_sha384_vtable);
  br_ssl_engine_set_hash(tls, br_sha512_ID, &br_sha512_vtable);
  br_ssl_engine_set_prf_sha256(tls, br_tls12_sha256_prf);
  br_ssl_engine_set_prf_sha384(tls, br_tls12_sha384_prf);
  if (!suites->with_cbc) return;
  br_ssl_engine_set_default_aes_cbc(tls);
  br_ssl_engine_set_hash(tls, br_sha1_ID, &br_sha1_vtable); /* for HMAC; never for signatures */
}

static void set_sessions(struct engine *e) {
  struct rlimit limit = {e->sessions.size, e->sessions.size};
  sessions_use(&e->sessions, &e->server);
  /* Whoever takes the engine over cannot fill the disk. */
  setrlimit(RLIMIT_FSIZE, &limit);
}

/* Everything that asks the system for something: randomness, here, for the whole connection. */
static void engine_prepare(struct engine *e, struct engine_settings const *s,
                           struct engine_ends const *ends) {
  br_ssl_engine_context *tls = &e->server.eng;
  unsigned char seed[SEED_SIZE];
  br_ssl_server_zero(&e->server);
  br_ssl_engine_set_versions(tls, BR_TLS12, BR_TLS12);
  br_ssl_engine_set_all_flags(tls, BR_OPT_ENFORCE_SERVER_PREFERENCES | BR_OPT_NO_RENEGOTIATION);
  set_suites(tls, &s->suites);
  choice_init(&e->choice, &s->identity, ends->loader);
  br_ssl_server_set_policy(&e->server, &e->choice.vtable);
  e->sessions =
      (struct sessions){.choice = &e->choice, .fd = ends->sessions, .size = s->sessions_size};
  if (ends->sessions >= 0) set_sessions(e);
  if (s->verify != VERIFY_NONE)
    peer_ask(&e->peer, &e->server, &s->authorities, s->verify == VERIFY_REQUIREPEER);
  br_ssl_engine_set_buffers_bidi(tls, e->buffers.input, sizeof e->buffers.input, e->buffers.output,
                                 sizeof e->buffers.output);
  if (getentropy(seed, sizeof seed) < 0)
    log_die_failure(EXIT_TEMPORARY, "getentropy", 0, "the kernel must offer getrandom(2)");
  br_ssl_engine_inject_entropy(tls, seed, sizeof seed);
  explicit_bzero(seed, sizeof seed);
  if (!br_ssl_server_reset(&e->server))
    log_die(EXIT_TEMPORARY, "tls-failed", "reason", "BearSSL cannot start", (char *)0);
}

/* `Y` starts TLS and wants the facts, `y` starts TLS; at end of file the chain has gone without. */
static char await_command(int control) {
  char command;
  if (io_read(control, &command, 1, -1) != 1) _exit(0);
  if (command != 'Y' && command != 'y') _exit(EXIT_REFUSED);
  return command;
}

/* Of a resumed session BearSSL knows only later whose name it was asked for. */
static char const *handshake(struct engine *e) {
  enum relay_state state = relay_handshake(&e->relay);
  if (state != RELAY_GOING) {
    if (state == RELAY_FAILED)
      peer_refuse(e->relay.connection, br_ssl_engine_last_error(&e->server.eng));
    return failure_reason(&e->server, state);
  }
  if (!sessions_is_of(&e->sessions, br_ssl_engine_get_server_name(&e->server.eng)))
    return "client resumed a session of another server name";
  return 0;
}

/* What the log should have, though the client is served. */
static char const *warning(struct engine const *e) {
  return e->choice.loader_failed
             ? "no answer from the loader of certificates, so the client got the default one: see "
               "whether the kernel's log has tlsd killed"
             : 0;
}

/* There is no second handshake: what was for the first one goes, the private keys before all. */
static void forget_handshake(struct engine *e, struct engine_settings const *settings,
                             struct engine_ends const *ends) {
  choice_end(&e->choice);
  close(ends->control);
  close(ends->sessions);
  if (e->choice.identity != &settings->identity) identity_wipe(e->choice.identity);
  identity_wipe(&settings->identity);
  if (settings->verify != VERIFY_NONE) memory_wipe(&e->peer, sizeof e->peer);
  memory_trim_stack();
}

/* In an engine that is all zeros. */
static noreturn void run(struct engine *e, struct engine_settings const *settings,
                         struct engine_ends const *ends) {
  e->relay = (struct relay){.tls = &e->server.eng,
                            .buffers = e->buffers.input,
                            .buffers_size = sizeof e->buffers,
                            .connection = ends->connection,
                            .chain = ends->chain};
  fd_send_at_once(ends->connection);
  engine_prepare(e, settings, ends);
  engine_confine(settings->uid, settings->gid);

  bool facts_wanted = await_command(ends->control) == 'Y';
  e->relay.deadline = clock_ms() + settings->handshake_ms;
  char const *failure = handshake(e);
  if (failure) {
    sessions_forget(&e->sessions);
    if (warning(e)) failure = warning(e); /* of which it is the likely consequence */
    if (facts_wanted) facts_send_failure(ends->control, failure);
    _exit(EXIT_REFUSED);
  }
  if (facts_wanted)
    facts_send(ends->control, &e->server.eng, e->choice.chosen, &e->peer, warning(e));
  forget_handshake(e, settings, ends);
  /* A chain that hung up meanwhile has set a deadline of its own. */
  if (!e->relay.chain_hung_up) e->relay.deadline = -1;
  _exit(relay_run(&e->relay) == RELAY_CLOSED ? 0 : EXIT_REFUSED);
}

noreturn void engine_run(struct engine_settings const *settings, struct engine_ends const *ends) {
  static struct engine e;
  run(&e, settings, ends);
}
