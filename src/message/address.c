/* Address lists (RFC 5322 sections 3.4 and 4.4), with the readings that real mail asks for.
 *
 *   address = mailbox / group          mailbox = [phrase] "<" [route] addr-spec ">" / addr-spec
 *   group   = phrase ":" *(mailbox ",") ";"
 *
 * Readings of what is broken: `;` outside a group separates like `,`; an open quote, comment,
 * bracket or group is closed by the end; of several `@` the last one separates; words before an
 * address without brackets are its name; a comment is the name where there is no other; a single
 * word is a local part without host, several words are a name without address.  A missing local
 * part or host is the empty string (null has another meaning: groups). */
#include "message/internal.h"

static char const word_stops[] = "<>@,;:\"(";

struct words {
  char *text;
  size_t size;
};

struct reader {
  char const *at, *end;
  struct arena *arena;
  struct message_address **tail;
  bool in_group;
  /* Reused, so that memory grows with the value's size only: each can hold all of it. */
  struct words word, domain, remark;

  /* The mailbox being read. */
  struct words phrase; /* all words, one blank between those that had blanks between them */
  struct words local;  /* the last of them, without blanks around dots: perhaps a local part */
  size_t name_size;    /* how much of the phrase stands before local */
  bool blank_before;   /* since the last word */
  bool after_dot;      /* the last word ended in one */
  unsigned int nwords;
  char *comment;
  struct message_address *found; /* an addr-spec has been read */
  bool bracketed;                /* it stood in < > */
};

static bool is_one_of(char c, char const *set) {
  while (*set && *set != c) set++;
  return *set;
}

static void add(struct words *w, char const *text, size_t size) {
  if (size) memcpy(w->text + w->size, text, size);
  w->size += size;
}

/* A NUL-ended copy, null if there is nothing. */
static char *copy_words(struct reader *r, struct words const *w, size_t size) {
  while (size && w->text[size - 1] == ' ') size--;
  return size ? arena_copy(r->arena, w->text, size) : 0;
}

static void add_word(struct reader *r, char const *text, size_t size, bool quoted) {
  bool dotted = r->after_dot || (!quoted && size && *text == '.');
  if (r->blank_before && !dotted) {
    r->name_size = r->phrase.size;
    r->local.size = 0;
    r->nwords++;
  } else if (!r->nwords) {
    r->nwords = 1;
  }
  if (r->blank_before && r->phrase.size) add(&r->phrase, " ", 1);
  add(&r->phrase, text, size);
  add(&r->local, text, size);
  r->blank_before = false;
  r->after_dot = !quoted && size && text[size - 1] == '.';
}

/* Everything between parentheses, the outer ones excluded, escapes and folding resolved. */
static void take_comment(struct reader *r) {
  unsigned int depth = 1;
  r->remark.size = 0;
  for (r->at++; r->at < r->end; r->at++) {
    char c = *r->at;
    if (c == '(') depth++;
    if (c == ')' && !--depth) break;
    if (c == '\\' && r->at + 1 < r->end) c = *++r->at;
    if (c != '\r' && c != '\n') add(&r->remark, &c, 1);
  }
  if (r->at < r->end) r->at++;
  r->comment = field_unfold(r->remark.text, r->remark.size, r->arena);
}

static void skip_blanks(struct reader *r) {
  while (r->at < r->end) {
    if (*r->at == '(')
      take_comment(r);
    else if (is_blank(*r->at))
      r->at++;
    else
      return;
    r->blank_before = true;
  }
}

static void take_quoted(struct reader *r, struct words *out) {
  for (r->at++; r->at < r->end && *r->at != '"'; r->at++) {
    if (*r->at == '\\' && r->at + 1 < r->end) r->at++;
    if (*r->at != '\r' && *r->at != '\n') add(out, r->at, 1);
  }
  if (r->at < r->end) r->at++;
}

static void take_atom(struct reader *r, char const *stops, struct words *out) {
  char const *start = r->at;
  while (r->at < r->end && !is_blank(*r->at) && !is_one_of(*r->at, stops)) r->at++;
  add(out, start, (size_t)(r->at - start));
}

/* What follows `@`: atoms with dots, or a literal in brackets, blanks removed; in r->domain. */
static void take_domain(struct reader *r, char const *stops) {
  r->domain.size = 0;
  skip_blanks(r);
  if (r->at < r->end && *r->at == '[') {
    for (; r->at < r->end && *r->at != ']'; r->at++)
      if (!is_blank(*r->at)) add(&r->domain, r->at, 1);
    if (r->at < r->end) add(&r->domain, r->at++, 1);
    skip_blanks(r);
    return;
  }
  for (;;) {
    size_t before = r->domain.size;
    take_atom(r, stops, &r->domain);
    skip_blanks(r);
    if (r->at == r->end || r->domain.size == before) return;
    if (r->domain.text[r->domain.size - 1] != '.' && *r->at != '.') return;
  }
}

/* The host of an addr-spec, if there is one; local holds what came before r->at.  stops are the
 * bytes that end it. */
static struct message_address *take_host(struct reader *r, struct words *local, char const *stops) {
  struct message_address *a = arena_zalloc(r->arena, sizeof *a);
  r->domain.size = 0;
  for (bool again = false; r->at < r->end && *r->at == '@'; again = true) {
    if (again) {
      add(local, "@", 1);
      add(local, r->domain.text, r->domain.size);
    }
    r->at++;
    take_domain(r, stops);
  }
  a->mailbox = arena_copy(r->arena, local->text, local->size);
  a->host = arena_copy(r->arena, r->domain.text, r->domain.size);
  return a;
}

