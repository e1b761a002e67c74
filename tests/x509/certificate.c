/* Certificates taken apart: one that has something of everything, and that one damaged in many
 * ways. */
#include "x509/x509.h"

#include "../tap.h"
#include <stdlib.h>
#include <string.h>

/* Self-signed, EC, serial number 77, 2026-11-21 06:07:33 to 2036-11-18 06:07:33. */
static char const pem[] = "-----BEGIN CERTIFICATE-----\n"
                          "MIICRDCCAeqgAwIBAgIBTTAKBggqhkjOPQQDAjBnMQswCQYDVQQGEwJYWDEcMBoG\n"
                          "A1UECgwTTcO8bGxlciAgICYgIFPDtmhuZTEZMBcGA1UEAwwQbWFpbC5leGFtcGxl\n"
                          "Lm9yZzEfMB0GCSqGSIb3DQEJARYQUG9zdEBFeGFtcGxlLm9yZzAeFw0yNjExMjEw\n"
                          "NjA3MzNaFw0zNjExMTgwNjA3MzNaMGcxCzAJBgNVBAYTAlhYMRwwGgYDVQQKDBNN\n"
                          "w7xsbGVyICAgJiAgU8O2aG5lMRkwFwYDVQQDDBBtYWlsLmV4YW1wbGUub3JnMR8w\n"
                          "HQYJKoZIhvcNAQkBFhBQb3N0QEV4YW1wbGUub3JnMFkwEwYHKoZIzj0CAQYIKoZI\n"
                          "zj0DAQcDQgAExa6+8WG1CnR39k/Llm0TkFPTtBEceDlh73CqqlZlNQW7ThwWKQpP\n"
                          "mfW/JrZuXYmvq0aONiRJOE9utizfDpL8PKOBhjCBgzBRBgNVHREESjBIghBtYWls\n"
                          "LmV4YW1wbGUub3Jngg0qLmV4YW1wbGUub3JngQ14QGV4YW1wbGUub3JnhwTAAAIB\n"
                          "hxAgAQ24AAAAAAAAAAAAAAABMA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0OBBYEFMCV\n"
                          "TRF0n/jCTHN7ubNxbZKJJeHjMAoGCCqGSM49BAMCA0gAMEUCIES4DlIeA5oIE/Hv\n"
                          "zR3wuAntnU0c+iePyaXtgxre5GwEAiEAtmAyM19prmExl5A2jNo5a4kE8GqEYBZp\n"
                          "Ks2TdpL/9ZA=\n"
                          "-----END CERTIFICATE-----\n";
enum { DER_MAX = 1024 };
static unsigned char bytes[DER_MAX];
static size_t size;

static bool take(void *context, char const *name, struct der der) {
  if (!pem_is_certificate(name) || der.size > DER_MAX) return true;
  ++*(unsigned int *)context;
  memcpy(bytes, der.data, der.size);
  size = der.size;
  return true;
}

/* Of a text in memory of exactly its size. */
static bool each(char const *text, size_t n, unsigned int *found) {
  char *copy = malloc(n ? n : 1);
  memcpy(copy, text, n);
  *found = 0;
  bool clean = pem_each(copy, n, take, found);
  free(copy);
  return clean;
}

static void pem_text(void) {
  unsigned int found;
  char twice[2 * sizeof pem];
  unsigned int bad = 0, end = (unsigned int)(strstr(pem, "-----END") - pem);
  for (size_t n = 60; n < end + 8; n++) bad += each(pem, n, &found) || found;
  is_uint(bad, 0, "a PEM text cut off is none");
  snprintf(twice, sizeof twice, "%s%s", pem, pem);
  ok(each(twice, strlen(twice), &found) && found == 2, "two objects");
  ok(each(pem, sizeof pem - 2, &found) && found == 1, "no newline at the end");
  ok(each("words\n", 6, &found) && !found, "no object");
  ok(each("", 0, &found) && !found, "nothing");
  ok(each(pem, sizeof pem - 1, &found) && found == 1, "one object");
}

