/* Reading what Courier-IMAP and Dovecot keep beside a folder: UIDs and keywords. */
#include "store/foreign.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
  char const *server, *uids, *lock;
} const kinds[] = {
    [FOREIGN_NONE] = {"none", "", ""},
    [FOREIGN_COURIER] = {"Courier", COURIER_UIDS, COURIER_LOCK},
    [FOREIGN_DOVECOT] = {"Dovecot", DOVECOT_UIDS, DOVECOT_LOCK},
};

char const *foreign_server(enum foreign_kind kind) {
  return kinds[kind].server;
}

char const *foreign_uids_name(enum foreign_kind kind) {
  return kinds[kind].uids;
}

char const *foreign_lock_name(enum foreign_kind kind) {
  return kinds[kind].lock;
}

static bool newer(struct stat const *a, struct stat const *b) {
  if (a->st_mtim.tv_sec != b->st_mtim.tv_sec) return a->st_mtim.tv_sec > b->st_mtim.tv_sec;
  return a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

enum foreign_kind foreign_detect(int dir, bool *both) {
  struct stat courier, dovecot;
  bool c = !fstatat(dir, COURIER_UIDS, &courier, AT_SYMLINK_NOFOLLOW) && S_ISREG(courier.st_mode);
  bool d = !fstatat(dir, DOVECOT_UIDS, &dovecot, AT_SYMLINK_NOFOLLOW) && S_ISREG(dovecot.st_mode);
  *both = c && d;
  if (*both) return newer(&courier, &dovecot) ? FOREIGN_COURIER : FOREIGN_DOVECOT;
  return c ? FOREIGN_COURIER : d ? FOREIGN_DOVECOT : FOREIGN_NONE;
}

/* ---- lines and numbers ---- */

struct line {
  char const *at, *end; /* without its line feed */
  bool whole;           /* it had one */
};

/* The next line from *p on; false at the end. */
static bool next_line(char const **p, char const *end, struct line *l) {
  if (*p >= end) return false;
  char const *feed = memchr(*p, '\n', (size_t)(end - *p));
  *l = (struct line){*p, feed ? feed : end, feed};
  *p = feed ? feed + 1 : end;
  return true;
}

static bool take_number(struct line *l, uint32_t *out) {
  uint64_t value = 0;
  char const *begin = l->at;
  for (; l->at < l->end && *l->at >= '0' && *l->at <= '9'; l->at++) {
    value = value * 10 + (uint64_t)(*l->at - '0');
    if (value > UINT32_MAX) return false;
  }
  *out = (uint32_t)value;
  return l->at > begin;
}

static bool take_char(struct line *l, char c) {
  if (l->at == l->end || *l->at != c) return false;
  l->at++;
  return true;
}

/* ---- UIDs ---- */

static uint32_t slot_of(struct foreign const *f, char const *base, size_t size) {
  uint32_t at = (uint32_t)base_hash(base, size) & f->mask;
  for (; f->table[at]; at = (at + 1) & f->mask) {
    struct foreign_message const *m = &f->messages[f->table[at] - 1];
    if (m->base_size == size && !memcmp(m->base, base, size)) break;
  }
  return at;
}

struct foreign_message *foreign_find(struct foreign const *f, char const *base, size_t size) {
  if (!f->table) return 0;
  uint32_t at = slot_of(f, base, size);
  return f->table[at] ? &f->messages[f->table[at] - 1] : 0;
}

static int by_uid(void const *a, void const *b) {
  struct foreign_message const *x = a, *y = b;
  if (x->uid != y->uid) return x->uid < y->uid ? -1 : 1;
  return x->base < y->base ? -1 : x->base > y->base; /* as in the file */
}

static void make_table(struct foreign *f) {
  uint32_t size = 16;
  while (size < f->n * 2) size *= 2;
  free(f->table);
  f->table = must_have(calloc(size, sizeof *f->table));
  f->mask = size - 1;
}

/* A UID that two names have is the first one's; a name that has two UIDs has the higher one. */
static void make_unique(struct foreign *f) {
  size_t to = 0;
  qsort(f->messages, f->n, sizeof *f->messages, by_uid);
  for (size_t i = 0; i < f->n; i++) {
    if (to && f->messages[to - 1].uid == f->messages[i].uid)
      f->damaged = true;
    else
      f->messages[to++] = f->messages[i];
  }
  f->n = to;
  make_table(f);
  to = f->n;
  for (size_t i = f->n; i-- > 0;) {
    struct foreign_message *m = &f->messages[i];
    uint32_t at = slot_of(f, m->base, m->base_size);
    if (f->table[at])
      m->uid = 0;
    else
      f->table[at] = (uint32_t)i + 1;
  }
  to = 0;
  for (size_t i = 0; i < f->n; i++)
    if (f->messages[i].uid) f->messages[to++] = f->messages[i];
  f->n = to;
  make_table(f);
  for (size_t i = 0; i < f->n; i++)
    f->table[slot_of(f, f->messages[i].base, f->messages[i].base_size)] = (uint32_t)i + 1;
}

/* "1 UIDVALIDITY UIDNEXT", Courier's and Dovecot's old one. */
static bool parse_header_1(struct foreign *f, struct line l) {
  return take_char(&l, ' ') && take_number(&l, &f->uidvalidity) && take_char(&l, ' ') &&
         take_number(&l, &f->uidnext);
}

/* "3 V<uidvalidity> N<uidnext> G<guid>", in any order; letters not known are passed over. */
static bool parse_header_3(struct foreign *f, struct line l) {
  while (take_char(&l, ' ')) {
    if (take_char(&l, 'V')) {
      if (!take_number(&l, &f->uidvalidity)) return false;
    } else if (take_char(&l, 'N')) {
      if (!take_number(&l, &f->uidnext)) return false;
    }
    while (l.at < l.end && *l.at != ' ') l.at++;
  }
  return f->uidvalidity;
}

/* "UID name", or in version 3 "UID [letter and value]... :name". */
static bool parse_message(struct foreign_message *m, struct line l, uint32_t version) {
  struct maildir_name n;
  char name[MAILDIR_NAME_MAX + 1];
  *m = (struct foreign_message){.base = 0};
  if (!l.whole || !take_number(&l, &m->uid) || !take_char(&l, ' ')) return false;
  if (version == 3) {
    while (l.at < l.end && *l.at != ':') {
      char const *blank = memchr(l.at, ' ', (size_t)(l.end - l.at));
      l.at = blank ? blank + 1 : l.end;
    }
    if (!take_char(&l, ':')) return false;
  }
  size_t size = (size_t)(l.end - l.at);
  if (!m->uid || m->uid > UINT32_MAX - 2 * (uint32_t)UID_JUMP || !size || size > MAILDIR_NAME_MAX)
    return false;
  if (*l.at == '.' || memchr(l.at, 0, size) || memchr(l.at, '/', size)) return false;
  memcpy(name, l.at, size);
  name[size] = 0;
  maildir_name_split(name, &n);
  m->base = l.at;
  m->base_size = n.base_size;
  return n.base_size;
}

static void add_message(struct foreign *f, size_t *room, struct foreign_message const *m) {
  if (f->n == *room) {
    *room = *room ? *room * 2 : 256;
    f->messages = must_have(realloc(f->messages, *room * sizeof *f->messages));
  }
  f->messages[f->n++] = *m;
  if (m->uid >= f->uidnext) f->uidnext = m->uid + 1;
}

bool foreign_parse_uids(struct foreign *f, enum foreign_kind kind, char *text, size_t size,
                        char const **why) {
  char const *p = text, *end = text + size;
  struct line l;
  uint32_t version;
  size_t room = 0;
  *f = (struct foreign){.kind = kind, .text = text, .size = size};
  for (int i = 0; i < LETTERS; i++) f->letters[i] = -1;
  *why = "its first line is not known";
  if (!next_line(&p, end, &l) || !l.whole || !take_number(&l, &version)) return false;
  if (l.at != text + 1) return false; /* as foreign_raised knows it */
  bool known = version == 1                              ? parse_header_1(f, l)
               : version == 3 && kind == FOREIGN_DOVECOT ? parse_header_3(f, l)
                                                         : false;
  if (!known) return false;
  *why = "its UIDVALIDITY or next UID is out of range";
  if (!f->uidvalidity || f->uidvalidity > FOREIGN_UIDVALIDITY_MAX) return false;
  if (!f->uidnext) f->uidnext = 1;
  while (next_line(&p, end, &l)) {
    struct foreign_message m;
    if (parse_message(&m, l, version))
      add_message(f, &room, &m);
    else
      f->damaged = true;
  }
  if (f->n) make_unique(f);
  /* Two jumps: one for the other server, one for ourselves if the file is damaged. */
  return f->uidnext <= UINT32_MAX - 4 * (uint32_t)UID_JUMP;
}

void foreign_free(struct foreign *f) {
  for (unsigned int i = 0; i < f->nkeywords; i++) free(f->keywords[i]);
  free(f->messages);
  free(f->table);
  free(f->text);
  *f = (struct foreign){.kind = FOREIGN_NONE};
}

char *foreign_raised(struct foreign const *f, uint32_t uidnext, size_t *size) {
  char const *feed = memchr(f->text, '\n', f->size);
  size_t header = (size_t)(feed - f->text), rest = f->size - header;
  char *out = must_have(malloc(f->size + 32));
  size_t n = 0;
  if (*f->text == '1')
    n = (size_t)sprintf(out, "1 %lu %lu", (unsigned long)f->uidvalidity, (unsigned long)uidnext);
  else {
    bool done = false;
    for (char const *p = f->text; p < feed;) {
      char const *blank = memchr(p + 1, ' ', (size_t)(feed - p - 1));
      char const *next = blank ? blank : feed;
      if (next - p > 1 && p[0] == ' ' && p[1] == 'N') {
        if (!done) n += (size_t)sprintf(out + n, " N%lu", (unsigned long)uidnext);
        done = true;
      } else {
        memcpy(out + n, p, (size_t)(next - p));
        n += (size_t)(next - p);
      }
      p = next;
    }
    if (!done) n += (size_t)sprintf(out + n, " N%lu", (unsigned long)uidnext);
  }
  memcpy(out + n, feed, rest);
  *size = n + rest;
  return out;
}

/* ---- keywords ---- */

/* Its id, -1 if it cannot be one. */
static int intern(struct foreign *f, char const *name, size_t size) {
  for (unsigned int i = 0; i < f->nkeywords; i++)
    if (strlen(f->keywords[i]) == size && !strncasecmp(f->keywords[i], name, size)) return (int)i;
  if (!keyword_valid(name, size) || f->nkeywords == KEYWORDS_MAX) {
    f->dropped++;
    return -1;
  }
  f->keywords[f->nkeywords] = must_have(strndup(name, size));
  return (int)f->nkeywords++;
}

static void add_keyword(struct foreign_message *m, int id) {
  if (id >= 0) m->keywords.words[id / 64] |= UINT64_C(1) << id % 64;
}

enum { LIST_KEYWORDS_MAX = 4096 }; /* names in a list, used or not */

/* Names, an empty line, then for each message its base name, a colon and indexes of names. */
void foreign_parse_courier_list(struct foreign *f, char const *text, size_t size) {
  char const *p = text, *end = text + size;
  struct line l;
  struct line names[LIST_KEYWORDS_MAX];
  int ids[LIST_KEYWORDS_MAX]; /* made known when first used */
  uint32_t n = 0, index;
  while (next_line(&p, end, &l) && l.at < l.end)
    if (n < LIST_KEYWORDS_MAX) {
      ids[n] = -2;
      names[n++] = l;
    }
  while (next_line(&p, end, &l)) {
    char const *colon = l.end;
    while (colon > l.at && *--colon != ':') continue;
    if (colon == l.at || !l.whole) continue;
    struct foreign_message *m = foreign_find(f, l.at, (size_t)(colon - l.at));
    if (!m) continue;
    l.at = colon + 1;
    while (take_number(&l, &index)) {
      if (index < n && ids[index] == -2)
        ids[index] = intern(f, names[index].at, (size_t)(names[index].end - names[index].at));
      if (index < n) add_keyword(m, ids[index]);
      while (take_char(&l, ' ')) continue;
    }
  }
}

/* One keyword a line: all that the message has. */
void foreign_parse_courier_message(struct foreign *f, struct foreign_message *m, char const *text,
                                   size_t size) {
  char const *p = text;
  struct line l;
  m->keywords = (struct keyword_set){{0}};
  while (next_line(&p, text + size, &l))
    if (l.at < l.end) add_keyword(m, intern(f, l.at, (size_t)(l.end - l.at)));
}

/* "number name": letters a to z stand for the first 26; the others are in Dovecot's index only. */
void foreign_parse_dovecot_keywords(struct foreign *f, char const *text, size_t size) {
  char const *p = text;
  struct line l;
  uint32_t number;
  while (next_line(&p, text + size, &l)) {
    if (!take_number(&l, &number) || !take_char(&l, ' ')) continue;
    if (number >= LETTERS)
      f->dropped++;
    else if (f->letters[number] < 0)
      f->letters[number] = intern(f, l.at, (size_t)(l.end - l.at));
  }
}

/* ---- a folder's files ---- */

/* A file of keywords.  0: *text may be null, there is none, or none that can be used; -1. */
static int read_keywords(struct foreign *f, int dir, char const *name, size_t max, char **text,
                         size_t *size) {
  if (!file_read(dir, name, max, text, size) || errno == ENOENT) return 0;
  f->dropped++;
  return errno == EFBIG || errno == EISDIR || errno == ENOTDIR || errno == ELOOP ? 0 : -1;
}

static int read_message_keywords(struct foreign *f, int dir, char const *name) {
  char *text;
  size_t size;
  struct foreign_message *m = foreign_find(f, name, strlen(name));
  /* A dot begins what has been merged into the list. */
  if (*name == '.' || !m) return 0;
  if (read_keywords(f, dir, name, FOREIGN_KEYWORD_FILE_MAX, &text, &size) < 0) return -1;
  if (text) foreign_parse_courier_message(f, m, text, size);
  free(text);
  return 0;
}

static int read_courier_keywords(struct foreign *f, int parent) {
  char *text;
  size_t size;
  struct dirent *e;
  int fd = openat(parent, COURIER_KEYWORDS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -1;
  int r = read_keywords(f, fd, ":list", FOREIGN_KEYWORDS_MAX, &text, &size);
  if (!r && text) foreign_parse_courier_list(f, text, size);
  free(text);
  DIR *d = r < 0 ? 0 : fdopendir(fd);
  if (!d) {
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
  }
  while (!r && (errno = 0, e = readdir(d))) r = read_message_keywords(f, fd, e->d_name);
  if (!r && errno) r = -1;
  int saved = errno;
  closedir(d);
  errno = saved;
  return r;
}

static int read_dovecot_keywords(struct foreign *f, int dir) {
  char *text;
  size_t size;
  int r = read_keywords(f, dir, DOVECOT_KEYWORDS, FOREIGN_KEYWORD_FILE_MAX, &text, &size);
  if (!r && text) foreign_parse_dovecot_keywords(f, text, size);
  free(text);
  return r;
}

int foreign_read(struct foreign *f, enum foreign_kind kind, int dir, char const **why) {
  char *text;
  size_t size;
  *f = (struct foreign){.kind = FOREIGN_NONE};
  *why = "its file of UIDs has gone";
  if (file_read(dir, kinds[kind].uids, FOREIGN_UIDS_MAX, &text, &size) < 0) {
    if (errno == EFBIG) *why = "its list of UIDs is larger than 128 MiB";
    return errno == ENOENT || errno == EFBIG ? 1 : -1;
  }
  if (!foreign_parse_uids(f, kind, text, size, why)) {
    foreign_free(f);
    return 1;
  }
  int r = kind == FOREIGN_COURIER ? read_courier_keywords(f, dir) : read_dovecot_keywords(f, dir);
  if (r < 0) {
    int saved = errno;
    foreign_free(f);
    errno = saved;
  }
  return r;
}

/* ---- Dovecot's subscriptions ---- */

/* Levels are separated by tabs in version 2, where \001 escapes; by dots before. */
static size_t unescape(struct line l, int version, char *out, size_t room) {
  size_t n = 0;
  for (; l.at < l.end; l.at++) {
    char c = *l.at;
    if (version == 2 && c == '\t')
      c = '.';
    else if ((unsigned char)c < ' ' || c == 127 || c == '/')
      return 0; /* what was escaped could not be in a folder's name either */
    if (n == room) return 0;
    out[n++] = c;
  }
  return n;
}

char const *foreign_subscription(char const *text, char const *end, int *version,
                                 char name[SUBSCRIPTION_SIZE_MAX + 1]) {
  static char const inbox[] = "INBOX.";
  char plain[SUBSCRIPTION_SIZE_MAX];
  struct line l;
  *name = 0;
  if (!next_line(&text, end, &l)) return 0;
  if (!*version) {
    *version = 1;
    if (l.end - l.at == 3 && !memcmp(l.at, "V\t2", 3)) {
      *version = 2;
      return text;
    }
  }
  size_t n = unescape(l, *version, plain, sizeof plain - sizeof inbox);
  if (!n) return text;
  bool top = n == 5 && !strncasecmp(plain, inbox, 5);
  bool below = n > 6 && !strncasecmp(plain, inbox, 6);
  snprintf(name, SUBSCRIPTION_SIZE_MAX + 1, "%s%.*s", top || below ? "" : inbox, (int)n, plain);
  return text;
}
