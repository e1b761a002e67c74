/* A journal that cannot be read for a moment, sound or damaged: what could not be read is not taken
 * for damage, and nothing that was known is written away. */
#include "failing.h"
#include "store/folder.h"
#include "store/inspect.h"

enum { MESSAGES = 6, DAMAGED = 4 };

static void prepare(void) {
  make_maildir();
  for (int i = 1; i <= MESSAGES; i++) {
    char name[40], text[40];
    snprintf(name, sizeof name, "cur/%d.x.h:2,S", i);
    snprintf(text, sizeof text, "Subject: number %d\n\n", i);
    deliver("", name, text);
  }
  let_settle();
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  must(!change_flags(f, 1, MESSAGES, FLAGS_ADD, 0, "$kept"), "flags");
  folder_close(f);
  store_close(s);
}

/* One byte of the entry of a message. */
static void damage(void) {
  char byte;
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  off_t at = (off_t)view_at(&f->view, DAMAGED - 1)->entry * 8 + 16;
  folder_close(f);
  store_close(s);
  int fd = open(path_of("", "chainmail/journal"), O_RDWR);
  must(fd >= 0 && pread(fd, &byte, 1, at) == 1, "read");
  byte ^= 1;
  must(pwrite(fd, &byte, 1, at) == 1 && !close(fd), "write");
}

/* Opens the folder, looks at it under the lock, and writes. */
static void session(void) {
  struct store *s;
  struct folder *f = 0;
  if (store_open(&s, maildir, &options)) return;
  if (!folder_open(s, "", FOLDER_SELECT, &f)) {
    change_flags(f, 1, 1, FLAGS_ADD, FLAG_FLAGGED, 0);
    folder_sync(f, true, 0);
    folder_close(f);
  }
  store_close(s);
}

/* Whether each message has its UID and keyword, but for the damaged one. */
static bool all_kept(bool damaged) {
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  bool good = folder_count(f) == MESSAGES && (damaged || folder_uidnext(f) == MESSAGES + 1);
  int kept = 0, keyword = folder_keyword_find(f, "$kept");
  for (uint32_t i = 1; i <= folder_count(f); i++) {
    uint32_t uid = folder_uid(f, i);
    char text[40];
    snprintf(text, sizeof text, "Subject: number %u\n\n", uid);
    if (uid > MESSAGES) continue;
    good &= !strcmp(content_of(f, i), text);
    kept += keyword >= 0 && folder_has_keyword(f, i, (unsigned int)keyword);
  }
  good &= kept == MESSAGES - damaged;
  if (!good)
    printf("# %u messages, %d as they were, UIDNEXT %u\n", folder_count(f), kept,
           folder_uidnext(f));
  folder_close(f);
  store_close(s);
  return good;
}

static void fail_everywhere(bool damaged, bool lasting) {
  char name[100];
  bool good = true;
  int at = 0;
  for (bool last = false; good && !last;) {
    prepare();
    if (damaged) damage();
    fault.calls = 0;
    fault.only = "pread";
    fault.error = EIO;
    fault.lasting = lasting;
    fault.at = ++at;
    session();
    last = fault.calls < at;
    fault.at = fault.error = 0;
    fault.lasting = false;
    fault.only = 0;
    good = all_kept(damaged);
  }
  if (!good) printf("# call %d failed\n", at);
  snprintf(name, sizeof name, "a %s journal, EIO%s: what it says is kept",
           damaged ? "damaged" : "sound", lasting ? " from then on" : "");
  ok(good, name);
  ok(at > 4, "there were some such calls");
}

/* What maildircheck is told. */
static void inspected(bool damaged) {
  struct inspection found;
  enum journal_health health = damaged ? HEALTH_DAMAGED : HEALTH_SOUND;
  bool good = true;
  prepare();
  if (damaged) damage();
  int dir = open(maildir, O_RDONLY | O_DIRECTORY), r = 0;
  fault.error = EIO;
  fault.only = "pread";
  for (int at = 1; good && (at == 1 || r < 0); at++) {
    fault.calls = 0;
    fault.at = at;
    r = folder_inspect(dir, &found);
    good = r < 0 || fault.calls < at || found.health == health;
  }
  fault.at = fault.error = 0;
  fault.only = 0;
  ok(good, "nor is it judged");
  ok(!folder_inspect(dir, &found) && found.health == health, "until it can be read");
  close(dir);
}

int main(void) {
  if (!getenv("TMPDIR") && !access("/dev/shm", W_OK)) setenv("TMPDIR", "/dev/shm", 1);
  int err = dup(2), null = open("/dev/null", O_WRONLY);
  must(err >= 0 && null >= 0 && dup2(null, 2) == 2, "no log");
  for (int i = 0; i < 4; i++) fail_everywhere(i & 1, i & 2);
  for (int i = 0; i < 2; i++) inspected(i);
  dup2(err, 2);
  return tap_done();
}
