/* Whether programs can be linked with musl here: the Makefile tries it with this one, and takes
 * glibc if it cannot be made.  It uses a header and a function of each library that is made for
 * glibc and that those programs need. */
#include <bearssl.h>
#include <cdb.h>
#include <crypt.h>
#include <linux/seccomp.h>
#include <skalibs/types.h>

int main(void) {
  static struct crypt_data work;
  struct cdb cdb;
  br_ssl_server_context server;
  unsigned int n;
  br_ssl_server_init_full_ec(&server, 0, 0, 0, 0);
  return cdb_init(&cdb, 0) < 0 && crypt_r("", "", &work) && !uint0_scan("1", &n);
}
