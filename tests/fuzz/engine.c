/* TLS's engine (src/tls) and a stranger on the other side.  A client in memory does real handshakes
 * with it, sends it plaintext and hears what the chain's program says; what becomes of each record
 * on its way, who ends and when, the input says.  Or the input is all that ever comes.
 *
 * Whatever that is: the program gets what the client has said, from its beginning and in order, and
 * nothing else; it hears of a clean end only if it has got everything; nobody has finished a
 * handshake that was tampered with, nor shown a certificate that is not his; who was left alone is
 * served; the engine ends, and says in words why there is no TLS. */
#include "fuzz.h"
#include "keys.h"
#include "tlsworld.h"

#include <poll.h>
#include <time.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* tlsd is a program and no library: what asks the system for something is included, with us in the
 * system's place.  Its sockets are real ones. */
static noreturn void end_engine(int status);
static int wait_in_world(struct pollfd *fds, nfds_t n, int timeout);
static int give_entropy(void *to, size_t size);
static int64_t tell_time(void);
static int tell_date(clockid_t clock, struct timespec *t);
static ssize_t read_in_world(int fd, void *buf, size_t size, int64_t deadline);
static int keep_limit(int what, struct rlimit const *limit);
void keep_identity(struct identity const *id);
#define _exit end_engine
#define poll wait_in_world
#define getentropy give_entropy
#define clock_ms tell_time
#define clock_gettime(clock, t) tell_date(clock, t)
#define io_read read_in_world
#define setrlimit(what, limit) keep_limit(what, limit)
#define identity_wipe keep_identity
#include "tls/engine.c"
#include "tls/relay.c"
#include "tls/sessions.c"
#define class peer_class
#include "tls/peer.c"
#undef class
#undef _exit
#undef poll
#undef getentropy
#undef clock_ms
#undef clock_gettime
#undef io_read
#undef setrlimit
#undef identity_wipe

enum {
  DATE = 1900000000, /* 2030 */
  SESSIONS_SIZE = 4096,
  WORDS_MIN = 10, /* of a reason: never a number alone */
};

/* Once made, always the same. */
static struct credentials server_keys, rsa_keys, named_keys, persons[PERSONS];
static struct identity identities[3], named;
static struct suites suite_lists[3];
static struct authority_list authorities;
static unsigned char saved_file[SESSIONS_SIZE];
static size_t saved_at; /* where the session is in it */
static br_ssl_session_parameters saved_session;
static char const *const server_names[] = {0, "mail.example.org", "named.example.org", "localhost"};

/* ---- the system ---- */

static int give_entropy(void *to, size_t size) {
  memset(to, 'e', size);
  return 0;
}

static int64_t tell_time(void) {
  return w.now;
}

static int tell_date(clockid_t clock, struct timespec *t) {
  must(clock == CLOCK_REALTIME);
  *t = (struct timespec){.tv_sec = DATE + w.now / 1000};
  return 0;
}

static int keep_limit(int what, struct rlimit const *limit) {
  must(what == RLIMIT_FSIZE && limit->rlim_cur == SESSIONS_SIZE);
  return 0;
}

/* An engine forgets its keys; there will be others. */
void keep_identity(struct identity const *id) {
  must(id->n && id->n <= KINDS);
}

static noreturn void end_engine(int status) {
  w.status = status;
  longjmp(w.end, 1);
}

void engine_confine(uid_t uid, gid_t gid) {
  (void)uid, (void)gid;
}

struct identity const *loader_ask(int fd, char const *name, bool *failed) {
  (void)fd, (void)failed;
  return strcmp(name, "named.example.org") ? 0 : &named;
}

