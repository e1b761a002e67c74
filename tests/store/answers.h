/* What a message's bytes say, asked in every way there is: from the cache or from the file, it must
 * be what its text says. */
#ifndef ANSWERS_H
#define ANSWERS_H

#include "store-test.h"
#include "message/message.h"

static unsigned int unanswered; /* questions that met an error */

static inline bool answered(enum store_error e) {
  unanswered += e != STORE_OK;
  return e == STORE_OK;
}

static inline uint64_t wire_size(char const *text) {
  uint64_t n = 0;
  for (; *text; text++) n += *text == '\n' ? 2 : 1;
  return n;
}

/* A text: "Subject: number N", other fields, an empty line, one line.  -1: it is none. */
static inline int number_of(char const *text) {
  return strncmp(text, "Subject: number ", 16) ? -1 : atoi(text + 16);
}

static inline bool answer_is(char const *what, uint32_t uid, char const *data, size_t size,
                             char const *want) {
  if (size == strlen(want) && !memcmp(data, want, size)) return true;
  printf("# %s of UID %u: \"%.*s\" instead of \"%s\"\n", what, uid, (int)(size < 60 ? size : 60),
         size ? data : "", want);
  return false;
}

static inline bool holds_as_said(struct folder *f, uint32_t seq, char const *text, bool in_text,
                                 bool want, struct arena *arena) {
  static char const *const subject[] = {"Subject"};
  struct message_needle *needle = message_needle_new(text, strlen(text), arena);
  struct field_choice choice;
  bool holds = false;
  field_choice_init(&choice, subject, 1);
  enum store_error e = in_text ? folder_text_holds(f, seq, needle, true, &holds)
                               : folder_fields_hold(f, seq, &choice, needle, arena, &holds);
  if (!answered(e) || holds == want) return true;
  printf("# UID %u: \"%s\" is said to be in its %s: %d\n", folder_uid(f, seq), text,
         in_text ? "text" : "subject", holds);
  return false;
}

enum { FACTS = FACT_SIZE | FACT_ENVELOPE | FACT_BODY | FACT_BODYSTRUCTURE | FACT_SENT };

/* Of a message with this text; an error is no answer. */
static inline bool answers_fit(struct folder *f, uint32_t seq, char const *text) {
  static char const *const subject[] = {"Subject"};
  struct arena arena = {0};
  struct facts facts;
  struct field_choice choice;
  struct field_lines lines;
  struct preview preview;
  char number[40], quoted[60], field[60], body[60];
  uint32_t uid = folder_uid(f, seq);
  bool good = true;
  snprintf(number, sizeof number, "number %d", number_of(text));
  snprintf(quoted, sizeof quoted, "\"%s\"", number);
  snprintf(field, sizeof field, "Subject: %s\r\n\r\n", number);
  snprintf(body, sizeof body, "%.50s", strstr(text, "\n\n") + 2);
  body[strcspn(body, "\n")] = 0;
  if (answered(folder_facts(f, seq, FACTS, &arena, &facts))) {
    char envelope[300];
    snprintf(envelope, sizeof envelope, "%.*s", (int)facts.envelope_size, facts.envelope);
    good &= facts.size == wire_size(text) || !printf("# size of UID %u\n", uid);
    good &= strstr(envelope, quoted) || !printf("# envelope of UID %u: %s\n", uid, envelope);
  }
  field_choice_init(&choice, subject, 1);
  if (answered(folder_fields(f, seq, &choice, &arena, &lines)))
    good &= answer_is("subject", uid, lines.data, lines.size, field);
  if (answered(folder_preview(f, seq, false, &arena, &preview)))
    good &= answer_is("preview", uid, preview.text, preview.size, body);
  for (int in_text = 0; in_text < 2; in_text++)
    good &= holds_as_said(f, seq, number, in_text, true, &arena) &&
            holds_as_said(f, seq, "not to be found", in_text, false, &arena);
  good &= holds_as_said(f, seq, body, true, true, &arena);
  arena_release(&arena);
  return good;
}

#endif
