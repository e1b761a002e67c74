/* authcheckpassword: asks a foreign checkpassword program; see authcheckpassword(8).  It runs in a
 * child, with reportuser as its program, so that what becomes of the child is the answer, and the
 * chain goes on whatever that is. */
#include "auth/report.h"
#include "auth/source.h"
#include "base/base.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <skalibs/types.h>

enum {
  CLASSIC_MAX = 512, /* bytes on descriptor 3 that every checkpassword program reads */
  WORDS_MAX = 64,
  GROUPS_MAX = REPORT_MAX / 2,
  LOOK_AGAIN_MS = 10, /* for a child that has closed its output and not yet ended */
};

static char const *own_name; /* argv[0]: reportuser lies beside it */

static struct auth_result const unavailable = {AUTH_TEMPORARY, "checkpassword"};

static struct auth_result declined(char const *reason) {
  return (struct auth_result){AUTH_DECLINE, reason};
}

/* What went wrong with the program, in words. */
static struct auth_result failed(char const *program, char const *why, char const *number) {
  log_event("failed", "attempt", "run a checkpassword program", "path", program, "why", why,
            "number", number, "remedy", "see CHECKPASSWORD, and what the program itself has logged",
            (char *)0);
  return unavailable;
}

/* ---- running it ---- */

struct job {
  char *words[WORDS_MAX + 2]; /* the program, its arguments, reportuser */
  pid_t child;
  int output;
  int64_t deadline;
  char report[REPORT_MAX + 1];
  size_t size;
};

/* The words of CHECKPASSWORD, which are the process's own from now on. */
static void read_setting(struct job *j) {
  static char reporter[4096];
  char const *setting = getenv("CHECKPASSWORD");
  char *copy = setting ? strdup(setting) : 0;
  size_t n = 0;
  for (char *word, *rest = copy; copy && n < WORDS_MAX && (word = strtok_r(rest, " \t", &rest));)
    j->words[n++] = word;
  char const *slash = strrchr(own_name, '/');
  int size = snprintf(reporter, sizeof reporter, "%.*sreportuser",
                      slash ? (int)(slash - own_name) + 1 : 0, own_name);
  if (!n || n == WORDS_MAX || size < 0 || (size_t)size >= sizeof reporter)
    log_die(EXIT_MISUSE, "bad-setting", "name", "CHECKPASSWORD", "value", setting, "wanted",
            "a checkpassword program and its arguments, less than 64 words", (char *)0);
  j->words[n++] = reporter;
  j->words[n] = 0;
}

/* The program is not to think itself below imaplogin, nor what it has not set itself to be set. */
static void clean_environment(void) {
  static char const *const names[] = {
      "IMAPLOGIN",         "IMAPLOGIN_ARGV",  "IMAPLOGIN_FD",   "IMAPLOGIN_STATE",
      "IMAPLOGIN_VERDICT", "IMAPLOGIN_TRIED", "IMAPLOGIN_USER", "LOGNAME"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) unsetenv(names[i]);
  for (size_t i = REPORT_HOME; i < REPORT_COUNT; i++) unsetenv(report_variables[i]);
}

static noreturn void become_program(struct job *j, int credentials, int output) {
  int null = open("/dev/null", O_RDONLY);
  setpgid(0, 0);
  clean_environment();
  if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(credentials, CREDENTIALS_FD) < 0)
    _exit(EXIT_TEMPORARY);
  fd_close_from(CREDENTIALS_FD + 1);
  execvp(*j->words, j->words);
  log_failure("exec", *j->words, "let CHECKPASSWORD name a program that is there");
  _exit(EXIT_TEMPORARY);
}

/* A pipe with the credentials in it, which it takes without a reader; -1. */
static int offer(struct auth_credentials const *c) {
  int ends[2];
  char const *const strings[] = {c->user, c->password, c->timestamp};
  int r = pipe(ends);
  for (size_t i = 0; !r && i < sizeof strings / sizeof *strings; i++)
    r = io_write_all(ends[1], strings[i], strlen(strings[i]) + 1, -1);
  if (!r) close(ends[1]);
  return r ? -1 : fd_move_high(ends[0]);
}

static bool start(struct job *j, struct auth_credentials const *c) {
  int ends[2], credentials = offer(c);
  if (credentials < 0 || pipe(ends) < 0) return false;
  int output = fd_move_high(ends[1]);
  j->output = ends[0];
  j->child = output < 0 ? -1 : fork();
  if (!j->child) become_program(j, credentials, output);
  close(credentials);
  close(output);
  return j->child > 0;
}

/* ---- its end ---- */

/* To the end of its output; a program that prints what is no report is none of ours. */
static void read_report(struct job *j) {
  ssize_t n = 1;
  while (n > 0 && j->size < sizeof j->report) {
    n = io_read(j->output, j->report + j->size, sizeof j->report - j->size, j->deadline);
    if (n > 0) j->size += (size_t)n;
  }
  close(j->output);
}

