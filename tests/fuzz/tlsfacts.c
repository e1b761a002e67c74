/* What the TLS side says of a connection (base/tlsfacts.c): nothing is believed but the names of
 * the list, in printable values. */
#include "fuzz.h"

#include <errno.h>

static bool is_printable(char const *text) {
  for (; *text; text++)
    if (*text < ' ' || *text > '~') return false;
  return true;
}

/* Whether these bytes are a list of strings, the empty one last, or break off after SSL_ERROR. */
static bool ends_well(char const *data, size_t size) {
  for (size_t i = 0; i < size && i < FACTS_MAX - 1; i++)
    if (!data[i] && (!i || !data[i - 1])) return true;
  return false;
}

extern char **environ;

static void check_environment(void) {
  static char const *const prefixes[] = {"SSL_PROTOCOL=", "SSL_CIPHER=", "SSL_TLS_SNI_SERVERNAME=",
                                         "SSL_SERVER_END_POINT=", "SSL_PEER_"};
  for (char **e = environ; *e; e++) {
    bool known = false;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
      known |= !strncmp(*e, prefixes[i], strlen(prefixes[i]));
    must(known && strlen(*e) <= FACT_MAX && is_printable(*e));
  }
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  static struct tls_facts facts;
  char **saved = environ;
  int fd = fuzz_file(data, size);
  must(!lseek(fd, 0, SEEK_SET));
  memset(&facts, 0xaa, sizeof facts);
  int r = tls_facts_read(&facts, fd, -1);
  must(tls_facts_failure(&facts));
  must(!r || errno == EPROTO || errno == EPIPE);
  must(r ? !facts.error : facts.error || ends_well((char const *)data, size));
  if (!r) {
    char *nothing[] = {0};
    environ = nothing;
    must(!tls_facts_export(&facts));
    check_environment();
    tls_facts_unset();
    must(!*environ);
    clearenv();
    environ = saved;
  }
  if (facts.error) must(is_printable(facts.error));
  return 0;
}
