/* sql: what the sources of SQL databases share, and LDAP in part.
 *
 *   variables.c      $(user), $(local_part) ... in what an administrator has written
 *   sql_statement.c  a statement with such variables becomes one with parameters, which are bound
 *   sql.c            Courier's settings, the questions and their answers
 *   source_*.c       one driver each, with its library
 *
 * Nothing that a client sends ever becomes part of a statement.
 */
#ifndef SQL_H
#define SQL_H

#include "auth/source.h"

#include <stdint.h>

/* ---- variables.c ---- */
enum { VARIABLE_NAME_MAX = 512 }; /* RFC 5321 section 4.5.3.1 allows 64 + 1 + 255 */
struct variables {
  char user[VARIABLE_NAME_MAX + 1]; /* the name, with the default domain if it has none */
  char const *domain;               /* points into user; empty without one */
  size_t local_part_size;
  char const *service;
  char const *newpass, *newpass_crypt; /* null where no password is being set */
};
/* False if the name is longer than any. */
bool variables_set(struct variables *, struct source_query const *, char const *default_domain);
/* Size of the reference `$(name)` at this place, 0 if there is none. */
size_t variables_reference(char const *at, char const *end);
/* What is wrong with the references in a text, in words; null: nothing. */
char const *variables_check(char const *text, size_t size, bool passwords);
/* Writes a value as it has to be within the text; returns false if there is no room. */
typedef bool variables_escape(char **to, char const *end, char const *value, size_t size);
/* The text with references replaced, ended by NUL; false if it does not fit.  No escape: as it
 * is. */
bool variables_expand(struct variables const *, char const *text, size_t size, variables_escape *,
                      char *out, size_t room);

/* ---- sql_statement.c ---- */
enum sql_dialect { SQL_PGSQL, SQL_MYSQL, SQL_SQLITE };
enum { SQL_PARAMETERS_MAX = 32, SQL_VALUE_MAX = 1024 };
struct sql_statement {
  char *text; /* with $1 or ? where a value goes; null: none configured */
  struct {
    char *text; /* what the value is made from */
    size_t size;
  } parameters[SQL_PARAMETERS_MAX];
  size_t count;
};
/* From malloc, for ever.  A string of SQL with references in it is one parameter, a reference
 * outside of strings too.  `variable` is where the text comes from, for the message that ends the
 * process if something is wrong with it. */
void sql_prepare(struct sql_statement *, char const *variable, char const *text, enum sql_dialect,
                 bool passwords);

/* ---- sql.c ---- */
enum sql_outcome {
  SQL_DONE,
  SQL_NOTHING, /* the name cannot be in the database: it is no text there */
  SQL_LOST,    /* the connection is gone, another may work; logged */
  SQL_FAILED   /* logged */
};
enum { SQL_COLUMNS_MAX = 16 };
/* Columns are null for NULL; false: no more rows. */
typedef bool sql_row(char const *const *columns, size_t count, void *context);
struct sql_driver {
  char const *prefix; /* of its variables: `PGSQL` */
  enum sql_dialect dialect;
  /* Reads what it needs to connect; ends the process where that is wrong. */
  void (*configure)(void);
  /* 0, or -1: logged.  Deadlines are of clock_ms. */
  int (*connect)(int64_t deadline);
  void (*disconnect)(void);
  /* Calls row for each row; null: there are none to see. */
  enum sql_outcome (*run)(char const *text, char const *const *values, size_t count, sql_row *row,
                          void *context, int64_t deadline);
};
/* A source's state; the driver is there from the beginning. */
struct sql {
  struct sql_driver const *driver;
  struct sql_statement select, enumerate, change;
  int64_t timeout; /* ms for one question */
  char const *default_domain;
  bool connected;
};
/* The functions of a source whose `state` is a struct sql; the settings: authpgsql(8). */
void sql_open(struct source const *);
enum source_answer sql_lookup(struct source const *, struct source_query const *,
                              struct source_entry *);
enum source_answer sql_enumerate(struct source const *, source_visit *, void *context);
struct auth_result sql_change(struct source const *, struct source_query const *,
                              struct source_entry const *, char const *old, char const *password);
/* The value of PREFIX_NAME; `fallback` if it is unset. */
char const *sql_setting(struct sql_driver const *, char const *name, char const *fallback);
/* One log line of a driver's failure. */
void sql_log(struct sql_driver const *, char const *attempt, char const *place, char const *why);

#endif
