/* userdbpw: sets a user's password in the user database's text, or prints a hash; see userdbpw(8).
 * Compiling, the text's format and what a secret is made of are src/auth's matter. */
#include "auth/auth.h"
#include "auth/scram.h"
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

enum {
  PASSWORD_MAX = 511,             /* crypt(3) takes no more */
  FIELD_NAME_ROOM = 48,           /* `apppw:` and a label */
  SECRET_MAX = PASSWORD_HASH_MAX, /* of any kind */
};

/* What one password becomes.  A user may have several of these, each for its mechanisms; all are of
 * the same password, or an old one would go on letting in. */
enum kind { KIND_HASH, KIND_CRAM_MD5, KIND_SCRAM_SHA_256, KIND_SCRAM_SHA_1, KIND_COUNT };
static struct {
  char const *own, *common; /* the field for IMAP alone, and for all services */
} const fields_of[KIND_COUNT] = {
    [KIND_HASH] = {"imappw", "systempw"},
    [KIND_CRAM_MD5] = {"imap-hmac-md5pw", "hmac-md5pw"},
    [KIND_SCRAM_SHA_256] = {"imap-scram-sha-256pw", "scram-sha-256pw"},
    [KIND_SCRAM_SHA_1] = {"imap-scram-sha-1pw", "scram-sha-1pw"},
};

enum {
  LINE_ROOM = USERDB_NAME_MAX + 1 + USERDB_RECORD_MAX + KIND_COUNT * (FIELD_NAME_ROOM + SECRET_MAX)
};
_Static_assert((int)SCRAM_KEY_TEXT <= (int)SECRET_MAX && (int)CRAM_SECRET_SIZE <= (int)SECRET_MAX,
               "room for each");

struct job {
  char const *prefix; /* of the hash: which sort of it */
  bool wanted[KIND_COUNT];
  char *account;     /* uid:gid:home of a user to add; null */
  char const *label; /* of the application password to set or remove; null */
  bool remove;
  char field[FIELD_NAME_ROOM]; /* its field's name */
  char const *user;
  char path[PATH_MAX]; /* of the text; no symbolic link, which replacing would destroy */
  char secret[KIND_COUNT][SECRET_MAX]; /* empty: the password can have none of this kind */
  char *text;                          /* as it was */
  size_t size;
};

static noreturn void die_usage(void) {
  log_die(EXIT_MISUSE, "usage", "why",
          "userdbpw [-bsmS1] [-a uid:gid:home] [text user], userdbpw [-bs] -l label text user, or "
          "userdbpw -d label text user",
          (char *)0);
}

static noreturn void die_refused(struct job const *j, char const *why, char const *remedy) {
  log_die(EXIT_REFUSED, "refused", "file", *j->path ? j->path : 0, "user", j->user, "why", why,
          "remedy", remedy, (char *)0);
}

/* ---- the password ---- */

static struct termios terminal;

static void restore_terminal(int signal_number) {
  tcsetattr(0, TCSAFLUSH, &terminal);
  _exit(128 + signal_number);
}

static void hide_input(void) {
  static int const deadly[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
  for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) signal(deadly[i], restore_terminal);
  struct termios hidden = terminal;
  hidden.c_lflag &= (tcflag_t)~ECHO;
  tcsetattr(0, TCSAFLUSH, &hidden);
}

/* One line of standard input without its newline, byte by byte: what follows is not ours. */
static void read_line(struct job const *j, char password[PASSWORD_MAX + 1]) {
  size_t size = 0;
  for (;;) {
    char c;
    ssize_t r = io_read(0, &c, 1, -1);
    if (r < 0) log_die_failure(EXIT_TEMPORARY, "read the password", "standard input", 0);
    if (!r || c == '\n') break;
    if (!c) die_refused(j, "a NUL in the password", 0);
    if (size == PASSWORD_MAX) die_refused(j, "a password of more than 511 bytes", 0);
    password[size++] = c;
  }
  password[size] = 0;
  if (!size) die_refused(j, "an empty password", "give one line on standard input");
}

static void prompt(char const *words) {
  if (write(2, words, strlen(words)) < 0) _exit(EXIT_TEMPORARY);
}

