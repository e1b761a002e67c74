/* The first words of a message (RFC 8970): which of its parts, and how its bytes become text.
 *
 * The first part of text/plain or text/html that has any words, except attachments; of a
 * multipart/alternative, text/plain before its other forms; nothing of what is encrypted.  A
 * message within counts if nothing before it has words.  What has no words has an empty preview:
 * images and the like are not described. */
#include "message/internal.h"

#include <utf8proc.h>

enum {
  CHUNK = 4096,           /* more often than not all that is read */
  BYTES_MAX = 256 * 1024, /* of a message's bodies: some HTML has 100 kB of styles before a word */
};

struct preview {
  int fd;
  uint64_t left; /* bytes that may still be read */
  stralloc *out;
};

/* How a part's bytes become an excerpt. */
struct reader {
  struct transfer transfer;
  struct charset charset;
  bool is_html;
  struct html html;
  struct excerpt excerpt;
  stralloc decoded, utf8;
};

static bool is_type(struct message_part const *p, char const *type, char const *subtype) {
  return !strcasecmp(p->type, type) && !strcasecmp(p->subtype, subtype);
}

/* ---- one part ---- */

static void take_character(struct reader *r, int32_t c) {
  if (r->is_html)
    html_add(&r->html, &r->excerpt, c);
  else if (c == '\n')
    excerpt_end_line(&r->excerpt);
  else
    excerpt_add(&r->excerpt, c);
}

static void take_bytes(struct reader *r, char const *data, size_t size, bool last) {
  r->decoded.len = r->utf8.len = 0;
  transfer_decode(&r->transfer, &r->decoded, data, size, last);
  charset_convert(&r->charset, &r->utf8, r->decoded.s, r->decoded.len, last);
  utf8proc_uint8_t const *at = (utf8proc_uint8_t const *)r->utf8.s, *end = at + r->utf8.len;
  while (at < end && !excerpt_done(&r->excerpt)) {
    utf8proc_int32_t c;
    utf8proc_ssize_t n = utf8proc_iterate(at, end - at, &c);
    at += n > 0 ? n : 1;
    if (n > 0) take_character(r, c);
  }
}

static int read_body(struct preview *v, struct message_part const *p, struct reader *r) {
  char buf[CHUNK];
  for (uint64_t at = p->body_start; at < p->end && v->left && !excerpt_done(&r->excerpt);) {
    size_t want = sizeof buf;
    if (want > p->end - at) want = (size_t)(p->end - at);
    if (want > v->left) want = (size_t)v->left;
    ssize_t n = file_read_at(v->fd, buf, want, at);
    if (n < 0) return -1;
    if (!n) break;
    at += (uint64_t)n;
    v->left -= (uint64_t)n;
    take_bytes(r, buf, (size_t)n, at >= p->end);
  }
  return 0;
}

/* The first words of a part of text; whether there are any. */
static int take_text(struct preview *v, struct message_part const *p) {
  struct reader r = {.transfer = {.encoding = transfer_by_name(p->encoding)},
                     .is_html = !strcasecmp(p->subtype, "html")};
  size_t before = v->out->len;
  charset_of_part(&r.charset, p);
  int result = read_body(v, p, &r);
  if (r.is_html) html_end(&r.html, &r.excerpt);
  excerpt_take(&r.excerpt, v->out);
  stralloc_free(&r.decoded);
  stralloc_free(&r.utf8);
  return result < 0 ? -1 : v->out->len > before;
}

/* ---- which part ---- */

static bool is_attachment(struct message_part const *p) {
  return p->parent && p->disposition && !strcasecmp(p->disposition, "attachment");
}

/* 1: the preview is there; 0: there are no words; -1: the message cannot be read.  Calls itself, at
 * most MESSAGE_MAX_DEPTH deep. */
static int take_part(struct preview *v, struct message_part const *p) {
  if (is_attachment(p) || is_type(p, "multipart", "encrypted")) return 0;
  int found = 0;
  if (p->is_multipart && is_type(p, "multipart", "alternative"))
    for (struct message_part const *c = p->child; c && !found; c = c->next)
      if (is_type(c, "text", "plain")) found = take_part(v, c);
  for (struct message_part const *c = p->child; c && !found; c = c->next) found = take_part(v, c);
  if (!p->is_multipart && !p->is_message &&
      (is_type(p, "text", "plain") || is_type(p, "text", "html")))
    return take_text(v, p);
  return found;
}

int message_put_preview(stralloc *out, int fd, struct message_part const *root) {
  struct preview v = {.fd = fd, .left = BYTES_MAX, .out = out};
  return take_part(&v, root) < 0 ? -1 : 0;
}
