/* What the keeper believes: the parser's messages, its own state, the words of the chain, the
 * boundaries of failures.  imaplogin is a program and no library, so its files are included here.
 */
#include "login/chain.c"
#include "login/method.c"
#include "login/state.c"
#include "login/wait.c"
#define put put_in_message /* chain.c has one of its own */
#include "login/credentials.c"
#undef put

#include "../tap.h"

static struct credentials const sample = {
    .method = METHOD_PLAIN, .tag = "a1", .user = "joe", .password = "pass", .authzid = "jane"};

static void test_credentials(void) {
  char buf[MESSAGE_SIZE_MAX + 8];
  struct credentials c;
  size_t size = credentials_pack(&sample, buf);
  ok(credentials_unpack(buf, size, &c), "what was packed can be unpacked");
  is(c.tag, "a1", "the tag");
  is(c.user, "joe", "the user");
  is(c.password, "pass", "the password");
  is(c.authzid, "jane", "the authorization identity");
  is_uint(c.method, METHOD_PLAIN, "the method");
  unsigned int good = 0;
  for (size_t n = 0; n < size; n++) good += credentials_unpack(buf, n, &c);
  is_uint(good, 0, "no part of it is a message");
  buf[size] = 0;
  ok(!credentials_unpack(buf, size + 1, &c), "nor is it with a byte more");
  buf[1] = METHOD_COUNT;
  ok(!credentials_unpack(buf, size, &c), "a method that is none");
  buf[1] = (char)-1;
  ok(!credentials_unpack(buf, size, &c), "a negative one");
  buf[1] = METHOD_PLAIN;
  buf[2] = '\n';
  ok(!credentials_unpack(buf, size, &c), "a tag with a line end");
  buf[2] = 'a';
  buf[1] = METHOD_SCRAM_SHA_256;
  ok(!credentials_unpack(buf, size, &c), "a user beside a message that names one");
  buf[1] = METHOD_EXTERNAL;
  ok(!credentials_unpack(buf, size, &c), "a password with EXTERNAL");
}

static void test_longest(void) {
  static struct credentials big, c;
  static char buf[MESSAGE_SIZE_MAX + 8];
  memset(big.tag, 't', TAG_SIZE_MAX);
  memset(big.user, 'u', USER_SIZE_MAX);
  memset(big.password, 'p', PASSWORD_SIZE_MAX);
  memset(big.authzid, 'z', AUTHZID_SIZE_MAX);
  size_t size = credentials_pack(&big, buf);
  is_uint(size, MESSAGE_SIZE_MAX, "the longest message has the size that is set aside for it");
  ok(credentials_unpack(buf, size, &c) && !memcmp(&c, &big, sizeof c), "and can be unpacked");
  size_t user = 2 + TAG_SIZE_MAX + 1;
  memmove(buf + user + 1, buf + user, size - user);
  buf[user] = 'u';
  ok(!credentials_unpack(buf, size + 1, &c), "a user name of one byte more");
}

/* Any bytes whatever: none may be read or written beyond its place (for the sanitizers), and what
 * is taken is well formed. */
static void test_noise(void) {
  static struct credentials c;
  char buf[64];
  uint32_t seed = 1;
  bool sound = true;
  for (int round = 0; round < 200000; round++) {
    size_t size = (seed >> 8) % sizeof buf;
    for (size_t i = 0; i < size; i++) {
      seed = seed * 1664525 + 1013904223;
      buf[i] = seed >> 28 < 6 ? 0 : (char)(seed >> 16);
    }
    if (size) buf[0] = ASK_LOGIN;
    if (credentials_unpack(buf, size, &c)) sound &= tag_is_valid(c.tag) && c.method < METHOD_COUNT;
  }
  ok(sound, "what is taken from noise is well formed");
}

static void test_tags(void) {
  static char const *const bad[] = {"",      "a b", "a+", "a\"", "a\\", "{1}",
                                    "a\x80", "a\r", "(",  "%",   "*"};
  char tag[TAG_SIZE_MAX + 2];
  unsigned int accepted = 0;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) accepted += tag_is_valid(bad[i]);
  is_uint(accepted, 0, "tags that are none");
  ok(tag_is_valid("A1.]=~"), "a tag of odd characters");
  memset(tag, 'x', sizeof tag);
  tag[TAG_SIZE_MAX + 1] = 0;
  ok(!tag_is_valid(tag), "a tag too long");
  tag[TAG_SIZE_MAX] = 0;
  ok(tag_is_valid(tag), "and the longest");
}

