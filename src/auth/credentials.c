/* Descriptor 3: what checkpassword's callers write there, reading it and writing it for the next
 * module.  What the strings mean is the module's matter. */
#include "auth/auth.h"
#include "base/base.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { CREDENTIALS_WAIT = 30000 }; /* ms: imaplogin has written already, others may be slower */

int credentials_read(struct credentials_buffer *c) {
  int64_t deadline = clock_ms() + CREDENTIALS_WAIT;
  ssize_t r;
  c->size = 0;
  do {
    r = io_read(CREDENTIALS_FD, c->bytes + c->size, sizeof c->bytes - c->size, deadline);
    if (r > 0) c->size += (size_t)r;
  } while (r > 0 && c->size < sizeof c->bytes);
  int saved = errno;
  close(CREDENTIALS_FD);
  if (r < 0 || c->size > CREDENTIALS_MAX) {
    credentials_wipe(c);
    errno = r < 0 ? saved : EMSGSIZE;
    return -1;
  }
  return 0;
}

static char const *take_string(char const **next, char const *end) {
  char const *s = *next;
  char const *nul = memchr(s, 0, (size_t)(end - s));
  if (nul) *next = nul + 1;
  return nul ? s : 0;
}

bool credentials_parse(struct credentials_buffer const *c, bool more, struct auth_credentials *a) {
  char const *next = c->bytes, *end = c->bytes + c->size;
  a->user = take_string(&next, end);
  a->password = a->user ? take_string(&next, end) : 0;
  a->timestamp = a->password ? take_string(&next, end) : 0;
  return a->timestamp && (more || next == end);
}

int credentials_pass(struct credentials_buffer const *c) {
  int ends[2];
  if (pipe(ends) < 0) return -1;
  int r = io_write_all(ends[1], c->bytes, c->size, clock_ms() + CREDENTIALS_WAIT);
  close(ends[1]);
  if (!r && ends[0] == CREDENTIALS_FD) return 0;
  if (!r) r = dup2(ends[0], CREDENTIALS_FD) < 0 ? -1 : 0;
  close(ends[0]);
  return r;
}

void credentials_wipe(struct credentials_buffer *c) {
  explicit_bzero(c, sizeof *c);
}
