/* The index: a mapped folder is the folder its journal tells of, whatever happens to the file. */
#include "store-test.h"
#include "store/folder.h"

#include <sys/mman.h>

enum { MESSAGES = 800, STEPS = 400 };

static unsigned int serial, seed = 1;

static unsigned int below(unsigned int n) {
  seed = seed * 1103515245 + 12345;
  return (seed >> 8) % n;
}

static void deliver_many(unsigned int n) {
  for (unsigned int i = 0; i < n; i++) {
    char name[100];
    bool cur = below(2);
    unsigned int s = ++serial;
    snprintf(name, sizeof name, cur ? "cur/1700%06u.M%u.host:2,%s" : "new/1700%06u.M%u.host", s, s,
             below(3) ? "S" : "");
    deliver("", name, "Subject: x\n\nbody\n");
  }
}

/* All that a client can see, but for \Recent. */
static char *picture(struct folder *f) {
  size_t room = 400000, n = 0;
  char *text = malloc(room);
  must(!!text, "malloc");
  n += (size_t)snprintf(text, room, "%u messages, first unseen %u\n", folder_count(f),
                        folder_first_unseen(f));
  for (uint32_t seq = 1; seq <= folder_count(f) && n < room - 600; seq++) {
    time_t t = 0, saved = 0;
    folder_internal_date(f, seq, &t);
    folder_save_date(f, seq, &saved);
    n += (size_t)snprintf(text + n, room - n, "%u %x %ju %jd %jd", folder_uid(f, seq),
                          folder_flags(f, seq) & FLAG_STANDARD, (uintmax_t)folder_modseq(f, seq),
                          (intmax_t)t, (intmax_t)saved);
    for (unsigned int k = 0; k < folder_keyword_count(f); k++)
      if (folder_has_keyword(f, seq, k))
        n += (size_t)snprintf(text + n, room - n, " %s", folder_keyword_name(f, k));
    n += (size_t)snprintf(text + n, room - n, "\n");
  }
  return text;
}

/* As a session sees it that reads the journal from its beginning. */
static char *plain_picture(void) {
  char kept[300];
  snprintf(kept, sizeof kept, "%s.aside", path_of("", "chainmail/index"));
  bool there = !rename(path_of("", "chainmail/index"), kept);
  struct store *s = open_store();
  struct folder *f = 0;
  must(!folder_open(s, "", FOLDER_EXAMINE, &f), "folder_open");
  char *text = picture(f);
  folder_close(f);
  store_close(s);
  if (there) must(!rename(kept, path_of("", "chainmail/index")), "rename");
  return text;
}

static bool equals(char const *a, char const *b) {
  size_t i = 0;
  if (!strcmp(a, b)) return true;
  while (a[i] && a[i] == b[i]) i++;
  while (i && a[i - 1] != '\n') i--;
  printf("# found:    %.60s\n# expected: %.60s\n", a + i, b + i);
  return false;
}

/* Frees expected. */
static bool shows(struct folder *f, char *expected) {
  char *found = picture(f);
  bool same = equals(found, expected);
  free(found);
  free(expected);
  return same;
}

static off_t index_size(void) {
  struct stat st;
  return stat(path_of("", "chainmail/index"), &st) < 0 ? -1 : st.st_size;
}

/* A folder that has an index. */
static void make_indexed(void) {
  make_maildir();
  deliver_many(MESSAGES);
  let_settle();
  struct store *s = open_store();
  folder_close(select_folder(s, ""));
  unlink(path_of("", "chainmail/index")); /* from before it moved messages to cur/ */
  let_settle();
  folder_close(select_folder(s, "")); /* looks at what the first has moved to cur/ */
  store_close(s);
}

static void check_use(void) {
  struct stat st;
  make_indexed();
  ok(index_size() > 0, "a large folder gets an index");
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  ok(f->view.map && f->view.map->unchecked, "the next session maps it and has not read all of it");
  ok(shows(f, plain_picture()), "and shows what the journal says");
  ok(f->view.map && !f->view.map->unchecked, "of which every block has been verified");
  folder_close(f);
  must(!chmod(path_of("", "chainmail/index"), 0602), "chmod");
  f = select_folder(s, "");
  ok(!stat(path_of("", "chainmail/index"), &st) && !(st.st_mode & S_IWOTH) &&
         shows(f, plain_picture()),
     "one that everybody may write is not believed, but replaced");
  folder_close(f);
  must(!truncate(path_of("", "chainmail/index"), st.st_size - 8), "truncate");
  f = select_folder(s, "");
  ok(index_size() == st.st_size && shows(f, plain_picture()), "nor one that is too short");
  folder_close(f);
  store_close(s);
}

