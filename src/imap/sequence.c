/* Sequence sets: as written, and as the numbers they mean. */
#include "imap/imap.h"

#include <stdlib.h>
#include <string.h>

/* seq-number = nz-number / "*" */
static bool parse_sequence_number(struct imap_parser *p, uint32_t *number) {
  if (imap_parse_peek(p) != '*') return imap_parse_nz_number(p, number);
  *number = IMAP_STAR;
  return imap_parse_char(p, '*');
}

static bool parse_range(struct imap_parser *p, struct range *r) {
  if (!parse_sequence_number(p, &r->first)) return false;
  r->last = r->first;
  if (imap_parse_peek(p) != ':') return true;
  return imap_parse_char(p, ':') && parse_sequence_number(p, &r->last);
}

bool imap_parse_sequence(struct imap_parser *p, struct imap_sequence *s) {
  size_t capacity = 0;
  *s = (struct imap_sequence){0};
  if (imap_parse_peek(p) == '$') {
    s->saved = true;
    return imap_parse_char(p, '$');
  }
  for (;;) {
    struct range r;
    if (!parse_range(p, &r)) return false;
    s->ranges = arena_grow(p->arena, s->ranges, &capacity, s->n + 1, sizeof r);
    s->ranges[s->n++] = r;
    if (imap_parse_peek(p) != ',') return true;
    if (!imap_parse_char(p, ',')) return false;
  }
}

static int compare_ranges(void const *a, void const *b) {
  struct range const *x = a, *y = b;
  return (x->first > y->first) - (x->first < y->first);
}

void imap_sequence_resolve(struct imap_sequence const *s, uint32_t largest, struct set *out) {
  if (!s->n) return;
  struct range *sorted = arena_alloc(out->arena, s->n * sizeof *sorted);
  size_t n = 0;
  bool rising = true;
  for (size_t i = 0; i < s->n; i++) {
    struct range r = s->ranges[i];
    if (!largest && (r.first == IMAP_STAR || r.last == IMAP_STAR)) continue;
    if (r.first == IMAP_STAR) r.first = largest;
    if (r.last == IMAP_STAR) r.last = largest;
    if (r.first > r.last) r = (struct range){r.last, r.first};
    if (n && r.first < sorted[n - 1].first) rising = false;
    sorted[n++] = r;
  }
  /* Added in any other order a long set would cost the square of its length. */
  if (!rising) qsort(sorted, n, sizeof *sorted, compare_ranges);
  for (size_t i = 0; i < n; i++) set_add_range(out, sorted[i].first, sorted[i].last);
}
