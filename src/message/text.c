/* Searching in what a reader of the message would see: transfer encodings and charsets decoded,
 * without regard to case.  Text parts of every subtype count, HTML as its source; so do message
 * parts that are no message/rfc822 (delivery reports), and multiparts without usable boundary.  All
 * buffers are of fixed size, but for one header at a time (MESSAGE_MAX_HEADER). */
#include "message/internal.h"

struct search {
  struct message_bytes const *bytes;
  bool with_header;
  bool wanted; /* whether the needle counts in this text */
  bool found;
  struct message_grams *grams; /* null: not wanted, and what is found first is enough */
  struct gram_set *seen;       /* those of the text that is searched; null: likewise */
  struct message_needle const *needle;
  struct needle_form const *form; /* of it, that counts in this text */
  stralloc folded; /* the end of what was searched, and what is to be searched next */
  stralloc utf8, decoded;
};

/* A new text begins: nothing is found across its start. */
static void begin_text(struct search *s) {
  s->folded.len = 0;
}

/* What a text that goes on may have in common with its continuation. */
static size_t overlap(struct search const *s) {
  size_t size = s->form->folded.size > TRIGRAM ? s->form->folded.size : TRIGRAM;
  return size - 1;
}

static void look_for(struct search *s) {
  if (s->wanted && !s->found) s->found = wanted_in(&s->form->folded, s->folded.s, s->folded.len);
}

/* What has been folded.  True: no more is needed. */
static bool search_folded(struct search *s) {
  if (s->seen) grams_add(s->seen, s->folded.s, s->folded.len);
  look_for(s);
  size_t keep = overlap(s);
  if (s->folded.len > keep) {
    memmove(s->folded.s, s->folded.s + s->folded.len - keep, keep);
    s->folded.len = keep;
  }
  return s->found && !s->seen;
}

/* More of the text, whole characters of UTF-8. */
static bool search_more(struct search *s, char const *utf8, size_t size) {
  if (!size) return false;
  casemap_fold(&s->folded, utf8, size);
  return search_folded(s);
}

static void end_search(struct search *s) {
  stralloc_free(&s->folded);
  stralloc_free(&s->utf8);
  stralloc_free(&s->decoded);
}

static bool has_encoded_word(char const *value, size_t size) {
  static struct wanted const encoded_word = {"=?", 2, 0, 1};
  return wanted_in(&encoded_word, value, size);
}

/* Most values are short, on one line, in ASCII, and without encoded words: nothing is to be
 * decoded, and nothing need be allocated.  False: this is none such. */
static bool matches_plainly(struct message_needle const *needle, char const *value, size_t size,
                            bool *matches) {
  char folded[512];
  size_t n = 0;
  unsigned char high = 0;
  while (size && is_blank(*value)) value++, size--;
  while (size && is_blank(value[size - 1])) size--;
  if (size > sizeof folded || memchr(value, '\n', size) || memchr(value, '\r', size) ||
      has_encoded_word(value, size))
    return false;
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)value[i];
    high |= c;
    if (is_blank(value[i])) {
      if (folded[n - 1] == ' ') continue; /* n: the first is no blank */
      c = ' ';
    }
    folded[n++] = (char)(c - ((unsigned char)(c - 'a') < 26 ? 32 : 0));
  }
  *matches = wanted_in(&needle->header.folded, folded, n);
  return !(high & 0x80);
}

void message_put_folded(stralloc *out, char const *value, size_t size) {
  if (!has_encoded_word(value, size) && fold_lines(out, value, size)) return;
  struct arena arena = {0};
  stralloc utf8 = STRALLOC_ZERO;
  char const *unfolded = field_unfold(value, size, &arena);
  message_decode_words(&utf8, unfolded, strlen(unfolded));
  size_t start = out->len;
  casemap_fold(out, utf8.s, utf8.len);
  collapse_blanks(out, start);
  stralloc_free(&utf8);
  arena_release(&arena);
}

bool message_folded_matches(struct message_needle const *needle, char const *folded, size_t size) {
  return wanted_in(&needle->header.folded, folded, size);
}

bool message_value_matches(struct message_needle const *needle, char const *value, size_t size) {
  bool matches;
  if (!needle->header.folded.size) return true;
  if (matches_plainly(needle, value, size, &matches)) return matches;
  stralloc folded = STRALLOC_ZERO;
  message_put_folded(&folded, value, size);
  matches = message_folded_matches(needle, folded.s, folded.len);
  stralloc_free(&folded);
  return matches;
}

/* What stands between fields: it is in no needle. */
#define BETWEEN ((char)0xff)

/* Each field on its own, name included, so that `Subject: word` is found.  True: no more is needed.
 */
