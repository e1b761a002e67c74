/* maildirmake: makes a Maildir, or a folder in one.  What is in them is the business of others. */
#include "maildir/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static noreturn void usage(void) {
  log_die(EXIT_MISUSE, "usage", "synopsis", "maildirmake [-f FOLDER] DIR", (char *)0);
}

static noreturn void die(char const *attempt, char const *path, char const *remedy) {
  log_die_failure(errno == EEXIST ? EXIT_REFUSED : EXIT_TEMPORARY, attempt, path, remedy);
}

/* In a shared Maildir a folder has its group and mode; otherwise it is its owner's alone. */
static void make_folder(char const *folder, char const *dir) {
  char const *why, *remedy;
  struct stat st;
  if (!maildir_folder_name_ok(folder))
    log_die(EXIT_MISUSE, "refused", "folder", folder, "why", "this cannot be a folder's name",
            "remedy", "write it without a leading dot, levels separated by single dots", (char *)0);
  int fd = maildir_check(dir, false, &why, &remedy);
  if (fd < 0)
    log_die(EXIT_TEMPORARY, "refused", "path", dir, "why", why, "remedy", remedy, (char *)0);
  if (fstat(fd, &st) < 0) die("stat", dir, 0);
  bool shared = st.st_mode & (S_ISGID | S_IWGRP);
  if (maildir_create_folder(fd, folder, shared ? st.st_mode & 02770 : 0700,
                            shared ? st.st_gid : (gid_t)-1) < 0)
    die("create a folder in", dir, 0);
}

int main(int argc, char **argv) {
  char const *folder = 0;
  log_init("maildirmake");
  for (int c; (c = getopt(argc, argv, "f:")) != -1;) {
    if (c != 'f') usage();
    folder = optarg;
  }
  if (argc - optind != 1) usage();
  if (folder)
    make_folder(folder, argv[optind]);
  else if (maildir_create(argv[optind]) < 0)
    die("create", argv[optind], 0);
  return 0;
}
