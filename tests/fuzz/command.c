/* The tokens of a command (imap/parse.c, input.c): the same whatever pieces the bytes come in,
 * within their limit, and after a bad command the next one is found. */
#include "wire.h"

/* What came of a token, as text. */
struct outcome {
  bool good;
  char const *error;
  struct imap_bytes bytes;
  uint64_t number;
};

typedef bool read_token(struct imap_parser *, struct outcome *);

#define READ_BYTES(name)                                              \
  static bool read_##name(struct imap_parser *p, struct outcome *o) { \
    return imap_parse_##name(p, &o->bytes);                           \
  }
#define READ_TEXT(name)                                               \
  static bool read_##name(struct imap_parser *p, struct outcome *o) { \
    bool good = imap_parse_##name(p, &o->bytes.data);                 \
    if (good) o->bytes.size = strlen(o->bytes.data);                  \
    return good;                                                      \
  }
#define READ_NUMBER(name, type)                                       \
  static bool read_##name(struct imap_parser *p, struct outcome *o) { \
    type n = 0;                                                       \
    bool good = imap_parse_##name(p, &n);                             \
    if (good) o->number = (uint64_t)n;                                \
    return good;                                                      \
  }
READ_BYTES(astring)
READ_BYTES(string)
READ_BYTES(nstring)
READ_BYTES(list_mailbox)
READ_TEXT(tag)
READ_TEXT(atom)
READ_TEXT(word)
READ_TEXT(flag)
READ_NUMBER(number, uint32_t)
READ_NUMBER(nz_number, uint32_t)
READ_NUMBER(number64, uint64_t)
READ_NUMBER(date, int32_t)
READ_NUMBER(date_time, time_t)

static bool read_space(struct imap_parser *p, struct outcome *o) {
  (void)o;
  return imap_parse_space(p);
}

static bool read_end(struct imap_parser *p, struct outcome *o) {
  (void)o;
  return imap_parse_end(p);
}

/* As APPEND does: the literal is streamed. */
static bool read_streamed(struct imap_parser *p, struct outcome *o) {
  char buf[100];
  struct imap_literal literal;
  if (!imap_parse_literal_header(p, &literal)) return false;
  if (literal.size > 1000) return imap_parse_fail(p, "Too large");
  imap_literal_accept(p, &literal);
  for (ssize_t r; (r = imap_input_literal(p->in, buf, sizeof buf));) {
    if (r < 0) return imap_parse_fail(p, 0);
    for (ssize_t i = 0; i < r; i++) o->number = o->number * 31 + (unsigned char)buf[i];
  }
  return true;
}

static read_token *const readers[] = {
    read_astring,   read_string, read_nstring, read_list_mailbox, read_tag,      read_atom,
    read_word,      read_flag,   read_number,  read_nz_number,    read_number64, read_date,
    read_date_time, read_space,  read_end,     read_streamed,
};
enum { READERS = sizeof readers / sizeof *readers, TOKENS_MAX = 64, LIMIT = 300 };

static void check_bytes(struct imap_bytes const *b) {
  if (b->data) must(strlen(b->data) == b->size && b->size <= LIMIT);
}

/* Commands of tokens that the plan names, up to the input's end; their outcomes. */
static size_t run(struct wire *w, uint8_t const *plan, size_t size, struct outcome *outcomes) {
  size_t n = 0;
  for (; n < size && n < TOKENS_MAX && w->in.end == IMAP_OPEN; n++) {
    struct outcome *o = &outcomes[n];
    *o = (struct outcome){.number = 0};
    o->good = readers[plan[n] % READERS](&w->parser, o);
    o->error = o->good ? 0 : w->parser.error;
    if (o->good) check_bytes(&o->bytes);
    must(w->parser.left <= LIMIT);
    if (!o->good) must(!o->error == (w->in.end != IMAP_OPEN));
    if (o->good && w->parser.unfinished) continue;
    imap_command_skip(&w->parser);
    if (w->parser.hopeless) return n + 1; /* the connection ends here */
    must(!w->parser.unfinished || w->in.end != IMAP_OPEN);
    must(!w->in.literal_left || w->in.end != IMAP_OPEN);
    imap_command_begin(&w->parser);
  }
  return n;
}

static void check_same(struct outcome const *a, struct outcome const *b) {
  must(a->good == b->good && a->number == b->number && !a->error == !b->error);
  must(!a->error || !strcmp(a->error, b->error));
  if (!a->good) return;
  must(!a->bytes.data == !b->bytes.data && a->bytes.size == b->bytes.size);
  must(!a->bytes.data || !memcmp(a->bytes.data, b->bytes.data, a->bytes.size));
}

/* The input: a line that says which tokens to look for, one by one, then what the client sends. */
int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  struct outcome whole[TOKENS_MAX], chunked[TOKENS_MAX];
  struct wire a, b;
  uint8_t const *feed = memchr(data, '\n', size);
  if (!feed) return 0;
  size_t plan = (size_t)(feed - data), sent = size - plan - 1;
  wire_init(&a, feed + 1, sent, false, LIMIT);
  wire_init(&b, feed + 1, sent, true, LIMIT);
  size_t n = run(&a, data, plan, whole);
  must(n == run(&b, data, plan, chunked));
  for (size_t i = 0; i < n; i++) check_same(&whole[i], &chunked[i]);
  must(a.parser.hopeless == b.parser.hopeless && a.in.end == b.in.end);
  wire_free(&a);
  wire_free(&b);
  return 0;
}
