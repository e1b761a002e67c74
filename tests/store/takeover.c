/* Moving in what Courier and Dovecot left, once and only once; and their files damaged at will. */
#include "store-test.h"
#include "store/handover.h"
#include "store/takeover.h"

static void put(char const *folder, char const *name, char const *text) {
  write_file(path_of(folder, name), text);
}

/* Messages 1 to 4; 3 is in new/. */
static void make_mail(void) {
  make_maildir();
  deliver("", "cur/1.a.host:2,S", "one\n");
  deliver("", "cur/2.b.host,S=4:2,FS", "two\n");
  deliver("", "new/3.c.host", "three\n");
  deliver("", "cur/4.d.host:2,", "four\n");
}

static void make_courier(void) {
  make_mail();
  put("", COURIER_UIDS, "1 795229815 90\n7 1.a.host\n9 2.b.host,S=4\n30 gone.host\n31 3.c.host\n");
  must(!mkdir(path_of("", COURIER_KEYWORDS), 0700), "mkdir");
  put("", COURIER_KEYWORDS "/:list", "foo\n$Work\nbad)\n\n1.a.host:0 1\n2.b.host,S=4:1\n");
  put("", COURIER_KEYWORDS "/2.b.host,S=4", "bar\n");
  put("", COURIER_KEYWORDS "/.5984.1.a.host", "old\n");
}

static void make_dovecot(void) {
  make_mail();
  must(!rename(path_of("", "cur/1.a.host:2,S"), path_of("", "cur/1.a.host:2,Sac")), "rename");
  put("", DOVECOT_UIDS,
      "3 V1700000000 N5 Gabc X1\n7 W5 :1.a.host\n9 :2.b.host,S=4:2,FS\n31 P1.2 W3 :3.c.host\n");
  put("", DOVECOT_KEYWORDS, "0 foo\n1 bar\n2 $Work\n26 beyond\n");
}

/* "7:S foo $Work|9:FS bar|" */
static char const *whole(struct folder *f) {
  static char text[2000];
  size_t n = 0;
  *text = 0;
  for (uint32_t i = 1; i <= folder_count(f); i++)
    n += (size_t)snprintf(text + n, sizeof text - n, "%u:%s|", folder_uid(f, i), flags_of(f, i));
  return text;
}

static uint32_t foreign_next(char const *name, char const *format) {
  char *text;
  size_t size;
  unsigned int next = 0;
  must(!file_read(AT_FDCWD, path_of("", name), 1 << 20, &text, &size), name);
  sscanf(text, format, &next); /* NOLINT(cert-err34-c) */
  free(text);
  return next;
}

/* Neither server keeps it in files that are moved in: the files' stamps tell. */
static bool saved_since(struct folder *f, time_t from) {
  time_t t;
  for (uint32_t i = 1; i <= folder_count(f); i++)
    if (!folder_save_date(f, i, &t) || t < from || t > time(0)) return false;
  return true;
}

static void test_courier(void) {
  time_t from = time(0) - 1; /* stamps are from the last tick of the clock */
  make_courier();
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  is(whole(f), "7:S foo $Work|9:FS bar|31:|90:r|", "Courier: UIDs and keywords are kept");
  ok(saved_since(f, from), "a message was saved when its file got its name");
  is_uint(folder_uidvalidity(f), 795229815, "... UIDVALIDITY, too");
  is_uint(folder_uidnext(f), 91, "... and the next UID");
  is_uint(foreign_next(COURIER_UIDS, "1 795229815 %u\n"), 90 + UID_JUMP,
          "its own next UID is out of the way");
  ok(access(path_of("", COURIER_LOCK), F_OK) < 0, "its lock is given back");
  ok(!access(path_of("", MOVED_MARK), F_OK), "there is a mark");
  store_create(s, "later");
  struct folder *later = select_folder(s, "later");
  ok(folder_uidvalidity(later) > 795229815, "later folders have a higher UIDVALIDITY");
  folder_close(later);
  change_flags(f, 1, 1, FLAGS_REPLACE, 0, "mine");
  is(flags_of(f, 1), " mine", "keywords are ours now");
  folder_close(f);
  f = select_folder(s, "");
  is(whole(f), "7: mine|9:FS bar|31:|90:|", "it is not moved in again");
  folder_close(f);
  store_close(s);
}

