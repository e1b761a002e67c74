/* Journals that are torn, damaged, copied, cut short or gone: what is known is kept, and no UID is
 * ever given to another message. */
#include "store-test.h"
#include "store/folder.h"

enum { UIDS = 8 };
static char contents[UIDS][40]; /* by UID, as the undamaged journal has it */
static uint32_t validity;

static void build(void) {
  make_maildir();
  struct store *s = open_store();
  for (int i = 1; i <= 5; i++) {
    char name[40], text[40];
    snprintf(name, sizeof name, "new/%d.x.host", i);
    snprintf(text, sizeof text, "message %d\n", i);
    deliver("", name, text);
  }
  struct folder *f = select_folder(s, "");
  validity = folder_uidvalidity(f);
  change_flags(f, 1, 2, FLAGS_ADD, FLAG_SEEN, "$one");
  change_flags(f, 2, 2, FLAGS_ADD, FLAG_DELETED, "$two");
  folder_expunge(f, 0);
  sync_and_hear(f, true);
  deliver("", "new/6.x.host", "message 6\n");
  let_settle();
  sync_and_hear(f, true);
  sync_and_hear(f, true);
  memset(contents, 0, sizeof contents);
  for (uint32_t i = 1; i <= folder_count(f); i++)
    memcpy(contents[folder_uid(f, i)], content_of(f, i), sizeof "message 1\n");
  folder_close(f);
  store_close(s);
}

/* The journal and the lock file as they were, in the same inode. */
static char *journal, *lock;
static size_t journal_size, lock_size;

static void save(void) {
  must(!file_read(AT_FDCWD, path_of("", "chainmail/journal"), 1 << 20, &journal, &journal_size) &&
           !file_read(AT_FDCWD, path_of("", "chainmail/lock"), 1000, &lock, &lock_size) &&
           !link(path_of("", "chainmail/journal"), path_of("", "chainmail/saved")),
       "save");
}

static void put_file(char const *path, char const *data, size_t size) {
  int fd = open(path, O_WRONLY);
  must(fd >= 0 && !ftruncate(fd, 0) && pwrite(fd, data, size, 0) == (ssize_t)size && !close(fd),
       path);
}

static void restore(size_t size) {
  put_file(path_of("", "chainmail/saved"), journal, size);
  put_file(path_of("", "chainmail/lock"), lock, lock_size);
  unlink(path_of("", "chainmail/journal"));
  must(!link(path_of("", "chainmail/saved"), path_of("", "chainmail/journal")), "link");
}

static void forget(void) {
  free(journal);
  free(lock);
}

/* Opens what there is: every message of the directory is there, under a UID that is its own. */
static int sound(char const *what, size_t at) {
  int good = 1;
  struct store *s = open_store();
  struct folder *f = 0;
  enum store_error e = folder_open(s, "", FOLDER_SELECT, &f);
  if (e) {
    printf("# %s at %zu: %s\n", what, at, store_code(e));
    store_close(s);
    return 0;
  }
  if (folder_count(f) != 5) {
    printf("# %s at %zu: %u messages\n", what, at, folder_count(f));
    good = 0;
  }
  for (uint32_t i = 1; good && i <= folder_count(f); i++) {
    uint32_t uid = folder_uid(f, i);
    if (folder_uidvalidity(f) != validity || uid >= 7) continue;
    if (!strcmp(contents[uid], content_of(f, i))) continue;
    printf("# %s at %zu: UID %u is another message\n", what, at, uid);
    good = 0;
  }
  if (good && folder_uidvalidity(f) == validity && folder_uidnext(f) < 7) {
    printf("# %s at %zu: UIDNEXT goes back to %u\n", what, at, folder_uidnext(f));
    good = 0;
  }
  folder_close(f);
  store_close(s);
  return good;
}

static void every_length(void) {
  int good = 1;
  for (size_t n = 0; n <= journal_size; n++) {
    restore(n);
    good &= sound("cut", n);
  }
  ok(good, "a journal cut short at every byte");
}

static void every_byte(void) {
  int good = 1;
  for (size_t i = 0; i < journal_size; i++) {
    journal[i] = (char)~journal[i];
    restore(journal_size);
    journal[i] = (char)~journal[i];
    good &= sound("flipped", i);
  }
  ok(good, "a journal with every byte flipped in turn");
}

static void debris(void) {
  restore(journal_size);
  int fd = open(path_of("", "chainmail/journal"), O_WRONLY | O_APPEND);
  must(fd >= 0 && write(fd, journal + 64, 100) == 100 && !close(fd), "append");
  ok(sound("debris", 0), "records of elsewhere at the end are no records");
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  is_uint(folder_uidvalidity(f), validity, "UIDVALIDITY stays");
  is_uint(folder_uidnext(f), 7, "a torn tail costs no UIDs");
  is_uint(change_flags(f, 1, 1, FLAGS_ADD, FLAG_FLAGGED, 0), STORE_OK, "writing goes on");
  folder_close(f);
  f = select_folder(s, "");
  is(flags_of(f, 1), "FS $one", "and is read again");
  folder_close(f);
  store_close(s);
}

