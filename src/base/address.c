/* Addresses of clients as limits count them, and lists of networks.  Not for connecting. */
#include "base/base.h"

#include <arpa/inet.h>
#include <string.h>
#include <skalibs/types.h>

enum { ADDRESS_SIZE = 16, MAPPED_SIZE = 12, WORD_MAX = 64 };

/* RFC 4291 section 2.5.5.2: an IPv4 address as an IPv6 one. */
static unsigned char const mapped[MAPPED_SIZE] = {[10] = 0xff, [11] = 0xff};

/* Both families as 16 bytes. */
static bool parse(char const *text, unsigned char a[ADDRESS_SIZE], bool *v4) {
  *v4 = inet_pton(AF_INET, text, a + MAPPED_SIZE) == 1;
  if (*v4) memcpy(a, mapped, MAPPED_SIZE);
  return *v4 || inet_pton(AF_INET6, text, a) == 1;
}

uint64_t address_group(char const *text) {
  unsigned char a[ADDRESS_SIZE];
  bool v4;
  uint64_t n = 0;
  if (!parse(text, a, &v4)) return 0;
  /* As a /64 this would be 0:0:ffff::/48, which is nobody's (RFC 4291: 0000::/8 is reserved). */
  size_t first = !memcmp(a, mapped, MAPPED_SIZE) ? ADDRESS_SIZE - 6 : 0;
  size_t size = first ? 6 : 8;
  for (size_t i = first; i < first + size; i++) n = n << 8 | a[i];
  return n;
}

static bool same_bits(unsigned char const *a, unsigned char const *b, unsigned int bits) {
  if (memcmp(a, b, bits / 8) != 0) return false;
  unsigned int shift = 8 - bits % 8;
  return shift == 8 || a[bits / 8] >> shift == b[bits / 8] >> shift;
}

/* `network` or `network/bits`; -1: it is neither. */
static int in_network(unsigned char const a[ADDRESS_SIZE], char *word) {
  unsigned char network[ADDRESS_SIZE];
  unsigned int bits = 8 * ADDRESS_SIZE, given;
  bool v4;
  char *slash = strchr(word, '/');
  if (slash) *slash++ = 0;
  if (!parse(word, network, &v4)) return -1;
  if (slash) {
    if (!uint0_scan(slash, &given) || given > (v4 ? 32 : bits)) return -1;
    bits = given + (v4 ? 8 * MAPPED_SIZE : 0);
  }
  return same_bits(a, network, bits);
}

int address_listed(char const *text, char const *list) {
  unsigned char a[ADDRESS_SIZE];
  bool v4, known = text && parse(text, a, &v4);
  int found = 0;
  for (size_t size; *list; list += size) {
    list += strspn(list, " \t,");
    size = strcspn(list, " \t,");
    char word[WORD_MAX];
    if (!size) break;
    if (size >= sizeof word) return -1;
    memcpy(word, list, size);
    word[size] = 0;
    unsigned char none[ADDRESS_SIZE] = {0};
    int r = in_network(known ? a : none, word);
    if (r < 0) return -1;
    if (r && known) found = 1;
  }
  return found;
}