static void test_dovecot(void) {
  make_dovecot();
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  is(whole(f), "7:S foo $Work|9:FS|31:|32:r|", "Dovecot: UIDs and keywords are kept");
  is_uint(folder_uidvalidity(f), 1700000000, "... UIDVALIDITY, too");
  is_uint(foreign_next(DOVECOT_UIDS, "3 V1700000000 N%u Gabc X1\n"), 32 + UID_JUMP,
          "its own next UID is out of the way, the rest of the line as it was");
  change_flags(f, 1, 1, FLAGS_ADD, FLAG_FLAGGED, "other");
  is(file_in("", "cur", "1.a"), "1.a.host:2,FSac", "letters stay while their keywords do");
  change_flags(f, 1, 1, FLAGS_REMOVE, FLAG_SEEN, "foo");
  is(file_in("", "cur", "1.a"), "1.a.host:2,Fc", "a letter goes with its keyword");
  change_flags(f, 1, 1, FLAGS_REPLACE, FLAG_FLAGGED, 0);
  is(file_in("", "cur", "1.a"), "1.a.host:2,F", "... also when flags are replaced");
  is(flags_of(f, 1), "F", "and nothing comes back");
  folder_close(f);
  f = select_folder(s, "");
  is(whole(f), "7:F|9:FS|31:|32:|", "... not after the folder is opened again either");
  is(sync_and_hear(f, true), "", "... and nothing is news");
  folder_close(f);
  store_close(s);
}

static void lose_journal(void) {
  must(!unlink(path_of("", "chainmail/journal")), "unlink");
}

static void test_once(void) {
  make_courier();
  struct store *s = open_store();
  folder_close(select_folder(s, ""));
  lose_journal();
  struct folder *f = select_folder(s, "");
  ok(folder_uidvalidity(f) != 795229815, "a lost journal: a new UIDVALIDITY, not the old file");
  folder_close(f);
  store_close(s);
  remove_all(path_of("", "chainmail"));
  s = open_store();
  f = select_folder(s, "");
  ok(folder_uidvalidity(f) != 795229815, "likewise if all of our directory is lost");
  folder_close(f);
  store_close(s);

  make_courier();
  s = open_store();
  folder_close(select_folder(s, ""));
  unlink(path_of("", MOVED_MARK));
  lose_journal();
  f = select_folder(s, "");
  ok(folder_uidvalidity(f) != 795229815, "... or the mark");
  folder_close(f);
  store_close(s);
}

/* As a crash leaves it between the mark and the journal. */
static void test_crash(void) {
  struct moved m = {.from = FOREIGN_COURIER, .uidvalidity = 795229815, .uidnext = 90};
  make_courier();
  int dir = open(maildir, O_RDONLY | O_DIRECTORY);
  must(!moved_write(dir, 0600, &m), "moved_write");
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  is_uint(folder_uidvalidity(f), 795229815, "a mark without a journal: begun again");
  is_uint(folder_uid(f, 1), 7, "... with its UIDs");
  ok(moved_read(dir, &m) == 1 && m.done, "... and now done");
  m.done = false;
  must(!moved_write(dir, 0600, &m), "moved_write");
  folder_close(f);
  folder_close(select_folder(s, ""));
  ok(moved_read(dir, &m) == 1 && m.done, "a mark that was not finished is");
  put("", MOVED_MARK, "chainmail moved-in 1\nstate begun\nchecksum 0\n");
  ok(moved_read(dir, &m) == 1 && m.done && m.from == FOREIGN_NONE,
     "a damaged mark still says that it was moved in");
  close(dir);
  store_close(s);
}

