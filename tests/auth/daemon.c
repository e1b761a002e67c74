/* Courier's protocol as text: when a request is whole, what it says, answers there and back, and
 * noise. */
#include "auth/daemon.h"
#include "base/base.h"
#include "../tap.h"

#include <stdlib.h>

static char bytes[DAEMON_REQUEST_MAX + 1];

static enum daemon_frame frame(char const *text, size_t *size) {
  *size = strlen(text);
  return daemon_frame(text, size);
}

static bool parse(char const *text, struct daemon_request *r) {
  size_t size = strlen(text);
  memcpy(bytes, text, size);
  return daemon_parse(bytes, size, r);
}

/* ---- when it is whole ---- */

static void test_frame(void) {
  static char const whole[] = "TCPREMOTEIP=::1\nAUTH 17\nimap\nlogin\na\nbcd\n";
  static char const *const broken[] = {"AUTH x\n",      "AUTH -1\n", "AUTH 99999\n",
                                       "AUTH 123456\n", "AUTH \n",   "AUTH\n"};
  char text[sizeof whole];
  size_t size;
  for (size_t n = 0; n < strlen(whole); n++) {
    snprintf(text, sizeof text, "%.*s", (int)n, whole);
    if (frame(text, &size) != DAEMON_MORE) break;
    if (n + 1 == strlen(whole)) ok(true, "no part of it is whole");
  }
  ok(frame(whole, &size) == DAEMON_WHOLE && size == strlen(whole), "all of it is");
  ok(frame("PRE . imap a\nAUTH 3\n", &size) == DAEMON_WHOLE && size == 13,
     "what follows is not of it");
  ok(frame("\n", &size) == DAEMON_WHOLE && size == 1, "an empty line is all there will be");
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
    ok(frame(broken[i], &size) == DAEMON_BROKEN, "no size, or too large a one");
  memset(bytes, 'x', sizeof bytes);
  size = DAEMON_REQUEST_MAX - 1;
  ok(daemon_frame(bytes, &size) == DAEMON_MORE, "a long line");
  size = DAEMON_REQUEST_MAX;
  ok(daemon_frame(bytes, &size) == DAEMON_BROKEN, "a line that is too long");
}

/* ---- what it says ---- */

static void test_parse(void) {
  struct daemon_request r;
  ok(parse("TCPREMOTEIP=::1\nX=y\nAUTH 20\nimap\nlogin\na b\nc d\n", &r), "AUTH login");
  ok(r.command == DAEMON_AUTH, "its command");
  is(r.ip, "::1", "its address");
  is(r.service, "imap", "its service");
  is(r.type, "login", "its type");
  is(r.user, "a b", "its user");
  is(r.password, "c d", "its password");
  ok(parse("AUTH 9\ns\ncram-md5\nx\ny\n", &r) && !r.user, "AUTH cram-md5");
  is(r.challenge, "x", "its challenge");
  is(r.response, "y", "its response");
  ok(!r.ip, "no address");
  ok(parse("TCPREMOTEIP=host.example\nPRE  authpwd  smtp  joe smith\n", &r), "PRE");
  ok(!r.ip, "a name is no address");
  is(r.module, "authpwd", "its module");
  is(r.user, "joe smith", "its user");
  ok(parse("PRE . smtp a\n", &r) && !r.module, "any module");
  ok(parse("PASSWD imap\ta\told one\tnew one\n", &r), "PASSWD");
  is(r.password, "old one", "the old one");
  is(r.new_password, "new one", "the new one");
  ok(parse("ENUMERATE\n", &r) && r.command == DAEMON_ENUMERATE, "ENUMERATE");
}

