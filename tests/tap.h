/* The Test Anything Protocol for C unit tests: ok(), is(), is_uint(), plan at the end.
 * A test program calls these and ends with `return tap_done();`. */
#ifndef TAP_H
#define TAP_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static unsigned int tap_count, tap_failed;

static inline int tap_report(int good, char const *name, char const *file, int line) {
  tap_count++;
  printf("%sok %u - %s\n", good ? "" : "not ", tap_count, name);
  if (!good) {
    tap_failed++;
    printf("# failed at %s:%d\n", file, line);
  }
  fflush(stdout);
  return good;
}

static inline int tap_is(char const *got, char const *want, char const *name, char const *file,
                         int line) {
  int good = got && want ? !strcmp(got, want) : got == want;
  if (!tap_report(good, name, file, line))
    printf("#  got: %s\n# want: %s\n", got ? got : "(null)", want ? want : "(null)");
  return good;
}

static inline int tap_is_uint(uint64_t got, uint64_t want, char const *name, char const *file,
                              int line) {
  if (!tap_report(got == want, name, file, line))
    printf("#  got: %llu\n# want: %llu\n", (unsigned long long)got, (unsigned long long)want);
  return got == want;
}

static inline int tap_done(void) {
  printf("1..%u\n", tap_count);
  return tap_failed != 0;
}

#define ok(cond, name) tap_report(!!(cond), (name), __FILE__, __LINE__)
#define is(got, want, name) tap_is((got), (want), (name), __FILE__, __LINE__)
#define is_uint(got, want, name) tap_is_uint((got), (want), (name), __FILE__, __LINE__)

#endif
