/* authpwd and authshadow against accounts of all sorts.  The test cannot edit the system's, so it
 * plays passwd, shadow and the groups itself. */
#include "auth/source.h"
#include "base/base.h"
#include "../tap.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <shadow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS_A_DAY = 86400 };

/* ---- the system's databases, as the test wants them ---- */

static struct passwd account;
static struct spwd shadow;
static int passwd_error, shadow_error, group_count;

int getpwnam_r(char const *name, struct passwd *entry, char *room, size_t size,
               struct passwd **found) {
  (void)room;
  (void)size;
  *found = 0;
  if (passwd_error || strcmp(name, account.pw_name)) return passwd_error;
  *entry = account;
  *found = entry;
  return 0;
}

int getspnam_r(char const *name, struct spwd *entry, char *room, size_t size, struct spwd **found) {
  (void)name;
  (void)room;
  (void)size;
  *found = 0;
  if (shadow_error || !shadow.sp_pwdp) return shadow_error;
  *entry = shadow;
  *found = entry;
  return 0;
}

int getgrouplist(char const *user, gid_t gid, gid_t *groups, int *count) {
  int room = *count;
  (void)user;
  *count = group_count;
  if (group_count > room) return -1;
  for (int i = 0; i < group_count; i++) groups[i] = gid + (gid_t)i;
  return group_count;
}

static char hash[CRYPT_OUTPUT_SIZE];

static void reset(void) {
  static char name[] = "joe", x[] = "x", home[] = "/", shell[] = "/bin/sh";
  account = (struct passwd){.pw_name = name,
                            .pw_passwd = x,
                            .pw_uid = 1000,
                            .pw_gid = 2000,
                            .pw_dir = home,
                            .pw_shell = shell};
  shadow = (struct spwd){.sp_namp = name,
                         .sp_pwdp = hash,
                         .sp_lstchg = 10000,
                         .sp_min = 0,
                         .sp_max = 99999,
                         .sp_warn = 7,
                         .sp_inact = -1,
                         .sp_expire = -1};
  passwd_error = shadow_error = 0;
  group_count = 3;
}

static struct source const *asked = &source_passwd;
static struct source_entry entry;
#define got entry.account

/* The reason, or "accept". */
static char const *ask(char const *user, char const *password, enum auth_verdict want) {
  static char answer[80];
  struct source_query q = {user, "imap"};
  struct auth_result r = source_verify(asked, &q, password, &entry);
  snprintf(answer, sizeof answer, "%s%s", r.reason ? r.reason : "accept",
           r.verdict == want ? "" : ", and another verdict");
  return answer;
}

static void test_accounts(void) {
  is(ask("joe", "secret", AUTH_ACCEPT), "accept", "the right password");
  is(got.user, "joe", "the user");
  is_uint(got.uid, 1000, "the uid");
  is_uint(got.gid, 2000, "the gid");
  is_uint(got.groups_count, 3, "the groups");
  is(got.home, "/", "the home directory");
  is(ask("joe", "Secret", AUTH_DECLINE), "wrong-password", "a wrong password");
  is(ask("jane", "secret", AUTH_DECLINE), "unknown-user", "an unknown user");
  is(ask("+joe", "secret", AUTH_DECLINE), "unknown-user", "a name that means something to NIS");
  is(ask("joe:x", "secret", AUTH_DECLINE), "unknown-user", "a name with a colon");
  is(ask("joe\n", "secret", AUTH_DECLINE), "unknown-user", "a name with a newline");
  static char long_name[400];
  memset(long_name, 'x', sizeof long_name - 1);
  is(ask(long_name, "secret", AUTH_DECLINE), "unknown-user", "a long name");

  account.pw_uid = 0;
  is(ask("joe", "secret", AUTH_DECLINE), "uid-0", "never uid 0");
  reset();
  account.pw_shell = account.pw_name + 3;
  ask("joe", "secret", AUTH_ACCEPT);
  ok(!got.shell, "an empty shell is none");
  reset();
  group_count = 1000;
  is(ask("joe", "secret", AUTH_ACCEPT), "accept", "a thousand groups");
  is_uint(got.groups_count, 1000, "all of them");
  group_count = 70000;
  is(ask("joe", "secret", AUTH_TEMPORARY), "account-database", "more groups than there can be");
  reset();
}

