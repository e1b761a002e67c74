/* Names that clients ask for, HEADER.FIELDS with any string, and which of them are of traces. */
#include "../tap.h"
#include "store/store.h"

#include <stdbool.h>

static bool is_of_traces(char const *name) {
  struct field_choice c;
  field_choice_init(&c, &name, 1);
  return c.traces && !c.rare && !c.common;
}

static bool is_rare(char const *name) {
  struct field_choice c;
  field_choice_init(&c, &name, 1);
  return c.rare && !c.traces && !c.common;
}

static void test_names(void) {
  static char const *const traces[] = {"Received",       "RECEIVED", "x-received",
                                       "ARC-",           "arc-seal", "Face",
                                       "x-ms-exchange-", "X-Gm-Raw", "AutoCrypt"};
  static char const *const others[] = {"",           "R",     "Receive", "Received2", "X",   "ARC",
                                       "x-ms-excha", "Faces", "Fac",     "*",         "ARC*"};
  bool right = true;
  for (size_t i = 0; i < sizeof traces / sizeof *traces; i++)
    right = right && is_of_traces(traces[i]);
  ok(right, "of a trace, in letters of any size");
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) right = right && is_rare(others[i]);
  ok(right, "what is like it, or a part of it, is another name");
}

/* No blank is the end of a name: what is behind that end is no business of ours. */
static void test_blanks(void) {
  static char const *const names[] = {"Received",
                                      "X-Received",
                                      "Received-SPF",
                                      "DKIM-Signature",
                                      "Face",
                                      "X-Face",
                                      "Autocrypt",
                                      "X-Spam-Report",
                                      "ARC-",
                                      "DomainKey-Signature",
                                      "Authentication-Results"};
  enum { NAMES = sizeof names / sizeof *names };
  bool right = true;
  char name[80];
  for (size_t i = 0; i < NAMES; i++)
    for (size_t k = 0; k < NAMES && strcmp(names[i], "ARC-"); k++) {
      snprintf(name, sizeof name, "%s %s*", names[i], names[k]);
      right = right && is_rare(name);
      name[strlen(name) - 1] = 0;
      right = right && is_rare(name);
      name[strlen(names[i]) + 1] = 0;
      right = right && is_rare(name);
    }
  ok(right, "a name with a blank in it is no trace");
}

int main(void) {
  test_names();
  test_blanks();
  return tap_done();
}
