/* charsetd: converts charsets to UTF-8 with iconv(3) for static programs, which cannot load its
 * shared objects.  Requests on descriptor 0, answers on 1, until the end of file; see charsetd(8).
 * It knows nothing of mail. */
#include "base/base.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <skalibs/uint32.h>

enum {
  NAME_MAX_SIZE = 64,
  DATA_MAX = 32 * 1024,
  TAIL_MAX = 16, /* no character of any charset has more bytes */
  OUT_MAX = 8 * DATA_MAX + 256,
};
enum { OP_FIRST = 1, OP_LAST = 2, OP_QUERY = 4 };

static char const replacement[3] = "\xef\xbf\xbd"; /* U+FFFD */

struct converter {
  char name[NAME_MAX_SIZE + 1]; /* of the open descriptor, as asked for */
  iconv_t cd;
  bool open;
  bool bytewise;                /* what comes is given to iconv byte by byte */
  char in[TAIL_MAX + DATA_MAX]; /* an unfinished character, then new data */
  size_t tail;
  char out[5 + OUT_MAX]; /* the answer: length, status, text */
  size_t size;           /* of the text */
};

/* What mail calls by names iconv lacks, or means more than it says: supersets. */
static struct {
  char const *name, *iconv;
} const aliases[] = {{"gb2312", "GB18030"},
                     {"gbk", "GB18030"},
                     {"x-gbk", "GB18030"},
                     {"ks_c_5601-1987", "CP949"},
                     {"euc-kr", "CP949"},
                     {"shift_jis", "CP932"},
                     {"x-sjis", "CP932"},
                     {"sjis", "CP932"},
                     {"iso-8859-8-i", "ISO-8859-8"},
                     {"unicode-1-1-utf-7", "UTF-7"},
                     {"x-mac-roman", "MACINTOSH"}};

static char const *iconv_name(char const *name) {
  for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
    if (!strcasecmp(name, aliases[i].name)) return aliases[i].iconv;
  return name;
}

/* A slash would name a conversion path or a suffix like //TRANSLIT. */
static bool is_name(char const *name) {
  for (char const *c = name; *c; c++)
    if (*c <= ' ' || *c > '~' || *c == '/') return false;
  return *name;
}

/* After an error glibc's converter of UTF-7 forgets half of a surrogate pair between one call and
 * the next, but not within a call: what it makes of broken text would depend on the pieces it comes
 * in. */
static bool is_utf7(char const *iconv) {
  return !strcasecmp(iconv, "utf-7") || !strcasecmp(iconv, "utf7") ||
         !strcasecmp(iconv, "utf-7-imap");
}

static bool open_charset(struct converter *c, char const *name) {
  if (c->open && !strcasecmp(c->name, name)) return true;
  if (c->open) iconv_close(c->cd);
  c->open = false;
  if (!is_name(name)) return false;
  c->cd = iconv_open("UTF-8", iconv_name(name));
  c->open = c->cd != (iconv_t)-1;
  c->bytewise = is_utf7(iconv_name(name));
  if (c->open) strcpy(c->name, name);
  return c->open;
}

static void put(struct converter *c, char const *text, size_t size) {
  if (size > OUT_MAX - c->size) size = OUT_MAX - c->size;
  memcpy(c->out + 5 + c->size, text, size);
  c->size += size;
}

/* One call of iconv; null data ends the text. */
static int step(struct converter *c, char **in, size_t *left) {
  char *out = c->out + 5 + c->size;
  size_t room = OUT_MAX - c->size;
  size_t result = iconv(c->cd, in, left, &out, &room);
  int error = result == (size_t)-1 ? errno : 0;
  c->size = OUT_MAX - room;
  return error;
}

static void convert(struct converter *c, size_t size, bool last) {
  char *in = c->in;
  size_t left = c->tail + size;
  c->tail = 0;
  while (left) {
    int error = step(c, &in, &left);
    if (error == E2BIG) break; /* cannot be: the answer has room for eight bytes each */
    if (error == EINVAL && !last && left <= TAIL_MAX) {
      memmove(c->in, in, left);
      c->tail = left;
      return;
    }
    if (!error) break;
    put(c, replacement, sizeof replacement);
    in++, left--;
  }
  if (last) step(c, 0, 0);
}

static bool handle(struct converter *c, int op, char const *name, char const *data, size_t size) {
  c->size = 0;
  if (!open_charset(c, name)) return false;
  if (op & OP_QUERY) return true;
  if (op & OP_FIRST) {
    iconv(c->cd, 0, 0, 0, 0);
    c->tail = 0;
  }
  do {
    size_t piece = size && c->bytewise ? 1 : size;
    memcpy(c->in + c->tail, data, piece);
    data += piece, size -= piece;
    convert(c, piece, !size && op & OP_LAST);
  } while (size);
  return true;
}

/* False at the end of file. */
static bool read_all(char *buf, size_t size) {
  while (size) {
    ssize_t n = io_read(0, buf, size, -1);
    if (n < 0) log_die_failure(EXIT_TEMPORARY, "read", 0, 0);
    if (!n) return false;
    buf += n, size -= (size_t)n;
  }
  return true;
}

static bool serve_one(struct converter *c) {
  static char request[2 + NAME_MAX_SIZE + DATA_MAX];
  char head[4], name[NAME_MAX_SIZE + 1];
  uint32_t size;
  if (!read_all(head, sizeof head)) return false;
  uint32_unpack_big(head, &size);
  if (size < 2 || size > sizeof request)
    log_die(EXIT_MISUSE, "bad-request", "remedy", "start it from imapd only", (char *)0);
  if (!read_all(request, size)) return false;
  size_t name_size = (unsigned char)request[1];
  if (name_size > NAME_MAX_SIZE || name_size > size - 2 || size - 2 - name_size > DATA_MAX)
    log_die(EXIT_MISUSE, "bad-request", "remedy", "start it from imapd only", (char *)0);
  memcpy(name, request + 2, name_size);
  name[name_size] = 0;
  bool good = handle(c, request[0], name, request + 2 + name_size, size - 2 - name_size);
  uint32_pack_big(c->out, (uint32_t)(1 + c->size));
  c->out[4] = !good;
  return io_write_all(1, c->out, 5 + c->size, -1) == 0;
}

int main(int argc, char **argv) {
  (void)argv;
  log_init("charsetd");
  if (argc > 1)
    log_die(EXIT_MISUSE, "usage", "expected", "charsetd, with requests on descriptor 0", (char *)0);
  static struct converter converter;
  while (serve_one(&converter)) {
  }
  return 0;
}
