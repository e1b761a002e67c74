/* Ranks of texts: the places of messages in the order of their subjects, or addresses.  Those of
 * all messages of a folder are kept in a file; messages that it does not cover are put between the
 * others by comparing texts, which come from the cache. */
#include "store/sortfile.h"
#include "message/message.h"

#include <stdlib.h>
#include <string.h>

enum {
  SAME = 1 << 30,    /* in a file's order: this text is that of the message before; */
  NUMBER = SAME - 1, /* this is the number of the message */
  COMPARISONS = 20,  /* what putting one text between the others costs */
};

/* By enum sort_key; those without file are numbers. */
static struct {
  char const *file, *field;
  bool display;
} const kinds[SORT_KEYS] = {
    [SORT_CC] = {"sort.cc", "Cc", false},
    [SORT_DISPLAYFROM] = {"sort.displayfrom", "From", true},
    [SORT_DISPLAYTO] = {"sort.displayto", "To", true},
    [SORT_FROM] = {"sort.from", "From", false},
    [SORT_SUBJECT] = {"sort.subject", "Subject", false},
    [SORT_TO] = {"sort.to", "To", false},
};

char const *rank_field(enum sort_key key) {
  return kinds[key].field;
}

/* ---- texts ---- */

struct text {
  uint64_t prefix; /* the first bytes; decides mostly */
  char const *data;
  uint32_t size, seq;
};
struct texts {
  struct text *list;
  uint32_t n;
  stralloc data;
};

static uint64_t prefix_of(char const *data, size_t size) {
  unsigned char bytes[8] = {0};
  memcpy(bytes, data, size < sizeof bytes ? size : sizeof bytes);
  uint64_t prefix = 0;
  for (size_t i = 0; i < sizeof bytes; i++) prefix = prefix << 8 | bytes[i];
  return prefix;
}

static int compare_texts(struct text const *a, struct text const *b) {
  if (a->prefix != b->prefix) return a->prefix < b->prefix ? -1 : 1;
  uint32_t common = a->size < b->size ? a->size : b->size;
  int difference = common ? memcmp(a->data, b->data, common) : 0;
  return difference ? difference : (a->size > b->size) - (a->size < b->size);
}

static int by_text(void const *a, void const *b) {
  return compare_texts(a, b);
}

/* Beyond SORT_TEXT_MAX its hash stands for it. */
static void shorten(stralloc *data, size_t start) {
  size_t size = data->len - start;
  if (size <= SORT_TEXT_MAX + sizeof(uint64_t)) return;
  uint64_t rest = store_hash(0, data->s + start + SORT_TEXT_MAX, size - SORT_TEXT_MAX);
  memcpy(data->s + start + SORT_TEXT_MAX, &rest, sizeof rest);
  data->len = start + SORT_TEXT_MAX + sizeof rest;
}

/* Whether that is the text: it could be read, and decoded. */
static bool append_text(struct finding *f, enum sort_key key, uint32_t seq, stralloc *data) {
  struct field_lines lines = finding_fields(f, seq);
  struct message_field field;
  size_t start = data->len;
  bool done = false;
  for (size_t at = 0; !done && message_next_field(lines.data, lines.size, &at, &field);) {
    done = key == SORT_SUBJECT;
    if (key == SORT_SUBJECT)
      message_put_base_subject(data, field.value, field.value_size);
    else
      done = message_put_address_key(data, field.value, field.value_size, kinds[key].display);
  }
  shorten(data, start);
  finding_decoded(f, seq);
  return f->known;
}

static struct text text_at(char const *data, size_t size, uint32_t seq) {
  return (struct text){prefix_of(size ? data : "", size), data, (uint32_t)size, seq};
}

/* Sorted. */
static void find_texts(struct finding *f, enum sort_key key, uint32_t const *seqs, uint32_t n,
                       struct arena *arena, struct texts *t) {
  size_t *ends = arena_alloc(arena, n * sizeof *ends + 1), start = 0;
  *t = (struct texts){.list = arena_alloc(arena, n * sizeof *t->list + 1), .n = n};
  for (uint32_t i = 0; i < n; i++) {
    append_text(f, key, seqs[i], &t->data);
    ends[i] = t->data.len;
  }
  for (uint32_t i = 0; i < n; start = ends[i++])
    t->list[i] = text_at(t->data.s + start, ends[i] - start, seqs[i]);
  qsort(t->list, n, sizeof *t->list, by_text);
}

