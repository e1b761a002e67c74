/* authclient: asks an auth service, authd or Courier's authdaemond, over its Unix socket; see
 * authclient(8).  Who the user is and whether they may enter, the service says; that it can be a
 * session at all is judged here, as for any other source. */
#include "auth/daemon.h"
#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SECOND = 1000, SOCK_SECONDS = 10, WRITE_SECONDS = 10, READ_SECONDS = 30, SECONDS_MAX = 300 };

static struct auth_credentials const *credentials;

static char request[DAEMON_REQUEST_MAX + 1];
static char answer[DAEMON_ANSWER_MAX + 1];

/* ---- the request ---- */

/* False: a control character would make another request of it. */
static bool may_be_asked(struct auth_credentials const *c) {
  return daemon_may_say(c->user) &&
         (c->mechanism ? daemon_may_say(c->response) : daemon_may_say(c->password));
}

static void encode(char *out, char const *text) {
  out[base64_encode(text, strlen(text), out)] = 0;
}

/* A challenge and its response go as they went to the client and came from it. */
static int make_challenge(char *body, size_t room, struct auth_credentials const *c) {
  enum { ENCODED = (CREDENTIALS_MAX + 2) / 3 * 4 + 1 };
  char response[CREDENTIALS_MAX + 1], challenge[ENCODED], encoded[ENCODED];
  snprintf(response, sizeof response, "%s %s", c->user, c->response);
  encode(challenge, c->challenge);
  encode(encoded, response);
  return snprintf(body, room, "%s\ncram-md5\n%s\n%s\n", source_service(), challenge, encoded);
}

/* What stands before any command: for the service's log. */
static char const *client_address(void) {
  char const *ip = getenv("TCPREMOTEIP");
  return ip && daemon_may_say(ip) ? ip : "";
}

/* Returns the size, -1 if it is too large for this protocol. */
static int make_request(struct auth_credentials const *c) {
  char body[DAEMON_REQUEST_MAX + 1];
  char const *ip = client_address();
  int size = c->mechanism ? make_challenge(body, sizeof body, c)
                          : snprintf(body, sizeof body, "%s\nlogin\n%s\n%s\n", source_service(),
                                     c->user, c->password);
  if (size < 0 || (size_t)size >= sizeof body) return -1;
  size = snprintf(request, sizeof request, "%s%s%sAUTH %d\n%s", *ip ? "TCPREMOTEIP=" : "", ip,
                  *ip ? "\n" : "", size, body);
  explicit_bzero(body, sizeof body);
  return size < 0 || (size_t)size >= sizeof request ? -1 : size;
}

/* ---- the service ---- */

static char const *directory(void) {
  char const *name = getenv("authdaemonvar");
  return name && *name ? name : DAEMON_DIRECTORY;
}

static int64_t deadline_of(char const *variable, unsigned int fallback) {
  return clock_ms() + (int64_t)setting_number(variable, fallback, 1, SECONDS_MAX) * SECOND;
}

/* A service whose queue is full makes connect(2) fail or wait; we wait, but not for ever. */
static int connect_until(int fd, struct sockaddr_un const *address, int64_t deadline) {
  enum { PAUSE = 50 }; /* ms */
  while (connect(fd, (struct sockaddr const *)address, sizeof *address) < 0) {
    if ((errno != EAGAIN && errno != EINTR) || clock_ms() >= deadline) return -1;
    io_wait(-1, 0, clock_ms() + PAUSE);
  }
  return 0;
}

static int open_service(struct sockaddr_un const *address) {
  int fd = fd_move_high(socket(AF_UNIX, SOCK_STREAM, 0));
  if (fd < 0) return -1;
  int flags = fcntl(fd, F_GETFL);
  if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) >= 0 &&
      !connect_until(fd, address, deadline_of("TIMEOUT_SOCK", SOCK_SECONDS)))
    return fd;
  int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

/* The size of what has been answered; the stream's end ends it, too. */
static ssize_t read_answer(int fd) {
  int64_t deadline = deadline_of("TIMEOUT_READ", READ_SECONDS);
  size_t size = 0;
  while (size < DAEMON_ANSWER_MAX && !daemon_is_answered(answer, size)) {
    ssize_t n = io_read(fd, answer + size, DAEMON_ANSWER_MAX - size, deadline);
    if (n < 0) return -1;
    if (!n) break;
    size += (size_t)n;
  }
  answer[size] = 0;
  return (ssize_t)size;
}

