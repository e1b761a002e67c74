/* birth.c: the birth time of a file in nanoseconds since 1970, 0 where it is not known. */
#ifndef STORE_BIRTH_H
#define STORE_BIRTH_H

#include <stdint.h>

uint64_t file_birth(int fd);

#endif
