/* Searching in text: by signatures, in what a signature does not exclude, and in the file alone are
 * the same, over messages of every encoding, whatever happens to the cache. */
#include "store-test.h"
#include "message/message.h"
#include "store/cache.h"

#include <fcntl.h>
#include <sys/wait.h>

enum { MESSAGES = 30, NEEDLES = 40 };

static unsigned int seed = 11;
static unsigned int pick(unsigned int n) {
  seed = seed * 1103515245 + 12345;
  return seed / 65536 % n;
}

static struct {
  char text[40]; /* UTF-8 */
  struct message_needle *needle;
} needles[NEEDLES];
static signed char truth[MESSAGES][NEEDLES][2];
static struct arena arena;

/* stralloc_cats is a macro that asks twice. */
static void add(stralloc *s, char const *text) {
  must(stralloc_catb(s, text, strlen(text)), "memory");
}

/* ---- messages ---- */

static char const *const words[] = {"meeting",
                                    "Budget",
                                    "caf\xc3\xa9",
                                    "GR\xc3\x9c\xc3\x9f",
                                    "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2",
                                    "\xe2\x84\xaa"
                                    "elvin",
                                    "o\xef\xac\x83"
                                    "ce",
                                    "aaaaaa",
                                    "aaab",
                                    "x",
                                    "<p>",
                                    "=3D",
                                    "\xff\xfe",
                                    "\xea\xb0\x80"};
enum { WORDS = sizeof words / sizeof *words };

static void add_words(stralloc *s, size_t size) {
  static char const *const between[] = {" ", " ", " ", "\n", "\r\n", "-", "\r", ""};
  while (s->len < size) {
    add(s, words[pick(WORDS)]);
    add(s, between[pick(sizeof between / sizeof *between)]);
  }
}

static void add_base64(stralloc *s, char const *data, size_t size) {
  static char const digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i + 2 < size; i += 3) {
    unsigned int bits =
        (unsigned int)((unsigned char)data[i] << 16 | (unsigned char)data[i + 1] << 8 |
                       (unsigned char)data[i + 2]);
    for (int shift = 18; shift >= 0; shift -= 6) stralloc_append(s, digits[bits >> shift & 63]);
    if (i % 57 == 54) stralloc_append(s, '\n');
  }
}

static void add_part(stralloc *s, unsigned int kind) {
  static char const *const charsets[] = {"utf-8", "iso-8859-1", "us-ascii", "windows-1252",
                                         "iso-8859-15"};
  static char const *const types[] = {"text/plain", "text/html", "application/octet-stream",
                                      "message/delivery-status"};
  static char const *const encodings[] = {"8bit", "quoted-printable", "base64", "x-none"};
  unsigned int encoding = pick(4);
  size_t size = kind % 9 ? 300 + pick(3000) : 60000 + pick(90000); /* beyond all chunks */
  stralloc text = STRALLOC_ZERO;
  add_words(&text, size);
  add(s, "Content-Type: ");
  add(s, types[pick(7) % 4]);
  add(s, "; charset=");
  add(s, charsets[pick(5)]);
  add(s, "\nContent-Transfer-Encoding: ");
  add(s, encodings[encoding]);
  add(s, "\n\n");
  if (encoding == 2)
    add_base64(s, text.s, text.len);
  else
    stralloc_catb(s, text.s, text.len);
  stralloc_free(&text);
}

static void make_message(int i) {
  stralloc s = STRALLOC_ZERO;
  char name[40];
  add(&s, "From: a@b.c\nSubject: ");
  add(&s, i % 3 ? words[pick(WORDS)] : "=?utf-8?q?caf=C3=A9_b=\n =?iso-8859-1?q?x=E9?=");
  add(&s, "\nX-Serial: only-in-header\n");
  if (i % 2) {
    add_part(&s, (unsigned int)i);
  } else {
    add(&s, "Content-Type: multipart/mixed; boundary=b\n\n");
    for (unsigned int n = pick(4); n; n--) {
      add(&s, "--b\n");
      if (!pick(4)) add(&s, "Content-Type: message/rfc822\n\nSubject: inner budget\n");
      add_part(&s, 1);
      add(&s, "\n");
    }
    if (pick(2)) add(&s, "--b--\n");
  }
  snprintf(name, sizeof name, "cur/%d.m.h:2,", i + 1);
  int fd = open(path_of("", name), O_WRONLY | O_CREAT, 0600);
  must(fd >= 0 && write(fd, s.s, s.len) == (ssize_t)s.len && !close(fd), "write");
  stralloc_free(&s);
}

/* Pieces of what there is, in another case, and what there is not. */
static void make_needle(int i) {
  char *text = needles[i].text;
  do {
    stralloc s = STRALLOC_ZERO;
    add_words(&s, 200);
    size_t size = 1 + pick(sizeof needles->text - 1), at = pick(150);
    memcpy(text, s.s + at, size);
    text[size] = 0;
    if (i % 5 == 4) text[size / 2] = 'q';
    for (char *c = text; *c; c++)
      if (*c >= 'a' && *c <= 'z' && pick(2)) *c = (char)(*c - 32);
    needles[i].needle = message_needle_new(text, strlen(text), &arena);
    stralloc_free(&s);
  } while (!needles[i].needle);
}