static void read_password(struct job const *j, char password[PASSWORD_MAX + 1]) {
  char again[PASSWORD_MAX + 1];
  if (!isatty(0) || tcgetattr(0, &terminal) < 0) {
    read_line(j, password);
    return;
  }
  hide_input();
  prompt("Password: ");
  read_line(j, password);
  prompt("\nAgain: ");
  read_line(j, again);
  prompt("\n");
  tcsetattr(0, TCSAFLUSH, &terminal);
  if (strcmp(password, again)) die_refused(j, "the two passwords differ", "try again");
  explicit_bzero(again, sizeof again);
}

static void make_scram(struct scram_kind const *kind, char const *password, char *text) {
  struct scram_key key = {.iterations = SCRAM_ITERATIONS, .salt_size = SCRAM_SALT_SIZE};
  if (getentropy(key.salt, key.salt_size) < 0)
    log_die_failure(EXIT_TEMPORARY, "getentropy", 0, "the kernel must offer getrandom(2)");
  if (scram_key_make(kind, password, &key)) scram_key_format(kind, &key, text);
  explicit_bzero(&key, sizeof key);
}

static void make_secrets(struct job *j) {
  char password[PASSWORD_MAX + 1];
  read_password(j, password);
  int r = password_hash(password, j->prefix, j->secret[KIND_HASH]);
  cram_secret(password, j->secret[KIND_CRAM_MD5]);
  make_scram(&scram_sha_256, password, j->secret[KIND_SCRAM_SHA_256]);
  make_scram(&scram_sha_1, password, j->secret[KIND_SCRAM_SHA_1]);
  explicit_bzero(password, sizeof password);
  if (r < 0) _exit(EXIT_TEMPORARY);
}

static char const *needed_secret(struct job const *j, enum kind kind) {
  if (!*j->secret[kind])
    die_refused(j, "a password that SCRAM does not allow: a control or unassigned character",
                "choose another");
  return j->secret[kind];
}

/* ---- the text ---- */

struct line {
  char bytes[LINE_ROOM];
  size_t size;
};

static void put(struct job const *j, struct line *l, char const *bytes, size_t size) {
  if (size >= sizeof l->bytes - l->size) die_refused(j, "the line is too long", 0);
  memcpy(l->bytes + l->size, bytes, size);
  l->size += size;
  l->bytes[l->size] = 0;
}

static void put_string(struct job const *j, struct line *l, char const *s) {
  put(j, l, s, strlen(s));
}

static bool is_field(char const *field, size_t size, char const *name) {
  size_t n = strlen(name);
  return size >= n && !memcmp(field, name, n) && (size == n || field[n] == '=');
}

static size_t field_size(char const *field, char const *end) {
  char const *bar = memchr(field, '|', (size_t)(end - field));
  return (size_t)((bar ? bar : end) - field);
}

static bool has_field(char const *fields, char const *end, char const *name) {
  for (char const *f = fields; f < end; f += field_size(f, end) + 1)
    if (is_field(f, field_size(f, end), name)) return true;
  return false;
}

static void put_field(struct job const *j, struct line *l, char const *field, size_t size) {
  if (l->bytes[l->size - 1] != '\t') put(j, l, "|", 1);
  put(j, l, field, size);
}

static bool is_kind(char const *field, size_t size, char const *const name[KIND_COUNT],
                    enum kind *kind) {
  for (*kind = 0; *kind < KIND_COUNT; ++*kind)
    if (name[*kind] && is_field(field, size, name[*kind])) return true;
  return false;
}

static void put_secret(struct job const *j, struct line *l, char const *name, enum kind kind) {
  char field[FIELD_NAME_ROOM + SECRET_MAX];
  int size = snprintf(field, sizeof field, "%s=%s", name, needed_secret(j, kind));
  put_field(j, l, field, (size_t)size);
}

/* The fields to change: the one for IMAP alone if there is one, else the common one if there is one
 * or it is wanted. */
static void choose_fields(struct job const *j, char const *fields, char const *end,
                          char const *name[KIND_COUNT]) {
  if (j->label) {
    name[KIND_HASH] = j->field;
    return;
  }
  for (enum kind k = 0; k < KIND_COUNT; k++) {
    bool common = j->wanted[k] || k == KIND_HASH || has_field(fields, end, fields_of[k].common);
    name[k] = has_field(fields, end, fields_of[k].own) ? fields_of[k].own
              : common                                 ? fields_of[k].common
                                                       : 0;
  }
}

