/* What a search is asked for, and its answer: a list of numbers (RFC 3501 section 7.2.5, RFC 5256
 * section 4), or what RETURN names (RFC 4731, for SORT: RFC 5267 section 3.1; PARTIAL: RFC 9394),
 * and keeping it as "$" (RFC 5182).
 *
 *   option = "MIN" / "MAX" / "ALL" / "COUNT" / "SAVE" / "PARTIAL" SP partial-range
 *   answer = "* ESEARCH (TAG " string ")" [" UID"] *(SP item)
 *
 * Of SORT, MIN is the first in its order, PARTIAL counts in it, and so on. */
#include "imapd/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* ---- options ---- */

static struct {
  char const *name;
  enum result_option option;
} const options_known[] = {
    {"ALL", RESULT_ALL}, {"COUNT", RESULT_COUNT},     {"MAX", RESULT_MAX},
    {"MIN", RESULT_MIN}, {"PARTIAL", RESULT_PARTIAL}, {"SAVE", RESULT_SAVE},
};

static bool parse_option(struct session *s, struct result_options *options) {
  char *name;
  if (!imap_parse_atom(&s->parser, &name)) return false;
  for (size_t i = 0; i < sizeof options_known / sizeof *options_known; i++) {
    if (strcasecmp(name, options_known[i].name)) continue;
    enum result_option option = options_known[i].option;
    /* RFC 9394 section 3.1. */
    if (option == RESULT_PARTIAL && options->wanted & RESULT_PARTIAL)
      return imap_parse_fail(&s->parser, "PARTIAL twice");
    options->wanted |= option;
    return option != RESULT_PARTIAL || partial_parse(s, &options->partial);
  }
  return imap_parse_fail(&s->parser, "MIN, MAX, ALL, COUNT, PARTIAL or SAVE expected");
}

bool result_parse_options(struct session *s, struct result_options *options) {
  struct imap_parser *p = &s->parser;
  if (!imap_parse_space(p) || !imap_parse_char(p, '(')) return false;
  while (imap_parse_peek(p) != ')')
    if ((options->wanted && !imap_parse_space(p)) || !parse_option(s, options)) return false;
  if (!options->wanted) options->wanted = RESULT_ALL;
  if (options->wanted & RESULT_ALL && options->wanted & RESULT_PARTIAL)
    return imap_parse_fail(p, "PARTIAL and ALL exclude each other");
  return imap_parse_char(p, ')');
}

/* MAX, and a PARTIAL that counts from the end, are found from there. */
void result_limit(struct result_options const *options, bool *backwards, uint32_t *limit) {
  switch (options->wanted & ~(unsigned int)RESULT_SAVE) {
  case RESULT_MIN: *limit = 1; break;
  case RESULT_MAX:
    *limit = 1;
    *backwards = true;
    break;
  case RESULT_PARTIAL:
    *limit = partial_reach(&options->partial);
    *backwards = options->partial.from_end;
    break;
  default: break;
  }
}

/* ---- what "$" shall name ---- */

