/* tlsd: TLS before, or on request of, the next program of the chain.  See tlsd(8).
 * This process goes on down the chain; a confined one beside it (engine.c) does TLS. */
#include "tls/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <skalibs/sgetopt.h>

enum {
  HANDSHAKE_SECONDS = 30, /* for the slowest honest client on the worst network */
  HANDSHAKE_SECONDS_MAX = 3600,
  SESSIONS_SIZE = 524288, /* Courier's */
  SESSIONS_SIZE_MIN = 4096,
  SESSIONS_SIZE_MAX = 1 << 30, /* millions of sessions */
  GRACE_MS = 2000,             /* the engine keeps the time; this is for an engine that does not */
};

/* Sockets, one end ours, the other the engine's. */
struct link {
  int ours, theirs;
};

static noreturn void die_usage(void) {
  log_die(EXIT_MISUSE, "usage", "synopsis", "tlsd [-n] prog...", (char *)0);
}

static noreturn void die_no_connection(void) {
  log_die(EXIT_MISUSE, "no-connection", "why", "descriptors 0 and 1 are not one socket", "remedy",
          "run tlsd under tcpserver or s6-tcpserver", (char *)0);
}

static noreturn void die_no_user(void) {
  log_die(EXIT_MISUSE, "bad-setting", "name", "TLS_UID, TLS_GID", "why",
          "root must not speak TLS to strangers", "remedy",
          "set them to an unprivileged user of tlsd's own", (char *)0);
}

static noreturn void die_no_certificate(void) {
  log_die(EXIT_MISUSE, "bad-setting", "name", "TLS_CERTFILE", "why", "not set", "remedy",
          "name a PEM file with certificate and key; mkimapdcert(8) makes one", (char *)0);
}

/* The id in the variable `own`, or else in the one that envuidgid sets. */
static uint64_t setting_id(char const *own, char const *common) {
  uint64_t id = setting_number(own, 0, 1, UINT32_MAX - 1);
  return id ? id : setting_number(common, 0, 1, UINT32_MAX - 1);
}

static enum verify setting_verify(void) {
  static char const *const words[] = {
      [VERIFY_NONE] = "NONE", [VERIFY_PEER] = "PEER", [VERIFY_REQUIREPEER] = "REQUIREPEER"};
  char const *value = getenv("TLS_VERIFYPEER");
  if (!value || !*value) return VERIFY_NONE;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (!strcmp(value, words[i])) return (enum verify)i;
  log_die(EXIT_MISUSE, "bad-setting", "name", "TLS_VERIFYPEER", "value", value, "wanted",
          "NONE, PEER or REQUIREPEER", (char *)0);
}

static void load_settings(struct engine_settings *s, struct certificate_files *files) {
  if (!identity_settings(files)) die_no_certificate();
  if (!geteuid()) {
    s->uid = (uid_t)setting_id("TLS_UID", "UID");
    s->gid = (gid_t)setting_id("TLS_GID", "GID");
    if (!s->uid || !s->gid) die_no_user();
  }
  s->handshake_ms = 1000 * (int)setting_number("TLS_HANDSHAKE_TIMEOUT", HANDSHAKE_SECONDS, 1,
                                               HANDSHAKE_SECONDS_MAX);
  suites_configure(&s->suites);
  s->verify = setting_verify();
}

/* Sessions are a convenience: without the file, every handshake is a full one.  There are none
 * where clients may show certificates: one made without would be resumed where one is required. */
static int open_sessions(struct engine_settings *s) {
  char const *path = getenv("TLS_CACHEFILE");
  s->sessions_size =
      setting_number("TLS_CACHESIZE", SESSIONS_SIZE, SESSIONS_SIZE_MIN, SESSIONS_SIZE_MAX);
  if (!path || !*path || s->verify != VERIFY_NONE) return -1;
  int fd = sessions_open(path);
  if (fd < 0) {
    log_failure("open", path,
                "TLS_CACHEFILE must be a file of tlsd's user with mode 0600, or not be there yet");
    return -1;
  }
  fd = fd_move_high(fd);
  if (fd < 0) log_die_failure(EXIT_TEMPORARY, "dup", 0, "raise the limit of open files");
  return fd;
}

static void check_connection(void) {
  struct stat in, out;
  if (!fd_is_socket(0) || fstat(0, &in) < 0 || fstat(1, &out) < 0) die_no_connection();
  if (in.st_dev != out.st_dev || in.st_ino != out.st_ino) die_no_connection();
}

