/* What is made of charsetd's answers, and of none.  This program is charsetd, too: started under
 * that name it answers as the charset is called. */
#include "message-test.h"

#include <fcntl.h>
#include <limits.h>

/* Knows every charset but x-unknown; dies of x-dies, and of x-died-once the first time. */
static int be_charsetd(void) {
  unsigned char head[6];
  char name[64], died[] = "died";
  while (read(0, head, sizeof head) == sizeof head && read(0, name, head[5]) == head[5]) {
    name[head[5]] = 0;
    if (!strcmp(name, "x-dies")) return 1;
    if (!strcmp(name, "x-died-once") && access(died, F_OK)) return close(creat(died, 0600)) + 1;
    if (write(1, strcmp(name, "x-unknown") ? "\0\0\0\1\0" : "\0\0\0\1\1", 5) != 5) return 1;
  }
  return 0;
}

static bool known(char const *charset, unsigned long silences) {
  unsigned long before = message_charset_silences();
  bool answer = charset_known(charset);
  is_uint(message_charset_silences() - before, silences, charset);
  return answer;
}

int main(int argc, char **argv) {
  char directory[] = "/tmp/chainmail-helper.XXXXXX", self[PATH_MAX];
  if (!strcmp(argv[argc - 1], "charsetd")) return be_charsetd();
  log_init("test");
  if (!realpath(argv[0], self) || !mkdtemp(directory) || chdir(directory)) return 111;
  setenv("IMAP_CHARSETD", self, 1);
  ok(known("x-known", 0), "a charset that charsetd knows");
  ok(!known("x-unknown", 0) && !known("x-unknown", 0), "an answer that it does not is an answer");
  ok(!known("x-died-once", 1), "no answer");
  ok(known("x-died-once", 0), "... is no answer to the next question");
  ok(!known("x-dies", 1) && !known("x-dies", 1), "nor when it is asked again");
  ok(!known("x-known", 1) && !known("x-unknown", 1), "a charsetd that always dies is given up");
  unlink("died");
  rmdir(directory);
  return tap_done();
}
