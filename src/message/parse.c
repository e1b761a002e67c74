/* The MIME tree of a message, in one pass, from bytes as they are read (RFC 2045, RFC 2046). Bodies
 * are neither copied nor decoded; from line to line they are crossed by memchr.
 *
 * Readings of what is broken:
 *   - a boundary delimiter is `--boundary` at a line's start, whatever follows (RFC 2046 section
 *     5.1.1); of several open multiparts, the one whose delimiter is the whole line but for blanks
 *     at its end, else the one with the longest boundary, else the innermost;
 *   - a delimiter ends every part inside its multipart, even in the middle of a header, which then
 *     has no empty line;
 *   - the end of the file ends everything;
 *   - a multipart without a usable boundary, and all that exceeds the limits, is opaque: no part is
 *     looked for in it.  An opaque message/rfc822 is said to be application/octet-stream, since the
 *     grammar of BODYSTRUCTURE wants to know what is in a message/rfc822;
 *   - a Content-Type without `type/subtype` counts as absent (RFC 2045 section 5.2);
 *   - of a field that occurs several times, the first counts;
 *   - the transfer encoding of a multipart or message/rfc822 is reported, not applied (RFC 2045
 *     section 6.4 allows none that would matter).
 * doc/architecture.md has the whole list. */
#include "message/internal.h"

/* What is looked at of a line that may be a delimiter: `--`, boundary, `--`, blanks. */
enum { DELIMITER_LINE_MAX = 2 + MESSAGE_MAX_BOUNDARY + 2 + 250 };

/* A position: raw offset, and what came before it. */
struct mark {
  uint64_t raw, bare_lf, lf;
};

struct node {
  struct message_part part; /* first, so that a part is its node */
  struct message_part *last_child;
  struct mark header, body;
  char const *boundary; /* null if this is no multipart, or it is closed */
  size_t boundary_size;
  unsigned int depth;
};

enum state { IN_HEADER, IN_BODY, DONE };

struct message_parser {
  struct arena *arena;
  struct node *root, *current;
  enum state state;
  bool header_only;
  unsigned int parts, open_boundaries;

  struct mark at, line; /* now, and where this line begins */
  unsigned int eol;     /* bytes of the line end before this line: 0, 1 or 2 */
  char last;            /* the byte before `at` */

  bool maybe_delimiter; /* so far, this line could be one */
  char delimiter[DELIMITER_LINE_MAX];
  size_t delimiter_size;

  char *header; /* of the part being read, up to MESSAGE_MAX_HEADER bytes; reused */
  size_t header_size, header_capacity;
  size_t header_line; /* where the current line begins in it */
  size_t kept;        /* bytes of headers of which something stays in the arena */
};

/* ---- facts from a part's header ---- */

typedef void take_field(struct message_part *, struct message_field const *, struct arena *);

static void take_type(struct message_part *p, struct message_field const *f, struct arena *arena) {
  if (p->type) return;
  char const *end = f->value + f->value_size;
  char const *at = skip_blanks_and_comments(f->value, end);
  char const *type = take_token(&at, end, arena);
  at = skip_blanks_and_comments(at, end);
  if (!*type || at == end || *at != '/') return;
  at = skip_blanks_and_comments(at + 1, end);
  char const *subtype = take_token(&at, end, arena);
  if (!*subtype) return;
  p->type = type;
  p->subtype = subtype;
  p->params = params_parse(at, end, arena);
}

static void take_disposition(struct message_part *p, struct message_field const *f,
                             struct arena *arena) {
  char const *end = f->value + f->value_size;
  char const *at = skip_blanks_and_comments(f->value, end);
  char const *token = take_token(&at, end, arena);
  if (p->disposition || !*token) return;
  p->disposition = token;
  p->disposition_params = params_parse(at, end, arena);
}

static void take_encoding(struct message_part *p, struct message_field const *f,
                          struct arena *arena) {
  char const *end = f->value + f->value_size;
  char const *at = skip_blanks_and_comments(f->value, end);
  char const *token = take_token(&at, end, arena);
  if (!p->encoding && *token) p->encoding = token;
}

static void take_language(struct message_part *p, struct message_field const *f,
                          struct arena *arena) {
  if (!p->languages) p->languages = languages_parse(f->value, f->value_size, arena);
}

static void take_text(char const **where, struct message_field const *f, struct arena *arena) {
  if (!*where) *where = field_unfold(f->value, f->value_size, arena);
}

static void take_id(struct message_part *p, struct message_field const *f, struct arena *arena) {
  take_text(&p->id, f, arena);
}

static void take_description(struct message_part *p, struct message_field const *f,
                             struct arena *arena) {
  take_text(&p->description, f, arena);
}

