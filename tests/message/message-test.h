/* What the tests of src/message share: a message from a string, responses as strings. */
#ifndef MESSAGE_TEST_H
#define MESSAGE_TEST_H

#include "message/message.h"
#include "../tap.h"

#include <stdlib.h>
#include <unistd.h>

static struct arena test_arena;

/* Parses in chunks of `chunk` bytes. */
static inline struct message_part *parse_chunked(void const *data, size_t size, size_t chunk) {
  struct message_parser *p = message_parser_new(&test_arena);
  for (size_t at = 0; at < size; at += chunk)
    message_parser_feed(p, (char const *)data + at, size - at < chunk ? size - at : chunk);
  return message_parser_finish(p);
}

static inline struct message_part *parse_string(char const *text) {
  return parse_chunked(text, strlen(text), strlen(text) + 1);
}

/* A string from the arena. */
static inline char const *taken(stralloc *s) {
  char const *copy = arena_copy(&test_arena, s->s ? s->s : "", s->len);
  stralloc_free(s);
  return copy;
}

static inline char const *envelope_of(struct message_part const *root) {
  stralloc s = STRALLOC_ZERO;
  message_put_envelope(&s, root);
  return taken(&s);
}

static inline char const *structure_of(struct message_part const *root, bool extended) {
  stralloc s = STRALLOC_ZERO;
  message_put_bodystructure(&s, root, extended);
  return taken(&s);
}

static inline char const *body_of(char const *text) {
  return structure_of(parse_string(text), false);
}

/* An open file that holds these bytes and has no name. */
static inline int file_of(void const *data, size_t size) {
  char name[] = "/tmp/chainmail-test.XXXXXX";
  int fd = mkstemp(name);
  if (fd < 0 || unlink(name) < 0 || write(fd, data, size) != (ssize_t)size) {
    perror("temporary file");
    exit(111);
  }
  return fd;
}

/* Charsets that need the helper are converted by the one under test. */
static inline void find_charsetd(void) {
  char path[4096];
  char const *bin = getenv("CHAINMAIL_BIN");
  snprintf(path, sizeof path, "%s/charsetd", bin ? bin : "/nonexistent");
  setenv("IMAP_CHARSETD", path, 1);
}

#endif
