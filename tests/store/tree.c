/* The tree: opening and refusing, LIST, CREATE, DELETE, RENAME, subscriptions. */
#include "store-test.h"

#include <sys/resource.h>

static char const *listing(struct store *s) {
  static char text[2000];
  struct arena arena = {0};
  struct store_list list;
  *text = 0;
  if (store_list(s, true, &arena, &list)) return "error";
  for (size_t i = 0; i < list.n; i++) {
    struct store_folder_entry const *e = &list.entries[i];
    strcat(text, *e->name ? e->name : "INBOX");
    if (!e->exists) strcat(text, "?");
    if (e->has_new) strcat(text, "!");
    if (e->children) strcat(text, "+");
    strcat(text, " ");
  }
  arena_release(&arena);
  return text;
}

static void refusals(void) {
  struct store *s;
  make_maildir();
  is_uint(store_open(&s, path_of("", "no"), &options), STORE_UNAVAILABLE, "no such Maildir");
  is_uint(store_open(&s, path_of("", "cur"), &options), STORE_UNAVAILABLE, "no Maildir");
  must(!rmdir(path_of("", "tmp")), "rmdir");
  is_uint(store_open(&s, maildir, &options), STORE_OK, "tmp is missing");
  ok(!access(path_of("", "tmp"), F_OK), "and is made");
  store_close(s);
  if (!geteuid()) {
    must(!chown(maildir, 12345, 12345), "chown");
    is_uint(store_open(&s, maildir, &options), STORE_UNAVAILABLE, "another owner's");
    must(!chown(maildir, 0, 0), "chown");
    ok(1, "unreadable # SKIP root may read everything");
  } else {
    ok(1, "another owner's # SKIP needs root");
    must(!chmod(maildir, 0), "chmod");
    is_uint(store_open(&s, maildir, &options), STORE_UNAVAILABLE, "unreadable");
    must(!chmod(maildir, 0700), "chmod");
  }
}

