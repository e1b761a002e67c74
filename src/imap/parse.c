/* The tokens of a command (RFC 3501 section 9).  Which tokens a command wants is its own affair.
 *
 * Every byte of a command that is read here counts against `left`, so that no command can make the
 * session larger than its limit; literals that the caller streams do not count. */
#include "imap/imap.h"

#include <string.h>
#include <strings.h>

void imap_parser_init(struct imap_parser *p, struct imap_input *in, struct imap_output *out,
                      struct arena *arena, size_t max_size) {
  *p = (struct imap_parser){.in = in, .out = out, .arena = arena, .max_size = max_size};
}

void imap_command_begin(struct imap_parser *p) {
  p->left = p->max_size;
  p->error = 0;
  p->unfinished = true;
  p->hopeless = false;
}

int imap_parse_peek(struct imap_parser *p) {
  return p->left ? imap_input_peek(p->in) : -1;
}

static void take(struct imap_parser *p) {
  imap_input_take(p->in);
  p->left--;
}

bool imap_parse_fail(struct imap_parser *p, char const *words) {
  if (p->in->end != IMAP_OPEN)
    p->error = 0;
  else
    p->error = p->left ? words : "Command too long";
  return false;
}

/* ---- characters ---- */

bool imap_is_atom_char(int c) {
  return c > 0x20 && c < 0x7f && !strchr("(){%*\"\\]", c);
}

static bool is_astring_char(int c) {
  return imap_is_atom_char(c) || c == ']';
}

static bool is_list_char(int c) {
  return is_astring_char(c) || c == '%' || c == '*';
}

static bool is_tag_char(int c) {
  return is_astring_char(c) && c != '+';
}

static bool is_word_char(int c) {
  return imap_is_atom_char(c) && c != '[';
}

static bool is_digit(int c) {
  return c >= '0' && c <= '9';
}

/* ---- strings ---- */

/* A string that grows in the arena. */
struct builder {
  char *data;
  size_t size, capacity;
};

static void append(struct imap_parser *p, struct builder *b, int c) {
  enum { USUAL = 48 }; /* what most tokens fit in */
  if (b->size == b->capacity)
    b->data = arena_grow(p->arena, b->data, &b->capacity, b->capacity ? b->size + 1 : USUAL, 1);
  b->data[b->size++] = (char)c;
}

static struct imap_bytes finish(struct imap_parser *p, struct builder *b) {
  append(p, b, 0);
  return (struct imap_bytes){b->data, b->size - 1};
}

static bool parse_run(struct imap_parser *p, bool (*belongs)(int), char const *expected,
                      struct imap_bytes *out) {
  struct builder b = {0};
  int c;
  while (belongs(c = imap_parse_peek(p))) {
    append(p, &b, c);
    take(p);
  }
  if (c < 0 || !b.size) return imap_parse_fail(p, expected);
  *out = finish(p, &b);
  return true;
}

static bool parse_run_text(struct imap_parser *p, bool (*belongs)(int), char const *expected,
                           char **out) {
  struct imap_bytes bytes;
  if (!parse_run(p, belongs, expected, &bytes)) return false;
  *out = bytes.data;
  return true;
}

static bool parse_quoted(struct imap_parser *p, struct imap_bytes *out) {
  struct builder b = {0};
  if (!imap_parse_char(p, '"')) return false;
  for (;;) {
    int c = imap_parse_peek(p);
    if (c < 0) return imap_parse_fail(p, 0);
    if (!c || c == '\r' || c == '\n')
      return imap_parse_fail(p, "Quoted string not closed on its line");
    take(p);
    if (c == '"') break;
    if (c == '\\') {
      c = imap_parse_peek(p);
      if (c != '"' && c != '\\') return imap_parse_fail(p, "Only \" and \\ may follow a \\");
      take(p);
    }
    append(p, &b, c);
  }
  *out = finish(p, &b);
  return true;
}

static bool parse_literal(struct imap_parser *p, struct imap_bytes *out) {
  struct imap_literal literal;
  if (!imap_parse_literal_header(p, &literal)) return false;
  if (literal.size >= p->left) return imap_parse_fail(p, "Literal too large");
  size_t size = (size_t)literal.size, got = 0;
  imap_literal_accept(p, &literal);
  out->data = arena_alloc(p->arena, size + 1);
  out->size = size;
  out->data[size] = 0;
  p->left -= size;
  while (got < size) {
    ssize_t r = imap_input_literal(p->in, out->data + got, size - got);
    if (r <= 0) return imap_parse_fail(p, 0);
    got += (size_t)r;
  }
  if (memchr(out->data, 0, size)) return imap_parse_fail(p, "NUL in a literal");
  return true;
}

