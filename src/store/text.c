/* Searching in the text of a message: its signature in the cache first, then its file.  The first
 * search that reads a message keeps its signature. */
#include "store/fields.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Files up to this size are read at once, and searched where they are. */
enum { WHOLE_MAX = 128 << 10 };

/* The message that is searched, for one command may ask several times. */
struct cache_text {
  uint32_t uid; /* 0: none */
  struct message_bytes bytes;
  struct message_part *root;
  struct arena arena;
  struct message_grams grams;
  char whole[WHOLE_MAX];
};

static void unload(struct cache_text *t) {
  if (t->bytes.fd >= 0) close(t->bytes.fd);
  t->bytes = (struct message_bytes){.fd = -1};
  t->uid = 0;
  arena_release(&t->arena);
}

void cache_drop_text(struct cache *c) {
  if (c->text) unload(c->text);
  free(c->text);
  c->text = 0;
}

static struct cache_text *text_of(struct cache *c) {
  if (c->text) return c->text;
  if (!(c->text = calloc(1, sizeof *c->text))) log_die_memory();
  c->text->bytes.fd = -1;
  return c->text;
}

static struct message_part *parse_whole(struct cache_text *t) {
  struct message_parser *p = message_parser_new(&t->arena);
  message_parser_feed(p, t->bytes.data, t->bytes.size);
  return message_parser_finish(p);
}

/* Reads and parses it; -1 on a read error. */
static int read_text(struct cache_text *t, int fd, uint64_t size) {
  t->bytes = (struct message_bytes){.fd = fd};
  if (size > WHOLE_MAX) return message_parse_file(fd, &t->arena, &t->root);
  ssize_t n = file_read_at(fd, t->whole, (size_t)size, 0);
  if (n < 0) return -1;
  close(fd);
  t->bytes = (struct message_bytes){.data = t->whole, .size = (size_t)n, .fd = -1};
  t->root = parse_whole(t);
  return 0;
}

static enum store_error load(struct folder *f, uint32_t seq, struct cache_text *t) {
  int fd;
  uint64_t size;
  if (t->uid == folder_uid(f, seq)) return STORE_OK;
  unload(t);
  enum store_error e = folder_message_sized(f, seq, &fd, &size);
  if (e) return e;
  if (read_text(t, fd, size) < 0) {
    e = folder_failure(f, "read a message in", 0);
    unload(t);
    return e;
  }
  t->uid = folder_uid(f, seq);
  return STORE_OK;
}

static void keep_signature(struct folder *f, uint32_t seq, struct cache_text *t) {
  struct cache_value values[CACHE_LATE] = {{0}};
  struct cache_numbers numbers = {0};
  stralloc signature = STRALLOC_ZERO;
  if (!cache_numbers(f, seq, &numbers)) facts_keep(f, seq, t->root, &t->arena, &numbers, values);
  message_put_signature(&signature, &t->grams);
  cache_add(f, seq, CACHE_SIGNATURE, &(struct cache_value){signature.s, signature.len});
  stralloc_free(&signature);
}

enum store_error folder_text_holds(struct folder *f, uint32_t seq, struct message_needle const *n,
                                   bool with_header, bool *holds) {
  struct cache_value v;
  struct cache *c = cache_of(f);
  enum cache_answer answer = cache_get(f, seq, CACHE_SIGNATURE, &v);
  *holds = false;
  if (answer == CACHE_KNOWN) {
    enum message_hint hint = message_signature_hint(n, with_header, v.data, v.size);
    *holds = hint == MESSAGE_HOLDS;
    if (hint != MESSAGE_MAY_HOLD) return STORE_OK;
  }
  struct cache_text *t = text_of(c);
  enum store_error e = load(f, seq, t);
  if (e) return e;
  bool learn = answer == CACHE_UNKNOWN && cache_writable(f);
  unsigned long silences = message_charset_silences();
  if (learn) message_grams_clear(&t->grams);
  int matches = message_text_matches(&t->bytes, t->root, with_header, n, learn ? &t->grams : 0);
  if (matches < 0) return folder_failure(f, "read a message in", 0);
  /* Unless it would be decoded otherwise once charsetd is there. */
  if (learn && silences == message_charset_silences()) keep_signature(f, seq, t);
  *holds = matches;
  return STORE_OK;
}
