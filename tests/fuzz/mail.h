/* What the targets that take a whole message share. */
#ifndef MAIL_H
#define MAIL_H

#include "fuzz.h"
#include "message/internal.h"

static inline struct message_part *parse_whole(void const *data, size_t size, struct arena *arena) {
  struct message_parser *p = message_parser_new(arena);
  message_parser_feed(p, data, size);
  return message_parser_finish(p);
}

static inline struct message_part *parse_in_chunks(uint8_t const *data, size_t size,
                                                   struct arena *arena) {
  struct dice dice = dice_of(data, size);
  struct message_parser *p = message_parser_new(arena);
  while (size) {
    size_t n = chunk_of(&dice, size);
    message_parser_feed(p, data, n);
    data += n, size -= n;
  }
  return message_parser_finish(p);
}

/* Line ends in all, and those that are bare. */
static inline uint64_t line_ends(uint8_t const *data, uint64_t start, uint64_t end,
                                 uint64_t *bare) {
  uint64_t n = 0;
  *bare = 0;
  for (uint64_t i = start; i < end; i++) {
    if (data[i] != '\n') continue;
    n++;
    *bare += i == start || data[i - 1] != '\r';
  }
  return n;
}

#endif
