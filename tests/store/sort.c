/* What SORT compares and THREAD follows: whether it comes from texts, from a file, from both, or
 * from a file that somebody has damaged, it is the same. */
#include "store-test.h"
#include "message/thread.h"

enum { MANY = 400, MOST = 700, FEW_LEFT = 90 };

static struct store *store;
static struct folder *folder;
static uint32_t seqs[MOST];

static bool never(void *context) {
  (void)context;
  return false;
}
static struct folder_patience const patience = {never, 0};

/* ---- mail ---- */

static void deliver_mail(unsigned int i) {
  static char const *const subjects[] = {"",
                                         "Re: ",
                                         "apple",
                                         "Re: Apple",
                                         "[list] banana (fwd)",
                                         "Banana",
                                         "=?utf-8?q?=C3=84pfel?=",
                                         "\xe4pfel",
                                         "=?x-no?b?YWE=?=",
                                         "cherry"};
  char text[2000], name[60];
  int n = 0;
  if (i % 7) n += sprintf(text + n, "Subject: %s%s\n", subjects[i * 7 % 10], i % 3 ? "" : "!");
  if (i % 5) n += sprintf(text + n, "From: N%u <u%u@x>\n", i * 31 % 50, i * 17 % 40);
  if (i % 4) n += sprintf(text + n, "To: u%u@x\nCc: B <u%u@y>\n", i * 13 % 30, i * 11 % 20);
  if (i % 6) n += sprintf(text + n, "Date: %u Jan 20%02u 00:00:00 +0000\n", 1 + i % 31, i % 20);
  if (i % 9) n += sprintf(text + n, "Message-ID: <%u@x>\n", i);
  if (i % 2) n += sprintf(text + n, "References: <%u@x> <%u@x>\n", i / 3, i / 2);
  if (i % 50 == 49) {
    n += sprintf(text + n, "Subject: ");
    memset(text + n, 'x', 900);
    n += 900 + sprintf(text + n + 900, "%u\n", i % 3);
  }
  sprintf(
      text + n, "\n%.*s\n", (int)(i * 37 % 90),
      "----------------------------------------------------------------------------------------");
  snprintf(name, sizeof name, "new/%u.M%uP1.h", 1600000000 + i, i);
  deliver("", name, text);
}

static void take_in(void) {
  struct folder_listener const listener = {.context = 0};
  must(folder_sync(folder, true, &listener) == STORE_OK, "sync");
  for (uint32_t i = 0; i < folder_count(folder); i++) seqs[i] = i + 1;
}

static void reopen(void) {
  if (folder) folder_close(folder);
  must(folder_open(store, "", FOLDER_SELECT, &folder) == STORE_OK, "open");
  take_in();
}

/* ---- answers ---- */

/* Everything there is to know of some messages.  Values are counted among them, from 0 if that is
 * the lowest, which for texts means that there are empty ones. */
struct answers {
  uint64_t values[SORT_KEYS][MOST];
  struct {
    uint64_t id, references[4];
    uint32_t n;
    bool reply;
  } links[MOST];
};

