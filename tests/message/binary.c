/* Bodies without their transfer encoding, and messages whose binary bodies get one (RFC 3516). */
#include "message-test.h"

static bool collect(void *context, char const *data, size_t size) {
  return stralloc_catb(context, data, size);
}

/* ---- decoding ---- */

/* A message of one part. */
static stralloc message_of(char const *encoding, char const *body, size_t size) {
  stralloc s = STRALLOC_ZERO;
  stralloc_cats(&s, "Content-Transfer-Encoding: ");
  stralloc_cats(&s, encoding);
  stralloc_cats(&s, "\n\n");
  stralloc_catb(&s, body, size);
  return s;
}

static struct message_extent part_of(int fd, char const *path) {
  struct message_section section = {.kind = SECTION_ALL};
  struct message_part *root;
  struct message_extent e;
  uint32_t numbers[8];
  section.path = numbers;
  for (char const *at = path; *at; at += *at == '.') {
    char *end;
    numbers[section.depth++] = (uint32_t)strtoul(at, &end, 10);
    at = end;
  }
  if (message_parse_file(fd, &test_arena, &root) < 0 ||
      message_section_find(fd, root, &section, &test_arena, &e) < 0)
    exit(111);
  return e;
}

/* The decoded part 1, and whether every partial of it is what it should be. */
static stralloc decoded(stralloc *message, bool *right) {
  int fd = file_of(message->s, message->len);
  struct message_extent e = part_of(fd, "1");
  stralloc whole = STRALLOC_ZERO;
  uint64_t size;
  bool has_nul;
  *right = message_can_decode(&e) &&
           !message_copy_decoded(fd, &e, 0, UINT64_MAX, collect, &whole) &&
           !message_decoded_size(fd, &e, 0, UINT64_MAX, &size, &has_nul) && size == whole.len &&
           has_nul == (whole.len && memchr(whole.s, 0, whole.len));
  size_t step = whole.len > 2000 ? whole.len / 7 : 1;
  for (size_t skip = 0; skip <= whole.len + 1; skip += step)
    for (size_t count = 1; count <= whole.len - skip + 1 && skip <= whole.len; count += step) {
      stralloc part = STRALLOC_ZERO;
      size_t want = whole.len - skip < count ? whole.len - skip : count;
      *right &= !message_decoded_size(fd, &e, skip, count, &size, &has_nul) && size == whole.len &&
                has_nul == (want && memchr(whole.s + skip, 0, want)) &&
                !message_copy_decoded(fd, &e, skip, count, collect, &part) && part.len == want &&
                (!want || !memcmp(part.s, whole.s + skip, want));
      stralloc_free(&part);
    }
  close(fd);
  return whole;
}

#define BYTES(s) (s), sizeof(s) - 1

