/* The source mysql: accounts in MariaDB or MySQL; see authmysql(8). */
#include "auth/sql.h"
#include "base/base.h"

#include <errmsg.h>
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMN_MAX = 4096, SECOND = 1000 };

static struct sql_driver const driver;

static struct {
  MYSQL *handle;
  char const *server, *user, *password, *name, *socket, *charset;
  char const *tls_key, *tls_cert, *tls_ca, *tls_capath, *tls_ciphers;
  unsigned int port;
  unsigned long flags;
} database;

static char const *setting(char const *name) {
  char const *value = sql_setting(&driver, name, "");
  return *value ? value : 0;
}

static void configure(void) {
  enum { PORT_MAX = 65535 };
  database.server = setting("SERVER");
  database.user = setting("USERNAME");
  database.password = setting("PASSWORD");
  database.name = setting("DATABASE");
  database.socket = setting("SOCKET");
  database.charset = setting("CHARACTER_SET") ? setting("CHARACTER_SET") : "utf8mb4";
  database.tls_key = setting("SSL_KEY");
  database.tls_cert = setting("SSL_CERT");
  database.tls_ca = setting("SSL_CACERT");
  database.tls_capath = setting("SSL_CAPATH");
  database.tls_ciphers = setting("SSL_CIPHERS");
  database.port = (unsigned int)setting_number("MYSQL_PORT", 0, 0, PORT_MAX);
  database.flags = (unsigned long)setting_number("MYSQL_OPT", 0, 0, UINT32_MAX);
  if (database.flags & CLIENT_LOCAL_FILES)
    log_die(EXIT_MISUSE, "misconfigured", "variable", "MYSQL_OPT", "value", getenv("MYSQL_OPT"),
            "why", "with 128 in it (CLIENT_LOCAL_FILES) the server may read any file of root's",
            "remedy", "subtract 128: no statement here needs it", (char *)0);
}

static bool wants_tls(void) {
  return database.tls_key || database.tls_cert || database.tls_ca || database.tls_capath ||
         database.tls_ciphers;
}

static char const *place(void) {
  return database.socket ? database.socket : database.server ? database.server : "localhost";
}

