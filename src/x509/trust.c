/* Certificates of authorities: one file of them, or a directory in which c_rehash(1), or openssl
 * rehash, has named each by the hash of its subject. */
#include "x509/x509.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAME_HASH_MAX = 10 }; /* files of one hash: reissued authorities, hardly ever more than 2 */

struct search {
  struct certificate const *of;
  unsigned char *der;
  size_t room, size; /* size: of what was found, 0 if nothing */
};

static bool take(void *context, char const *name, struct der bytes) {
  struct search *s = context;
  struct certificate candidate;
  if (!pem_is_certificate(name) || bytes.size > s->room) return true;
  if (!certificate_parse(&candidate, bytes)) return true;
  /* Authorities get new certificates for their old keys. */
  if (!certificate_is_valid_now(&candidate)) return true;
  if (certificate_signed_by(s->of, &candidate) == SIGNED_BY_OTHER) return true;
  memcpy(s->der, bytes.data, bytes.size);
  s->size = bytes.size;
  return false;
}

static int search_file(struct search *s, int dirfd, char const *name) {
  char *text;
  size_t size;
  if (file_read(dirfd, name, TRUST_FILE_MAX, &text, &size) < 0) return -1;
  pem_each(text, size, take, s);
  free(text);
  return 0;
}

/* HHHHHHHH.0, HHHHHHHH.1 ... without a gap. */
static int search_directory(struct search *s, int directory) {
  char name[16];
  uint32_t hash;
  if (!name_hash(s->of->issuer, &hash)) return 0;
  for (unsigned int i = 0; i < SAME_HASH_MAX && !s->size; i++) {
    snprintf(name, sizeof name, "%08lx.%u", (unsigned long)hash, i);
    if (search_file(s, directory, name) < 0) return errno == ENOENT ? 0 : -1;
  }
  return 0;
}

int trust_find_issuer(char const *path, struct certificate const *of, unsigned char *der,
                      size_t room, size_t *size) {
  struct search s = {.of = of, .der = der, .room = room};
  /* tlsd's loader may call openat(2) alone, which is not what every C library makes of open. */
  int directory = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
  if (directory >= 0) {
    r = search_directory(&s, directory);
    close(directory);
  } else {
    r = errno == ENOTDIR ? search_file(&s, AT_FDCWD, path) : -1;
  }
  if (r < 0) return -1;
  *size = s.size;
  return s.size ? 1 : 0;
}
