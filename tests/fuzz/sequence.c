/* Sequence sets (imap/sequence.c, base/set.c): what they name, against asking each range. */
#include "wire.h"

static bool names(struct imap_sequence const *s, uint32_t largest, uint32_t number) {
  for (size_t i = 0; i < s->n; i++) {
    uint32_t a = s->ranges[i].first, b = s->ranges[i].last;
    if (!largest && (a == IMAP_STAR || b == IMAP_STAR)) continue;
    if (a == IMAP_STAR) a = largest;
    if (b == IMAP_STAR) b = largest;
    if ((a <= number && number <= b) || (b <= number && number <= a)) return true;
  }
  return false;
}

static void check_order(struct set const *set) {
  for (size_t i = 0; i < set->n; i++) {
    must(set->ranges[i].first && set->ranges[i].first <= set->ranges[i].last);
    must(!i || set->ranges[i - 1].last < set->ranges[i].first - 1);
  }
}

/* At and beside every end. */
static void check_members(struct imap_sequence const *s, uint32_t largest, struct set const *set) {
  for (size_t i = 0; i < s->n && i < 100; i++)
    for (uint32_t d = 0; d < 3; d++) {
      uint32_t const near[] = {s->ranges[i].first - 1 + d, s->ranges[i].last - 1 + d,
                               largest - 1 + d};
      for (size_t k = 0; k < 3; k++)
        if (near[k]) must(set_contains(set, near[k]) == names(s, largest, near[k]));
    }
}

static void check_iteration(struct set const *set) {
  uint64_t count = 0;
  uint32_t last = 0;
  if (set_count(set) > 1000) return;
  for (uint32_t x = 0; set_next(set, &x); last = x, count++) must(x > last && set_contains(set, x));
  must(count == set_count(set));
}

struct text {
  char data[IMAP_OUTPUT_SIZE];
  size_t size;
};

static struct text written;

static int keep(struct imap_output *out, void const *data, size_t size) {
  (void)out;
  must(size <= sizeof written.data - written.size);
  memcpy(written.data + written.size, data, size);
  written.size += size;
  return 0;
}

/* What is written of it is it. */
static void check_written(struct set const *set) {
  struct wire w;
  struct imap_sequence again;
  struct imap_output out;
  struct set same;
  if (!set->n || set->n > 1000) return;
  imap_output_init(&out, -1, 0);
  out.write = keep;
  written.size = 0;
  imap_put_set(&out, set);
  imap_puts(&out, "\r\n");
  imap_output_idle(&out);
  wire_init(&w, (uint8_t *)written.data, written.size, false, sizeof written.data);
  must(imap_parse_sequence(&w.parser, &again) && imap_parse_end(&w.parser));
  set_init(&same, &w.arena);
  imap_sequence_resolve(&again, UINT32_MAX, &same);
  must(same.n == set->n && !memcmp(same.ranges, set->ranges, set->n * sizeof *set->ranges));
  wire_free(&w);
}

static void check(struct imap_sequence const *s, uint32_t largest, struct arena *arena) {
  struct set set;
  set_init(&set, arena);
  imap_sequence_resolve(s, largest, &set);
  check_order(&set);
  check_members(s, largest, &set);
  check_iteration(&set);
  check_written(&set);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  static uint32_t const largest[] = {0, 1, 7, 1000, UINT32_MAX};
  struct wire w;
  struct imap_sequence s;
  wire_init(&w, data, size, true, 1 << 20);
  if (imap_parse_sequence(&w.parser, &s)) {
    must(s.saved != (s.n > 0));
    for (size_t i = 0; i < sizeof largest / sizeof *largest; i++) check(&s, largest[i], &w.arena);
  }
  wire_free(&w);
  return 0;
}