/* Messages that come, go and change behind the index. */
static void check_follow(void) {
  make_indexed();
  struct store *s = open_store(), *other = open_store();
  struct folder *f = select_folder(s, ""), *g = select_folder(other, "");
  must(!change_flags(g, 3, 5, FLAGS_REPLACE, FLAG_DELETED, "Work"), "store");
  must(!folder_expunge(g, 0), "expunge");
  must(!change_flags(g, 10, 10, FLAGS_ADD, FLAG_FLAGGED, 0), "store");
  deliver_many(1);
  is(sync_and_hear(f, false), "+801:800 k f10 ", "without expunges: flags and new mail are told");
  ok(folder_is_expunged(f, 3) && folder_is_expunged(f, 5), "those that are gone are still there");
  is(sync_and_hear(f, true), "-3 -3 -3 ", "then they are told, once");
  is(sync_and_hear(f, true), "", "and nothing is left to tell");
  sync_and_hear(g, true);
  ok(f->view.map && g->view.map && shows(f, picture(g)), "both show the same");
  ok(shows(f, plain_picture()), "which is what the journal says");
  deliver_many(20000 / 100);
  sync_and_hear(f, true);
  ok(shows(f, plain_picture()), "as after many new ones");
  folder_close(f);
  folder_close(g);
  store_close(s);
  store_close(other);
}

/* The file is cut short under a session that has it mapped. */
static void check_cut(off_t size, bool changed) {
  make_indexed();
  struct store *s = open_store(), *other = open_store();
  struct folder *f = select_folder(s, ""), *g = 0;
  if (changed) {
    must(!change_flags(f, 2, 30, FLAGS_REPLACE, FLAG_DELETED, "Work"), "store");
    must(!folder_expunge(f, 0), "expunge");
    deliver_many(3);
    let_settle();
    sync_and_hear(f, true);
    must(!change_flags(f, 100, 130, FLAGS_ADD, FLAG_ANSWERED, "Late"), "store");
    must(!folder_open(other, "", FOLDER_SELECT, &g), "folder_open");
    must(!change_flags(g, 40, 42, FLAGS_ADD, FLAG_DRAFT, 0), "store");
    must(!change_flags(g, 50, 50, FLAGS_ADD, FLAG_DELETED, 0), "store");
    must(!folder_expunge(g, 0), "expunge");
    must(!folder_follow(f), "follow"); /* known, but not told */
  }
  must(!truncate(path_of("", "chainmail/index"), size), "truncate");
  char *before = picture(f);
  ok(strlen(before) > 1000,
     changed ? "cut short after changes, it can be read" : "cut short, it can be read");
  ok(index_size() < 0, "the file is gone");
  is(sync_and_hear(f, true), changed ? "-50 k f40 f41 f42 " : "", "what was to be told is told");
  ok(shows(f, plain_picture()), "and what is shown is what the journal says");
  free(before);
  folder_close(f);
  if (g) folder_close(g);
  store_close(s);
  store_close(other);
}

/* One bit of a file of ours. */
static void flip_in(char const *file, off_t at) {
  unsigned char byte;
  int fd = open(path_of("", file), O_RDWR);
  must(fd >= 0 && pread(fd, &byte, 1, at) == 1, file);
  byte ^= 0x10;
  must(pwrite(fd, &byte, 1, at) == 1 && !close(fd), file);
}

static void flip(off_t at) {
  flip_in("chainmail/index", at);
}

/* The inode in the journal's entry of a message. */
static void flip_inode(struct folder *f, uint32_t index) {
  flip_in("chainmail/journal", (off_t)view_at(&f->view, index)->entry * 8 + 16);
}

/* Any byte of the index may be wrong. */
static void check_flips(void) {
  make_indexed();
  struct store *s = open_store();
  unsigned int wrong = 0;
  char *expected = plain_picture();
  off_t size = index_size();
  for (off_t at = 0; at < size; at += at < 1100 ? 1 : 97) {
    if (index_size() < 0) { /* it was found to be bad */
      struct store *again = open_store();
      folder_close(select_folder(again, ""));
      store_close(again);
    }
    flip(at);
    struct folder *f = select_folder(s, "");
    char *found = picture(f);
    if (strcmp(found, expected) != 0 && !wrong++) printf("# wrong after byte %jd\n", (intmax_t)at);
    free(found);
    folder_close(f);
    if (index_size() > 0) flip(at); /* between the head and the messages, or it was put aside */
  }
  ok(!wrong, "whatever byte of the index is wrong, the folder is right");
  free(expected);
  store_close(s);
}

