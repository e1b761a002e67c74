/* A whole session (src/imapd) on a small Maildir: whatever the client sends, the session goes on or
 * ends in order, and what it says is IMAP: lines, literals as long as they say, strings without
 * control characters, lists that are closed. */
#include "maildir.h"
#include "imapd/session.h"

#include <time.h>

static struct session session;
static uint8_t const *sent;
static size_t unsent;
static struct dice dice;
static stralloc said;

/* Nothing in a session ends the process. */
noreturn void _exit(int code) {
  fuzz_fail("_exit", __FILE__, code);
}

static ssize_t send_some(struct imap_input *in, char *buf, size_t size) {
  (void)in;
  if (size > unsent) size = unsent;
  if (size) size = chunk_of(&dice, size);
  if (size) memcpy(buf, sent, size);
  sent += size, unsent -= size;
  return (ssize_t)size;
}

static int hear(struct imap_output *out, void const *data, size_t size) {
  (void)out;
  must(stralloc_catb(&said, data, size));
  return 0;
}

/* ---- what was said ---- */

struct reader {
  char const *at, *end;
};

static void read_quoted(struct reader *r) {
  for (r->at++; r->at < r->end && *r->at != '"'; r->at++) {
    if (*r->at == '\\') r->at++;
    must(r->at<r->end && * r->at> 0 && *r->at != '\r' && *r->at != '\n');
  }
  must(r->at < r->end);
  r->at++;
}

/* `{n}` at a line's end; other braces are text.  Behind a `~` it may hold NULs. */
static bool read_literal(struct reader *r) {
  char *digits_end;
  bool binary = r->at[-1] == '~';
  unsigned long size = strtoul(r->at + 1, &digits_end, 10);
  if (digits_end == r->at + 1 || r->end - digits_end < 3 || memcmp(digits_end, "}\r\n", 3) != 0)
    return false;
  r->at = digits_end + 3;
  must(size <= (size_t)(r->end - r->at) && (binary || !memchr(r->at, 0, size)));
  r->at += size;
  return true;
}

/* Untagged data: its strings and lists must be whole. */
static void read_data(struct reader *r) {
  int depth = 0;
  while (r->at < r->end && *r->at != '\r') {
    if (*r->at == '"') {
      read_quoted(r);
    } else if (*r->at == '{') {
      must(read_literal(r));
    } else {
      must(*r->at >= ' ' && *r->at < 0x7f);
      depth += (*r->at == '(') - (*r->at == ')');
      must(depth >= 0);
      r->at++;
    }
  }
  must(!depth);
}

static void read_text(struct reader *r) {
  while (r->at < r->end && *r->at != '\r') {
    must(*r->at >= ' ' && *r->at < 0x7f);
    r->at++;
  }
}

static bool begins(struct reader const *r, char const *text) {
  size_t size = strlen(text);
  return (size_t)(r->end - r->at) >= size && !memcmp(r->at, text, size);
}

static bool is_data(struct reader const *r) {
  static char const *const statuses[] = {"* OK ", "* NO ", "* BAD ", "* BYE "};
  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
    if (begins(r, statuses[i])) return false;
  return begins(r, "* ");
}

static void check_said(void) {
  struct reader r = {said.s, said.s + said.len};
  while (r.at < r.end) {
    (is_data(&r) ? read_data : read_text)(&r);
    must(begins(&r, "\r\n"));
    r.at += 2;
  }
}

/* ---- the session ---- */

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  setenv("IMAP_CHARSETD", "/nonexistent", 1);
  setenv("TZ", "UTC0", 1);
  tzset();
  log_init("fuzz");
  maildir_begin();
  must(!wait_init(&session)); /* for its pipe */
  session.in.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return session.in.fd < 0;
}

static void begin(char const *maildir) {
  static struct store_options const options = {.umask = 077, .check_ownership = true};
  int fd = session.in.fd, signals = session.signals;
  session = (struct session){
      .personal = {"INBOX.", '.'}, .signals = signals, .timeout_ms = 60000, .append_max = 10000};
  imap_input_init(&session.in, fd);
  session.in.fill = send_some;
  imap_output_init(&session.out, -1, 0);
  session.out.write = hear;
  imap_parser_init(&session.parser, &session.in, &session.out, &session.arena, COMMAND_SIZE_MAX);
  must(!store_open(&session.store, maildir, &options));
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  sent = data;
  unsent = size;
  dice = dice_of(data, size);
  said.len = 0;
  begin(maildir_make());
  session_run(&session);
  must(session.ending != GOING_ON && session.ending != END_DAMAGED);
  if (session.folder) folder_close(session.folder);
  store_close(session.store);
  imap_output_idle(&session.out);
  check_said();
  return 0;
}
