/* TLS_TRUSTCERTS, where client certificates are asked for: every authority of a file, or of a
 * directory in c_rehash form, as BearSSL wants it.  (Which of them a client's certificate is from
 * is known only when no file can be read any more.) */
#include "tls/tls.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  FILE_MAX = 4 << 20, /* all authorities of the web are about 220 KiB */
  HASH_DIGITS = 8,
};

static noreturn void die_memory(void) {
  log_die_failure(EXIT_TEMPORARY, "malloc", 0, "raise the memory limit of the service");
}

static void *copy(void const *data, size_t size) {
  void *p = malloc(size + !size);
  if (!p) die_memory();
  return memcpy(p, data, size);
}

/* The subject, as the decoder comes across it. */
static void take_name(void *context, void const *data, size_t size) {
  br_x500_name *name = context;
  name->data = realloc(name->data, name->len + size);
  if (!name->data) die_memory();
  memcpy(name->data + name->len, data, size);
  name->len += size;
}

static br_x509_pkey copy_key(br_x509_pkey const *key) {
  br_x509_pkey new = *key;
  if (key->key_type == BR_KEYTYPE_RSA) {
    new.key.rsa.n = copy(key->key.rsa.n, key->key.rsa.nlen);
    new.key.rsa.e = copy(key->key.rsa.e, key->key.rsa.elen);
  } else {
    new.key.ec.q = copy(key->key.ec.q, key->key.ec.qlen);
  }
  return new;
}

static bool is_valid_now(struct der bytes) {
  struct certificate c;
  return certificate_parse(&c, bytes) && certificate_is_valid_now(&c);
}

/* Expired ones, and those with keys that BearSSL does not know, sign nothing for us. */
static bool take_authority(void *context, char const *kind, struct der bytes) {
  struct authority_list *list = context;
  br_x509_decoder_context decoder;
  br_x509_trust_anchor anchor = {.flags = 0};
  if (list->n == AUTHORITIES_MAX || !pem_is_certificate(kind) || !is_valid_now(bytes)) return true;
  br_x509_decoder_init(&decoder, take_name, &anchor.dn);
  br_x509_decoder_push(&decoder, bytes.data, bytes.size);
  br_x509_pkey const *key = br_x509_decoder_get_pkey(&decoder);
  if (!key || !br_x509_decoder_isCA(&decoder)) {
    free(anchor.dn.data);
    return true;
  }
  anchor.flags = BR_X509_TA_CA;
  anchor.pkey = copy_key(key);
  list->names_size += anchor.dn.len + 2;
  list->anchors[list->n++] = anchor;
  return true;
}

static int load_file(struct authority_list *list, int dirfd, char const *name) {
  char *text;
  size_t size;
  if (file_read(dirfd, name, FILE_MAX, &text, &size) < 0) return -1;
  pem_each(text, size, take_authority, list);
  free(text);
  return 0;
}

/* 1a2b3c4d.0 */
static bool is_hash_name(char const *name) {
  size_t digits = strspn(name, "0123456789abcdef");
  char const *number = name + digits + 1;
  return digits == HASH_DIGITS && name[digits] == '.' && *number &&
         !number[strspn(number, "0123456789")];
}

static int load_directory(struct authority_list *list, DIR *d) {
  for (struct dirent *e; (e = readdir(d));)
    if (is_hash_name(e->d_name) && load_file(list, dirfd(d), e->d_name) < 0 && errno != ENOENT)
      return -1;
  return 0;
}

static int load_all(struct authority_list *list, char const *path) {
  DIR *d = opendir(path);
  if (!d) return errno == ENOTDIR ? load_file(list, AT_FDCWD, path) : -1;
  int r = load_directory(list, d);
  closedir(d);
  return r;
}

static int bad(char const *path, char const *why, char const *remedy) {
  log_event("bad-setting", "name", "TLS_TRUSTCERTS", "value", path, "why", why, "remedy", remedy,
            (char *)0);
  return -1;
}

int authorities_load(struct authority_list *list, char const *path) {
  if (!path || !*path)
    return bad(path, "not set, but TLS_VERIFYPEER is",
               "name the certificates of those who sign your clients'");
  list->anchors = calloc(AUTHORITIES_MAX, sizeof *list->anchors);
  if (!list->anchors) die_memory();
  if (load_all(list, path) < 0) {
    log_failure("read", path, "check TLS_TRUSTCERTS, and that tlsd's user may read it");
    return -1;
  }
  if (!list->n)
    return bad(path, "no valid authority in it",
               "it must be a file of PEM certificates, or a directory made by openssl rehash");
  if (list->n == AUTHORITIES_MAX || list->names_size > AUTHORITY_NAMES_MAX)
    return bad(path, "more authorities than a client can be told of",
               "name only those who sign your clients' certificates");
  return 0;
}
