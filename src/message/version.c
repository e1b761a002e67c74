/* Which understanding of messages this program has. */
#include "message/internal.h"

#include <utf8proc.h>

uint32_t message_version(void) {
  uint32_t version = MESSAGE_VERSION;
  for (char const *c = utf8proc_version(); *c; c++) version = version * 31 + (unsigned char)*c;
  return version;
}
