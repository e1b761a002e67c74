/* Base64: RFC 4648 section 10's vectors, all bytes, and what must be refused. */
#include "base/base.h"
#include "../tap.h"

#include <errno.h>

static struct {
  char const *plain, *encoded;
} const vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static char const *const refused[] = {
    "Z",    "Zg",       "Zg=",  "Zh==",  "Zm9=", "=Zg=",           "Z===",
    "====", "Zg==Zg==", "Zm 9", "Zm9\n", "Zm-_", "Zm9v\xff\xff==", "Z=g="};

int main(void) {
  char out[64];
  for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
    size_t n = base64_encode(vectors[i].plain, strlen(vectors[i].plain), out);
    out[n] = 0;
    is(out, vectors[i].encoded, "encode");
    ssize_t m = base64_decode(vectors[i].encoded, strlen(vectors[i].encoded), out);
    out[m < 0 ? 0 : m] = 0;
    is(out, vectors[i].plain, "decode");
  }
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    errno = 0;
    ok(base64_decode(refused[i], strlen(refused[i]), out) == -1 && errno == EINVAL, refused[i]);
  }
  unsigned char all[256];
  char encoded[344];
  for (int i = 0; i < 256; i++) all[i] = (unsigned char)i;
  is_uint(base64_encode(all, sizeof all, encoded), sizeof encoded, "all bytes");
  ok(base64_decode(encoded, sizeof encoded, encoded) == 256 && !memcmp(encoded, all, 256),
     "and back, in place");
  return tap_done();
}
