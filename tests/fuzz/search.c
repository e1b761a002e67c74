/* Searching (message/text.c): the same answer as looking for the folded string in each text, folded
 * as a whole; also where the file is read in more than one piece. */
#include "mail.h"

enum { MARGIN = 40 };

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  setenv("IMAP_CHARSETD", "/nonexistent", 1);
  log_init("fuzz");
  return 0;
}

static bool holds(stralloc const *folded, struct needle_form const *form) {
  struct wanted const *w = &form->folded;
  for (size_t at = 0; at + w->size <= folded->len; at++)
    if (!memcmp(folded->s + at, w->text, w->size)) return true;
  return false;
}

static bool leaf_holds(uint8_t const *data, struct message_part const *p,
                       struct message_needle const *needle) {
  stralloc decoded = STRALLOC_ZERO, utf8 = STRALLOC_ZERO, folded = STRALLOC_ZERO;
  struct transfer transfer = {.encoding = transfer_by_name(p->encoding)};
  struct charset charset;
  char const *name = param_value(p->params, "charset");
  if (!charset_open(&charset, name && *name ? name : "us-ascii")) charset.kind = CHARSET_LENIENT;
  transfer_decode(&transfer, &decoded, (char const *)data + p->body_start, p->end - p->body_start,
                  true);
  charset_convert(&charset, &utf8, decoded.s ? decoded.s : "", decoded.len, true);
  if (utf8.len) casemap_fold(&folded, utf8.s, utf8.len);
  bool found = holds(&folded, &needle->body);
  stralloc_free(&decoded);
  stralloc_free(&utf8);
  stralloc_free(&folded);
  return found;
}

static bool is_searched(struct message_part const *p) {
  return !p->is_multipart && !p->is_message &&
         (!strcasecmp(p->type, "text") || !strcasecmp(p->type, "message") ||
          !strcasecmp(p->type, "multipart"));
}

/* What is kept to be compared says the same. */
static void check_kept(char const *value, size_t size, struct message_needle const *needle,
                       bool found) {
  stralloc kept = STRALLOC_ZERO;
  message_put_folded(&kept, value, size);
  must(!kept.len || !memchr(kept.s, 0xff, kept.len));
  must(message_folded_matches(needle, kept.s ? kept.s : "", kept.len) == found);
  stralloc_free(&kept);
}

static void drop_double_blanks(stralloc *s) {
  for (size_t i = 0; i < s->len; i++)
    if (s->s[i] == '\t') s->s[i] = ' ';
  for (size_t i = 1; i < s->len;)
    if (s->s[i] == ' ' && s->s[i - 1] == ' ')
      memmove(s->s + i, s->s + i + 1, --s->len - i);
    else
      i++;
}

static bool value_holds(char const *value, size_t size, struct message_needle const *needle,
                        struct arena *arena) {
  stralloc utf8 = STRALLOC_ZERO, folded = STRALLOC_ZERO;
  char const *unfolded = field_unfold(value, size, arena);
  message_decode_words(&utf8, unfolded, strlen(unfolded));
  if (utf8.len) casemap_fold(&folded, utf8.s, utf8.len);
  drop_double_blanks(&folded);
  bool found = holds(&folded, &needle->header);
  check_kept(value, size, needle, found);
  stralloc_free(&utf8);
  stralloc_free(&folded);
  return found;
}

static bool header_holds(uint8_t const *data, struct message_part const *p,
                         struct message_needle const *needle, struct arena *arena) {
  struct message_field f;
  size_t at = 0, size = p->body_start - p->header_start;
  char *header = arena_copy(arena, data + p->header_start, size);
  replace_nuls(header, size);
  while (message_next_field(header, size, &at, &f))
    if (value_holds(f.field, f.field_size, needle, arena)) return true;
  return false;
}

static void check_values(struct message_part const *root, struct message_needle const *needle,
                         struct arena *arena) {
  struct message_field f;
  for (size_t at = 0; message_next_field(root->header, root->header_size, &at, &f);)
    must(message_value_matches(needle, f.value, f.value_size) ==
         value_holds(f.value, f.value_size, needle, arena));
}

/* With the grams of the message and without; and the signature that these make says nothing else.
 */
static void check_answers(struct message_bytes const *bytes, struct message_part const *root,
                          struct message_needle const *needle, bool body, bool header) {
  static struct message_grams grams;
  stralloc signature = STRALLOC_ZERO;
  for (int i = 0; i < 4; i++) {
    bool with_header = i & 1, found = body || (with_header && header);
    message_grams_clear(&grams);
    must(message_text_matches(bytes, root, with_header, needle, i & 2 ? &grams : 0) == found);
    if (!(i & 2)) continue;
    signature.len = 0;
    message_put_signature(&signature, &grams);
    enum message_hint hint =
        message_signature_hint(needle, with_header, signature.s, signature.len);
    must(hint == MESSAGE_MAY_HOLD || found == (hint == MESSAGE_HOLDS));
  }
  stralloc_free(&signature);
}

static void check(uint8_t const *data, size_t size, struct message_needle const *needle,
                  struct arena *arena) {
  struct message_part *root = parse_whole(data, size, arena);
  bool body = false, header = false;
  for (struct message_part const *p = root; p; p = part_after(p)) {
    header |= header_holds(data, p, needle, arena);
    body |= is_searched(p) && leaf_holds(data, p, needle);
  }
  struct message_bytes in_file = {.fd = fuzz_file(data, size)},
                       in_memory = {.data = (char const *)data, .size = size, .fd = -1};
  check_answers(&in_file, root, needle, body, header);
  check_answers(&in_memory, root, needle, body, header);
  check_values(root, needle, arena);
}

/* The header, then so many bytes of text that what follows lies where one reading ends and the next
 * begins, then the body. */
static uint8_t *stretch(uint8_t const *data, size_t *size, struct dice *dice, struct arena *arena) {
  uint8_t const *body = data;
  for (size_t i = 1; i < *size && body == data; i++)
    if (data[i] == '\n' && data[i - 1] == '\n') body = data + i + 1;
  size_t header = (size_t)(body - data), fill = READ_CHUNK - throw_of(dice, MARGIN);
  uint8_t *whole = arena_alloc(arena, *size + fill + 1);
  memcpy(whole, data, header);
  memset(whole + header, ' ', fill);
  for (size_t i = 63; i < fill; i += 64) whole[header + i] = '\n';
  memcpy(whole + header + fill, body, *size - header);
  *size += fill;
  return whole;
}

/* The input: a length, the needle of that length, the message. */
int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  if (!size) return 0;
  size_t wanted = *data % 16;
  data++, size--;
  if (wanted > size) return 0;
  struct arena arena = {0};
  struct dice dice = dice_of(data, size);
  struct message_needle *needle = message_needle_new((char const *)data, wanted, &arena);
  if (needle && needle->body.folded.size) {
    data += wanted, size -= wanted;
    check(data, size, needle, &arena);
    if (!throw_of(&dice, 8)) {
      uint8_t *whole = stretch(data, &size, &dice, &arena);
      check(whole, size, needle, &arena);
    }
  }
  arena_release(&arena);
  return 0;
}
