/* The source sqlite: accounts in a file of SQLite 3; see authsqlite(8). */
#include "auth/sql.h"
#include "base/base.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { STEPS = 1000 }; /* of SQLite's machine between looks at the clock: some microseconds */

static struct sql_driver const driver;

static struct {
  sqlite3 *handle;
  char const *path;
  struct stat file; /* which one it was */
  int64_t deadline;
} database;

static void configure(void) {
  database.path = sql_setting(&driver, "DATABASE", "");
  if (*database.path != '/')
    log_die(EXIT_MISUSE, "misconfigured", "variable", "SQLITE_DATABASE", "value", database.path,
            "why", "no absolute path", (char *)0);
}

static bool others_can_write(struct stat const *st) {
  return st->st_mode & (S_IWGRP | S_IWOTH);
}

/* What stands beside the file counts, too: SQLite takes changes back by what it finds in a journal
 * there. */
static char const *find_problem(void) {
  char real[PATH_MAX];
  struct stat directory;
  if (!realpath(database.path, real) || stat(real, &database.file) < 0) return "";
  *strrchr(real, '/') = 0;
  if (stat(*real ? real : "/", &directory) < 0) return "";
  if (!S_ISREG(database.file.st_mode)) return "it is no regular file";
  if (others_can_write(&database.file)) return "its group, or everybody, can write to it";
  return others_can_write(&directory) ? "the group of its directory, or everybody, can write there"
                                      : 0;
}

/* Whoever can write it can become anybody. */
static int check_file(void) {
  char const *problem = find_problem();
  if (!problem) return 0;
  if (!*problem)
    log_failure("open", database.path, "create it, or correct SQLITE_DATABASE");
  else
    log_event("failed", "attempt", "open", "path", database.path, "why", problem, "remedy",
              "chmod go-w the file and its directory, and look who wrote to them", (char *)0);
  return -1;
}

static int is_late(void *unused) {
  (void)unused;
  return clock_ms() > database.deadline;
}

static void disconnect(void) {
  sqlite3_close(database.handle);
  database.handle = 0;
}

static int connect_to(int64_t deadline) {
  (void)deadline;
  if (check_file() < 0) return -1;
  if (sqlite3_open_v2(database.path, &database.handle, SQLITE_OPEN_READWRITE, 0) == SQLITE_OK) {
    sqlite3_progress_handler(database.handle, STEPS, is_late, 0);
    return 0;
  }
  sql_log(&driver, "open", database.path, sqlite3_errmsg(database.handle));
  disconnect();
  return -1;
}

/* Another file may have taken its place. */
static bool is_current(void) {
  struct stat now;
  return !stat(database.path, &now) && now.st_ino == database.file.st_ino &&
         now.st_dev == database.file.st_dev;
}

static bool take_row(sqlite3_stmt *statement, sql_row *row, void *context) {
  char const *columns[SQL_COLUMNS_MAX];
  int count = sqlite3_column_count(statement);
  if (count > SQL_COLUMNS_MAX) count = SQL_COLUMNS_MAX;
  for (int i = 0; i < count; i++) columns[i] = (char const *)sqlite3_column_text(statement, i);
  return row(columns, (size_t)count, context);
}

static int step_all(sqlite3_stmt *statement, sql_row *row, void *context) {
  int r;
  while ((r = sqlite3_step(statement)) == SQLITE_ROW)
    if (row && !take_row(statement, row, context)) return SQLITE_DONE;
  return r;
}

static int execute(char const *text, char const *const *values, size_t count, sql_row *row,
                   void *context) {
  sqlite3_stmt *statement;
  int r = sqlite3_prepare_v2(database.handle, text, -1, &statement, 0);
  for (size_t i = 0; r == SQLITE_OK && i < count; i++)
    r = sqlite3_bind_text(statement, (int)i + 1, values[i], -1, SQLITE_STATIC);
  if (r == SQLITE_OK) r = step_all(statement, row, context);
  if (r != SQLITE_DONE) sql_log(&driver, "query", database.path, sqlite3_errmsg(database.handle));
  sqlite3_finalize(statement);
  return r;
}

static enum sql_outcome run(char const *text, char const *const *values, size_t count, sql_row *row,
                            void *context, int64_t deadline) {
  int64_t left = deadline - clock_ms();
  if (!is_current()) return SQL_LOST;
  database.deadline = deadline;
  sqlite3_busy_timeout(database.handle, left > 0 ? (int)left : 1);
  return execute(text, values, count, row, context) == SQLITE_DONE ? SQL_DONE : SQL_FAILED;
}

static struct sql_driver const driver = {.prefix = "SQLITE",
                                         .dialect = SQL_SQLITE,
                                         .configure = configure,
                                         .connect = connect_to,
                                         .disconnect = disconnect,
                                         .run = run};

static struct sql sql = {.driver = &driver};

struct source const source_sqlite = {.name = "authsqlite",
                                     .unavailable = "database",
                                     .state = &sql,
                                     .open = sql_open,
                                     .lookup = sql_lookup,
                                     .enumerate = sql_enumerate,
                                     .change = sql_change};
