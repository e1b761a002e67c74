/* Every byte of every file of ours flipped in turn, and every file cut at every length: before a
 * session begins, and under one.  No crash, no UID that becomes another message, every answer about
 * a message right, every mail there and as it was.  BITS=8 flips each bit alone.  The index is in
 * index.c, orders and links are in sort.c: they want more messages. */
#define _GNU_SOURCE /* the prototype of clock_gettime */
#include "answers.h"
#include "saved-file.h"
#include "store/folder.h"

#include <sys/syscall.h>

enum { FILES_MAX = 40, UIDS = 50, FILE_MAX = 1 << 20 };

/* A scan right after a change would be repeated, after a while.  Nobody else is here: no need. */
int clock_gettime(clockid_t id, struct timespec *t) {
  int r = (int)syscall(SYS_clock_gettime, id, t);
  if (!r && id == CLOCK_REALTIME) t->tv_sec += 10;
  return r;
}

static struct saved_file files[FILES_MAX];
static int nfiles;
static int numbers[2][UIDS]; /* what each UID of a folder is */
static uint32_t validity[2], uidnext[2];
static unsigned int mails[2];
static char const *const names[2] = {"", "box"};
static int refused; /* sessions that were told NO */

/* ---- the scene ---- */

static void remember(char const *directory) {
  DIR *d = opendir(directory);
  must(!!d, directory);
  for (struct dirent *e; (e = readdir(d));) {
    char path[400];
    struct stat st;
    if (e->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
    must(!lstat(path, &st), path);
    if (S_ISDIR(st.st_mode)) {
      remember(path);
      continue;
    }
    save_file(&files[nfiles], path, nfiles, FILE_MAX);
    must(++nfiles < FILES_MAX, "a file more");
  }
  closedir(d);
}

static void prepare(void) {
  make_maildir();
  struct store *s = open_store(), *s2 = open_store();
  must(!store_create(s, "box"), "create");
  for (int i = 1; i <= 4; i++) {
    char name[40], text[60];
    snprintf(name, sizeof name, "new/%d.x.h", i);
    snprintf(text, sizeof text, "Subject: number %d\n\nbody %d\n", i, i);
    deliver("", name, text);
  }
  struct folder *f = select_folder(s, "");
  must(!change_flags(f, 1, 2, FLAGS_ADD, FLAG_SEEN, "$Work") &&
           !change_flags(f, 2, 2, FLAGS_ADD, FLAG_DELETED, "other") &&
           !copy_messages(f, 3, 4, s, "box", false) && !copy_messages(f, 1, 1, s, "box", true),
       "the scene");
  struct folder *other = select_folder(s2, "");
  must(!folder_expunge(f, 0), "expunge"); /* sets one aside */
  append_messages(s, "", "number 1", 2, FLAG_FLAGGED);
  let_settle();
  sync_and_hear(f, true);
  for (uint32_t i = 1; i <= folder_count(f); i++)
    must(answers_fit(f, i, content_of(f, i)), "the answers");
  folder_close(f);
  remember(path_of("", "chainmail"));
  remember(path_of("box", "chainmail"));
  folder_close(other);
  store_close(s);
  store_close(s2);
}

/* ---- damage and restoring ---- */

static void remove_strange(char const *directory) {
  char path[700];
  DIR *d = opendir(directory);
  if (!d) return;
  for (struct dirent *e; (e = readdir(d));) {
    bool known = e->d_name[0] == '.' || e->d_type == DT_DIR;
    snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
    for (int i = 0; !known && i < nfiles; i++) known = !strcmp(files[i].path, path);
    if (!known) unlink(path);
  }
  closedir(d);
}

static void restore(void) {
  for (int i = 0; i < nfiles; i++) put_back(&files[i]);
  for (int i = 0; i < 2; i++) {
    remove_strange(path_of(names[i], "chainmail"));
    remove_strange(path_of(names[i], "chainmail/expunged"));
  }
}

static void flip(struct saved_file const *f, size_t at, int mask) {
  char *copy = malloc(f->size);
  must(!!copy, "malloc");
  memcpy(copy, f->data, f->size);
  copy[at] = (char)(copy[at] ^ mask);
  write_saved(f, copy, f->size);
  free(copy);
}

/* ---- judging ---- */

static bool check_message(struct folder *f, int box, uint32_t seq, unsigned int *readable) {
  char const *text = content_of(f, seq);
  int number = number_of(text);
  uint32_t uid = folder_uid(f, seq);
  time_t date;
  if (folder_internal_date(f, seq, &date)) date = 0;
  if (number < 0) return true;
  if (!folder_is_expunged(f, seq)) ++*readable;
  if (!answers_fit(f, seq, text)) return false;
  if (folder_uidvalidity(f) != validity[box] || uid >= uidnext[box]) return true;
  if (numbers[box][uid] == number) return true;
  printf("# folder \"%s\", UID %u: number %d and not %d\n", names[box], uid, number,
         numbers[box][uid]);
  return false;
}

/* A session that was there before may hear NO, but nothing false. */
static bool check_old(struct folder *f, int box) {
  unsigned int readable = 0;
  for (uint32_t seq = 1; seq <= folder_count(f); seq++)
    if (!check_message(f, box, seq, &readable)) return false;
  change_flags(f, 1, 1, FLAGS_ADD, FLAG_ANSWERED, "$Work");
  change_flags(f, 1, 1, FLAGS_REMOVE, FLAG_ANSWERED, 0);
  if (folder_sync(f, true, 0)) refused++;
  for (uint32_t seq = 1; seq <= folder_count(f); seq++)
    if (!check_message(f, box, seq, &readable)) return false;
  return true;
}

static bool check_new(int box) {
  struct store *s;
  struct folder *f = 0;
  unsigned int readable = 0;
  bool good = true;
  if (store_open(&s, maildir, &options)) return false;
  enum store_error e = folder_open(s, names[box], FOLDER_SELECT, &f);
  if (e) printf("# folder_open: %s\n", store_code(e));
  for (uint32_t seq = 1; f && seq <= folder_count(f); seq++)
    good = good && check_message(f, box, seq, &readable);
  if (f) folder_close(f);
  store_close(s);
  if (good && !e && readable == mails[box]) return true;
  printf("# %u messages of %u\n", readable, mails[box]);
  return false;
}

/* The mail itself. */
static bool mail_is_whole(void) {
  for (int i = 0; i < 2; i++)
    if (files_in(names[i], "cur") + files_in(names[i], "new") != mails[i]) return false;
  return true;
}

static void learn(void) {
  struct store *s = open_store();
  for (int box = 0; box < 2; box++) {
    struct folder *f = select_folder(s, names[box]);
    validity[box] = folder_uidvalidity(f);
    uidnext[box] = folder_uidnext(f);
    mails[box] = folder_count(f);
    for (uint32_t seq = 1; seq <= folder_count(f); seq++) {
      numbers[box][folder_uid(f, seq)] = number_of(content_of(f, seq));
    }
    folder_close(f);
  }
  store_close(s);
  numbers[0][2] = 2; /* the one set aside */
}

static bool is_of_box(struct saved_file const *f) {
  return strstr(f->path, "/.box/") != 0;
}

/* size < 0: the byte at `at` is flipped; else the file is cut. */
static bool try(struct saved_file const *file, bool live, size_t at, int mask, long size) {
  int box = is_of_box(file);
  struct store *s = 0;
  struct folder *f = 0;
  bool good = true;
  restore();
  if (live) {
    s = open_store();
    f = select_folder(s, names[box]);
  }
  if (size < 0)
    flip(file, at, mask);
  else
    write_saved(file, file->data, (size_t)size);
  if (live) {
    good = check_old(f, box);
    folder_close(f);
    store_close(s);
  }
  good = check_new(box) && good;
  good = check_new(box) && good;
  good = mail_is_whole() && good;
  if (!good)
    printf("# %s: %s %s at %zu, mask %d\n", file->path, live ? "live," : "",
           size < 0 ? "flipped" : "cut", size < 0 ? at : (size_t)size, mask);
  return good;
}

static void damage(struct saved_file const *file, bool live, bool bits) {
  char name[100];
  bool good = true;
  for (size_t at = 0; good && at < file->size; at++) {
    good = try(file, live, at, 0x5a, -1) && try(file, live, at, 0, (long)at);
    for (int bit = 0; bits && good && bit < 8; bit++) good = try(file, live, at, 1 << bit, -1);
  }
  char const *from = strstr(file->path, "/M/");
  snprintf(name, sizeof name, "%s%s, %zu bytes", live ? "under a session: " : "",
           from ? from + 3 : file->path, file->size);
  ok(good, name);
}

int main(void) {
  if (!getenv("TMPDIR") && !access("/dev/shm", W_OK)) setenv("TMPDIR", "/dev/shm", 1);
  bool bits = getenv("BITS") && atoi(getenv("BITS")) == 8;
  prepare();
  learn();
  int err = dup(2), null = open("/dev/null", O_WRONLY);
  must(err >= 0 && null >= 0, "open");
  for (int i = 0; i < 2 * nfiles; i++) {
    dup2(null, 2);
    damage(&files[i / 2], i % 2, bits);
    dup2(err, 2);
  }
  printf("# sessions told NO: %d\n", refused);
  for (int i = 0; i < nfiles; i++) free(files[i].data);
  return tap_done();
}