static bool handshake_is_over(void) {
  char byte;
  return recv(w.control, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* The engine has nothing to do, nor has anybody else: the time for which it waits goes by, or the
 * others give up. */
static bool let_time_pass(int timeout) {
  if (timeout >= 0) {
    w.now += timeout + 1;
    return true;
  }
  /* A client that stands still is there when the program leaves. */
  bool program_first = w.stalled && w.inside >= 0;
  close_end(w.wire < 0 || program_first ? &w.inside : &w.wire);
  return false;
}

static int wait_in_world(struct pollfd *fds, nfds_t n, int timeout) {
  for (;;) {
    must(w.waits++ < 1000 + 8 * w.moved);
    bool moved = go_on();
    int ready = poll(fds, n, 0);
    if (ready) return ready;
    if (moved) continue;
    must(timeout >= 0 || w.inside >= 0); /* everybody has gone */
    must(timeout >= 0 || handshake_is_over());
    if (let_time_pass(timeout)) return 0;
  }
}

/* The program has heard the end, and what comes before it; what it still says is for nobody. */
static void hear_the_end(void) {
  struct pollfd p = {.fd = w.inside, .events = POLLIN};
  if (w.inside < 0) return; /* it has gone itself */
  while (program_hears())
    ;
  must(poll(&p, 1, 0) == 1 && p.revents == POLLIN);
  must(w.closing && w.heard == w.said);
  w.clean = true;
}

static ssize_t read_in_world(int fd, void *buf, size_t size, int64_t deadline) {
  if (deadline >= 0) {
    if (!w.clean) hear_the_end();
    program_writes(100);
    close_end(&w.inside);
  }
  ssize_t n = recv(fd, buf, size, MSG_DONTWAIT);
  return n < 0 ? 0 : n;
}

/* ---- from the beginning to the end ---- */

static struct scene read_scene(void) {
  struct scene s = {0};
  uint8_t a = take_byte(), b = take_byte(), c = take_byte();
  s.raw = (a & 7) == 7;
  s.facts = a & 8;
  s.names = a & 16;
  s.slow = a & 32;
  s.small = a & 64;
  s.verify = (enum verify)(b % 4 % 3);
  s.person = (enum person)(b / 4 % 8 % PERSONS);
  s.identity = b / 32 % 4 % 3;
  s.resume = c & 1;
  s.damage = c & 2;
  s.suites = c / 4 % 4 % 3;
  s.server_name = c / 16 % 4;
  s.habit = c & 128 ? (enum habit)(c / 64 % HABITS) : USUAL;
  return s;
}

static void be_client(struct scene const *s) {
  static uint16_t const rsa[] = {BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256};
  static uint16_t const no_exchange[] = {BR_TLS_RSA_WITH_AES_128_GCM_SHA256};
  br_ssl_engine_context *tls = &w.client.tls.eng;
  struct credentials const *own = s->person ? &persons[s->person] : 0, *key = own;
  if (s->person == THIEF) own = &persons[JOE], key = &persons[STRANGER];
  client_init(&w.client, own, key);
  if (s->habit == ONLY_RSA) br_ssl_engine_set_suites(tls, rsa, 1);
  if (s->habit == NO_FORWARD_SECRECY) br_ssl_engine_set_suites(tls, no_exchange, 1);
  if (s->habit == OLD) br_ssl_engine_set_versions(tls, BR_TLS10, BR_TLS11);
  if (s->resume) br_ssl_engine_set_session_parameters(tls, &saved_session);
  must(br_ssl_client_reset(&w.client.tls, server_names[s->server_name], s->resume));
}

/* The file of sessions, with a saved one in it, as the client has it. */
static int open_sessions(struct scene const *s) {
  int fd = fuzz_file(saved_file, sizeof saved_file);
  if (s->damage) {
    for (size_t n = take_byte() % 8; n; n--) {
      unsigned char new = take_byte();
      bool aimed = take_byte() % 4;
      size_t at =
          aimed ? saved_at + take_byte() % sizeof(struct entry) : take_size(2 * SESSIONS_SIZE);
      must(pwrite(fd, &new, 1, (off_t)at) == 1);
    }
    if (take_byte() & 1) must(!ftruncate(fd, (off_t)take_size(2 * SESSIONS_SIZE)));
  }
  return dup(fd);
}

static void make_pair(int *ours, int *theirs) {
  int fds[2], size = 1;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) fuzz_fail("socketpair", __FILE__, __LINE__);
  for (size_t i = 0; w.scene.small && i < 2; i++)
    setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  *ours = fds[0], *theirs = fds[1];
}

/* Which of the engine's ends are still open is its affair: their numbers are taken from it. */
static void serve(struct engine *e, struct engine_settings const *settings) {
  struct engine_ends ends = {.loader = w.scene.names ? dup(0) : -1, .sessions = -1};
  make_pair(&w.wire, &ends.connection);
  make_pair(&w.inside, &ends.chain);
  make_pair(&w.control, &ends.control);
  if (settings->verify == VERIFY_NONE) ends.sessions = open_sessions(&w.scene);
  must(write(w.control, w.scene.facts ? "Y" : "y", 1) == 1);
  if (!setjmp(w.end)) {
    /* Which BearSSL would ask the system for, past us. */
    memset(e, 0, sizeof *e);
    run(e, settings, &ends);
  }
  int const theirs[] = {ends.connection, ends.chain, ends.control, ends.loader, ends.sessions};
  for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++)
    if (theirs[i] >= 0) close(theirs[i]);
}

/* Whether a client that nobody disturbs is one for this server. */
static bool is_welcome(struct scene const *s) {
  if (s->raw || s->habit != USUAL) return false;
  if (s->verify == VERIFY_NONE || s->person == JOE) return true;
  return s->verify == VERIFY_PEER && s->person == NOBODY;
}

/* Whether the saved session is one for this server, and nothing has happened to it.  (The engine
 * reads the server's name from the first record, or resumes nothing.) */
static bool is_resumable(struct scene const *s) {
  return is_welcome(s) && !w.disturbed && !w.split && s->verify == VERIFY_NONE && s->resume &&
         !s->damage && !s->identity && !s->suites && !s->server_name;
}