/* ---- ranks ---- */

/* Messages in the order of their texts. */
struct ranking {
  uint32_t *seqs, *ranks;
  uint32_t n;
};

static void rank_init(struct ranking *r, uint32_t room, struct arena *arena) {
  *r = (struct ranking){.seqs = arena_alloc(arena, room * sizeof *r->seqs + 1),
                        .ranks = arena_alloc(arena, room * sizeof *r->ranks + 1)};
}

/* same: of the message before; rank 0 is for the empty text, which can only come first. */
static void rank_append(struct ranking *r, uint32_t seq, bool same, bool empty) {
  uint32_t last = r->n ? r->ranks[r->n - 1] : 0;
  r->seqs[r->n] = seq;
  r->ranks[r->n++] = empty ? 0 : same ? last : last + 1;
}

static void rank_texts(struct texts const *t, struct ranking *r) {
  for (uint32_t i = 0; i < t->n; i++)
    rank_append(r, t->list[i].seq, i && !compare_texts(&t->list[i], &t->list[i - 1]),
                !t->list[i].size);
}

/* From a file: the messages that are still there.  False: it makes no sense. */
static bool rank_file(struct sortfile const *file, struct coverage const *c, struct arena *arena,
                      struct ranking *r) {
  uint32_t const *order = (uint32_t const *)(void const *)file->data;
  uint32_t n = file->header.n, rank = file->header.word;
  char *seen = arena_zalloc(arena, (size_t)n + 1);
  if (file->size != n * sizeof *order || rank > 1) return false;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t number = order[i] & NUMBER;
    if (number >= n || seen[number]) return false;
    seen[number] = true;
    if (i && !(order[i] & SAME)) rank++;
    if (!c->seqs[number]) continue;
    r->seqs[r->n] = c->seqs[number];
    r->ranks[r->n++] = rank;
  }
  return true;
}

/* A ranking whose texts are asked for, some of them in vain. */
struct ranked {
  struct ranking const *ranking;
  uint32_t *next; /* by places: the next one, itself perhaps, whose text may be known */
  stralloc text;  /* that was asked for last */
};

static void ranked_init(struct ranked *old, struct ranking const *r, struct arena *arena) {
  *old = (struct ranked){.ranking = r, .next = arena_alloc(arena, (r->n + 1) * sizeof *old->next)};
  for (uint32_t i = 0; i <= r->n; i++) old->next[i] = i;
}

static uint32_t next_of(struct ranked *old, uint32_t place) {
  while (old->next[place] != place) place = old->next[place] = old->next[old->next[place]];
  return place;
}

/* The first place from here on whose text can be told; `end` or behind if there is none before.
 * Messages that are gone, or want charsetd, say nothing of their neighbours. */
static uint32_t known_from(struct finding *f, enum sort_key key, struct ranked *old, uint32_t place,
                           uint32_t end) {
  while ((place = next_of(old, place)) < end) {
    old->text.len = 0;
    if (append_text(f, key, old->ranking->seqs[place], &old->text)) break;
    old->next[place] = place + 1;
  }
  return place;
}

/* The first place in the ranking whose text is not less; *same: it is this one.  That of a message
 * whose text cannot be told is the text of the others of its rank. */
static uint32_t place_of(struct finding *f, enum sort_key key, struct ranked *old,
                         struct text const *text, uint32_t from, bool *same) {
  struct ranking const *r = old->ranking;
  uint32_t low = from, high = r->n, place = r->n;
  *same = false;
  while (low < high && !f->interrupted) {
    uint32_t middle = low + (high - low) / 2, known = known_from(f, key, old, middle, high);
    struct text const other = text_at(old->text.s, old->text.len, 0);
    int difference = known < high ? compare_texts(&other, text) : 0;
    if (difference < 0) {
      low = known + 1;
      continue;
    }
    if (known < high) {
      place = known;
      *same = !difference;
    }
    high = middle;
  }
  while (place > from && place < r->n && r->ranks[place - 1] == r->ranks[place]) place--;
  return place;
}