static off_t message_at(uint32_t index) {
  return index_size() - (off_t)(MESSAGES - index) * (off_t)sizeof(struct message);
}

/* What is wrong in the last page, which is read, not mapped, is made again as well. */
static void check_last_page(void) {
  make_indexed();
  char *expected = plain_picture();
  flip(message_at(MESSAGES - 2) + (off_t)offsetof(struct message, modseq));
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  ok(shows(f, expected) && index_size() < 0, "a message in the index's last page is made again");
  folder_close(f);
  store_close(s);
}

/* The file changes when the session has verified it: nothing that lasts follows from that. */
static void check_late(size_t field) {
  make_indexed();
  let_settle();
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  char *before = picture(f);
  flip(message_at(100) + (off_t)field);
  f->rescan = true;
  is(sync_and_hear(f, true), "", "an index that goes bad under a session: nothing to tell");
  ok(shows(f, before), "what is shown is right again");
  folder_close(f);
  f = select_folder(s, "");
  ok(shows(f, plain_picture()) && folder_count(f) == MESSAGES, "and the journal is");
  int fd;
  ok(!folder_message(f, 101, &fd) && !close(fd), "and the message can be read");
  folder_close(f);
  store_close(s);
}

/* The file is cut short so that of one message, which is in two pages, the page with its UID is
 * there, with zeros, and the other is not. */
static void check_cut_between(void) {
  make_indexed();
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  uint32_t const index = 170, uid = folder_uid(f, index + 1);
  int fd = -1;
  char *before = picture(f); /* all is verified */
  must(!truncate(path_of("", "chainmail/index"), message_at(index) - 2000), "truncate");
  bool wrong = folder_uid(f, index + 1) != uid;
  ok(folder_message(f, index + 1, &fd) == (wrong ? STORE_UNAVAILABLE : STORE_OK),
     "who was told a wrong UID does not get the message");
  if (fd >= 0) close(fd);
  ok(folder_uid(f, index + 1) == uid && !folder_message(f, index + 1, &fd) && !close(fd),
     "but then it has its own");
  ok(shows(f, before), "as all have");
  folder_close(f);
  store_close(s);
}

/* An entry is read again each time its file is opened. */
static void check_entry(void) {
  make_indexed();
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  int fd;
  flip_inode(f, 100);
  ok(folder_message(f, 101, &fd) == STORE_UNAVAILABLE, "an entry that has changed is not believed");
  sync_and_hear(f, true);
  ok(folder_count(f) == MESSAGES && !folder_message(f, MESSAGES, &fd) && !close(fd),
     "nor is it the end of the message");
  folder_close(f);
  store_close(s);
}

/* A scan reads entries, too, of messages that have other names now. */
static void check_entry_in_scan(void) {
  make_indexed();
  let_settle();
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  char name[MAILDIR_NAME_MAX + 1], from[400], to[400];
  int dirfd, fd;
  must(!folder_name(f, view_at(&f->view, 100), name, &dirfd), "folder_name");
  snprintf(from, sizeof from, "cur/%.300s", name);
  snprintf(to, sizeof to, "cur/%.*s:2,FR", (int)strcspn(name, ":"), name);
  must(!rename(path_of("", from), path_of("", to)), "rename");
  flip_inode(f, 100);
  ok(!folder_sync(f, true, 0), "a scan that meets a damaged entry has the journal repaired");
  ok(folder_count(f) == MESSAGES && !folder_message(f, MESSAGES, &fd) && !close(fd),
     "and every message is there");
  folder_close(f);
  store_close(s);
}

