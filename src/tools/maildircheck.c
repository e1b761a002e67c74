/* maildircheck: is everything right with a Maildir and its folders; and putting right what is not.
 * Works as the owner of the mail, never as root.  The journal's health is src/store/inspect.c's
 * affair. */
#include "store/inspect.h"
#include "store/foreign.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
  TMP_STALE_S = 36 * 3600, /* https://cr.yp.to/proto/maildir.html */
  LEFT_STALE_S = 3600,     /* what a program holds for moments */
  PROGRESS_STEP = 1000,    /* files */
};

struct check {
  bool mend, jump;
  bool progress; /* somebody is watching */
  char const *path;
  int maildir;
  uid_t owner;
  time_t now;
  struct store *store; /* opened when first needed */
  /* The folder being checked. */
  char const *folder;
  int dir;
  mode_t mode;
  unsigned long files, left, mended;
  bool failed;
};

static noreturn void usage(void) {
  log_die(EXIT_MISUSE, "usage", "synopsis", "maildircheck [-mj] [-f FOLDER] DIR", (char *)0);
}

/* ---- telling ---- */

static void clear_progress(struct check const *c) {
  if (c->progress) fputs("\r\033[K", stderr);
}

static void show_progress(struct check *c) {
  if (!c->progress || c->files++ % PROGRESS_STEP) return;
  fprintf(stderr, "\r\033[K%s: %lu files", *c->folder ? c->folder : "INBOX", c->files - 1);
}

/* A path below the Maildir, printable: a file name may hold anything. */
static void put_path(struct check const *c, char const *name) {
  char all[PATH_MAX];
  snprintf(all, sizeof all, "%s%s%s%s%s", c->path, *c->folder ? "/." : "", c->folder,
           *name ? "/" : "", name);
  for (unsigned char const *p = (unsigned char const *)all; *p; p++)
    if (*p < ' ' || *p == 127)
      printf("\\x%02x", *p);
    else
      putchar(*p);
}

/* One line: what is wrong with folder/name, and what to do or that it has been done. */
static void tell(struct check *c, char const *name, bool mended, char const *remedy,
                 char const *what, ...) __attribute__((format(printf, 5, 6)));
static void tell(struct check *c, char const *name, bool mended, char const *remedy,
                 char const *what, ...) {
  va_list args;
  clear_progress(c);
  put_path(c, name);
  fputs(": ", stdout);
  va_start(args, what);
  vprintf(what, args);
  va_end(args);
  if (mended)
    puts("; mended");
  else if (remedy)
    printf("; %s\n", remedy);
  else
    puts("; maildircheck -m mends it");
  fflush(stdout);
  if (mended)
    c->mended++;
  else
    c->left++;
}

static void fail(struct check *c, char const *attempt, char const *name) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s%s%s%s%s", c->path, *c->folder ? "/." : "", c->folder,
           *name ? "/" : "", name);
  clear_progress(c);
  log_failure(attempt, path, 0);
  c->failed = true;
}

/* Whether an attempt to mend has succeeded; what failed has been logged. */
static bool mended(struct check *c, int r, char const *attempt, char const *name) {
  if (r < 0) fail(c, attempt, name);
  return r >= 0;
}

/* ---- owner and mode ---- */

static void check_owner(struct check *c, char const *name, struct stat const *st) {
  char remedy[100];
  if (st->st_uid == c->owner) return;
  snprintf(remedy, sizeof remedy, "as root: chown -h %lu it", (unsigned long)c->owner);
  tell(c, name, false, remedy, "it belongs to user %lu", (unsigned long)st->st_uid);
}

/* dir/entry is what name says below the folder; needed: the owner's bits it must have. */
static void check_mode(struct check *c, int dir, char const *entry, char const *name,
                       struct stat const *st, mode_t needed) {
  mode_t wanted = (st->st_mode | needed) & ~(mode_t)S_IWOTH & 07777;
  if (wanted == (st->st_mode & 07777) || st->st_uid != c->owner) return;
  bool done = c->mend && mended(c, fchmodat(dir, entry, wanted, 0), "chmod", name);
  tell(c, name, done, 0,
       st->st_mode & S_IWOTH ? "anybody may write to it (mode %03o)"
                             : "its owner lacks permissions (mode %03o)",
       (unsigned int)(st->st_mode & 07777));
}

