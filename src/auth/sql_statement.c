/* From what an administrator has written to a statement with parameters.  Courier pastes the
 * client's name into `WHERE id = '$(local_part)'`; here that whole string of SQL becomes a
 * parameter, whose value is what stands between the quotes.  Knows no more of SQL than where
 * strings and quoted names begin and end. */
#include "auth/sql.h"
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
  struct sql_statement *statement;
  char const *variable; /* for messages */
  enum sql_dialect dialect;
  bool passwords;
  char const *at, *end;
  char *to; /* the end of the statement so far */
};

static noreturn void die(struct reader const *r, char const *why) {
  log_die(EXIT_MISUSE, "misconfigured", "variable", r->variable, "why", why, (char *)0);
}

static void copy(struct reader *r, char const *end) {
  memcpy(r->to, r->at, (size_t)(end - r->at));
  r->to += end - r->at;
  r->at = end;
}

/* A parameter takes the place of at least four characters, `$(x)` or `'$('`. */
static void put_parameter(struct reader *r, char *value, size_t size) {
  enum { PLACE_ROOM = 8 };
  struct sql_statement *s = r->statement;
  if (!value) log_die_failure(EXIT_TEMPORARY, "read", r->variable, "raise the memory limit");
  char const *problem = variables_check(value, size, r->passwords);
  if (problem) die(r, problem);
  if (s->count == SQL_PARAMETERS_MAX) die(r, "more than 32 strings with variables in them");
  s->parameters[s->count].text = value;
  s->parameters[s->count++].size = size;
  r->to += snprintf(r->to, PLACE_ROOM, r->dialect == SQL_PGSQL ? "$%d" : "?", (int)s->count);
}

static bool has_reference(char const *at, char const *end) {
  for (; at + 1 < end; at++)
    if (at[0] == '$' && at[1] == '(') return true;
  return false;
}

/* The end of what a quote opens, behind its closing quote; a doubled quote is part of it. */
static char const *quoted_end(struct reader const *r, char quote) {
  bool backslash = r->dialect == SQL_MYSQL && quote != '`';
  for (char const *at = r->at + 1; at < r->end; at++) {
    if (backslash && *at == '\\' && at + 1 < r->end)
      at++;
    else if (*at == quote && at + 1 < r->end && at[1] == quote)
      at++;
    else if (*at == quote)
      return at + 1;
  }
  die(r, "a quote that is not closed");
}

/* What a string means: doubled quotes are one. */
static void put_string(struct reader *r, char const *end, char quote) {
  size_t size = 0;
  char *value = malloc((size_t)(end - r->at));
  for (char const *at = r->at + 1; value && at < end - 1; at++) {
    if (*at == '\\' && r->dialect == SQL_MYSQL)
      die(r, "a backslash in a string with a variable: write the string without it");
    if (*at == quote) at++;
    value[size++] = *at;
  }
  put_parameter(r, value, size);
  r->at = end;
}

static void read_quoted(struct reader *r, char quote) {
  bool string = quote == '\'' || (quote == '"' && r->dialect == SQL_MYSQL);
  char const *end = quoted_end(r, quote);
  if (!has_reference(r->at, end))
    copy(r, end);
  else if (string)
    put_string(r, end, quote);
  else
    die(r, "a variable in the quoted name of a table or column");
}

static void read_reference(struct reader *r) {
  size_t size = variables_reference(r->at, r->end);
  if (!size) die(r, "a $( without a )");
  char *value = strndup(r->at, size);
  put_parameter(r, value, size);
  r->at += size;
}

void sql_prepare(struct sql_statement *s, char const *variable, char const *text,
                 enum sql_dialect dialect, bool passwords) {
  size_t size = strlen(text);
  struct reader r = {s, variable, dialect, passwords, text, text + size, 0};
  *s = (struct sql_statement){.text = malloc(2 * size + 1)};
  r.to = s->text;
  if (!r.to) log_die_failure(EXIT_TEMPORARY, "read", variable, "raise the memory limit");
  while (r.at < r.end) {
    if (*r.at == '\'' || *r.at == '"' || *r.at == '`')
      read_quoted(&r, *r.at);
    else if (has_reference(r.at, r.at + 2 < r.end ? r.at + 2 : r.end))
      read_reference(&r);
    else
      copy(&r, r.at + 1);
  }
  *r.to = 0;
}
