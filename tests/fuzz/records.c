/* What a journal's records do to a view (store/apply.c, record.c): whatever they say, it stays
 * in order, and its counters are those of its messages. */
#include "fuzz.h"
#include "store/folder.h"

/* Counted by looking at all. */
static void check_counts(struct view *v) {
  uint32_t unseen = v->unseen, deleted = v->deleted, in_new = v->in_new, gone = v->gone;
  uint32_t unseen_from = v->unseen_from, new_from = v->new_from;
  view_recount(v);
  must(v->unseen == unseen && v->deleted == deleted && v->in_new == in_new && v->gone == gone);
  /* Below these there is none. */
  must(unseen_from <= v->unseen_from && new_from <= v->new_from);
}

static void check_order(struct view const *v) {
  uint32_t last = 0;
  for (uint32_t i = 0; i < v->n; i++) {
    struct message const *m = view_at(v, i);
    must(m->uid > last && m->uid < v->uidnext && m->keywords < v->nsets);
    must(m->modseq <= v->modseq);
    must(view_find(v, m->uid) == i);
    last = m->uid;
  }
}

static void check_keywords(struct view const *v) {
  must(v->nkeywords <= KEYWORDS_MAX);
  for (unsigned int i = 0; i < v->nkeywords; i++) {
    size_t size = strlen(v->keywords[i]);
    must(size && size <= KEYWORD_SIZE_MAX);
    /* They are told to clients, as atoms. */
    for (char const *c = v->keywords[i]; *c; c++)
      must(*c > ' ' && *c < 0x7f && !strchr("(){%*\"\\]", *c));
  }
}

static void check(struct view *v) {
  check_order(v);
  check_keywords(v);
  check_counts(v);
}

static void drop_gone(struct view *v) {
  uint32_t n = v->n, gone = v->gone;
  must(view_drop(v, 0, n, 0, 0) == gone && v->n == n - gone && !v->gone);
  view_drop_sets(v);
}

/* The input: records, each a byte of type, two of size, the content. */
int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  struct view v;
  uint64_t offset = JOURNAL_HEADER + 16;
  view_init(&v);
  while (size >= 3) {
    unsigned int type = data[0];
    size_t n = data[1] + 256u * data[2];
    data += 3, size -= 3;
    if (n > size) n = size;
    /* Aligned, as in a journal. */
    char *content = malloc(n + 1);
    must(content);
    memcpy(content, data, n);
    bool good = view_apply(&v, type % 16, content, n & ~(size_t)7, offset, type & 16);
    free(content);
    check(&v);
    if (type & 32) drop_gone(&v);
    if (!good) break;
    data += n, size -= n;
    offset += 16 + n;
  }
  drop_gone(&v);
  check(&v);
  view_free(&v);
  return 0;
}
