/* maildirimport: takes over, folder by folder, what Courier-IMAP or Dovecot left in a Maildir; or
 * says what would be taken over.  How, is src/store/takeover.c's affair. */
#include "store/takeover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static noreturn void usage(void) {
  log_die(EXIT_MISUSE, "usage", "synopsis", "maildirimport [-n] DIR", (char *)0);
}

static char const *shown(char const *folder) {
  return *folder ? folder : "INBOX";
}

/* A directory without cur is none. */
static bool is_folder(int maildir, char const *folder) {
  char path[MAILDIR_NAME_MAX + 8];
  struct stat st;
  snprintf(path, sizeof path, ".%s/cur", folder);
  return !fstatat(maildir, path, &st, 0);
}

/* False if it could not be looked at. */
static bool show(int maildir, char const *folder) {
  char path[MAILDIR_NAME_MAX + 2];
  struct foreign x;
  size_t present;
  char const *why;
  snprintf(path, sizeof path, ".%s", folder);
  int dir = openat(maildir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int r = dir < 0 ? -1 : takeover_preview(dir, &x, &present, &why);
  if (r < 0) log_failure("look at folder", shown(folder), "see maildircheck");
  if (dir >= 0) close(dir);
  if (!r) printf("%s: nothing is taken over: %s\n", shown(folder), why);
  if (r <= 0) return !r;
  printf("%s: from %s: %zu messages of %zu in its list, UIDVALIDITY %lu, next UID %lu",
         shown(folder), foreign_server(x.kind), present, x.n, (unsigned long)x.uidvalidity,
         (unsigned long)x.uidnext);
  if (x.nkeywords) printf(", keywords");
  for (unsigned int i = 0; i < x.nkeywords; i++) printf(" %s", x.keywords[i]);
  putchar('\n');
  if (x.damaged)
    printf("%s: some lines of its list make no sense: those messages get new UIDs\n",
           shown(folder));
  if (x.dropped) printf("%s: %u keywords cannot be taken over\n", shown(folder), x.dropped);
  foreign_free(&x);
  return true;
}

static bool move_in(struct store *s, char const *folder) {
  struct folder_status status;
  return !store_status(s, folder, &status);
}

int main(int argc, char **argv) {
  struct store_options const options = {.umask = 077, .check_ownership = true};
  struct maildir_folders folders;
  struct store *s = 0;
  bool only_show = false, good = true;
  log_init("maildirimport");
  for (int c; (c = getopt(argc, argv, "n")) != -1;) {
    if (c != 'n') usage();
    only_show = true;
  }
  if (argc - optind != 1) usage();
  char const *path = argv[optind];
  int maildir = maildir_open_tree(path, &folders);
  if (!only_show && store_open(&s, path, &options)) return EXIT_TEMPORARY;
  for (size_t i = 0; i < folders.n; i++) {
    if (!is_folder(maildir, folders.names[i])) continue;
    good &= show(maildir, folders.names[i]);
    fflush(stdout);
    if (s) good &= move_in(s, folders.names[i]);
  }
  if (s) store_close(s);
  maildir_folders_free(&folders);
  return good ? 0 : EXIT_TEMPORARY;
}
