/* Accounts in a SQL database: Courier's settings, the questions made of them, and what the answers
 * mean.  Which database, and how it is spoken to, is the driver's matter. */
#include "auth/sql.h"
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <skalibs/types.h>

enum { STATEMENT_MAX = 16 << 10, VARIABLE_MAX = 64, TIMEOUT = 5, TIMEOUT_MAX = 300, SECOND = 1000 };

/* ---- settings ---- */

static void name_variable(char buf[VARIABLE_MAX], struct sql_driver const *d, char const *name) {
  snprintf(buf, VARIABLE_MAX, "%s_%s", d->prefix, name);
}

char const *sql_setting(struct sql_driver const *d, char const *name, char const *fallback) {
  char variable[VARIABLE_MAX];
  name_variable(variable, d, name);
  char const *value = getenv(variable);
  return value ? value : fallback;
}

/* A column, or the empty string where the table has none such. */
static char const *column(struct sql_driver const *d, char const *name, char const *fallback) {
  char const *value = sql_setting(d, name, fallback);
  return *value ? value : "''";
}

static void prepare(struct sql const *s, struct sql_statement *statement, char const *name,
                    char const *text, bool passwords) {
  char variable[VARIABLE_MAX];
  name_variable(variable, s->driver, name);
  sql_prepare(statement, variable, text, s->driver->dialect, passwords);
}

/* A statement made of the names of columns, in a buffer of its own. */
struct text {
  char bytes[STATEMENT_MAX];
  size_t size;
};

static void put(struct sql_driver const *d, struct text *t, char const *s) {
  size_t size = strlen(s);
  if (size >= sizeof t->bytes - t->size)
    log_die(EXIT_MISUSE, "misconfigured", "variable", d->prefix, "why",
            "the settings make a statement of more than 16384 bytes", (char *)0);
  memcpy(t->bytes + t->size, s, size + 1);
  t->size += size;
}

static void put_all(struct sql_driver const *d, struct text *t, char const *const *parts,
                    size_t count) {
  for (size_t i = 0; i < count; i++) put(d, t, parts[i]);
}
#define PUT(d, t, ...)                              \
  put_all(d, t, (char const *const[]){__VA_ARGS__}, \
          sizeof(char const *const[]){__VA_ARGS__} / sizeof(char const *))

static char const *table(struct sql_driver const *d) {
  return sql_setting(d, "USER_TABLE", "passwd");
}

static char const *login(struct sql_driver const *d) {
  return sql_setting(d, "LOGIN_FIELD", "id");
}

static void put_where(struct sql_driver const *d, struct text *t, char const *word) {
  char const *clause = sql_setting(d, "WHERE_CLAUSE", "");
  if (*clause) PUT(d, t, word, "(", clause, ")");
}

static void need_password_column(struct sql_driver const *d) {
  char variable[VARIABLE_MAX];
  name_variable(variable, d, "CRYPT_PWFIELD");
  if (!*sql_setting(d, "CRYPT_PWFIELD", "") && !*sql_setting(d, "CLEAR_PWFIELD", ""))
    log_die(EXIT_MISUSE, "misconfigured", "variable", variable, "why", "not set", "remedy",
            "name the column of the password's hash; or set CLEAR_PWFIELD or SELECT_CLAUSE",
            (char *)0);
}

/* The columns are those of Courier's SELECT_CLAUSE, in its order. */
static void make_select(struct sql const *s, struct text *t) {
  struct sql_driver const *d = s->driver;
  need_password_column(d);
  PUT(d, t, "SELECT ", login(d), ", ", column(d, "CRYPT_PWFIELD", ""), ", ",
      column(d, "CLEAR_PWFIELD", ""), ", ", column(d, "UID_FIELD", "uid"), ", ",
      column(d, "GID_FIELD", "gid"), ", ", column(d, "HOME_FIELD", "home"), ", ",
      column(d, "MAILDIR_FIELD", ""), ", ", column(d, "QUOTA_FIELD", ""), ", ",
      column(d, "NAME_FIELD", "name"), ", ", column(d, "AUXOPTIONS_FIELD", ""), " FROM ", table(d),
      " WHERE ", login(d), " = $(user)");
  put_where(d, t, " AND ");
}

static void make_enumerate(struct sql const *s, struct text *t) {
  struct sql_driver const *d = s->driver;
  PUT(d, t, "SELECT ", login(d), ", ", column(d, "UID_FIELD", "uid"), ", ",
      column(d, "GID_FIELD", "gid"), ", ", column(d, "HOME_FIELD", "home"), ", ",
      column(d, "MAILDIR_FIELD", ""), ", ", column(d, "AUXOPTIONS_FIELD", ""), " FROM ", table(d));
  put_where(d, t, " WHERE ");
}

