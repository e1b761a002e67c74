#define _GNU_SOURCE /* memmem */
/* One session and two: UIDs, flags, keywords, \Recent, expunge, what each is told. */
#include "store-test.h"

static void first_sight(void) {
  make_maildir();
  deliver("", "new/1000.a.host", "Subject: a\n\na\n");
  deliver("", "cur/1001.b.host:2,S", "Subject: b\n\nb\n");
  deliver("", "new/1002.c.host", "Subject: c\n\nc\n");
  struct store *s = open_store();
  struct folder_status st;
  is_uint(store_status(s, "", &st), STORE_OK, "STATUS");
  is_uint(st.messages, 3, "counts all");
  is_uint(st.unseen, 2, "and the unseen");
  is_uint(st.recent, 3, "and the recent");
  is_uint(files_in("", "new"), 2, "STATUS moves nothing");
  struct folder *e;
  is_uint(folder_open(s, "", FOLDER_EXAMINE, &e), STORE_OK, "EXAMINE");
  is_uint(files_in("", "new"), 2, "EXAMINE moves nothing");
  is_uint(folder_recent(e), 3, "EXAMINE shows recent");
  ok(folder_read_only(e), "EXAMINE is read-only");
  is(content_of(e, 1), "Subject: a\n\na\n", "a message in new/ can be read");
  uint32_t validity = folder_uidvalidity(e);
  folder_close(e);
  struct folder *f = select_folder(s, "");
  is_uint(files_in("", "new"), 0, "SELECT moves to cur");
  is_uint(folder_uidvalidity(f), validity, "UIDVALIDITY stays");
  is_uint(folder_count(f), 3, "three messages");
  is_uint(folder_uid(f, 1), 1, "in order of arrival: 1");
  is(content_of(f, 2), "Subject: b\n\nb\n", "in order of arrival: 2");
  is(content_of(f, 3), "Subject: c\n\nc\n", "in order of arrival: 3");
  is_uint(folder_recent(f), 3, "SELECT claims recent");
  is_uint(folder_first_unseen(f), 1, "first unseen");
  is_uint(folder_uidnext(f), 4, "UIDNEXT");
  is(flags_of(f, 2), "Sr", "flags are the name's");
  folder_close(f);
  f = select_folder(s, "");
  is_uint(folder_recent(f), 0, "recent once only");
  is_uint(folder_uid(f, 3), 3, "UIDs stay");
  folder_close(f);
  store_close(s);
}

