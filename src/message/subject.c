/* Base subjects (RFC 5256 section 2.1, grammar in section 5): a subject without what replies,
 * forwards and mailing lists have put around it.
 *
 * The grammar is ambiguous and the procedure of section 2.1 decides; the steps are named here by
 * its numbers.  Linear in the subject's size: what step 3 has looked at in vain, a run of blobs
 * without "re:" behind it, step 4 takes away at once. */
#include "message/internal.h"

struct subject {
  char const *at, *end;
  bool reply; /* a subj-refwd, a "(fwd)" or a "[fwd: ]" was taken away */
};

/* Step 1: all blanks are spaces, and no two stand together; in place. */
static void squeeze_blanks(stralloc *text) {
  char *out = text->s;
  for (size_t i = 0; i < text->len; i++) {
    char c = is_blank(text->s[i]) ? ' ' : text->s[i];
    if (c != ' ' || out == text->s || out[-1] != ' ') *out++ = c;
  }
  text->len = (size_t)(out - text->s);
}

static bool begins(char const *at, char const *end, char const *word) {
  size_t size = strlen(word);
  return (size_t)(end - at) >= size && !strncasecmp(at, word, size);
}

static char const *skip_spaces(char const *at, char const *end) {
  while (at < end && *at == ' ') at++;
  return at;
}

/* subj-blob = "[" *BLOBCHAR "]" *WSP: the place behind it, or `at` if there is none. */
static char const *skip_blob(char const *at, char const *end) {
  if (at == end || *at != '[') return at;
  for (char const *c = at + 1; c < end && *c != '['; c++)
    if (*c == ']') return skip_spaces(c + 1, end);
  return at;
}

/* subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":" */
static char const *skip_refwd(char const *start, char const *end) {
  char const *at = start + (begins(start, end, "fwd")                              ? 3
                            : begins(start, end, "re") || begins(start, end, "fw") ? 2
                                                                                   : 0);
  if (at == start) return start;
  at = skip_blob(skip_spaces(at, end), end);
  return at < end && *at == ':' ? at + 1 : start;
}

/* Step 2: subj-trailer = "(fwd)" / WSP */
static void drop_trailers(struct subject *s) {
  for (;;) {
    if (s->end > s->at && s->end[-1] == ' ') {
      s->end--;
    } else if (s->end - s->at >= 5 && begins(s->end - 5, s->end, "(fwd)")) {
      s->end -= 5;
      s->reply = true;
    } else {
      return;
    }
  }
}

/* Steps 3 to 5: subj-leader = (*subj-blob subj-refwd) / WSP, and blobs in front of a base. */
static void drop_leaders(struct subject *s) {
  for (;;) {
    s->at = skip_spaces(s->at, s->end);
    char const *last = s->at, *behind = s->at; /* the run of blobs: its last, and its end */
    for (char const *next; (next = skip_blob(behind, s->end)) != behind; behind = next)
      last = behind;
    char const *base = skip_refwd(behind, s->end);
    if (base == behind) {
      s->at = behind < s->end ? behind : last; /* step 4: something must remain */
      return;
    }
    s->at = base;
    s->reply = true;
  }
}

/* Step 6. */
static bool drop_forward(struct subject *s) {
  if (!begins(s->at, s->end, "[fwd:") || s->end[-1] != ']') return false;
  s->at += 5;
  s->end--;
  return s->reply = true;
}

/* Of a value decoded. */
static struct subject base_of(char const *text, size_t size) {
  struct subject s = {text, text + size, false};
  do {
    drop_trailers(&s);
    drop_leaders(&s);
  } while (drop_forward(&s));
  return s;
}

bool message_put_base_subject(stralloc *out, char const *value, size_t size) {
  stralloc text = STRALLOC_ZERO;
  message_decode_words(&text, value, size);
  bool reply = false;
  if (text.len) {
    squeeze_blanks(&text);
    struct subject s = base_of(text.s, text.len);
    casemap_fold(out, s.at, (size_t)(s.end - s.at));
    reply = s.reply;
  }
  stralloc_free(&text);
  return reply;
}
