/* What is believed of a TLS program that may be anybody's: src/base/tlsfacts.c. */
#include "base/tlsfacts.c"
#include "../tap.h"

#include <sys/socket.h>

static struct tls_facts facts;

/* What reading these bytes and then end of file comes to. */
static int told(char const *bytes, size_t size) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) return -2;
  bool sent = send(fds[1], bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
  close(fds[1]);
  errno = 0;
  int r = tls_facts_read(&facts, fds[0], clock_ms() + 5000);
  int saved = errno;
  close(fds[0]);
  errno = saved;
  return sent ? r : -2;
}
#define TOLD(text) told(text, sizeof text - 1)

static void test_honest(void) {
  ok(!TOLD("SSL_PROTOCOL=TLSv1.2\0SSL_CIPHER=X-Y\0\0"), "facts");
  is(tls_facts_get(&facts, "SSL_PROTOCOL"), "TLSv1.2", "protocol");
  is(tls_facts_get(&facts, "SSL_CIPHER"), "X-Y", "cipher");
  is(tls_facts_get(&facts, "SSL_TLS_SNI_SERVERNAME"), 0, "no name");
  is(facts.error, 0, "no error");
  ok(!TOLD("\0"), "no facts");
  is(tls_facts_get(&facts, "SSL_PROTOCOL"), 0, "are none");
  ok(!TOLD("SSL_ERROR=went wrong\0"), "a failure");
  is(facts.error, "went wrong", "and its reason");
}

/* Nothing of these strings is believed but the cipher x. */
static bool only_cipher(char const *bytes, size_t size) {
  setenv("SSL_CIPHER", "old", 1);
  setenv("SSL_CIPHERS", "kept", 1);
  setenv("SSL_PEER_CN", "old", 1);
  if (told(bytes, size) || facts.error || tls_facts_export(&facts)) return false;
  return !strcmp(getenv("SSL_CIPHER"), "x") && !strcmp(getenv("SSL_CIPHERS"), "kept") &&
         !getenv("SSL_PEER_CN") && !getenv("SSL_WARNING") && !getenv("LD_PRELOAD") &&
         strcmp(getenv("PATH"), "/evil") != 0;
}
#define ONLY_CIPHER(text) only_cipher(text, sizeof text - 1)

static void test_hostile(void) {
  static char many[FACTS_MAX + 1000];
  char longest[300] = "SSL_CIPHER=";
  ok(ONLY_CIPHER("PATH=/evil\0SSL_CIPHER=x\0\0"), "no name but those of the list");
  ok(ONLY_CIPHER("SSL_CIPHER=x\0LD_PRELOAD=/evil\0\0"), "in no place");
  ok(ONLY_CIPHER("SSL_CIPHER=x\0SSL_CIPHERS=y\0\0"), "not by prefix");
  ok(ONLY_CIPHER("SSL_CIPHER=x\0SSL_PROTOCOL\0SSL_PEER_\0\0"), "no name without value");
  ok(ONLY_CIPHER("SSL_CIPHER=x\0SSL_PEER_CN=a\nb\0\0"), "nothing unprintable");
  ok(ONLY_CIPHER("SSL_WARNING=y\0SSL_CIPHER=x\0\0"), "warnings are for the log");
  ok(ONLY_CIPHER("SSL_CIPHER=x\0SSL_ERROR=a\nb\0\0"), "in reasons neither");
  ok(TOLD("SSL_ERROR=a\nb\0") < 0 && errno == EPIPE, "nor at the end");
  ok(TOLD("SSL_CIPHER=x\0") < 0 && errno == EPIPE, "no facts cut short");
  ok(TOLD("SSL_CIPHER=x") < 0 && errno == EPIPE, "nor in the middle of one");
  ok(TOLD("SSL_ERROR=x") < 0 && errno == EPIPE, "nor in that of a reason");
  is(tls_facts_get(&facts, "SSL_ERROR"), 0, "of which nothing stays");
  ok(TOLD("") < 0 && errno == EPIPE, "silence");
  memset(longest + 11, 'x', FACT_MAX - 11);
  ok(!told(longest, FACT_MAX + 2), "a fact as long as may be");
  ok(tls_facts_get(&facts, "SSL_CIPHER") != 0, "is one");
  longest[FACT_MAX] = 'x';
  ok(!told(longest, FACT_MAX + 3), "and one longer");
  is(tls_facts_get(&facts, "SSL_CIPHER"), 0, "is not");
  memset(many, 'x', sizeof many);
  ok(told(many, sizeof many) < 0 && errno == EPROTO, "a flood");
  is(tls_facts_failure(&facts), "TLS program misbehaved", "in words");
}

static void test_deadline(void) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) return;
  ok(tls_facts_read(&facts, fds[0], clock_ms()) < 0 && errno == ETIMEDOUT, "the deadline holds");
  close(fds[0]);
  close(fds[1]);
}

static void test_environment(void) {
  extern char **environ;
  char *all[] = {(char[]){"SSL_PEER_CN=root"}, (char[]){"PATH=/bin"},      (char[]){"SSL_CIPHER=x"},
                 (char[]){"SSL_CERT_FILE=/x"}, (char[]){"SSL_PROTOCOL=y"}, 0};
  char **old = environ;
  environ = all;
  tls_facts_unset();
  is(environ[0], "PATH=/bin", "what is not ours stays");
  is(environ[1], "SSL_CERT_FILE=/x", "all of it");
  is(environ[2], 0, "the rest is gone");
  environ = old;
  setenv("SSL_TLS_SNI_SERVERNAME", "of another connection", 1);
  ok(!TOLD("SSL_PROTOCOL=p\0SSL_CIPHER=c\0SSL_PEER_CN=joe\0\0") && !tls_facts_export(&facts),
     "export");
  is(getenv("SSL_PROTOCOL"), "p", "of what was said");
  is(getenv("SSL_PEER_CN"), "joe", "of the peer");
  is(getenv("SSL_TLS_SNI_SERVERNAME"), 0, "and no more");
}

int main(void) {
  test_honest();
  test_hostile();
  test_deadline();
  test_environment();
  return tap_done();
}
