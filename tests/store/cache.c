/* The cache: what it says is what the file says, whatever happened to it; and while it is whole, no
 * file is read for it. */
#define _GNU_SOURCE /* memmem */
#include "store-test.h"
#include "message/message.h"
#include "store/cache.h"

#include <sys/syscall.h>
#include <sys/wait.h>

/* The disk is full for whom this program's pwrite serves. */
static bool disk_full;
ssize_t pwrite(int fd, void const *data, size_t size, off_t at) {
  if (!disk_full) return syscall(SYS_pwrite64, fd, data, size, at);
  errno = ENOSPC;
  return -1;
}

/* ---- messages, and what their bytes say ---- */

enum { MESSAGES = 8, TEXT_MAX = 100000 };

static struct {
  char *text;
  size_t size;
} messages[MESSAGES];

static void add_message(int i, char const *text, size_t size) {
  must(!!(messages[i].text = malloc(size + 1)), "malloc");
  memcpy(messages[i].text, text, size);
  messages[i].size = size;
}

static void add_text(int i, char const *text) {
  add_message(i, text, strlen(text));
}

static void make_messages(void) {
  static char text[TEXT_MAX];
  size_t n;
  add_text(0,
           "Received: by a\n\tb\nFrom: A <a@b.c>\nsubject: folded\n and more\nX-Odd: 1\nTo: x@y\n"
           "X-Odd: 2\nDate: Fri, 21 Nov 2025 01:02:03 +0100\nSubject: =?utf-8?q?Caf=C3=A9?=\n"
           "cc: b@c, =?utf-8?q?more=C3=A9?=\nDate: Fri, 21 Nov 2026 01:02:03 +0000\n"
           "\nbody\n");
  add_text(1, "Subject: no body");
  add_text(2, "no header at all\r\n\r\nSubject: not this\r\n");
  add_message(3, "Subject: a\0b\r\nX-Rare : blank\r\n\r\n\0\r\n", 34);
  add_text(4, "MIME-Version: 1.0\nCc: =?x-unheard?q?b?=\nContent-Type: multipart/mixed; "
              "boundary=x\n\n--x\n\none\n--x\n"
              "Content-Type: message/rfc822\n\nSubject: inner\n\ntwo\n--x--\n");
  n = (size_t)sprintf(text, "To: ");
  while (n < 70000) n += (size_t)sprintf(text + n, "somebody%zu@example.org,\n ", n);
  sprintf(text + n, "x@y\nSubject: a long list\n\nbody\n");
  add_text(5, text);
  n = 0;
  for (int i = 0; i < 300; i++) n += (size_t)sprintf(text + n, "X-%d: %d\n", i, i);
  sprintf(text + n, "Subject: many fields\n\nbody\n");
  add_text(6, text);
  add_text(7, "");
}

static char const *const asked[][3] = {
    {"From", "SUBJECT", "to"}, {"X-Odd", "Subject", "X-Rare"}, {"x-odd"}, {"Received", "To"},
    {"X-299", "Date"},         {"Content-Type", "X"},
};
enum { ASKED = sizeof asked / sizeof *asked, CHOICE = 3 };

static size_t names_in(size_t i) {
  size_t n = 0;
  while (n < CHOICE && asked[i][n]) n++;
  return n;
}

struct said {
  uint64_t size;
  stralloc text; /* everything, one after the other */
};
static struct said truth[MESSAGES];

static void say(struct said *s, char const *data, size_t size) {
  must(stralloc_catb(&s->text, data, size) && stralloc_catb(&s->text, "|", 1), "memory");
}

static char const *const searched[] = {"Subject", "From", "To", "Cc", "Bcc"};
static char const *const needles[] = {"and more",    "A <A@", "more\xc3\xa9",
                                      "CAF\xc3\x89", "b",     "\n"};
enum { SEARCHED = sizeof searched / sizeof *searched, NEEDLES = sizeof needles / sizeof *needles };

