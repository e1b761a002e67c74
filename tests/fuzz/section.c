/* BODY[section]<partial> of every part (message/section.c, crlf.c): what a section names is what
 * the tree says, and what is copied of it is what a plain copy would be. */
#include "mail.h"

struct copy {
  char *data;
  size_t size, room;
};

static bool take(void *context, char const *data, size_t size) {
  struct copy *c = context;
  must(size && size <= c->room - c->size);
  memcpy(c->data + c->size, data, size);
  c->size += size;
  return true;
}

/* The naive copy; returns its size. */
static size_t to_wire(uint8_t const *data, uint64_t start, uint64_t end, char *out) {
  char *o = out;
  for (uint64_t i = start; i < end; i++) {
    if (data[i] == '\n' && (i == start || data[i - 1] != '\r')) *o++ = '\r';
    *o++ = data[i] ? (char)data[i] : NUL_SUBSTITUTE;
  }
  return (size_t)(o - out);
}

static void check_copy(int fd, uint8_t const *data, struct message_extent const *e,
                       struct dice *dice, struct arena *arena) {
  size_t room = 2 * (size_t)(e->end - e->start) + 1;
  char *plain = arena_alloc(arena, room);
  size_t size = to_wire(data, e->start, e->end, plain);
  must(e->wire == size);
  size_t skip = throw_of(dice, size + 2), count = throw_of(dice, size + 2);
  struct copy c = {.data = arena_alloc(arena, room), .room = room};
  must(!message_copy_wire(fd, e->start, e->end, skip, count, take, &c));
  size_t want = skip >= size ? 0 : size - skip < count ? size - skip : count;
  must(c.size == want && !memcmp(c.data, plain + (want ? skip : 0), want));
}

struct trial {
  int fd;
  uint8_t const *data;
  struct message_part const *root;
  struct arena *arena;
  struct dice dice;
};

static struct message_extent find(struct trial *t, struct message_section *s) {
  struct message_extent e;
  must(!message_section_find(t->fd, t->root, s, t->arena, &e));
  if (e.exists && !e.in_memory) {
    must(e.start <= e.end);
    check_copy(t->fd, t->data, &e, &t->dice, t->arena);
  }
  return e;
}

/* HEADER.FIELDS (...) and HEADER.FIELDS.NOT (...) of one name are all the header's lines. */
static void check_fields(struct trial *t, struct message_section s) {
  static char const *names[] = {"Subject", "Content-Type", "x"};
  s.fields = &names[throw_of(&t->dice, 3)];
  s.nfields = 1;
  s.kind = SECTION_HEADER;
  bool exists = find(t, &s).exists;
  s.kind = SECTION_HEADER_FIELDS;
  struct message_extent some = find(t, &s);
  s.kind = SECTION_HEADER_FIELDS_NOT;
  struct message_extent others = find(t, &s);
  must(some.exists == exists && others.exists == exists);
  for (size_t i = 0; exists && i < some.wire; i++)
    must(some.data[i] && (some.data[i] != '\n' || (i && some.data[i - 1] == '\r')));
  must(!exists || (some.in_memory && others.in_memory));
}

static void check_section(struct trial *t, struct message_section s, struct message_part const *p) {
  s.kind = SECTION_ALL;
  struct message_extent e = find(t, &s);
  must(e.exists && e.end == p->end && e.start == (s.depth ? p->body_start : 0));
  s.kind = SECTION_MIME;
  e = find(t, &s);
  must(e.exists && e.start == p->header_start && e.end == p->body_start);
  s.kind = SECTION_TEXT;
  find(t, &s);
  check_fields(t, s);
}

/* The part numbers that lead to p.  A message that is not divided has one part, 1, which is its
 * body; one that is has no number of its own. */
static size_t path_to(struct message_part const *p, uint32_t path[2 * MESSAGE_MAX_DEPTH]) {
  size_t depth = 0;
  for (struct message_part const *up = p; up; up = up->parent) {
    bool is_root = !up->parent || up->parent->is_message;
    if (!is_root)
      path[depth++] = up->number;
    else if (up != p && !up->is_multipart)
      path[depth++] = 1;
  }
  for (size_t i = 0; i < depth / 2; i++) {
    uint32_t other = path[depth - 1 - i];
    path[depth - 1 - i] = path[i];
    path[i] = other;
  }
  return depth;
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  enum { PARTS = 30 }; /* of each message: enough, and finding is not free */
  struct arena arena = {0};
  struct trial t = {fuzz_file(data, size), data, parse_whole(data, size, &arena), &arena,
                    dice_of(data, size)};
  uint32_t path[2 * MESSAGE_MAX_DEPTH];
  size_t n = 0;
  for (struct message_part const *p = t.root; p && n < PARTS; p = part_after(p), n++) {
    struct message_section s = {.path = path, .depth = path_to(p, path)};
    if (!p->parent || !p->parent->is_message) check_section(&t, s, p);
    path[s.depth++] = (uint32_t)throw_of(&t.dice, 4);
    s.kind = SECTION_ALL;
    find(&t, &s);
  }
  arena_release(&arena);
  return 0;
}