bool imap_parse_string(struct imap_parser *p, struct imap_bytes *out) {
  switch (imap_parse_peek(p)) {
  case '"': return parse_quoted(p, out);
  case '{': return parse_literal(p, out);
  default: return imap_parse_fail(p, "String expected");
  }
}

static bool starts_string(struct imap_parser *p) {
  int c = imap_parse_peek(p);
  return c == '"' || c == '{';
}

bool imap_parse_astring(struct imap_parser *p, struct imap_bytes *out) {
  if (starts_string(p)) return imap_parse_string(p, out);
  return parse_run(p, is_astring_char, "String or atom expected", out);
}

bool imap_parse_list_mailbox(struct imap_parser *p, struct imap_bytes *out) {
  if (starts_string(p)) return imap_parse_string(p, out);
  return parse_run(p, is_list_char, "Mailbox pattern expected", out);
}

bool imap_parse_nstring(struct imap_parser *p, struct imap_bytes *out) {
  if (starts_string(p)) return imap_parse_string(p, out);
  char *atom;
  if (!parse_run_text(p, imap_is_atom_char, "String or NIL expected", &atom)) return false;
  if (strcasecmp(atom, "NIL")) return imap_parse_fail(p, "String or NIL expected");
  *out = (struct imap_bytes){0};
  return true;
}

/* ---- words ---- */

bool imap_parse_tag(struct imap_parser *p, char **tag) {
  struct imap_bytes bytes;
  if (!parse_run(p, is_tag_char, "Tag expected", &bytes)) return false;
  if (bytes.size > IMAP_TAG_MAX) return imap_parse_fail(p, "Tag too long");
  *tag = bytes.data;
  return true;
}

bool imap_parse_atom(struct imap_parser *p, char **atom) {
  return parse_run_text(p, imap_is_atom_char, "Atom expected", atom);
}

bool imap_parse_word(struct imap_parser *p, char **word) {
  return parse_run_text(p, is_word_char, "Word expected", word);
}

bool imap_parse_flag(struct imap_parser *p, char **flag) {
  bool system = imap_parse_peek(p) == '\\';
  if (system) take(p);
  char *name;
  if (!parse_run_text(p, imap_is_atom_char, "Flag expected", &name)) return false;
  if (!system) {
    *flag = name;
    return true;
  }
  size_t size = strlen(name);
  *flag = arena_alloc(p->arena, size + 2);
  (*flag)[0] = '\\';
  memcpy(*flag + 1, name, size + 1);
  return true;
}

bool imap_parse_char(struct imap_parser *p, char c) {
  if (imap_parse_peek(p) != (unsigned char)c) {
    char message[] = "' ' expected";
    message[1] = c;
    return imap_parse_fail(p, arena_copy(p->arena, message, sizeof message - 1));
  }
  take(p);
  return true;
}

bool imap_parse_space(struct imap_parser *p) {
  if (imap_parse_peek(p) != ' ') return imap_parse_fail(p, "Space expected");
  take(p);
  return true;
}

bool imap_parse_end(struct imap_parser *p) {
  if (imap_parse_peek(p) == '\r') take(p);
  if (imap_parse_peek(p) != '\n') return imap_parse_fail(p, "End of line expected");
  take(p);
  p->unfinished = false;
  return true;
}

/* ---- numbers ---- */

/* Reads all digits there are; *fits says whether the number is at most max. */
static bool parse_digits(struct imap_parser *p, uint64_t max, uint64_t *n, bool *fits) {
  int c = imap_parse_peek(p);
  if (!is_digit(c)) return imap_parse_fail(p, "Number expected");
  *fits = true;
  for (*n = 0; is_digit(c); c = imap_parse_peek(p)) {
    unsigned int digit = (unsigned int)(c - '0');
    if (*n > (max - digit) / 10)
      *fits = false;
    else
      *n = *n * 10 + digit;
    take(p);
  }
  return c >= 0 || imap_parse_fail(p, 0);
}

static bool parse_number_to(struct imap_parser *p, uint64_t max, uint64_t *n) {
  bool fits;
  return parse_digits(p, max, n, &fits) && (fits || imap_parse_fail(p, "Number too large"));
}

bool imap_parse_number64(struct imap_parser *p, uint64_t *n) {
  return parse_number_to(p, UINT64_MAX, n);
}

bool imap_parse_number(struct imap_parser *p, uint32_t *n) {
  uint64_t wide;
  if (!parse_number_to(p, UINT32_MAX, &wide)) return false;
  *n = (uint32_t)wide;
  return true;
}

bool imap_parse_nz_number(struct imap_parser *p, uint32_t *n) {
  if (imap_parse_peek(p) == '0') return imap_parse_fail(p, "Number from 1 expected");
  return imap_parse_number(p, n);
}

/* ---- dates ---- */