/* Whether a field holds a needle, of all of them. */
static void say_matches(struct said *s, struct message_part const *whole, struct arena *arena) {
  for (size_t k = 0; k < SEARCHED; k++)
    for (size_t n = 0; n < NEEDLES; n++) {
      struct message_needle *needle = message_needle_new(needles[n], strlen(needles[n]), arena);
      struct message_field field;
      bool holds = false;
      for (size_t at = 0; message_next_field(whole->header, whole->header_size, &at, &field);)
        holds |= field.name_size == strlen(searched[k]) &&
                 !strncasecmp(field.name, searched[k], field.name_size) &&
                 message_value_matches(needle, field.value, field.value_size);
      say(s, holds ? "1" : "0", 1);
    }
}

static bool hear_matches(struct said *s, struct folder *f, uint32_t seq, struct arena *arena) {
  for (size_t k = 0; k < SEARCHED; k++)
    for (size_t n = 0; n < NEEDLES; n++) {
      struct message_needle *needle = message_needle_new(needles[n], strlen(needles[n]), arena);
      struct field_choice choice;
      bool holds;
      field_choice_init(&choice, &searched[k], 1);
      if (folder_fields_hold(f, seq, &choice, needle, arena, &holds)) return false;
      say(s, holds ? "1" : "0", 1);
    }
  return true;
}

static void say_date(struct said *s, bool has, int64_t sent, int32_t day) {
  char text[80];
  int n = has ? sprintf(text, "%lld %d", (long long)sent, (int)day) : 0;
  say(s, text, (size_t)n);
}

/* By the message library alone. */
static void tell_truth(int i) {
  struct arena arena = {0};
  struct message_part *whole;
  struct said *s = &truth[i];
  stralloc text = STRALLOC_ZERO;
  FILE *file = tmpfile();
  must(file && fwrite(messages[i].text, 1, messages[i].size, file) == messages[i].size &&
           !fflush(file) && !message_parse_file(fileno(file), &arena, &whole),
       "parse");
  must(!message_wire_size(fileno(file), 0, messages[i].size, &s->size), "size");
  message_put_envelope(&text, whole);
  say(s, text.s, text.len);
  for (int extended = 0; extended < 2; extended++) {
    text.len = 0;
    message_put_bodystructure(&text, whole, extended);
    say(s, text.s, text.len);
  }
  for (size_t k = 0; k < ASKED; k++) {
    struct message_section section = {
        .kind = SECTION_HEADER_FIELDS, .fields = (char const **)asked[k], .nfields = names_in(k)};
    struct message_extent e;
    must(!message_section_find(fileno(file), whole, &section, &arena, &e), "section");
    say(s, e.data, (size_t)e.wire);
  }
  char const *date = message_header_get(whole->header, whole->header_size, "Date", &arena);
  time_t t = 0;
  int32_t day = 0;
  bool has_date = date && message_parse_date(date, strlen(date), &t, &day);
  say_date(s, has_date, t, day);
  say_matches(s, whole, &arena);
  fclose(file);
  stralloc_free(&text);
  arena_release(&arena);
}

/* By the store; false: an error, or not the truth. */
static bool is_true(struct folder *f, uint32_t seq, int i, bool fields) {
  static struct said s;
  struct arena arena = {0};
  struct facts facts;
  s.text.len = 0;
  bool good = !folder_facts(f, seq, FACT_SIZE | FACT_ENVELOPE | FACT_BODY | FACT_BODYSTRUCTURE,
                            &arena, &facts);
  if (good) {
    s.size = facts.size;
    say(&s, facts.envelope, facts.envelope_size);
    say(&s, facts.body, facts.body_size);
    say(&s, facts.bodystructure, facts.bodystructure_size);
  }
  for (size_t k = 0; k < ASKED && good && fields; k++) {
    struct field_choice choice;
    struct field_lines lines;
    field_choice_init(&choice, asked[k], names_in(k));
    good = !folder_fields(f, seq, &choice, &arena, &lines);
    if (good) say(&s, lines.data, lines.size);
  }
  if (good && fields) good = !folder_facts(f, seq, FACT_SENT, &arena, &facts);
  if (good && fields) {
    say_date(&s, facts.has_sent, facts.sent, facts.sent_day);
    good = hear_matches(&s, f, seq, &arena);
  }
  arena_release(&arena);
  return good && s.size == truth[i].size && (!fields || s.text.len == truth[i].text.len) &&
         !memcmp(s.text.s, truth[i].text.s, s.text.len);
}

