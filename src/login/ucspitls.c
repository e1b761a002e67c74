/* Starting TLS by the UCSPI-TLS protocol, from the side of the program that asks for it.  What
 * the other side says is base/tlsfacts.c's matter. */
#include "login/login.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <skalibs/types.h>

enum { PRIVATE_FD = 10 };

static char const *const fd_names[] = {"SSLCTLFD", "SSLREADFD", "SSLWRITEFD"};
enum { CONTROL, READ, WRITE, FDS };

/* Descriptor 3 and its neighbours are wanted by others. */
static bool move_away(char const *name, int *fd) {
  char text[21];
  if (*fd >= PRIVATE_FD) return true;
  int high = fcntl(*fd, F_DUPFD, PRIVATE_FD);
  if (high < 0 || setenv(name, log_number(text, (uint64_t)high), 1) < 0) return false;
  *fd = high;
  return true;
}

static bool find_one(char const *name, int *fd) {
  char const *value = getenv(name);
  unsigned int n;
  if (!value || !uint0_scan(value, &n) || n < 3 || n > 1 << 20 || fcntl((int)n, F_GETFD) < 0) {
    log_event("bad-descriptor", "name", name, "value", value ? value : "", "remedy",
              "let tlsd -n or another UCSPI-TLS server run imaplogin, or unset SSLCTLFD",
              (char *)0);
    return false;
  }
  *fd = (int)n;
  return true;
}

bool ucspitls_find(struct ucspitls *tls) {
  int fd[FDS] = {-1, -1, -1};
  *tls = (struct ucspitls){-1, -1, -1};
  if (!getenv(fd_names[CONTROL])) return true;
  for (size_t i = 0; i < FDS; i++)
    if (!find_one(fd_names[i], &fd[i])) return false;
  for (size_t i = 0; i < FDS; i++) {
    if (!move_away(fd_names[i], &fd[i])) {
      log_failure("move descriptor", fd_names[i], "raise the limit on open files");
      return false;
    }
  }
  *tls = (struct ucspitls){fd[CONTROL], fd[READ], fd[WRITE]};
  return true;
}

static void close_all(struct ucspitls *tls) {
  close(tls->control);
  close(tls->read);
  if (tls->write != tls->read) close(tls->write);
  *tls = (struct ucspitls){-1, -1, -1};
  for (size_t i = 0; i < FDS; i++) unsetenv(fd_names[i]);
}

char const *ucspitls_begin(struct ucspitls *tls, int64_t deadline) {
  static struct tls_facts f;
  if (io_write_all(tls->control, "Y", 1, deadline) < 0) return "TLS program ended";
  if (tls_facts_read(&f, tls->control, deadline) < 0 || f.error) return tls_facts_failure(&f);
  tls_facts_log_warning(&f);
  if (tls_facts_export(&f) < 0) return "no memory for the environment";
  if (dup2(tls->read, 0) < 0 || dup2(tls->write, 1) < 0) return "descriptors cannot be moved";
  close_all(tls);
  return 0;
}
