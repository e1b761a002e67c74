/* maildirexport: writes the files with which Courier-IMAP or Dovecot goes on where we stopped: same
 * UIDs, same keywords.  How, is src/store/handover.c's affair. */
#include "store/handover.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static noreturn void usage(void) {
  log_die(EXIT_MISUSE, "usage", "synopsis", "maildirexport courier|dovecot DIR", (char *)0);
}

static bool hand_over(struct store *s, char const *folder, enum foreign_kind kind) {
  struct handed_over done;
  enum store_error e = folder_hand_over(s, folder, kind, &done);
  char const *shown = *folder ? folder : "INBOX";
  if (e == STORE_NONEXISTENT) return true; /* a directory without cur is no folder */
  if (e) {
    printf("%s: not handed over: %s\n", shown, store_words(e));
    return false;
  }
  printf("%s: handed over to %s: %lu messages\n", shown, foreign_server(kind),
         (unsigned long)done.messages);
  if (done.keywords_lost)
    printf("%s: %lu keywords of messages are lost: Dovecot's names have room for 26 keywords\n",
           shown, (unsigned long)done.keywords_lost);
  return true;
}

int main(int argc, char **argv) {
  struct store_options const options = {.umask = 077, .check_ownership = true};
  struct maildir_folders folders;
  struct store *s;
  log_init("maildirexport");
  if (getopt(argc, argv, "") != -1 || argc - optind != 2) usage();
  char const *path = argv[optind + 1];
  enum foreign_kind kind = !strcmp(argv[optind], "courier")   ? FOREIGN_COURIER
                           : !strcmp(argv[optind], "dovecot") ? FOREIGN_DOVECOT
                                                              : FOREIGN_NONE;
  if (kind == FOREIGN_NONE) usage();
  maildir_open_tree(path, &folders);
  if (store_open(&s, path, &options)) return EXIT_TEMPORARY;
  bool good = true;
  for (size_t i = 0; i < folders.n; i++) good &= hand_over(s, folders.names[i], kind);
  if (store_hand_over_subscriptions(s, kind)) good = false;
  store_close(s);
  maildir_folders_free(&folders);
  return good ? 0 : EXIT_TEMPORARY;
}
