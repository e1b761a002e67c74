/* Numbers and switches from the environment. */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <skalibs/types.h>

static noreturn void die_setting(char const *name, char const *value, char const *wanted) {
  log_die(EXIT_MISUSE, "bad-setting", "name", name, "value", value, "wanted", wanted, (char *)0);
}

uint64_t setting_number(char const *name, uint64_t fallback, uint64_t min, uint64_t max) {
  char const *value = getenv(name);
  uint64_t n;
  if (!value || !*value) return fallback;
  if (!uint640_scan(value, &n) || n < min || n > max) {
    char a[21], b[21], wanted[64] = "a number from ";
    strcat(strcat(strcat(wanted, log_number(a, min)), " to "), log_number(b, max));
    die_setting(name, value, wanted);
  }
  return n;
}

bool setting_switch(char const *name, bool fallback) {
  static char const *const yes[] = {"1", "yes", "true", "on"};
  static char const *const no[] = {"", "0", "no", "false", "off"};
  char const *value = getenv(name);
  if (!value) return fallback;
  for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
    if (!strcasecmp(value, yes[i])) return true;
  for (size_t i = 0; i < sizeof no / sizeof *no; i++)
    if (!strcasecmp(value, no[i])) return false;
  die_setting(name, value, "1 or 0");
}
