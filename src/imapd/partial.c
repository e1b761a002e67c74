/* PARTIAL (RFC 9394): the first ones of a list, the last ones, or some in between.
 *
 *   partial-range = nz-number ":" nz-number / "-" nz-number ":" "-" nz-number
 */
#include "imapd/session.h"

static bool parse_number(struct imap_parser *p, bool from_end, uint32_t *n) {
  return (!from_end || imap_parse_char(p, '-')) && imap_parse_nz_number(p, n);
}

bool partial_parse(struct session *s, struct partial *range) {
  struct imap_parser *p = &s->parser;
  if (!imap_parse_space(p)) return false;
  range->from_end = imap_parse_peek(p) == '-';
  return parse_number(p, range->from_end, &range->first) && imap_parse_char(p, ':') &&
         parse_number(p, range->from_end, &range->last);
}

uint32_t partial_reach(struct partial const *range) {
  return range->first > range->last ? range->first : range->last;
}

struct part partial_of(struct partial const *range, uint32_t n) {
  uint32_t high = partial_reach(range);
  uint32_t low = high == range->first ? range->last : range->first;
  if (low > n) return (struct part){0};
  if (high > n) high = n;
  return (struct part){.at = range->from_end ? n - high : low - 1, .n = high - low + 1};
}

void partial_keep(struct partial const *range, struct set *seqs) {
  struct part part = partial_of(range, (uint32_t)set_count(seqs));
  struct set kept;
  set_init(&kept, seqs->arena);
  for (size_t i = 0; i < seqs->n && part.n; i++) {
    struct range r = seqs->ranges[i];
    uint32_t size = r.last - r.first + 1;
    if (part.at >= size) {
      part.at -= size;
      continue;
    }
    uint32_t n = size - part.at < part.n ? size - part.at : part.n;
    set_add_range(&kept, r.first + part.at, r.first + part.at + n - 1);
    part = (struct part){.n = part.n - n};
  }
  *seqs = kept;
}

void partial_put(struct session *s, struct partial const *range) {
  imap_puts(&s->out, range->from_end ? "-" : "");
  imap_put_number(&s->out, range->first);
  imap_puts(&s->out, range->from_end ? ":-" : ":");
  imap_put_number(&s->out, range->last);
}
