/* Expunged messages that a session has not been told of: set aside for it, and reaped. */
#include "store-test.h"
#include "store/folder.h"

#include <signal.h>
#include <sys/wait.h>

static struct store *s, *s2;
static struct folder *a, *b;

/* Messages 1 to n in INBOX, and two sessions. */
static void begin(unsigned int n) {
  make_maildir();
  for (unsigned int i = 1; i <= n; i++) {
    char name[40], text[40];
    snprintf(name, sizeof name, "cur/%u.x.h:2,", i);
    snprintf(text, sizeof text, "number %u\n", i);
    deliver("", name, text);
  }
  s = open_store();
  s2 = open_store();
  must(!store_create(s, "box"), "create");
  a = select_folder(s, "");
  b = select_folder(s2, "");
}

static void end(void) {
  if (a) folder_close(a);
  if (b) folder_close(b);
  store_close(s);
  store_close(s2);
  a = b = 0;
}

static unsigned int kept(void) {
  return files_in("", "chainmail/expunged") - 1; /* less "sessions" */
}

static void expunge(struct folder *f, uint32_t seq) {
  must(!change_flags(f, seq, seq, FLAGS_ADD, FLAG_DELETED, 0) && !folder_expunge(f, 0), "expunge");
}

static void for_another(void) {
  begin(3);
  time_t before = 0, after = 1;
  folder_internal_date(b, 2, &before);
  expunge(a, 2);
  is_uint(files_in("", "cur"), 2, "an expunged message leaves cur");
  is_uint(kept(), 1, "and is kept for the other session");
  is(sync_and_hear(a, true), "-2 ", "one is told");
  is_uint(kept(), 1, "it is kept on");
  is(sync_and_hear(b, false), "", "the other cannot be told");
  is(content_of(b, 2), "number 2\n", "and reads it");
  folder_internal_date(b, 2, &after);
  is_uint((uint64_t)after, (uint64_t)before, "INTERNALDATE too");
  is_uint(copy_messages(b, 2, 2, s2, "box", false), STORE_EXPUNGED, "it cannot be copied");
  is(sync_and_hear(b, true), "-2 ", "when it has been told");
  is_uint(kept(), 0, "it is gone");
  is_uint(copy_messages(a, 1, 1, s, "box", true), STORE_OK, "MOVE");
  is(content_of(b, 1), "number 1\n", "keeps it as well");
  must(!folder_lock(a) && !folder_snapshot(a), "compact");
  folder_unlock(a);
  is(sync_and_hear(b, false), "", "when the journal has been replaced");
  is(content_of(b, 1), "number 1\n", "it is still there");
  folder_close(a);
  a = 0;
  is_uint(kept(), 1, "and when the one who moved it has gone");
  folder_close(b);
  b = 0;
  is_uint(kept(), 0, "the last that needed it takes it away");
  end();
}

static void alone(void) {
  begin(2);
  folder_close(b);
  b = 0;
  expunge(a, 1);
  is_uint(kept(), 0, "alone: nothing is kept");
  is(content_of(a, 1), "EXPUNGEISSUED", "nothing to be read");
  b = select_folder(s2, "");
  is_uint(folder_count(b), 1, "a session that comes later");
  expunge(b, 1);
  is(content_of(a, 2), "number 2\n", "one that has been told of some");
  must(!unlink(path_of("", "chainmail/expunged/sessions")), "unlink");
  is(sync_and_hear(a, true), "-1 -1 ", "slots that are lost do no harm");
  end();
}

static void of_the_dead(void) {
  begin(2);
  folder_close(b);
  b = 0;
  fflush(stdout);
  int fds[2];
  must(!pipe(fds), "pipe");
  pid_t pid = fork();
  if (!pid) {
    struct folder *f = select_folder(open_store(), "");
    if (!f || write(fds[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char c;
  must(read(fds[0], &c, 1) == 1, "a session in another process");
  expunge(a, 1);
  sync_and_hear(a, true);
  is_uint(kept(), 1, "kept for another process");
  kill(pid, SIGKILL);
  waitpid(pid, 0, 0);
  close(fds[0]);
  close(fds[1]);
  folder_close(a);
  is_uint(kept(), 0, "killed: the next who looks takes it away");
  a = select_folder(s, "");
  write_file(path_of("", "chainmail/expunged/7-12345"), "left behind\n");
  write_file(path_of("", "chainmail/expunged/note"), "not ours\n");
  b = select_folder(s2, "");
  is_uint(kept(), 1, "what a crash has left goes when somebody opens");
  ok(*file_in("", "chainmail/expunged", "note"), "what is not ours stays");
  end();
}

static void where_it_cannot(void) {
  begin(3);
  /* In the way of the directory's use: the file is unlinked all the same. */
  char from[400];
  snprintf(from, sizeof from, "%s", path_of("", "chainmail/expunged"));
  expunge(a, 1);
  sync_and_hear(b, true);
  must(!unlink(path_of("", "cur/2.x.h:2,")), "unlink");
  is(content_of(b, 1), "EXPUNGEISSUED", "unlinked by a stranger: nothing is kept");
  folder_close(a);
  folder_close(b);
  must(!rename(from, path_of("", "chainmail/away")), "rename");
  write_file(from, "a file in its place\n");
  a = select_folder(s, "");
  b = select_folder(s2, "");
  is_uint(folder_count(a), 1, "without room for slots a folder opens");
  expunge(a, 1);
  is_uint(files_in("", "cur"), 0, "expunges");
  is(content_of(b, 1), "EXPUNGEISSUED", "and tells who comes too late");
  end();
}

static void damaged(void) {
  begin(3);
  expunge(a, 1);
  write_file(path_of("", "chainmail/expunged/sessions"), "garbage in the place of slots, and more");
  sync_and_hear(a, true);
  is(content_of(b, 1), "number 1\n", "damaged slots: nothing is taken away");
  sync_and_hear(b, true);
  folder_close(a);
  a = 0;
  is_uint(kept(), 0, "until somebody writes his own");
  char path[400];
  a = select_folder(s, "");
  expunge(a, 1);
  snprintf(path, sizeof path, "chainmail/expunged/%s", file_in("", "chainmail/expunged", "2-"));
  must(!unlink(path_of("", path)), "unlink");
  write_file(path_of("", path), "another\n");
  write_file(path_of("", "chainmail/expunged/2-99999999999999999999999"), "another\n");
  is(content_of(b, 1), "EXPUNGEISSUED", "another file under its name is not the message");
  end();
}

int main(void) {
  if (!getenv("TMPDIR") && !access("/dev/shm", W_OK)) setenv("TMPDIR", "/dev/shm", 1);
  for_another();
  alone();
  of_the_dead();
  where_it_cannot();
  damaged();
  return tap_done();
}