static void damage_in_the_middle(void) {
  build();
  save();
  journal[journal_size / 2] ^= 1;
  restore(journal_size);
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  is_uint(folder_uidvalidity(f), validity, "damage in the middle: UIDVALIDITY stays");
  ok(folder_uidnext(f) > UID_JUMP, "UIDNEXT jumps");
  is_uint(folder_uid(f, 1), 1, "known UIDs stay");
  folder_close(f);
  store_close(s);
  forget();
}

/* Of the messages of an ENTRY that is damaged at this place, how many keep their UIDs.  -1: the
 * keyword of the first is lost, which a later record told. */
static int kept_after(off_t at) {
  int kept = 0;
  journal[at] ^= 1;
  restore(journal_size);
  journal[at] ^= 1;
  if (!sound("flipped", (size_t)at)) return 0;
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  for (uint32_t i = 1; i <= folder_count(f); i++)
    kept += folder_uidvalidity(f) == validity && folder_uid(f, i) < UIDS + 3;
  if (folder_uid(f, 1) == 1 && strcmp(flags_of(f, 1), "S $one") != 0) kept = -1;
  folder_close(f);
  store_close(s);
  return kept;
}

/* Where the entry of a message begins in the journal. */
static off_t entry_at(uint32_t seq) {
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  off_t at = (off_t)view_at(&f->view, seq - 1)->entry * 8;
  folder_close(f);
  store_close(s);
  return at;
}

/* UIDs 1 to 5, of which 2 is gone, are of one record; 6 is of another. */
static void one_entry(void) {
  build();
  save();
  off_t first = entry_at(1), third = entry_at(2), fourth = entry_at(3);
  int all = 0, others = 0;
  for (off_t at = first - 32; at < first; at++) all += kept_after(at) == 5;
  is_uint((uint64_t)all, 32,
          "an ENTRY whose beginning is damaged: its entries are taken one by one");
  for (off_t at = third; at < fourth; at++) others += kept_after(at) == 4;
  is_uint((uint64_t)others, (uint64_t)(fourth - third), "an entry damaged: the others are");
  forget();
}

/* The last record, after which only the mark tells that it was there. */
static void last_entry(void) {
  build();
  struct store *s = open_store();
  is_uint(append_messages(s, "", "m", 3, 0), 7, "three messages more");
  store_close(s);
  off_t at = entry_at(7); /* the second */
  save();
  is_uint(journal_size - (size_t)at < 300, true, "their record is the last");
  restore(journal_size);
  struct folder *f = (s = open_store(), select_folder(s, ""));
  is_uint(folder_uid(f, 8), 9, "undamaged they have UIDs 7 to 9");
  folder_close(f);
  store_close(s);
  journal[at + 16] ^= 1;
  restore(journal_size);
  journal[at + 16] ^= 1;
  f = (s = open_store(), select_folder(s, ""));
  is_uint(folder_count(f), 8, "the last record damaged: all messages");
  is_uint(folder_uid(f, 6), 7, "the first keeps its UID");
  is_uint(folder_uid(f, 7), 9, "so does the third");
  ok(folder_uid(f, 8) > UID_JUMP, "the damaged one has a new one");
  folder_close(f);
  store_close(s);
  forget();
}

/* The name of the last keyword that there is. */
static void lost_keyword(void) {
  build();
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  must(!change_flags(f, 3, 3, FLAGS_ADD, 0, "$three"), "flags");
  folder_close(f);
  save();
  char *name = journal;
  while (name < journal + journal_size - 6 && memcmp(name, "$three", 6) != 0) name++;
  *name ^= 1;
  restore(journal_size);
  *name ^= 1;
  f = select_folder(s, "");
  is_uint(change_flags(f, 4, 4, FLAGS_ADD, 0, "$new"), STORE_OK,
          "a keyword's name lost, and a new keyword");
  is(flags_of(f, 4), " $new", "the message has it that got it");
  is(flags_of(f, 3), " lost-2", "and not the one that had the other");
  folder_close(f);
  f = select_folder(s, "");
  is(flags_of(f, 3), " lost-2", "so it stays");
  folder_close(f);
  store_close(s);
  forget();
}

static void lost(void) {
  build();
  must(!unlink(path_of("", "chainmail/journal")), "unlink");
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  ok(folder_uidvalidity(f) > validity, "no journal: a higher UIDVALIDITY, even in the same second");
  is_uint(folder_count(f), 5, "all messages");
  must(!unlink(path_of("", "chainmail/journal")), "unlink");
  is(sync_and_hear(f, true), "NONEXISTENT", "lost under a session: it ends");
  folder_close(f);
  store_close(s);
}

