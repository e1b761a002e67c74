/* RFC 4648 section 4, strict, as SASL wants it. */
#include "base/base.h"

#include <errno.h>

static char const alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

ssize_t base64_decode(char const *in, size_t size, char *out) {
  char *start = out;
  if (size % 4) goto bad;
  for (size_t i = 0; i < size; i += 4) {
    bool last = i + 4 == size;
    int pad = !last || in[i + 3] != '=' ? 0 : in[i + 2] == '=' ? 2 : 1;
    unsigned long bits = 0;
    for (int j = 0; j < 4; j++) {
      int v = j >= 4 - pad ? 0 : value_of(in[i + (size_t)j]);
      if (v < 0) goto bad;
      bits = bits << 6 | (unsigned long)v;
    }
    if ((pad == 2 && bits & 0xffff) || (pad == 1 && bits & 0xff)) goto bad;
    *out++ = (char)(bits >> 16);
    if (pad < 2) *out++ = (char)(bits >> 8);
    if (pad < 1) *out++ = (char)bits;
  }
  return out - start;
bad:
  errno = EINVAL;
  return -1;
}

size_t base64_encode(void const *in, size_t size, char *out) {
  unsigned char const *p = in;
  char *start = out;
  for (size_t i = 0; i < size; i += 3) {
    size_t n = size - i < 3 ? size - i : 3;
    unsigned long bits = (unsigned long)p[i] << 16;
    if (n > 1) bits |= (unsigned long)p[i + 1] << 8;
    if (n > 2) bits |= p[i + 2];
    *out++ = alphabet[bits >> 18 & 63];
    *out++ = alphabet[bits >> 12 & 63];
    *out++ = n > 1 ? alphabet[bits >> 6 & 63] : '=';
    *out++ = n > 2 ? alphabet[bits & 63] : '=';
  }
  return (size_t)(out - start);
}