/* The late column: what it has to be if it is kept; added where it is not. */
static bool late_true(struct folder *f, uint32_t seq, int i) {
  static char large[CACHE_VALUE_MAX + 1];
  char text[40];
  struct cache_value v, truth_value = {text, (size_t)sprintf(text, "late value %d", i * i)};
  if (i == 6) truth_value = (struct cache_value){large, sizeof large};
  switch (cache_get(f, seq, CACHE_SIGNATURE, &v)) {
  case CACHE_UNKNOWN: cache_add(f, seq, CACHE_SIGNATURE, &truth_value); return true;
  case CACHE_LARGE: return true;
  default: return i != 6 && v.size == truth_value.size && !memcmp(v.data, text, v.size);
  }
}

static bool all_true(struct folder *f, int n) {
  for (int i = 0; i < n; i++)
    if (!is_true(f, (uint32_t)i + 1, i, true) || !late_true(f, (uint32_t)i + 1, i)) {
      printf("# message %d\n", i);
      return false;
    }
  return true;
}

/* Whether the next session finds the truth. */
static bool found_true(int n) {
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  bool good = folder_count(f) == (uint32_t)n && all_true(f, n);
  folder_close(f);
  store_close(s);
  return good;
}

/* ---- files ---- */

static char const *message_path(int i) {
  char part[40];
  snprintf(part, sizeof part, "cur/%d.m.h:2,", i + 1);
  return path_of("", part);
}

static void make_folder(int n) {
  make_maildir();
  for (int i = 0; i < n; i++) {
    int fd = open(message_path(i), O_WRONLY | O_CREAT, 0600);
    must(fd >= 0 && write(fd, messages[i].text, messages[i].size) == (ssize_t)messages[i].size,
         "write");
    close(fd);
  }
}

static char const *const files[] = {"cache",           "cache.envelope", "cache.body",
                                    "cache.structure", "cache.common",   "cache.rare",
                                    "cache.subject",   "cache.from",     "cache.to",
                                    "cache.cc",        "cache.bcc",      "cache.signature"};
enum { FILES = sizeof files / sizeof *files };
static struct {
  char *data;
  size_t size;
} saved[FILES];

static char const *cache_path(int i) {
  char part[60];
  snprintf(part, sizeof part, AREA "/%s", files[i]);
  return path_of("", part);
}

static void save_files(void) {
  for (int i = 0; i < FILES; i++) {
    free(saved[i].data);
    must(!file_read(AT_FDCWD, cache_path(i), 1 << 24, &saved[i].data, &saved[i].size), files[i]);
  }
}

/* Not with O_TRUNC, after which some file systems write to the disk when it is closed. */
static void put_file(int i, size_t size) {
  int fd = open(cache_path(i), O_WRONLY | O_CREAT, 0600);
  must(fd >= 0 && write(fd, saved[i].data, size) == (ssize_t)size && !ftruncate(fd, (off_t)size) &&
           !close(fd),
       files[i]);
}

static void restore_files(void) {
  for (int i = 0; i < FILES; i++) put_file(i, saved[i].size);
}

static size_t size_of(int i) {
  struct stat st;
  return stat(cache_path(i), &st) ? 0 : (size_t)st.st_size;
}

/* ---- tests ---- */

static void same_as_file(void) {
  make_folder(MESSAGES);
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  ok(all_true(f, MESSAGES), "read for the first time");
  ok(all_true(f, MESSAGES), "before it is written");
  folder_rest(f);
  ok(all_true(f, MESSAGES), "once it is written");
  folder_close(f);
  store_close(s);
  save_files();
  ok(found_true(MESSAGES), "in the next session");
  bool grown = false;
  for (int i = 0; i < FILES; i++) grown |= size_of(i) != saved[i].size;
  ok(!grown, "which finds out nothing new, of values too large to be kept either");
}

