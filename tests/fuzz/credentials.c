/* Logins on their way: the parser's message to the keeper, the keeper's memory
 * (login/credentials.c, state.c), and descriptor 3 (auth/credentials.c). */
#include "fuzz.h"
#include "login/login.h"

/* imaplogin is a program and no library, so its files are included. */
#define put put_in_message /* chain.c has one of its own */
#include "login/credentials.c"
#undef put
#define CREDENTIALS_FD CHAIN_CREDENTIALS_FD /* auth.h has it, too */
#include "login/chain.c"
#undef CREDENTIALS_FD
#include "login/method.c"
#include "login/state.c"
#include "auth/auth.h"

static void check_message(char const *data, size_t size) {
  static struct credentials c;
  char again[MESSAGE_SIZE_MAX];
  if (!credentials_unpack(data, size, &c)) return;
  must(tag_is_valid(c.tag) && c.method < METHOD_COUNT);
  must(credentials_pack(&c, again) == size && !memcmp(again, data, size));
}

static void check_state(uint8_t const *data, size_t size) {
  struct login_state s, again;
  char written[STATE_TEXT_SIZE];
  char *text = malloc(size + 40);
  must(text);
  /* Every other text is some other process's. */
  int n = snprintf(text, 40, "1 %lu ", (unsigned long)getpid());
  memcpy(text + n, data, size);
  text[(size_t)n + size] = 0;
  if (state_parse(text, &s)) {
    state_format(&s, written);
    must(state_parse(written, &again) && !strcmp(s.user, again.user));
    must(s.failures == again.failures && s.began == again.began && s.received == again.received);
    must(s.tls == again.tls && s.method == again.method);
  }
  free(text);
}

static void check_strings(uint8_t const *data, size_t size) {
  static struct credentials_buffer c;
  struct auth_credentials a;
  if (size > CREDENTIALS_MAX) return;
  c.size = size;
  memcpy(c.bytes, data, size);
  for (int more = 0; more < 2; more++) {
    if (!credentials_parse(&c, more, &a)) continue;
    must(a.user == c.bytes && a.password == a.user + strlen(a.user) + 1);
    must(a.timestamp == a.password + strlen(a.password) + 1);
    must(a.timestamp + strlen(a.timestamp) < c.bytes + size);
    if (!more) must(a.timestamp + strlen(a.timestamp) + 1 == c.bytes + size);
  }
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  check_message((char const *)data, size);
  check_state(data, size);
  check_strings(data, size);
  return 0;
}
