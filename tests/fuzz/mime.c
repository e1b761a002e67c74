/* The MIME tree (message/parse.c): the same in chunks of any size, and true to the bytes. */
#include "mail.h"

/* ---- a tree as text, to compare ---- */

static void put(stralloc *out, char const *string) {
  nstring_put(out, string);
  sa_putc(out, ' ');
}

static void put_params(stralloc *out, struct message_param const *p) {
  for (; p; p = p->next) put(out, p->name), put(out, p->value);
  sa_putc(out, ';');
}

static void put_part(stralloc *out, struct message_part const *p) {
  uint64_t const numbers[] = {p->number,    p->header_start, p->body_start,
                              p->end,       p->lines,        p->header_wire,
                              p->body_wire, p->is_multipart, p->is_message};
  char const *const strings[] = {p->type, p->subtype,  p->id,       p->description,
                                 p->md5,  p->location, p->encoding, p->disposition};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    sa_put_number(out, numbers[i]), sa_putc(out, ' ');
  for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) put(out, strings[i]);
  put_params(out, p->params);
  put_params(out, p->disposition_params);
  for (char const **l = p->languages; l && *l; l++) put(out, *l);
  nstring_put_n(out, p->header, p->header_size);
}

static void put_tree(stralloc *out, struct message_part const *root) {
  for (struct message_part const *p = root; p; p = part_after(p)) {
    put_part(out, p);
    sa_puts(out, p->child ? "(\n" : ")\n");
  }
}

static void check_same(struct message_part const *a, struct message_part const *b) {
  stralloc x = STRALLOC_ZERO, y = STRALLOC_ZERO;
  put_tree(&x, a);
  put_tree(&y, b);
  must(x.len == y.len && !memcmp(x.s, y.s, x.len));
  stralloc_free(&x);
  stralloc_free(&y);
}

/* ---- a tree that is true ---- */

static void check_extent(struct message_part const *p, uint8_t const *data, size_t size) {
  uint64_t bare;
  must(p->header_start <= p->body_start && p->body_start <= p->end && p->end <= size);
  line_ends(data, p->header_start, p->body_start, &bare);
  must(p->header_wire == p->body_start - p->header_start + bare);
  must(p->lines == line_ends(data, p->body_start, p->end, &bare));
  must(p->body_wire == p->end - p->body_start + bare);
}

static void check_place(struct message_part const *p) {
  struct message_part const *parent = p->parent;
  must(p->type && *p->type && p->subtype && *p->subtype && p->header);
  must(!p->child || p->is_multipart != p->is_message);
  if (!parent) return;
  must(parent->is_multipart || parent->is_message);
  must(p->header_start >= parent->body_start && p->end <= parent->end);
  if (p->next) must(p->next->number == p->number + 1 && p->next->header_start >= p->end);
  if (p == parent->child) must(p->number == 1);
  if (parent->is_message)
    must(!p->next && p->header_start == parent->body_start && p->end == parent->end);
}

/* A root's header is that of the file, but for NULs; with the line end that belongs to a delimiter
 * where that cuts it off. */
static void check_header(struct message_part const *p, uint8_t const *data) {
  size_t size = p->body_start - p->header_start;
  must(p->header_size <= MESSAGE_MAX_HEADER);
  must(!p->header_size || p->header_size == MESSAGE_MAX_HEADER ||
       (p->header_size >= size && p->header_size <= size + 2));
  for (size_t i = 0; i < p->header_size; i++) {
    char c = (char)data[p->header_start + i];
    must(p->header[i] == (c ? c : NUL_SUBSTITUTE));
  }
}

static void check_tree(struct message_part const *root, uint8_t const *data, size_t size) {
  size_t parts = 0, depth;
  must(!root->header_start && root->end == size && !root->next);
  for (struct message_part const *p = root; p; p = part_after(p), parts++) {
    check_extent(p, data, size);
    check_place(p);
    check_header(p, data);
    depth = 0;
    for (struct message_part const *up = p; up->parent; up = up->parent) depth++;
    must(depth <= MESSAGE_MAX_DEPTH);
  }
  must(parts <= MESSAGE_MAX_PARTS);
}

/* Reading only the header finds out the same about it. */
static void check_header_only(struct message_part *root, int fd, struct arena *arena) {
  struct message_part *only, bare = *root;
  must(!message_parse_header(fd, arena, &only));
  must(!only->child && only->end == only->body_start);
  bare.child = 0;
  bare.end = bare.body_start;
  bare.body_wire = bare.lines = bare.is_multipart = bare.is_message = 0;
  /* What becomes of a body that would nest is not known yet. */
  if (!strcasecmp(only->type, "message")) bare.type = only->type, bare.subtype = only->subtype;
  check_same(&bare, only);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  struct arena arena = {0};
  struct message_part *root = parse_whole(data, size, &arena), *from_file;
  uint64_t wire;
  check_tree(root, data, size);
  check_same(root, parse_in_chunks(data, size, &arena));
  int fd = fuzz_file(data, size);
  must(!message_parse_file(fd, &arena, &from_file));
  check_same(root, from_file);
  check_header_only(root, fd, &arena);
  must(!message_wire_size(fd, 0, size, &wire) && wire == root->header_wire + root->body_wire);
  arena_release(&arena);
  return 0;
}