/* Whether it has ended by itself, and how. */
static bool wait_for_end(struct job *j, int *status) {
  struct timespec const pause = {0, LOOK_AGAIN_MS * 1000000L};
  pid_t r;
  while (!(r = waitpid(j->child, status, WNOHANG)) && clock_ms() < j->deadline)
    nanosleep(&pause, 0);
  if (r == j->child) return true;
  kill(-j->child, SIGKILL);
  kill(j->child, SIGKILL); /* if it has not yet its own group */
  waitpid(j->child, status, 0);
  return false;
}

/* ---- what it says ---- */

static bool split(struct job const *j, char const *fields[REPORT_COUNT]) {
  char const *next = j->report, *end = j->report + j->size;
  for (size_t i = 0; i < REPORT_COUNT; i++) {
    char const *nul = memchr(next, 0, (size_t)(end - next));
    if (!nul) return false;
    fields[i] = next;
    next = nul + 1;
  }
  return next == end && !strcmp(fields[REPORT_HEAD], REPORT_MAGIC);
}

static bool scan_id(char const *s, uint32_t *id) {
  return uint320_scan(s, id) && *id < UINT32_MAX;
}

/* Group 0 is left out: see system_groups. */
static bool scan_groups(char const *s, struct auth_account *a) {
  static gid_t groups[GROUPS_MAX];
  uint32_t id;
  a->groups = groups;
  while (*s) {
    size_t n = uint32_scan(s, &id);
    if (!n || (s[n] && s[n] != ' ') || a->groups_count == GROUPS_MAX) return false;
    groups[a->groups_count] = id;
    a->groups_count += id != 0;
    s += n + (s[n] ? 1 : 0);
  }
  return true;
}

static char const *filled(char const *s) {
  return *s ? s : 0;
}

/* The session is where the program has left it, which need not be HOME. */
static struct auth_result take_account(struct job const *j, char const *asked,
                                       struct auth_account *a) {
  static char options[OPTIONS_MAX];
  char const *f[REPORT_COUNT];
  uint32_t uid, gid;
  if (!split(j, f) || !scan_id(f[REPORT_UID], &uid) || !scan_id(f[REPORT_GID], &gid) ||
      !scan_groups(f[REPORT_GROUPS], a))
    return failed(*j->words, "it has not run the program it was given", 0);
  a->uid = uid;
  a->gid = gid;
  a->directory = filled(f[REPORT_DIRECTORY]);
  a->home = *f[REPORT_HOME] ? f[REPORT_HOME] : a->directory;
  a->user = *f[REPORT_USER] ? f[REPORT_USER] : asked;
  a->shell = filled(f[REPORT_SHELL]);
  a->maildir = filled(f[REPORT_MAILDIR]);
  a->options = filled(f[REPORT_OPTIONS]);
  a->quota = filled(f[REPORT_QUOTA]);
  if (!options_complete(&a->options, options))
    return failed(*j->words, "its OPTIONS, with DEFAULTOPTIONS, are more than 4000 bytes", 0);
  if (!a->home || *a->home != '/')
    return failed(*j->words, "it sets no HOME, and is in no directory that has a name", 0);
  char const *superuser = account_superuser(a);
  return superuser ? declined(superuser) : (struct auth_result){AUTH_ACCEPT, 0};
}

/* 1 is checkpassword's own word for it; vchkpw says 3. */
static struct auth_result judge(struct job const *j, int status, char const *asked,
                                struct auth_account *a) {
  enum { NO = 1, NO_OF_VCHKPW = 3 };
  char number[21];
  if (WIFSIGNALED(status))
    return failed(*j->words, "a signal", log_number(number, (uint64_t)WTERMSIG(status)));
  int code = WEXITSTATUS(status);
  if (code == NO || code == NO_OF_VCHKPW) return declined("wrong-password");
  if (code) return failed(*j->words, "its exit code", log_number(number, (uint64_t)code));
  return take_account(j, asked, a);
}

static struct auth_result verify(struct auth_credentials const *c, struct auth_account *a) {
  static struct job job; /* the account points into it */
  int status;
  if (strlen(c->user) + strlen(c->password) + strlen(c->timestamp) + 3 > CLASSIC_MAX)
    return declined("too-long-for-checkpassword");
  read_setting(&job);
  job.deadline = clock_ms() + (int64_t)setting_number("CHECKPASSWORD_TIMEOUT", 30, 1, 600) * 1000;
  if (!start(&job, c)) {
    log_failure("start a checkpassword program", *job.words,
                "raise the limits on processes and open files");
    return unavailable;
  }
  read_report(&job);
  if (!wait_for_end(&job, &status)) return failed(*job.words, "no answer in time", 0);
  return judge(&job, status, c->user, a);
}

int main(int argc, char **argv) {
  static struct auth_module const module = {.name = "authcheckpassword", .verify = verify};
  own_name = argc ? argv[0] : module.name;
  auth_run(argc, argv, &module);
}
