/* What the targets that read IMAP commands share: a parser over bytes in memory. */
#ifndef FUZZ_WIRE_H
#define FUZZ_WIRE_H

#include "fuzz.h"
#include "imap/imap.h"

struct wire {
  uint8_t const *data;
  size_t left;
  bool chunked; /* comes in pieces */
  struct dice dice;
  struct imap_input in;
  struct imap_output out;
  struct imap_parser parser;
  struct arena arena;
};

static inline ssize_t wire_fill(struct imap_input *in, char *buf, size_t size) {
  struct wire *w = in->context;
  if (size > w->left) size = w->left;
  if (w->chunked && size) size = chunk_of(&w->dice, size);
  if (size) memcpy(buf, w->data, size);
  w->data += size, w->left -= size;
  return (ssize_t)size;
}

static inline int wire_write(struct imap_output *out, void const *data, size_t size) {
  (void)out, (void)data, (void)size;
  return 0;
}

static inline void wire_init(struct wire *w, uint8_t const *data, size_t size, bool chunked,
                             size_t limit) {
  w->data = data;
  w->left = size;
  w->chunked = chunked;
  w->dice = dice_of(data, size);
  w->arena = (struct arena){0};
  imap_input_init(&w->in, -1);
  w->in.fill = wire_fill;
  w->in.context = w;
  imap_output_init(&w->out, -1, 0);
  w->out.write = wire_write;
  imap_parser_init(&w->parser, &w->in, &w->out, &w->arena, limit);
  imap_command_begin(&w->parser);
}

static inline void wire_free(struct wire *w) {
  imap_output_idle(&w->out);
  arena_release(&w->arena);
}

#endif
