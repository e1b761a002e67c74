/* What tlsd believes of an engine that may be anybody's: src/tls/facts.c. */
#include "tls/facts.c"
#include "../tap.h"

#include <sys/socket.h>

static struct facts facts;

/* What reading these bytes and then end of file comes to. */
static int told(char const *bytes, size_t size) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) return -2;
  bool sent = send(fds[1], bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
  close(fds[1]);
  errno = 0;
  int r = facts_read(&facts, fds[0], clock_ms() + 5000);
  int saved = errno;
  close(fds[0]);
  errno = saved;
  return sent ? r : -2;
}
#define TOLD(text) told(text, sizeof text - 1)

static void test_honest(void) {
  ok(!TOLD("SSL_PROTOCOL=TLSv1.2\0SSL_CIPHER=X-Y\0\0"), "facts");
  is(facts_get(&facts, "SSL_PROTOCOL"), "TLSv1.2", "protocol");
  is(facts_get(&facts, "SSL_CIPHER"), "X-Y", "cipher");
  is(facts_get(&facts, "SSL_TLS_SNI_SERVERNAME"), 0, "no name");
  is(facts.error, 0, "no error");
  ok(!TOLD("\0"), "no facts");
  is(facts_get(&facts, "SSL_PROTOCOL"), 0, "are none");
  ok(!TOLD("SSL_ERROR=went wrong\0"), "a failure");
  is(facts.error, "went wrong", "and its reason");
}

static void test_hostile(void) {
  static char many[FACTS_MAX + 1000];
  char longest[300] = "SSL_CIPHER=";
  ok(TOLD("PATH=/tmp\0\0") < 0 && errno == EPROTO, "no name but those of the list");
  ok(TOLD("SSL_CIPHER=x\0LD_PRELOAD=/tmp/x\0\0") < 0 && errno == EPROTO, "in no place");
  ok(TOLD("SSL_CIPHERS=x\0\0") < 0 && errno == EPROTO, "not by prefix");
  ok(TOLD("SSL_CIPHER\0\0") < 0 && errno == EPROTO, "no name without value");
  ok(TOLD("SSL_CIPHER=a\nb\0\0") < 0 && errno == EPROTO, "nothing unprintable");
  ok(TOLD("SSL_ERROR=a\nb\0") < 0 && errno == EPROTO, "in reasons neither");
  ok(TOLD("SSL_CIPHER=x\0") < 0 && errno == EPIPE, "no facts cut short");
  ok(TOLD("SSL_CIPHER=x") < 0 && errno == EPROTO, "nor in the middle of one");
  ok(TOLD("") < 0 && errno == EPIPE, "silence");
  memset(longest + 11, 'x', FACT_MAX - 11);
  ok(!told(longest, FACT_MAX + 2), "a fact as long as may be");
  longest[FACT_MAX] = 'x';
  ok(told(longest, FACT_MAX + 3) < 0 && errno == EPROTO, "and one longer");
  memset(many, 'x', sizeof many);
  ok(told(many, sizeof many) < 0 && errno == EPROTO, "a flood");
}

static void test_deadline(void) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) return;
  ok(facts_read(&facts, fds[0], clock_ms()) < 0 && errno == ETIMEDOUT, "the deadline holds");
  close(fds[0]);
  close(fds[1]);
}

static void test_environment(void) {
  extern char **environ;
  char *all[] = {(char[]){"SSL_PEER_CN=root"},
                 (char[]){"PATH=/bin"},
                 (char[]){"SSLCTLFD=3"},
                 (char[]){"SSLREADFD=4"},
                 (char[]){"SSL=5"},
                 (char[]){"SSLWRITEFD=5"},
                 0};
  char **old = environ;
  environ = all;
  facts_unset();
  is(environ[0], "PATH=/bin", "what is not ours stays");
  is(environ[1], "SSL=5", "all of it");
  is(environ[2], 0, "the rest is gone");
  environ = old;
  unsetenv("SSL_TLS_SNI_SERVERNAME");
  ok(!TOLD("SSL_PROTOCOL=p\0SSL_CIPHER=c\0\0") && !facts_export(&facts), "export");
  is(getenv("SSL_PROTOCOL"), "p", "of what was said");
  is(getenv("SSL_TLS_SNI_SERVERNAME"), 0, "and no more");
}

int main(void) {
  test_honest();
  test_hostile();
  test_deadline();
  test_environment();
  return tap_done();
}
