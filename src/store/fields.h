/* What fields.c is to facts.c. */
#ifndef STORE_FIELDS_H
#define STORE_FIELDS_H

#include "message/message.h"
#include "store/cache.h"

/* The values of CACHE_COMMON and CACHE_RARE, in the arena; null data where the header is too odd to
 * be kept. */
void fields_keep(struct message_part const *root, struct arena *, struct cache_value *common,
                 struct cache_value *rare);
/* The chosen lines, in the header's order, and its empty line.  Either may have null data where the
 * choice does not need it.  out has room for FIELDS_SIZE_MAX bytes; returns how many it used. */
size_t fields_choose(struct field_choice const *, struct cache_value const *common,
                     struct cache_value const *rare, char *out);
enum { FIELDS_SIZE_MAX = 2 * CACHE_VALUE_MAX + 2 };

#endif
