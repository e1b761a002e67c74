/* Names of message files: base name, flag letters, unique new ones. */
#include "maildir/maildir.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char const letters[] = "DFRST"; /* bit 0 to 4 */

void maildir_name_split(char const *name, struct maildir_name *n) {
  /* The last ":2,": a base name may hold colons, odd as that is. */
  char const *found = 0;
  for (char const *p = name; (p = strstr(p, ":2,")); p++) found = p;
  n->base = name;
  n->base_size = found ? (size_t)(found - name) : strlen(name);
  n->info = found ? found + 3 : 0;
}

unsigned int maildir_name_flags(struct maildir_name const *n) {
  unsigned int flags = 0;
  if (!n->info) return 0;
  for (char const *p = n->info; *p; p++) {
    char const *letter = strchr(letters, *p);
    if (letter) flags |= 1u << (letter - letters);
  }
  return flags;
}

bool maildir_name_join(char *out, size_t size, struct maildir_name const *old, unsigned int flags) {
  uint64_t has[4] = {0}; /* a bit for each character */
  for (char const *p = old->info ? old->info : ""; *p; p++) {
    unsigned char c = (unsigned char)*p;
    if (!strchr(letters, c)) has[c / 64] |= UINT64_C(1) << c % 64;
  }
  for (unsigned int i = 0; letters[i]; i++)
    if (flags & 1u << i) has[letters[i] / 64] |= UINT64_C(1) << letters[i] % 64;
  size_t n = old->base_size;
  if (n + 4 > size) return false;
  memcpy(out, old->base, n);
  memcpy(out + n, ":2,", 3);
  n += 3;
  for (unsigned int i = 0; i < 4; i++)
    for (uint64_t left = has[i]; left; left &= left - 1) {
      if (n + 1 >= size) return false;
      out[n++] = (char)(i * 64 + (unsigned int)__builtin_ctzll(left));
    }
  out[n] = 0;
  return true;
}

bool maildir_name_is_plain(struct maildir_name const *n) {
  if (!n->info) return true;
  for (char const *p = n->info; *p; p++)
    if (!strchr(letters, *p) || (p > n->info && p[-1] >= *p)) return false;
  return true;
}

/* The host as it stands in names: without the characters that mean something there. */
static void put_host(char *out, size_t size) {
  char host[256];
  if (gethostname(host, sizeof host) < 0) strcpy(host, "localhost");
  host[sizeof host - 1] = 0;
  size_t n = 0;
  for (char const *p = host; *p && n + 5 < size; p++) {
    if (*p == '/' || *p == ':')
      n += (size_t)sprintf(out + n, "\\%03o", (unsigned int)*p);
    else if (*p > ' ' && *p < 127)
      out[n++] = *p;
  }
  out[n] = 0;
}

void maildir_unique(char *out, size_t size, uint64_t batch) {
  static unsigned int counter;
  struct timespec now;
  char host[MAILDIR_UNIQUE_MAX - 100]; /* the numbers take at most 80 */
  char tag[20] = "";
  clock_gettime(CLOCK_REALTIME, &now);
  put_host(host, sizeof host);
  if (batch) snprintf(tag, sizeof tag, "B%016" PRIx64, batch);
  snprintf(out, size, "%lld.M%ldP%ldQ%u%s.%s", (long long)now.tv_sec, now.tv_nsec / 1000,
           (long)getpid(), counter++, tag, host);
}

bool maildir_name_has_batch(char const *name, uint64_t batch) {
  char tag[20];
  snprintf(tag, sizeof tag, "B%016" PRIx64 ".", batch);
  char const *first = strchr(name, '.');
  if (!first) return false;
  char const *second = strchr(first + 1, '.');
  if (!second || second + 1 - first < (ptrdiff_t)strlen(tag)) return false;
  return !memcmp(second + 1 - strlen(tag), tag, strlen(tag));
}
