/* Environments for programs to be executed, made whole instead of variable by variable: in the
 * caller's memory, so that a program which only passes a connection on needs no heap. */
#include "base/base.h"

#include <string.h>

static bool is_named(char const *variable, char const *name) {
  size_t size = strlen(name);
  return !strncmp(variable, name, size) && variable[size] == '=';
}

static bool is_one_of(char const *variable, struct variable const *variables, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (is_named(variable, variables[i].name)) return true;
  return false;
}

static char *make(struct arena *a, struct variable const *v) {
  size_t name = strlen(v->name), value = strlen(v->value);
  char *text = arena_alloc(a, name + value + 2);
  memcpy(text, v->name, name);
  text[name] = '=';
  memcpy(text + name + 1, v->value, value + 1);
  return text;
}

char **environment_make(struct arena *a, char *const *inherited, bool (*keep)(char const *variable),
                        struct variable const *variables, size_t n) {
  size_t room = n + 1;
  for (size_t i = 0; inherited[i]; i++) room++;
  char **made = arena_alloc(a, room * sizeof *made), **end = made;
  for (; *inherited; inherited++)
    if ((!keep || keep(*inherited)) && !is_one_of(*inherited, variables, n)) *end++ = *inherited;
  for (size_t i = 0; i < n; i++)
    if (variables[i].value) *end++ = make(a, &variables[i]);
  *end = 0;
  return made;
}
