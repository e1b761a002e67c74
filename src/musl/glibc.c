/* What Debian's archives of other libraries, which were compiled for glibc, ask of it and musl
 * lacks: the functions that glibc's headers put in the place of others, to check against the room
 * that the compiler knows of, and one that libcrypt found there.  For the rest the two have one
 * binary interface, as far as those archives use it: what they lack, the linker names.  Only
 * programs that are linked with musl have this in them (Makefile). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__memcpy_chk(void *to, void const *from, size_t size, size_t room);
void *__memset_chk(void *at, int byte, size_t size, size_t room);
void __explicit_bzero_chk(void *at, size_t size, size_t room);
int __snprintf_chk(char *to, size_t size, int flag, size_t room, char const *format, ...);
#ifndef __GLIBC__ /* which declares it */
void arc4random_buf(void *at, size_t size);
#endif

void *__memcpy_chk(void *to, void const *from, size_t size, size_t room) {
  if (size > room) abort();
  return memcpy(to, from, size);
}

void *__memset_chk(void *at, int byte, size_t size, size_t room) {
  if (size > room) abort();
  return memset(at, byte, size);
}

void __explicit_bzero_chk(void *at, size_t size, size_t room) {
  if (size > room) abort();
  explicit_bzero(at, size);
}

int __snprintf_chk(char *to, size_t size, int flag, size_t room, char const *format, ...) {
  (void)flag; /* whether %n is to be refused: no caller has one */
  if (size > room) abort();
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(to, size, format, arguments);
  va_end(arguments);
  return n;
}

void arc4random_buf(void *at, size_t size) {
  enum { ENTROPY_MAX = 256 }; /* at once: getentropy(3) */
  for (unsigned char *p = at; size;) {
    size_t n = size < ENTROPY_MAX ? size : ENTROPY_MAX;
    if (getentropy(p, n) < 0) abort();
    p += n;
    size -= n;
  }
}
