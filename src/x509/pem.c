/* PEM: base64 between BEGIN and END lines (RFC 7468). */
#include "x509/x509.h"

#include <string.h>

bool pem_is_certificate(char const *name) {
  return !strcmp(name, "CERTIFICATE") || !strcmp(name, "X509 CERTIFICATE");
}

/* BearSSL knows lines that end in LF only; some authorities send CR LF. */
static size_t without_returns(char *text, size_t size) {
  size_t kept = 0;
  for (size_t i = 0; i < size; i++)
    if (text[i] != '\r') text[kept++] = text[i];
  return kept;
}

struct sink {
  char *to; /* behind what has been read: binary is shorter than its base64 */
};

static void store(void *context, void const *bytes, size_t n) {
  struct sink *s = context;
  memcpy(s->to, bytes, n);
  s->to += n;
}

bool pem_each(char *text, size_t size, pem_take *take, void *context) {
  br_pem_decoder_context pem;
  struct sink sink = {text};
  char *object = 0; /* where the present one begins */
  size = without_returns(text, size);
  br_pem_decoder_init(&pem);
  /* A last line without newline is a line, too. */
  for (size_t done = 0; done <= size;) {
    done += done < size ? br_pem_decoder_push(&pem, text + done, size - done)
                        : br_pem_decoder_push(&pem, "\n", 1);
    switch (br_pem_decoder_event(&pem)) {
    case BR_PEM_BEGIN_OBJ:
      object = sink.to;
      br_pem_decoder_setdest(&pem, store, &sink);
      break;
    case BR_PEM_END_OBJ:
      if (!take(context, br_pem_decoder_name(&pem),
                (struct der){(unsigned char *)object, (size_t)(sink.to - object)}))
        return true;
      object = 0;
      break;
    case BR_PEM_ERROR: return false;
    }
  }
  return !object;
}
