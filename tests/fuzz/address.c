/* Address lists (message/address.c). */
#include "fuzz.h"
#include "message/message.h"

static size_t check_string(char const *s) {
  if (!s) return 0;
  for (char const *c = s; *c; c++) must(*c != '\n' && *c != '\r');
  return strlen(s);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  struct arena arena = {0};
  char *value = arena_copy(&arena, data, size); /* without NULs, as in a header that was parsed */
  for (size_t i = 0; i < size; i++)
    if (!value[i]) value[i] = (char)0x80;
  bool in_group = false;
  size_t total = 0, n = 0;
  for (struct message_address *a = message_parse_addresses(value, size, &arena); a; a = a->next) {
    bool begins = !a->host && a->mailbox, ends = !a->host && !a->mailbox;
    must(a->mailbox || ends);
    if (begins || ends) {
      must(!a->name && !a->route && in_group == ends);
      in_group = begins;
    }
    total += check_string(a->name) + check_string(a->route) + check_string(a->mailbox) +
             check_string(a->host);
    n++;
  }
  must(!in_group);
  /* A hostile value makes no more of itself than it is: names may be told with their address. */
  must(n <= size + 1 && total <= 3 * size);
  arena_release(&arena);
  return 0;
}
