/* What Courier and Dovecot keep beside a folder (store/foreign.c). */
#include "fuzz.h"
#include "store/foreign.h"

static char *copy_of(uint8_t const *data, size_t size) {
  char *copy = malloc(size + 1); /* as file_read gives it */
  must(copy);
  memcpy(copy, data, size);
  copy[size] = 0;
  return copy;
}

static void check_messages(struct foreign const *f) {
  uint32_t last = 0;
  for (size_t i = 0; i < f->n; i++) {
    struct foreign_message const *m = &f->messages[i];
    must(m->uid > last && m->uid < f->uidnext && m->base_size && m->base_size <= MAILDIR_NAME_MAX);
    must(foreign_find(f, m->base, m->base_size) == m);
    must(!memchr(m->base, '/', m->base_size) && !memchr(m->base, 0, m->base_size) &&
         *m->base != '.');
    last = m->uid;
  }
}

static void check_keywords(struct foreign const *f) {
  must(f->nkeywords <= KEYWORDS_MAX);
  for (unsigned int i = 0; i < f->nkeywords; i++)
    must(keyword_valid(f->keywords[i], strlen(f->keywords[i])));
  for (int i = 0; i < LETTERS; i++) must(f->letters[i] < (int)f->nkeywords);
  for (size_t i = 0; i < f->n; i++)
    for (unsigned int k = f->nkeywords; k < KEYWORDS_MAX; k++)
      must(!(f->messages[i].keywords.words[k / 64] >> k % 64 & 1));
}

/* The file with a higher next UID says the same but for that. */
static void check_raised(struct foreign const *f) {
  struct foreign again;
  char const *why;
  size_t size;
  uint32_t raised = f->uidnext + UID_JUMP;
  char *text = foreign_raised(f, raised, &size);
  must(foreign_parse_uids(&again, f->kind, text, size, &why));
  must(again.uidnext == raised && again.uidvalidity == f->uidvalidity && again.n == f->n);
  for (size_t i = 0; i < f->n; i++) must(again.messages[i].uid == f->messages[i].uid);
  foreign_free(&again);
}

static void check_subscriptions(uint8_t const *data, size_t size) {
  char name[SUBSCRIPTION_SIZE_MAX + 1];
  char const *text = (char const *)data, *end = text + size;
  int version = 0;
  for (char const *next = text; next; text = next) {
    next = foreign_subscription(text, end, &version, name);
    must(!next || next > text);
    if (!*name) continue;
    must(strlen(name) < sizeof name && !strchr(name, '/') && !strncasecmp(name, "INBOX", 5));
    for (char const *c = name; *c; c++) must((unsigned char)*c >= ' ' && *c != 0x7f);
  }
}

/* The input: the file of UIDs, an empty line, one of keywords. */
int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  struct foreign f;
  char const *why;
  size_t uids = size;
  for (size_t i = 1; i < size && uids == size; i++)
    if (data[i] == '\n' && data[i - 1] == '\n') uids = i;
  char const *rest = (char const *)data + uids + (uids < size);
  size_t rest_size = size - uids - (uids < size);
  enum foreign_kind kind = size && data[0] == '1' ? FOREIGN_COURIER : FOREIGN_DOVECOT;
  if (foreign_parse_uids(&f, kind, copy_of(data, uids), uids, &why)) {
    check_messages(&f);
    check_raised(&f);
    if (kind == FOREIGN_DOVECOT) foreign_parse_dovecot_keywords(&f, rest, rest_size);
    if (kind == FOREIGN_COURIER) foreign_parse_courier_list(&f, rest, rest_size);
    if (f.n) foreign_parse_courier_message(&f, &f.messages[0], rest, rest_size);
    check_keywords(&f);
  }
  foreign_free(&f);
  check_subscriptions(data, size);
  return 0;
}