static void log_service(char const *attempt, char const *path) {
  log_failure(attempt, path,
              errno == EACCES      ? "let this account use the socket: see AUTHD_MODE, AUTHD_GROUP"
              : errno == ENOENT    ? "start the auth service, or set authdaemonvar to its directory"
              : errno == ETIMEDOUT ? "see why the auth service does not answer: its log says"
                                   : "start the auth service, and see its log");
}

static ssize_t exchange(size_t size) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if ((size_t)snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", directory()) >=
      sizeof address.sun_path)
    log_die(EXIT_MISUSE, "misconfigured", "variable", "authdaemonvar", "why",
            "longer than a socket's name may be", (char *)0);
  int fd = open_service(&address);
  if (fd < 0) {
    log_service("connect to the auth service", address.sun_path);
    return -1;
  }
  ssize_t got = io_write_all(fd, request, size, deadline_of("TIMEOUT_WRITE", WRITE_SECONDS));
  if (!got) got = read_answer(fd);
  if (got < 0) log_service("ask the auth service", address.sun_path);
  close(fd);
  return got;
}

/* ---- the answer ---- */

static struct auth_result temporary(char const *user, char const *why) {
  log_event("failed", "attempt", "use the auth service's answer", "user", user, "path", directory(),
            "why", why, "remedy", "see the service's log", (char *)0);
  return (struct auth_result){AUTH_TEMPORARY, "auth-service"};
}

static struct auth_result take_answer(struct source_query const *q, struct source_entry *e) {
  bool has_uid;
  bool tried = !strcmp(answer, DAEMON_TRIED);
  if (tried) auth_tried();
  if (tried || !*answer) return temporary(q->name, "it has closed the connection without one");
  switch (daemon_read_answer(answer, e, &has_uid)) {
  case DAEMON_FAIL: return (struct auth_result){AUTH_DECLINE, "rejected"};
  case DAEMON_NONSENSE: return temporary(q->name, "it is none");
  case DAEMON_ACCOUNT: break;
  }
  char const *problem = system_complete(e, has_uid);
  if (!problem) return (struct auth_result){AUTH_ACCEPT, 0};
  if (*problem) return temporary(q->name, problem);
  return (struct auth_result){AUTH_TEMPORARY, "account-database"};
}

static struct auth_result exchange_request(int size, struct source_query const *q,
                                           struct source_entry *e) {
  if (size < 0 || (size_t)size >= sizeof request)
    return (struct auth_result){AUTH_DECLINE, "oversized-credentials"};
  ssize_t got = exchange((size_t)size);
  explicit_bzero(request, sizeof request);
  struct auth_result result =
      got < 0 ? (struct auth_result){AUTH_TEMPORARY, "auth-service"} : take_answer(q, e);
  explicit_bzero(answer, sizeof answer);
  return result;
}

/* What is asked is in `credentials`: a password, or a challenge. */
static struct auth_result ask(struct source const *s, struct source_query const *q,
                              char const *password, struct source_entry *e) {
  (void)s;
  (void)password;
  if (!may_be_asked(credentials)) return (struct auth_result){AUTH_DECLINE, "control-character"};
  return exchange_request(make_request(credentials), q, e);
}

/* PRE: who somebody is. */
static enum source_answer look_up(struct source const *s, struct source_query const *q,
                                  struct source_entry *e) {
  (void)s;
  char const *ip = client_address();
  if (!daemon_may_say(q->name)) return SOURCE_UNKNOWN;
  int size = snprintf(request, sizeof request, "%s%s%sPRE . %s %s\n", *ip ? "TCPREMOTEIP=" : "", ip,
                      *ip ? "\n" : "", q->service, q->name);
  switch (exchange_request(size, q, e).verdict) {
  case AUTH_ACCEPT: return SOURCE_FOUND;
  case AUTH_TEMPORARY: return SOURCE_TEMPORARY;
  default: return SOURCE_UNKNOWN;
  }
}

static struct source const service = {
    .name = "authclient", .unavailable = "auth-service", .lookup = look_up, .verify = ask};

static struct auth_result verify(struct auth_credentials const *c, struct auth_account *a) {
  static struct source_entry entry; /* the account points into it */
  struct source_query q = {c->user, source_service()};
  credentials = c;
  struct auth_result result = source_verify(&service, &q, c->mechanism ? "" : c->password, &entry);
  if (result.verdict == AUTH_ACCEPT) *a = entry.account;
  return result;
}

int main(int argc, char **argv) {
  static char const *const mechanisms[] = {"CRAM-MD5", 0};
  static struct auth_module const module = {
      .name = "authclient", .mechanisms = mechanisms, .verify = verify};
  if (who_is_asked()) who_tell(&service);
  auth_run(argc, argv, &module);
}
