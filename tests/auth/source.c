/* What sources share: schemes of passwords, account options, variables, statements with parameters.
 */
#include "auth/sql.h"
#include "base/base.h"
#include "../tap.h"

#include <stdlib.h>
#include <string.h>

static void test_schemes(void) {
  static struct {
    char const *hash;
    enum password_check want;
  } const cases[] = {
      {"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", PASSWORD_RIGHT},
      {"{sha}5en6G6MezRroT3XKqkdPOmY/BfQ=", PASSWORD_RIGHT},
      {"{SHA}5en6G6MezRroT3XKqkdPOmY/BfA=", PASSWORD_WRONG},
      {"{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=", PASSWORD_RIGHT},
      {"{SHA512}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKn"
       "vCXdhztmeD2cmW192CF5bDufKRpayrW/isg==",
       PASSWORD_RIGHT},
      {"{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", PASSWORD_RIGHT},
      {"{MD5RAW}5ebe2294ecd0e0f08eab7690d2a6ee69", PASSWORD_RIGHT},
      {"{MD5RAW}5EBE2294ECD0E0F08EAB7690D2A6EE69", PASSWORD_RIGHT},
      {"{MD5RAW}5ebe2294ecd0e0f08eab7690d2a6ee6", PASSWORD_UNKNOWN},
      {"{MD5RAW}5ebe2294ecd0e0f08eab7690d2a6ee6x", PASSWORD_UNKNOWN},
      {"{CRYPT}$6$rounds=1000$salt$"
       "x",
       PASSWORD_WRONG},
      {"{SHA}", PASSWORD_UNKNOWN},
      {"{SHA}AAAA", PASSWORD_UNKNOWN},
      {"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQAAAAA", PASSWORD_UNKNOWN},
      {"{NONE}x", PASSWORD_UNKNOWN},
      {"{", PASSWORD_UNKNOWN},
      {"", PASSWORD_WRONG},
      {"*", PASSWORD_WRONG},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    is_uint(scheme_check("secret", cases[i].hash), cases[i].want, cases[i].hash);
  ok(scheme_is_known("{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQAAAAA"), "a salt is known");
  ok(!scheme_is_known("{SSHA}x") && !scheme_is_known("secret"), "nonsense is not");
}

static void test_options(void) {
  char merged[40];
  char const *value;
  is_uint(options_get("a=1,bb=22,c", "bb", &value), 2, "an option");
  ok(!strncmp(value, "22", 2), "its value");
  ok(!options_get("a=1,bb=22", "b", &value), "no part of a name");
  ok(!options_get("a=1,c", "c", &value) && !options_get(0, "a", &value), "no value, no options");
  ok(options_merge("a=1", "a=2,b=3", merged, sizeof merged), "merging");
  is(merged, "a=1,b=3", "the account's own count more");
  ok(options_merge(0, "a=2,,b=3,", merged, sizeof merged), "nothing of its own");
  is(merged, "a=2,b=3", "the defaults");
  ok(options_merge("a=1", 0, merged, sizeof merged) && !strcmp(merged, "a=1"), "no defaults");
  ok(!options_merge("a=1", "b=0123456789012345678901234567890123456", merged, sizeof merged),
     "no room");
}

static char const *expand(char const *name, char const *domain, char const *text) {
  static char out[64];
  struct source_query q = {name, "imap"};
  struct variables v;
  if (!variables_set(&v, &q, domain)) return "no name";
  return variables_expand(&v, text, strlen(text), 0, out, sizeof out) ? out : "no room";
}

/* Who may not use the account shows in its options, or nothing of the account does. */
static void test_refusals(void) {
  static struct source_entry e;
  static char long_options[SOURCE_TEXT_MAX - 40];
  struct source_query q = {"joe", "imap"};
  e.account.options = source_keep(&e, "a=1,disableimap=0");
  ok(source_mark_refused(&q, &e), "an account that may be used");
  is(e.account.options, "a=1,disableimap=0", "stays as it is");
  e.after = "password-expired";
  ok(source_mark_refused(&q, &e), "a password that has expired");
  is(e.account.options, "disableimap=1,a=1", "shows");
  source_forget(&e);
  e.refusal = "disabled";
  ok(source_mark_refused(&q, &e) && !strcmp(e.account.options, "disableimap=1"),
     "as a refusal does");
  source_forget(&e);
  memset(long_options, 'x', sizeof long_options - 1);
  e.account.options = source_keep(&e, long_options);
  e.refusal = "disabled";
  ok(!source_mark_refused(&q, &e), "where there is no room, it says so");
  source_forget(&e);
}

static void test_variables(void) {
  is(expand("ann", 0, "<$(user)|$(local_part)|$(domain)|$(service)>"), "<ann|ann||imap>", "a name");
  is(expand("ann", "x.org", "$(user)|$(local_part)|$(domain)"), "ann@x.org|ann|x.org",
     "the default domain");
  is(expand("a@b@c.org", "x.org", "$(local_part)|$(domain)"), "a@b|c.org", "the last @ counts");
  is(expand("$(user)", 0, "$(user)"), "$(user)", "a value is no text");
  is(expand("ann", 0, "$ $( user"), "$ $( user", "no reference");
  static char name[VARIABLE_NAME_MAX + 2];
  memset(name, 'x', VARIABLE_NAME_MAX);
  is(expand(name, 0, "$(user)"), "no room", "a value too long for its place");
  is(expand(name, "x", "$(user)"), "no name", "a name too long for any");
  ok(!variables_check("$(user)", 7, false), "a variable");
  ok(variables_check("$(users)", 8, false), "none such");
  ok(variables_check("$(user", 6, false), "not closed");
  ok(variables_check("$(newpass)", 10, false), "a new password where there is none");
  ok(!variables_check("$(newpass)", 10, true), "and where there is one");
}

static void statement(enum sql_dialect dialect, char const *text, char const *want,
                      char const *parameter) {
  struct sql_statement s;
  sql_prepare(&s, "TEST", text, dialect, false);
  is(s.text, want, text);
  if (!parameter) {
    ok(!s.count, "has no parameter");
  } else {
    ok(s.count && s.parameters[0].size == strlen(parameter) &&
           !memcmp(s.parameters[0].text, parameter, s.parameters[0].size),
       parameter);
  }
  for (size_t i = 0; i < s.count; i++) free(s.parameters[i].text);
  free(s.text);
}

static void test_statements(void) {
  statement(SQL_PGSQL, "a = '$(user)' AND b = $(domain)", "a = $1 AND b = $2", "$(user)");
  statement(SQL_MYSQL, "a = \"$(user)\" AND b = 'x\\'y'", "a = ? AND b = 'x\\'y'", "$(user)");
  statement(SQL_SQLITE, "\"a\"\"'b\" = '$(user)'", "\"a\"\"'b\" = ?", "$(user)");
  statement(SQL_MYSQL, "`a'b` = '$(user)'", "`a'b` = ?", "$(user)");
  statement(SQL_PGSQL, "a = 'it''s $(user)'", "a = $1", "it's $(user)");
  statement(SQL_PGSQL, "a = 'it''s' AND b = '$'", "a = 'it''s' AND b = '$'", 0);
  statement(SQL_PGSQL, "", "", 0);
}

/* ---- a driver that writes down what it is asked ---- */

static char asked[600];
static int connections;
static enum sql_outcome next_outcomes[2];
static size_t outcome_count;

static void configure(void) {}

static int connect_to(int64_t deadline) {
  (void)deadline;
  connections++;
  return 0;
}

static void disconnect(void) {}

static enum sql_outcome run(char const *text, char const *const *values, size_t count, sql_row *row,
                            void *context, int64_t deadline) {
  static char const *const columns[] = {"ann", "1000", "1000", "/home/ann", 0, "a=b"};
  size_t used = (size_t)snprintf(asked, sizeof asked, "%s", text);
  (void)deadline;
  for (size_t i = 0; i < count; i++)
    used += (size_t)snprintf(asked + used, sizeof asked - used, "|%.8s", values[i]);
  if (row && outcome_count == 2) row(columns, sizeof columns / sizeof *columns, context);
  return outcome_count < 2 ? next_outcomes[outcome_count++] : SQL_DONE;
}

static struct sql_driver const driver = {.prefix = "TEST",
                                         .dialect = SQL_PGSQL,
                                         .configure = configure,
                                         .connect = connect_to,
                                         .disconnect = disconnect,
                                         .run = run};

static bool see(struct auth_account const *a, void *context) {
  *(bool *)context =
      !strcmp(a->user, "ann") && a->uid == 1000 && !strcmp(a->home, "/home/ann") && !a->maildir;
  return true;
}

static void test_sql(void) {
  static struct sql sql = {.driver = &driver};
  struct source const source = {.name = "authtest", .state = &sql};
  static struct source_entry entry;
  struct source_query q = {"ann", "imap"};
  bool seen = false;
  setenv("TEST_CRYPT_PWFIELD", "crypt", 1);
  setenv("TEST_CLEAR_PWFIELD", "clear", 1);
  setenv("TEST_WHERE_CLAUSE", "a OR b", 1);
  sql_open(&source);
  next_outcomes[0] = next_outcomes[1] = SQL_LOST;
  is_uint(sql_lookup(&source, &q, &entry), SOURCE_TEMPORARY, "a fresh connection that is lost");
  is_uint((uint64_t)connections, 1, "is no reason for another");
  is_uint(sql_lookup(&source, &q, &entry), SOURCE_TEMPORARY, "nor the next time");
  is(asked,
     "SELECT id, crypt, clear, uid, gid, home, '', '', name, '' FROM passwd WHERE id = $1 AND (a "
     "OR "
     "b)|ann",
     "Courier's columns, in its order");
  is_uint(sql_enumerate(&source, see, &seen), SOURCE_FOUND, "enumerating");
  ok(seen, "an account");
  is(asked, "SELECT id, uid, gid, home, '', '' FROM passwd WHERE (a OR b)", "its statement");
  connections = 0;
  outcome_count = 1;
  next_outcomes[1] = SQL_LOST;
  is_uint(sql_lookup(&source, &q, &entry), SOURCE_TEMPORARY, "a row that is no account");
  is_uint((uint64_t)connections, 1, "after one new connection for one that had been lost");
  is_uint(sql_change(&source, &q, &entry, "", "new password").verdict, AUTH_ACCEPT,
          "a new password");
  ok(strstr(asked, "UPDATE passwd SET crypt = $1, clear = $2 WHERE id = $3 AND (a OR b)|$y$") ==
             asked &&
         strstr(asked, "|new pass|ann"),
     "its statement");
}

int main(void) {
  log_init("source");
  test_schemes();
  test_options();
  test_refusals();
  test_variables();
  test_statements();
  test_sql();
  return tap_done();
}
