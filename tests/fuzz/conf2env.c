/* Configuration files (tools/configuration.c), up to the values: what can be in an environment, and
 * what no program need fear. */
#include "fuzz.h"

#include <setjmp.h>

/* It is of a program and no library: included, with its end in our hands. */
static jmp_buf refused;
static noreturn void end_program(int code) {
  must(code == EXIT_REFUSED);
  longjmp(refused, 1);
}
#define log_die(code, ...) (log_event(__VA_ARGS__), end_program(code))
#include "tools/configuration.c"

static struct config config;

static void check(void) {
  size_t total = 0;
  for (struct definition *d = config.definitions; d < config.definitions + config.n; d++) {
    if (!resolve(&config, d, 0)) {
      must(config.complaints);
      continue;
    }
    must(!config_key_fault(d->key, strlen(d->key)) && strlen(d->key) <= KEY_MAX);
    must(strlen(d->value) == d->size && d->size <= VALUE_MAX && !strchr(d->value, '\n'));
    total += d->size;
  }
  must(total <= TOTAL_MAX && config.complaints <= COMPLAINTS_MAX);
}

static void read_as(char const *file, char const *text, size_t size) {
  config = (struct config){.n = 0};
  if (!setjmp(refused)) {
    read_lines(&config, file, text, text + size);
    check();
  }
  arena_release(&config.arena);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  read_as(0, (char const *)data, size);
  read_as("/etc/courier/authldaprc", (char const *)data, size);
  return 0;
}