static void test_failures(void) {
  static int const unknown[] = {0, ENOENT, ESRCH};
  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
    passwd_error = unknown[i];
    is(ask("jane", "secret", AUTH_DECLINE), "unknown-user", "an errno that means: not here");
  }
  static int const failures[] = {EIO, EMFILE, ENOMEM, EAGAIN, ERANGE, ETIMEDOUT};
  for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
    reset();
    passwd_error = failures[i];
    is(ask("joe", "secret", AUTH_TEMPORARY), "account-database", "passwd does not answer");
    reset();
    shadow_error = failures[i];
    is(ask("joe", "secret", AUTH_TEMPORARY), "account-database", "shadow does not answer");
  }
  shadow_error = EACCES;
  is(ask("joe", "secret", AUTH_TEMPORARY), "account-database", "shadow may not be read");
  reset();
}

static void test_hashes(void) {
  char locked[CRYPT_OUTPUT_SIZE + 2], bad[] = "$y$nonsense$", star[] = "*", bang[] = "!",
                                      bangs[] = "!*", empty[] = "";
  shadow.sp_pwdp = 0;
  if (geteuid())
    is(ask("joe", "secret", AUTH_TEMPORARY), "account-database", "no entry that we may see");
  else
    is(ask("joe", "secret", AUTH_DECLINE), "no-password", "no entry in shadow");
  account.pw_passwd = hash;
  is(ask("joe", "secret", AUTH_ACCEPT), "accept", "the hash in passwd, without shadow");
  reset();
  snprintf(locked, sizeof locked, "!%s", hash);
  shadow.sp_pwdp = locked;
  is(ask("joe", "secret", AUTH_REFUSE), "locked", "usermod -L keeps the user out of all modules");
  snprintf(locked, sizeof locked, "!!%s", hash);
  is(ask("joe", "secret", AUTH_REFUSE), "locked", "so does passwd -l of others");
  char *none[] = {star, bang, bangs, empty};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    shadow.sp_pwdp = none[i];
    is(ask("joe", none[i], AUTH_DECLINE), "no-password", "no password: another module may know");
  }
  shadow.sp_pwdp = bad;
  is(ask("joe", "secret", AUTH_TEMPORARY), "crypt-failed", "a hash that crypt does not know");
  reset();
}

static void test_ages(void) {
  long today = (long)(time(0) / SECONDS_A_DAY);
  shadow.sp_expire = today - 1;
  is(ask("joe", "secret", AUTH_REFUSE), "account-expired", "the account has expired");
  is(ask("joe", "wrong", AUTH_REFUSE), "account-expired", "with a wrong password too");
  shadow.sp_expire = today + 2;
  is(ask("joe", "secret", AUTH_ACCEPT), "accept", "the account has not expired yet");
  reset();
  shadow.sp_lstchg = 0;
  is(ask("joe", "secret", AUTH_REFUSE), "password-expired", "a password to be changed at once");
  is(ask("joe", "wrong", AUTH_DECLINE), "wrong-password", "which only its owner is to know");
  shadow.sp_lstchg = today - 100;
  shadow.sp_max = 90;
  is(ask("joe", "secret", AUTH_REFUSE), "password-expired", "a password that is too old");
  shadow.sp_max = 110;
  is(ask("joe", "secret", AUTH_ACCEPT), "accept", "one that is not");
  shadow.sp_max = -1;
  is(ask("joe", "secret", AUTH_ACCEPT), "accept", "no limit of age");
  shadow.sp_lstchg = -1;
  is(ask("joe", "secret", AUTH_ACCEPT), "accept", "no ageing at all");
  reset();
}