static void check_facts(struct scene const *s) {
  static struct tls_facts f;
  int r = tls_facts_read(&f, w.control, -1);
  must(r >= 0);
  if (f.error) {
    must(strlen(f.error) >= WORDS_MIN && strchr(f.error, ' '));
    must(!w.heard && (w.disturbed || !is_welcome(s)));
    return;
  }
  must(!w.altered && !s->raw && s->habit <= ONLY_RSA);
  must(!strcmp(tls_facts_get(&f, "SSL_PROTOCOL"), "TLSv1.2") && tls_facts_get(&f, "SSL_CIPHER"));
  char const *name = tls_facts_get(&f, "SSL_PEER_CERT_SUBJECT_CN");
  must(!name == !(s->verify != VERIFY_NONE && s->person == JOE));
  must(!name || !strcmp(name, "joe"));
  must(s->verify == VERIFY_NONE || s->person == JOE ||
       (s->verify == VERIFY_PEER && s->person == NOBODY));
}

/* Of a program that has ended: they are all there, and the goodbye behind them. */
static void check_last_words(void) {
  while (client_hears())
    ;
  must(w.client.tls.eng.shutdown_recv && w.read == w.wrote);
}

static void begin(struct scene const *s, struct engine_settings *settings) {
  w.scene = *s;
  w.now = w.status = 0;
  w.waits = w.moved = w.queued = w.held_size = 0;
  w.said = w.heard = w.wrote = w.read = 0;
  w.split = w.ciphered = w.established = w.shut = w.closing = w.disturbed = w.altered = w.clean =
      w.took_part = w.stalled = w.left_first = w.cut = false;
  *settings = (struct engine_settings){.handshake_ms = 30000,
                                       .sessions_size = SESSIONS_SIZE,
                                       .suites = suite_lists[s->suites],
                                       .identity = identities[s->identity],
                                       .verify = s->verify};
  if (s->verify != VERIFY_NONE) settings->authorities = authorities;
  if (!s->raw) be_client(s);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  static struct engine engine;
  struct engine_settings settings;
  w.dice = dice_of(data, size);
  w.in = data;
  w.left = size;
  struct scene s = read_scene();
  begin(&s, &settings);
  serve(&engine, &settings);
  must(w.status == 0 || w.status == EXIT_REFUSED);
  if (s.facts) check_facts(&s);
  must(!s.raw || !w.heard);
  must(!w.altered || !w.heard);
  if (w.left_first && !w.cut && !w.closing && !w.disturbed) check_last_words();
  if (is_resumable(&s)) must(engine.sessions.resumed_at >= 0);
  close_end(&w.wire);
  close_end(&w.inside);
  close_end(&w.control);
  return 0;
}

/* ---- once ---- */

static void load_keys(struct credentials *c, char const *pem) {
  struct certificate_problem problem;
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fuzz_file(pem, strlen(pem)));
  if (x509_credentials_load(c, path, 0, 0, &problem) < 0) fuzz_fail(problem.why, path, __LINE__);
}

static void load_suites(struct suites *to, char const *list) {
  setenv("TLS_CIPHER_LIST", list, 1);
  suites_configure(to);
}

/* A session, and the file that it is in. */
static void save_session(void) {
  struct scene const usual = {.facts = true};
  static struct engine engine;
  struct engine_settings settings;
  int fd = fuzz_file("", 0);
  begin(&usual, &settings);
  serve(&engine, &settings);
  br_ssl_engine_get_session_parameters(&w.client.tls.eng, &saved_session);
  must(pread(fd, saved_file, sizeof saved_file, 0) > 0 && saved_session.session_id_len);
  while (!saved_file[saved_at]) saved_at++;
  saved_at -= saved_at % sizeof(struct entry);
  close_end(&w.inside);
  close_end(&w.control);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  char path[64];
  (void)argc, (void)argv;
  load_keys(&server_keys, server_pem);
  load_keys(&rsa_keys, rsa_pem);
  load_keys(&named_keys, named_pem);
  load_keys(&persons[JOE], joe_pem);
  load_keys(&persons[EXPIRED], expired_pem);
  load_keys(&persons[STRANGER], stranger_pem);
  identities[0] = (struct identity){.n = 1, .of = {&server_keys}};
  identities[1] = (struct identity){.n = 1, .of = {&rsa_keys}};
  identities[2] = (struct identity){.n = 2, .of = {&server_keys, &rsa_keys}};
  named = (struct identity){.n = 1, .of = {&named_keys}};
  load_suites(&suite_lists[0], "");
  load_suites(&suite_lists[1], "CHACHA20");
  load_suites(&suite_lists[2], "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES256-SHA384:HIGH");
  snprintf(path, sizeof path, "/proc/self/fd/%d", fuzz_file(authority_pem, strlen(authority_pem)));
  must(authorities_load(&authorities, path) == 0);
  save_session();
  return 0;
}
