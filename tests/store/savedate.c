/* When a message came into its folder (RFC 8514 section 3): set once, whatever it brings along and
 * whatever happens to it there. */
#include "store-test.h"
#include "store/folder.h"

enum { LONG_AGO = 1000000000, NOT_KNOWN = 0 };

static char const *saved(struct folder *f, uint32_t seq, time_t from) {
  time_t t;
  if (!folder_save_date(f, seq, &t)) return "not known";
  if (t == LONG_AGO + (time_t)seq) return "long ago";
  return t >= from && t <= time(0) ? "now" : "another time";
}

/* Stamps are from the last tick of the clock, which may be of the second before. */
static time_t now(void) {
  return time(0) - 1;
}

/* The message's entry as a session wrote it then. */
static void write_entry(struct folder *f, uint32_t seq, uint32_t time_saved) {
  struct records r = {0};
  struct entry e;
  struct message *m = view_at(&f->view, seq - 1);
  must(!folder_lock(f) && !folder_entry(f, m, &e), "folder_entry");
  e.saved = time_saved;
  e.flags = m->bits & FLAG_STANDARD;
  e.in_new = m->bits & BIT_NEW;
  record_begin(&r, RECORD_ENTRY);
  record_u64(&r, 0);
  record_u32(&r, 1);
  record_u32(&r, 0);
  record_entry(&r, &e, view_keywords_of(&f->view, m));
  record_end(&r);
  must(!folder_write(f, &r, false, true), "folder_write");
  folder_unlock(f);
}

static struct folder *again(struct store *s, struct folder *f) {
  folder_close(f);
  return select_folder(s, "");
}

static void snapshot(struct folder *f) {
  must(!folder_lock(f) && !folder_snapshot(f), "folder_snapshot");
  folder_unlock(f);
}

static void old_file(char const *name) {
  struct timespec const old[2] = {{LONG_AGO, 0}, {LONG_AGO, 0}};
  deliver("", name, "x\n");
  must(!utimensat(AT_FDCWD, path_of("", name), old, 0), "utimensat");
}

static void test_arrival(struct store *s) {
  time_t from = now(), t;
  old_file("new/1.x.host");
  old_file("cur/2.x.host:2,S");
  struct folder *f = select_folder(s, "");
  ok(!folder_internal_date(f, 1, &t) && t == LONG_AGO, "mail with a date of its own");
  is(saved(f, 1, from), "now", "a delivery is saved when it is delivered");
  is(saved(f, 2, from), "now", "a file that somebody puts into cur/, too");
  append_messages(s, "", "x", 1, 0);
  sync_and_hear(f, true);
  is(saved(f, 3, from), "now", "APPEND");
  folder_close(f);
}

static void test_constant(struct store *s) {
  time_t from = now();
  struct folder *f = select_folder(s, "");
  for (uint32_t seq = 1; seq <= 2; seq++) write_entry(f, seq, LONG_AGO + seq);
  write_entry(f, 3, NOT_KNOWN);
  is(saved(f, 1, from), "long ago", "what the entry says");
  is(saved(f, 3, from), "not known", "an entry from before there were such times");
  ok(!change_flags(f, 1, 3, FLAGS_ADD, FLAG_FLAGGED, "word"), "flags change");
  let_settle();
  must(!rename(path_of("", "cur/2.x.host:2,FS"), path_of("", "cur/2.x.host:2,T")), "rename");
  sync_and_hear(f, true);
  is(flags_of(f, 2), "T word", "a stranger changes flags");
  is(saved(f, 1, from), "long ago", "STORE does not change it");
  is(saved(f, 2, from), "long ago", "nor does a stranger");
  is(saved(f, 3, from), "not known", "nor does it come to be known");
  f = again(s, f);
  is(saved(f, 2, from), "long ago", "the next session knows");
  snapshot(f);
  f = again(s, f);
  is(saved(f, 1, from), "long ago", "a compacted journal knows");
  is(saved(f, 2, from), "long ago", "of all");
  is(saved(f, 3, from), "not known", "and of none more");
  folder_close(f);
}

static void test_copies(struct store *s) {
  time_t from = now();
  must(!store_create(s, "target"), "store_create");
  struct folder *f = select_folder(s, ""), *target;
  ok(!copy_messages(f, 1, 1, s, "target", false), "COPY");
  is(saved(f, 1, from), "long ago", "the original stays as it is");
  ok(!copy_messages(f, 1, 1, s, "", false), "COPY within a folder");
  ok(!copy_messages(f, 2, 2, s, "target", true), "MOVE");
  sync_and_hear(f, true);
  is(saved(f, 3, from), "now", "the copy in the same folder");
  target = select_folder(s, "target");
  is(saved(target, 1, from), "now", "the copy");
  is(saved(target, 2, from), "now", "what was moved");
  folder_close(target);
  folder_close(f);
}

static void test_limits(void) {
  is_uint(entry_saved(-5), 0, "before 1970: not known");
  is_uint(entry_saved(LONG_AGO), LONG_AGO, "a time");
  is_uint(entry_saved((time_t)UINT32_MAX + 5), UINT32_MAX, "after 2106: then");
}

int main(void) {
  make_maildir();
  struct store *s = open_store();
  test_arrival(s);
  test_constant(s);
  test_copies(s);
  store_close(s);
  test_limits();
  return tap_done();
}
