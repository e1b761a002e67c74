/* reportuser: tells authcheckpassword, on standard output, who a checkpassword program has made of
 * it; see authcheckpassword(8).  It decides nothing. */
#include "auth/report.h"
#include "base/base.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct report {
  char text[REPORT_MAX];
  size_t size;
};

static void put_bytes(struct report *r, char const *bytes, size_t size) {
  if (size > sizeof r->text - r->size)
    log_die(EXIT_TEMPORARY, "failed", "attempt", "report the user", "why",
            "more than 65536 bytes of groups and paths", (char *)0);
  memcpy(r->text + r->size, bytes, size);
  r->size += size;
}

static void put(struct report *r, char const *s) {
  put_bytes(r, s, strlen(s) + 1);
}

static void put_groups(struct report *r) {
  char number[21];
  int count = getgroups(0, 0);
  gid_t *groups = count < 0 ? 0 : calloc((size_t)count + 1, sizeof *groups);
  if (groups) count = getgroups(count, groups);
  if (!groups || count < 0) log_die_failure(EXIT_TEMPORARY, "getgroups", 0, 0);
  for (int i = 0; i < count; i++) {
    if (i) put_bytes(r, " ", 1);
    put_bytes(r, number, strlen(log_number(number, groups[i])));
  }
  put(r, "");
  free(groups);
}

/* Half a change of user is none. */
static void put_ids(struct report *r) {
  char number[21];
  if (getuid() != geteuid() || getgid() != getegid())
    log_die(EXIT_TEMPORARY, "failed", "attempt", "report the user", "why",
            "the real and the effective user or group differ", "remedy",
            "use a checkpassword program that sets both", (char *)0);
  put(r, log_number(number, getuid()));
  put(r, log_number(number, getgid()));
  put_groups(r);
}

int main(void) {
  static struct report r;
  char directory[PATH_MAX];
  log_init("reportuser");
  put(&r, REPORT_MAGIC);
  put_ids(&r);
  put(&r, getcwd(directory, sizeof directory) ? directory : "");
  for (size_t i = REPORT_HOME; i < REPORT_COUNT; i++) {
    char const *value = getenv(report_variables[i]);
    put(&r, value ? value : "");
  }
  if (io_write_all(1, r.text, r.size, -1) < 0)
    log_die_failure(EXIT_TEMPORARY, "write the report", "standard output", 0);
  return 0;
}
