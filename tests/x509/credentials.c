/* Certificate files, read into memory that holds nothing else of them afterwards: neither the key's
 * text nor, of a file that cannot be used, anything at all. */
#include "x509/x509.h"

#include "../fuzz/keys.h"
#include "../tap.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct credentials credentials;
static char path[] = "/tmp/chainmail-credentials.XXXXXX";

static void put(char const *text, size_t size) {
  FILE *f = fopen(path, "w");
  ok(f && fwrite(text, 1, size, f) == size && !fclose(f), "a file");
}

static bool is_clean(size_t from) {
  for (size_t i = from; i < sizeof credentials.der; i++)
    if (credentials.der[i]) return false;
  return true;
}

static int load(char const *certfile, char const *keyfile, struct certificate_problem *problem) {
  memset(&credentials, 0, sizeof credentials);
  return x509_credentials_load(&credentials, certfile, keyfile, 0, problem);
}

static void good(void) {
  struct certificate_problem problem;
  char text[END_POINT_SIZE];
  put(server_pem, sizeof server_pem - 1);
  is_uint((uint64_t)load(path, 0, &problem), 0, "certificate and key");
  is_uint(credentials.chain_length, 1, "one certificate");
  is_uint(credentials.key.type, BR_KEYTYPE_EC, "and its key");
  ok(is_clean(credentials.der_size), "no text is left behind them");
  x509_end_point(&credentials, text);
  is_uint(strlen(text), 64, "the binding is a SHA-256");
  size_t size = credentials.der_size;
  is_uint((uint64_t)load(path, path, &problem), 0, "the key from a file of its own");
  ok(credentials.der_size == size && is_clean(size), "leaves nothing either");
  x509_credentials_wipe(&credentials);
  ok(is_clean(0) && !credentials.key.size && !credentials.chain_length, "all can be wiped");
}

/* A modulus in the file that is longer than its factors make it would make longer signatures. */
static void wrong_size(void) {
  struct certificate_problem problem;
  put(rsa_pem, sizeof rsa_pem - 1);
  is_uint((uint64_t)load(path, 0, &problem), 0, "an RSA key");
  is_uint((uint64_t)x509_credentials_prove(&credentials, path, 0, &problem), 0,
          "its certificate's");
  credentials.key.rsa.n_bitlen += 64;
  ok(x509_credentials_prove(&credentials, path, 0, &problem) < 0, "not with another modulus");
}

static void too_large(void) {
  static char text[PEM_FILE_MAX + 1];
  struct certificate_problem problem;
  memset(text, 'A', sizeof text);
  memcpy(text, server_pem, sizeof server_pem - 1);
  put(text, sizeof text);
  ok(load(path, 0, &problem) < 0 && problem.error == EFBIG, "too large a file");
  ok(is_clean(0), "leaves nothing");
  put(server_pem, sizeof server_pem - 60);
  ok(load(path, 0, &problem) < 0 && problem.why, "a damaged one");
  ok(is_clean(credentials.der_size), "leaves no text");
}

int main(void) {
  if (mkstemp(path) < 0) return 1;
  good();
  wrong_size();
  too_large();
  unlink(path);
  return tap_done();
}
