/* Sequence sets: RFC 3501 section 9, and what they mean in a mailbox. */
#include "../tap.h"
#include "wire.h"

/* The set `input` names when `largest` is the largest number, written out again; null if it does
 * not parse to its end. */
static void resolve(char const *input, uint32_t largest, char const *want) {
  char line[200];
  snprintf(line, sizeof line, "%s\r\n", input);
  struct wire *w = wire_new(line, strlen(line), 1000);
  struct imap_sequence s;
  char name[300];
  snprintf(name, sizeof name, "%s of %u", input, (unsigned int)largest);
  if (!imap_parse_sequence(&w->parser, &s) || !imap_parse_end(&w->parser)) {
    is(0, want, name);
  } else {
    struct set set;
    set_init(&set, &w->arena);
    imap_sequence_resolve(&s, largest, &set);
    imap_put_set(&w->out, &set);
    is(wire_answer(w), want, name);
  }
  wire_free(w);
}

static void test_saved(void) {
  struct wire *w = wire_new("$\r\n", 3, 100);
  struct imap_sequence s;
  ok(imap_parse_sequence(&w->parser, &s) && s.saved && !s.n, "$ is the saved result");
  wire_free(w);
}

/* In falling order, where a set that was built as it comes would take the square of the time. */
static void test_long(void) {
  enum { N = 100000 };
  char *line = malloc(N * 8);
  size_t size = 0;
  for (int i = N; i; i--) size += (size_t)sprintf(line + size, "%d%s", i * 2, i > 1 ? "," : "\r\n");
  struct wire *w = wire_new(line, size, 1 << 20);
  struct imap_sequence s;
  struct set set;
  set_init(&set, &w->arena);
  ok(imap_parse_sequence(&w->parser, &s), "100,000 numbers, the largest first");
  imap_sequence_resolve(&s, 5, &set);
  is_uint(set_count(&set), N, "are 100,000 numbers");
  ok(set.n == N && set.ranges[0].first == 2, "in rising order");
  wire_free(w);
  free(line);
}

int main(void) {
  resolve("1", 10, "1");
  resolve("2,4:7,9,12:*", 15, "2,4:7,9,12:15"); /* the RFC's examples */
  resolve("*:4,5:7", 10, "4:10");
  resolve("5:3", 10, "3:5");
  resolve("*", 10, "10");
  resolve("15:*", 10, "10:15");
  resolve("*:*", 10, "10");
  resolve("20:30", 10, "20:30");
  resolve("3,1,2,2,7", 10, "1:3,7");
  resolve("4294967295,1", 10, "1,4294967295");
  resolve("1:4294967295", 10, "1:4294967295");
  resolve("*", 0, "");
  resolve("1:*,7", 0, "7");
  resolve("0", 10, 0);
  resolve("1:0", 10, 0);
  resolve("", 10, 0);
  resolve("1,", 10, 0);
  resolve(",1", 10, 0);
  resolve("1:", 10, 0);
  resolve("1:2:3", 10, 0);
  resolve("1-2", 10, 0);
  resolve("4294967296", 10, 0);
  resolve("$,1", 10, 0);
  test_saved();
  test_long();
  return tap_done();
}