bool imap_parse_date(struct imap_parser *p, int32_t *day) {
  struct imap_bytes text;
  bool quoted = imap_parse_peek(p) == '"';
  if (quoted ? !parse_quoted(p, &text)
             : !parse_run(p, imap_is_atom_char, "Date expected, as 1-Feb-1994", &text))
    return false;
  return date_parse(text.data, text.size, day) ||
         imap_parse_fail(p, "Date expected, as 1-Feb-1994");
}

bool imap_parse_date_time(struct imap_parser *p, time_t *t) {
  struct imap_bytes text;
  return parse_quoted(p, &text) &&
         (date_time_parse(text.data, text.size, t) ||
          imap_parse_fail(p, "Date-time expected, as \"17-Jul-1996 02:44:25 -0700\""));
}

/* ---- literals ---- */

/* The bytes of a non-synchronizing literal come whatever we answer, so imap_command_skip must find
 * them; those of a synchronizing one only when asked for: until then the command ends here. */
static void literal_announced(struct imap_parser *p, struct imap_literal const *literal) {
  if (literal->synchronizing)
    p->unfinished = false;
  else
    p->in->literal_left = literal->size;
}

static bool parse_literal_header(struct imap_parser *p, struct imap_literal *literal) {
  *literal = (struct imap_literal){.synchronizing = true};
  if (imap_parse_peek(p) == '~') {
    take(p);
    literal->binary = true;
  }
  bool fits;
  if (!imap_parse_char(p, '{') || !parse_digits(p, UINT64_MAX, &literal->size, &fits)) return false;
  if (!fits) literal->size = UINT64_MAX;
  if (imap_parse_peek(p) == '+') {
    take(p);
    literal->synchronizing = false;
  }
  if (!imap_parse_char(p, '}') || !imap_parse_end(p)) return false;
  p->unfinished = true;
  literal_announced(p, literal);
  return true;
}

/* A command that reaches its limit within a header is read to the header's end all the same:
 * otherwise nobody would know that a literal follows, and its bytes would be taken for commands. */
bool imap_parse_literal_header(struct imap_parser *p, struct imap_literal *literal) {
  if (imap_parse_peek(p) < 0) return imap_parse_fail(p, 0);
  size_t left = p->left;
  p->left = SIZE_MAX;
  bool good = parse_literal_header(p, literal);
  size_t used = SIZE_MAX - p->left;
  p->left = left > used ? left - used : 0;
  return good;
}

void imap_literal_accept(struct imap_parser *p, struct imap_literal const *literal) {
  p->unfinished = true;
  p->in->literal_left = literal->size;
  if (!literal->synchronizing) return;
  imap_puts(p->out, "+ Ready for the literal\r\n");
  imap_flush(p->out);
}

/* ---- recovery ---- */

/* Looks for a literal's header at the end of a line that nobody parses. */
struct watch {
  enum { NOTHING, OPENED, DIGITS, PLUS, CLOSED } state;
  struct imap_literal literal;
};

static void watch(struct watch *w, int c) {
  struct imap_literal *l = &w->literal;
  if (c == '{') {
    *w = (struct watch){.state = OPENED};
  } else if (is_digit(c) && (w->state == OPENED || w->state == DIGITS)) {
    unsigned int digit = (unsigned int)(c - '0');
    l->size = l->size > (UINT64_MAX - digit) / 10 ? UINT64_MAX : l->size * 10 + digit;
    w->state = DIGITS;
  } else if (c == '+' && w->state == DIGITS) {
    w->state = PLUS;
  } else if (c == '}' && (w->state == DIGITS || w->state == PLUS)) {
    l->synchronizing = w->state == DIGITS;
    w->state = CLOSED;
  } else if (c != '\r' || w->state != CLOSED) {
    w->state = NOTHING;
  }
}

/* Reads the literal's bytes away; false if there are more than *budget or the input ended. */
static bool skip_literal(struct imap_parser *p, uint64_t *budget) {
  char buf[4096];
  if (p->in->literal_left > *budget) {
    p->hopeless = true;
    return false;
  }
  *budget -= p->in->literal_left;
  while (p->in->literal_left)
    if (imap_input_literal(p->in, buf, sizeof buf) < 0) return false;
  return true;
}

void imap_command_skip(struct imap_parser *p) {
  uint64_t budget = IMAP_SKIP_MAX;
  struct watch w = {.state = NOTHING};
  if (!p->unfinished || !skip_literal(p, &budget)) return;
  for (;;) {
    int c = imap_input_peek(p->in);
    if (c < 0) return;
    if (!budget) {
      p->hopeless = true;
      return;
    }
    budget--;
    imap_input_take(p->in);
    if (c != '\n') {
      watch(&w, c);
    } else if (w.state == CLOSED && !w.literal.synchronizing) {
      p->in->literal_left = w.literal.size;
      if (!skip_literal(p, &budget)) return;
      w.state = NOTHING;
    } else {
      p->unfinished = false;
      return;
    }
  }
}
