/* What a failure is called: to the client, and in the log. */
#include "store/folder.h"

#include <errno.h>
#include <stdio.h>

static struct {
  char const *code, *words;
} const texts[] = {
    [STORE_OK] = {0, "Completed"},
    [STORE_NONEXISTENT] = {"NONEXISTENT", "There is no such mailbox"},
    [STORE_EXISTS] = {"ALREADYEXISTS", "There is already a mailbox of that name"},
    [STORE_CANNOT] = {"CANNOT", "This cannot be done with this mailbox or under this name"},
    [STORE_EXPUNGED] = {"EXPUNGEISSUED", "Some of these messages have been deleted meanwhile"},
    [STORE_LIMIT] = {"LIMIT", "A limit of the mail server has been reached"},
    [STORE_NOPERM] = {"NOPERM", "The mail server is not permitted to do this"},
    [STORE_FULL] = {"OVERQUOTA", "The disk of the mail server, or your share of it, is full"},
    [STORE_UNAVAILABLE] = {"UNAVAILABLE", "The mailbox cannot be used at the moment"},
};

char const *store_words(enum store_error e) {
  return texts[e].words;
}

char const *store_code(enum store_error e) {
  return texts[e].code;
}

static struct {
  int number;
  enum store_error error;
  char const *remedy;
} const causes[] = {
    {EACCES, STORE_NOPERM, "check owner and mode of it and of the directories above"},
    {EPERM, STORE_NOPERM, "check owner, mode and attributes of it"},
    {EROFS, STORE_NOPERM, "mount the file system writable"},
    {ENOSPC, STORE_FULL, "make room on the file system"},
    {EDQUOT, STORE_FULL, "make room or raise the disk quota of the user"},
    {EFBIG, STORE_FULL, "raise the file size limit of the service"},
    {EMFILE, STORE_UNAVAILABLE, "raise the descriptor limit of the service"},
    {ENFILE, STORE_UNAVAILABLE, "raise the system's limit of open files"},
    {EAGAIN, STORE_UNAVAILABLE, "find the process that holds the lock"},
    {EIO, STORE_UNAVAILABLE, "check the disk"},
};

enum store_error store_failure(char const *attempt, char const *path) {
  for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
    if (errno != causes[i].number) continue;
    log_failure(attempt, path, causes[i].remedy);
    return causes[i].error;
  }
  log_failure(attempt, path, 0);
  return STORE_UNAVAILABLE;
}

enum store_error folder_failure(struct folder const *f, char const *attempt, char const *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s%s%s", f->path, name ? "/" : "", name ? name : "");
  return store_failure(attempt, path);
}
