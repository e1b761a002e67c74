/* CRAM-MD5's keyed hash (RFC 2195, 2104), from the secret as Courier keeps it: the states of MD5
 * after the outer and the inner padded key, 16 bytes each, in hexadecimal digits.  That is as good
 * as the password, to CRAM-MD5, and no good for anything else. */
#include "auth/auth.h"

#include <bearssl.h>
#include <string.h>

enum { STATE_SIZE = 16, BLOCK_SIZE = 64, OUTER_PAD = 0x5c, INNER_PAD = 0x36 };

static void put_hex(char *out, unsigned char const *bytes, size_t size) {
  static char const digits[] = "0123456789abcdef";
  for (size_t i = 0; i < size; i++) {
    *out++ = digits[bytes[i] >> 4];
    *out++ = digits[bytes[i] & 15];
  }
  *out = 0;
}

static int value_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static bool get_hex(char const *text, unsigned char *bytes, size_t size) {
  if (strlen(text) != 2 * size) return false;
  for (size_t i = 0; i < size; i++) {
    int high = value_of(text[2 * i]), low = value_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = (unsigned char)(high << 4 | low);
  }
  return true;
}

static void state_after(unsigned char const key[BLOCK_SIZE], unsigned char pad,
                        unsigned char state[STATE_SIZE]) {
  unsigned char block[BLOCK_SIZE];
  br_md5_context c;
  for (size_t i = 0; i < BLOCK_SIZE; i++) block[i] = key[i] ^ pad;
  br_md5_init(&c);
  br_md5_update(&c, block, sizeof block);
  br_md5_state(&c, state);
  explicit_bzero(block, sizeof block);
  explicit_bzero(&c, sizeof c);
}

void cram_secret(char const *password, char secret[CRAM_SECRET_SIZE]) {
  unsigned char key[BLOCK_SIZE] = {0}, states[2 * STATE_SIZE];
  size_t size = strlen(password);
  br_md5_context c;
  if (size > sizeof key) {
    br_md5_init(&c);
    br_md5_update(&c, password, size);
    br_md5_out(&c, key);
  } else {
    memcpy(key, password, size);
  }
  state_after(key, OUTER_PAD, states);
  state_after(key, INNER_PAD, states + STATE_SIZE);
  put_hex(secret, states, sizeof states);
  explicit_bzero(key, sizeof key);
  explicit_bzero(states, sizeof states);
}

bool cram_digest(char const *secret, char const *challenge, char digest[CRAM_DIGEST_SIZE]) {
  unsigned char states[2 * STATE_SIZE], inner[br_md5_SIZE], outer[br_md5_SIZE];
  br_md5_context c;
  if (!get_hex(secret, states, sizeof states)) return false;
  br_md5_init(&c);
  br_md5_set_state(&c, states + STATE_SIZE, BLOCK_SIZE);
  br_md5_update(&c, challenge, strlen(challenge));
  br_md5_out(&c, inner);
  br_md5_init(&c);
  br_md5_set_state(&c, states, BLOCK_SIZE);
  br_md5_update(&c, inner, sizeof inner);
  br_md5_out(&c, outer);
  put_hex(digest, outer, sizeof outer);
  explicit_bzero(states, sizeof states);
  explicit_bzero(&c, sizeof c);
  return true;
}