static void two_sessions(void) {
  make_maildir();
  for (int i = 1; i <= 5; i++) {
    char name[40];
    snprintf(name, sizeof name, "new/100%d.x.host", i);
    deliver("", name, "Subject: x\n\nx\n");
  }
  struct store *s = open_store(), *s2 = open_store();
  struct folder *a = select_folder(s, ""), *b = select_folder(s2, "");
  is_uint(folder_recent(b), 0, "the second session gets no recent");
  is_uint(change_flags(a, 2, 3, FLAGS_ADD, FLAG_SEEN | FLAG_FLAGGED, "$Work"), STORE_OK, "STORE");
  is(flags_of(a, 2), "FSr $Work", "shows at once");
  is(sync_and_hear(a, true), "k ", "the session itself is told only of the keyword");
  is(sync_and_hear(b, true), "k f2 f3 ", "the other one is told");
  is(flags_of(b, 3), "FS $Work", "what they are");
  ok(*file_in("", "cur", "1002.x.host:2,FS"), "names carry the flags");
  is_uint(change_flags(b, 3, 3, FLAGS_REPLACE, FLAG_DELETED, 0), STORE_OK, "STORE FLAGS");
  is(sync_and_hear(a, false), "f3 ", "replaces");
  is(flags_of(a, 3), "Tr", "keywords too");
  is_uint(change_flags(b, 3, 3, FLAGS_REMOVE, 0, "unknown"), STORE_OK, "-FLAGS of a keyword");
  is_uint(folder_keyword_count(b), 1, "that nobody has makes none");
  is_uint(change_flags(a, 5, 5, FLAGS_ADD, FLAG_DELETED, 0), STORE_OK, "delete 5");
  is_uint(folder_expunge(a, 0), STORE_OK, "EXPUNGE");
  is_uint(files_in("", "cur"), 3, "unlinks");
  is(sync_and_hear(a, true), "-3 -4 ", "told with sequence numbers of that moment");
  is(sync_and_hear(b, false), "", "held back while it may not be told");
  is_uint(folder_count(b), 5, "the view stays");
  ok(folder_is_expunged(b, 3), "but is known");
  is(content_of(b, 3), "Subject: x\n\nx\n", "and its content has been kept");
  is(content_of(b, 4), "Subject: x\n\nx\n", "others go on");
  deliver("", "new/1009.y.host", "Subject: y\n\ny\n");
  is(sync_and_hear(b, false), "+6:5 ", "new mail is told");
  is(sync_and_hear(b, true), "-3 -4 ", "then the expunges");
  is_uint(folder_uid(b, 4), 6, "UIDs rise");
  is(sync_and_hear(a, true), "+4:3 ", "the first session sees it");
  is_uint(folder_recent(a), 3, "recent only to one");
  is_uint(append_messages(s, "", "m", 1, FLAG_SEEN), 7, "APPEND to the selected folder");
  is_uint(folder_count(a), 4, "does not change the view");
  is(sync_and_hear(a, true), "+5:4 ", "but the next sync does");
  is(flags_of(a, 5), "Sr", "its flags");
  is(content_of(a, 5), "Subject: m1\n\nbody\n", "CRLF is stored as LF");
  ok(folder_modseq(a, 5) > folder_modseq(a, 4), "mod-sequences rise");
  ok(folder_highest_modseq(a) >= folder_modseq(a, 5), "up to the highest");
  folder_close(a);
  folder_close(b);
  store_close(s);
  store_close(s2);
}

static void unchanged_since(void) {
  make_maildir();
  deliver("", "cur/1.a.h:2,", "a\n");
  deliver("", "cur/2.b.h:2,", "b\n");
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  struct arena arena = {0};
  struct set seqs;
  struct flag_result result;
  uint64_t before = folder_highest_modseq(f);
  change_flags(f, 1, 1, FLAGS_ADD, FLAG_SEEN, 0);
  struct flag_change change = {FLAGS_ADD, FLAG_FLAGGED, 0, 0, before};
  set_init(&seqs, &arena);
  set_add_range(&seqs, 1, 2);
  is_uint(folder_store(f, &seqs, &change, &arena, &result), STORE_OK, "STORE UNCHANGEDSINCE");
  ok(set_contains(&result.modified, 1) && set_count(&result.modified) == 1, "one had changed");
  ok(set_contains(&result.changed, 2) && set_count(&result.changed) == 1, "one had not");
  is(flags_of(f, 1), "Sr", "the changed one is left alone");
  arena_release(&arena);
  folder_close(f);
  store_close(s);
}

static void keyword_limit(void) {
  make_maildir();
  deliver("", "cur/1.a.h:2,", "a\n");
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  char name[KEYWORD_SIZE_MAX + 2];
  int good = 1;
  for (int i = 0; i < KEYWORDS_MAX; i++) {
    snprintf(name, sizeof name, "k%d", i);
    good &= !change_flags(f, 1, 1, FLAGS_ADD, 0, name);
  }
  ok(good, "as many keywords as there may be");
  is_uint(change_flags(f, 1, 1, FLAGS_ADD, 0, "toomany"), STORE_LIMIT, "one more: STORE_LIMIT");
  is_uint(change_flags(f, 1, 1, FLAGS_ADD, 0, "K7"), STORE_OK, "names are case-insensitive");
  is_uint(folder_keyword_count(f), KEYWORDS_MAX, "no more than the limit");
  memset(name, 'x', sizeof name - 1);
  name[sizeof name - 1] = 0;
  is_uint(change_flags(f, 1, 1, FLAGS_ADD, 0, name), STORE_LIMIT, "a name too long");
  folder_close(f);
  f = select_folder(s, "");
  is_uint(folder_keyword_count(f), KEYWORDS_MAX, "they are remembered");
  ok(folder_has_keyword(f, 1, KEYWORDS_MAX - 1), "and set");
  folder_close(f);
  store_close(s);
}

