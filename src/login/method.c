/* The ways of logging in: what they are called, and which module provides them.  How the client is
 * asked is the parser's affair. */
#include "login/login.h"

#include <string.h>

struct method_facts const methods[METHOD_COUNT] = {
    [METHOD_LOGIN] = {.name = "LOGIN", .command = "LOGIN"},
    [METHOD_PLAIN] = {.name = "PLAIN", .command = "AUTHENTICATE", .sasl = true},
};

static bool chain_has(char const *const *argv, char const *module) {
  for (argv++; *argv && is_module(*argv); argv++)
    if (!module || !strcmp(base_name(*argv), module)) return true;
  return false;
}

uint32_t methods_of_chain(char const *const *argv) {
  uint32_t bits = 0;
  for (unsigned int i = 0; i < METHOD_COUNT; i++)
    if (chain_has(argv, methods[i].module)) bits |= 1U << i;
  return bits;
}
