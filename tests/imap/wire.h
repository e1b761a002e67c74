/* For the tests of src/imap: a parser over bytes that a pipe holds, and an output into another. */
#ifndef WIRE_H
#define WIRE_H

#include "imap/imap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct wire {
  struct imap_input in;
  struct imap_output out;
  struct imap_parser parser;
  struct arena arena;
  int client; /* what the server wrote is read here */
  char answer[4 * IMAP_OUTPUT_SIZE];
};

/* Files stand for the connection, since they hold any amount. */
static inline int wire_file(void const *data, size_t size) {
  char name[] = "/tmp/chainmail-wire.XXXXXX";
  int fd = mkstemp(name);
  if (fd < 0 || unlink(name) < 0 || write(fd, data, size) != (ssize_t)size ||
      lseek(fd, 0, SEEK_SET) < 0) {
    perror("wire_file");
    exit(1);
  }
  return fd;
}

static inline struct wire *wire_new(void const *data, size_t size, size_t limit) {
  struct wire *w = calloc(1, sizeof *w);
  if (!w) exit(1);
  imap_input_init(&w->in, wire_file(data, size));
  w->client = wire_file("", 0);
  imap_output_init(&w->out, w->client, 1000);
  imap_parser_init(&w->parser, &w->in, &w->out, &w->arena, limit);
  imap_command_begin(&w->parser);
  return w;
}

/* All that has been written so far. */
static inline char const *wire_answer(struct wire *w) {
  imap_flush(&w->out);
  ssize_t r = pread(w->client, w->answer, sizeof w->answer - 1, 0);
  w->answer[r > 0 ? r : 0] = 0;
  return w->answer;
}

static inline void wire_free(struct wire *w) {
  imap_output_idle(&w->out);
  arena_release(&w->arena);
  close(w->in.fd);
  close(w->client);
  free(w);
}

#endif