/* The fields with the password changed or added; all else stays as it is and where it is. */
static void put_fields(struct job const *j, struct line *l, char const *fields, char const *end) {
  char const *name[KIND_COUNT] = {0};
  bool done[KIND_COUNT] = {false};
  enum kind k;
  choose_fields(j, fields, end, name);
  for (char const *f = fields; f < end; f += field_size(f, end) + 1) {
    if (!is_kind(f, field_size(f, end), name, &k)) {
      put_field(j, l, f, field_size(f, end));
    } else if (!done[k]) {
      if (!j->remove) put_secret(j, l, name[k], k);
      done[k] = true;
    }
  }
  if (j->remove && !done[KIND_HASH])
    die_refused(j, "no application password of this label", "see the user's line");
  for (k = 0; k < KIND_COUNT; k++)
    if (name[k] && !done[k]) put_secret(j, l, name[k], k);
}

static void check_line(struct job const *j, struct line const *l) {
  char copy[LINE_ROOM];
  memcpy(copy, l->bytes, l->size + 1);
  char *tab = strchr(copy, '\t');
  *tab = 0;
  char const *problem = userdb_check(copy, tab + 1);
  if (problem) die_refused(j, problem, "correct the user's line first");
}

static void begin_line(struct job const *j, struct line *l) {
  l->size = 0;
  put_string(j, l, j->user);
  put(j, l, "\t", 1);
}

static void make_line(struct job const *j, struct line *l, char const *fields, char const *end) {
  begin_line(j, l);
  put_fields(j, l, fields, end);
  check_line(j, l);
}

/* `uid:gid:home` as fields. */
static void make_new_line(struct job const *j, struct line *l) {
  struct line fields = {.size = 0};
  char *uid = j->account, *gid = strchr(uid, ':');
  char *home = gid ? strchr(gid + 1, ':') : 0;
  if (!home) die_usage();
  *gid++ = 0;
  *home++ = 0;
  if (strchr(home, '|')) die_refused(j, "a bar in the home directory's name", 0);
  char const *const parts[] = {"uid=", uid, "|gid=", gid, "|home=", home};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) put_string(j, &fields, parts[i]);
  make_line(j, l, fields.bytes, fields.bytes + fields.size);
}

/* The user's line in the text, null if there is none. */
static char const *find_user(struct job const *j, size_t *size) {
  size_t n = strlen(j->user);
  char const *line, *end = j->text + j->size;
  for (char const *next = j->text; userdb_line(&next, end, &line, size);)
    if (*size > n && !memcmp(line, j->user, n) && line[n] == '\t') return line;
  return 0;
}

/* The new text, from malloc. */
static char *make_text(struct job *j, size_t *size) {
  struct line l;
  size_t old_size = 0;
  char *text = malloc(j->size + sizeof l.bytes + 2);
  if (!text) log_die_failure(EXIT_TEMPORARY, "read", j->path, 0);
  char const *old = find_user(j, &old_size);
  if (old && j->account) die_refused(j, "this user is there already", "leave -a out");
  if (!old && !j->account) die_refused(j, "no such user", "add one with -a uid:gid:home");
  if (old)
    make_line(j, &l, old + strlen(j->user) + 1, old + old_size);
  else
    make_new_line(j, &l);
  size_t before = old ? (size_t)(old - j->text) : j->size;
  size_t after = old ? j->size - before - old_size : 0;
  char *p = text;
  memcpy(p, j->text, before);
  p += before;
  if (before && p[-1] != '\n') *p++ = '\n';
  memcpy(p, l.bytes, l.size);
  p += l.size;
  memcpy(p, j->text + j->size - after, after);
  p += after;
  if (p[-1] != '\n') *p++ = '\n';
  *size = (size_t)(p - text);
  return text;
}

/* ---- the files ---- */

static void replace_text(struct job const *j, struct stat const *old, char const *text,
                         size_t size) {
  if (file_replace(AT_FDCWD, j->path, 0600, text, size) < 0)
    log_die_failure(EXIT_TEMPORARY, "replace", j->path, 0);
  if (old->st_uid != geteuid() && chown(j->path, old->st_uid, old->st_gid) < 0)
    log_failure("give back to its owner", j->path, "chown it");
}

