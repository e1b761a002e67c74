/* SASLprep, RFC 4013, for SCRAM's users and the passwords that go into its keys; see scram.h for
 * what is left out. */
#include "auth/scram.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* RFC 3454 table B.1: says nothing. */
static bool is_nothing(utf8proc_int32_t c) {
  return c == 0xad || c == 0x34f || c == 0x1806 || (c >= 0x180b && c <= 0x180d) ||
         (c >= 0x200b && c <= 0x200d) || c == 0x2060 || (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff;
}

/* The categories that tables A.1 and C.2 to C.5 are made of. */
static bool is_prohibited(utf8proc_int32_t c) {
  switch (utf8proc_category(c)) {
  case UTF8PROC_CATEGORY_CC:
  case UTF8PROC_CATEGORY_CF:
  case UTF8PROC_CATEGORY_CS:
  case UTF8PROC_CATEGORY_CO:
  case UTF8PROC_CATEGORY_CN:
  case UTF8PROC_CATEGORY_ZL:
  case UTF8PROC_CATEGORY_ZP: return true;
  default: return false;
  }
}

static utf8proc_int32_t without_blanks(utf8proc_int32_t c, void *prohibited) {
  if (is_nothing(c)) return 0xad; /* which UTF8PROC_IGNORE takes away */
  if (utf8proc_category(c) == UTF8PROC_CATEGORY_ZS) return ' ';
  if (is_prohibited(c)) *(bool *)prohibited = true;
  return c;
}

char *saslprep(char const *text) {
  utf8proc_uint8_t *out = 0;
  bool prohibited = false;
  utf8proc_ssize_t size = utf8proc_map_custom(
      (utf8proc_uint8_t const *)text, 0, &out,
      UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_IGNORE,
      without_blanks, &prohibited);
  if (size > 0 && !prohibited) return (char *)out;
  if (size > 0) explicit_bzero(out, (size_t)size);
  free(out);
  return 0;
}