static void take_md5(struct message_part *p, struct message_field const *f, struct arena *arena) {
  take_text(&p->md5, f, arena);
}

static void take_location(struct message_part *p, struct message_field const *f,
                          struct arena *arena) {
  take_text(&p->location, f, arena);
}

static void take_fields(struct message_part *p, char const *header, size_t size,
                        struct arena *arena) {
  static char const prefix[] = "Content-";
  static struct {
    char const *name; /* after the prefix */
    take_field *take;
  } const fields[] = {
      {"Type", take_type},
      {"Transfer-Encoding", take_encoding},
      {"ID", take_id},
      {"Description", take_description},
      {"MD5", take_md5},
      {"Disposition", take_disposition},
      {"Language", take_language},
      {"Location", take_location},
  };
  enum { PREFIX_SIZE = sizeof prefix - 1 };
  struct message_field f;
  for (size_t at = 0; next_field(header, size, &at, &f);) {
    if ((*f.field | 32) != 'c') continue;
    field_split(&f);
    if (f.name_size <= PREFIX_SIZE || strncasecmp(f.name, prefix, PREFIX_SIZE) != 0) continue;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
      if (same_name(f.name + PREFIX_SIZE, f.name_size - PREFIX_SIZE, fields[i].name))
        fields[i].take(p, &f, arena);
  }
}

static bool is_type(struct message_part const *p, char const *type, char const *subtype) {
  return !strcasecmp(p->type, type) && (!subtype || !strcasecmp(p->subtype, subtype));
}

/* RFC 2045 section 5.2, RFC 2046 section 5.1.5. */
static void default_type(struct message_part *p) {
  if (p->type) return;
  bool in_digest =
      p->parent && p->parent->is_multipart && is_type(p->parent, "multipart", "digest");
  p->type = in_digest ? "message" : "text";
  p->subtype = in_digest ? "rfc822" : "plain";
}

/* RFC 2046 section 5.2.1, RFC 6532 section 3.7: of the two only message/global may be encoded, and
 * then there is nothing to be seen in it. */
static bool holds_message(struct message_part const *p) {
  if (is_type(p, "message", "rfc822")) return true;
  return is_type(p, "message", "global") && transfer_by_name(p->encoding) == TRANSFER_IDENTITY;
}

/* ---- the tree ---- */

static struct node *parent_of(struct node *n) {
  return (struct node *)n->part.parent;
}

static void begin_part(struct message_parser *p, struct node *parent, struct mark start) {
  struct node *n = arena_zalloc(p->arena, sizeof *n);
  n->part.parent = parent ? &parent->part : 0;
  n->part.number = 1;
  n->part.header = "";
  n->depth = parent ? parent->depth + 1 : 0;
  if (parent && parent->last_child) {
    n->part.number = parent->last_child->number + 1;
    parent->last_child->next = &n->part;
  } else if (parent) {
    parent->part.child = &n->part;
  }
  if (parent) parent->last_child = &n->part;
  n->header = start;
  n->part.header_start = start.raw;
  p->parts++;
  p->current = n;
  p->state = IN_HEADER;
  p->header_size = p->header_line = 0;
}

static bool is_root(struct node *n) {
  return !n->part.parent || n->part.parent->is_message;
}

static void open_multipart(struct message_parser *p, struct node *n) {
  char const *boundary = param_value(n->part.params, "boundary");
  size_t size = boundary ? strlen(boundary) : 0;
  /* RFC 2046 section 5.1.1: no boundary ends in a blank. */
  while (size && is_blank(boundary[size - 1])) size--;
  if (!size || size > MESSAGE_MAX_BOUNDARY) return;
  n->part.is_multipart = true;
  n->boundary = boundary;
  n->boundary_size = size;
  p->open_boundaries++;
}

static void take_header(struct message_parser *p, struct node *n) {
  struct message_part *part = &n->part;
  if (p->kept + p->header_size > MESSAGE_MAX_HEADERS) {
    part->type = "application", part->subtype = "octet-stream";
    return;
  }
  p->kept += p->header_size;
  if (is_root(n)) {
    part->header = arena_copy(p->arena, p->header, p->header_size);
    part->header_size = p->header_size;
  }
  take_fields(part, p->header, p->header_size, p->arena);
}

static void end_header(struct message_parser *p, struct mark body) {
  struct node *n = p->current;
  struct message_part *part = &n->part;
  n->body = body;
  part->body_start = body.raw;
  part->header_wire = body.raw - n->header.raw + body.bare_lf - n->header.bare_lf;
  replace_nuls(p->header, p->header_size);
  take_header(p, n);
  default_type(part);
  p->state = p->header_only ? DONE : IN_BODY;
  if (p->header_only) return;
  bool may_nest = n->depth < MESSAGE_MAX_DEPTH && p->parts < MESSAGE_MAX_PARTS;
  if (may_nest && is_type(part, "multipart", 0)) {
    open_multipart(p, n);
  } else if (holds_message(part)) {
    part->is_message = may_nest;
    if (!may_nest && !strcasecmp(part->subtype, "rfc822"))
      part->type = "application", part->subtype = "octet-stream";
  }
}