static void make_change(struct sql const *s, struct text *t) {
  struct sql_driver const *d = s->driver;
  char const *hash = sql_setting(d, "CRYPT_PWFIELD", ""),
             *clear = sql_setting(d, "CLEAR_PWFIELD", "");
  PUT(d, t, "UPDATE ", table(d), " SET ");
  if (*hash) PUT(d, t, hash, " = $(newpass_crypt)");
  if (*hash && *clear) put(d, t, ", ");
  if (*clear) PUT(d, t, clear, " = $(newpass)");
  PUT(d, t, " WHERE ", login(d), " = $(user)");
  put_where(d, t, " AND ");
}

/* A whole statement of the administrator's, or one made of columns; none where the accounts come
 * from a statement of another form. */
static void configure(struct sql const *s, struct sql_statement *statement, char const *name,
                      void (*make)(struct sql const *, struct text *), bool passwords) {
  static struct text made;
  char const *clause = sql_setting(s->driver, name, "");
  made.size = 0;
  if (!*clause && *sql_setting(s->driver, "SELECT_CLAUSE", "")) return;
  if (!*clause) make(s, &made);
  prepare(s, statement, name, *clause ? clause : made.bytes, passwords);
}

void sql_open(struct source const *source) {
  struct sql *s = source->state;
  struct sql_driver const *d = s->driver;
  char variable[VARIABLE_MAX];
  name_variable(variable, d, "TIMEOUT");
  s->timeout = (int64_t)setting_number(variable, TIMEOUT, 1, TIMEOUT_MAX) * SECOND;
  s->default_domain = getenv("DEFAULT_DOMAIN");
  configure(s, &s->select, "SELECT_CLAUSE", make_select, false);
  configure(s, &s->enumerate, "ENUMERATE_CLAUSE", make_enumerate, false);
  configure(s, &s->change, "CHPASS_CLAUSE", make_change, true);
  d->configure();
}

void sql_log(struct sql_driver const *d, char const *attempt, char const *place, char const *why) {
  char reason[500], settings[VARIABLE_MAX + 80];
  snprintf(reason, sizeof reason, "%s", why);
  reason[strcspn(reason, "\n")] = 0; /* libraries like to end their messages so */
  snprintf(settings, sizeof settings, "see whether the server runs, and the %s_ settings",
           d->prefix);
  log_event("failed", "attempt", attempt, "database", place, "why", reason, "remedy", settings,
            (char *)0);
}

/* ---- questions ---- */

static enum sql_outcome ask(struct sql *s, struct sql_statement const *statement,
                            char const *const *values, sql_row *row, void *context) {
  struct sql_driver const *d = s->driver;
  int64_t deadline = clock_ms() + s->timeout;
  for (;;) {
    bool fresh = !s->connected;
    if (fresh && d->connect(deadline) < 0) return SQL_FAILED;
    s->connected = true;
    enum sql_outcome outcome =
        d->run(statement->text, values, statement->count, row, context, deadline);
    if (outcome == SQL_DONE || outcome == SQL_NOTHING) return outcome;
    d->disconnect();
    s->connected = false;
    if (outcome != SQL_LOST || fresh || clock_ms() >= deadline) return SQL_FAILED;
  }
}

/* Values are wiped: one may be a password. */
static enum sql_outcome run(struct sql *s, struct sql_statement const *statement,
                            struct variables const *v, sql_row *row, void *context) {
  static char room[SQL_PARAMETERS_MAX][SQL_VALUE_MAX];
  char const *values[SQL_PARAMETERS_MAX];
  for (size_t i = 0; i < statement->count; i++) {
    if (!variables_expand(v, statement->parameters[i].text, statement->parameters[i].size, 0,
                          room[i], sizeof room[i]))
      return SQL_NOTHING;
    values[i] = room[i];
  }
  enum sql_outcome outcome = ask(s, statement, values, row, context);
  explicit_bzero(room, sizeof room);
  return outcome;
}

/* UINT32_MAX is (uid_t)-1, which means "nobody in particular". */
static bool scan_id(char const *s, uint32_t *id) {
  return s && uint320_scan(s, id) && *id < UINT32_MAX;
}

/* The answer to a lookup. */
struct found {
  struct source_entry *entry;
  size_t rows;
  char const *problem; /* with the row; null: none */
};

enum { USER, HASH, CLEAR, UID, GID, HOME, MAILDIR, QUOTA, FULLNAME, OPTIONS, SELECT_COLUMNS };