/* Messages 1 to 5 are kept whole: their files are not needed. */
static void no_file_read(void) {
  bool good = true;
  make_folder(MESSAGES);
  struct store *s = open_store(), *s2 = open_store();
  struct folder *f = select_folder(s, ""), *other = select_folder(s2, "");
  struct arena arena = {0};
  struct facts facts;
  struct field_choice choice;
  struct field_lines lines;
  must(all_true(f, MESSAGES), "learn");
  folder_rest(f);
  for (int i = 0; i < 5; i++) must(!unlink(message_path(i)), "unlink");
  char const *const names[] = {"From", "X-Odd"};
  field_choice_init(&choice, names, 2);
  for (uint32_t seq = 1; seq <= 5 && good; seq++)
    for (int turn = 0; turn < 2 && good; turn++)
      good = !folder_facts(turn ? other : f, seq, 15, &arena, &facts) && facts.body_size &&
             !folder_fields(turn ? other : f, seq, &choice, &arena, &lines);
  ok(good, "no file is opened, by another session that was there before neither");
  folder_close(f);
  folder_close(other);
  store_close(s);
  store_close(s2);
  arena_release(&arena);
}

static void damaged(void) {
  enum { FEW = 3 };
  bool flips = true, cuts = true;
  make_folder(FEW);
  must(found_true(FEW) && found_true(FEW), "learn");
  save_files();
  for (int i = 0; i < FILES && flips; i++)
    for (size_t at = 0; at < saved[i].size && flips; at++) {
      restore_files();
      int fd = open(cache_path(i), O_WRONLY);
      char flipped = (char)(saved[i].data[at] ^ (1 << at % 8));
      must(syscall(SYS_pwrite64, fd, &flipped, 1, at) == 1 && !close(fd), "flip");
      flips = found_true(FEW) && found_true(FEW);
      if (!flips) printf("# byte %zu of %s\n", at, files[i]);
    }
  ok(flips, "every byte flipped in turn");
  for (int i = 0; i < FILES && cuts; i++)
    for (size_t size = 0; size < saved[i].size && cuts; size += 3) {
      restore_files();
      put_file(i, size);
      cuts = found_true(FEW) && found_true(FEW);
      if (!cuts) printf("# %s cut to %zu\n", files[i], size);
    }
  ok(cuts, "every file cut short, everywhere");
  for (int i = 0; i < FILES; i++) {
    restore_files();
    must(!unlink(cache_path(i)), "unlink");
    if (!found_true(FEW) || !found_true(FEW)) cuts = false;
    restore_files();
    must(!unlink(cache_path(i)) && !mkdir(cache_path(i), 0700), "mkdir");
    if (!found_true(FEW) || !found_true(FEW)) cuts = false;
    must(!rmdir(cache_path(i)), "rmdir");
  }
  ok(cuts, "each missing, and a directory in its place");
}

static void cut_while_open(void) {
  make_folder(MESSAGES);
  must(found_true(MESSAGES), "learn");
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  must(is_true(f, 1, 0, true), "first");
  for (int i = 0; i < FILES; i++) must(!truncate(cache_path(i), 80), "truncate");
  folder_rest(f);
  ok(all_true(f, MESSAGES), "cut short under a session");
  folder_close(f);
  store_close(s);
  ok(found_true(MESSAGES), "and mended by it");
}

/* Fields outlive facts that have to be found out anew. */
static void fields_then_facts(void) {
  struct arena arena = {0};
  struct facts facts;
  struct field_choice choice;
  struct field_lines lines;
  char const *const name[] = {"From"};
  make_folder(MESSAGES);
  must(found_true(MESSAGES) && !unlink(cache_path(1)), "learn");
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  field_choice_init(&choice, name, 1);
  ok(!folder_fields(f, 1, &choice, &arena, &lines) &&
         !folder_facts(f, 1, FACT_ENVELOPE, &arena, &facts) && facts.envelope_size,
     "one column is missing");
  for (uint32_t i = 2; i <= MESSAGES; i++) folder_facts(f, i, FACT_ENVELOPE, &arena, &facts);
  cache_flush(f);
  ok(lines.size == 19 && !memcmp(lines.data, "From: A <a@b.c>\r\n\r\n", 19),
     "the fields are still good");
  arena_release(&arena);
  folder_close(f);
  store_close(s);
  ok(found_true(MESSAGES) && size_of(1) > 0, "the column is there again");
}