/* ---- message files ---- */

struct part {
  struct check *c;
  char const *name;
  int fd;
};

static void full_name(char out[MAILDIR_NAME_MAX + 8], struct part const *p, char const *name) {
  snprintf(out, MAILDIR_NAME_MAX + 8, "%s/%s", p->name, name);
}

/* In cur/ every name has ":2,"; some clients of other servers do not see one without. */
static void check_name(struct part *p, char const *file, char const *path) {
  char wanted[MAILDIR_NAME_MAX + 8];
  struct maildir_name n;
  maildir_name_split(file, &n);
  if (n.info || strcmp(p->name, "cur") != 0) return;
  snprintf(wanted, sizeof wanted, "%s:2,", file);
  if (strlen(wanted) > MAILDIR_NAME_MAX) {
    tell(p->c, path, false, "give it a shorter name that ends in \":2,\"",
         "its name lacks \":2,\" and is too long for it");
    return;
  }
  bool done =
      p->c->mend && mended(p->c, maildir_rename(p->fd, file, p->fd, wanted), "rename", path);
  tell(p->c, path, done, 0, "a name in cur without \":2,\"");
}

static void check_file(struct part *p, char const *file) {
  char path[MAILDIR_NAME_MAX + 8];
  struct stat st;
  full_name(path, p, file);
  show_progress(p->c);
  if (*file == '.' || fstatat(p->fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0) return;
  if (!S_ISREG(st.st_mode)) {
    tell(p->c, path, false, "look at it and move it elsewhere",
         S_ISDIR(st.st_mode) ? "a directory among messages"
                             : "it is neither a file nor a directory, and no message");
    return;
  }
  check_owner(p->c, path, &st);
  check_mode(p->c, p->fd, file, path, &st, S_IRUSR);
  check_name(p, file, path);
}

static void check_tmp_file(struct part *p, char const *file) {
  char path[MAILDIR_NAME_MAX + 8];
  struct stat st;
  full_name(path, p, file);
  if (*file == '.' || fstatat(p->fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0) return;
  bool lock = !strcmp(path, COURIER_LOCK);
  time_t touched = st.st_atime > st.st_mtime ? st.st_atime : st.st_mtime;
  if (!S_ISREG(st.st_mode) || p->c->now - touched < (lock ? LEFT_STALE_S : TMP_STALE_S)) return;
  bool done = p->c->mend && mended(p->c, unlinkat(p->fd, file, 0), "unlink", path);
  tell(p->c, path, done, 0,
       lock ? "Courier's lock, left behind"
            : "left in tmp by a delivery that "
              "failed, over 36 hours ago");
}

static void each_file(struct part *p, void (*check)(struct part *, char const *)) {
  struct dirent *e;
  int fd = dup(p->fd);
  DIR *d = fd < 0 ? 0 : fdopendir(fd);
  if (!d) {
    fail(p->c, "read", p->name);
    if (fd >= 0) close(fd);
    return;
  }
  while (errno = 0, (e = readdir(d)))
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) check(p, e->d_name);
  if (errno) fail(p->c, "read", p->name);
  closedir(d);
}

static void check_part(struct check *c, char const *name) {
  struct part p = {.c = c, .name = name};
  struct stat st;
  if (fstatat(c->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno != ENOENT) {
      fail(c, "look at", name);
      return;
    }
    bool done = c->mend && mended(c, mkdirat(c->dir, name, c->mode & 0777), "make", name);
    tell(c, name, done, 0, "it is missing");
    return;
  }
  if (!S_ISDIR(st.st_mode)) {
    tell(c, name, false, "put a directory in its place", "it is not a directory");
    return;
  }
  check_owner(c, name, &st);
  check_mode(c, c->dir, name, name, &st, S_IRWXU);
  p.fd = openat(c->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (p.fd < 0) {
    fail(c, "open", name);
    return;
  }
  each_file(&p, strcmp(name, "tmp") ? check_file : check_tmp_file);
  close(p.fd);
}

/* ---- leftovers in the folder's directory ---- */

static bool is_leftover(char const *name) {
  size_t size = strlen(name);
  return !strcmp(name, DOVECOT_LOCK) || !strcmp(name, "journal.new") ||
         (size > 4 && !strcmp(name + size - 4, ".tmp"));
}

static void check_leftover(struct part *p, char const *file) {
  char path[MAILDIR_NAME_MAX + 8];
  struct stat st;
  if (!is_leftover(file) || fstatat(p->fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0) return;
  if (!S_ISREG(st.st_mode) || p->c->now - st.st_mtime < LEFT_STALE_S) return;
  snprintf(path, sizeof path, "%s%s%s", p->name, *p->name ? "/" : "", file);
  bool done = p->c->mend && mended(p->c, unlinkat(p->fd, file, 0), "unlink", path);
  tell(p->c, path, done, 0, "left behind by a program that did not end well");
}

static void check_leftovers(struct check *c, char const *name) {
  struct part p = {.c = c, .name = name};
  p.fd = openat(c->dir, *name ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (p.fd < 0) return;
  each_file(&p, check_leftover);
  close(p.fd);
}

static void check_marker(struct check *c) {
  struct stat st;
  if (!*c->folder || !fstatat(c->dir, "maildirfolder", &st, AT_SYMLINK_NOFOLLOW)) return;
  int fd = -1;
  if (c->mend)
    fd = openat(c->dir, "maildirfolder", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, c->mode & 0666);
  bool done = c->mend && mended(c, fd, "make", "maildirfolder");
  if (fd >= 0) close(fd);
  tell(c, "maildirfolder", done, 0,
       "it is missing: deliveries with a quota take the folder for a Maildir");
}

/* ---- the journal ---- */

static struct {
  char const *what;
} const healths[] = {
    [HEALTH_SOUND] = {0},
    [HEALTH_NONE] = {0},
    [HEALTH_LOST] = {"the journal has been lost: clients will download again, keywords are gone "
                     "(restore chainmail/journal from a backup first, if there is one)"},
    [HEALTH_INVALID] = {"the journal's beginning is damaged: clients will download again, keywords "
                        "are gone (restore it from a backup first, if there is one)"},
    [HEALTH_DAMAGED] = {"the journal is damaged or has been cut short: what is left of it counts"},
    [HEALTH_TORN] = {"the journal ends in half a record, as a crash leaves it"},
    [HEALTH_COPIED] = {"the journal is a copy or from a backup: UIDs must jump"},
};

static bool ready(struct check *c) {
  struct store_options const options = {.umask = 077, .check_ownership = true};
  if (!c->store && store_open(&c->store, c->path, &options)) c->failed = true;
  return c->store;
}

/* Counted as mended only if it is gone when looked at again. */
static bool mend_journal(struct check *c) {
  struct inspection now;
  if (!ready(c)) return false;
  clear_progress(c);
  if (folder_mend(c->store, c->folder) || folder_inspect(c->dir, &now) < 0) {
    c->failed = true;
    return false;
  }
  return now.health == HEALTH_SOUND && !now.absent && !now.unknown && !now.batches;
}

static void check_journal(struct check *c) {
  struct inspection i;
  if (folder_inspect(c->dir, &i) < 0) {
    fail(c, "read the journal of", "");
    return;
  }
  bool wrong = healths[i.health].what || i.absent || i.unknown || i.batches;
  bool done = wrong && c->mend && mend_journal(c);
  if (healths[i.health].what) tell(c, AREA "/journal", done, 0, "%s", healths[i.health].what);
  if (i.absent)
    tell(c, AREA "/journal", done, 0, "%lu of its %lu messages have no file",
         (unsigned long)i.absent, (unsigned long)i.messages);
  if (i.unknown)
    tell(c, "cur", done, 0, "%lu of its files are not in the journal", (unsigned long)i.unknown);
  if (i.batches)
    tell(c, AREA "/journal", done, 0, "%lu copies or moves were begun and not ended",
         (unsigned long)i.batches);
}

static void jump(struct check *c) {
  if (!ready(c)) return;
  clear_progress(c);
  if (folder_jump(c->store, c->folder)) {
    c->failed = true;
    return;
  }
  put_path(c, AREA "/journal");
  puts(": the next UID has been raised by 1048576");
}

/* ---- folders ---- */

static bool is_folder(struct check const *c) {
  static char const *const parts[] = {"cur", "new", "tmp"};
  struct stat st;
  for (size_t i = 0; i < 3; i++)
    if (!fstatat(c->dir, parts[i], &st, AT_SYMLINK_NOFOLLOW)) return true;
  return false;
}

static void check_folder(struct check *c, char const *folder) {
  char entry[MAILDIR_NAME_MAX + 2];
  struct stat st;
  c->folder = folder;
  snprintf(entry, sizeof entry, ".%s", folder);
  if (fstatat(c->maildir, entry, &st, AT_SYMLINK_NOFOLLOW) < 0) {
    fail(c, "look at", "");
    return;
  }
  check_owner(c, "", &st);
  check_mode(c, c->maildir, entry, "", &st, S_IRWXU);
  c->mode = st.st_mode | S_IRWXU;
  c->dir = openat(c->maildir, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (c->dir < 0) {
    fail(c, "open", "");
    return;
  }
  if (!is_folder(c))
    tell(c, "", false, "remove it, or make cur, new and tmp in it",
         "it looks like a folder, but has none of cur, new and tmp");
  else {
    check_part(c, "cur");
    check_part(c, "new");
    check_part(c, "tmp");
    check_marker(c);
    check_leftovers(c, "");
    check_leftovers(c, AREA);
    check_journal(c);
    if (c->jump) jump(c);
  }
  close(c->dir);
}

/* What a RENAME or DELETE left that was interrupted. */
static void check_tree(struct check *c) {
  static struct {
    char const *name, *what;
  } const left[] = {{AREA "/renaming", "a folder's renaming was interrupted"},
                    {AREA "/trash", "deleted folders that are still on the disk"}};
  struct stat st;
  c->folder = "";
  for (size_t i = 0; i < 2; i++) {
    if (fstatat(c->maildir, left[i].name, &st, AT_SYMLINK_NOFOLLOW) < 0) continue;
    bool done = c->mend && ready(c) && !store_mend(c->store);
    tell(c, left[i].name, done, 0, "%s", left[i].what);
  }
}

static void check_all(struct check *c) {
  struct maildir_folders folders;
  check_tree(c);
  if (maildir_folders(c->maildir, &folders) < 0) {
    fail(c, "read", "");
    return;
  }
  for (size_t i = 0; i < folders.n; i++) check_folder(c, folders.names[i]);
  maildir_folders_free(&folders);
}

/* ---- the program ---- */

static int open_maildir(struct check *c) {
  struct stat st;
  if (maildir_become_owner(c->path) < 0) return -1;
  c->maildir = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (c->maildir < 0 || fstat(c->maildir, &st) < 0) return -1;
  c->owner = st.st_uid;
  c->dir = c->maildir;
  c->folder = "";
  if (st.st_uid == geteuid()) return 0;
  log_die(EXIT_REFUSED, "refused", "path", c->path, "why", "it belongs to another user", "remedy",
          "run it as that user, or as root", (char *)0);
}

static int result(struct check const *c) {
  if (c->failed) return EXIT_TEMPORARY;
  return c->left ? EXIT_REFUSED : 0;
}

int main(int argc, char **argv) {
  struct check c = {.progress = isatty(2), .now = time(0)};
  char const *folder = 0;
  log_init("maildircheck");
  for (int o; (o = getopt(argc, argv, "mjf:")) != -1;) {
    if (o == 'm')
      c.mend = true;
    else if (o == 'j')
      c.jump = true;
    else if (o == 'f')
      folder = strcmp(optarg, "INBOX") ? optarg : "";
    else
      usage();
  }
  if (argc - optind != 1) usage();
  c.path = argv[optind];
  if (folder && *folder && !maildir_folder_name_ok(folder)) usage();
  if (open_maildir(&c) < 0)
    log_die_failure(EXIT_TEMPORARY, "open", c.path, "name a Maildir, see maildirmake(1)");
  if (!is_folder(&c))
    log_die(EXIT_REFUSED, "refused", "path", c.path, "why",
            "it has none of cur, new and tmp, so it is no Maildir", "remedy",
            "name the right directory, or create it with maildirmake", (char *)0);
  if (folder)
    check_folder(&c, folder);
  else
    check_all(&c);
  clear_progress(&c);
  if (c.store) store_close(c.store);
  return result(&c);
}
