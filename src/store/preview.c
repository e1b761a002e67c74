/* The first words of a message (RFC 8970): a late column of the cache. */
#include "store/fields.h"

#include <unistd.h>

/* A late column wants the others to be known. */
static void keep(struct folder *f, uint32_t seq, struct message_part const *root,
                 struct arena *arena, struct preview const *p) {
  struct cache_value values[CACHE_LATE] = {{0}}, v = {p->text, p->size};
  struct cache_numbers numbers = {0};
  if (!cache_writable(f) || cache_add(f, seq, CACHE_PREVIEW, &v)) return;
  facts_keep(f, seq, root, arena, &numbers, values);
  cache_add(f, seq, CACHE_PREVIEW, &v);
}

static enum store_error make(struct folder *f, uint32_t seq, bool keepable, struct arena *arena,
                             struct preview *p) {
  unsigned long silences = message_charset_silences();
  struct message_part *root;
  stralloc text = STRALLOC_ZERO;
  int fd;
  enum store_error e = folder_message(f, seq, &fd);
  if (e) return e;
  if (message_parse_file(fd, arena, &root) < 0 || message_put_preview(&text, fd, root) < 0) {
    e = folder_failure(f, "read a message in", 0);
  } else {
    *p = (struct preview){arena_copy(arena, text.s, text.len), text.len};
    /* Where charsetd was silent the next one may be better. */
    if (keepable && silences == message_charset_silences()) keep(f, seq, root, arena, p);
  }
  stralloc_free(&text);
  close(fd);
  return e;
}

enum store_error folder_preview(struct folder *f, uint32_t seq, bool lazy, struct arena *arena,
                                struct preview *p) {
  struct cache_value v;
  enum cache_answer answer = cache_get(f, seq, CACHE_PREVIEW, &v);
  *p = (struct preview){0};
  if (answer == CACHE_KNOWN) *p = (struct preview){arena_copy(arena, v.data, v.size), v.size};
  if (answer == CACHE_KNOWN || lazy) return STORE_OK;
  return make(f, seq, answer == CACHE_UNKNOWN, arena, p);
}