static void test_decoding(void) {
  static struct {
    char const *encoding, *body;
    size_t size;
    char const *want;
    size_t want_size;
    char const *name;
  } const cases[] = {
      {"7bit", BYTES("a\nb\r\n"), BYTES("a\r\nb\r\n"), "7bit: lines end in CRLF"},
      {"8BIT", BYTES("\xe9\n"), BYTES("\xe9\r\n"), "8bit"},
      {"binary", BYTES("a\0\n\0"), BYTES("a\0\r\n\0"), "binary: NULs stay"},
      {"base64", BYTES("aGVsbG8=\n"), BYTES("hello"), "base64"},
      {"base64", BYTES("AAEC\r\n/w==\r\n"), BYTES("\0\1\2\xff"), "base64 of NULs"},
      {"base64", BYTES("YQpiCg=="), BYTES("a\nb\n"), "what base64 says is not changed"},
      {"base64", BYTES("aGVsbG"), BYTES("hell"), "truncated base64: whole bytes"},
      {"base64", BYTES("aGVs\0bG8\n"), BYTES("hello"), "no padding, a NUL in between"},
      {"base64", BYTES("YQ==YmM="), BYTES("abc"), "base64 put together of two"},
      {"base64", BYTES(""), BYTES(""), "base64 of nothing"},
      {"quoted-printable", BYTES("a=00b =20 \nc=\n=\r\nd=0A=\n"), BYTES("a\0b  \r\ncd\n"),
       "quoted-printable: lines end in CRLF, escapes stay"},
      {"quoted-printable", BYTES("a=zz=4"), BYTES("a=zz=4"), "quoted-printable: no escapes"},
      {"quoted-printable", BYTES("a\0="), BYTES("a\0"), "quoted-printable: ends in an escape"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool right;
    stralloc message = message_of(cases[i].encoding, cases[i].body, cases[i].size);
    stralloc got = decoded(&message, &right);
    ok(right && got.len == cases[i].want_size &&
           (!got.len || !memcmp(got.s, cases[i].want, got.len)),
       cases[i].name);
    stralloc_free(&got);
    stralloc_free(&message);
  }
}

static void test_large(void) {
  stralloc body = STRALLOC_ZERO, want = STRALLOC_ZERO;
  for (unsigned int i = 0; i < 20000; i++) {
    stralloc_cats(&body, i % 3 ? "AAEC" : "AAE=\n");
    stralloc_catb(&want, "\0\1\2", i % 3 ? 3 : 2);
  }
  bool right;
  stralloc message = message_of("base64", body.s, body.len), got = decoded(&message, &right);
  ok(right && got.len == want.len && !memcmp(got.s, want.s, got.len), "over many chunks");
  stralloc_free(&got);
  stralloc_free(&message);
  stralloc_free(&body);
  stralloc_free(&want);
}

static void test_parts(void) {
  static char const mail[] =
      "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Transfer-Encoding: x-uue\n\nM\n"
      "--x\nContent-Type: message/rfc822\n\nContent-Transfer-Encoding: base64\n\nYQ==\n"
      "--x\nContent-Type: multipart/mixed; boundary=y\n\n--y\n\nb\n--y--\n--x--\n";
  int fd = file_of(mail, strlen(mail));
  struct message_extent e = part_of(fd, "1");
  ok(!message_can_decode(&e), "an unknown encoding");
  e = part_of(fd, "2");
  ok(!message_can_decode(&e), "RFC 9051 section 6.4.5: no message/rfc822");
  e = part_of(fd, "2.1");
  ok(message_can_decode(&e), "but what is in it");
  e = part_of(fd, "3");
  ok(!message_can_decode(&e), "no multipart");
  e = part_of(fd, "3.1");
  ok(message_can_decode(&e), "but what is in it");
  e = part_of(fd, "");
  ok(message_can_decode(&e) && e.wire > strlen(mail), "the whole message has no encoding");
  close(fd);
}

/* ---- encoding ---- */

static char const *encoded_bytes(char const *message, size_t size, size_t *encoded_size) {
  int fd = file_of(message, size);
  struct message_part *root;
  stralloc out = STRALLOC_ZERO;
  if (message_parse_file(fd, &test_arena, &root) < 0 ||
      message_copy_encoded(fd, root, collect, &out) < 0)
    exit(111);
  close(fd);
  if (encoded_size) *encoded_size = out.len;
  return taken(&out);
}

static char const *encoded(char const *message, size_t size) {
  return encoded_bytes(message, size, 0);
}

static void test_encoding(void) {
  is(encoded(BYTES("Subject: x\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: binary\r\n\r\n"
                   "a\0b\nc")),
     "Subject: x\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\nYQBiCmM=\r\n",
     "RFC 3516 section 4.4: a binary body becomes base64");
  is(encoded(BYTES("Content-Transfer-Encoding: BINARY (really)\r\nX: y\r\n"
                   "content-transfer-encoding: 8bit\r\n\r\n\xe9\r\n")),
     "Content-Transfer-Encoding: 8bit\r\nX: y\r\n\r\n\xe9\r\n",
     "RFC 3516 section 6: one that need not be is only called 8bit");
  is(encoded(BYTES("Content-Transfer-Encoding: binary\r\n\r\na\r")),
     "Content-Transfer-Encoding: base64\r\n\r\nYQ0=\r\n", "a CR at the end");
  is(encoded(BYTES("Subject: x\r\n\r\n\0\r\n")),
     "Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\nAA0K\r\n", "a NUL where none may be");
  is(encoded(BYTES("Subject: x\r\n\r\na\nb\rc")), "Subject: x\r\n\r\na\nb\rc",
     "bare CR and LF alone are no reason");
  is(encoded(BYTES("Content-Transfer-Encoding: base64\r\n\r\nYQ\0==")),
     "Content-Transfer-Encoding: base64\r\n\r\nYQ", "what is encoded stays");
  is(encoded(BYTES("Content-Transfer-Encoding: binary")), "Content-Transfer-Encoding: 8bit\r\n",
     "a header without end");
  is(encoded(BYTES("")), "", "nothing");
}

static void test_encoding_parts(void) {
  is(encoded(BYTES("Content-Type: multipart/mixed; boundary=x\r\n"
                   "Content-Transfer-Encoding: binary\r\n\r\npre\r\n--x\r\n\r\ntext\r\n--x\r\n"
                   "Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\n\0\r\n"
                   "--x\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n"
                   "\r\nSubject: in\r\n\r\n\0\r\n--x--\r\nepi\r\n")),
     "Content-Type: multipart/mixed; boundary=x\r\n"
     "Content-Transfer-Encoding: 8bit\r\n\r\npre\r\n--x\r\n\r\ntext\r\n--x\r\n"
     "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAoA\r\n"
     "--x\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n"
     "\r\nSubject: in\r\nContent-Transfer-Encoding: base64\r\n\r\nAA==\r\n--x--\r\nepi\r\n",
     "parts, each by itself");
}

/* Sizes around those of a line and of what is encoded at once. */
static void test_encoding_sizes(void) {
  static size_t const sizes[] = {56, 57, 58, 114, 28499, 28500, 28501, 57000, 100001};
  bool same = true, short_lines = true;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    stralloc body = STRALLOC_ZERO;
    for (size_t n = 0; n < sizes[i]; n++) stralloc_append(&body, (char)(n * 7 + n / 256));
    stralloc message = message_of("binary", body.s, body.len);
    size_t size;
    char const *text = encoded_bytes(message.s, message.len, &size);
    for (char const *line = text; (line = strchr(line, '\n')); line++)
      short_lines &= strcspn(line + 1, "\r\n") <= 76;
    int fd = file_of(text, size);
    struct message_extent e = part_of(fd, "1");
    stralloc again = STRALLOC_ZERO;
    same &= !message_copy_decoded(fd, &e, 0, UINT64_MAX, collect, &again) &&
            again.len == body.len && !memcmp(again.s, body.s, body.len);
    close(fd);
    stralloc_free(&again);
    stralloc_free(&message);
    stralloc_free(&body);
  }
  ok(same, "what is encoded is decoded to the same bytes");
  ok(short_lines, "RFC 2045 section 6.8: lines of at most 76 letters");
}

int main(void) {
  test_decoding();
  test_large();
  test_parts();
  test_encoding();
  test_encoding_parts();
  test_encoding_sizes();
  arena_release(&test_arena);
  return tap_done();
}