/* Puts texts between those of a ranking. */
static void rank_merged(struct finding *f, enum sort_key key, struct ranking const *kept,
                        struct texts const *t, struct arena *arena, struct ranking *r) {
  struct ranked old;
  uint32_t from = 0;
  bool joins = false; /* the old one that comes next has the text of the new one before it */
  ranked_init(&old, kept, arena);
  for (uint32_t i = 0; i <= t->n; i++) {
    bool same = false;
    uint32_t to = i < t->n ? place_of(f, key, &old, &t->list[i], from, &same) : kept->n;
    for (; from < to; from++) {
      bool as_before = joins || (from && kept->ranks[from] == kept->ranks[from - 1]);
      rank_append(r, kept->seqs[from], as_before, !kept->ranks[from]);
      joins = false;
    }
    if (i == t->n) break;
    rank_append(r, t->list[i].seq, i && !compare_texts(&t->list[i], &t->list[i - 1]),
                !t->list[i].size);
    joins = same;
  }
  stralloc_free(&old.text);
}

/* But for messages whose texts are unsure. */
static void save_ranking(struct finding *f, enum sort_key key, struct ranking const *r,
                         struct arena *arena) {
  uint32_t *order = arena_alloc(arena, r->n * sizeof *order + 1);
  uint32_t *numbers = arena_alloc(arena, r->n * sizeof *numbers + 1);
  uint32_t *seqs = arena_alloc(arena, r->n * sizeof *seqs + 1);
  uint32_t n = 0, last = 0, first = 0;
  for (uint32_t i = 0; i < r->n; i++) {
    if (f->unsure[i]) continue;
    numbers[i] = n;
    seqs[n++] = i + 1;
  }
  n = 0;
  for (uint32_t i = 0; i < r->n; i++) {
    if (f->unsure[r->seqs[i] - 1]) continue;
    if (!n) first = r->ranks[i] != 0;
    order[n] = numbers[r->seqs[i] - 1] | (n && r->ranks[i] == last ? SAME : 0);
    last = r->ranks[i];
    n++;
  }
  struct sortfile_piece const pieces[2] = {{order, n * sizeof *order}};
  sortfile_save(f->folder, kinds[key].file, key, first, seqs, n, pieces);
}

/* All messages, by the file if that covers nearly all of them. */
static void rank_kept(struct finding *f, enum sort_key key, struct arena *arena, struct coverage *c,
                      struct ranking *r) {
  uint32_t count = folder_count(f->folder);
  struct sortfile file;
  sortfile_load(f->folder, kinds[key].file, key, &file);
  sortfile_cover(f->folder, &file, arena, c);
  rank_init(r, file.header.n, arena);
  if (!rank_file(&file, c, arena, r) || c->nmissing > count / COMPARISONS) {
    r->n = 0;
    for (uint32_t i = 0; i < count; i++) c->missing[i] = i + 1;
    c->nmissing = count;
  }
  sortfile_free(&file);
}

static void rank_all(struct finding *f, enum sort_key key, struct arena *arena, struct ranking *r) {
  struct coverage c;
  struct ranking kept;
  struct texts texts;
  rank_kept(f, key, arena, &c, &kept);
  *r = kept;
  if (!c.nmissing) return;
  finding_watch(f, arena);
  find_texts(f, key, c.missing, c.nmissing, arena, &texts);
  rank_init(r, folder_count(f->folder), arena);
  rank_merged(f, key, &kept, &texts, arena, r);
  stralloc_free(&texts.data);
  if (finding_worth_keeping(f, c.nmissing)) save_ranking(f, key, r, arena);
}

/* ---- the answer ---- */

static uint32_t const *by_seq(struct folder const *f, struct ranking const *r,
                              struct arena *arena) {
  uint32_t *ranks = arena_alloc(arena, folder_count(f) * sizeof *ranks + 1);
  for (uint32_t i = 0; i < r->n; i++) ranks[r->seqs[i] - 1] = r->ranks[i];
  return ranks;
}

uint32_t const *ranks_of_all(struct finding *f, enum sort_key key, struct arena *arena) {
  struct ranking r;
  rank_all(f, key, arena, &r);
  return by_seq(f->folder, &r, arena);
}

uint32_t const *ranks_of(struct finding *f, enum sort_key key, uint32_t const *seqs, uint32_t n,
                         struct arena *arena) {
  struct texts texts;
  struct ranking r;
  find_texts(f, key, seqs, n, arena, &texts);
  rank_init(&r, n, arena);
  rank_texts(&texts, &r);
  stralloc_free(&texts.data);
  return by_seq(f->folder, &r, arena);
}
