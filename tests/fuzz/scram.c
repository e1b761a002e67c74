/* What the mechanisms of AUTHENTICATE read (auth/scram.c, scram_key.c, saslprep.c, cram.c) and how
 * a module gets its words (auth/chain.c): keys that are written can be read, what is prepared for
 * SCRAM is UTF-8, nobody is let in by chance. */
#include "fuzz.h"
#include "auth/auth.h"
#include "auth/scram.h"

#include <utf8proc.h>

static void check_utf8(char const *text) {
  for (utf8proc_int32_t c; *text;) {
    utf8proc_ssize_t n = utf8proc_iterate((utf8proc_uint8_t const *)text, -1, &c);
    must(n > 0);
    text += n;
  }
}

static void check_key(struct scram_kind const *kind, char const *text) {
  struct scram_key key, again;
  char written[SCRAM_KEY_TEXT];
  if (!scram_key_parse(kind, text, &key)) return;
  must(key.iterations && key.salt_size && key.salt_size <= SCRAM_SALT_MAX);
  scram_key_format(kind, &key, written);
  must(scram_key_parse(kind, written, &again) && again.iterations == key.iterations);
  must(again.salt_size == key.salt_size && !memcmp(again.salt, key.salt, key.salt_size));
  must(!memcmp(again.stored, key.stored, kind->size));
  must(!memcmp(again.server, key.server, kind->size));
}

/* The first line is the client's first message, the second its last. */
static void check_dialogue(struct scram_kind const *kind, char *text) {
  static struct scram_key const key = {.iterations = 4096, .salt = "salt", .salt_size = 4};
  struct scram s = {.kind = kind};
  char final[SCRAM_MESSAGE_MAX], *feed = strchr(text, '\n');
  if (feed) *feed = 0;
  if (!scram_begin(&s, text)) return;
  must(s.nonce_size && s.nonce_size <= SCRAM_NONCE_MAX && strchr("nyp", s.flag));
  must(strlen(s.user) <= SCRAM_USER_MAX && strlen(s.authzid) <= SCRAM_USER_MAX);
  scram_challenge(&s, &key, "abcdefghijklmnopqrstuvwx");
  must(strlen(s.first) < sizeof s.first);
  if (feed) must(scram_finish(&s, &key, feed + 1, final) != SCRAM_RIGHT);
}

static void check_words(char const *text, struct arena *arena) {
  char **words = chain_split(arena_copy(arena, text, strlen(text)));
  for (char **w = words; w && *w; w++) must(strlen(*w) <= strlen(text));
  free(words);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  struct arena arena = {0};
  char digest[CRAM_DIGEST_SIZE];
  char const *text = arena_copy(&arena, data, size);
  char *prepared = saslprep(text);
  if (prepared) check_utf8(prepared);
  free(prepared);
  check_key(&scram_sha_1, text);
  check_key(&scram_sha_256, text);
  check_dialogue(&scram_sha_256, arena_copy(&arena, text, strlen(text)));
  cram_digest(text, "<1.2@chainmail>", digest);
  check_words(text, &arena);
  arena_release(&arena);
  return 0;
}
