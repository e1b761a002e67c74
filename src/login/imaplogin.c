/* imaplogin: greets an IMAP client, starts TLS, takes a login and hands it to the auth modules.
 * Which of its two processes this one is; everything else is in keeper.c and parser.c. */
#include "login/login.h"

#include <string.h>

int main(int argc, char const *const *argv) {
  privilege_protect_memory();
  if (argc == 1 && !strcmp(argv[0], PARSER_NAME)) parser_run();
  keeper_run(argv);
}
