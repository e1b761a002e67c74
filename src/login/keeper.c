/* The keeper: what tcpserver started, and what will be the session.  It holds everything that must
 * survive a parser gone bad: the count of failures, the delays, the way to TLS, the log.  From the
 * parser it takes messages of fixed form and nothing else.
 *
 * It becomes the first auth module by exec.  If no module admits the client, the last one becomes
 * imaplogin again, with the same process id and words; IMAPLOGIN_STATE is what it remembers. */
#include "login/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <skalibs/types.h>

enum {
  GRACE_MS = 15000,     /* beyond the parser's own timeout, and its last write */
  TLS_GRACE_MS = 10000, /* beyond the handshake's own timeout, so that tlsd's reason comes first */
  STDERR_FD = 2,
  PRIVATE_FD = 10, /* from here on descriptors are ours (doc/chain.md) */
};

/* ---- the end ---- */

static void log_disconnect(struct keeper const *k, char const *reason) {
  char seconds[21];
  log_event("disconnect", "ip", k->ip, "reason", reason, "seconds",
            log_number(seconds, (uint64_t)(clock_ms() - k->state.began) / 1000), (char *)0);
}

noreturn void keeper_end(struct keeper const *k, char const *reason, int code) {
  log_disconnect(k, reason);
  _exit(code);
}

