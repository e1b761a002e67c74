/* Certificates and keys (x509/): what is taken apart stays within its bytes, and names stay
 * printable. */
#include "fuzz.h"
#include "x509/x509.h"

static bool is_within(struct der part, struct der whole) {
  return !part.size ||
         (part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
}

static void check_text(char const *text, size_t room) {
  must(strlen(text) < room);
  for (; *text; text++) must(*text >= ' ' && *text <= '~');
}

static void check_names(struct certificate const *c) {
  char text[HOST_NAME_MAX_TEXT], small[40], host[HOST_NAME_MAX_TEXT];
  struct der rest = c->alternative_names;
  uint32_t hash, again;
  name_text(c->subject, text, sizeof text);
  check_text(text, sizeof text);
  name_text(c->subject, small, sizeof small);
  must(!strncmp(text, small, strlen(small)));
  if (name_hash(c->subject, &hash)) must(name_hash(c->subject, &again) && hash == again);
  while (certificate_next_host(&rest, host)) {
    check_text(host, sizeof host);
    if (*host != '*' && !strchr(host, ':')) must(certificate_is_for(c, host)); /* nor an address */
  }
}

static void check_certificate(struct der bytes) {
  struct certificate c;
  if (!certificate_parse(&c, bytes)) return;
  must(is_within(c.issuer, c.to_be_signed) && is_within(c.subject, c.to_be_signed));
  must(is_within(c.alternative_names, c.to_be_signed) && is_within(c.signature, bytes));
  must(is_within(c.public_key, c.to_be_signed));
  check_names(&c);
  enum signed_by self = certificate_signed_by(&c, &c);
  if (!certificate_is_self_issued(&c)) must(self == SIGNED_BY_OTHER);
}

static void check_key(struct der bytes) {
  struct private_key k;
  if (!private_key_read(&k, bytes)) return;
  must(k.size <= sizeof k.bytes && k.size <= bytes.size);
  must(k.type == BR_KEYTYPE_RSA || (k.type == BR_KEYTYPE_EC && k.ec.xlen));
}

static bool take(void *context, char const *name, struct der bytes) {
  (void)context;
  (void)name;
  check_certificate(bytes);
  check_key(bytes);
  return true;
}

/* As DER and as PEM. */
int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  char *copy = malloc(size + 1);
  if (!copy) return 0;
  check_certificate((struct der){data, size});
  check_key((struct der){data, size});
  memcpy(copy, data, size);
  pem_each(copy, size, take, 0);
  free(copy);
  return 0;
}