/* The new text and the cdb beside it, if there is one: first everything is prepared, then both
 * change. */
static void store(struct job const *j, struct stat const *old, char const *text, size_t size) {
  char cdb[PATH_MAX + sizeof ".cdb"];
  snprintf(cdb, sizeof cdb, "%s.cdb", j->path);
  char *temporary = access(cdb, F_OK) ? 0 : userdb_temporary(cdb);
  struct userdb_text whole = {text, size, j->path};
  int built = temporary ? userdb_build(&whole, 1, temporary) : 0;
  if (built > 0) die_refused(j, "other lines of the text are wrong", "correct them first");
  if (built < 0) log_die_failure(EXIT_TEMPORARY, "write", temporary, 0);
  replace_text(j, old, text, size);
  if (!temporary)
    log_event("updated", "file", j->path, "user", j->user, "remedy",
              "compile it with makeuserdb for this to take effect", (char *)0);
  else if (userdb_install(temporary, cdb) < 0)
    log_die_failure(EXIT_TEMPORARY, "replace", cdb, "run makeuserdb");
  free(temporary);
}

static void set_password(struct job *j, char const *path) {
  struct stat st;
  size_t size;
  if (!realpath(path, j->path))
    log_die_failure(EXIT_TEMPORARY, "open", path, "create it, mode 0600");
  if (!j->remove) make_secrets(j);
  int lock = userdb_open(j->path, true); /* kept to the end of the process */
  if (lock < 0) log_die_failure(EXIT_TEMPORARY, "open and lock", j->path, 0);
  if (file_read(AT_FDCWD, j->path, USERDB_TEXT_MAX, &j->text, &j->size) < 0)
    log_die_failure(EXIT_TEMPORARY, "read", j->path, 0);
  if (fstat(lock, &st) < 0) log_die_failure(EXIT_TEMPORARY, "stat", j->path, 0);
  char *text = make_text(j, &size);
  store(j, &st, text, size);
  free(text);
  free(j->text);
}

/* What was asked for, one a line; else the hash. */
static int print_secrets(struct job *j) {
  bool any = false;
  make_secrets(j);
  for (enum kind k = 0; k < KIND_COUNT; k++) any |= j->wanted[k];
  j->wanted[KIND_HASH] = !any;
  for (enum kind k = 0; k < KIND_COUNT; k++)
    if (j->wanted[k] && puts(needed_secret(j, k)) < 0) return EXIT_TEMPORARY;
  return fflush(stdout) ? EXIT_TEMPORARY : 0;
}

/* An application password stands alone: other mechanisms know only the user's own. */
static void choose_label(struct job *j) {
  bool others = j->account;
  for (enum kind k = 0; k < KIND_COUNT; k++) others |= j->wanted[k];
  if (others) die_usage();
  if (!userdb_label_is_valid(j->label))
    die_refused(j, "the label is not 1 to 32 letters, digits, `.`, `_`, `-`", "choose another");
  snprintf(j->field, sizeof j->field, "apppw:%s", j->label);
}

int main(int argc, char **argv) {
  static struct job j = {.prefix = "$y$"};
  log_init("userdbpw");
  privilege_protect_memory();
  opterr = 0;
  for (int option; (option = getopt(argc, argv, "bsmS1a:l:d:")) != -1;) switch (option) {
    case 'b': j.prefix = "$2b$"; break;
    case 's': j.prefix = "$6$"; break;
    case 'm': j.wanted[KIND_CRAM_MD5] = true; break;
    case 'S': j.wanted[KIND_SCRAM_SHA_256] = true; break;
    case '1': j.wanted[KIND_SCRAM_SHA_1] = true; break;
    case 'a': j.account = optarg; break;
    case 'd': j.remove = true; /* fall through */
    case 'l': j.label = optarg; break;
    default: die_usage();
    }
  argc -= optind;
  argv += optind;
  if (argc != 2 && (argc || j.account || j.label)) die_usage();
  if (j.label) choose_label(&j);
  if (!argc) return print_secrets(&j);
  j.user = argv[1];
  set_password(&j, argv[0]);
  return 0;
}
