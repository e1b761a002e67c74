/* The confined process that holds the key and the connection.  It does TLS and nothing else; what
 * it says of the connection goes to the chain as strings that are not trusted there. */
#include "tls/tls.h"

#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SEED_SIZE = 48 }; /* beyond the strength of anything it is used for */

struct engine {
  br_ssl_server_context server;
  unsigned char input[BR_SSL_BUFSIZE_INPUT], output[BR_SSL_BUFSIZE_OUTPUT];
  struct relay relay;
  struct choice choice;
};

static void set_suites(br_ssl_engine_context *tls, struct suites const *suites) {
  br_ssl_engine_set_suites(tls, suites->ids, suites->n);
  br_ssl_engine_set_default_aes_gcm(tls);
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

/* Everything that asks the system for something: randomness, here, for the whole connection. */
static void engine_prepare(struct engine *e, struct engine_settings const *s, int loader) {
  br_ssl_engine_context *tls = &e->server.eng;
  unsigned char seed[SEED_SIZE];
  br_ssl_server_zero(&e->server);
  br_ssl_engine_set_versions(tls, BR_TLS12, BR_TLS12);
  br_ssl_engine_set_all_flags(tls, BR_OPT_ENFORCE_SERVER_PREFERENCES | BR_OPT_NO_RENEGOTIATION);
  set_suites(tls, &s->suites);
  choice_init(&e->choice, &s->identity, loader);
  br_ssl_server_set_policy(&e->server, &e->choice.vtable);
  br_ssl_engine_set_buffers_bidi(tls, e->input, sizeof e->input, e->output, sizeof e->output);
  if (getentropy(seed, sizeof seed) < 0)
    log_die_failure(EXIT_TEMPORARY, "getentropy", 0, "the kernel must offer getrandom(2)");
  br_ssl_engine_inject_entropy(tls, seed, sizeof seed);
  explicit_bzero(seed, sizeof seed);
  if (!br_ssl_server_reset(&e->server))
    log_die(EXIT_TEMPORARY, "tls-failed", "reason", "BearSSL cannot start", (char *)0);
}

/* A host name as RFC 6066 section 3 means it.  It will be in logs and environments. */
static bool is_host_name(char const *name) {
  for (char const *p = name; *p; p++)
    if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._", *p))
      return false;
  return *name;
}

static void put_fact(char *text, size_t *size, char const *name, char const *value) {
  size_t n = strlen(name), v = strlen(value);
  if (n + 1 + v > FACT_MAX) return; /* only a server name can be that long, and none is */
  memcpy(text + *size, name, n);
  text[*size + n] = '=';
  memcpy(text + *size + n + 1, value, v + 1);
  *size += n + v + 2;
}

static void send_facts(struct engine const *e, int control) {
  char text[4 * (FACT_MAX + 1) + 1];
  size_t size = 0;
  br_ssl_engine_context const *tls = &e->server.eng;
  char const *server_name = br_ssl_engine_get_server_name(tls);
  put_fact(text, &size, "SSL_PROTOCOL", version_name(br_ssl_engine_get_version(tls)));
  put_fact(text, &size, "SSL_CIPHER", suite_name(tls->session.cipher_suite));
  if (is_host_name(server_name)) put_fact(text, &size, "SSL_TLS_SNI_SERVERNAME", server_name);
  if (e->choice.chosen && *e->choice.chosen->end_point)
    put_fact(text, &size, "SSL_SERVER_END_POINT", e->choice.chosen->end_point);
  text[size++] = 0;
  send(control, text, size, MSG_NOSIGNAL);
}

static void send_failure(char const *reason, int control) {
  char text[FACT_MAX + 1];
  size_t size = 0;
  put_fact(text, &size, "SSL_ERROR", reason);
  send(control, text, size, MSG_NOSIGNAL);
}

/* `Y` starts TLS and wants the facts, `y` starts TLS; at end of file the chain has gone without. */
static char await_command(int control) {
  char command;
  if (io_read(control, &command, 1, -1) != 1) _exit(0);
  if (command != 'Y' && command != 'y') _exit(EXIT_REFUSED);
  return command;
}

noreturn void engine_run(struct engine_settings const *settings, int control, int chain,
                         int loader) {
  static struct engine e;
  e.relay = (struct relay){.tls = &e.server.eng, .connection = 0, .chain = chain};
  fd_send_at_once(0);
  engine_prepare(&e, settings, loader);
  engine_confine(settings->uid, settings->gid);

  bool facts_wanted = await_command(control) == 'Y';
  e.relay.deadline = clock_ms() + settings->handshake_ms;
  enum relay_state state = relay_handshake(&e.relay);
  if (state != RELAY_GOING) {
    if (facts_wanted) send_failure(failure_reason(&e.server, state), control);
    _exit(EXIT_REFUSED);
  }
  if (facts_wanted) send_facts(&e, control);
  close(control);
  choice_end(&e.choice);
  /* A chain that hung up meanwhile has set a deadline of its own. */
  if (!e.relay.chain_hung_up) e.relay.deadline = -1;
  _exit(relay_run(&e.relay) == RELAY_CLOSED ? 0 : EXIT_REFUSED);
}
