/* What SORT compares of address fields (RFC 5256 section 3, RFC 5957 section 3), folded by
 * i;unicode-casemap.  Subjects are subject.c's. */
#include "message/internal.h"

/* RFC 5255 section 4.6: decoded; nothing is left of an empty name. */
static bool put_name(stralloc *out, char const *name) {
  stralloc text = STRALLOC_ZERO;
  message_decode_words(&text, name, strlen(name));
  bool any = text.len;
  casemap_fold(out, text.s, text.len);
  stralloc_free(&text);
  return any;
}

static void put_text(stralloc *out, char const *text) {
  casemap_fold(out, text, strlen(text));
}

static void put_display(stralloc *out, struct message_address const *a) {
  if ((a->name && put_name(out, a->name)) || !a->mailbox) return;
  put_text(out, a->mailbox);
  if (!a->host) return;
  sa_putc(out, '@');
  put_text(out, a->host);
}

bool message_put_address_key(stralloc *out, char const *value, size_t size, bool display) {
  struct arena arena = {0};
  struct message_address const *a = message_parse_addresses(value, size, &arena);
  if (a && display)
    put_display(out, a);
  else if (a && a->mailbox)
    put_text(out, a->mailbox);
  arena_release(&arena);
  return a;
}