/* What the client has come to: s6-tcpserver alone does not say. */
static char const *local_address(char text[INET6_ADDRSTRLEN]) {
  struct sockaddr_storage a;
  socklen_t size = sizeof a;
  char const *given = getenv("TCPLOCALIP");
  if (given && *given) return given;
  if (getsockname(0, (struct sockaddr *)&a, &size) < 0) return 0;
  void const *number = a.ss_family == AF_INET    ? (void *)&((struct sockaddr_in *)&a)->sin_addr
                       : a.ss_family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)&a)->sin6_addr
                                                 : 0;
  return number ? inet_ntop(a.ss_family, number, text, INET6_ADDRSTRLEN) : 0;
}

static struct link link_make(void) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
    log_die_failure(EXIT_TEMPORARY, "socketpair", 0, "raise the limit of open files");
  struct link l = {fd_move_high(fds[0]), fd_move_high(fds[1])};
  if (l.ours < 0 || l.theirs < 0)
    log_die_failure(EXIT_TEMPORARY, "dup", 0, "raise the limit of open files");
  return l;
}

/* The environment is the modules', and may hold passwords of databases: nothing for a process that
 * talks to strangers. */
static void wipe_environment(void) {
  extern char **environ;
  for (char **e = environ; *e; e++) explicit_bzero(*e, strlen(*e));
  *environ = 0;
}

static noreturn void die_fork(void) {
  log_die_failure(EXIT_TEMPORARY, "fork", 0, "raise the limit of processes");
}

static noreturn void loader_begin(struct engine_settings *s, struct certificate_files const *files,
                                  int request) {
  identity_wipe(&s->identity);
  close(0);
  close(1);
  if (dup2(request, 3) < 0) _exit(EXIT_TEMPORARY);
  fd_close_from(4);
  char const *given = getenv("TCPREMOTEIP");
  char address[INET6_ADDRSTRLEN];
  if (given) snprintf(address, sizeof address, "%s", given);
  wipe_environment();
  if (given) setenv("TCPREMOTEIP", address, 1); /* for the log */
  loader_run(files, 3);
}

/* By the engine, before it has read anything of anybody: its socket to the loader, -1 if there are
 * no files for names.  Its end is ignored, so that it leaves no zombie. */
static int loader_start(struct engine_settings *s, struct certificate_files const *files) {
  if (!identity_has_names(files)) return -1;
  struct link l = link_make();
  signal(SIGCHLD, SIG_IGN);
  pid_t pid = fork();
  if (pid < 0) die_fork();
  if (!pid) loader_begin(s, files, l.ours);
  return l.theirs;
}

/* An end of the engine's, where it is to be; whatever else was there is closed. */
static int place(int fd, int number) {
  if (fd < 0) close(number);
  if (fd >= 0 && dup2(fd, number) < 0) _exit(EXIT_TEMPORARY);
  return fd < 0 ? -1 : number;
}

/* Leaves open 2 (until confined) and the ends. */
static noreturn void engine_begin(struct engine_settings *s, struct certificate_files const *files,
                                  struct engine_ends const *given) {
  int loader = loader_start(s, files);
  struct engine_ends ends = {
      .control = place(given->control, 3),
      .chain = place(given->chain, 4),
      .loader = place(loader, 5),
      .sessions = place(given->sessions, 6),
  };
  close(1);
  fd_close_from(7);
  wipe_environment();
  engine_run(s, &ends);
}

/* No program of the chain may find a zombie.  An engine whose handshake is awaited here lives as
 * long as the connection and can be the child of what we become.  One that only waits to be asked
 * goes where nobody asks it, long before the session ends: it is forked twice and becomes init's
 * child. */
static void engine_start(struct engine_settings *s, struct certificate_files const *files,
                         struct engine_ends const *ends, bool on_request) {
  int status;
  pid_t pid = fork();
  if (pid < 0) die_fork();
  if (!pid) {
    if (on_request) pid = fork();
    if (pid < 0) die_fork();
    if (!pid) engine_begin(s, files, ends);
    _exit(0);
  }
  if (!on_request) return;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) log_die_failure(EXIT_TEMPORARY, "waitpid", 0, 0);
  if (status) _exit(EXIT_TEMPORARY);
}

/* Of some other connection, or an administrator's mistake. */
static void forget_other_tls(void) {
  static char const *const descriptors[] = {"SSLCTLFD", "SSLREADFD", "SSLWRITEFD"};
  tls_facts_unset();
  for (size_t i = 0; i < sizeof descriptors / sizeof *descriptors; i++) unsetenv(descriptors[i]);
}

