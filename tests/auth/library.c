/* The parts of libauth that need no process: credentials, netstrings, environment, passwords. */
#include "auth/auth.h"
#include "base/base.h"
#include "../tap.h"

#include <stdlib.h>
#include <unistd.h>

static bool parses(char const *bytes, size_t size, bool more, struct auth_credentials *a) {
  static struct credentials_buffer c;
  memcpy(c.bytes, bytes, size);
  c.size = size;
  return credentials_parse(&c, more, a);
}

static void test_credentials(void) {
  struct auth_credentials a = {0};
  ok(parses("joe\0pass\0"
            "17\0",
            12, false, &a),
     "three strings");
  is(a.user, "joe", "the user");
  is(a.password, "pass", "the password");
  is(a.timestamp, "17", "the timestamp");
  ok(parses("\0\0\0", 3, false, &a), "three empty strings");
  ok(!parses("joe\0pass\0"
             "17\0x",
             13, false, &a),
     "more is too much");
  ok(parses("joe\0pass\0"
            "17\0x",
            13, true, &a),
     "unless it is allowed");
  ok(!parses("joe\0pass\0"
             "17",
             11, true, &a),
     "the last NUL is missing");
  ok(!parses("", 0, true, &a), "nothing");

  static struct credentials_buffer out, in;
  memset(out.bytes, 'x', CREDENTIALS_MAX);
  out.size = CREDENTIALS_MAX;
  close(CREDENTIALS_FD);
  ok(!credentials_pass(&out), "the most there can be fits into a pipe");
  ok(!credentials_read(&in), "and comes out");
  ok(in.size == out.size && !memcmp(in.bytes, out.bytes, in.size), "as it was");
  ok(credentials_read(&in) < 0, "once");
  credentials_wipe(&out);
  ok(!out.size && !out.bytes[0] && !memcmp(out.bytes, out.bytes + 1, CREDENTIALS_MAX), "wiped");
}

/* The words with `|` between them; "malformed". */
static char const *split(char const *netstrings) {
  static char joined[200];
  char copy[200];
  snprintf(copy, sizeof copy, "%s", netstrings);
  char **words = chain_split(copy);
  joined[0] = 0;
  for (size_t i = 0; words && words[i]; i++) {
    if (i) strcat(joined, "|");
    strcat(joined, words[i]);
  }
  if (!words) strcpy(joined, "malformed");
  free(words);
  return joined;
}

static void test_netstrings(void) {
  is(split("9:imaplogin,7:authpwd,5:imapd,7:Maildir,"), "imaplogin|authpwd|imapd|Maildir", "four");
  is(split("0:,3:a,b,"), "|a,b", "an empty one, one with a comma");
  is(split("4:1:a,,"), "1:a,", "one with a netstring in it");
  static char const *const malformed[] = {"",
                                          ",",
                                          ":",
                                          "1",
                                          "1:",
                                          "1:a",
                                          "2:a,",
                                          "1:ab,",
                                          "-1:a,",
                                          "1:a,x",
                                          "1:a,9:b,",
                                          " 1:a,",
                                          "99999999999999999999:a,",
                                          "18446744073709551615:a,",
                                          "18446744073709551614:a,"};
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
    is(split(malformed[i]), "malformed", malformed[i]);
}

static bool has(char *const *environment, char const *variable) {
  for (; *environment; environment++)
    if (!strcmp(*environment, variable)) return true;
  return false;
}

static void test_environment(void) {
  static char const *const inherited[] = {"PATH=/bin",
                                          "IMAP_=1",
                                          "IMAP_X=1",
                                          "IMAPLOGIN=x",
                                          "IMAPLOGIN_FD=10",
                                          "LC_CTYPE=C",
                                          "LC=x",
                                          "SSL_PEER_CN=x",
                                          "SSL_PEERX=x",
                                          "SSL_PROTOCOLX=x",
                                          "LDAP_BINDPW=",
                                          "HOME=/wrong",
                                          "AUTHENTICATED=no",
                                          "=strange",
                                          "NOEQUALS",
                                          "PATHX=x",
                                          "PROTO=TCP",
                                          "USERDB=/x",
                                          "MAILDIR=/no",
                                          "OPTIONS=no",
                                          "IMAPLOGINTAG=a",
                                          0};
  struct auth_account a = {.user = "joe", .uid = 1, .gid = 1, .home = "/home/joe"};
  struct arena arena = {0};
  char **e = environment_rebuild(&arena, (char *const *)inherited, &a, "authtest");
  static char const *const want[] = {
      "PATH=/bin",     "IMAP_=1",           "IMAP_X=1",       "LC_CTYPE=C",         "SSL_PEER_CN=x",
      "PROTO=TCP",     "IMAPLOGINTAG=a",    "HOME=/home/joe", "USER=joe",           "LOGNAME=joe",
      "SHELL=/bin/sh", "AUTHENTICATED=joe", "AUTHADDR=joe",   "AUTHMODULE=authtest"};
  size_t n = 0;
  while (e[n]) n++;
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) ok(has(e, want[i]), want[i]);
  is_uint(n, sizeof want / sizeof *want, "and nothing else");
  arena_release(&arena);
}

static void test_passwords(void) {
  char hash[PASSWORD_HASH_MAX], long_password[600];
  static char const *const kinds[] = {"$y$", "$2b$", "$6$"};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    ok(!password_hash("secret", kinds[i], hash), kinds[i]);
    ok(!strncmp(hash, kinds[i], strlen(kinds[i])), "is of its kind");
    ok(password_check("secret", hash) == PASSWORD_RIGHT, "right");
    ok(password_check("secre", hash) == PASSWORD_WRONG, "wrong");
    ok(password_check("", hash) == PASSWORD_WRONG, "empty");
    hash[strlen(hash) - 1] ^= 1;
    ok(password_check("secret", hash) != PASSWORD_RIGHT, "one bit of the hash");
  }
  static char const *const none[] = {"", "*", "!", "!$6$x$y", "*0"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++)
    ok(password_check(none[i], none[i]) == PASSWORD_WRONG, "no hash is never right");
  ok(password_check("x", "$y$nonsense$") == PASSWORD_UNKNOWN, "a malformed hash cannot be told");
  ok(password_check("x", "$unknown$x$y") == PASSWORD_UNKNOWN, "nor one of an unknown kind");
  ok(password_check("x", "plain") == PASSWORD_WRONG ||
         password_check("x", "plain") == PASSWORD_UNKNOWN,
     "nor a password in the clear");
  ok(password_check("plain", "plain") != PASSWORD_RIGHT, "which is never right");
  memset(long_password, 'x', sizeof long_password - 1);
  long_password[sizeof long_password - 1] = 0;
  ok(password_check(long_password, "$6$salt$x") == PASSWORD_WRONG,
     "too long is wrong, not unknown");
}

static void test_modules(void) {
  ok(chain_is_module("authpwd"), "authpwd");
  ok(chain_is_module("/usr/bin/authpwd"), "with its path");
  ok(!chain_is_module("/auth/imapd"), "the directory does not count");
  ok(!chain_is_module("imapauth"), "the end of the name does not count");
  ok(!chain_is_module(""), "no name at all");
}

int main(void) {
  log_init("library");
  test_credentials();
  test_netstrings();
  test_environment();
  test_passwords();
  test_modules();
  return tap_done();
}
