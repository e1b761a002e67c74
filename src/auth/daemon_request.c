/* A client's request: whether it is whole, and what it says.
 *
 *   request = *( name "=" value LF ) command
 *   command = "AUTH" 1*SP size LF service LF type LF ( user LF password | challenge LF response )
 * [LF] / "PRE" 1*SP module SP service SP user LF       ("." is any module) / "PASSWD" 1*SP service
 * TAB user TAB password TAB new-password LF / "ENUMERATE" LF
 *
 * `size` counts what follows its line.  Of the names there is one, TCPREMOTEIP; others are passed
 * over, as Courier's daemon does. */
#include "auth/daemon.h"

#include <arpa/inet.h>
#include <string.h>
#include <skalibs/types.h>

enum { SERVICE_MAX = 32 };

static struct {
  char const *name;
  enum daemon_command command;
} const commands[DAEMON_COMMANDS] = {{"AUTH", DAEMON_AUTH},
                                     {"PRE", DAEMON_PRE},
                                     {"PASSWD", DAEMON_PASSWD},
                                     {"ENUMERATE", DAEMON_ENUMERATE}};

/* `NAME=value`, before the line that is the command: that has no `=` before its first blank. */
static bool is_setting(char const *line, size_t size) {
  for (size_t i = 0; i < size && line[i] != ' '; i++)
    if (line[i] == '=') return true;
  return false;
}

/* Skips what stands before the command's line; null if that line is not there yet. */
static char const *find_command(char const *bytes, char const *end, char const **line_end) {
  while ((*line_end = memchr(bytes, '\n', (size_t)(end - bytes)))) {
    if (!is_setting(bytes, (size_t)(*line_end - bytes))) return bytes;
    bytes = *line_end + 1;
  }
  return 0;
}

static bool is_word(char const *line, char const *end, char const *word) {
  size_t n = strlen(word);
  return (size_t)(end - line) >= n && !memcmp(line, word, n) && (line + n == end || line[n] == ' ');
}

static char const *skip_blanks(char const *s, char const *end) {
  while (s < end && *s == ' ') s++;
  return s;
}

/* The number of AUTH's line, to its end; false if it is none. */
static bool scan_size(char const *line, char const *end, size_t *size) {
  enum { DIGITS_MAX = 5 };
  char digits[DIGITS_MAX + 1];
  char const *number = skip_blanks(line + strlen("AUTH"), end);
  size_t n = (size_t)(end - number);
  if (n > DIGITS_MAX) return false;
  memcpy(digits, number, n);
  digits[n] = 0;
  return size0_scan(digits, size);
}

enum daemon_frame daemon_frame(char const *bytes, size_t *size) {
  size_t body = 0;
  char const *line_end;
  char const *line = find_command(bytes, bytes + *size, &line_end);
  if (!line) return *size < DAEMON_REQUEST_MAX ? DAEMON_MORE : DAEMON_BROKEN;
  if (is_word(line, line_end, "AUTH") && !scan_size(line, line_end, &body)) return DAEMON_BROKEN;
  size_t whole = (size_t)(line_end + 1 - bytes) + body;
  if (whole > DAEMON_REQUEST_MAX) return DAEMON_BROKEN;
  if (whole > *size) return DAEMON_MORE;
  *size = whole;
  return DAEMON_WHOLE;
}

bool daemon_may_say(char const *s) {
  for (; *s; s++)
    if ((unsigned char)*s < ' ') return false;
  return true;
}

/* What one separator ends, which becomes the NUL; null if it is not there. */
static char *take(char **next, char separator) {
  char *s = *next;
  char *end = s ? strchr(s, separator) : 0;
  if (!end) return 0;
  *end = 0;
  *next = end + 1;
  return s;
}

static bool is_address(char const *s) {
  unsigned char parsed[sizeof(struct in6_addr)];
  return inet_pton(AF_INET, s, parsed) == 1 || inet_pton(AF_INET6, s, parsed) == 1;
}

static void take_settings(char **next, struct daemon_request *r) {
  static char const name[] = "TCPREMOTEIP=";
  while (is_setting(*next, strcspn(*next, "\n"))) {
    char *line = take(next, '\n');
    if (!line) return;
    if (strncmp(line, name, strlen(name)) != 0) continue;
    line += strlen(name);
    r->ip = is_address(line) ? line : 0;
  }
}

/* It becomes part of PAM's and of our own names. */
static bool is_service(char const *s) {
  static char const good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  size_t n = strlen(s);
  return n && n <= SERVICE_MAX && strspn(s, good) == n && *s != '.';
}

static bool is_user(char const *s) {
  return s && *s && daemon_may_say(s);
}

static bool parse_login(char **next, struct daemon_request *r) {
  r->user = take(next, '\n');
  r->password = r->user ? *next : 0; /* Cyrus SASL ends it with a line feed, Exim perhaps not */
  return is_user(r->user);
}

static bool parse_auth(char **next, struct daemon_request *r) {
  if (!take(next, '\n')) return false; /* the size */
  r->service = take(next, '\n');
  r->type = r->service ? take(next, '\n') : 0;
  if (!r->type) return false;
  char *end = *next + strlen(*next);
  if (end > *next && end[-1] == '\n') end[-1] = 0;
  if (!strcmp(r->type, "login")) return parse_login(next, r) && daemon_may_say(r->password);
  r->challenge = take(next, '\n');
  r->response = r->challenge ? *next : 0;
  return r->response;
}

static bool parse_pre(char **next, struct daemon_request *r) {
  r->module = take(next, ' ');
  *next += r->module ? strspn(*next, " ") : 0;
  r->service = r->module ? take(next, ' ') : 0;
  *next += r->service ? strspn(*next, " ") : 0;
  r->user = r->service ? take(next, '\n') : 0;
  if (!is_user(r->user)) return false;
  if (!strcmp(r->module, ".")) r->module = 0;
  return true;
}

static bool parse_passwd(char **next, struct daemon_request *r) {
  r->service = take(next, '\t');
  r->user = r->service ? take(next, '\t') : 0;
  r->password = r->user ? take(next, '\t') : 0;
  r->new_password = r->password ? take(next, '\n') : 0;
  return is_user(r->user) && r->new_password && *r->new_password && daemon_may_say(r->password) &&
         daemon_may_say(r->new_password);
}

static bool parse_enumerate(char **next, struct daemon_request *r) {
  (void)next;
  r->service = "imap";
  return true;
}

static bool (*const parsers[DAEMON_COMMANDS])(char **, struct daemon_request *) = {
    [DAEMON_AUTH] = parse_auth,
    [DAEMON_PRE] = parse_pre,
    [DAEMON_PASSWD] = parse_passwd,
    [DAEMON_ENUMERATE] = parse_enumerate,
};

bool daemon_parse(char *bytes, size_t size, struct daemon_request *r) {
  char *next = bytes;
  *r = (struct daemon_request){.command = DAEMON_COMMANDS};
  bytes[size] = 0;
  if (memchr(bytes, 0, size)) return false;
  take_settings(&next, r);
  size_t word = strcspn(next, " \n");
  for (size_t i = 0; i < DAEMON_COMMANDS; i++)
    if (strlen(commands[i].name) == word && !memcmp(commands[i].name, next, word))
      r->command = commands[i].command;
  if (r->command == DAEMON_COMMANDS) return false;
  next += word;
  next += strspn(next, " ");
  return parsers[r->command](&next, r) && is_service(r->service);
}