static int by_value(void const *a, void const *b) {
  uint64_t const *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

static void make_dense(uint64_t *values, uint32_t n) {
  static uint64_t sorted[MOST];
  uint32_t different = 0;
  memcpy(sorted, values, n * sizeof *values);
  qsort(sorted, n, sizeof *sorted, by_value);
  for (uint32_t i = 0; i < n; i++)
    if (!i || sorted[i] != sorted[different - 1]) sorted[different++] = sorted[i];
  for (uint32_t i = 0; i < n; i++) {
    uint64_t *found = bsearch(&values[i], sorted, different, sizeof *sorted, by_value);
    values[i] = (uint64_t)(found - sorted) + (sorted[0] != 0);
  }
}

static void ask(struct answers *a, uint32_t first, uint32_t n) {
  static struct message_links links[MOST];
  struct arena arena = {0};
  bool good = true;
  memset(a, 0, sizeof *a);
  for (unsigned int key = 0; key < SORT_KEYS; key++) {
    good = good && folder_sort_values(folder, (enum sort_key)key, seqs + first, n, &patience,
                                      a->values[key]) == STORE_OK;
    make_dense(a->values[key], n);
  }
  good = good && folder_links(folder, seqs + first, n, &patience, &arena, links) == STORE_OK;
  must(good, "asking");
  for (uint32_t i = 0; i < n; i++) {
    a->links[i].id = links[i].id;
    a->links[i].n = links[i].nreferences;
    a->links[i].reply = links[i].reply;
    for (uint32_t k = 0; k < links[i].nreferences && k < 4; k++)
      a->links[i].references[k] = links[i].references[k];
  }
  arena_release(&arena);
}

static struct answers cold, warm;

static void forget_files(void) {
  char command[400];
  snprintf(command, sizeof command, "rm -f '%s'/sort.*", path_of("", "chainmail"));
  must(!system(command), "rm");
}

/* As if nothing had been kept. */
static bool as_cold(void) {
  ask(&warm, 0, folder_count(folder));
  forget_files();
  ask(&cold, 0, folder_count(folder));
  return !memcmp(&cold, &warm, sizeof cold);
}

/* ---- tests ---- */

static bool exists(char const *name) {
  char path[100];
  snprintf(path, sizeof path, "chainmail/%s", name);
  return !access(path_of("", path), F_OK);
}

static void few_and_many(void) {
  static struct answers few;
  uint32_t wrong = 0;
  ask(&cold, 0, 60);
  ok(!exists("sort.subject"), "few messages: no file");
  ask(&cold, 0, MANY);
  ok(exists("sort.subject") && exists("sort.displayto") && exists("sort.links"), "many: files");
  ask(&warm, 0, MANY);
  ok(!memcmp(&cold, &warm, sizeof cold), "which say the same");
  reopen();
  ask(&warm, 0, MANY);
  ok(!memcmp(&cold, &warm, sizeof cold), "to another session too");
  for (uint32_t first = 0; first + 60 <= MANY; first += 30) {
    ask(&few, first, 60);
    for (unsigned int key = 0; key < SORT_KEYS; key++) {
      memcpy(warm.values[key], cold.values[key] + first, 60 * sizeof *warm.values[key]);
      make_dense(warm.values[key], 60);
      /* An empty text is 0 in either. */
      for (uint32_t i = 0; i < 60; i++) wrong += few.values[key][i] != warm.values[key][i];
    }
    wrong += !!memcmp(few.links, cold.links + first, 60 * sizeof *few.links);
  }
  is_uint(wrong, 0, "and the same as the texts of the messages asked for");
}

static void new_mail(void) {
  unsigned int i = MANY;
  struct stat before, after;
  must(!stat(path_of("", "chainmail/sort.to"), &before), "stat");
  while (i < MANY + 20) deliver_mail(i++);
  take_in();
  ask(&warm, 0, folder_count(folder));
  must(!stat(path_of("", "chainmail/sort.to"), &after), "stat");
  ok(before.st_ino == after.st_ino, "some new messages: the file stays");
  ok(as_cold(), "they are put between the others");
  while (i < MANY + 140) deliver_mail(i++);
  take_in();
  must(!stat(path_of("", "chainmail/sort.subject"), &before), "stat");
  ask(&warm, 0, folder_count(folder));
  must(!stat(path_of("", "chainmail/sort.subject"), &after), "stat");
  ok(before.st_ino != after.st_ino, "many: a new one");
  ok(as_cold(), "with the same answers");
}

static void expunge(struct set const *set, struct arena *arena) {
  struct flag_change const change = {
      .operation = FLAGS_ADD, .flags = FLAG_DELETED, .unchanged_since = UINT64_MAX};
  struct flag_result result;
  must(folder_store(folder, set, &change, arena, &result) == STORE_OK, "store");
  must(folder_expunge(folder, 0) == STORE_OK, "expunge");
  take_in();
}

static void expunged_mail(void) {
  struct arena arena = {0};
  struct set set;
  set_init(&set, &arena);
  for (uint32_t seq = 1; seq < folder_count(folder); seq += seq % 3 + 1) set_add(&set, seq);
  expunge(&set, &arena);
  arena_release(&arena);
  ok(as_cold(), "some messages gone");
}

static unsigned int unlink_others(unsigned int below) {
  unsigned int n = 0;
  DIR *d = opendir(path_of("", "cur"));
  must(!!d, "cur");
  for (struct dirent *e; (e = readdir(d));) {
    unsigned int i = (unsigned int)strtoul(e->d_name, 0, 10) - 1600000000;
    if (*e->d_name == '.' || i >= below || i % 4 == 0) continue;
    must(!unlinkat(dirfd(d), e->d_name, 0), e->d_name);
    n++;
  }
  closedir(d);
  return n;
}

/* Another program removes most of the messages that are in the files, of which nothing else is kept
 * any more: new ones come between those that are left as they would otherwise. */
static void lost_mail(unsigned int i) {
  unsigned int new = folder_count(folder) / 25, first = i;
  uint32_t left[MOST], n = 0, wrong = 0;
  char command[400];
  int fd;
  forget_files();
  ask(&cold, 0, folder_count(folder));
  while (i < first + new) deliver_mail(i++);
  take_in();
  ask(&cold, 0, folder_count(folder));
  folder_rest(folder);
  snprintf(command, sizeof command, "rm -f '%s'/cache*", path_of("", "chainmail"));
  must(!system(command), "rm");
  must(unlink_others(first) > folder_count(folder) / 2, "unlink");
  ask(&warm, 0, folder_count(folder));
  for (uint32_t k = 0; k < folder_count(folder); k++)
    if (!folder_message(folder, seqs[k], &fd)) {
      left[n++] = k;
      close(fd);
    }
  must(n < folder_count(folder) / 2, "some are gone");
  for (unsigned int key = 0; key < SORT_KEYS; key++) {
    for (uint32_t k = 0; k < n; k++) {
      warm.values[key][k] = warm.values[key][left[k]];
      cold.values[key][k] = cold.values[key][left[k]];
    }
    make_dense(warm.values[key], n);
    make_dense(cold.values[key], n);
    for (uint32_t k = 0; k < n; k++) wrong += warm.values[key][k] != cold.values[key][k];
  }
  is_uint(wrong, 0, "messages that are gone misplace no others");
  take_in();
  ok(as_cold(), "once that is known neither");
}

/* Whether all is as it was at first, by this file. */
static bool same_by(char const *name) {
  static struct message_links links[MOST];
  uint32_t n = folder_count(folder), wrong = 0;
  if (strcmp(name, "sort.links") != 0) {
    enum sort_key key = strcmp(name, "sort.subject") ? SORT_TO : SORT_SUBJECT;
    wrong += folder_sort_values(folder, key, seqs, n, &patience, warm.values[key]) != STORE_OK;
    make_dense(warm.values[key], n);
    return !wrong && !memcmp(warm.values[key], cold.values[key], n * sizeof *cold.values[key]);
  }
  struct arena arena = {0};
  wrong += folder_links(folder, seqs, n, &patience, &arena, links) != STORE_OK;
  for (uint32_t i = 0; !wrong && i < n; i++)
    wrong += links[i].id != cold.links[i].id || links[i].nreferences != cold.links[i].n ||
             links[i].reply != cold.links[i].reply ||
             (links[i].nreferences && links[i].references[0] != cold.links[i].references[0]);
  arena_release(&arena);
  return !wrong;
}

/* Every byte flipped in turn (in an order that is to make two texts the same), and the file cut at
 * every length. */
static void damage(char const *name) {
  char path[100], label[80];
  char *data;
  size_t size;
  unsigned int wrong = 0;
  snprintf(path, sizeof path, "chainmail/%s", name);
  must(!file_read(AT_FDCWD, path_of("", path), 1 << 20, &data, &size) && size > 64, name);
  for (size_t at = 0; at < 2 * size; at++) {
    size_t const byte = at % size;
    int fd = open(path_of("", path), O_WRONLY | O_TRUNC);
    must(fd >= 0, name);
    if (at < size) data[byte] ^= 0x40;
    must(write(fd, data, at < size ? size : byte) >= 0 && !close(fd), name);
    if (at < size) data[byte] ^= 0x40;
    if (at % 100 == 0) reopen();
    if (!same_by(name) && !wrong++) printf("# %s: %zu\n", at < size ? "byte" : "cut", byte);
  }
  free(data);
  snprintf(label, sizeof label, "%s damaged: the same answers", name);
  is_uint(wrong, 0, label);
}

static void damaged_files(void) {
  must(folder_count(folder) > 64, "enough messages for files");
  forget_files();
  ask(&cold, 0, folder_count(folder));
  damage("sort.subject");
  damage("sort.to");
  damage("sort.links");
  ask(&warm, 0, folder_count(folder));
  ok(!memcmp(&cold, &warm, sizeof cold), "and so are all afterwards");
  is_uint(files_in("", "cur") + files_in("", "new"), folder_count(folder), "the mail is there");
}

/* But for as many as have a file. */
static void expunge_most(void) {
  struct arena arena = {0};
  struct set set;
  set_init(&set, &arena);
  set_add_range(&set, FEW_LEFT + 1, folder_count(folder));
  expunge(&set, &arena);
  arena_release(&arena);
}

static bool at_once(void *context) {
  return --*(int *)context < 0;
}

static void impatience(void) {
  int calls = 100;
  struct folder_patience const little = {at_once, &calls};
  struct arena arena = {0};
  static struct message_links links[MOST];
  forget_files();
  uint32_t n = folder_count(folder);
  ok(folder_sort_values(folder, SORT_SUBJECT, seqs, n, &little, warm.values[0]) ==
             STORE_UNAVAILABLE &&
         !exists("sort.subject"),
     "ended early: nothing is kept");
  ok(folder_links(folder, seqs, n, &little, &arena, links) == STORE_UNAVAILABLE &&
         !exists("sort.links"),
     "of links neither");
  arena_release(&arena);
}

int main(void) {
  if (!getenv("TMPDIR") && !access("/dev/shm", W_OK)) setenv("TMPDIR", "/dev/shm", 1);
  make_maildir();
  setenv("IMAP_CHARSETD", "/bin/false", 1); /* what is in x-no is not decoded, now */
  for (unsigned int i = 0; i < MANY; i++) deliver_mail(i);
  must(store_open(&store, maildir, &options) == STORE_OK, "store_open");
  reopen();
  few_and_many();
  new_mail();
  expunged_mail();
  impatience();
  lost_mail(MANY + 140);
  for (unsigned int i = MANY + 200; i < MANY + 300; i++) deliver_mail(i);
  take_in();
  expunge_most();
  damaged_files();
  folder_close(folder);
  store_close(store);
  return tap_done();
}
