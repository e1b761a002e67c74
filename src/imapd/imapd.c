/* imapd Maildir: one IMAP session on descriptors 0 and 1, after login, as the user whose mail it
 * is.  Here: what it takes from the environment, its first words to the client, its end in the log.
 * The login itself was the business of the programs before it (doc/chain.md). */
#include "imapd/session.h"
#include "imapd/confine.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
  TAG_SIZE_MAX = 100,          /* doc/chain.md */
  TIMEOUT_SECONDS_MAX = 86400, /* a day; 0 would end every session at once */
};
/* Larger than any mail system delivers; a limit against mistakes, not against users. */
static uint64_t const append_max_default = 1 << 30;

/* What the environment says. */
struct start {
  char const *maildir;
  char const *tag;     /* of the login command to be answered; null: none */
  char const *command; /* its name, "LOGIN" or "AUTHENTICATE" */
  struct store_options options;
  bool confined;
};

static char const *environment(char const *name) {
  char const *value = getenv(name);
  return value && *value ? value : 0;
}

static char const *user_name(void) {
  char const *user = environment("AUTHENTICATED");
  if (!user) user = environment("USER");
  return user ? user : "";
}

/* ---- refusing to start: the client is told too, never hung up on ---- */

static noreturn void leave(struct session *s, int code) {
  imap_flush(&s->out);
  _exit(code);
}

/* code is a response code (RFC 5530). */
static void tell_refusal(struct session *s, struct start const *start, char const *code,
                         char const *words) {
  if (start->tag) {
    imap_puts(&s->out, start->tag);
    imap_puts(&s->out, " NO [");
    imap_puts(&s->out, code);
    imap_puts(&s->out, "] ");
    imap_puts(&s->out, words);
    imap_puts(&s->out, "\r\n");
  }
  imap_puts(&s->out, "* BYE ");
  imap_puts(&s->out, words);
  imap_puts(&s->out, "\r\n");
}

static noreturn void refuse(struct session *s, struct start const *start, char const *subject,
                            char const *why, char const *remedy) {
  log_event("refused", "reason", subject, "why", why, "remedy", remedy, (char *)0);
  tell_refusal(s, start, "SERVERBUG", "The mail server is not set up right");
  leave(s, EXIT_MISUSE);
}

static void refuse_root(struct session *s, struct start const *start) {
  if (getuid() && geteuid()) return;
  refuse(s, start, "root", "imapd does not serve root's mail",
         "deliver root's mail to a user, or run an auth module before imapd");
}

/* tag = 1*<any ASTRING-CHAR except "+"> */
static bool is_tag(char const *tag) {
  size_t size = strlen(tag);
  if (size > TAG_SIZE_MAX) return false;
  for (size_t i = 0; i < size; i++)
    if (tag[i] <= ' ' || tag[i] > '~' || strchr("(){%*\"\\+", tag[i])) return false;
  return true;
}

static bool is_internet_socket(int fd) {
  struct sockaddr_storage address;
  socklen_t size = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &size) < 0) return false;
  return address.ss_family == AF_INET || address.ss_family == AF_INET6;
}

/* Nobody has logged in: only who started us by hand may be greeted as if they had. */
static void refuse_stranger(struct session *s, struct start const *start) {
  if (start->tag) return;
  if (!environment("TCPREMOTEIP") && !is_internet_socket(0)) return;
  refuse(s, start, "nobody-logged-in", "a network connection without IMAPLOGINTAG",
         "run imapd behind imaplogin and its auth modules");
}

/* ---- settings ---- */

static mode_t umask_setting(struct session *s, struct start const *start) {
  char const *text = environment("IMAP_UMASK");
  if (!text) return 077;
  char *end;
  unsigned long mask = strtoul(text, &end, 8);
  if (*end || mask > 0777)
    refuse(s, start, "IMAP_UMASK", "it is no octal number up to 777", "correct it: IMAP_UMASK=077");
  return (mode_t)mask;
}

static uint64_t number_setting(struct session *s, struct start const *start, char const *name,
                               uint64_t fallback, uint64_t min, uint64_t max) {
  char const *text = environment(name);
  if (!text) return fallback;
  char *end;
  errno = 0;
  unsigned long long n = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end || errno || n < min || n > max)
    refuse(s, start, name, "it is no number, or out of range", "correct it; see imapd(8)");
  return n;
}

static void namespace_setting(struct session *s, struct start const *start) {
  char const *kind = environment("IMAP_NAMESPACE");
  if (!kind || !strcasecmp(kind, "courier"))
    s->personal = (struct namespace){"INBOX.", '.'};
  else if (!strcasecmp(kind, "flat"))
    s->personal = (struct namespace){"", '/'};
  else
    refuse(s, start, "IMAP_NAMESPACE", "it is neither courier nor flat", "correct it");
}

