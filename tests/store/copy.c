/* COPY, MOVE and APPEND: what goes along, what is told, all or nothing. */
#include "store-test.h"

static struct store *s;
static struct folder *f;

static void begin(void) {
  make_maildir();
  s = open_store();
  must(!store_create(s, "box"), "create");
  deliver("", "cur/1.a.h:2,FS", "a\n");
  deliver("", "cur/2.b.h:2,", "b\n");
  deliver("", "cur/3.c.h:2,zT", "c\n");
  f = select_folder(s, "");
  change_flags(f, 1, 1, FLAGS_ADD, 0, "$mine");
  change_flags(f, 3, 3, FLAGS_ADD, 0, "$other");
  sync_and_hear(f, true);
}

static void end(void) {
  folder_close(f);
  store_close(s);
}

static char const *numbers(struct set const *set) {
  static char text[2][200];
  static int turn;
  char *p = text[turn++ % 2];
  size_t n = 0;
  *p = 0;
  for (uint32_t x = 0; set_next(set, &x);) n += (size_t)sprintf(p + n, "%u ", x);
  return p;
}

static void copying(void) {
  begin();
  struct store *s2 = open_store();
  struct folder *box = select_folder(s2, "box");
  struct arena arena = {0};
  struct set seqs;
  struct copied copied;
  set_init(&seqs, &arena);
  set_add(&seqs, 1);
  set_add(&seqs, 3);
  is_uint(folder_copy(f, &seqs, s, "box", false, &arena, &copied), STORE_OK, "COPY");
  is(numbers(&copied.source_uids), "1 3 ", "COPYUID: from");
  is(numbers(&copied.target_uids), "1 2 ", "COPYUID: to");
  is_uint(copied.uidvalidity, folder_uidvalidity(box), "COPYUID: UIDVALIDITY of the target");
  is(sync_and_hear(box, true), "+2:0 k ", "a session that has the target selected is told");
  is(flags_of(box, 1), "FSr $mine", "flags and keywords go along, and it is recent");
  is(flags_of(box, 2), "Tr $other", "each message's own");
  ok(strstr(file_in("box", "cur", ""), ",S=2:2,"), "names carry the size for other programs");
  ok(!strchr(file_in("box", "cur", ""), 'z'), "letters of another program's keywords stay behind");
  struct stat st;
  must(!stat(path_of("", "cur/1.a.h:2,FS"), &st), "stat");
  is_uint(st.st_nlink, 2, "by hard link");
  is(content_of(box, 2), "c\n", "with their content");
  is_uint(folder_copy(f, &seqs, s, "nope", false, &arena, &copied), STORE_NONEXISTENT,
          "COPY to nothing");
  is_uint(folder_copy(f, &seqs, s, "", false, &arena, &copied), STORE_OK, "COPY onto itself");
  is(sync_and_hear(f, true), "+5:3 ", "makes new messages");
  is(content_of(f, 5), "c\n", "of the same content");
  is_uint(folder_copy(f, &seqs, s, "box", true, &arena, &copied), STORE_OK, "MOVE");
  is(numbers(&copied.target_uids), "3 4 ", "to new UIDs");
  is(sync_and_hear(f, true), "-1 -2 ", "and away from here");
  is_uint(files_in("", "cur"), 3, "really");
  is(sync_and_hear(box, true), "+4:2 ", "and there");
  is_uint(copy_messages(f, 1, 1, s, "", true), STORE_OK, "MOVE onto itself");
  is(sync_and_hear(f, true), "-1 +3:2 ", "is a new UID");
  /* What another session has expunged cannot be copied, and then nothing is. */
  struct store *s3 = open_store();
  struct folder *other = select_folder(s3, "");
  change_flags(other, 1, 1, FLAGS_REPLACE, FLAG_DELETED, 0);
  struct set one;
  set_init(&one, &arena);
  set_add(&one, folder_uid(other, 1));
  must(!folder_expunge(other, &one), "expunge");
  is_uint(copy_messages(f, 1, 3, s, "box", false), STORE_EXPUNGED, "COPY of an expunged message");
  is(sync_and_hear(box, true), "", "copies nothing");
  is(sync_and_hear(f, true), "-1 ", "and then is told");
  folder_close(other);
  store_close(s3);
  folder_close(box);
  store_close(s2);
  arena_release(&arena);
  end();
}

