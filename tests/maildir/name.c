/* Names of message files. */
#include "../tap.h"
#include "maildir/maildir.h"

#include <stdlib.h>

static char const *joined(char const *name, unsigned int flags) {
  static char out[MAILDIR_NAME_MAX + 1];
  struct maildir_name n;
  maildir_name_split(name, &n);
  return maildir_name_join(out, sizeof out, &n, flags) ? out : "too long";
}

static unsigned int flags(char const *name) {
  struct maildir_name n;
  maildir_name_split(name, &n);
  return maildir_name_flags(&n);
}

static bool plain(char const *name) {
  struct maildir_name n;
  maildir_name_split(name, &n);
  return maildir_name_is_plain(&n);
}

int main(void) {
  struct maildir_name n;
  maildir_name_split("1.a.h,S=5:2,FS", &n);
  is_uint(n.base_size, 9, "hints belong to the base name");
  is(n.info, "FS", "info");
  maildir_name_split("1.a.h:1,x", &n);
  is_uint(n.base_size, 9, "experimental info is part of the base name");
  ok(!n.info, "and no info");
  maildir_name_split("a:2,S:2,T", &n);
  is(n.info, "T", "the last :2, counts");
  maildir_name_split("a:2,", &n);
  is(n.info, "", "empty info is info");

  is_uint(flags("a:2,DFRST"), 31, "all flags");
  is_uint(flags("a:2,SS"), 8, "a letter twice");
  is_uint(flags("a:2,PXz"), 0, "letters that are not ours");
  is_uint(flags("a"), 0, "no info");

  is(joined("a", 0), "a:2,", "info is added");
  is(joined("a:2,S", 1 | 2), "a:2,DF", "flags are replaced");
  is(joined("a:2,zPS", 8 | 16), "a:2,PSTz", "other letters are kept, in ASCII order");
  is(joined("a:2,SS", 8), "a:2,S", "each once");
  char name[300];
  memset(name, 'x', sizeof name);
  name[251] = 0;
  is_uint(strlen(joined(name, 2)), 255, "a name as long as names may be");
  name[251] = 'x';
  name[252] = 0;
  is(joined(name, 2), "too long", "one that would be longer");
  is_uint(strlen(joined(name, 0)), 255, "without flags it fits");
  name[252] = 'x';
  name[253] = 0;
  is(joined(name, 0), "too long", "or not");

  ok(plain("a") && plain("a:2,") && plain("a:2,DFRST") && plain("a:2,FS"), "plain names");
  ok(!plain("a:2,SF") && !plain("a:2,SS") && !plain("a:2,P"), "others");

  char one[MAILDIR_NAME_MAX + 1], two[MAILDIR_NAME_MAX + 1];
  maildir_unique(one, sizeof one, 0);
  maildir_unique(two, sizeof two, 0);
  ok(strcmp(one, two), "unique names differ");
  ok(strlen(one) <= MAILDIR_UNIQUE_MAX && !strpbrk(one, "/:"), "and are names");
  maildir_unique(one, sizeof one, UINT64_C(0x123456789abcdef0));
  ok(maildir_name_has_batch(one, UINT64_C(0x123456789abcdef0)), "a batch's name");
  strcat(one, ",S=7:2,S");
  ok(maildir_name_has_batch(one, UINT64_C(0x123456789abcdef0)), "with hints and flags");
  ok(!maildir_name_has_batch(one, UINT64_C(0x123456789abcdef1)), "of no other batch");
  ok(!maildir_name_has_batch(two, UINT64_C(0x123456789abcdef0)), "nor is another one");
  ok(!maildir_name_has_batch("x", 1) && !maildir_name_has_batch("1.B0000000000000001", 1),
     "nor one that is not ours");

  ok(maildir_folder_name_ok("a.b"), "a folder's name");
  ok(!maildir_folder_name_ok("") && !maildir_folder_name_ok(".") && !maildir_folder_name_ok("a."),
     "and what is none");
  return tap_done();
}