static void set_tls(void) {
  my_bool yes = 1;
  if (!wants_tls()) return;
  mysql_ssl_set(database.handle, database.tls_key, database.tls_cert, database.tls_ca,
                database.tls_capath, database.tls_ciphers);
  mysql_options(database.handle, MYSQL_OPT_SSL_ENFORCE, &yes);
  if (database.tls_ca || database.tls_capath)
    mysql_options(database.handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
}

/* A server may ask its client for any file; ours is root. */
static void set_options(int64_t deadline) {
  int64_t left = (deadline - clock_ms() + SECOND - 1) / SECOND;
  unsigned int seconds = left > 0 ? (unsigned int)left : 1, no = 0;
  mysql_options(database.handle, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
  mysql_options(database.handle, MYSQL_OPT_READ_TIMEOUT, &seconds);
  mysql_options(database.handle, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
  mysql_options(database.handle, MYSQL_OPT_LOCAL_INFILE, &no);
  mysql_options(database.handle, MYSQL_SET_CHARSET_NAME, database.charset);
  set_tls();
}

static void disconnect(void) {
  mysql_close(database.handle);
  database.handle = 0;
}

/* libmariadb would leave it to whatever a checkpassword program's user runs. */
static void keep_to_ourselves(void) {
  fd_close_on_exec((int)mysql_get_socket(database.handle), true);
}

static int connect_to(int64_t deadline) {
  char const *why = "out of memory";
  database.handle = mysql_init(0);
  if (!database.handle) goto fail;
  set_options(deadline);
  why = "the connection is not encrypted";
  if (!mysql_real_connect(database.handle, database.server, database.user, database.password,
                          database.name, database.port, database.socket, database.flags))
    why = mysql_error(database.handle);
  else if (!wants_tls() || mysql_get_ssl_cipher(database.handle)) {
    keep_to_ourselves();
    return 0;
  }
fail:
  sql_log(&driver, "connect", place(), why);
  if (database.handle) disconnect();
  return -1;
}

static enum sql_outcome failed(MYSQL_STMT *statement) {
  unsigned int number = mysql_stmt_errno(statement);
  sql_log(&driver, "query", place(), mysql_stmt_error(statement));
  return number == CR_SERVER_GONE_ERROR || number == CR_SERVER_LOST ? SQL_LOST : SQL_FAILED;
}

static bool bind_values(MYSQL_STMT *statement, char const *const *values, size_t count) {
  MYSQL_BIND binds[SQL_PARAMETERS_MAX];
  memset(binds, 0, sizeof binds);
  for (size_t i = 0; i < count; i++) {
    binds[i].buffer_type = MYSQL_TYPE_STRING;
    binds[i].buffer = (void *)values[i];
    binds[i].buffer_length = strlen(values[i]);
  }
  return mysql_stmt_param_count(statement) == count &&
         (!count || !mysql_stmt_bind_param(statement, binds));
}

/* Every column comes as text. */
struct row {
  MYSQL_BIND binds[SQL_COLUMNS_MAX];
  char text[SQL_COLUMNS_MAX][COLUMN_MAX + 1];
  unsigned long sizes[SQL_COLUMNS_MAX];
  my_bool nulls[SQL_COLUMNS_MAX];
};

static bool bind_columns(MYSQL_STMT *statement, struct row *r, unsigned int count) {
  memset(r, 0, sizeof *r);
  for (unsigned int i = 0; i < count; i++) {
    r->binds[i].buffer_type = MYSQL_TYPE_STRING;
    r->binds[i].buffer = r->text[i];
    r->binds[i].buffer_length = COLUMN_MAX;
    r->binds[i].length = &r->sizes[i];
    r->binds[i].is_null = &r->nulls[i];
  }
  return !mysql_stmt_bind_result(statement, r->binds);
}

static bool give_row(struct row *r, unsigned int count, sql_row *row, void *context) {
  char const *columns[SQL_COLUMNS_MAX];
  for (unsigned int i = 0; i < count; i++) {
    r->text[i][r->sizes[i] < COLUMN_MAX ? r->sizes[i] : COLUMN_MAX] = 0;
    columns[i] = r->nulls[i] ? 0 : r->text[i];
  }
  return row(columns, count, context);
}

static enum sql_outcome give_rows(MYSQL_STMT *statement, sql_row *row, void *context) {
  static struct row r;
  unsigned int count = mysql_stmt_field_count(statement);
  int got = 0;
  if (!row || !count) return SQL_DONE;
  if (count > SQL_COLUMNS_MAX) {
    sql_log(&driver, "query", place(), "more than 16 columns");
    return SQL_FAILED;
  }
  if (!bind_columns(statement, &r, count)) return failed(statement);
  while (!(got = mysql_stmt_fetch(statement)) && give_row(&r, count, row, context)) {
  }
  explicit_bzero(&r, sizeof r);
  if (got == 1) return failed(statement);
  if (got != MYSQL_DATA_TRUNCATED) return SQL_DONE;
  sql_log(&driver, "query", place(), "a column of more than 4096 bytes");
  return SQL_FAILED;
}

static enum sql_outcome run(char const *text, char const *const *values, size_t count, sql_row *row,
                            void *context, int64_t deadline) {
  (void)deadline; /* the connection has its own limits */
  MYSQL_STMT *statement = mysql_stmt_init(database.handle);
  if (!statement) {
    sql_log(&driver, "query", place(), mysql_error(database.handle));
    return SQL_FAILED;
  }
  bool good = !mysql_stmt_prepare(statement, text, strlen(text)) &&
              bind_values(statement, values, count) && !mysql_stmt_execute(statement);
  enum sql_outcome outcome = good ? give_rows(statement, row, context) : failed(statement);
  mysql_stmt_close(statement);
  return outcome;
}

static struct sql_driver const driver = {.prefix = "MYSQL",
                                         .dialect = SQL_MYSQL,
                                         .configure = configure,
                                         .connect = connect_to,
                                         .disconnect = disconnect,
                                         .run = run};

static struct sql sql = {.driver = &driver};

struct source const source_mysql = {.name = "authmysql",
                                    .unavailable = "database",
                                    .state = &sql,
                                    .open = sql_open,
                                    .lookup = sql_lookup,
                                    .enumerate = sql_enumerate,
                                    .change = sql_change};