static void fields(void) {
  struct certificate c;
  char text[300], small[20];
  uint32_t hash;
  br_x509_pkey key;
  ok(certificate_parse(&c, (struct der){bytes, size}), "it is a certificate");
  is_uint((uint64_t)c.not_before, 1795241253, "not before");
  is_uint((uint64_t)c.not_after, 2110601253, "not after");
  ok(certificate_is_self_issued(&c), "self-issued");
  name_text(c.subject, text, sizeof text);
  is(text,
     "C=XX, O=M\\xC3\\xBCller   &  S\\xC3\\xB6hne, CN=mail.example.org, "
     "emailAddress=Post@Example.org",
     "subject");
  name_text(c.subject, small, sizeof small);
  is(small, "C=XX, O=M\\xC3\\xBCll", "cut short");
  ok(name_hash(c.subject, &hash), "its hash");
  is_uint(hash, 0xe2dfcefa, "is OpenSSL's");
  is(certificate_algorithm(&c), "ECDSA with SHA-256", "signature");
  ok(certificate_key(&c, &key) && key.key_type == BR_KEYTYPE_EC &&
         key.key.ec.curve == BR_EC_secp256r1,
     "key");
  is_uint(certificate_signed_by(&c, &c), SIGNED_BY, "signed by itself");
}

static void hosts(void) {
  static char const *const want[] = {"mail.example.org", "*.example.org", "192.0.2.1",
                                     "2001:db8::1"};
  static struct {
    char host[20];
    bool is_for;
  } const asked[] = {
      {"mail.example.org", true},
      {"MAIL.Example.ORG", true},
      {"x.example.org", true},
      {"example.org", false},
      {"a.b.example.org", false},
      {".example.org", false},
      {"192.0.2.1", true},
      {"192.0.2.2", false},
      {"2001:DB8:0::1", true},
      {"2001:db8::2", false},
      {"", false},
      {"x@example.org", false},
  };
  struct certificate c;
  char text[HOST_NAME_MAX_TEXT];
  certificate_parse(&c, (struct der){bytes, size});
  struct der rest = c.alternative_names;
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
    ok(certificate_next_host(&rest, text), "another name");
    is(text, want[i], "is the one that was put there");
  }
  ok(!certificate_next_host(&rest, text), "and no more; mail addresses are none");
  for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
    is_uint(certificate_is_for(&c, asked[i].host), asked[i].is_for, asked[i].host);
}

/* Everything that is done with a certificate; bytes of exactly its size, for the sanitizers. */
static bool digest(unsigned char const *from, size_t n) {
  unsigned char *copy = malloc(n ? n : 1);
  struct certificate c;
  char text[HOST_NAME_MAX_TEXT];
  uint32_t hash;
  br_x509_pkey key;
  memcpy(copy, from, n);
  bool good = certificate_parse(&c, (struct der){copy, n});
  if (good) {
    name_text(c.subject, text, sizeof text);
    name_hash(c.issuer, &hash);
    certificate_is_for(&c, "mail.example.org");
    certificate_key(&c, &key);
    struct der rest = c.alternative_names;
    while (certificate_next_host(&rest, text))
      ;
  }
  free(copy);
  return good;
}

static void damage(void) {
  unsigned char changed[DER_MAX];
  static unsigned char const lengths_of_note[] = {0, 0x7F, 0x80, 0x81, 0x82, 0x83, 0xFF};
  unsigned int cut = 0, parsed = 0, refused = 0;
  for (size_t n = 0; n < size; n++) cut += digest(bytes, n);
  is_uint(cut, 0, "a certificate cut off is none");
  for (size_t i = 0; i < size; i++) {
    for (unsigned int v = 0; v < 8 + sizeof lengths_of_note; v++) {
      memcpy(changed, bytes, size);
      changed[i] = v < 8 ? (unsigned char)(changed[i] ^ 1U << v) : lengths_of_note[v - 8];
      if (digest(changed, size))
        parsed++;
      else
        refused++;
    }
  }
  /* Names and signatures may hold anything, tags and lengths may not. */
  ok(parsed > refused && refused > size, "every byte changed");
}

