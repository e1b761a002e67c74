/* The source pgsql: accounts in PostgreSQL; see authpgsql(8).  The library is only ever used
 * without waiting in it, so that every question ends in time. */
#include "auth/sql.h"
#include "base/base.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

static struct sql_driver const driver;

static struct {
  PGconn *handle;
  char const *connection, *name, *charset;
} database;

/* As libpq tells them: anything else is the name of a database. */
static bool is_connection_string(char const *s) {
  return strchr(s, '=') || !strncmp(s, "postgresql://", 13) || !strncmp(s, "postgres://", 11);
}

/* What is before a / or behind an @ of a password that was not escaped would be taken for a port or
 * a host, and come into the log as such. */
static bool is_port(char const *s, size_t size) {
  return size <= 5 && strspn(s, "0123456789") >= size;
}

/* An @ may begin the name of an abstract socket, and be in the path of another. */
static bool is_host(char const *s, size_t size) {
  size_t abstract = *s == '@';
  return *s == '/' || !memchr(s + abstract, '@', size - abstract);
}

/* Hosts and ports may be several, with commas between them. */
static bool is_good_option(PQconninfoOption const *o) {
  bool port = !strcmp(o->keyword, "port");
  if (!o->val || (!port && strcmp(o->keyword, "host") != 0)) return true;
  for (char const *s = o->val;; s++) {
    size_t size = strcspn(s, ",");
    if (!(port ? is_port : is_host)(s, size)) return false;
    s += size;
    if (!*s) return true;
  }
}

/* Here and without libpq's own words: they would bring the part that is wrong into the log, which
 * may well be the password, with a blank or a percent sign in it. */
static void check_connection_string(char const *s) {
  if (!is_connection_string(s)) return;
  PQconninfoOption *options = PQconninfoParse(s, 0);
  PQconninfoOption const *o = options;
  while (o && o->keyword && is_good_option(o)) o++;
  if (!o || o->keyword)
    log_die(EXIT_MISUSE, "misconfigured", "variable", "PGSQL_CONNECTION", "why",
            "libpq cannot read it", "remedy",
            "quote values with blanks as 'text'; in an address write % as %25, / as %2F, @ as %40",
            (char *)0);
  PQconninfoFree(options);
}

static void configure(void) {
  database.connection = sql_setting(&driver, "CONNECTION", "");
  check_connection_string(database.connection);
  database.name = sql_setting(&driver, "DATABASE", "");
  database.charset = sql_setting(&driver, "CHARACTER_SET", "UTF8");
}

/* Where a failure was: never the connection string, which may hold the password. */
static char const *place(void) {
  char const *host = PQhost(database.handle);
  return host && *host ? host : "the default server";
}

static void ignore_notice(void *unused, char const *notice) {
  (void)unused;
  (void)notice;
}

static void disconnect(void) {
  PQfinish(database.handle);
  database.handle = 0;
}

/* The first dbname may be a whole connection string; a later one counts more than what is in it. */
static PGconn *begin_connecting(void) {
  bool named = *database.name;
  char const *const keys[] = {"dbname", "fallback_application_name", "client_encoding",
                              named ? "dbname" : 0, 0};
  char const *const values[] = {database.connection, "chainmail", database.charset, database.name,
                                0};
  return PQconnectStartParams(keys, values, 1);
}

/* True when there is a connection; otherwise `why` says what was wrong, if the library does not. */
static bool finish_connecting(int64_t deadline, char const **why) {
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING) {
    short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (io_wait(PQsocket(database.handle), events, deadline) != 1) {
      *why = "no answer in time";
      return false;
    }
    state = PQconnectPoll(database.handle);
  }
  return state == PGRES_POLLING_OK;
}

