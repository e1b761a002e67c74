/* makeuserdb: compiles the user database; see makeuserdb(8).  What a line may be is
 * src/auth/userdb.c's matter. */
#include "auth/auth.h"
#include "base/base.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static noreturn void die_usage(void) {
  log_die(EXIT_MISUSE, "usage", "why", "makeuserdb text cdb", (char *)0);
}

/* Held until the end of the process, so that userdbpw changes nothing meanwhile. */
static void lock_text(char const *path) {
  struct stat st;
  int fd = userdb_open(path, false);
  if (fd < 0) log_die_failure(EXIT_TEMPORARY, "open and lock", path, 0);
  if (!fstat(fd, &st) && st.st_mode & (S_IRWXG | S_IRWXO))
    log_event("warning", "file", path, "why", "others can read or write the password hashes in it",
              "remedy", "chmod 600", (char *)0);
}

int main(int argc, char **argv) {
  char *text;
  size_t size;
  log_init("makeuserdb");
  if (argc != 3 || *argv[1] == '-') die_usage();
  char const *source = argv[1], *cdb = argv[2];
  lock_text(source);
  if (file_read(AT_FDCWD, source, USERDB_TEXT_MAX, &text, &size) < 0)
    log_die_failure(EXIT_TEMPORARY, "read", source, 0);
  char *temporary = userdb_temporary(cdb);
  if (!temporary) log_die_failure(EXIT_TEMPORARY, "build", cdb, 0);
  int built = userdb_build(text, size, source, temporary);
  if (built < 0) log_die_failure(EXIT_TEMPORARY, "write", temporary, 0);
  if (built) return EXIT_REFUSED;
  if (userdb_install(temporary, cdb) < 0) log_die_failure(EXIT_TEMPORARY, "replace", cdb, 0);
  free(temporary);
  free(text);
  return 0;
}
