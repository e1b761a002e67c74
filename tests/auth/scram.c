/* SCRAM and CRAM-MD5: the examples of the RFCs, keys as text, and every way for a client to be
 * wrong. */
#include "auth/scram.h"
#include "auth/auth.h"
#include "base/base.h"
#include "../tap.h"

#include <stdlib.h>

struct example {
  struct scram_kind const *kind;
  char const *salt, *first, *nonce, *challenge, *final, *proof;
};

/* RFC 5802 section 5 and RFC 7677 section 3: user and pencil. */
static struct example const examples[] = {
    {&scram_sha_1, "QSXCR+Q6sek8bf92", "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j",
     "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
     "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
     "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="},
    {&scram_sha_256, "W22ZaJ0SNY7soEsUEjb6gQ==", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
     "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
     "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
     "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
};

static struct scram_key key_of(struct example const *e) {
  struct scram_key key = {.iterations = 4096};
  char salt[64];
  ssize_t n = base64_decode(e->salt, strlen(e->salt), salt);
  memcpy(key.salt, salt, (size_t)n);
  key.salt_size = (size_t)n;
  scram_key_make(e->kind, "pencil", &key);
  return key;
}

static void test_example(struct example const *e) {
  struct scram s = {.kind = e->kind};
  struct scram_key key = key_of(e);
  char final[SCRAM_MESSAGE_MAX];
  ok(scram_begin(&s, e->first), "the client's first message");
  is(s.user, "user", "its user");
  ok(s.flag == 'n' && !*s.authzid, "no binding, nobody else");
  /* The examples' nonces are longer and shorter than ours. */
  snprintf(s.first, sizeof s.first, "%s", e->challenge);
  ok(scram_finish(&s, &key, e->final, final) == SCRAM_RIGHT, "the proof");
  is(final, e->proof, "ours");
  char wrong[300];
  snprintf(wrong, sizeof wrong, "%s", e->final);
  char *last = strrchr(wrong, ',') + 3;
  *last = *last == 'A' ? 'B' : 'A';
  ok(scram_finish(&s, &key, wrong, final) == SCRAM_WRONG, "another proof");
  key.stored[0] ^= 1;
  ok(scram_finish(&s, &key, e->final, final) == SCRAM_WRONG, "another key");
}

/* What the server says, with our nonce. */
static void test_challenge(void) {
  struct scram s = {.kind = &scram_sha_256};
  struct scram_key key = key_of(&examples[1]);
  ok(scram_begin(&s, "y,a=jane,n=j=2Coe=3D,r=abc,x=what"), "an escaped name, an extension");
  is(s.user, "j,oe=", "the user");
  is(s.authzid, "jane", "who wants to be another");
  ok(s.flag == 'y', "and could bind");
  scram_challenge(&s, &key, "0123456789abcdef01234567");
  is(s.first, "r=abc0123456789abcdef01234567,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "the challenge");
}

static void test_first(void) {
  static char const *const bad[] = {"",
                                    "n",
                                    "n,",
                                    "n,,",
                                    "n,,n=",
                                    "n,,n=,r=x",
                                    "n,,n=joe",
                                    "n,,n=joe,",
                                    "n,,n=joe,r=",
                                    "n,,n=joe,r=a b",
                                    "n,,n=joe,r=\xc3\xa4",
                                    "n,,n=j=oe,r=x",
                                    "n,,n=joe=,r=x",
                                    "n,,n=joe=2,r=x",
                                    "n,,n=joe=2c,r=x",
                                    "n,,r=x,n=joe",
                                    "n,,m=1,n=joe,r=x",
                                    "n,a=,n=joe,r=x",
                                    "n,b=x,n=joe,r=x",
                                    "n,a=x,,n=joe,r=x",
                                    "x,,n=joe,r=x",
                                    "p,,n=joe,r=x",
                                    "p=,,n=joe,r=x",
                                    "p=tls-unique,,n=joe,r=x",
                                    "p=tls-server-end-pointx,,n=joe,r=x",
                                    "nn,,n=joe,r=x",
                                    ",,n=joe,r=x",
                                    "n,n=joe,r=x"};
  struct scram s = {.kind = &scram_sha_256};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ok(!scram_begin(&s, bad[i]), bad[i]);
  char text[2000];
  snprintf(text, sizeof text, "n,,n=%0*d,r=x", SCRAM_USER_MAX, 0);
  ok(scram_begin(&s, text), "the longest user");
  snprintf(text, sizeof text, "n,,n=%0*d,r=x", SCRAM_USER_MAX + 1, 0);
  ok(!scram_begin(&s, text), "and one more");
  snprintf(text, sizeof text, "n,,n=joe,r=%0*d", SCRAM_NONCE_MAX, 0);
  ok(scram_begin(&s, text), "the longest nonce");
  snprintf(text, sizeof text, "n,,n=joe,r=%0*d", SCRAM_NONCE_MAX + 1, 0);
  ok(!scram_begin(&s, text), "and one more");
}

static void test_final(void) {
  static char const *const bad[] = {
      "",
      "c=biws",
      "c=biws,r=abc0123456789abcdef01234567",
      "c=biws,r=abc0123456789abcdef01234567,p=",
      "c=biws,r=abc0123456789abcdef01234567,p=AAAA",
      "c=biws,r=abc,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
      "c=biws,r=abc0123456789abcdef01234567x,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
      "c=,r=abc0123456789abcdef01234567,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
      "r=abc0123456789abcdef01234567,c=biws,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
      "c=biws,r=abc0123456789abcdef01234567,m=1,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
      "c=biws,r=abc0123456789abcdef01234567,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=,x=y"};
  struct scram s = {.kind = &scram_sha_256};
  struct scram_key key = key_of(&examples[1]);
  char final[SCRAM_MESSAGE_MAX];
  scram_begin(&s, "n,,n=user,r=abc");
  scram_challenge(&s, &key, "0123456789abcdef01234567");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    ok(scram_finish(&s, &key, bad[i], final) == SCRAM_MALFORMED, bad[i]);
  ok(scram_finish(&s, &key,
                  "c=eSws,r=abc0123456789abcdef01234567,"
                  "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                  final) == SCRAM_UNBOUND,
     "another header than the first message had");
  ok(scram_finish(&s, &key,
                  "c=biws,r=abc0123456789abcdef01234567,x=y,"
                  "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                  final) == SCRAM_WRONG,
     "an extension that means nothing");
}

/* With a binding, `c` is the header and what both know of the channel. */
static void test_binding(void) {
  struct scram s = {.kind = &scram_sha_256, .binding = "\1\2\3", .binding_size = 3};
  struct scram_key key = key_of(&examples[1]);
  char final[SCRAM_MESSAGE_MAX], message[300], input[100];
  ok(scram_begin(&s, "p=tls-server-end-point,,n=user,r=abc"), "a bound client");
  scram_challenge(&s, &key, "0123456789abcdef01234567");
  for (int i = 0; i < 2; i++) {
    input[base64_encode(i ? "p=tls-server-end-point,,\1\2\4" : "p=tls-server-end-point,,\1\2\3", 27,
                        input)] = 0;
    snprintf(
        message, sizeof message,
        "c=%s,r=abc0123456789abcdef01234567,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", input);
    ok(scram_finish(&s, &key, message, final) == (i ? SCRAM_UNBOUND : SCRAM_WRONG),
       i ? "bound to another channel" : "bound to this one: the proof counts");
  }
}

static void test_keys(void) {
  struct scram_key key = key_of(&examples[1]), again;
  char text[SCRAM_KEY_TEXT], prefixed[SCRAM_KEY_TEXT + 20];
  scram_key_format(&scram_sha_256, &key, text);
  ok(scram_key_parse(&scram_sha_256, text, &again), "a key as text");
  ok(again.iterations == 4096 && again.salt_size == key.salt_size &&
         !memcmp(again.salt, key.salt, key.salt_size) && !memcmp(again.stored, key.stored, 32) &&
         !memcmp(again.server, key.server, 32),
     "is the same key");
  snprintf(prefixed, sizeof prefixed, "SCRAM-SHA-256$%s", text);
  ok(scram_key_parse(&scram_sha_256, prefixed, &again), "with RFC 5803's scheme, too");
  ok(!scram_key_parse(&scram_sha_1, text, &again), "but it is none of SCRAM-SHA-1");
  unsigned int good = 0;
  size_t size = strlen(text);
  for (size_t i = 0; i < size; i++) {
    char cut[SCRAM_KEY_TEXT];
    memcpy(cut, text, i);
    cut[i] = 0;
    good += scram_key_parse(&scram_sha_256, cut, &again);
  }
  is_uint(good, 0, "no part of it is a key");
  static char const *const bad[] = {"",      "x",       "0:AAAA$",     "4096",
                                    "4096:", "4096:$:", "-1:AAAA$x:y", "99999999999:AAAA$x:y"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    ok(!scram_key_parse(&scram_sha_256, bad[i], &again), bad[i]);
}

/* Any bytes whatever, for the sanitizers. */
static void test_noise(void) {
  static char const letters[] = "npy,=abcr:$+/1m\xc3\x01";
  struct scram s = {.kind = &scram_sha_256};
  struct scram_key key = key_of(&examples[1]), other;
  char text[80], final[SCRAM_MESSAGE_MAX];
  uint32_t seed = 1;
  unsigned int right = 0;
  for (int round = 0; round < 200000; round++) {
    size_t n = (seed >> 8) % (sizeof text - 1);
    for (size_t i = 0; i < n; i++) {
      seed = seed * 1664525 + 1013904223;
      text[i] = letters[(seed >> 16) % (sizeof letters - 1)];
    }
    text[n] = 0;
    scram_key_parse(&scram_sha_256, text, &other);
    if (scram_begin(&s, text)) {
      scram_challenge(&s, &key, "0123456789abcdef01234567");
      right += scram_finish(&s, &key, text, final) == SCRAM_RIGHT;
    }
  }
  is_uint(right, 0, "noise proves nothing");
}

/* RFC 4013 section 3. */
static void test_saslprep(void) {
  static struct {
    char const *in, *out;
  } const cases[] = {
      {"I\xc2\xadX", "IX"},  {"user", "user"},       {"USER", "USER"},
      {"\xc2\xaa", "a"},     {"\xe2\x85\xa8", "IX"}, {"\x07", 0},
      {"a\xc2\xa0z", "a z"}, {"\xe3\x80\x80", " "},  {"a\xcc\x88", "\xc3\xa4"},
      {"\xff", 0},           {"\xee\x80\x80", 0},    {"", 0},
      {"\xc2\xad", 0},       {"\xe2\x80\x8bz", "z"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *out = saslprep(cases[i].in);
    is(out, cases[i].out, cases[i].out ? cases[i].out : "refused");
    free(out);
  }
}

/* RFC 2195 section 2. */
static void test_cram(void) {
  char secret[CRAM_SECRET_SIZE], digest[CRAM_DIGEST_SIZE], password[200];
  cram_secret("tanstaaftanstaaf", secret);
  ok(cram_digest(secret, "<1896.697170952@postoffice.reston.mci.net>", digest), "a secret");
  is(digest, "b913a602c7eda7a495b4e6e7334d3890", "the RFC's digest");
  /* The form in which other servers have it, Courier and Dovecot among them. */
  cram_secret("test", secret);
  is(secret, "e02d374fde0dc75a17a557039a3a5338c7743304777dccd376f332bee68d2cf6",
     "the secret's form");
  /* RFC 2202: a key longer than a block. */
  memset(password, 0xaa, 80);
  password[80] = 0;
  cram_secret(password, secret);
  cram_digest(secret, "Test Using Larger Than Block-Size Key - Hash Key First", digest);
  is(digest, "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd", "a long password");
  ok(!cram_digest("", "x", digest), "no secret");
  ok(!cram_digest("00", "x", digest), "a short one");
  secret[5] = 'g';
  ok(!cram_digest(secret, "x", digest), "one that is not of digits");
}

int main(void) {
  log_init("scram");
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) test_example(&examples[i]);
  test_challenge();
  test_first();
  test_final();
  test_binding();
  test_keys();
  test_noise();
  test_saslprep();
  test_cram();
  return tap_done();
}
