/* Names of message files and folders (maildir/name.c, create.c). */
#include "fuzz.h"
#include "maildir/maildir.h"

enum { ROOM = MAILDIR_NAME_MAX + 64 };

static bool is_flag(char c) {
  return strchr("DFRST", c) != 0;
}

static void check_join(struct maildir_name const *old, unsigned int flags) {
  char joined[ROOM], again[ROOM];
  struct maildir_name n;
  if (!maildir_name_join(joined, sizeof joined, old, flags)) return;
  maildir_name_split(joined, &n);
  must(n.info && n.base_size == old->base_size && !memcmp(n.base, old->base, n.base_size));
  must(maildir_name_flags(&n) == flags);
  for (char const *p = n.info; *p; p++) {
    must(p == n.info || (unsigned char)p[-1] < (unsigned char)*p);
    must(is_flag(*p) || strchr(old->info, *p));
  }
  for (char const *p = old->info ? old->info : ""; *p; p++) must(is_flag(*p) || strchr(n.info, *p));
  must(maildir_name_join(again, sizeof again, &n, flags) && !strcmp(again, joined));
}

static void check_folder_name(char const *name) {
  if (!maildir_folder_name_ok(name)) return;
  size_t size = strlen(name);
  must(size && size < MAILDIR_NAME_MAX && name[0] != '.' && name[size - 1] != '.');
  must(!strchr(name, '/') && !strstr(name, ".."));
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  struct arena arena = {0};
  struct maildir_name n;
  char const *name = arena_copy(&arena, data, size);
  check_folder_name(name);
  maildir_name_has_batch(name, UINT64_C(0x123456789abcdef0));
  maildir_name_split(name, &n);
  must(n.base == name && n.base_size <= strlen(name));
  must(!n.info || (!memcmp(n.info - 3, ":2,", 3) && !strstr(n.info, ":2,")));
  for (unsigned int flags = 0; flags < 32; flags++) check_join(&n, flags);
  if (maildir_name_is_plain(&n) && n.info) {
    char joined[ROOM];
    if (maildir_name_join(joined, sizeof joined, &n, maildir_name_flags(&n)))
      must(!strcmp(joined, name));
  }
  arena_release(&arena);
  return 0;
}