/* After a header: a message goes on with the header within. */
static void begin_body(struct message_parser *p) {
  struct node *n = p->current;
  if (p->state == IN_BODY && n->part.is_message) begin_part(p, n, n->body);
}

static struct mark later(struct mark a, struct mark b) {
  return a.raw >= b.raw ? a : b;
}

/* Returns where the part really ends: not before its body begins. */
static struct mark close_part(struct message_parser *p, struct node *n, struct mark end) {
  struct message_part *part = &n->part;
  end = later(end, n->body);
  part->end = end.raw;
  part->body_wire = end.raw - n->body.raw + end.bare_lf - n->body.bare_lf;
  part->lines = end.lf - n->body.lf;
  if (n->boundary) p->open_boundaries--;
  n->boundary = 0;
  return end;
}

/* Ends the header being read, if one is, where the part ends. */
static void cut_header(struct message_parser *p, struct mark end) {
  while (p->state == IN_HEADER) {
    end_header(p, later(end, p->current->header));
    begin_body(p);
  }
}

/* Closes everything below `stop` (null: everything). */
static void close_below(struct message_parser *p, struct node *stop, struct mark end) {
  cut_header(p, end);
  for (; p->current != stop; p->current = parent_of(p->current))
    end = close_part(p, p->current, end);
}

/* ---- delimiters ---- */

/* The line that p->delimiter holds, blanks at its end left out. */
static size_t delimiter_length(struct message_parser const *p) {
  size_t size = p->delimiter_size;
  while (size && is_blank(p->delimiter[size - 1])) size--;
  return size;
}

static bool begins_with(char const *line, size_t size, struct node const *n) {
  return size >= n->boundary_size && !memcmp(line, n->boundary, n->boundary_size);
}

static bool is_dashes(char const *line, size_t size) {
  return size >= 2 && line[0] == '-' && line[1] == '-';
}

/* The multipart that this line, `--` left out, delimits; null if none. */
static struct node *find_delimited(struct message_parser const *p, char const *line, size_t size) {
  struct node *best = 0;
  for (struct node *n = p->current; n; n = parent_of(n)) {
    if (!n->boundary || !begins_with(line, size, n)) continue;
    size_t more = size - n->boundary_size;
    if (!more || (more == 2 && is_dashes(line + n->boundary_size, more))) return n;
    if (!best || n->boundary_size > best->boundary_size) best = n;
  }
  return best;
}

/* Where what comes before this line ends, if the line is a delimiter: its line end belongs to the
 * delimiter (RFC 2046 section 5.1.1). */
static struct mark before_line_end(struct message_parser const *p) {
  struct mark end = p->line;
  end.raw -= p->eol;
  end.lf -= p->eol != 0;
  end.bare_lf -= p->eol == 1;
  return end;
}

/* At the end of a line; whether it was a delimiter. */
static bool take_delimiter(struct message_parser *p) {
  size_t size = delimiter_length(p);
  if (size < 3) return false;
  char const *line = p->delimiter + 2;
  size -= 2;
  struct node *multipart = find_delimited(p, line, size);
  if (!multipart) return false;
  bool closes = is_dashes(line + multipart->boundary_size, size - multipart->boundary_size);
  if (p->state == IN_HEADER) p->header_size = p->header_line;
  close_below(p, multipart, before_line_end(p));
  p->state = IN_BODY;
  if (closes) {
    multipart->boundary = 0;
    p->open_boundaries--;
  } else if (p->parts < MESSAGE_MAX_PARTS) {
    begin_part(p, multipart, p->at);
  }
  return true;
}

/* ---- bytes ---- */

/* A delimiter can only be where a boundary is open, and begins with `--`. */
static void watch_delimiter(struct message_parser *p, char const *data, size_t size) {
  size_t room = DELIMITER_LINE_MAX - p->delimiter_size;
  if (size > room) size = room;
  memcpy(p->delimiter + p->delimiter_size, data, size);
  p->delimiter_size += size;
  for (size_t i = 0; i < 2 && i < p->delimiter_size; i++)
    if (p->delimiter[i] != '-') p->maybe_delimiter = false;
}

static void keep_header(struct message_parser *p, char const *data, size_t size) {
  size_t room = MESSAGE_MAX_HEADER - p->header_size;
  if (size > room) size = room;
  p->header = arena_grow(p->arena, p->header, &p->header_capacity, p->header_size + size, 1);
  memcpy(p->header + p->header_size, data, size);
  p->header_size += size;
}

