/* The BODY and BODYSTRUCTURE responses (RFC 3501 sections 7.4.2 and 9, `body`).
 *
 * A multipart without parts, which the grammar does not allow, holds one empty text/plain part.  A
 * text part whose charset is not declared is said to be us-ascii (RFC 2045 section 5.2).  A
 * message/global is told like any other part, although it is looked into: in this grammar only a
 * message/rfc822 has an envelope (`media-message`; IMAP4rev2 has both).  8-bit bytes, which its
 * headers and parameters may hold, are in literals. */
#include "message/internal.h"

static void put_body(stralloc *, struct message_part const *, bool extended);

static void put_param(stralloc *out, char const *name, char const *value) {
  nstring_put(out, name);
  sa_putc(out, ' ');
  nstring_put(out, value);
}

static void put_params(stralloc *out, struct message_param const *list, bool is_text) {
  bool add_charset = is_text && !param_value(list, "charset") && !param_value(list, "charset*");
  if (!list && !add_charset) {
    sa_puts(out, "NIL");
    return;
  }
  sa_putc(out, '(');
  for (struct message_param const *p = list; p; p = p->next) {
    if (p != list) sa_putc(out, ' ');
    put_param(out, p->name, p->value);
  }
  if (add_charset) {
    if (list) sa_putc(out, ' ');
    put_param(out, "charset", "us-ascii");
  }
  sa_putc(out, ')');
}

static void put_disposition(stralloc *out, struct message_part const *p) {
  if (!p->disposition) {
    sa_puts(out, "NIL");
    return;
  }
  sa_putc(out, '(');
  nstring_put(out, p->disposition);
  sa_putc(out, ' ');
  put_params(out, p->disposition_params, false);
  sa_putc(out, ')');
}

static void put_languages(stralloc *out, char const **languages) {
  if (!languages) {
    sa_puts(out, "NIL");
    return;
  }
  sa_putc(out, '(');
  for (char const **l = languages; *l; l++) {
    if (l != languages) sa_putc(out, ' ');
    nstring_put(out, *l);
  }
  sa_putc(out, ')');
}

/* What ends the extension data of all parts. */
static void put_extension(stralloc *out, struct message_part const *p) {
  sa_putc(out, ' ');
  put_disposition(out, p);
  sa_putc(out, ' ');
  put_languages(out, p->languages);
  sa_putc(out, ' ');
  nstring_put(out, p->location);
}

static void put_multipart(stralloc *out, struct message_part const *p, bool extended) {
  static struct message_part const empty = {
      .type = "text", .subtype = "plain", .number = 1, .header = ""};
  sa_putc(out, '(');
  if (!p->child) put_body(out, &empty, extended);
  for (struct message_part const *c = p->child; c; c = c->next) put_body(out, c, extended);
  sa_putc(out, ' ');
  nstring_put(out, p->subtype);
  if (extended) {
    sa_putc(out, ' ');
    put_params(out, p->params, false);
    put_extension(out, p);
  }
  sa_putc(out, ')');
}

static void put_fields(stralloc *out, struct message_part const *p, bool is_text) {
  sa_putc(out, '(');
  nstring_put(out, p->type);
  sa_putc(out, ' ');
  nstring_put(out, p->subtype);
  sa_putc(out, ' ');
  put_params(out, p->params, is_text);
  sa_putc(out, ' ');
  nstring_put(out, p->id);
  sa_putc(out, ' ');
  nstring_put(out, p->description);
  sa_putc(out, ' ');
  nstring_put(out, p->encoding ? p->encoding : "7bit");
  sa_putc(out, ' ');
  sa_put_number(out, p->body_wire);
}

static void put_single(stralloc *out, struct message_part const *p, bool extended) {
  bool is_text = !strcasecmp(p->type, "text");
  bool is_message = p->is_message && !strcasecmp(p->subtype, "rfc822");
  put_fields(out, p, is_text);
  if (is_message) {
    sa_putc(out, ' ');
    message_put_envelope(out, p->child);
    sa_putc(out, ' ');
    put_body(out, p->child, extended);
  }
  if (is_message || is_text) {
    sa_putc(out, ' ');
    sa_put_number(out, p->lines);
  }
  if (extended) {
    sa_putc(out, ' ');
    nstring_put(out, p->md5);
    put_extension(out, p);
  }
  sa_putc(out, ')');
}

static void put_body(stralloc *out, struct message_part const *p, bool extended) {
  (p->is_multipart ? put_multipart : put_single)(out, p, extended);
}

void message_put_bodystructure(stralloc *out, struct message_part const *root, bool extended) {
  put_body(out, root, extended);
}
