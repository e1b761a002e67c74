/* Programs that know nothing of us, on the same Maildir: renames, deletions, edits, duplicates,
 * restored copies, things that are no messages, directories that go away. */
#include "store-test.h"

#include <signal.h>
#include <sys/wait.h>

static struct store *s;
static struct folder *f;

static void begin(void) {
  make_maildir();
  deliver("", "cur/1.a.h:2,", "a\n");
  deliver("", "cur/2.b.h:2,S", "b\n");
  deliver("", "cur/3.c.h:2,", "c\n");
  s = open_store();
  f = select_folder(s, "");
  let_settle();
  sync_and_hear(f, true);
}

static void end(void) {
  folder_close(f);
  store_close(s);
}

static void move(char const *from, char const *to) {
  must(!rename(path_of("", from), path_of("", to)), from);
}

static void renames(void) {
  begin();
  move("cur/1.a.h:2,", "cur/1.a.h:2,FS");
  is(sync_and_hear(f, true), "f1 ", "a stranger's flags are told");
  is(flags_of(f, 1), "FSr", "and shown");
  is_uint(folder_uid(f, 1), 1, "the UID stays");
  move("cur/1.a.h:2,FS", "cur/1.a.h:2,SXaF");
  is(sync_and_hear(f, true), "", "unknown letters change nothing");
  is(content_of(f, 1), "a\n", "the message is still found");
  change_flags(f, 1, 1, FLAGS_ADD, FLAG_ANSWERED, 0);
  ok(*file_in("", "cur", "1.a.h:2,FRSXa"), "and kept when we rename");
  is(content_of(f, 1), "a\n", "found again");
  move("cur/3.c.h:2,", "cur/3.c.h");
  is(sync_and_hear(f, true), "", "a name without info");
  is(content_of(f, 3), "c\n", "is served");
  ok(*file_in("", "cur", "3.c.h") && !strchr(file_in("", "cur", "3.c.h"), ':'), "and kept");
  change_flags(f, 3, 3, FLAGS_ADD, FLAG_SEEN, 0);
  ok(*file_in("", "cur", "3.c.h:2,S"), "until its flags change");
  move("cur/2.b.h:2,S", "cur/2.b.h:2,T");
  is(content_of(f, 2), "b\n", "renamed between sync and FETCH: found");
  move("cur/2.b.h:2,T", "cur/2.b.h:2,");
  is_uint(change_flags(f, 2, 2, FLAGS_ADD, FLAG_SEEN, 0), STORE_OK, "renamed before STORE");
  is(flags_of(f, 2), "Sr", "the name's flags were the base");
  move("cur/2.b.h:2,S", "cur/2.b.h:2,ST");
  sync_and_hear(f, true);
  move("cur/2.b.h:2,ST", "cur/2.b.h:2,S");
  is_uint(folder_expunge(f, 0), STORE_OK, "EXPUNGE of what is no longer \\Deleted");
  is(sync_and_hear(f, true), "f2 ", "removes nothing");
  move("cur/2.b.h:2,S", "new/2.b.h");
  is(sync_and_hear(f, true), "f2 ", "moved back to new");
  is(content_of(f, 2), "b\n", "it is found there");
  end();
}

static void deletions(void) {
  begin();
  must(!unlink(path_of("", "cur/2.b.h:2,S")), "unlink");
  is(content_of(f, 2), "EXPUNGEISSUED", "deleted: EXPUNGEISSUED, never an empty body");
  is(sync_and_hear(f, true), "-2 ", "and told");
  must(!unlink(path_of("", "cur/1.a.h:2,")), "unlink");
  is(sync_and_hear(f, false), "", "held back");
  is(sync_and_hear(f, true), "-1 ", "then told");
  deliver("", "cur/1.a.h:2,", "a\n");
  is(sync_and_hear(f, true), "+2:1 ", "it comes back");
  is_uint(folder_uid(f, 2), 4, "with a new UID");
  is_uint(copy_messages(f, 1, 2, s, "", false), STORE_OK, "COPY into itself");
  must(!unlink(path_of("", "cur/3.c.h:2,")), "unlink");
  is_uint(copy_messages(f, 1, 2, s, "", false), STORE_EXPUNGED, "COPY of one that is gone");
  is(sync_and_hear(f, true), "-1 +3:1 ", "copies nothing");
  end();
}

static void edits(void) {
  begin();
  /* As sed -i does: another inode under the same name. */
  write_file(path_of("", "tmp/x"), "edited\n");
  move("tmp/x", "cur/1.a.h:2,");
  is(sync_and_hear(f, true), "-1 +3:2 ", "another file under the name is another message");
  is_uint(folder_uid(f, 3), 4, "with a new UID");
  is(content_of(f, 3), "edited\n", "and its own content");
  /* In place: no directory changes. */
  int fd = open(path_of("", "cur/2.b.h:2,S"), O_WRONLY | O_APPEND);
  must(fd >= 0 && write(fd, "more\n", 5) == 5 && !close(fd), "append");
  is(content_of(f, 1), "EXPUNGEISSUED", "edited in place: the old message is gone");
  is(sync_and_hear(f, true), "-1 +3:2 ", "there is a new one");
  is_uint(folder_uid(f, 3), 5, "with a new UID");
  is(content_of(f, 3), "b\nmore\n", "and the new content");
  end();
}

