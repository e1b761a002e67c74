/* base/environment.c. */
#include "base/base.h"
#include "../tap.h"

#include <string.h>

static bool is_long(char const *variable) {
  return strlen(variable) > 3;
}

/* The variables of `made`, with blanks between them. */
static char const *joined(char *const *made) {
  static char text[500];
  *text = 0;
  for (; *made; made++) strcat(strcat(text, *made), " ");
  return text;
}

int main(void) {
  _Alignas(16) char room[512];
  struct arena own = {.next = room, .left = sizeof room}, heap = {0};
  char *const inherited[] = {(char *)"A=1", (char *)"AB=2", (char *)"NONE", (char *)"B=", 0};
  struct variable const two[] = {{"AB", "new"}, {"B", "="}}, without[] = {{"A", 0}, {"NONE", 0}};
  char **made = environment_make(&own, inherited, 0, two, 2);
  is(joined(made), "A=1 NONE AB=new B== ", "the new ones take the places of the old");
  ok((char *)made >= room && made[3] > room && made[3] < room + sizeof room && !own.blocks,
     "in the caller's memory");
  ok(made[0] == inherited[0], "and the old ones stay where they are");
  is(joined(environment_make(&heap, inherited, 0, without, 2)),
     "AB=2 NONE B= ", "one is taken out by its whole name, if it is a variable");
  is(joined(environment_make(&heap, inherited, is_long, two, 1)), "NONE AB=new ",
     "those that are kept");
  is(joined(environment_make(&heap, inherited + 4, 0, two, 2)), "AB=new B== ", "of nothing");
  arena_release(&heap);
  return tap_done();
}