static void test_both(void) {
  struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
  make_courier();
  put("", DOVECOT_UIDS, "3 V1700000000 N5\n7 :1.a.host\n");
  must(!utimensat(AT_FDCWD, path_of("", DOVECOT_UIDS), old, 0), "utimensat");
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  is_uint(folder_uidvalidity(f), 795229815, "of two, the newer: Courier");
  folder_close(f);
  store_close(s);
  make_courier();
  put("", DOVECOT_UIDS, "3 V1700000000 N5\n7 :1.a.host\n");
  must(!utimensat(AT_FDCWD, path_of("", COURIER_UIDS), old, 0), "utimensat");
  s = open_store();
  f = select_folder(s, "");
  is_uint(folder_uidvalidity(f), 1700000000, "... Dovecot");
  folder_close(f);
  store_close(s);
}

static void test_damaged(void) {
  static struct {
    char const *text, *name;
  } const useless[] = {
      {"", "empty"},
      {"1 795229815 90", "cut off in its first line"},
      {"1 0 90\n7 1.a.host\n", "UIDVALIDITY 0"},
      {"1 4294967295 90\n7 1.a.host\n", "the last UIDVALIDITY"},
      {"1 99999999999 90\n", "a UIDVALIDITY out of range"},
      {"1 795229815 4294967295\n7 1.a.host\n", "UIDs used up"},
      {"3 V795229815 N90\n7 :1.a.host\n", "Dovecot's in Courier's"},
      {"2 795229815 90\n7 1.a.host\n", "a version not known"},
  };
  for (size_t i = 0; i < sizeof useless / sizeof *useless; i++) {
    make_courier();
    put("", COURIER_UIDS, useless[i].text);
    struct store *s = open_store();
    struct folder *f = select_folder(s, "");
    ok(folder_count(f) == 4 && folder_uid(f, 1) == 1 && folder_uidvalidity(f) > 1700000000,
       useless[i].name);
    folder_close(f);
    store_close(s);
  }
  make_courier();
  put("", COURIER_UIDS,
      "1 795229815 9\n7 1.a.host\n7 2.b.host,S=4\n0 4.d.host\n8 ../x\n12 3.c.host\n13 3.c.host\n");
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  is_uint(folder_uid(f, 1), 7, "a UID given twice is the first's");
  is_uint(folder_uid(f, 2), 13, "a name with two UIDs has the higher");
  is_uint(folder_uid(f, 3), 14 + UID_JUMP, "others get UIDs that nobody can have had");
  is_uint(folder_count(f), 4, "... all of them");
  folder_close(f);
  store_close(s);
}

/* Files that are no files, or too large, do not keep anybody from his mail. */
static void test_odd_files(void) {
  make_courier();
  must(!truncate(path_of("", COURIER_UIDS), (off_t)FOREIGN_UIDS_MAX + 1), "truncate");
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  is_uint(folder_count(f), 4, "a list too large: the folder can be read");
  folder_close(f);
  store_close(s);
  make_courier();
  unlink(path_of("", COURIER_KEYWORDS "/:list"));
  unlink(path_of("", COURIER_KEYWORDS "/2.b.host,S=4"));
  must(!mkdir(path_of("", COURIER_KEYWORDS "/:list"), 0700) &&
           !mkdir(path_of("", COURIER_KEYWORDS "/1.a.host"), 0700) &&
           !mkfifo(path_of("", COURIER_KEYWORDS "/2.b.host,S=4"), 0600) &&
           !mkdir(path_of("", COURIER_KEYWORDS "/3.c.host"), 0700),
       "mkdir");
  s = open_store();
  f = select_folder(s, "");
  is(whole(f), "7:S|9:FS|31:|90:r|", "directories and FIFOs for keywords: UIDs are kept");
  folder_close(f);
  store_close(s);
  make_courier();
  unlink(path_of("", COURIER_UIDS));
  must(!symlink("cur/1.a.host:2,S", path_of("", COURIER_UIDS)), "symlink");
  s = open_store();
  f = select_folder(s, "");
  is_uint(folder_uid(f, 1), 1, "a symbolic link is no list");
  folder_close(f);
  store_close(s);
}

