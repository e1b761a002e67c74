/* The structured part of MIME fields: tokens, parameters with their continuations (RFC 2045
 * section 5.1, RFC 2231 sections 3 and 4), language lists (RFC 3282).
 *
 * Readings of what is broken: an unquoted value goes to the next `;` or to a comment that follows a
 * blank, so that `name=My Letter (2).doc` keeps its blank; missing and repeated `;` do not matter;
 * an unterminated quote goes to the end; a name without `=` is passed over. */
#include "message/internal.h"

/* Real fields have a handful; a hostile one of a megabyte would have half a million. */
enum { PARAMS_MAX = 256, PIECES_MAX = 256 };

char const *skip_blanks_and_comments(char const *at, char const *end) {
  unsigned int depth = 0;
  for (; at < end; at++) {
    if (*at == '(')
      depth++;
    else if (depth && *at == ')')
      depth--;
    else if (depth && *at == '\\' && at + 1 < end)
      at++;
    else if (!depth && !is_blank(*at))
      break;
  }
  return at;
}

static bool is_token_byte(char c) {
  return (unsigned char)c > ' ' && c != 0x7f && !strchr("()<>@,;:\\\"/[]?=", c);
}

char *take_token(char const **at, char const *end, struct arena *arena) {
  char const *start = *at;
  while (*at < end && is_token_byte(**at)) ++*at;
  return arena_copy(arena, start, (size_t)(*at - start));
}

/* The closing quote, or the end. */
static char const *end_of_quoted(char const *at, char const *end) {
  for (; at < end && *at != '"'; at++)
    if (*at == '\\' && at + 1 < end) at++;
  return at;
}

/* Between the quotes, backslashes and folding removed. */
static char *take_quoted(char const **at, char const *end, struct arena *arena) {
  char const *in = *at + 1, *stop = end_of_quoted(in, end);
  char *copy = arena_alloc(arena, (size_t)(stop - in) + 1), *out = copy;
  for (; in < stop; in++) {
    if (*in == '\\' && in + 1 < end) in++;
    if (*in == '\n' || (*in == '\r' && in + 1 < end && in[1] == '\n')) continue;
    *out++ = *in;
  }
  *out = 0;
  *at = stop < end ? stop + 1 : end;
  return copy;
}

static char *take_unquoted(char const **at, char const *end, struct arena *arena) {
  char const *in = *at;
  while (in < end && *in != ';' && !(*in == '(' && in > *at && is_blank(in[-1]))) in++;
  char *value = field_unfold(*at, (size_t)(in - *at), arena);
  *at = in;
  return value;
}

static char *take_value(char const **at, char const *end, struct arena *arena) {
  *at = skip_blanks_and_comments(*at, end);
  return *at < end && **at == '"' ? take_quoted(at, end, arena) : take_unquoted(at, end, arena);
}

/* One attribute with its value, at *at; null if what stands there is none. */
static struct message_param *take_param(char const **at, char const *end, struct arena *arena) {
  char const *name = *at;
  while (*at < end && !is_blank(**at) && **at != '=' && **at != ';' && **at != '"') ++*at;
  size_t name_size = (size_t)(*at - name);
  *at = skip_blanks_and_comments(*at, end);
  if (*at == end || **at != '=') {
    if (*at < end && **at == '"') take_quoted(at, end, arena);
    return 0;
  }
  ++*at;
  struct message_param *param = arena_zalloc(arena, sizeof *param);
  param->name = arena_copy(arena, name, name_size);
  param->value = take_value(at, end, arena);
  return name_size ? param : 0;
}

/* RFC 2231 section 3: `name*N` or `name*N*`.  The length of `name`, or 0 if it is no piece. */
static size_t piece_name(char const *name, unsigned int *number, bool *encoded) {
  char const *star = strchr(name, '*');
  if (!star || star == name || star[1] < '0' || star[1] > '9') return 0;
  char const *at = star + 1;
  for (*number = 0; *at >= '0' && *at <= '9'; at++)
    if ((*number = *number * 10 + (unsigned int)(*at - '0')) >= PIECES_MAX) return 0;
  *encoded = *at == '*';
  if (*encoded) at++;
  return *at ? 0 : (size_t)(star - name);
}