static void copied(void) {
  build();
  char command[1400];
  snprintf(command, sizeof command, "cp -a '%s' '%s.copy' && rm -rf '%s' && mv '%s.copy' '%s'",
           maildir, maildir, maildir, maildir, maildir);
  must(!system(command), command);
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  is_uint(folder_uidvalidity(f), validity, "a copied Maildir: UIDVALIDITY stays");
  is_uint(folder_count(f), 5, "all messages");
  is_uint(folder_uid(f, 1), 1, "UIDs stay");
  is_uint(folder_uid(f, 5), 6, "to the last");
  is(content_of(f, 5), "message 6\n", "and are whose they were");
  is(flags_of(f, 1), "S $one", "keywords stay");
  ok(folder_uidnext(f) > UID_JUMP, "UIDNEXT jumps");
  ok(folder_modseq(f, 1) == folder_modseq(f, 2), "mod-sequences are fresh");
  uint32_t next = folder_uidnext(f);
  folder_close(f);
  f = select_folder(s, "");
  is_uint(folder_uidnext(f), next, "once only");
  folder_close(f);
  store_close(s);
}

static void another_boot(void) {
  build();
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  uint32_t ceiling = f->view.ceiling;
  ok(ceiling > 7, "there is a ceiling above UIDNEXT");
  s->boot++;
  deliver("", "new/7.x.host", "message 7\n");
  is(sync_and_hear(f, true), "+6:5 ", "after another boot");
  is_uint(folder_uid(f, 6), ceiling, "UIDs go on from the ceiling");
  deliver("", "new/8.x.host", "message 8\n");
  sync_and_hear(f, true);
  is_uint(folder_uid(f, 7), ceiling + 1, "then one by one");
  folder_close(f);
  store_close(s);
}

static void used_up(void) {
  build();
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  f->view.uidnext = f->view.ceiling = UINT32_MAX - 2;
  deliver("", "new/7.x.host", "a\n");
  deliver("", "new/8.x.host", "b\n");
  is(sync_and_hear(f, true), "LIMIT", "no UIDs left: LIMIT, nothing wraps around");
  is_uint(append_messages(s, "", "m", 3, 0), 0, "APPEND likewise");
  is_uint(folder_count(f), 5, "the view stays");
  folder_close(f);
  store_close(s);
}

static void compaction(void) {
  build();
  struct store *s = open_store(), *s2 = open_store();
  struct folder *f = select_folder(s, ""), *g = select_folder(s2, "");
  int good = 1;
  for (int i = 0; i < 9000; i++)
    good &= !change_flags(f, 1, 1, i % 2 ? FLAGS_REMOVE : FLAGS_ADD, 0, "$flip");
  ok(good, "many changes");
  deliver("", "new/9.x.host", "message 9\n");
  is(sync_and_hear(f, true), "+6:5 k ", "then new mail");
  struct stat st;
  must(!stat(path_of("", "chainmail/journal"), &st), "stat");
  ok(st.st_size < COMPACT_MINIMUM, "the journal is small again");
  ok(f->journal.generation > 1, "and of another generation");
  is(content_of(f, 1), "message 1\n", "the session goes on");
  is(sync_and_hear(g, true), "+6:5 k f1 ", "a follower finds its place");
  is(content_of(g, 5), "message 6\n", "and its messages");
  is(flags_of(g, 1), flags_of(f, 1), "and their flags");
  change_flags(g, 2, 2, FLAGS_ADD, FLAG_FLAGGED, 0);
  is(sync_and_hear(f, true), "f2 ", "both go on");
  folder_close(f);
  folder_close(g);
  f = select_folder(s, "");
  is_uint(folder_uid(f, 2), 3, "UIDs outlive it");
  is_uint(folder_uidvalidity(f), validity, "UIDVALIDITY too");
  is(flags_of(f, 2), "F", "flags too");
  folder_close(f);
  store_close(s);
  store_close(s2);
}

static void unfinished_batches(void) {
  build();
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  /* A process that died after its links and before its record. */
  uint64_t batch = batch_new();
  char name[MAILDIR_NAME_MAX + 1];
  must(!folder_lock(f), "lock");
  publish_intent(f, batch);
  folder_unlock(f);
  publish_name(name, batch, 4, FLAG_SEEN);
  char part[300];
  snprintf(part, sizeof part, "cur/%s", name);
  deliver("", part, "half\n");
  is(sync_and_hear(f, true), "", "files of a batch that never committed are no messages");
  ok(access(path_of("", part), F_OK) < 0, "and are removed");
  is_uint(f->view.npending, 0, "the batch is over");
  folder_close(f);
  store_close(s);
}

int main(void) {
  /* Thousands of recoveries, each with its syncs: in memory where that can be had. */
  if (!getenv("TMPDIR") && !access("/dev/shm", W_OK)) setenv("TMPDIR", "/dev/shm", 1);
  int err = dup(2), null = open("/dev/null", O_WRONLY);
  build();
  save();
  dup2(null, 2); /* a log line for each */
  every_length();
  every_byte();
  dup2(err, 2);
  debris();
  forget();
  damage_in_the_middle();
  dup2(null, 2);
  one_entry();
  dup2(err, 2);
  last_entry();
  lost_keyword();
  lost();
  copied();
  another_boot();
  used_up();
  compaction();
  unfinished_batches();
  return tap_done();
}