static void duplicates(void) {
  begin();
  must(!link(path_of("", "cur/1.a.h:2,"), path_of("", "cur/1.a.h:2,S")), "link");
  let_settle();
  is(sync_and_hear(f, true), "", "a second name for a message is no second message");
  is_uint(files_in("", "cur"), 3, "and is dropped");
  ok(*file_in("", "cur", "1.a.h:2,") == '1' && !strcmp(file_in("", "cur", "1.a.h"), "1.a.h:2,"),
     "the known one stays");
  deliver("", "cur/1.a.h:2,F", "other\n");
  let_settle();
  is(sync_and_hear(f, true), "+4:3 ", "another message under a known base name");
  is(content_of(f, 4), "other\n", "is a message");
  is(flags_of(f, 4), "Fr", "with its flags");
  ok(!*file_in("", "cur", "1.a.h:2,F"), "and a base name of its own");
  is(content_of(f, 1), "a\n", "the first is what it was");
  deliver("", "new/9.x.h", "x\n");
  must(!link(path_of("", "new/9.x.h"), path_of("", "cur/9.x.h:2,")), "link");
  let_settle();
  is(sync_and_hear(f, true), "+5:4 ", "one new message under two names is one");
  is_uint(files_in("", "new"), 0, "the one in new is dropped");
  let_settle();
  is(sync_and_hear(f, true), "", "and that is all");
  /* An rsync restore puts a different message where we are about to rename. */
  deliver("", "cur/3.c.h:2,S", "restored\n");
  is_uint(change_flags(f, 3, 3, FLAGS_ADD, FLAG_SEEN, 0), STORE_OK, "STORE onto a name in use");
  is(content_of(f, 3), "c\n", "replaces nothing");
  let_settle();
  is(sync_and_hear(f, true), "+6:5 ", "the other one is a message");
  is(content_of(f, 6), "restored\n", "of its own");
  end();
}

static void no_messages(void) {
  begin();
  write_file(path_of("", "cur/.hidden"), "x");
  write_file(path_of("", "cur/:2,S"), "x");
  must(!mkdir(path_of("", "cur/directory"), 0700), "mkdir");
  must(!mkfifo(path_of("", "cur/fifo"), 0600), "mkfifo");
  must(!symlink("/etc/passwd", path_of("", "new/link")), "symlink");
  is(sync_and_hear(f, true), "", "dot files, directories, FIFOs, links are no messages");
  ok(!access(path_of("", "cur/fifo"), F_OK) && !lstat(path_of("", "new/link"), &(struct stat){0}),
     "and stay");
  end();
}

static void no_directories(void) {
  begin();
  move("cur", "elsewhere");
  is(sync_and_hear(f, true), "UNAVAILABLE", "cur is gone: no expunges, but UNAVAILABLE");
  is_uint(folder_count(f), 3, "the view stays");
  must(!mkdir(path_of("", "cur"), 0700), "mkdir");
  is(sync_and_hear(f, true), "UNAVAILABLE", "another cur: likewise");
  must(!rmdir(path_of("", "cur")), "rmdir");
  move("elsewhere", "cur");
  is(sync_and_hear(f, true), "", "back again: as if nothing had been");
  is(content_of(f, 3), "c\n", "all there");
  if (geteuid()) {
    must(!chmod(path_of("", "cur"), 0), "chmod");
    deliver("", "new/4.d.h", "d\n");
    is(sync_and_hear(f, true), "NOPERM", "cur is unreadable: NOPERM");
    must(!chmod(path_of("", "cur"), 0700), "chmod");
  } else
    ok(1, "an unreadable cur # SKIP root may read everything");
  end();
}

static void busy_directory(void) {
  begin();
  /* Somebody delivers and renames all the time: nothing may seem to vanish. */
  pid_t pid = fork();
  if (!pid) {
    for (;;) {
      rename(path_of("", "cur/1.a.h:2,"), path_of("", "cur/1.a.h:2,R"));
      rename(path_of("", "cur/1.a.h:2,R"), path_of("", "cur/1.a.h:2,"));
    }
  }
  int good = 1;
  for (int i = 0; i < 20; i++) good &= !strchr(sync_and_hear(f, true), '-');
  ok(good, "while names change all the time, nothing seems to vanish");
  kill(pid, SIGKILL);
  waitpid(pid, 0, 0);
  is_uint(folder_count(f), 3, "nothing is lost");
  is_uint(folder_uidnext(f), 4, "and nothing found twice");
  end();
}

static void known_directory(void) {
  begin();
  folder_close(f);
  /* What the journal has seen is not read again: a name that is moved behind the directory's
   * stamps stays unnoticed until they change. */
  struct stat st;
  must(!stat(path_of("", "chainmail/journal"), &st), "stat");
  f = select_folder(s, "");
  is_uint(folder_count(f), 3, "opened from the journal");
  struct stat again;
  must(!stat(path_of("", "chainmail/journal"), &again), "stat");
  is_uint((uint64_t)again.st_size, (uint64_t)st.st_size, "an unchanged folder writes nothing");
  end();
}

int main(void) {
  renames();
  deletions();
  edits();
  duplicates();
  no_messages();
  no_directories();
  busy_directory();
  known_directory();
  return tap_done();
}