/* The piece `number` of a name, with the pointer that leads to it, so that it can be taken out. */
static struct message_param **find_piece(struct message_param **list, char const *name,
                                         size_t name_size, unsigned int number, bool *encoded) {
  for (; *list; list = &(*list)->next) {
    unsigned int n;
    if (piece_name((*list)->name, &n, encoded) == name_size && n == number &&
        !strncasecmp((*list)->name, name, name_size))
      return list;
  }
  return 0;
}

/* Puts the pieces 1, 2, ... behind piece 0, which stays in its place under the plain name, with a
 * `*` if any piece was percent-encoded.  Other pieces than these stay as they are. */
static void join_pieces(struct message_param *first, size_t name_size, bool encoded,
                        struct arena *arena) {
  char const *pieces[PIECES_MAX] = {first->value};
  size_t n = 1, size = strlen(first->value);
  for (bool piece_encoded; n < PIECES_MAX; n++) {
    struct message_param **piece =
        find_piece(&first->next, first->name, name_size, (unsigned int)n, &piece_encoded);
    if (!piece) break;
    encoded |= piece_encoded;
    pieces[n] = (*piece)->value;
    size += strlen(pieces[n]);
    *piece = (*piece)->next;
  }
  char *value = arena_alloc(arena, size + 1), *at = value;
  for (size_t i = 0; i < n; i++) {
    size_t piece_size = strlen(pieces[i]);
    memcpy(at, pieces[i], piece_size);
    at += piece_size;
  }
  *at = 0;
  first->value = value;
  char *name = arena_copy(arena, first->name, name_size + 1);
  name[name_size] = encoded ? '*' : 0;
  first->name = name;
}

/* Pieces usually come in order, but need not: whatever stands before piece 0 is moved behind it. */
static void join_continuations(struct message_param **list, struct arena *arena) {
  for (struct message_param **at = list; *at; at = &(*at)->next) {
    unsigned int number;
    bool encoded;
    size_t name_size = piece_name((*at)->name, &number, &encoded);
    if (!name_size) continue;
    struct message_param **zero =
        number ? find_piece(&(*at)->next, (*at)->name, name_size, 0, &encoded) : at;
    if (!zero) continue;
    struct message_param *first = *zero;
    if (number) {
      *zero = first->next;
      first->next = *at;
      *at = first;
    }
    join_pieces(first, name_size, encoded, arena);
  }
}

struct message_param *params_parse(char const *at, char const *end, struct arena *arena) {
  struct message_param *list = 0, **tail = &list;
  for (unsigned int n = 0; n < PARAMS_MAX; n++) {
    for (char const *before = 0; before != at;) {
      before = at;
      at = skip_blanks_and_comments(at, end);
      while (at < end && *at == ';') at++;
    }
    if (at == end) break;
    struct message_param *param = take_param(&at, end, arena);
    if (!param) continue;
    *tail = param;
    tail = &param->next;
  }
  join_continuations(&list, arena);
  return list;
}

char const *param_value(struct message_param const *list, char const *name) {
  for (; list; list = list->next)
    if (!strcasecmp(list->name, name)) return list->value;
  return 0;
}

char const **languages_parse(char const *value, size_t size, struct arena *arena) {
  enum { LANGUAGES_MAX = 64 }; /* a body in more languages than this is a joke */
  char const *tags[LANGUAGES_MAX + 1];
  size_t n = 0;
  for (char const *at = value, *end = value + size; at < end && n < LANGUAGES_MAX;) {
    at = skip_blanks_and_comments(at, end);
    char const *start = at;
    tags[n] = take_token(&at, end, arena);
    if (*tags[n]) n++;
    if (at == start && at < end) at++;
  }
  if (!n) return 0;
  tags[n] = 0;
  char const **list = arena_alloc(arena, (n + 1) * sizeof *list);
  memcpy(list, tags, (n + 1) * sizeof *list);
  return list;
}
