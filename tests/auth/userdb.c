/* userdb(5) records: splitting, reading accounts, and what may be compiled. */
#include "auth/auth.h"
#include "base/base.h"
#include "../tap.h"

static char const *check(char const *name, char const *fields) {
  char copy[8000];
  snprintf(copy, sizeof copy, "%s", fields);
  return userdb_check(name, copy);
}

static void test_split(void) {
  char text[] = "uid=1|gid=2|home=/x|flag|empty=|a=b=c||last=1|";
  struct userdb_record r;
  ok(!userdb_split(text, &r), "a record");
  is_uint(r.count, 7, "has its fields");
  is(userdb_get(&r, "uid"), "1", "the first");
  is(userdb_get(&r, "last"), "1", "the last");
  is(userdb_get(&r, "flag"), "", "one without =");
  is(userdb_get(&r, "empty"), "", "an empty one");
  is(userdb_get(&r, "a"), "b=c", "one with = in its value");
  ok(!userdb_get(&r, "ui"), "no part of a name");
  struct auth_account a = {0};
  ok(!userdb_account(&r, &a), "the account");
  ok(a.uid == 1 && a.gid == 2 && !strcmp(a.home, "/x"), "its ids and home");
  ok(!a.shell && !a.maildir && !a.options, "and nothing that is not there");
}

static void test_check(void) {
  static char const good[] = "uid=1|gid=2|home=/x";
  static struct {
    char const *name, *fields, *problem; /* a word of it; null: none */
  } const cases[] = {
      {"joe", good, 0},
      {"joe@example.com", "systempw=$6$x$y|uid=1|gid=9|home=/x|mail=Mail", 0},
      {"j\xc3\xb6", good, 0},
      {"joe", "uid=4294967294|gid=2|home=/x", 0},
      {"joe", "uid=1|gid=2|home=/x|systempw=abcdefghij./9", 0},
      {"joe", "uid=1|gid=2|home=/x|systempw=*", 0},
      {"joe", "uid=1|gid=2|home=/x|systempw=", 0},
      {"joe", "uid=1|gid=2|home=/x|hmac-md5pw=0123abcd", 0},
      {"", good, "no name"},
      {"#joe", good, "comment"},
      {"j oe", good, "blank"},
      {"joe\x01", good, "control"},
      {"joe", "", "uid="},
      {"joe", "gid=2|home=/x", "uid="},
      {"joe", "uid=1|home=/x", "gid="},
      {"joe", "uid=1|gid=2", "home="},
      {"joe", "uid=1|gid=2|home=x", "home="},
      {"joe", "uid=1|gid=2|home=", "home="},
      {"joe", "uid=0|gid=2|home=/x", "uid=0"},
      {"joe", "uid=000|gid=2|home=/x", "uid=0"},
      {"joe", "uid=1|gid=0|home=/x", "gid=0"},
      {"joe", "uid=4294967295|gid=2|home=/x", "uid="},
      {"joe", "uid=4294967296|gid=2|home=/x", "uid="},
      {"joe", "uid=-1|gid=2|home=/x", "uid="},
      {"joe", "uid=1x|gid=2|home=/x", "uid="},
      {"joe", "uid=joe|gid=2|home=/x", "uid="},
      {"joe", "uid=1|gid=2|home=/x|uid=3", "twice"},
      {"joe", "uid=1|gid=2|home=/x|=3", "no name"},
      {"joe", "uid=1|gid=2|home=/x\r", "control"},
      {"joe", "uid=1|gid=2|home=/x\tshell=/bin/sh", "control"},
      {"joe", "uid=1|gid=2|home=/x|systempw=secret", "userdbpw"},
      {"joe", "uid=1|gid=2|home=/x|imappw=$6", "userdbpw"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char const *problem = check(cases[i].name, cases[i].fields);
    if (cases[i].problem)
      ok(problem && strstr(problem, cases[i].problem), cases[i].fields);
    else
      is(problem, 0, cases[i].fields);
  }
  char large[8000];
  int n = snprintf(large, sizeof large, "%s|x=", good);
  memset(large + n, 'x', (size_t)(USERDB_RECORD_MAX - n));
  large[USERDB_RECORD_MAX] = 0;
  is(check("joe", large), 0, "as large as can be");
  memcpy(large + USERDB_RECORD_MAX, "x", 2);
  ok(check("joe", large), "larger");
  n = snprintf(large, sizeof large, "%s", good);
  for (int i = 3; i < USERDB_FIELDS_MAX; i++)
    n += snprintf(large + n, sizeof large - (size_t)n, "|f%d", i);
  is(check("joe", large), 0, "as many fields as can be");
  snprintf(large + n, sizeof large - (size_t)n, "|one");
  ok(check("joe", large), "one more");
  char name[USERDB_NAME_MAX + 2];
  memset(name, 'x', sizeof name);
  name[USERDB_NAME_MAX] = 0;
  is(check(name, good), 0, "a name as long as can be");
  memcpy(name + USERDB_NAME_MAX, "x", 2);
  ok(check(name, good), "longer");
}

int main(void) {
  log_init("userdb");
  test_split();
  test_check();
  return tap_done();
}