static void test_lock(void) {
  char text[100];
  make_courier();
  snprintf(text, sizeof text, "2147483646:");
  must(!gethostname(text + strlen(text), sizeof text - 20), "gethostname");
  put("", COURIER_LOCK, text);
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  is_uint(folder_uidvalidity(f), 795229815, "the lock of a dead process is broken");
  folder_close(f);
  store_close(s);

  struct dotlock lock, second;
  int dir = open(maildir, O_RDONLY | O_DIRECTORY);
  ok(!dotlock_take(&lock, dir, DOVECOT_LOCK, 0), "a lock");
  ok(dotlock_take(&second, dir, DOVECOT_LOCK, 60) < 0 && errno == EAGAIN, "... is had once");
  dotlock_drop(&lock);
  ok(!dotlock_take(&second, dir, DOVECOT_LOCK, 0), "... and again when given back");
  dotlock_drop(&second);
  is_uint(files_in("", "tmp"), 0, "nothing is left in tmp");
  close(dir);
}

static void test_subscriptions(void) {
  struct arena arena = {0};
  char const **names;
  size_t n;
  make_mail();
  put("", DOVECOT_SUBSCRIPTIONS, "V\t2\n\nSent\nArch\t2025\nINBOX\nb\001tad\n\n");
  struct store *s = open_store();
  store_subscriptions(s, &arena, &names, &n);
  is_uint(n, 3, "Dovecot's subscriptions");
  ok(n == 3 && !strcmp(names[0], "INBOX") && !strcmp(names[1], "INBOX.Arch.2025") &&
         !strcmp(names[2], "INBOX.Sent"),
     "... under our names");
  store_subscribe(s, "INBOX.Sent", false);
  put("", DOVECOT_SUBSCRIPTIONS, "V\t2\n\nSent\n");
  store_subscriptions(s, &arena, &names, &n);
  ok(n == 2 && !strcmp(names[1], "INBOX.Arch.2025"), "a change makes them ours");
  ok(!store_hand_over_subscriptions(s, FOREIGN_DOVECOT), "handed over");
  store_subscriptions(s, &arena, &names, &n);
  ok(n == 2 && !strcmp(names[1], "INBOX.Arch.2025"), "... they are the same in its file");
  make_mail();
  put("", DOVECOT_SUBSCRIPTIONS, "Old\nOlder.still\n");
  store_close(s);
  s = open_store();
  store_subscriptions(s, &arena, &names, &n);
  ok(n == 2 && !strcmp(names[1], "INBOX.Older.still"), "the old format");
  arena_release(&arena);
  store_close(s);
}

/* There and back: what another server would find is what it left. */
static void test_back(void) {
  static enum foreign_kind const kinds[] = {FOREIGN_COURIER, FOREIGN_DOVECOT};
  for (int i = 0; i < 2; i++) {
    struct handed_over done;
    make_courier();
    struct store *s = open_store();
    struct folder *f = select_folder(s, "");
    change_flags(f, 4, 4, FLAGS_ADD, 0, "$New");
    folder_close(f);
    ok(!folder_hand_over(s, "", kinds[i], &done), "handed over");
    is_uint(done.messages, 4, "... all messages");
    ok(access(path_of("", "chainmail/journal"), F_OK) < 0 &&
           access(path_of("", MOVED_MARK), F_OK) < 0,
       "our files are gone");
    if (kinds[i] == FOREIGN_DOVECOT) {
      unlink(path_of("", COURIER_UIDS));
      is(file_in("", "cur", "1.a"), "1.a.host:2,Sab", "letters for keywords");
    }
    f = select_folder(s, "");
    is(whole(f), "7:S foo $Work|9:FS bar|31:|90: $New|", "moved in again: all is there");
    is_uint(folder_uidvalidity(f), 795229815, "... under the same UIDVALIDITY");
    ok(folder_uidnext(f) >= 90 + UID_JUMP, "... and higher UIDs than anybody gave");
    folder_close(f);
    store_close(s);
  }
}