static void begin_line(struct message_parser *p, unsigned int eol) {
  p->line = p->at;
  p->eol = eol;
  p->header_line = p->header_size;
  p->delimiter_size = 0;
  p->maybe_delimiter = p->open_boundaries > 0;
}

/* p->at stands behind the line end. */
static void end_line(struct message_parser *p, unsigned int eol) {
  bool empty = p->at.raw - p->line.raw == eol;
  if (p->maybe_delimiter && take_delimiter(p)) {
    begin_line(p, eol);
    return;
  }
  if (empty && p->state == IN_HEADER) {
    end_header(p, p->at);
    begin_body(p);
  }
  begin_line(p, eol);
}

/* A stretch of one line, its LF perhaps included. */
static void take_stretch(struct message_parser *p, char const *data, size_t size) {
  if (p->maybe_delimiter) watch_delimiter(p, data, size);
  if (p->state == IN_HEADER) keep_header(p, data, size);
  p->at.raw += size;
}

static void take_line_ends(struct message_parser *p, char const *data, size_t size) {
  struct line_ends ends = count_line_ends(data, size, p->last);
  p->at.raw += size;
  p->at.lf += ends.all;
  p->at.bare_lf += ends.all - ends.crlf;
  p->last = data[size - 1];
}

/* From the beginning of a line, whole lines of a body that are no delimiters; returns their size.
 */
static size_t cross_lines(struct message_parser *p, char const *data, size_t size) {
  static struct wanted const delimiter = {"\n--", 3, 0, 1};
  if (*data == '-') return 0;
  char const *last = wanted_at(&delimiter, data, size);
  if (last) size = (size_t)(last + 1 - data);
  while (size && data[size - 1] != '\n') size--;
  if (!size) return 0;
  bool crlf = (size > 1 ? data[size - 2] : p->last) == '\r';
  take_line_ends(p, data, size);
  begin_line(p, crlf ? 2 : 1);
  return size;
}

void message_parser_feed(struct message_parser *p, void const *data, size_t size) {
  char const *at = data, *end = at + size;
  while (at < end && p->state != DONE) {
    if (p->state == IN_BODY && !p->open_boundaries) {
      take_line_ends(p, at, (size_t)(end - at)); /* nothing can end it */
      return;
    }
    if (p->state == IN_BODY && p->at.raw == p->line.raw) {
      at += cross_lines(p, at, (size_t)(end - at));
      if (at == end) return;
    }
    char const *lf = memchr(at, '\n', (size_t)(end - at));
    if (!lf) {
      take_stretch(p, at, (size_t)(end - at));
      p->last = end[-1];
      return;
    }
    bool crlf = (lf > at ? lf[-1] : p->last) == '\r';
    take_stretch(p, at, (size_t)(lf + 1 - at));
    p->at.lf++;
    p->at.bare_lf += !crlf;
    p->last = '\n';
    end_line(p, crlf ? 2 : 1);
    at = lf + 1;
  }
}

struct message_parser *message_parser_new(struct arena *arena) {
  struct message_parser *p = arena_zalloc(arena, sizeof *p);
  p->arena = arena;
  /* Most headers are smaller than this: no growing. */
  p->header = arena_grow(arena, 0, &p->header_capacity, 4096, 1);
  begin_part(p, 0, p->at);
  p->root = p->current;
  return p;
}

struct message_part *message_parser_finish(struct message_parser *p) {
  if (p->state == DONE) return &p->root->part;
  if (p->maybe_delimiter && take_delimiter(p)) begin_line(p, 0);
  close_below(p, 0, p->at);
  return &p->root->part;
}

static int feed_file(int fd, struct message_parser *p) {
  char buf[READ_CHUNK];
  for (uint64_t offset = 0; p->state != DONE;) {
    ssize_t n = file_read_at(fd, buf, sizeof buf, offset);
    if (n < 0) return -1;
    message_parser_feed(p, buf, (size_t)n);
    offset += (uint64_t)n;
    if ((size_t)n < sizeof buf) break;
  }
  return 0;
}

int message_parse_file(int fd, struct arena *arena, struct message_part **root) {
  struct message_parser *p = message_parser_new(arena);
  if (feed_file(fd, p) < 0) return -1;
  *root = message_parser_finish(p);
  return 0;
}

int message_parse_header(int fd, struct arena *arena, struct message_part **root) {
  struct message_parser *p = message_parser_new(arena);
  p->header_only = true;
  if (feed_file(fd, p) < 0) return -1;
  /* A file that ends within its header. */
  if (p->state == IN_HEADER) end_header(p, p->at);
  p->root->part.end = p->root->part.body_start;
  *root = &p->root->part;
  return 0;
}