static void lengths(void) {
  static struct {
    char const *bytes;
    size_t size;
    bool good;
  } const items[] = {
      {"", 0, false},
      {"\x30", 1, false},
      {"\x30\0", 2, true},
      {"\x30\x01", 2, false},
      {"\x30\x80\0\0", 4, false} /* indefinite */,
      {"\x30\x81\x01x", 4, true},
      {"\x30\x84\0\0\0\0", 6, false} /* longer than any certificate */,
      {"\x3F\x81\x01\0", 4, false} /* a tag of two bytes */,
      {"\x30\x83\xFF\xFF\xFF", 5, false},
  };
  struct der_item item;
  for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
    unsigned char *copy = malloc(items[i].size ? items[i].size : 1);
    memcpy(copy, items[i].bytes, items[i].size);
    struct der rest = {copy, items[i].size};
    is_uint(der_next(&rest, &item), items[i].good, "tag and length");
    free(copy);
  }
}

/* Names that are too long or too many for c_rehash's form of them. */
static void long_names(void) {
  static unsigned char name[8192];
  uint32_t hash;
  for (size_t i = 0; i < sizeof name; i += 2) name[i] = DER_SET;
  ok(!name_hash((struct der){name, sizeof name}, &hash), "4096 empty sets");
  for (size_t n = 1000; n <= 1100; n += 100) { /* a T61String, each byte of which becomes two */
    unsigned char const head[] = {DER_SET,
                                  0x82,
                                  (unsigned char)((n + 11) >> 8),
                                  (unsigned char)(n + 11),
                                  DER_SEQUENCE,
                                  0x82,
                                  (unsigned char)((n + 7) >> 8),
                                  (unsigned char)(n + 7),
                                  DER_OID,
                                  1,
                                  0x2A,
                                  DER_T61,
                                  0x82,
                                  (unsigned char)(n >> 8),
                                  (unsigned char)n};
    memcpy(name, head, sizeof head);
    memset(name + sizeof head, 0xE9, n);
    is_uint(name_hash((struct der){name, sizeof head + n}, &hash), n == 1000, "a long value");
  }
}

static void server_names(void) {
  static struct {
    char const *given, *name;
  } const names[] = {
      {"Mail.Example.ORG", "mail.example.org"},
      {"a.b", "a.b"},
      {"xn--bcher-kva.example", "xn--bcher-kva.example"},
      {"1.example", "1.example"},
      {"localhost", 0},
      {"", 0},
      {".", 0},
      {"a.", 0},
      {".a", 0},
      {"a..b", 0},
      {"-a.b", 0},
      {"a-.b", 0},
      {"a.b/c", 0},
      {"../a.b", 0},
      {"a_b.c", 0},
      {"192.0.2.1", 0},
      {"a.b.ecdsa", 0},
      {"*.b.c", 0},
      {"a b.c", 0},
      {"\xC3\xA9.example", 0},
  };
  char name[SERVER_NAME_MAX + 1], longest[300];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    is(server_name_take(names[i].given, name) ? name : 0, names[i].name, names[i].given);
  memset(longest, 'a', sizeof longest);
  for (size_t i = 50; i < sizeof longest; i += 51) longest[i] = '.';
  longest[SERVER_NAME_MAX] = 0;
  ok(server_name_take(longest, name), "253 characters");
  longest[SERVER_NAME_MAX] = 'a';
  longest[SERVER_NAME_MAX + 1] = 0;
  ok(!server_name_take(longest, name), "254 characters");
  memset(longest, 'a', 64);
  memcpy(longest + 64, ".b", 3);
  ok(!server_name_take(longest, name), "a label of 64");
}

int main(void) {
  pem_text();
  fields();
  hosts();
  damage();
  lengths();
  long_names();
  server_names();
  return tap_done();
}