static noreturn void die_handshake(char const *reason) {
  log_die(EXIT_REFUSED, "tls-failed", "ip", getenv("TCPREMOTEIP"), "reason", reason, (char *)0);
}

static void exports_or_die(int r) {
  if (r < 0) log_die_failure(EXIT_TEMPORARY, "setenv", 0, "raise the memory limit of the service");
}

/* Implicit TLS: the handshake is over before the next program runs, which finds TLS's inside on 0
 * and 1 and the facts in its environment. */
static void handshake(struct engine_settings const *s, int control, int chain) {
  static struct tls_facts f;
  if (send(control, "Y", 1, MSG_NOSIGNAL) != 1) die_handshake("TLS engine did not start");
  int r = tls_facts_read(&f, control, clock_ms() + s->handshake_ms + GRACE_MS);
  if (r < 0 || f.error) die_handshake(tls_facts_failure(&f));
  log_event("tls", "ip", getenv("TCPREMOTEIP"), "protocol", tls_facts_get(&f, "SSL_PROTOCOL"),
            "cipher", tls_facts_get(&f, "SSL_CIPHER"), "sni",
            tls_facts_get(&f, "SSL_TLS_SNI_SERVERNAME"), "peer",
            tls_facts_get(&f, "SSL_PEER_CERT_SUBJECT_CN"), (char *)0);
  tls_facts_log_warning(&f);
  exports_or_die(tls_facts_export(&f));
  if (dup2(chain, 0) < 0 || dup2(chain, 1) < 0) log_die_failure(EXIT_TEMPORARY, "dup2", 0, 0);
}

static void export_descriptor(char const *name, int fd) {
  char number[21];
  if (fd < 0 || fd_close_on_exec(fd, false) < 0)
    log_die_failure(EXIT_TEMPORARY, "dup", 0, "raise the limit of open files");
  exports_or_die(setenv(name, log_number(number, (uint64_t)fd), 1));
}

/* UCSPI-TLS: the next program starts TLS when it wants. */
static void offer(int control, int chain) {
  export_descriptor("SSLCTLFD", control);
  export_descriptor("SSLREADFD", chain);
  export_descriptor("SSLWRITEFD", fcntl(chain, F_DUPFD, chain));
}

static noreturn void run(char *const *argv) {
  execvp(*argv, argv);
  log_die_failure(errno == ENOENT ? EXIT_MISUSE : EXIT_TEMPORARY, "exec", *argv,
                  "check the command line after tlsd, and PATH");
}

int main(int argc, char *const *argv) {
  static struct credentials places[KINDS];
  static struct certificate_files files;
  struct engine_settings settings = {.identity = {.of = {&places[0], &places[1]}}};
  subgetopt options = SUBGETOPT_ZERO;
  bool on_request = false;
  char address[INET6_ADDRSTRLEN];
  log_init("tlsd");
  for (int o; (o = subgetopt_r(argc, (char const *const *)argv, "n", &options)) >= 0;) {
    if (o != 'n') die_usage();
    on_request = true;
  }
  argv += options.ind;
  if (!*argv) die_usage();
  check_connection();
  load_settings(&settings, &files);
  if (identity_load_default(&settings.identity, &files, local_address(address)) <= 0 ||
      (settings.verify != VERIFY_NONE &&
       authorities_load(&settings.authorities, files.trust) < 0)) {
    /* Said in the log.  What works without TLS shall go on. */
    if (!on_request) _exit(EXIT_MISUSE);
    forget_other_tls();
    run(argv);
  }

  /* Who stalls in the handshake counts as one that has not logged in; exec gives the place back. */
  if (!on_request && slot_take_configured() < 0 && errno == EAGAIN) _exit(EXIT_REFUSED);

  memory_trim(); /* which would be copied for each process */
  struct link control = link_make(), chain = link_make();
  struct engine_ends ends = {
      .control = control.theirs, .chain = chain.theirs, .sessions = open_sessions(&settings)};
  engine_start(&settings, &files, &ends, on_request);
  identity_wipe(&settings.identity);
  close(ends.control);
  close(ends.chain);
  if (ends.sessions >= 0) close(ends.sessions);
  forget_other_tls();
  if (on_request)
    offer(control.ours, chain.ours);
  else
    handshake(&settings, control.ours, chain.ours);
  run(argv);
}