static void test_state(void) {
  struct login_state s = {.failures = 2,
                          .began = 1000,
                          .received = 2000,
                          .tls = true,
                          .method = METHOD_PLAIN,
                          .user = "joe b=\n\xff"};
  struct login_state t;
  char text[STATE_TEXT_SIZE], changed[STATE_TEXT_SIZE];
  state_format(&s, text);
  ok(state_parse(text, &t), "a state comes back");
  ok(t.failures == 2 && t.began == 1000 && t.received == 2000 && t.tls && t.method == METHOD_PLAIN,
     "with its numbers");
  is(t.user, s.user, "and its user");
  memset(s.user, 'u', USER_SIZE_MAX);
  state_format(&s, text);
  ok(state_parse(text, &t) && !strcmp(t.user, s.user), "the longest user too");
  unsigned int cut = 0;
  char *last = strrchr(text, ' ');
  for (char *p = text; p < last; p++) {
    memcpy(changed, text, (size_t)(p - text));
    changed[p - text] = 0;
    cut += state_parse(changed, &t);
  }
  is_uint(cut, 0, "no part of the numbers is a state");
  snprintf(changed, sizeof changed, "1 %lu 0 0 0 0 0 joe", (unsigned long)getpid() + 1);
  ok(!state_parse(changed, &t), "another process's state is not ours");
  snprintf(changed, sizeof changed, "1 %lu -1 0 0 0 0 joe", (unsigned long)getpid());
  ok(!state_parse(changed, &t), "a negative count");
  snprintf(changed, sizeof changed, "1 %lu 0 99999999999999999999 0 0 0 joe",
           (unsigned long)getpid());
  ok(!state_parse(changed, &t), "a number too large");
}

#define WORDS(...) ((char const *const[]){__VA_ARGS__, 0})

static void test_chain(void) {
  ok(chain_is_valid(WORDS("imaplogin", "authpwd", "imapd")), "one module, one program");
  ok(chain_is_valid(WORDS("imaplogin", "/x/authpwd", "authcram", "/authlib/imapd", "Maildir")),
     "paths: the base name counts");
  ok(!chain_is_valid(WORDS("imaplogin")), "no words");
  ok(!chain_is_valid(WORDS("imaplogin", "authpwd")), "no program");
  ok(!chain_is_valid(WORDS("imaplogin", "/auth/imapd", "authpwd")), "no module first");
  struct arena arena = {0};
  is(chain_netstrings(WORDS("imaplogin", "authpwd", "", "a,b"), &arena),
     "9:imaplogin,7:authpwd,0:,3:a,b,", "words as netstrings");
  arena_release(&arena);
  is_uint(methods_of_chain(WORDS("imaplogin", "authpwd", "imapd")),
          1 << METHOD_LOGIN | 1 << METHOD_PLAIN, "every module takes passwords");
  is_uint(methods_of_chain(WORDS("imaplogin", "authcram", "/x/authexternal", "imapd", "authpwd")),
          1 << METHOD_CRAM_MD5 | 1 << METHOD_EXTERNAL, "but for those of mechanisms");
  is_uint(methods_of_chain(WORDS("imaplogin", "authclient", "imapd")),
          1 << METHOD_LOGIN | 1 << METHOD_PLAIN, "an auth service: passwords");
  setenv("IMAP_CRAM_MD5", "1", 1);
  is_uint(methods_of_chain(WORDS("imaplogin", "authclient", "imapd")),
          1 << METHOD_LOGIN | 1 << METHOD_PLAIN | 1 << METHOD_CRAM_MD5, "and CRAM-MD5 if wished");
  is_uint(methods_of_chain(WORDS("imaplogin", "authpwd", "imapd")),
          1 << METHOD_LOGIN | 1 << METHOD_PLAIN, "which is no other module's affair");
  unsetenv("IMAP_CRAM_MD5");
}

static void test_boundaries(void) {
  is_uint((uint64_t)failure_boundary(1000, 1000, 2000), 3000, "at once: the first boundary");
  is_uint((uint64_t)failure_boundary(1000, 2999, 2000), 3000, "late: the same");
  is_uint((uint64_t)failure_boundary(1000, 3000, 2000), 5000, "later: the next");
  is_uint((uint64_t)failure_boundary(1000, 1500, 0), 1500, "no step: now");
  is_uint((uint64_t)failure_step(2000, 1), 2000, "the first step");
  is_uint((uint64_t)failure_step(2000, 3), 8000, "doubles");
  is_uint((uint64_t)failure_step(2000, 4000000000U), 30000, "up to a limit");
  is_uint((uint64_t)failure_step(0, 9), 0, "nothing stays nothing");
}

int main(void) {
  test_credentials();
  test_longest();
  test_noise();
  test_tags();
  test_state();
  test_chain();
  test_boundaries();
  return tap_done();
}