static void unwritable(void) {
  make_folder(MESSAGES);
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  disk_full = true;
  ok(all_true(f, MESSAGES), "a full disk");
  folder_rest(f);
  ok(all_true(f, MESSAGES), "goes on to give answers");
  struct arena arena = {0};
  struct facts facts;
  ok(!folder_facts(f, 5, FACT_ENVELOPE, &arena, &facts) &&
         !memcmp(facts.envelope, truth[4].text.s, facts.envelope_size) &&
         !folder_facts(f, 5, FACT_SIZE, &arena, &facts) && facts.size == truth[4].size,
     "to one question at a time, too");
  arena_release(&arena);
  disk_full = false;
  folder_close(f);
  ok(found_true(MESSAGES), "with room again");
  must(!unlink(path_of("", AREA "/cache.lock")) && !mkdir(path_of("", AREA "/cache.lock"), 0700),
       "mkdir");
  for (int i = 0; i < FILES; i++) unlink(cache_path(i));
  ok(found_true(MESSAGES), "a lock that cannot be had");
  must(!rmdir(path_of("", AREA "/cache.lock")), "rmdir");
  ok(size_of(0) == 0, "nothing is written without it");
  ok(found_true(MESSAGES) && size_of(0) > 0, "with it, it is");
  store_close(s);
}

static void another_folder(void) {
  make_folder(MESSAGES);
  must(found_true(MESSAGES), "learn");
  must(!unlink(path_of("", AREA "/journal")), "unlink");
  /* Other messages have the UIDs now. */
  for (int i = 0; i < MESSAGES; i++) must(!unlink(message_path(i)), "unlink");
  deliver("", "cur/1.other.h:2,", "Subject: other\n\n");
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  struct arena arena = {0};
  struct facts facts;
  ok(!folder_facts(f, 1, FACT_ENVELOPE, &arena, &facts) &&
         memmem(facts.envelope, facts.envelope_size, "other", 5),
     "a new UIDVALIDITY: nothing of the old");
  arena_release(&arena);
  folder_close(f);
  store_close(s);
}

/* ---- many messages ---- */

enum { MANY = CACHE_TAIL_MAX + 900 };

static void make_many(int n) {
  make_maildir();
  for (int i = 1; i <= n; i++) {
    char name[60], text[60];
    snprintf(name, sizeof name, "cur/%d.m.h:2,", i);
    snprintf(text, sizeof text, "Subject: s%d\n\n", i);
    write_file(path_of("", name), text);
  }
}

static bool subject_is(struct folder *f, uint32_t seq) {
  static char const *const name[] = {"Subject"};
  struct arena arena = {0};
  struct field_choice choice;
  struct field_lines lines;
  char line[60];
  snprintf(line, sizeof line, "Subject: s%u\r\n\r\n", folder_uid(f, seq));
  field_choice_init(&choice, name, 1);
  bool good = !folder_fields(f, seq, &choice, &arena, &lines) && lines.size == strlen(line) &&
              !memcmp(lines.data, line, lines.size);
  arena_release(&arena);
  return good;
}

static bool late_is(struct folder *f, uint32_t seq, enum cache_answer answer) {
  struct cache_value v;
  char text[20];
  size_t size = (size_t)sprintf(text, "late %u", folder_uid(f, seq));
  return cache_get(f, seq, CACHE_SIGNATURE, &v) == answer &&
         (answer != CACHE_KNOWN || (v.size == size && !memcmp(v.data, text, size)));
}

static bool add_late(struct folder *f, uint32_t seq) {
  char text[20];
  struct cache_value const v = {text, (size_t)sprintf(text, "late %u", folder_uid(f, seq))};
  return cache_add(f, seq, CACHE_SIGNATURE, &v);
}