/* The parser may be gone, or its buffer full because it has stopped: then so be it. */
void keeper_tell(struct keeper const *k, char what) {
  send(k->parser, &what, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

noreturn void keeper_end_violation(struct keeper const *k, char const *what) {
  log_event("parser-violation", "ip", k->ip, "what", what, "remedy",
            "report this: the parser is broken or has been broken into", (char *)0);
  keeper_end(k, "parser-violation", EXIT_TEMPORARY);
}

void keeper_renew_deadline(struct keeper *k) {
  k->deadline = clock_ms() + k->config.timeout_ms + GRACE_MS;
}

/* ---- what the parser asks ---- */

static void log_unconfined(struct keeper const *k, int done) {
  if (!k->config.confine)
    log_event("unconfined", "what", "uid,root", "why", "imaplogin is not run by root", (char *)0);
  if (!(done & CONFINED_SYSCALLS))
    log_event("unconfined", "what", "syscalls", "why", "this system has no seccomp filters",
              (char *)0);
}

static void take_ready(struct keeper *k, char const *message, size_t size) {
  (void)size;
  int done = message[1], wanted = CONFINED_USER | CONFINED_ROOT;
  if (k->config.confine && (done & wanted) != wanted) keeper_end_violation(k, "not confined");
  k->ready = true;
  log_unconfined(k, done);
}

static noreturn void take_failed(struct keeper *k, char const *message, size_t size) {
  static struct {
    char const *attempt, *remedy;
  } const steps[STEP_COUNT] = {
      [STEP_EXEC] = {"execute imaplogin as the parser", "let PATH or the run script find it"},
      [STEP_DIRECTORY] = {"make an empty directory for the parser",
                          "make /dev/shm, /run, /tmp or /var/tmp writable to root"},
      [STEP_CHROOT] = {"chroot the parser", "do not take CAP_SYS_CHROOT from root"},
      [STEP_PRIVILEGE] = {"give the parser the user of UID and GID",
                          "do not take CAP_SETUID and CAP_SETGID from root"},
      [STEP_SYSCALLS] = {"set the parser's seccomp filter", "see seccomp(2)"},
  };
  unsigned int step = (unsigned char)message[1];
  if (step >= STEP_COUNT) keeper_end_violation(k, "failure");
  memcpy(&errno, message + 2, size - 2);
  log_failure(steps[step].attempt, step == STEP_EXEC ? k->argv[0] : 0, steps[step].remedy);
  keeper_end(k, "parser-failed", EXIT_TEMPORARY);
}

static noreturn void take_leave(struct keeper *k, char const *message, size_t size) {
  static char const *const words[REASON_COUNT] = {
      [REASON_LOGOUT] = "logout",
      [REASON_CLOSED] = "client-closed",
      [REASON_TIMEOUT] = "timeout",
      [REASON_ERRORS] = "too-many-errors",
      [REASON_INJECTION] = "starttls-injection",
  };
  unsigned int reason = (unsigned char)message[1];
  (void)size;
  if (reason >= REASON_COUNT) keeper_end_violation(k, "reason");
  keeper_end(k, words[reason], 0);
}

static void take_tls(struct keeper *k, char const *message, size_t size) {
  (void)message;
  (void)size;
  if (k->tls.control < 0) keeper_end_violation(k, "starttls");
  char const *reason = ucspitls_begin(&k->tls, clock_ms() + k->handshake_ms + TLS_GRACE_MS);
  if (reason) {
    log_event("tls-failed", "ip", k->ip, "reason", reason, (char *)0);
    keeper_tell(k, TELL_QUIT);
    keeper_end(k, "tls-failed", 0);
  }
  k->state.tls = true;
  log_event("tls", "ip", k->ip, "protocol", getenv("SSL_PROTOCOL"), "cipher", getenv("SSL_CIPHER"),
            "sni", getenv("SSL_TLS_SNI_SERVERNAME"), "peer", getenv("SSL_PEER_CERT_SUBJECT_CN"),
            (char *)0);
  keeper_renew_deadline(k);
  k->config.methods = methods_offered(k->argv, true);
  char told[1 + sizeof k->config.methods] = {TELL_TLS};
  memcpy(told + 1, &k->config.methods, sizeof k->config.methods);
  send(k->parser, told, sizeof told, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- the loop ---- */

static struct request {
  char type;
  size_t size_min, size_max;
  void (*take)(struct keeper *, char const *, size_t);
} const requests[] = {
    {ASK_READY, 2, 2, take_ready},
    {ASK_FAILED, 2 + sizeof(int), 2 + sizeof(int), take_failed},
    {ASK_LOGIN, 2, MESSAGE_SIZE_MAX, keeper_take_login},
    {ASK_TLS, 1, 1, take_tls},
    {ASK_CHALLENGE, 1, 1, keeper_take_challenge},
    {ASK_LEAVE, 2, 2, take_leave},
};

static struct request const *find_request(char const *message, size_t size) {
  for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
    if (message[0] == requests[i].type)
      return size >= requests[i].size_min && size <= requests[i].size_max ? &requests[i] : 0;
  return 0;
}

/* These and no others come first, and neither comes later. */
static bool before_ready(char type) {
  return type == ASK_READY || type == ASK_FAILED;
}

static void serve_next(struct keeper *k) {
  char message[MESSAGE_SIZE_MAX + 1]; /* a byte more than any may have: too long shows */
  ssize_t size = io_read(k->parser, message, sizeof message, k->deadline);
  if (size < 0) keeper_end(k, errno == ETIMEDOUT ? "timeout" : "parser-failed", 0);
  if (!size) keeper_end(k, "parser-died", EXIT_TEMPORARY);
  struct request const *r = find_request(message, (size_t)size);
  if (!r || k->ready == before_ready(r->type)) keeper_end_violation(k, "message");
  r->take(k, message, (size_t)size);
  explicit_bzero(message, sizeof message);
}

/* ---- the beginning ---- */

static noreturn void die_usage(void) {
  log_die(EXIT_MISUSE, "usage", "synopsis", "imaplogin authmodule... program [argument...]", "why",
          "the words must be one or more programs whose names begin with auth, then one whose name "
          "does not",
          (char *)0);
}

static void check_descriptors(void) {
  if (fcntl(STDERR_FD, F_GETFD) < 0) open("/dev/null", O_WRONLY);
  for (int fd = 0; fd < STDERR_FD; fd++)
    if (fcntl(fd, F_GETFD) < 0)
      log_die(EXIT_MISUSE, "bad-descriptor", "fd", fd ? "1" : "0", "remedy",
              "let tcpserver or the like run imaplogin", (char *)0);
}

static uint32_t needed_id(char const *name) {
  char const *value = getenv(name);
  if (!value || !*value)
    log_die(EXIT_MISUSE, "bad-setting", "name", name, "why",
            "root must say which user the parser is to be", "remedy",
            "put envuidgid (or s6-envuidgid) USER before tcpserver", (char *)0);
  return (uint32_t)setting_number(name, 0, 1, UINT32_MAX - 1);
}

static void read_settings(struct keeper *k) {
  k->config.timeout_ms = (uint32_t)setting_number("IMAP_LOGIN_TIMEOUT", 60, 1, 3600) * 1000;
  k->failures_max = (uint32_t)setting_number("IMAP_LOGIN_FAILURES", 3, 1, 100);
  k->delay_ms = (int64_t)setting_number("IMAP_LOGIN_DELAY", 2, 0, 30) * 1000;
  k->handshake_ms = (int64_t)setting_number("TLS_HANDSHAKE_TIMEOUT", 30, 1, 3600) * 1000;
  k->config.tls_required = setting_switch("IMAP_TLS_REQUIRED", false);
  k->config.confine = !geteuid();
  if (k->config.confine) {
    k->config.uid = needed_id("UID");
    k->config.gid = needed_id("GID");
  }
  slowdown_configure(&k->slowdown);
  k->ip = getenv("TCPREMOTEIP");
}

/* Whether TLS is on or can be begun; and the low descriptors become free for the modules. */
static void look_at_tls(struct keeper *k) {
  if (!ucspitls_find(&k->tls)) _exit(EXIT_MISUSE);
  k->config.starttls = k->tls.control >= 0;
  if (k->config.starttls) tls_facts_unset(); /* of some other connection's TLS */
  k->config.tls = !k->config.starttls && getenv("SSL_PROTOCOL");
  k->config.methods = methods_offered(k->argv, k->config.tls);
  for (int fd = STDERR_FD + 1; fd < PRIVATE_FD; fd++)
    if (fd != k->parser) close(fd);
}

/* ---- a new connection ---- */

static void log_connect(struct keeper const *k) {
  char const *tls = k->config.tls        ? getenv("SSL_PROTOCOL")
                    : k->config.starttls ? "starttls"
                                         : "none";
  log_event("connect", "ip", k->ip, "port", getenv("TCPREMOTEPORT"), "tls", tls, "cipher",
            k->config.tls ? getenv("SSL_CIPHER") : 0, (char *)0);
  if (k->config.tls_required && !k->config.tls && !k->config.starttls)
    log_event("bad-setting", "name", "IMAP_TLS_REQUIRED", "why",
              "nobody can log in: TLS is required, but cannot be begun", "remedy",
              "put tlsd -n before imaplogin, and see to the certificate if it says so", (char *)0);
}

static noreturn void refuse_crowd(struct keeper const *k) {
  static char const bye[] = "* BYE [UNAVAILABLE] Too many connections from your address\r\n";
  io_write_all(1, bye, sizeof bye - 1, clock_ms() + 1000);
  keeper_end(k, "too-many-connections", EXIT_REFUSED);
}

static void begin(struct keeper *k) {
  k->state.began = clock_ms();
  look_at_tls(k);
  fd_send_at_once(1);
  log_connect(k);
  int slot = slot_take_configured();
  if (slot < 0 && errno == EAGAIN) refuse_crowd(k);
  k->parser = parser_spawn(k->argv[0], &k->config, &k->tls, slot);
  if (k->parser < 0) {
    log_failure("start the parser", k->argv[0], "raise the limits on processes and open files");
    keeper_end(k, "parser-failed", EXIT_TEMPORARY);
  }
  if (slot >= 0) close(slot);
  keeper_renew_deadline(k);
}

/* ---- a return from the modules ---- */

static noreturn void die_state(char const *name) {
  log_die(EXIT_MISUSE, "bad-state", "name", name, "remedy",
          "unset it in the environment of the service; an auth module must pass it on unchanged",
          (char *)0);
}

static int parser_socket(void) {
  char const *text = getenv("IMAPLOGIN_FD");
  unsigned int fd;
  int type;
  socklen_t size = sizeof type;
  if (!text || !uint0_scan(text, &fd) || fd <= STDERR_FD || fd > 1 << 20 ||
      getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_SEQPACKET)
    die_state("IMAPLOGIN_FD");
  return (int)fd;
}

static void resume(struct keeper *k, char const *state) {
  if (!state_parse(state, &k->state)) die_state("IMAPLOGIN_STATE");
  k->parser = parser_socket();
  k->ready = true;
  fd_close_on_exec(k->parser, true);
  look_at_tls(k);
  keeper_settle(k, getenv("IMAPLOGIN_VERDICT"));
}

noreturn void keeper_run(char const *const *argv) {
  static struct keeper k;
  char const *state = getenv("IMAPLOGIN_STATE");
  log_init("imaplogin");
  check_descriptors();
  if (!chain_is_valid(argv)) die_usage();
  k.parser = -1;
  k.argv = argv;
  read_settings(&k);
  if (state)
    resume(&k, state);
  else
    begin(&k);
  for (;;) serve_next(&k);
}