/* ---- the three ways ---- */

static void tell_truth(int i) {
  struct message_part *whole;
  char name[40];
  snprintf(name, sizeof name, "cur/%d.m.h:2,", i + 1);
  struct message_bytes const bytes = {.fd = open(path_of("", name), O_RDONLY)};
  must(bytes.fd >= 0 && !message_parse_file(bytes.fd, &arena, &whole), "parse");
  for (int n = 0; n < NEEDLES; n++)
    for (int header = 0; header < 2; header++)
      truth[i][n][header] =
          (signed char)message_text_matches(&bytes, whole, header, needles[n].needle, 0);
  close(bytes.fd);
}

static bool is_true(struct folder *f, int i, int n, bool header) {
  bool holds;
  if (!folder_text_holds(f, (uint32_t)i + 1, needles[n].needle, header, &holds) &&
      holds == truth[i][n][header])
    return true;
  printf("# message %d, needle %s, header %d: %d\n", i, needles[n].text, header,
         truth[i][n][header]);
  return false;
}

static bool all_true(struct folder *f) {
  bool good = true;
  for (int i = 0; i < MESSAGES && good; i++)
    for (int n = 0; n < NEEDLES && good; n++)
      good = is_true(f, i, n, n & 1) && is_true(f, i, n, !(n & 1));
  return good;
}

static bool next_session_true(void) {
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  bool good = all_true(f);
  folder_close(f);
  store_close(s);
  return good;
}

/* ---- tests ---- */

static char const *signatures(void) {
  return path_of("", AREA "/cache.signature");
}

static void three_ways(void) {
  unsigned int found = 0, passed_over = 0;
  struct cache_value v;
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  must(folder_count(f) == MESSAGES, "count");
  ok(all_true(f), "read for the first time");
  folder_rest(f);
  ok(all_true(f), "with signatures");
  for (int i = 0; i < MESSAGES; i++)
    for (int n = 0; n < NEEDLES; n++) {
      found += truth[i][n][1] > 0;
      passed_over +=
          cache_get(f, (uint32_t)i + 1, CACHE_SIGNATURE, &v) == CACHE_KNOWN &&
          message_signature_hint(needles[n].needle, true, v.data, v.size) == MESSAGE_LACKS;
    }
  ok(found > MESSAGES && passed_over > MESSAGES * NEEDLES / 10,
     "some is found, and much passed over");
  folder_close(f);
  store_close(s);
}

/* Without the files: what is excluded opens none. */
static void no_file_read(void) {
  bool holds;
  char name[40];
  struct message_needle *absent = message_needle_new("qjxzqjxz", 8, &arena),
                        *letters = message_needle_new("et", 2, &arena);
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  unsigned int read = 0, found = 0;
  for (int i = 0; i < MESSAGES; i++) {
    snprintf(name, sizeof name, "cur/%d.m.h:2,", i + 1);
    must(!unlink(path_of("", name)), "unlink");
  }
  for (uint32_t seq = 1; seq <= MESSAGES; seq++)
    read += folder_text_holds(f, seq, absent, true, &holds) != STORE_OK;
  ok(read < MESSAGES / 10, "what is not there opens no file");
  read = 0;
  for (uint32_t seq = 1; seq <= MESSAGES; seq++) {
    read += folder_text_holds(f, seq, letters, true, &holds) != STORE_OK;
    found += holds;
  }
  ok(read < MESSAGES / 10 && found > MESSAGES / 2, "nor do two letters, where they are either");
  folder_close(f);
  store_close(s);
}

static void damaged(void) {
  bool good = true;
  for (int round = 0; round < 3 && good; round++) {
    struct stat st;
    int fd = open(signatures(), O_RDWR);
    must(fd >= 0 && !fstat(fd, &st), "open");
    for (int i = 0; i < 200; i++) {
      char byte = (char)pick(256);
      must(pwrite(fd, &byte, 1, 64 + (off_t)pick((unsigned int)st.st_size - 64)) == 1, "pwrite");
    }
    if (round % 3 == 2) must(!ftruncate(fd, st.st_size / 2), "ftruncate");
    close(fd);
    good = next_session_true() && next_session_true();
  }
  ok(good, "damaged signatures are made anew");
}

static void at_once(void) {
  bool good = true;
  must(!unlink(path_of("", AREA "/cache")), "unlink");
  for (int i = 0; i < 3; i++)
    if (!fork()) _exit(next_session_true() ? 0 : 1);
  for (int i = 0, status; i < 3; i++) good &= wait(&status) > 0 && !status;
  ok(good && next_session_true(), "several sessions that search at once");
}

int main(void) {
  log_init("test");
  make_maildir();
  for (int i = 0; i < NEEDLES; i++) make_needle(i);
  for (int i = 0; i < MESSAGES; i++) make_message(i);
  for (int i = 0; i < MESSAGES; i++) tell_truth(i);
  three_ways();
  damaged();
  at_once();
  no_file_read();
  arena_release(&arena);
  return tap_done();
}