static void folders(void) {
  make_maildir();
  struct store *s = open_store();
  is(listing(s), "INBOX ", "INBOX is always there");
  is_uint(store_create(s, "a.b.c"), STORE_OK, "CREATE");
  is_uint(store_create(s, "a-b"), STORE_OK, "CREATE another");
  is(listing(s), "INBOX+ a?+ a-b a.b?+ a.b.c ", "LIST shows levels above");
  deliver("a.b.c", "new/1.a.h", "a\n");
  is(listing(s), "INBOX+ a?+ a-b a.b?+ a.b.c! ", "and new mail");
  is_uint(store_create(s, "a.b.c"), STORE_EXISTS, "CREATE what exists");
  is_uint(store_create(s, ""), STORE_EXISTS, "CREATE INBOX");
  static char const *const bad[] = {".a", "a.", "a..b", "a/b", "..", "a\nb", "a\x7f"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    is_uint(store_create(s, bad[i]), STORE_CANNOT, "a name that cannot be");
  char longest[300];
  memset(longest, 'x', sizeof longest);
  longest[254] = 0;
  is_uint(store_create(s, longest), STORE_OK, "the longest name");
  is_uint(store_delete(s, longest), STORE_OK, "and away with it");
  longest[254] = 'x';
  longest[255] = 0;
  is_uint(store_create(s, longest), STORE_CANNOT, "one byte too long");
  is_uint(store_delete(s, ""), STORE_CANNOT, "DELETE INBOX");
  is_uint(store_delete(s, "a.b"), STORE_NONEXISTENT, "DELETE of a mere level");
  struct folder *f = select_folder(s, "a.b.c");
  uint32_t validity = folder_uidvalidity(f);
  is_uint(store_delete(s, "a.b.c"), STORE_OK, "DELETE");
  is(listing(s), "INBOX+ a-b ", "it is gone");
  is(sync_and_hear(f, true), "NONEXISTENT", "the session that had it is told");
  folder_close(f);
  ok(access(path_of("", "chainmail/trash"), F_OK) < 0, "nothing is left in the trash");
  is_uint(store_create(s, "a.b.c"), STORE_OK, "CREATE in the same second");
  f = select_folder(s, "a.b.c");
  ok(folder_uidvalidity(f) > validity, "has a higher UIDVALIDITY");
  is_uint(folder_count(f), 0, "and is empty");
  folder_close(f);
  struct folder_status st;
  is_uint(store_status(s, "nope", &st), STORE_NONEXISTENT, "STATUS of nothing");
  is_uint(folder_open(s, "nope", FOLDER_SELECT, &f), STORE_NONEXISTENT, "SELECT of nothing");
  is_uint(folder_open(s, "../M", FOLDER_SELECT, &f), STORE_CANNOT, "SELECT of what cannot be");
  store_close(s);
}

static void renaming(void) {
  make_maildir();
  struct store *s = open_store();
  store_create(s, "a");
  store_create(s, "a.x");
  store_create(s, "a.x.y");
  store_create(s, "ab");
  store_create(s, "taken.x");
  is_uint(append_messages(s, "a.x", "m", 2, 0), 1, "messages in it");
  struct folder *f = select_folder(s, "a.x");
  uint32_t validity = folder_uidvalidity(f);
  folder_close(f);
  is_uint(store_rename(s, "a", "ab"), STORE_EXISTS, "RENAME onto a folder");
  is_uint(store_rename(s, "a", "taken"), STORE_EXISTS, "RENAME onto a child");
  is_uint(store_rename(s, "a", "a.z"), STORE_CANNOT, "RENAME into itself");
  is_uint(store_rename(s, "q", "r"), STORE_NONEXISTENT, "RENAME of nothing");
  is_uint(store_rename(s, "a", "new.a"), STORE_OK, "RENAME");
  is(listing(s), "INBOX+ ab new?+ new.a+ new.a.x+ new.a.x.y taken?+ taken.x ", "moves children");
  f = select_folder(s, "new.a.x");
  is_uint(folder_count(f), 2, "messages go along");
  is_uint(folder_uidvalidity(f), validity, "UIDVALIDITY too");
  folder_close(f);
  /* A RENAME that was interrupted is finished by the next change of the tree. */
  write_file(path_of("", "chainmail/renaming"), "new.a\nold\n");
  must(!rename(path_of("new.a.x", ""), path_of("old.x", "")), "rename");
  is_uint(store_create(s, "other"), STORE_OK, "after an interrupted RENAME");
  is(listing(s), "INBOX+ ab old+ old.x+ old.x.y other taken?+ taken.x ", "it is finished");
  deliver("", "cur/1.a.h:2,F", "a\n");
  deliver("", "new/2.b.h", "b\n");
  is_uint(store_rename(s, "", "old"), STORE_EXISTS, "RENAME INBOX onto a folder");
  struct folder *inbox = select_folder(s, "");
  is_uint(store_rename(s, "", "kept"), STORE_OK, "RENAME INBOX");
  is(sync_and_hear(inbox, true), "-1 -1 ", "empties it");
  f = select_folder(s, "kept");
  is_uint(folder_count(f), 2, "into the new folder");
  is(flags_of(f, 1), "Fr", "flags and all");
  folder_close(f);
  folder_close(inbox);
  is_uint(store_rename(s, "", "empty"), STORE_OK, "RENAME of an empty INBOX");
  ok(strstr(listing(s), "empty"), "makes the folder");
  store_close(s);
}

static char const *subscribed(struct store *s) {
  static char text[2000];
  struct arena arena = {0};
  char const **names;
  size_t n;
  *text = 0;
  if (store_subscriptions(s, &arena, &names, &n)) return "error";
  for (size_t i = 0; i < n; i++) {
    strcat(text, names[i]);
    strcat(text, " ");
  }
  arena_release(&arena);
  return text;
}

static void subscriptions(void) {
  make_maildir();
  struct store *s = open_store();
  is(subscribed(s), "", "none at first");
  write_file(path_of("", "courierimapsubscribed"), "INBOX.Sent\nINBOX.Drafts\nINBOX.Sent\n");
  is(subscribed(s), "INBOX.Drafts INBOX.Sent ", "Courier's file, sorted, each once");
  is_uint(store_subscribe(s, "INBOX", true), STORE_OK, "SUBSCRIBE");
  is_uint(store_subscribe(s, "INBOX", true), STORE_OK, "SUBSCRIBE again");
  is_uint(store_subscribe(s, "INBOX.Sent", false), STORE_OK, "UNSUBSCRIBE");
  is_uint(store_subscribe(s, "nope", false), STORE_OK, "UNSUBSCRIBE what is not");
  is(subscribed(s), "INBOX INBOX.Drafts ", "what remains");
  is_uint(store_subscribe(s, "a\nb", true), STORE_CANNOT, "a name with a line end");
  is_uint(store_subscribe(s, "", true), STORE_CANNOT, "no name");
  store_close(s);
}

static void modes(void) {
  make_maildir();
  struct store *s = open_store();
  struct stat st;
  umask(0);
  store_create(s, "private");
  append_messages(s, "private", "m", 1, 0);
  must(!stat(path_of("private", "chainmail/journal"), &st), "stat");
  is_uint(st.st_mode & 0777, 0600, "a private journal");
  char const *name = file_in("private", "cur", "");
  char part[400];
  snprintf(part, sizeof part, "cur/%s", name);
  must(!stat(path_of("private", part), &st), "stat");
  is_uint(st.st_mode & 0777, 0600, "a private message");
  store_create(s, "shared");
  must(!chmod(path_of("shared", ""), 02770), "chmod");
  append_messages(s, "shared", "m", 1, 0);
  must(!stat(path_of("shared", "chainmail/journal"), &st), "stat");
  is_uint(st.st_mode & 0777, 0660, "a shared journal");
  snprintf(part, sizeof part, "cur/%s", file_in("shared", "cur", ""));
  must(!stat(path_of("shared", part), &st), "stat");
  is_uint(st.st_mode & 0777, 0660, "a shared message");
  must(!stat(path_of("shared", "chainmail"), &st), "stat");
  is_uint(st.st_mode & 07777, 02770, "a shared directory of ours");
  struct folder *f = select_folder(s, "private");
  is_uint(copy_messages(f, 1, 1, s, "shared", false), STORE_OK, "COPY from private to shared");
  must(!stat(path_of("private", "cur"), &st), "stat");
  is_uint(files_in("shared", "cur"), 2, "arrives");
  snprintf(part, sizeof part, "cur/%s", file_in("private", "cur", ""));
  must(!stat(path_of("private", part), &st), "stat");
  is_uint(st.st_nlink, 1, "as a copy, not as a link to a private file");
  folder_close(f);
  umask(022);
  store_close(s);
}

static void read_only(void) {
  make_maildir();
  if (!geteuid()) {
    ok(1, "a Maildir that can only be read # SKIP root may write everywhere");
    return;
  }
  deliver("", "cur/1.a.h:2,", "a\n");
  struct store *s = open_store();
  struct folder *f;
  must(!chmod(path_of("", "chainmail"), 0500), "chmod");
  is_uint(folder_open(s, "", FOLDER_SELECT, &f), STORE_NOPERM, "no journal and none to be made");
  must(!chmod(path_of("", "chainmail"), 0700), "chmod");
  folder_close(select_folder(s, ""));
  must(!chmod(path_of("", "chainmail/lock"), 0400), "chmod");
  is_uint(folder_open(s, "", FOLDER_SELECT, &f), STORE_OK, "with a journal it opens");
  ok(folder_read_only(f), "read-only");
  is(content_of(f, 1), "a\n", "can be read");
  is_uint(change_flags(f, 1, 1, FLAGS_ADD, FLAG_SEEN, 0), STORE_NOPERM, "and not be changed");
  is_uint(files_in("", "cur"), 1, "really not");
  must(!chmod(path_of("", "chainmail/lock"), 0600), "chmod");
  folder_close(f);
  store_close(s);
}

/* Nothing is left open, and running out of descriptors is an answer, not an end. */
static void descriptors(void) {
  struct rlimit before, few;
  make_maildir();
  must(!getrlimit(RLIMIT_NOFILE, &before), "getrlimit");
  few = before;
  few.rlim_cur = 40;
  must(!setrlimit(RLIMIT_NOFILE, &few), "setrlimit");
  struct store *s = open_store();
  store_create(s, "a");
  store_create(s, "b");
  int good = 1;
  for (int i = 0; i < 100; i++) {
    struct folder_status st;
    struct folder *f = select_folder(s, "a");
    good &= append_messages(s, "a", "m", 2, 0) > 0;
    good &= !folder_sync(f, true, 0) && !copy_messages(f, 1, 1, s, "b", i % 2);
    good &= !store_status(s, "", &st) && !store_status(s, "b", &st);
    good &= !store_subscribe(s, i % 2 ? "x" : "y", true);
    good &= *content_of(f, folder_count(f)) == 'S';
    folder_close(f);
  }
  ok(good, "a hundred times everything with forty descriptors");
  struct folder *f = select_folder(s, "a");
  int taken[40];
  size_t n = 0;
  char any[1400];
  snprintf(any, sizeof any, "%s/%s", path_of("a", "cur"), file_in("a", "cur", ""));
  while (n < 40 && (taken[n] = dup(0)) >= 0) n++;
  must(!unlink(any), "unlink"); /* a change that needs no descriptor */
  is(sync_and_hear(f, true), "UNAVAILABLE", "none left: UNAVAILABLE");
  struct folder *g;
  is_uint(folder_open(s, "b", FOLDER_SELECT, &g), STORE_UNAVAILABLE, "SELECT likewise");
  while (n) close(taken[--n]);
  ok(sync_and_hear(f, true)[0] == '-', "afterwards all is well");
  folder_close(f);
  store_close(s);
  must(!setrlimit(RLIMIT_NOFILE, &before), "setrlimit");
}

int main(void) {
  refusals();
  folders();
  renaming();
  subscriptions();
  modes();
  read_only();
  descriptors();
  return tap_done();
}
