/* The bench's client, which costs the machine as little as it can; it prints one number.
 *   client login PORT TIMES                          median milliseconds of connect + LOGIN
 *   client logins PORT CLIENTS SECONDS               logins with LOGOUT per second
 *   client logins PORT CLIENTS SECONDS KIND HOW      the same in TLS, HOW is full or resumed
 *   client bulk PORT KIND MEBIBYTES                  MB/s of FETCH of the largest message, in TLS
 * KIND is the server's kind of key, ECDSA or RSA. It costs the same against any server. */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <openssl/ssl.h>

enum {
  CLIENTS_MAX = 64,
  TIMES_MAX = 1000,
  CHUNK = 1 << 18,
  TAIL = 4096, /* more than an answer's last line is long */
  FAILED = 111,
};

struct connection {
  int fd;
  SSL *tls; /* 0 in the clear */
  size_t size;
  char tail[TAIL + 1]; /* the last of what has been read, size bytes and a NUL */
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static SSL_CTX *context(char const *kind) {
  char suite[64];
  SSL_CTX *c = SSL_CTX_new(TLS_client_method());
  snprintf(suite, sizeof suite, "ECDHE-%s-AES128-GCM-SHA256", kind);
  if (!c || !SSL_CTX_set_max_proto_version(c, TLS1_2_VERSION) || !SSL_CTX_set_cipher_list(c, suite))
    errx(FAILED, "OpenSSL lacks %s", suite);
  return c;
}

/* Returns how many bytes have come. */
static size_t receive(struct connection *c) {
  static char chunk[CHUNK];
  ssize_t n = c->tls ? SSL_read(c->tls, chunk, CHUNK) : read(c->fd, chunk, CHUNK);
  if (n <= 0) errx(FAILED, "the server closed");
  size_t new = n > TAIL ? TAIL : (size_t)n, old = c->size + new > TAIL ? TAIL - new : c->size;
  memmove(c->tail, c->tail + c->size - old, old);
  memcpy(c->tail + old, chunk + n - new, new);
  c->size = old + new;
  c->tail[c->size] = 0;
  return (size_t)n;
}

/* Whether the last line is whole, and begins with `start`; "NO" and the like are the end. */
static bool last_line_is(struct connection const *c, char const *start) {
  if (!c->size || c->tail[c->size - 1] != '\n') return false;
  char const *line = c->tail + c->size - 1;
  while (line > c->tail && line[-1] != '\n') line--;
  if (!strncmp(line, "x NO", 4) || !strncmp(line, "x BAD", 5)) errx(FAILED, "%s", line);
  return !strncmp(line, start, strlen(start));
}

/* Returns how many bytes were answered. */
static size_t command(struct connection *c, char const *text) {
  char line[256];
  int n = snprintf(line, sizeof line, "x %s\r\n", text);
  if ((c->tls ? SSL_write(c->tls, line, n) : write(c->fd, line, (size_t)n)) != n)
    errx(FAILED, "%s: the server closed", text);
  size_t size = 0;
  c->size = 0;
  do size += receive(c);
  while (!last_line_is(c, "x OK"));
  return size;
}

/* Connects, resumes `session` unless 0, and logs in. */
static void login(struct connection *c, int port, SSL_CTX *tls, SSL_SESSION *session) {
  struct sockaddr_in to = {.sin_family = AF_INET,
                           .sin_port = htons((uint16_t)port),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  *c = (struct connection){.fd = socket(AF_INET, SOCK_STREAM, 0)};
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0)
    err(FAILED, "connect to %d", port);
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  if (tls) {
    c->tls = SSL_new(tls);
    if (!c->tls || !SSL_set_fd(c->tls, c->fd)) errx(FAILED, "out of memory");
    if (session) SSL_set_session(c->tls, session);
    if (SSL_connect(c->tls) <= 0) errx(FAILED, "no TLS on %d", port);
  }
  do receive(c);
  while (!last_line_is(c, "* "));
  command(c, "LOGIN bench bench");
}

static void logout(struct connection *c) {
  command(c, "LOGOUT");
  if (c->tls) SSL_shutdown(c->tls); /* or OpenSSL would not resume its session */
  SSL_free(c->tls);
  close(c->fd);
}

static int by_value(void const *a, void const *b) {
  double x = *(double const *)a, y = *(double const *)b;
  return (x > y) - (x < y);
}

static double median_login(int port, int times) {
  static struct connection c;
  static double ms[TIMES_MAX];
  for (int i = 0; i < times; i++) {
    double began = now();
    login(&c, port, 0, 0);
    ms[i] = 1000 * (now() - began);
    logout(&c);
  }
  qsort(ms, (size_t)times, sizeof *ms, by_value);
  return ms[times / 2];
}

/* One of several: how many logins there were until `end`; -1 if a session that was to be resumed
 * was not. */
static int count_logins(int port, double end, SSL_CTX *tls, bool resume) {
  static struct connection c;
  SSL_SESSION *session = 0;
  if (resume) {
    login(&c, port, tls, 0);
    session = SSL_get1_session(c.tls);
    logout(&c);
  }
  int n = 0;
  for (; now() < end; n++) {
    login(&c, port, tls, session);
    if (resume && !SSL_session_reused(c.tls)) return -1;
    logout(&c);
  }
  return n;
}

/* Of `clients` processes at once. */
static int sum_of_logins(int port, int clients, double end, SSL_CTX *tls, bool resume) {
  int ends[2], sum = 0;
  if (pipe(ends) < 0) err(FAILED, "pipe");
  for (int i = 0; i < clients; i++) {
    pid_t pid = fork();
    if (pid < 0) err(FAILED, "fork");
    if (pid) continue;
    int n = count_logins(port, end, tls, resume);
    _exit(write(ends[1], &n, sizeof n) == sizeof n ? 0 : FAILED);
  }
  for (int i = 0; i < clients; i++) {
    int status, n = -1;
    if (wait(&status) < 0 || status || read(ends[0], &n, sizeof n) != sizeof n || n < 0)
      errx(FAILED, "a client failed, or its sessions were not resumed");
    sum += n;
  }
  return sum;
}

static double bulk(int port, char const *kind, int mebibytes) {
  static struct connection c;
  char fetch[64];
  login(&c, port, context(kind), 0);
  command(&c, "SELECT INBOX");
  command(&c, "UID SEARCH LARGER 4000000");
  char const *uid = strstr(c.tail, "SEARCH ");
  snprintf(fetch, sizeof fetch, "UID FETCH %ld BODY.PEEK[]", uid ? strtol(uid + 7, 0, 10) : 0);
  double want = (double)mebibytes * (1 << 20), got = 0, began = now();
  while (got < want) got += (double)command(&c, fetch);
  return got / 1e6 / (now() - began);
}

static int number(char const *text, int max) {
  long n = strtol(text, 0, 10);
  if (n < 1 || n > max) errx(100, "not from 1 to %d: %s", max, text);
  return (int)n;
}

int main(int argc, char **argv) {
  char const *what = argc > 3 ? argv[1] : "";
  int port = argc > 3 ? number(argv[2], 65535) : 0;
  if (!strcmp(what, "login") && argc == 4) {
    printf("%.2f\n", median_login(port, number(argv[3], TIMES_MAX)));
  } else if (!strcmp(what, "logins") && (argc == 5 || argc == 7)) {
    int clients = number(argv[3], CLIENTS_MAX), seconds = number(argv[4], 3600);
    bool resume = argc == 7 && !strcmp(argv[6], "resumed");
    printf("%d\n",
           sum_of_logins(port, clients, now() + seconds, argc == 7 ? context(argv[5]) : 0, resume) /
               seconds);
  } else if (!strcmp(what, "bulk") && argc == 5) {
    printf("%.0f\n", bulk(port, argv[3], number(argv[4], 1 << 20)));
  } else {
    errx(100, "usage: client login|logins|bulk PORT ...; see the top of client.c");
  }
  return 0;
}