static void read_settings(struct session *s, struct start *start) {
  char const *maildir = environment("MAILDIR");
  if (maildir) start->maildir = maildir;
  start->options.umask = umask_setting(s, start);
  start->options.check_ownership = true;
  namespace_setting(s, start);
  s->timeout_ms = 1000 * (int64_t)number_setting(s, start, "IMAP_TIMEOUT", IDLE_TIMEOUT_SECONDS, 1,
                                                 TIMEOUT_SECONDS_MAX);
  s->append_max = number_setting(s, start, "IMAP_APPEND_MAX", append_max_default, 1, UINT64_MAX);
  start->confined = number_setting(s, start, "IMAP_CONFINE", 1, 0, 1);
}

static void read_login(struct session *s, struct start *start) {
  char const *tag = environment("IMAPLOGINTAG"), *command = environment("IMAPLOGIN_COMMAND");
  if (tag && !is_tag(tag)) {
    log_event("refused", "reason", "IMAPLOGINTAG", "why", "it is no IMAP tag", (char *)0);
    tell_refusal(s, start, "SERVERBUG", "The mail server is not set up right");
    leave(s, EXIT_MISUSE);
  }
  start->tag = tag;
  start->command = command && !strcasecmp(command, "AUTHENTICATE") ? "AUTHENTICATE" : "LOGIN";
}

/* ---- the first words and the last ---- */

static void greet(struct session *s, struct start const *start) {
  imap_puts(&s->out, start->tag ? start->tag : "*");
  imap_puts(&s->out, start->tag ? " OK [CAPABILITY " : " PREAUTH [CAPABILITY ");
  imap_puts(&s->out, session_capabilities);
  imap_puts(&s->out, "] ");
  imap_puts(&s->out, start->tag ? start->command : "chainmail");
  imap_puts(&s->out, start->tag ? " Ok.\r\n" : " ready\r\n");
}

static void open_store(struct session *s, struct start const *start) {
  enum store_error error = store_open(&s->store, start->maildir, &start->options);
  if (error == STORE_OK) return;
  log_event("refused", "user", user_name(), "home", environment("HOME"), "maildir", start->maildir,
            "why", store_words(error), (char *)0);
  tell_refusal(s, start, store_code(error), store_words(error));
  leave(s, EXIT_TEMPORARY);
}

static void catch_signals(struct session *s, struct start const *start) {
  if (!wait_init(s)) return;
  log_failure("make a pipe for signals", 0, "raise the limit of open files");
  tell_refusal(s, start, "UNAVAILABLE", store_words(STORE_UNAVAILABLE));
  leave(s, EXIT_TEMPORARY);
}

static char const *const endings[] = {
    [GOING_ON] = "none",
    [END_LOGOUT] = "logout",
    [END_EOF] = "client-closed",
    [END_READ_ERROR] = "connection-lost",
    [END_AUTOLOGOUT] = "autologout",
    [END_STALLED] = "client-takes-nothing",
    [END_TERMINATED] = "terminated",
    [END_NONSENSE] = "no-imap-client",
    [END_DELETED] = "mailbox-deleted",
    [END_DAMAGED] = "message-damaged",
};

/* With the previews, so that a client that has too many made can be found (RFC 8970 section 8). */
static void log_logout(struct session const *s, int64_t began) {
  char seconds[21], in[21], out[21], previews[21];
  log_event("logout", "user", user_name(), "ip", environment("TCPREMOTEIP"), "seconds",
            log_number(seconds, (uint64_t)(clock_ms() - began) / 1000), "in",
            log_number(in, s->in.bytes), "out", log_number(out, s->out.bytes), "previews",
            s->previews ? log_number(previews, s->previews) : 0, "reason", endings[s->ending],
            (char *)0);
}

int main(int argc, char **argv) {
  static struct session s;
  struct start start = {0};
  int64_t began = clock_ms();
  log_init("imapd");
  signal(SIGPIPE, SIG_IGN);
  fd_send_at_once(1);
  imap_input_init(&s.in, 0);
  imap_output_init(&s.out, 1, OUTPUT_TIMEOUT_MS);
  imap_parser_init(&s.parser, &s.in, &s.out, &s.arena, COMMAND_SIZE_MAX);
  read_login(&s, &start);
  if (argc != 2)
    refuse(&s, &start, "usage", "the Maildir is not named, or more is", "run: imapd Maildir");
  start.maildir = argv[1];
  refuse_root(&s, &start);
  refuse_stranger(&s, &start);
  read_settings(&s, &start);
  umask(start.options.umask);
  zone_open(); /* before the time zone's file is out of reach */
  catch_signals(&s, &start);
  open_store(&s, &start);
  if (start.confined) confine(start.maildir);
  greet(&s, &start);
  session_run(&s);
  if (s.folder) folder_close(s.folder);
  store_close(s.store);
  log_logout(&s, began);
  return 0;
}