/* ---- the whole module, in a process of its own ---- */

static char output[400];

/* The exit code; what its programs have written is in `output`. */
static int run(int argc, char **argv) {
  static char const sent[] = "joe\0secret\0x";
  int credentials[2], written[2], status;
  size_t size = 0;
  if (pipe(credentials) < 0 || pipe(written) < 0) return -1;
  pid_t child = fork();
  if (!child) {
    close(credentials[1]);
    dup2(written[1], 1);
    int in = fcntl(credentials[0], F_DUPFD, CREDENTIALS_FD + 1);
    dup2(in, CREDENTIALS_FD);
    source_run(argc, argv, &source_passwd);
  }
  close(written[1]);
  ssize_t r = write(credentials[1], sent, sizeof sent);
  close(credentials[0]);
  close(credentials[1]);
  while (r > 0 && (r = read(written[0], output + size, sizeof output - 1 - size)) > 0)
    size += (size_t)r;
  output[size] = 0;
  close(written[0]);
  return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char name[] = "authpwd", shell[] = "sh", option[] = "-c", next[] = "authnext";

/* As checkpassword: the session's program sees who it is. */
static void test_program(void) {
  static char script[] = "echo $(id -u) $(id -g) $USER $AUTHMODULE $PWD; id -G";
  char *argv[] = {name, next, shell, option, script, 0}, want[200];
  if (geteuid()) {
    account.pw_uid = geteuid();
    account.pw_gid = getegid();
    group_count = 0;
  }
  is_uint((uint64_t)run(5, argv), 0, "a session");
  int size = snprintf(want, sizeof want, "%lu %lu joe authpwd /\n", (unsigned long)account.pw_uid,
                      (unsigned long)account.pw_gid);
  if (!geteuid()) snprintf(want + size, sizeof want - (size_t)size, "2000 2001 2002\n");
  ok(!strncmp(output, want, strlen(want)), "is the user's, groups included");
  reset();
}

/* Refused: the next module is not asked, imaplogin hears of it. */
static void test_refusal(void) {
  char *argv[] = {name, next, shell, 0}, locked[CRYPT_OUTPUT_SIZE + 1];
  snprintf(locked, sizeof locked, "!%s", hash);
  shadow.sp_pwdp = locked;
  is_uint((uint64_t)run(3, argv), EXIT_REFUSED, "checkpassword refuses");
  int socket = fcntl(2, F_DUPFD, 10); /* any descriptor will do: nothing is to be written there */
  char number[12];
  snprintf(number, sizeof number, "%d", socket);
  setenv("IMAPLOGIN", "sh", 1);
  setenv("IMAPLOGIN_ARGV", "2:sh,2:-c,40:echo verdict=$IMAPLOGIN_VERDICT again=$0,9:imaplogin,", 1);
  setenv("IMAPLOGIN_FD", number, 1);
  setenv("IMAPLOGIN_VERDICT", "temporary", 1);
  is_uint((uint64_t)run(3, argv), 0, "imaplogin takes over");
  is(output, "verdict=refused again=imaplogin\n", "and knows that the user was refused");
  unsetenv("IMAPLOGIN");
  unsetenv("IMAPLOGIN_VERDICT");
  close(socket);
  reset();
}

int main(void) {
  struct crypt_data work = {0};
  log_init("authpwd");
  snprintf(hash, sizeof hash, "%s", crypt_r("secret", "$6$rounds=1000$salt$", &work));
  reset();
  test_accounts();
  test_failures();
  test_hashes();
  test_ages();
  unsetenv("IMAPLOGIN");
  unsetenv("AUTHMECH");
  unsetenv("AUTHZID");
  test_program();
  test_refusal();
  return tap_done();
}