/* RFC 5322 section 4.4 (obs-route): `@a,@b:`, without the colon.  Null, and nothing taken, if there
 * is no colon. */
static char *take_route(struct reader *r) {
  char const *colon = r->at;
  while (colon < r->end && !is_one_of(*colon, ":<>")) colon++;
  if (colon == r->end || *colon != ':') return 0;
  char *route = arena_alloc(r->arena, (size_t)(colon - r->at) + 1), *out = route;
  for (; r->at < colon; r->at++)
    if (!is_blank(*r->at)) *out++ = *r->at;
  *out = 0;
  r->at++;
  return route;
}

static void take_bracketed(struct reader *r) {
  static char const stops[] = "<>@,\"(";
  r->at++;
  skip_blanks(r);
  char *route = r->at < r->end && *r->at == '@' ? take_route(r) : 0;
  r->word.size = 0;
  for (;;) {
    skip_blanks(r);
    if (r->at == r->end || is_one_of(*r->at, "<>@,")) break;
    if (*r->at == '"')
      take_quoted(r, &r->word);
    else
      take_atom(r, stops, &r->word);
  }
  r->found = take_host(r, &r->word, stops);
  r->found->route = route;
  r->bracketed = true;
  while (r->at < r->end && *r->at != '>' && *r->at != ',') r->at++;
  if (r->at < r->end && *r->at == '>') r->at++;
}

/* An `@` outside brackets: what came before it is a local part, unless brackets follow later. */
static void take_bare_host(struct reader *r) {
  if (r->found) {
    add_word(r, r->at++, 1, true);
    return;
  }
  char *name = copy_words(r, &r->phrase, r->name_size);
  r->found = take_host(r, &r->local, word_stops);
  r->found->name = name;
  add(&r->phrase, "@", 1);
  add(&r->phrase, r->domain.text, r->domain.size);
}

static void put(struct reader *r, struct message_address *a) {
  *r->tail = a;
  r->tail = &a->next;
}

static void begin_mailbox(struct reader *r) {
  r->phrase.size = r->local.size = r->name_size = 0;
  r->blank_before = r->after_dot = r->bracketed = false;
  r->nwords = 0;
  r->comment = 0;
  r->found = 0;
}

/* No addr-spec came. */
static struct message_address *from_words(struct reader *r) {
  struct message_address *a = arena_zalloc(r->arena, sizeof *a);
  a->mailbox = a->host = "";
  if (r->nwords == 1)
    a->mailbox = arena_copy(r->arena, r->local.text, r->local.size);
  else
    a->name = copy_words(r, &r->phrase, r->phrase.size);
  return a;
}

static void end_mailbox(struct reader *r) {
  struct message_address *a = r->found;
  if (!a && r->nwords) a = from_words(r);
  if (a) {
    if (r->bracketed) a->name = copy_words(r, &r->phrase, r->phrase.size);
    if (!a->name && r->comment && *r->comment) a->name = r->comment;
    put(r, a);
  }
  begin_mailbox(r);
}

static void begin_group(struct reader *r) {
  struct message_address *a = arena_zalloc(r->arena, sizeof *a);
  char *name = copy_words(r, &r->phrase, r->phrase.size);
  a->mailbox = name ? name : "";
  put(r, a);
  r->in_group = true;
  begin_mailbox(r);
}

static void end_group(struct reader *r) {
  end_mailbox(r);
  if (r->in_group) put(r, arena_zalloc(r->arena, sizeof(struct message_address)));
  r->in_group = false;
}

static void take_word(struct reader *r) {
  bool quoted = *r->at == '"';
  r->word.size = 0;
  if (quoted)
    take_quoted(r, &r->word);
  else
    take_atom(r, word_stops, &r->word);
  add_word(r, r->word.text, r->word.size, quoted);
}

static void take_special(struct reader *r) {
  switch (*r->at) {
  case '<': take_bracketed(r); return;
  case '@': take_bare_host(r); return;
  case ',': end_mailbox(r); break;
  case ';': end_group(r); break;
  case ':':
    if (!r->in_group && r->nwords && !r->found) begin_group(r);
    break;
  default: break; /* a stray `>` */
  }
  r->at++;
}

struct message_address *message_parse_addresses(char const *value, size_t size,
                                                struct arena *arena) {
  struct message_address *list = 0;
  struct reader r = {.at = value, .end = value + size, .arena = arena, .tail = &list};
  /* A word may count for twice its size at most: its own bytes and one blank before it. */
  r.phrase.text = arena_alloc(arena, 2 * size + 2);
  r.local.text = arena_alloc(arena, size + 1);
  r.word.text = arena_alloc(arena, size + 1);
  r.domain.text = arena_alloc(arena, size + 1);
  r.remark.text = arena_alloc(arena, size + 1);
  begin_mailbox(&r);
  for (skip_blanks(&r); r.at < r.end; skip_blanks(&r)) {
    if (is_one_of(*r.at, "<>@,;:"))
      take_special(&r);
    else
      take_word(&r);
  }
  end_group(&r);
  return list;
}