static char const *fill(struct source_entry *e, char const *const *c) {
  uint32_t uid, gid;
  if (!scan_id(c[UID], &uid)) return "the uid is no number";
  if (!scan_id(c[GID], &gid)) return "the gid is no number";
  e->account.uid = uid;
  e->account.gid = gid;
  e->account.user = source_keep(e, c[USER]);
  e->account.home = source_keep(e, c[HOME]);
  e->account.maildir = source_keep(e, c[MAILDIR]);
  e->account.quota = source_keep(e, c[QUOTA]);
  e->account.options = source_keep(e, c[OPTIONS]);
  e->fullname = source_keep(e, c[FULLNAME]);
  e->hash = source_keep(e, c[HASH]);
  e->clear = source_keep(e, c[CLEAR]);
  return 0;
}

/* A statement of the administrator's may leave out the last columns. */
static bool take_account(char const *const *columns, size_t count, void *context) {
  struct found *f = context;
  char const *c[SELECT_COLUMNS] = {0};
  for (size_t i = 0; i < count && i < SELECT_COLUMNS; i++) c[i] = columns[i];
  if (f->rows++)
    f->problem = "more than one row";
  else if (count <= HOME)
    f->problem = "fewer than six columns";
  else
    f->problem = fill(f->entry, c);
  return !f->problem;
}

enum source_answer sql_lookup(struct source const *source, struct source_query const *q,
                              struct source_entry *e) {
  struct sql *s = source->state;
  struct variables v;
  struct found f = {.entry = e};
  if (!variables_set(&v, q, s->default_domain)) return SOURCE_UNKNOWN;
  enum sql_outcome outcome = run(s, &s->select, &v, take_account, &f);
  if (outcome == SQL_FAILED) return SOURCE_TEMPORARY;
  if (outcome == SQL_NOTHING || !f.rows) return SOURCE_UNKNOWN;
  if (!f.problem) return SOURCE_FOUND;
  sql_log(s->driver, "look the user up", q->name, f.problem);
  return SOURCE_TEMPORARY;
}

struct enumeration {
  source_visit *visit;
  void *context;
};

static bool visit_account(char const *const *c, size_t count, void *context) {
  enum { NAME, ITS_UID, ITS_GID, ITS_HOME, ITS_MAILDIR, ITS_OPTIONS };
  struct enumeration *e = context;
  uint32_t uid, gid;
  if (count <= ITS_HOME || !c[NAME] || !scan_id(c[ITS_UID], &uid) || !scan_id(c[ITS_GID], &gid) ||
      !uid)
    return true;
  struct auth_account a = {.user = c[NAME],
                           .uid = uid,
                           .gid = gid,
                           .home = c[ITS_HOME],
                           .maildir = count > ITS_MAILDIR ? c[ITS_MAILDIR] : 0,
                           .options = count > ITS_OPTIONS ? c[ITS_OPTIONS] : 0};
  return e->visit(&a, e->context);
}

enum source_answer sql_enumerate(struct source const *source, source_visit *visit, void *context) {
  struct sql *s = source->state;
  struct enumeration e = {visit, context};
  struct source_query nobody = {"", source_service()};
  struct variables v;
  if (!s->enumerate.text) {
    sql_log(s->driver, "enumerate the accounts", 0, "ENUMERATE_CLAUSE is not set");
    return SOURCE_TEMPORARY;
  }
  variables_set(&v, &nobody, 0);
  return run(s, &s->enumerate, &v, visit_account, &e) == SQL_DONE ? SOURCE_FOUND : SOURCE_TEMPORARY;
}

struct auth_result sql_change(struct source const *source, struct source_query const *q,
                              struct source_entry const *entry, char const *old,
                              char const *password) {
  struct sql *s = source->state;
  char hash[PASSWORD_HASH_MAX];
  struct variables v;
  (void)entry;
  (void)old;
  if (!s->change.text) return (struct auth_result){AUTH_DECLINE, "cannot-change-passwords"};
  if (!variables_set(&v, q, s->default_domain))
    return (struct auth_result){AUTH_DECLINE, "unknown-user"};
  if (password_hash(password, "$y$", hash) < 0) return password_result(PASSWORD_UNKNOWN);
  v.newpass = password;
  v.newpass_crypt = hash;
  bool changed = run(s, &s->change, &v, 0, 0) == SQL_DONE;
  explicit_bzero(hash, sizeof hash);
  return changed ? (struct auth_result){AUTH_ACCEPT, 0}
                 : (struct auth_result){AUTH_TEMPORARY, "database"};
}