static void test_refused(void) {
  static char const *const refused[] = {
      "\n",
      "X=y\n",
      "ENUMERATED\n",
      "PRE . imap \n",
      "PRE . imap\n",
      "PRE . .imap a\n",
      "PRE . a/b a\n",
      "PRE . abcdefghijklmnopqrstuvwxyz-abcdef a\n",
      "PRE . imap a\tb\n",
      "AUTH 1\nimap\n",
      "AUTH 1\nimap\nlogin\n",
      "AUTH 1\nimap\nlogin\na\n",
      "AUTH 1\nimap\nlogin\n\nb\n",
      "AUTH 1\nimap\nlogin\na\nb\nc\n",
      "AUTH 1\nimap\ncram-md5\nx\n",
      "PASSWD imap\ta\tb\n",
      "PASSWD imap\ta\tb\t\n",
      "PASSWD imap\ta\tb\tc\td\n",
  };
  struct daemon_request r;
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
    ok(!parse(refused[i], &r), refused[i][0] == '\n' ? "an empty line" : "refused");
  memcpy(bytes, "PRE . imap a\0b\n", 15);
  ok(!daemon_parse(bytes, 15, &r), "NUL");
}

/* ---- answers ---- */

static struct source_entry there, back;

static void test_answer(void) {
  struct daemon_text text = {.size = 0};
  bool has_uid;
  there.account.user = source_keep(&there, "ann");
  there.account.home = source_keep(&there, "/home/ann");
  there.account.quota = source_keep(&there, "5S");
  there.account.uid = 7;
  there.account.gid = 8;
  there.hash = source_keep(&there, "$6$");
  ok(daemon_put_account(&text, &there, false), "an account");
  ok(!strstr(text.bytes, "$6$"), "without its hash");
  ok(daemon_is_answered(text.bytes, text.size), "is an answer");
  ok(!daemon_is_answered(text.bytes, text.size - 1), "a part is none");
  ok(daemon_read_answer(text.bytes, &back, &has_uid) == DAEMON_ACCOUNT && has_uid, "and back");
  is(back.account.user, "ann", "its user");
  is(back.account.home, "/home/ann", "its home");
  is(back.account.quota, "5S", "its quota");
  is_uint(back.account.uid, 7, "its uid");
  is_uint(back.account.gid, 8, "its gid");
  ok(!back.account.maildir && !back.system_user, "what is not there");
  text = (struct daemon_text){.size = 0};
  ok(daemon_put_account(&text, &there, true) && strstr(text.bytes, "\nPASSWD=$6$\n"),
     "its hash, if wanted");
  there.account.home = "/home\nUID=0";
  text = (struct daemon_text){.size = 0};
  ok(!daemon_put_account(&text, &there, false), "no account can forge another line");
  text = (struct daemon_text){.size = 0};
  ok(!daemon_put_line(&text, &there.account), "nor one of ENUMERATE");
}

/* ---- noise: requests with bytes changed, and then nothing must be read beyond the end ---- */

static void test_noise(void) {
  static char const *const seeds[] = {"TCPREMOTEIP=::1\nAUTH 20\nimap\nlogin\na b\nc d\n",
                                      "PRE . imap a\n", "PASSWD imap\ta\tb\tc\n", "ENUMERATE\n",
                                      "UID=7\nGID=8\nHOME=/\n.\n"};
  static char const bits[] = "\n\t =.\0A9";
  size_t wrong = 0;
  srand(1);
  for (int i = 0; i < 100000; i++) {
    char const *seed = seeds[rand() % 5];
    size_t size = strlen(seed);
    char *copy = malloc(size + 1);
    memcpy(copy, seed, size);
    for (int n = rand() % 4; n >= 0; n--) copy[(size_t)rand() % size] = bits[(size_t)rand() % 8];
    size -= (size_t)rand() % size / 4;
    size_t whole = size;
    struct daemon_request r;
    if (daemon_frame(copy, &whole) == DAEMON_WHOLE && whole > size) wrong++;
    if (daemon_parse(copy, size, &r) &&
        (!r.service || (!r.user && !r.response && r.command != DAEMON_ENUMERATE)))
      wrong++;
    copy[size] = 0;
    bool has_uid;
    source_forget(&back);
    if (daemon_read_answer(copy, &back, &has_uid) == DAEMON_ACCOUNT && !has_uid &&
        !back.system_user)
      wrong++;
    free(copy);
  }
  is_uint(wrong, 0, "noise");
}

int main(void) {
  log_init("test");
  test_frame();
  test_parse();
  test_refused();
  test_answer();
  test_noise();
  return tap_done();
}