static void out_of_order(void) {
  bool good = true;
  struct cache_header h;
  make_many(MANY);
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  for (uint32_t seq = MANY; seq && good; seq--) good = subject_is(f, seq);
  for (uint32_t seq = 1; seq <= 10 && good; seq++) good = add_late(f, seq);
  folder_rest(f);
  ok(good, "asked from the last to the first");
  save_files();
  memcpy(&h, saved[0].data, sizeof h);
  ok(h.sorted > CACHE_TAIL_MAX, "the directory has been sorted");
  for (uint32_t seq = 1; seq <= MANY && good; seq++) good = subject_is(f, (seq * 7) % MANY + 1);
  ok(good, "and asked in any order");

  /* Most of them go; the cache is written anew when the next is kept. */
  size_t before = size_of(4);
  must(!change_flags(f, 11, MANY, FLAGS_ADD, FLAG_DELETED, 0) && !folder_expunge(f, 0), "expunge");
  sync_and_hear(f, true);
  deliver("", "cur/x.m.h:2,", "Subject: new\n\n");
  let_settle();
  sync_and_hear(f, true);
  must(folder_count(f) == 11, "count");
  subject_is(f, 11);
  folder_rest(f);
  ok(size_of(0) < sizeof h + 20 * sizeof(struct cache_entry) && size_of(4) < before / 10,
     "garbage goes");
  for (uint32_t seq = 1; seq <= 10; seq++) {
    char name[60];
    good &= subject_is(f, seq);
    snprintf(name, sizeof name, "cur/%u.m.h:2,", seq);
    must(!unlink(path_of("", name)), name);
    good &= subject_is(f, seq) && late_is(f, seq, CACHE_KNOWN);
  }
  ok(good && late_is(f, 11, CACHE_UNKNOWN), "what is left is still known");
  folder_close(f);
  store_close(s);
}

static void late_columns(void) {
  enum { SOME = 300 };
  bool good = true;
  make_many(SOME);
  struct store *s = open_store(), *s2 = open_store();
  struct folder *f = select_folder(s, ""), *other = select_folder(s2, "");
  ok(!add_late(f, 1), "not without an entry");
  for (uint32_t seq = 1; seq <= SOME; seq++) must(subject_is(f, seq), "learn");
  ok(add_late(f, 1) && late_is(f, 1, CACHE_KNOWN), "to an entry that is not written yet");
  folder_rest(f);
  /* Every third in order, then all the others from the back; the other session adds some, too. */
  for (uint32_t seq = 3; seq <= SOME; seq += 3) good &= add_late(f, seq);
  for (uint32_t seq = 1; seq <= SOME && good; seq++)
    good = late_is(f, seq, seq % 3 && seq != 1 ? CACHE_UNKNOWN : CACHE_KNOWN);
  ok(good, "known before they are written");
  for (uint32_t seq = 1; seq <= SOME && good; seq += 2) good = subject_is(other, seq);
  for (uint32_t seq = SOME; seq && good; seq--)
    good = late_is(other, seq, CACHE_KNOWN) || add_late(other, seq);
  folder_rest(f);
  folder_rest(other);
  for (uint32_t seq = 1; seq <= SOME && good; seq++)
    good = late_is(f, seq, CACHE_KNOWN) && late_is(other, seq, CACHE_KNOWN) && subject_is(f, seq);
  ok(good, "added by two sessions, known to both");
  size_t directory = size_of(0);
  save_files();
  struct cache_header h;
  memcpy(&h, saved[0].data, sizeof h);
  ok(directory == cache_entry_offset(SOME) && h.sorted == SOME && h.dropped == SOME / 3,
     "the directory has not grown, and what both found out is counted once");
  folder_close(other);
  store_close(s2);
  folder_close(f);
  store_close(s);
}

/* As a program writes them that understands messages otherwise. */
static void other_version(void) {
  bool none_used = true;
  make_folder(MESSAGES);
  must(found_true(MESSAGES) && found_true(MESSAGES), "learn");
  save_files();
  for (int i = 0; i < FILES; i++) {
    struct cache_header h;
    struct cache_value v;
    memcpy(&h, saved[i].data, sizeof h);
    h.message++;
    cache_seal_header(&h);
    restore_files();
    int fd = open(cache_path(i), O_WRONLY);
    must(fd >= 0 && write(fd, &h, sizeof h) == sizeof h && !close(fd), "header");
    struct store *s = open_store();
    struct folder *f = select_folder(s, "");
    for (int k = 0; k <= CACHE_SIGNATURE; k++) /* there is no Bcc, which the directory says */
      none_used &= (cache_get(f, 1, (enum cache_column)k, &v) == CACHE_UNKNOWN) ==
                   (i == 0 || (i == k + 1 && k != CACHE_BCC));
    folder_close(f);
    store_close(s);
    must(found_true(MESSAGES), "again");
  }
  ok(none_used, "a file of another version is not used, and the others are");
}