/* Our own renames cause no scan; a stranger's beside them do. */
static void check_own(void) {
  make_indexed();
  let_settle();
  struct store *s = open_store(), *other = open_store();
  struct folder *f = select_folder(s, ""), *g;
  if (folder_watch(f) < 0) return; /* no inotify, nothing to test */
  folder_unwatch(f);
  must(folder_is_known(f) == 1, "a folder that is known");
  must(!change_flags(f, 1, 3, FLAGS_ADD, FLAG_FLAGGED, 0), "store");
  ok(f->own.known && folder_is_known(f) == 1, "what we have renamed is known");
  must(!change_flags(f, 4, 5, FLAGS_ADD, FLAG_FLAGGED, 0), "store");
  ok(f->own.known && folder_is_known(f) == 1, "and what we rename next");
  let_settle();
  folder_rest(f);
  must(!folder_open(other, "", FOLDER_EXAMINE, &g), "folder_open");
  struct maildir_stamp now[2];
  ok(!folder_stamps(f, now) && maildir_stamp_equal(&now[0], &g->view.seen[0]),
     "when time has passed all sessions are told");
  folder_close(g);
  must(!change_flags(f, 1, 3, FLAGS_REMOVE, FLAG_FLAGGED, 0), "store");
  deliver("", "cur/1800000000.M1.host:2,", "Subject: x\n\nbody\n");
  is(sync_and_hear(f, true), "+801:800 ", "a stranger's new name beside ours is seen");
  let_settle();
  sync_and_hear(f, true);
  let_settle();
  sync_and_hear(f, true);
  must(!change_flags(f, 1, 3, FLAGS_ADD, FLAG_FLAGGED, 0), "store");
  must(!rename(path_of("", "cur/1800000000.M1.host:2,"), path_of("", "cur/1800000000.M1.host:2,F")),
       "rename");
  is(sync_and_hear(f, true), "f801 ", "and another flag");
  ok(shows(f, plain_picture()), "and all is as the journal says");
  folder_close(f);
  store_close(s);
  store_close(other);
}

/* Whether nothing but the journal need be read, after a change of ours, by this session. */
static bool is_proved(struct folder *f) {
  return f->own.known && folder_is_known(f) == 1;
}

static void wait_until_known(struct folder *f) {
  let_settle();
  sync_and_hear(f, true);
  must(folder_is_known(f) == 1, "a folder that is known");
}

static bool append_one(struct store *s) {
  struct append *a;
  struct arena arena = {0};
  struct set uids;
  uint32_t validity;
  must(!append_begin(s, "", &a) && !append_write(a, "Subject: y\r\n\r\n", 14), "append");
  bool good =
      !append_message(a, 0, 0, 0, (time_t)-1) && !append_commit(a, &arena, &validity, &uids);
  arena_release(&arena);
  return good;
}

static bool copy_some(struct folder *f, uint32_t first, uint32_t last, struct store *s,
                      char const *to, bool move) {
  struct arena arena = {0};
  struct set seqs;
  struct copied copied;
  set_init(&seqs, &arena);
  set_add_range(&seqs, first, last);
  bool good = !folder_copy(f, &seqs, s, to, move, &arena, &copied);
  arena_release(&arena);
  return good;
}

/* Nor do messages of ours that come and go. */
static void check_own_messages(void) {
  make_indexed();
  let_settle();
  struct store *s = open_store(), *other = open_store();
  struct folder *f = select_folder(s, ""), *g;
  if (folder_watch(f) < 0) return; /* no inotify, nothing to test */
  folder_unwatch(f);
  wait_until_known(f);
  ok(append_one(s) && is_proved(f), "APPEND of ours causes no scan");
  is(sync_and_hear(f, true), "+801:800 ", "and is told");
  ok(copy_some(f, 1, 3, s, "", false) && is_proved(f), "nor does COPY");
  is(sync_and_hear(f, true), "+804:801 ", "and is told");
  must(!change_flags(f, 5, 6, FLAGS_ADD, FLAG_DELETED, 0), "store");
  ok(!folder_expunge(f, 0) && is_proved(f), "nor does EXPUNGE");
  is(sync_and_hear(f, true), "-5 -5 ", "and is told");
  must(!folder_open(other, "", FOLDER_EXAMINE, &g), "folder_open");
  must(!change_flags(f, 5, 6, FLAGS_ADD, FLAG_DELETED, 0), "store");
  ok(!folder_expunge(f, 0) && is_proved(f), "nor where somebody else still looks");
  folder_close(g);
  must(!store_create(s, "box"), "create");
  ok(copy_some(f, 1, 2, s, "box", true) && is_proved(f), "nor does MOVE, where they leave");
  let_settle();
  folder_rest(f);
  must(!folder_open(other, "", FOLDER_EXAMINE, &g), "folder_open");
  ok(folder_is_known(g) == 1 && !g->own.known, "when time has passed all sessions are told");
  folder_close(g);
  wait_until_known(f);
  deliver("", "new/1800000000.M1.host", "Subject: x\n\nbody\n");
  ok(append_one(s) && !is_proved(f), "a stranger's delivery before ours is not overlooked");
  let_settle();
  sync_and_hear(f, true);
  ok(shows(f, plain_picture()), "and all is as the journal says");
  folder_close(f);
  store_close(s);
  store_close(other);
}

