/* What is kept of messages whose charset charsetd does not know, and what when it says nothing.
 * This program is charsetd, too: started under that name it knows no charset, and dies of x-dies.
 */
#include "store-test.h"
#include "message/message.h"
#include "store/cache.h"

#include <limits.h>

static int be_charsetd(void) {
  unsigned char head[6];
  char name[64];
  while (read(0, head, sizeof head) == sizeof head && read(0, name, head[5]) == head[5]) {
    name[head[5]] = 0;
    if (!strcmp(name, "x-dies") || write(1, "\0\0\0\1\1", 5) != 5) return 1;
  }
  return 0;
}

static struct arena arena;

static bool holds(struct folder *f, char const *word) {
  bool found = false;
  struct message_needle *needle = message_needle_new(word, strlen(word), &arena);
  must(!folder_text_holds(f, 1, needle, false, &found), "search");
  return found;
}

static enum cache_answer kept(struct folder *f, enum cache_column column) {
  struct cache_value v;
  return cache_get(f, 1, column, &v);
}

/* Asks for everything of the only message. */
static void read_once(struct folder *f) {
  struct preview p;
  ok(holds(f, "words") && !holds(f, "other"), "what can be read is found");
  must(!folder_preview(f, 1, false, &arena, &p), "preview");
  ok(p.size == 12 && !memcmp(p.text, "words and \xc3\xa9", 12), "and previewed");
}

static void message_goes(void) {
  must(!unlink(path_of("", "cur/1.m.h:2,")), "unlink");
}

static void refused(struct folder *f) {
  bool found;
  struct message_needle *needle = message_needle_new("absent", 6, &arena);
  read_once(f);
  ok(kept(f, CACHE_SUBJECT) == CACHE_KNOWN, "a subject in a charset that is not known is kept");
  ok(kept(f, CACHE_PREVIEW) == CACHE_KNOWN, "the preview, too");
  ok(kept(f, CACHE_SIGNATURE) == CACHE_KNOWN, "and the signature");
  message_goes();
  ok(!folder_text_holds(f, 1, needle, true, &found) && !found, "the next search opens no file");
}

static void silent(struct folder *f) {
  struct facts facts;
  must(!folder_facts(f, 1, FACT_ENVELOPE, &arena, &facts), "facts");
  read_once(f);
  ok(kept(f, CACHE_ENVELOPE) == CACHE_KNOWN, "what is not decoded is kept");
  ok(kept(f, CACHE_SUBJECT) == CACHE_LARGE, "the subject is not");
  ok(kept(f, CACHE_PREVIEW) == CACHE_UNKNOWN, "nor the preview");
  ok(kept(f, CACHE_SIGNATURE) == CACHE_UNKNOWN, "nor the signature");
}

static void in_a_folder(char const *charset, void (*test)(struct folder *)) {
  char text[400];
  snprintf(text, sizeof text,
           "Subject: =?%s?q?caf=E9?=\nContent-Type: text/plain; charset=%s\n\nwords and \xe9\n",
           charset, charset);
  make_maildir();
  deliver("", "cur/1.m.h:2,", text);
  struct store *s = open_store();
  struct folder *f = select_folder(s, "");
  test(f);
  folder_close(f);
  store_close(s);
}

int main(int argc, char **argv) {
  char self[PATH_MAX];
  if (!strcmp(argv[argc - 1], "charsetd")) return be_charsetd();
  must(!!realpath(argv[0], self), "realpath");
  setenv("IMAP_CHARSETD", self, 1);
  in_a_folder("x-unheard", refused);
  in_a_folder("x-dies", silent);
  arena_release(&arena);
  return tap_done();
}
