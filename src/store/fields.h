/* What fields.c and facts.c are to each other and to header.c. */
#ifndef STORE_FIELDS_H
#define STORE_FIELDS_H

#include "message/message.h"
#include "store/cache.h"

/* The values of CACHE_COMMON and CACHE_RARE, in the arena; null data where the header is too odd to
 * be kept. */
void fields_keep(struct message_part const *root, struct arena *, struct cache_value *common,
                 struct cache_value *rare);
/* The columns of folded fields; null data where the charset of one cannot be had now. */
void fields_fold(struct message_part const *root, struct arena *,
                 struct cache_value values[CACHE_LATE]);
/* Reads the whole message, keeps what it says, and tells it.  A value larger than CACHE_VALUE_MAX
 * is told, too. */
enum store_error facts_learn(struct folder *, uint32_t seq, struct arena *, struct cache_numbers *,
                             struct cache_value values[CACHE_LATE]);
/* The same for a message that has been parsed. */
void facts_keep(struct folder *, uint32_t seq, struct message_part const *root, struct arena *,
                struct cache_numbers *, struct cache_value values[CACHE_LATE]);
/* The chosen lines, in the header's order, and its empty line.  Either may have null data where the
 * choice does not need it.  out has room for FIELDS_SIZE_MAX bytes; returns how many it used. */
size_t fields_choose(struct field_choice const *, struct cache_value const *common,
                     struct cache_value const *rare, char *out);
enum { FIELDS_SIZE_MAX = 2 * CACHE_VALUE_MAX + 2 };

#endif