static int connect_to(int64_t deadline) {
  char const *why = 0;
  database.handle = begin_connecting();
  bool begun = database.handle && PQstatus(database.handle) != CONNECTION_BAD;
  if (begun && finish_connecting(deadline, &why)) {
    PQsetNoticeProcessor(database.handle, ignore_notice, 0);
    return 0;
  }
  sql_log(&driver, "connect", place(), why ? why : PQerrorMessage(database.handle));
  disconnect();
  return -1;
}

/* The next result without its rows having to be there all at once; null after the last one. */
static bool next_result(int64_t deadline, PGresult **result) {
  while (PQisBusy(database.handle)) {
    if (io_wait(PQsocket(database.handle), POLLIN, deadline) != 1) {
      sql_log(&driver, "query", place(), "no answer in time");
      return false;
    }
    if (!PQconsumeInput(database.handle)) break;
  }
  *result = PQgetResult(database.handle);
  return true;
}

static bool give_rows(PGresult const *result, sql_row *row, void *context) {
  char const *columns[SQL_COLUMNS_MAX];
  int count = PQnfields(result), rows = PQntuples(result);
  if (count > SQL_COLUMNS_MAX) count = SQL_COLUMNS_MAX;
  for (int r = 0; r < rows; r++) {
    for (int c = 0; c < count; c++)
      columns[c] = PQgetisnull(result, r, c) ? 0 : PQgetvalue(result, r, c);
    if (!row(columns, (size_t)count, context)) return false;
  }
  return true;
}

/* What the server said no to.  Its details are not logged: they may hold whole rows. */
static enum sql_outcome judge_failure(PGresult const *result) {
  /* Appendix A of PostgreSQL's manual: character_not_in_repertoire, untranslatable_character. */
  static char const *const no_text[] = {"22021", "22P05"};
  char const *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  for (size_t i = 0; state && i < sizeof no_text / sizeof *no_text; i++)
    if (!strcmp(state, no_text[i])) return SQL_NOTHING;
  char const *why = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  sql_log(&driver, "query", place(), why ? why : PQerrorMessage(database.handle));
  return PQstatus(database.handle) == CONNECTION_BAD ? SQL_LOST : SQL_FAILED;
}

static enum sql_outcome judge(PGresult const *result, sql_row **row, void *context) {
  switch (PQresultStatus(result)) {
  case PGRES_TUPLES_OK:
  case PGRES_SINGLE_TUPLE:
    if (*row && !give_rows(result, *row, context)) *row = 0;
    return SQL_DONE;
  case PGRES_COMMAND_OK: return SQL_DONE;
  default: return judge_failure(result);
  }
}

/* All results are read, also after a failure, so that the connection can be used again. */
static enum sql_outcome read_results(sql_row *row, void *context, int64_t deadline) {
  enum sql_outcome outcome = SQL_DONE;
  for (;;) {
    PGresult *result;
    if (!next_result(deadline, &result)) return SQL_FAILED;
    if (!result) return outcome;
    if (outcome == SQL_DONE) outcome = judge(result, &row, context);
    PQclear(result);
  }
}

static enum sql_outcome run(char const *text, char const *const *values, size_t count, sql_row *row,
                            void *context, int64_t deadline) {
  if (!PQsendQueryParams(database.handle, text, (int)count, 0, values, 0, 0, 0)) {
    sql_log(&driver, "query", place(), PQerrorMessage(database.handle));
    return SQL_LOST;
  }
  PQsetSingleRowMode(database.handle);
  return read_results(row, context, deadline);
}

static struct sql_driver const driver = {.prefix = "PGSQL",
                                         .dialect = SQL_PGSQL,
                                         .configure = configure,
                                         .connect = connect_to,
                                         .disconnect = disconnect,
                                         .run = run};

static struct sql sql = {.driver = &driver};

struct source const source_pgsql = {.name = "authpgsql",
                                    .unavailable = "database",
                                    .state = &sql,
                                    .open = sql_open,
                                    .lookup = sql_lookup,
                                    .enumerate = sql_enumerate,
                                    .change = sql_change};
