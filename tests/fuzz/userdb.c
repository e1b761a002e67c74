/* userdb(5): lines of the text, records of the database (auth/userdb.c, userdb_file.c). */
#include "fuzz.h"
#include "auth/auth.h"

static void check_record(char const *line, size_t size, struct arena *arena) {
  struct userdb_record r;
  struct auth_account a = {0};
  char *text = arena_copy(arena, line, size), *same = arena_copy(arena, line, size);
  char const *problem = userdb_split(text, &r);
  if (!problem) {
    must(r.count <= USERDB_FIELDS_MAX);
    for (size_t i = 0; i < r.count; i++) {
      must(*r.fields[i].name && userdb_get(&r, r.fields[i].name) == r.fields[i].value);
      must(!strpbrk(r.fields[i].name, "=|\t\n") && !strpbrk(r.fields[i].value, "|\t\n"));
    }
    problem = userdb_account(&r, &a);
  }
  if (!problem) must(*a.home == '/' && a.uid != UINT32_MAX && a.gid != UINT32_MAX);
  /* What is put into the database can be read from it: an account, or another name. */
  if (!userdb_check("name", same)) must((!problem && a.uid) || *userdb_get(&r, "alias"));
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  struct arena arena = {0};
  char const *text = (char const *)data, *end = text + size, *next = text, *line, *at = text;
  size_t line_size;
  while (userdb_line(&next, end, &line, &line_size)) {
    must(line == at && line + line_size <= end && !memchr(line, '\n', line_size));
    at = next;
    check_record(line, line_size, &arena);
  }
  must(at == end);
  arena_release(&arena);
  return 0;
}