static int compare_numbers(void const *a, void const *b) {
  uint32_t const *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

static bool is_rising(uint32_t const *numbers, uint32_t n) {
  for (uint32_t i = 1; i < n; i++)
    if (numbers[i] < numbers[i - 1]) return false;
  return true;
}

/* Added in another order than the rising one they would cost the square of their number. */
static void add_part(struct session *s, struct found const *found, struct part part,
                     struct set *seqs) {
  uint32_t *numbers = found->seqs + part.at;
  if (!is_rising(numbers, part.n)) {
    size_t size = part.n * sizeof *numbers;
    numbers = memcpy(arena_alloc(&s->arena, size), numbers, size);
    qsort(numbers, part.n, sizeof *numbers, compare_numbers);
  }
  for (uint32_t i = 0; i < part.n; i++) set_add(seqs, numbers[i]);
}

/* RFC 5182 section 2.4 and RFC 9394 section 3.2: all, unless only parts were asked for. */
static void save(struct session *s, struct result_options const *options,
                 struct found const *found) {
  enum { PARTS = RESULT_MIN | RESULT_MAX | RESULT_PARTIAL };
  unsigned int parts = options->wanted & PARTS;
  struct set seqs;
  set_init(&seqs, &s->arena);
  if (!parts || options->wanted & (RESULT_ALL | RESULT_COUNT)) {
    add_part(s, found, (struct part){.n = found->n}, &seqs);
  } else if (found->n) {
    if (parts & RESULT_PARTIAL) add_part(s, found, partial_of(&options->partial, found->n), &seqs);
    if (parts & RESULT_MIN) set_add(&seqs, found->seqs[0]);
    if (parts & RESULT_MAX) set_add(&seqs, found->seqs[found->n - 1]);
  }
  messages_save(s, &seqs);
}

/* ---- the answer ---- */

static uint32_t number_of(struct session const *s, uint32_t seq) {
  return command_by_uid(s) ? folder_uid(s->folder, seq) : seq;
}

/* " SEARCH 2 84 882" */
static void put_list(struct session *s, char const *name, struct found const *found) {
  imap_puts(&s->out, "* ");
  imap_puts(&s->out, name);
  for (uint32_t i = 0; i < found->n; i++) {
    imap_puts(&s->out, " ");
    imap_put_number(&s->out, number_of(s, found->seqs[i]));
  }
  imap_puts(&s->out, "\r\n");
}

/* In their order; ranges only rise (RFC 5267 section 3.2). */
static void put_sequence_set(struct session *s, struct found const *found, struct part part) {
  for (uint32_t i = 0, next; i < part.n; i = next) {
    uint32_t first = number_of(s, found->seqs[part.at + i]), last = first;
    for (next = i + 1; next < part.n; next++, last++)
      if (number_of(s, found->seqs[part.at + next]) != last + 1) break;
    if (i) imap_puts(&s->out, ",");
    imap_put_number(&s->out, first);
    if (last == first) continue;
    imap_puts(&s->out, ":");
    imap_put_number(&s->out, last);
  }
}

static void put_item(struct session *s, char const *name, uint32_t number) {
  imap_puts(&s->out, name);
  imap_put_number(&s->out, number);
}

static void put_partial(struct session *s, struct result_options const *options,
                        struct found const *found) {
  struct part part = partial_of(&options->partial, found->n);
  imap_puts(&s->out, " PARTIAL (");
  partial_put(s, &options->partial);
  imap_puts(&s->out, " ");
  if (part.n)
    put_sequence_set(s, found, part);
  else
    imap_puts(&s->out, "NIL");
  imap_puts(&s->out, ")");
}

static void put_extended(struct session *s, struct result_options const *options,
                         struct found const *found) {
  unsigned int wanted = options->wanted;
  imap_puts(&s->out, "* ESEARCH (TAG ");
  imap_put_string(&s->out, s->tag, strlen(s->tag));
  imap_puts(&s->out, command_by_uid(s) ? ") UID" : ")");
  if (wanted & RESULT_MIN && found->n) put_item(s, " MIN ", number_of(s, found->seqs[0]));
  if (wanted & RESULT_MAX && found->n)
    put_item(s, " MAX ", number_of(s, found->seqs[found->n - 1]));
  if (wanted & RESULT_COUNT) put_item(s, " COUNT ", found->n);
  if (wanted & RESULT_ALL && found->n) {
    imap_puts(&s->out, " ALL ");
    put_sequence_set(s, found, (struct part){.n = found->n});
  }
  if (wanted & RESULT_PARTIAL) put_partial(s, options, found);
  imap_puts(&s->out, "\r\n");
}

void result_answer(struct session *s, char const *name, struct result_options const *options,
                   struct found const *found, enum store_error error) {
  char words[40];
  snprintf(words, sizeof words, "%s completed", name);
  if (s->ending != GOING_ON) return;
  if (!options->wanted)
    put_list(s, name, found);
  else if (options->wanted != RESULT_SAVE)
    put_extended(s, options, found);
  if (options->wanted & RESULT_SAVE) {
    if (error == STORE_OK)
      save(s, options, found);
    else
      messages_forget_saved(s);
  }
  answer_result(s, error, words);
}

/* What BADCHARSET offers, where it is known: charsetd(8) cannot be asked for all it knows. */
static char const *const charsets[] = {
    "US-ASCII",     "UTF-8",      "ISO-8859-1",  "ISO-8859-2",   "ISO-8859-5",
    "ISO-8859-7",   "ISO-8859-9", "ISO-8859-15", "WINDOWS-1250", "WINDOWS-1251",
    "WINDOWS-1252", "KOI8-R",     "KOI8-U",      "BIG5",         "GB18030",
    "EUC-KR",       "EUC-JP",     "ISO-2022-JP", "SHIFT_JIS",
};

void result_refuse(struct session *s, struct result_options const *options) {
  char const *before = "[BADCHARSET (";
  if (options->wanted & RESULT_SAVE) messages_forget_saved(s);
  answer_begin(s, "NO");
  for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++) {
    if (!charset_known(charsets[i])) continue;
    imap_puts(&s->out, before);
    imap_puts(&s->out, charsets[i]);
    before = " ";
  }
  imap_puts(&s->out, ")] That charset is not known here\r\n");
}
