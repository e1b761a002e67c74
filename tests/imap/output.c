/* The parts of a response. */
#include "../tap.h"
#include "wire.h"

#include <signal.h>
#include <sys/socket.h>

static struct wire *fresh(void) {
  return wire_new("", 0, 100);
}

static void string(char const *data, size_t size, char const *want, char const *name) {
  struct wire *w = fresh();
  imap_put_string(&w->out, data, size);
  is(wire_answer(w), want, name);
  wire_free(w);
}

static void astring(char const *text, char const *want) {
  struct wire *w = fresh();
  imap_put_astring(&w->out, text);
  is(wire_answer(w), want, text);
  wire_free(w);
}

static void test_strings(void) {
  string("abc", 3, "\"abc\"", "quoted");
  string("", 0, "\"\"", "empty");
  string(0, 0, "\"\"", "empty without data");
  string("a\"b\\c", 5, "\"a\\\"b\\\\c\"", "escaped");
  string("a\tb", 3, "\"a\tb\"", "a tab may be quoted");
  string("a\nb", 3, "{3}\r\na\nb", "a line end is a literal");
  string("a\rb", 3, "{3}\r\na\rb", "a CR is a literal");
  string("\xc3\xbc", 2, "{2}\r\n\xc3\xbc", "8-bit is a literal");
  string("\0a\0\0", 4, "{4}\r\n?a??", "a NUL becomes ?");
  char long_one[1002];
  memset(long_one, 'x', sizeof long_one);
  struct wire *w = fresh();
  imap_put_string(&w->out, long_one, 1000);
  ok(strlen(wire_answer(w)) == 1002 && w->answer[0] == '"', "1,000 bytes are quoted");
  wire_free(w);
  w = fresh();
  imap_put_string(&w->out, long_one, 1001);
  ok(!strncmp(wire_answer(w), "{1001}\r\nxxx", 11), "1,001 are a literal");
  wire_free(w);
  w = fresh();
  imap_put_nstring(&w->out, 0, 0);
  imap_puts(&w->out, " ");
  imap_put_nstring(&w->out, "", 0);
  is(wire_answer(w), "NIL \"\"", "nstring");
  wire_free(w);
}

static void test_astrings(void) {
  astring("INBOX.Sent", "INBOX.Sent");
  astring("two words", "\"two words\"");
  astring("nil", "\"nil\"");
  astring("", "\"\"");
  astring("a(b", "\"a(b\"");
  astring("a%", "\"a%\"");
  astring("\xff", "{1}\r\n\xff");
}

static void test_numbers(void) {
  struct wire *w = fresh();
  imap_put_number(&w->out, 0);
  imap_puts(&w->out, " ");
  imap_put_number(&w->out, UINT64_MAX);
  imap_puts(&w->out, " ");
  imap_put_literal_header(&w->out, 4294967296);
  is(wire_answer(w), "0 18446744073709551615 {4294967296}\r\n", "numbers");
  wire_free(w);
}

static void test_sizes(void) {
  /* Every size around the buffer's, after every fill level around it, comes out whole. */
  static char data[IMAP_OUTPUT_SIZE + 2];
  unsigned int bad = 0;
  for (size_t i = 0; i < sizeof data; i++) data[i] = (char)('a' + i % 26);
  size_t const sizes[] = {0, 1, IMAP_OUTPUT_SIZE - 1, IMAP_OUTPUT_SIZE, IMAP_OUTPUT_SIZE + 1};
  for (size_t i = 0; i < 5; i++) {
    for (size_t j = 0; j < 5; j++) {
      struct wire *w = fresh();
      imap_put(&w->out, data, sizes[i]);
      imap_put(&w->out, data, sizes[j]);
      imap_puts(&w->out, ".");
      char const *got = wire_answer(w);
      bad += strlen(got) != sizes[i] + sizes[j] + 1 || memcmp(got, data, sizes[i]) ||
             memcmp(got + sizes[i], data, sizes[j]) || w->out.bytes != strlen(got);
      wire_free(w);
    }
  }
  is_uint(bad, 0, "nothing is lost where the buffer ends");
}

static void test_idle(void) {
  struct wire *w = fresh();
  imap_puts(&w->out, "x");
  ok(w->out.buf, "a buffer is there when it is needed");
  imap_output_idle(&w->out);
  ok(!w->out.buf, "and given back while waiting");
  imap_puts(&w->out, "y");
  is(wire_answer(w), "xy", "with nothing lost");
  wire_free(w);
}

static void test_gone(void) {
  int fds[2];
  ok(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "a socket pair");
  struct imap_output out;
  imap_output_init(&out, fds[0], 1000);
  close(fds[1]);
  imap_puts(&out, "x");
  imap_flush(&out);
  ok(out.failed && !out.bytes, "a client that is gone is noticed");
  for (int i = 0; i < IMAP_OUTPUT_SIZE; i++) imap_puts(&out, "more");
  imap_output_idle(&out);
  ok(out.failed && !out.bytes, "and further output dropped");
  close(fds[0]);
}

static void test_slow(void) {
  int fds[2];
  static char data[1 << 20];
  ok(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "a socket pair");
  struct imap_output out;
  imap_output_init(&out, fds[0], 10);
  imap_put(&out, data, sizeof data);
  ok(out.failed && out.bytes < sizeof data, "a client that takes nothing is given up");
  imap_output_idle(&out);
  close(fds[0]);
  close(fds[1]);
}

static int count_write(struct imap_output *out, void const *data, size_t size) {
  (void)out;
  (void)data;
  return size > IMAP_OUTPUT_SIZE ? -1 : 0;
}

static void test_hook(void) {
  static char data[100000];
  struct imap_output out;
  imap_output_init(&out, -1, 10);
  out.write = count_write;
  imap_put(&out, data, 7);
  imap_put(&out, data, sizeof data);
  imap_output_idle(&out);
  ok(!out.failed && out.bytes == sizeof data + 7, "a writer of the caller's own, in pieces");
}

int main(void) {
  signal(SIGPIPE, SIG_DFL);
  test_strings();
  test_astrings();
  test_numbers();
  test_sizes();
  test_idle();
  test_gone();
  test_slow();
  test_hook();
  return tap_done();
}