/* How many messages of a folder of n new ones are known when nothing more is to be learned. */
static int learned(int n) {
  int known = 0;
  make_maildir();
  for (int i = 0; i < n; i++) {
    char name[40];
    snprintf(name, sizeof name, "new/%d.m.h", i + 1);
    deliver("", name, "Subject: new\n\nbody\n");
  }
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  sync_and_hear(f, true);
  must(folder_count(f) == (uint32_t)n, "count");
  while (folder_learn(f)) {
  }
  must(!folder_learn(f), "the end");
  folder_close(f);
  s = (store_close(s), open_store());
  f = select_folder(s, "");
  sync_and_hear(f, true);
  while (folder_learn(f)) {
  }
  for (int i = 0; i < n; i++) {
    struct cache_value v;
    known += cache_get(f, (uint32_t)i + 1, CACHE_ENVELOPE, &v) == CACHE_KNOWN;
  }
  folder_close(f);
  store_close(s);
  return known;
}

static void new_mail(void) {
  is_uint((uint64_t)learned(5), 5, "new mail is looked at before anybody asks");
  is_uint((uint64_t)learned(150), 0, "unless it is much, and other sessions leave it alone");
}

/* Two sessions that have read the directory before either writes. */
static void late_twice(void) {
  enum { FEW = 20 };
  make_many(FEW);
  struct store *s = open_store(), *s2 = open_store();
  struct folder *f = select_folder(s, ""), *other = select_folder(s2, "");
  for (uint32_t seq = 1; seq <= FEW; seq++) must(subject_is(f, seq), "learn");
  folder_rest(f);
  for (uint32_t seq = 1; seq <= FEW; seq++) must(add_late(f, seq) && add_late(other, seq), "add");
  cache_flush(f);
  cache_flush(other);
  struct cache_header h;
  save_files();
  memcpy(&h, saved[0].data, sizeof h);
  is_uint(h.dropped, FEW, "what both found out in a small folder is counted, too");
  folder_close(other);
  store_close(s2);
  folder_close(f);
  store_close(s);
}

/* What one of several sessions at once does; false: it was told something false. */
static bool ask_at_random(unsigned int seed, int n) {
  bool good = true;
  for (int round = 0; round < 20 && good; round++) {
    struct store *s = open_store();
    struct folder *f = select_folder(s, "");
    for (int i = 0; i < 60 && good; i++) {
      seed = seed * 1103515245 + 12345;
      uint32_t seq = seed / 65536 % (unsigned int)n + 1;
      good = subject_is(f, seq) && (late_is(f, seq, CACHE_KNOWN) || late_is(f, seq, CACHE_UNKNOWN));
      if (seed / 65536 % 3 == 0) add_late(f, seq);
      if (seed / 65536 % 20 == 0) cache_flush(f);
      if (seed / 65536 % 300 == 0 && truncate(cache_path((int)(seed % FILES)), 100) < 0)
        good = errno == ENOENT; /* not there yet */
    }
    folder_close(f);
    store_close(s);
  }
  return good;
}

static void many_at_once(void) {
  enum { SESSIONS = 4, FEW_HUNDRED = 400 };
  bool good = true;
  make_many(FEW_HUNDRED);
  struct store *s = open_store();
  folder_close(select_folder(s, "")); /* everything is indexed before they begin */
  store_close(s);
  for (unsigned int i = 0; i < SESSIONS; i++)
    if (!fork()) _exit(ask_at_random(i + 1, FEW_HUNDRED) ? 0 : 1);
  for (int i = 0, status; i < SESSIONS; i++) good &= wait(&status) > 0 && !status;
  ok(good, "several sessions fill it, and somebody cuts it short");
}

int main(void) {
  char path[4096];
  char const *bin = getenv("CHAINMAIL_BIN");
  snprintf(path, sizeof path, "%s/charsetd", bin ? bin : "/nonexistent");
  setenv("IMAP_CHARSETD", path, 1);
  make_messages();
  for (int i = 0; i < MESSAGES; i++) tell_truth(i);
  same_as_file();
  no_file_read();
  damaged();
  cut_while_open();
  fields_then_facts();
  unwritable();
  another_folder();
  out_of_order();
  late_columns();
  late_twice();
  other_version();
  new_mail();
  many_at_once();
  for (int i = 0; i < MESSAGES; i++) {
    free(messages[i].text);
    stralloc_free(&truth[i].text);
  }
  for (int i = 0; i < FILES; i++) free(saved[i].data);
  return tap_done();
}