static void appending(void) {
  begin();
  struct append *a;
  struct arena arena = {0};
  struct set uids;
  uint32_t validity;
  char const *keywords[] = {"$new", "$mine"};
  is_uint(append_begin(s, "nope", &a), STORE_NONEXISTENT, "APPEND to nothing");
  is_uint(append_begin(s, "box", &a), STORE_OK, "APPEND");
  is_uint(append_write(a, "a\r", 2), STORE_OK, "bytes in any pieces");
  append_write(a, "\nb\r\r\nc\nd\r", 9);
  is_uint(append_message(a, FLAG_SEEN | FLAG_DRAFT, keywords, 2, 1000000000), STORE_OK, "one");
  append_write(a, "e\0f", 3);
  is_uint(append_message(a, 0, 0, 0, (time_t)-1), STORE_OK, "two");
  is_uint(files_in("box", "cur"), 0, "nothing is there before the commit");
  is_uint(append_commit(a, &arena, &validity, &uids), STORE_OK, "commit");
  is(numbers(&uids), "1 2 ", "UIDs");
  is_uint(files_in("box", "tmp"), 0, "nothing is left in tmp");
  struct folder *box = select_folder(s, "box");
  is_uint(validity, folder_uidvalidity(box), "UIDVALIDITY");
  is(content_of(box, 1), "a\nb\r\nc\nd\r", "CRLF is LF, all else as it was");
  is(flags_of(box, 1), "DSr $new $mine", "flags and keywords");
  time_t date = 0;
  folder_internal_date(box, 1, &date);
  is_uint((uint64_t)date, 1000000000, "date");
  int fd;
  char text[10];
  must(!folder_message(box, 2, &fd), "open");
  is_uint((uint64_t)read(fd, text, sizeof text), 3, "a NUL is a byte");
  close(fd);
  append_begin(s, "box", &a);
  append_write(a, "x", 1);
  append_abort(a);
  is_uint(files_in("box", "tmp") + files_in("box", "cur"), 2, "an aborted APPEND leaves nothing");
  append_begin(s, "box", &a);
  append_write(a, "x", 1);
  append_message(a, 0, 0, 0, (time_t)-1);
  must(!store_delete(s, "box") && !store_create(s, "box"), "delete and create");
  is_uint(append_commit(a, &arena, &validity, &uids), STORE_NONEXISTENT,
          "APPEND to a folder that was deleted meanwhile");
  is_uint(files_in("box", "cur"), 0, "does not go to the next of that name");
  folder_close(box);
  arena_release(&arena);
  end();
}

static void many(void) {
  begin();
  struct arena arena = {0};
  is_uint(append_messages(s, "", "m", 3000, FLAG_SEEN), 4, "APPEND of 3,000 at once");
  is(sync_and_hear(f, true), "+3003:3 ", "arrive");
  is_uint(folder_uid(f, 3003), 3003, "with UIDs in a row");
  is_uint(copy_messages(f, 1, 3003, s, "box", false), STORE_OK, "COPY of all");
  is_uint(copy_messages(f, 1, 3003, s, "box", true), STORE_OK, "MOVE of all");
  sync_and_hear(f, true);
  is_uint(folder_count(f), 0, "empties the folder");
  struct folder *box = select_folder(s, "box");
  is_uint(folder_count(box), 6006, "fills the other");
  is(content_of(box, 6006), "Subject: m3000\n\nbody\n", "to the last");
  is_uint(change_flags(box, 1, 6006, FLAGS_ADD, FLAG_DELETED, 0), STORE_OK, "STORE of all");
  is_uint(folder_expunge(box, 0), STORE_OK, "EXPUNGE of all");
  sync_and_hear(box, true);
  is_uint(folder_count(box), 0, "all gone");
  is_uint(folder_uidnext(box), 6007, "UIDNEXT stays");
  folder_close(box);
  arena_release(&arena);
  end();
}

int main(void) {
  if (!getenv("TMPDIR") && !access("/dev/shm", W_OK)) setenv("TMPDIR", "/dev/shm", 1);
  copying();
  appending();
  many();
  return tap_done();
}
