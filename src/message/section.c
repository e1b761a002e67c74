/* What BODY[section] names (RFC 3501 section 6.4.5), as a range of the file or, for chosen header
 * fields, as bytes.
 *
 * Part 1 of a message that is no multipart is its body.  A multipart without parts has one, empty:
 * the one that BODYSTRUCTURE shows. */
#include "message/internal.h"

/* Where a path leads. */
struct place {
  struct message_part const *part; /* null: nowhere */
  bool whole;                      /* the message itself, no number taken yet */
  bool empty;                      /* the part that an empty multipart is said to have */
};

static struct message_part const *nth_child(struct message_part const *multipart, uint32_t n) {
  struct message_part const *c = multipart->child;
  while (c && c->number != n) c = c->next;
  return c;
}

static struct place step(struct place from, uint32_t n) {
  struct message_part const *p = from.part;
  bool of_message = from.whole || p->is_message;
  if (!from.whole && p->is_message) p = p->child;
  if (from.empty) return (struct place){0};
  if (p->is_multipart) {
    if (!p->child && n == 1) return (struct place){.part = p, .empty = true};
    return (struct place){.part = nth_child(p, n)};
  }
  return (struct place){.part = of_message && n == 1 ? p : 0};
}

struct message_part const *part_after(struct message_part const *p) {
  if (p->child) return p->child;
  while (p && !p->next) p = p->parent;
  return p ? p->next : 0;
}

static struct place walk(struct message_part const *root, struct message_section const *s) {
  struct place at = {.part = root, .whole = true};
  for (size_t i = 0; i < s->depth && at.part; i++) at = step(at, s->path[i]);
  return at;
}

static void set_range(struct message_extent *e, uint64_t start, uint64_t end, uint64_t wire) {
  *e = (struct message_extent){.exists = true, .start = start, .end = end, .wire = wire};
}

static void set_header(struct message_extent *e, struct message_part const *p) {
  set_range(e, p->header_start, p->body_start, p->header_wire);
}

static void set_body(struct message_extent *e, struct message_part const *p) {
  set_range(e, p->body_start, p->end, p->body_wire);
  e->part = p;
}

/* The header of a message: what the tree kept, else from the file. */
static int read_header(int fd, struct message_part const *p, struct arena *arena,
                       char const **header, size_t *size) {
  *header = p->header;
  *size = p->header_size;
  if (*size || p->body_start == p->header_start) return 0;
  uint64_t want = p->body_start - p->header_start;
  if (want > MESSAGE_MAX_HEADER) want = MESSAGE_MAX_HEADER;
  char *buf = arena_alloc(arena, (size_t)want);
  ssize_t n = file_read_at(fd, buf, (size_t)want, p->header_start);
  if (n < 0) return -1;
  replace_nuls(buf, (size_t)n);
  *header = buf;
  *size = (size_t)n;
  return 0;
}

static bool is_listed(struct message_section const *s, struct message_field const *f) {
  for (size_t i = 0; i < s->nfields; i++)
    if (same_name(f->name, f->name_size, s->fields[i])) return true;
  return false;
}

void message_put_field(stralloc *out, struct message_field const *field) {
  char const *data = field->field;
  size_t size = field->field_size;
  while (size) {
    char const *lf = memchr(data, '\n', size);
    size_t n = lf ? (size_t)(lf - data) : size;
    sa_add(out, data, n && lf && data[n - 1] == '\r' ? n - 1 : n);
    sa_add(out, "\r\n", 2);
    n += lf != 0;
    data += n, size -= n;
  }
}

/* Whether an empty line ends the header; without one it has none (RFC 3501 section 7.4.2). */
static bool has_empty_line(struct message_part const *p, char const *header, size_t size,
                           size_t after_fields) {
  bool cut = p->body_start - p->header_start > size;
  return cut || (after_fields < size && header[size - 1] == '\n');
}

bool message_header_ends(struct message_part const *root, size_t after_fields) {
  return has_empty_line(root, root->header, root->header_size, after_fields);
}

static int pick_fields(int fd, struct message_part const *p, struct message_section const *s,
                       struct arena *arena, struct message_extent *e) {
  char const *header;
  size_t size, at = 0;
  if (read_header(fd, p, arena, &header, &size) < 0) return -1;
  stralloc out = STRALLOC_ZERO;
  bool wanted = s->kind == SECTION_HEADER_FIELDS;
  for (struct message_field f; message_next_field(header, size, &at, &f);)
    if (is_listed(s, &f) == wanted) message_put_field(&out, &f);
  if (has_empty_line(p, header, size, at)) sa_add(&out, "\r\n", 2);
  *e = (struct message_extent){.exists = true, .in_memory = true, .wire = out.len};
  e->data = arena_copy(arena, out.s ? out.s : "", out.len);
  stralloc_free(&out);
  return 0;
}

/* HEADER, TEXT and the FIELDS kinds speak of a message: the whole one, or that within a
 * part that is one. */
static struct message_part const *message_at(struct place at) {
  if (at.whole) return at.part;
  return at.part->is_message && !at.empty ? at.part->child : 0;
}

static void find_empty(struct message_section const *s, struct message_part const *multipart,
                       struct message_extent *e) {
  if (s->kind == SECTION_ALL || s->kind == SECTION_MIME)
    set_range(e, multipart->body_start, multipart->body_start, 0);
}

int message_section_find(int fd, struct message_part const *root, struct message_section const *s,
                         struct arena *arena, struct message_extent *e) {
  *e = (struct message_extent){0};
  struct place at = walk(root, s);
  if (!at.part) return 0;
  if (at.empty) {
    find_empty(s, at.part, e);
    return 0;
  }
  struct message_part const *message = message_at(at);
  switch (s->kind) {
  case SECTION_ALL:
    if (at.whole)
      set_range(e, root->header_start, root->end, root->header_wire + root->body_wire);
    else
      set_body(e, at.part);
    break;
  case SECTION_MIME: set_header(e, at.part); break;
  case SECTION_HEADER:
    if (message) set_header(e, message);
    break;
  case SECTION_TEXT:
    if (message) set_body(e, message);
    break;
  case SECTION_HEADER_FIELDS:
  case SECTION_HEADER_FIELDS_NOT: return message ? pick_fields(fd, message, s, arena, e) : 0;
  }
  return 0;
}