/* The journal is damaged where the index stands for it. */
static void check_journal(void) {
  make_indexed();
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  uint32_t uid = folder_uid(f, 400), uidnext = folder_uidnext(f);
  int fd = open(path_of("", "chainmail/journal"), O_RDWR);
  off_t entry = (off_t)view_at(&f->view, 399)->entry * 8;
  must(fd >= 0 && pwrite(fd, "damaged", 7, entry + ENTRY_FIXED + 2) == 7 && !close(fd),
       "damage the journal");
  is(content_of(f, 400), "UNAVAILABLE", "a name that is not what it was is not believed");
  must(!change_flags(f, 1, 1, FLAGS_ADD, FLAG_FLAGGED, 0), "store");
  sync_and_hear(f, true);
  is_uint(folder_count(f), MESSAGES, "the next change repairs the folder");
  ok(folder_uid(f, 399) == uid - 1 && folder_uid(f, 400) == uid + 1 &&
         folder_uid(f, MESSAGES - 1) < uidnext && folder_uid(f, MESSAGES) > uidnext + 1000000,
     "the message of the damaged entry has a new UID, and no other");
  ok(shows(f, plain_picture()), "and it is shown what the journal says");
  folder_close(f);
  store_close(s);
}

/* ---- at random: sessions that live long against one that reads the journal ---- */

static void random_step(struct store *s, struct folder *f) {
  static char const *const words[] = {0, "Work", "Home", "$Junk", "Later"};
  uint32_t n = folder_count(f), first = n ? 1 + below(n) : 0, last = first + below(20);
  if (last > n) last = n;
  switch (below(8)) {
  case 0: deliver_many(1 + below(30)); break;
  case 1:
    if (n) change_flags(f, first, last, FLAGS_ADD, FLAG_DELETED, 0);
    break;
  case 2: folder_expunge(f, 0); break;
  case 3: append_messages(s, "", "a", 1 + below(3), FLAG_SEEN); break;
  case 4:
    if (n) copy_messages(f, first, last, s, "", false);
    break;
  default:
    if (n)
      change_flags(f, first, last, (enum flag_operation)below(3),
                   below(FLAG_STANDARD + 1) & ~FLAG_DELETED, words[below(5)]);
  }
}

static bool status_is(struct store *s, struct folder *f) {
  struct folder_status st;
  unsigned int unseen = 0, deleted = 0;
  must(!store_status(s, "", &st), "status");
  for (uint32_t seq = 1; seq <= folder_count(f); seq++) {
    unseen += !(folder_flags(f, seq) & FLAG_SEEN);
    deleted += !!(folder_flags(f, seq) & FLAG_DELETED);
  }
  if (st.messages == folder_count(f) && st.unseen == unseen && st.deleted == deleted) return true;
  printf("# status %u %u %u, counted %u %u %u\n", st.messages, st.unseen, st.deleted,
         folder_count(f), unseen, deleted);
  return false;
}

static void check_random(void) {
  enum { SESSIONS = 3 };
  struct store *stores[SESSIONS], *status;
  struct folder *folders[SESSIONS];
  unsigned int wrong = 0, mapped = 0, indexes = 0;
  uint64_t newest = 0;
  make_maildir();
  deliver_many(100);
  status = open_store();
  for (int i = 0; i < SESSIONS; i++) {
    stores[i] = open_store();
    folders[i] = select_folder(stores[i], "");
  }
  for (int step = 0; step < STEPS && !wrong; step++) {
    int who = (int)below(SESSIONS);
    random_step(stores[who], folders[who]);
    sync_and_hear(folders[who], below(3) > 0);
    if (!below(20)) {
      folder_close(folders[who]);
      folders[who] = select_folder(stores[who], "");
    }
    if (step % 10) continue;
    for (int i = 0; i < SESSIONS; i++) {
      sync_and_hear(folders[i], true);
      wrong += !shows(folders[i], plain_picture()) || !status_is(status, folders[i]);
      mapped += folders[i]->view.map != 0;
      indexes += folders[i]->indexed > newest;
      if (folders[i]->indexed > newest) newest = folders[i]->indexed;
    }
  }
  ok(!wrong, "after random changes by three sessions all show what the journal says");
  ok(mapped > 0 && indexes > 1, "by the index, which has been renewed on the way");
  for (int i = 0; i < SESSIONS; i++) {
    folder_close(folders[i]);
    store_close(stores[i]);
  }
  store_close(status);
}

int main(void) {
  check_use();
  check_follow();
  check_cut(0, false);
  check_cut(0, true);
  check_cut(20000, true);
  check_flips();
  check_last_page();
  check_late(offsetof(struct message, inode));
  check_late(offsetof(struct message, hash));
  check_cut_between();
  check_entry();
  check_entry_in_scan();
  check_own();
  check_own_messages();
  check_journal();
  check_random();
  return tap_done();
}
