/* In the place of glibc's, for libxcrypt's <crypt.h>. */
#ifndef MUSL_CDEFS_H
#define MUSL_CDEFS_H

#define __BEGIN_DECLS
#define __END_DECLS
#define __THROW

#endif