static void sets_and_facts(void) {
  make_maildir();
  deliver("", "cur/1.a.h:2,", "Subject: one\nTo: a@b\n\nline\n");
  deliver("", "cur/2.b.h:2,", "b\n");
  deliver("", "cur/3.c.h:2,T", "c\n");
  deliver("", "cur/4.d.h:2,", "d\n");
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  folder_expunge(f, 0);
  sync_and_hear(f, true);
  struct arena arena = {0};
  struct set uids, seqs;
  set_init(&uids, &arena);
  set_init(&seqs, &arena);
  set_add_range(&uids, 2, 3);
  set_add_range(&uids, 10, UINT32_MAX);
  folder_seqs(f, &uids, &seqs);
  ok(set_count(&seqs) == 1 && set_contains(&seqs, 2), "UIDs to sequence numbers");
  is_uint(folder_seq(f, 3), 3, "the first at or above");
  is_uint(folder_seq(f, 99), 4, "none above");
  struct facts facts;
  is_uint(folder_facts(f, 1, FACT_SIZE | FACT_ENVELOPE, &arena, &facts), STORE_OK, "facts");
  is_uint(facts.size, 31, "RFC822.SIZE counts CRLF");
  ok(facts.envelope && memmem(facts.envelope, facts.envelope_size, "one", 3), "ENVELOPE");
  is_uint(folder_facts(f, 2, FACT_BODYSTRUCTURE | FACT_BODY, &arena, &facts), STORE_OK, "BODY");
  ok(facts.body_size && facts.bodystructure_size, "BODY and BODYSTRUCTURE");
  time_t date;
  struct stat st;
  must(!stat(path_of("", "cur/1.a.h:2,"), &st), "stat");
  is_uint(folder_internal_date(f, 1, &date), STORE_OK, "INTERNALDATE");
  is_uint((uint64_t)date, (uint64_t)st.st_mtime, "is the file's mtime");
  folder_close(f);
  store_close(s);
  arena_release(&arena);
}

static void watching(void) {
  make_maildir();
  struct store *s = open_store(), *s2 = open_store();
  struct folder *a = select_folder(s, ""), *b = select_folder(s2, "");
  int fd = folder_watch(a);
  if (fd < 0) {
    ok(1, "watching # SKIP no inotify instance to be had");
  } else {
    folder_watch_drain(a);
    is_uint((uint64_t)io_wait(fd, 1, clock_ms()), 0, "quiet at first");
    deliver("", "new/1.a.h", "a\n");
    is_uint((uint64_t)io_wait(fd, 1, clock_ms() + 10000), 1, "a delivery is seen");
    folder_watch_drain(a);
    is(sync_and_hear(a, true), "+1:0 ", "and told");
    sync_and_hear(b, true);
    let_settle();
    sync_and_hear(a, true);
    folder_watch_drain(a);
    change_flags(b, 1, 1, FLAGS_ADD, 0, "$x");
    is_uint((uint64_t)io_wait(fd, 1, clock_ms() + 10000), 1, "a keyword of another is seen");
    folder_unwatch(a);
  }
  folder_close(a);
  folder_close(b);
  store_close(s);
  store_close(s2);
}

int main(void) {
  first_sight();
  two_sessions();
  unchanged_since();
  keyword_limit();
  sets_and_facts();
  watching();
  return tap_done();
}
