/* Bytes within bytes: memmem, which POSIX has only since 2024.  No fallback: glibc, musl and the
 * BSDs all have it. */
#define _GNU_SOURCE /* memmem */
#include "message/internal.h"

bool bytes_hold(char const *data, size_t size, char const *wanted, size_t wanted_size) {
  return memmem(data, size, wanted, wanted_size) != 0;
}