static bool search_fields(struct search *s, char const *header, size_t size) {
  struct message_field f;
  begin_text(s);
  sa_room(&s->folded, size); /* mostly enough */
  for (size_t at = 0; next_field(header, size, &at, &f);) {
    size_t start = s->folded.len;
    message_put_folded(&s->folded, f.field, f.field_size);
    if (s->seen) grams_add(s->seen, s->folded.s + start, s->folded.len - start);
    sa_putc(&s->folded, BETWEEN);
  }
  look_for(s);
  return s->found && !s->seen;
}

/* Bytes of the message: where they are in memory, else read into buf.  Fewer only at its end; -1 on
 * error. */
static ssize_t get_bytes(struct search const *s, char *buf, size_t size, uint64_t at,
                         char const **data) {
  *data = buf;
  if (!s->bytes->data) return file_read_at(s->bytes->fd, buf, size, at);
  if (at > s->bytes->size) at = s->bytes->size;
  *data = s->bytes->data + at;
  return (ssize_t)(size < s->bytes->size - at ? size : s->bytes->size - at);
}

/* Decodes and searches; what needs no decoding is not copied for it.  True: no more is needed. */
static bool search_raw(struct search *s, char const *data, size_t size, struct transfer *transfer,
                       struct charset *charset, bool last) {
  s->decoded.len = s->utf8.len = 0;
  if (transfer->encoding != TRANSFER_IDENTITY) {
    transfer_decode(transfer, &s->decoded, data, size, last);
    data = s->decoded.s, size = s->decoded.len;
  }
  if (charset_is_plain(charset, data, size)) return search_more(s, data, size);
  charset_convert(charset, &s->utf8, data, size, last);
  return search_more(s, s->utf8.s, s->utf8.len);
}

static int search_body(struct search *s, uint64_t start, uint64_t end, struct transfer transfer,
                       struct charset charset) {
  char buf[READ_CHUNK];
  begin_text(s);
  for (uint64_t at = start; at < end;) {
    char const *data;
    ssize_t n =
        get_bytes(s, buf, end - at < sizeof buf ? (size_t)(end - at) : sizeof buf, at, &data);
    if (n < 0) return -1;
    at += (uint64_t)n;
    if (search_raw(s, data, (size_t)n, &transfer, &charset, at >= end || !n)) return 1;
    if (!n) break;
  }
  return 0;
}

/* Those of a header, without NULs: where they are, or a copy.  Null on a read error. */
static char const *get_header(struct search const *s, uint64_t start, size_t *size,
                              struct arena *arena) {
  char *copy = s->bytes->data ? 0 : arena_alloc(arena, *size);
  char const *data;
  ssize_t n = get_bytes(s, copy, *size, start, &data);
  if (n < 0) return 0;
  *size = (size_t)n;
  if (!memchr(data, 0, *size)) return data;
  if (!copy) copy = arena_copy(arena, data, *size);
  replace_nuls(copy, *size);
  return copy;
}

/* What goes beyond MESSAGE_MAX_HEADER counts as text. */
static int search_header(struct search *s, struct message_part const *p) {
  uint64_t size = p->body_start - p->header_start;
  size_t fields = size < MESSAGE_MAX_HEADER ? (size_t)size : MESSAGE_MAX_HEADER, got = fields;
  struct arena arena = {0};
  char const *header = get_header(s, p->header_start, &got, &arena);
  int found = header ? search_fields(s, header, got) : -1;
  arena_release(&arena);
  if (found || fields == size) return found;
  return search_body(s, p->header_start + fields, p->body_start, (struct transfer){0},
                     (struct charset){.kind = CHARSET_LENIENT});
}

static bool is_text(struct message_part const *p) {
  return !strcasecmp(p->type, "text") || !strcasecmp(p->type, "message") ||
         !strcasecmp(p->type, "multipart");
}

/* The body of a part without parts. */
static int search_leaf(struct search *s, struct message_part const *p) {
  struct transfer transfer = {.encoding = transfer_by_name(p->encoding)};
  struct charset charset;
  charset_of_part(&charset, p);
  return search_body(s, p->body_start, p->end, transfer, charset);
}

static int search_part(struct search *s, struct message_part const *p) {
  s->wanted = s->with_header;
  s->form = &s->needle->header;
  s->seen = s->grams ? &s->grams->header : 0;
  int ended = s->wanted || s->seen ? search_header(s, p) : 0;
  if (ended || p->is_multipart || p->is_message || !is_text(p)) return ended;
  s->wanted = true;
  s->form = &s->needle->body;
  s->seen = s->grams ? &s->grams->body : 0;
  return search_leaf(s, p);
}

int message_text_matches(struct message_bytes const *bytes, struct message_part const *root,
                         bool with_header, struct message_needle const *needle,
                         struct message_grams *grams) {
  struct search s = {.bytes = bytes, .with_header = with_header, .needle = needle, .grams = grams};
  int ended = 0;
  if (!needle->body.folded.size && !grams) return 1;
  for (struct message_part const *p = root; p && !ended; p = part_after(p))
    ended = search_part(&s, p);
  end_search(&s);
  return ended < 0 ? -1 : s.found || !needle->body.folded.size;
}