/* ---- whatever bytes ---- */

static uint32_t seed = 12345;
static uint32_t random_number(uint32_t below) {
  seed = seed * 1664525 + 1013904223;
  return (seed >> 8) % below;
}

static void mutate(char *text, size_t *size) {
  static char const likely[] = "0129 :\n\t.,VNG\377";
  for (uint32_t n = 1 + random_number(4); n && *size; n--) {
    uint32_t at = random_number((uint32_t)*size);
    switch (random_number(4)) {
    case 0: text[at] = (char)random_number(256); break;
    case 1: text[at] = likely[random_number(sizeof likely)]; break;
    case 2: *size = at; break;
    default: memmove(text + at, text + at + 1, *size - at - 1); (*size)--;
    }
  }
}

static bool sane(struct foreign const *x) {
  for (size_t i = 0; i < x->n; i++) {
    struct foreign_message const *m = &x->messages[i];
    if (!m->uid || m->uid >= x->uidnext || (i && m->uid <= m[-1].uid)) return false;
    if (foreign_find(x, m->base, m->base_size) != m) return false;
  }
  return x->nkeywords <= KEYWORDS_MAX && x->uidvalidity;
}

static void test_mutations(void) {
  static char const *const uids[] = {
      "1 795229815 90\n7 1.a.host\n9 2.b.host,S=4\n30 gone.host\n31 3.c.host\n",
      "3 V1700000000 N5 Gabc X1\n7 W5 :1.a.host\n9 :2.b.host,S=4:2,FS\n31 P1.2 :3.c.host\n"};
  static char const list[] = "foo\n$Work\nbar\n\n1.a.host:0 1\n2.b.host,S=4:1 2\n3.c.host:2\n";
  static char const letters[] = "0 foo\n1 bar\n2 $Work\n26 beyond\n";
  static char const names[] = "V\t2\n\nSent\nArch\t2025\nINBOX\nb\001tad\n\n";
  unsigned int parsed = 0, insane = 0, bad_names = 0, bad_raised = 0;
  for (int i = 0; i < 20000; i++) {
    enum foreign_kind kind = i & 1 ? FOREIGN_DOVECOT : FOREIGN_COURIER;
    struct foreign x, again;
    char const *why;
    char other[200], name[SUBSCRIPTION_SIZE_MAX + 1];
    size_t size = strlen(uids[i & 1]);
    char *text = strdup(uids[i & 1]);
    must(!!text, "strdup");
    mutate(text, &size);
    bool good = foreign_parse_uids(&x, kind, text, size, &why);
    if (good) {
      parsed++;
      size = sizeof list - 1;
      memcpy(other, list, size);
      mutate(other, &size);
      foreign_parse_courier_list(&x, other, size);
      size = sizeof letters - 1;
      memcpy(other, letters, size);
      mutate(other, &size);
      foreign_parse_dovecot_keywords(&x, other, size);
      insane += !sane(&x);
      char *raised = foreign_raised(&x, x.uidnext + UID_JUMP, &size);
      bad_raised += !foreign_parse_uids(&again, kind, raised, size, &why) || again.n != x.n ||
                    again.uidnext != x.uidnext + UID_JUMP;
      foreign_free(&again);
    }
    foreign_free(&x);
    size = sizeof names - 1;
    memcpy(other, names, size);
    mutate(other, &size);
    int version = 0;
    for (char const *p = other; (p = foreign_subscription(p, other + size, &version, name));)
      bad_names += strpbrk(name, "\t\n\001/") != 0;
  }
  ok(parsed > 5000, "many damaged files still tell something");
  is_uint(insane, 0, "... that makes sense");
  is_uint(bad_raised, 0, "... and can be raised");
  is_uint(bad_names, 0, "damaged subscriptions are names or nothing");
}

int main(void) {
  test_courier();
  test_dovecot();
  test_once();
  test_crash();
  test_both();
  test_damaged();
  test_odd_files();
  test_lock();
  test_subscriptions();
  test_back();
  test_mutations();
  return tap_done();
}
