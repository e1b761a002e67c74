/* Flag lists, both ways (RFC 3501 section 2.3.2).
 *
 *   flag      = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword
 *   flag-list = "(" [flag *(SP flag)] ")"
 */
#include "imapd/session.h"

#include <string.h>
#include <strings.h>

enum { FLAG_ROOM = 12 }; /* copied as it is: a size that the compiler knows */
#define NAMED(text) text, sizeof text - 1
static struct {
  char name[FLAG_ROOM];
  size_t size;
  unsigned int flag;
} const system_flags[] = {
    {NAMED("\\Answered"), FLAG_ANSWERED}, {NAMED("\\Flagged"), FLAG_FLAGGED},
    {NAMED("\\Deleted"), FLAG_DELETED},   {NAMED("\\Seen"), FLAG_SEEN},
    {NAMED("\\Draft"), FLAG_DRAFT},       {NAMED("\\Recent"), FLAG_RECENT},
};
enum {
  SYSTEM_FLAGS = sizeof system_flags / sizeof *system_flags,
  SYSTEM_FLAGS_SIZE = 64,          /* all of them with a parenthesis, blanks and FLAG_ROOM: 58 */
  LISTED_FLAGS = 2 * KEYWORDS_MAX, /* no message can have more; room for those named twice */
};

static bool add_system_flag(struct session *s, char const *name, struct flag_list *list) {
  for (size_t i = 0; i < SYSTEM_FLAGS; i++) {
    if (strcasecmp(name, system_flags[i].name)) continue;
    if (system_flags[i].flag == FLAG_RECENT) break;
    list->flags |= system_flags[i].flag;
    return true;
  }
  return imap_parse_fail(&s->parser,
                         "Only \\Answered \\Flagged \\Deleted \\Seen \\Draft can be set");
}

static bool add_keyword(struct session *s, char const *name, struct flag_list *list) {
  if (list->nkeywords == LISTED_FLAGS) return imap_parse_fail(&s->parser, "Too many flags");
  if (strlen(name) > KEYWORD_SIZE_MAX) list->too_long = true;
  list->keywords = arena_grow(&s->arena, list->keywords, &list->capacity, list->nkeywords + 1,
                              sizeof *list->keywords);
  list->keywords[list->nkeywords++] = name;
  return true;
}

static bool parse_flags(struct session *s, struct flag_list *list) {
  for (;;) {
    char *flag;
    if (!imap_parse_flag(&s->parser, &flag)) return false;
    if (!(*flag == '\\' ? add_system_flag : add_keyword)(s, flag, list)) return false;
    if (imap_parse_peek(&s->parser) != ' ') return true;
    if (!imap_parse_space(&s->parser)) return false;
  }
}

bool parse_flag_list(struct session *s, bool bare, struct flag_list *list) {
  *list = (struct flag_list){0};
  if (bare && imap_parse_peek(&s->parser) != '(') return parse_flags(s, list);
  return imap_parse_char(&s->parser, '(') &&
         (imap_parse_peek(&s->parser) == ')' || parse_flags(s, list)) &&
         imap_parse_char(&s->parser, ')');
}

/* Puts a name after a blank unless it is the first. */
static void put_name(struct session *s, char const *name, bool *first) {
  if (!*first) imap_puts(&s->out, " ");
  imap_puts(&s->out, name);
  *first = false;
}

/* "(\Answered \Seen": without the parenthesis that closes.  Listings are made of this, so it is
 * written where it goes.  Returns the size. */
static size_t write_system_flags(char *text, unsigned int flags) {
  size_t size = 0;
  text[size++] = '(';
  for (size_t i = 0; i < SYSTEM_FLAGS; i++) {
    if (!(flags & system_flags[i].flag)) continue;
    if (size > 1) text[size++] = ' ';
    memcpy(text + size, system_flags[i].name, FLAG_ROOM);
    size += system_flags[i].size;
  }
  return size;
}

void put_message_flags(struct session *s, uint32_t seq) {
  unsigned int flags = folder_flags(s->folder, seq), keywords = folder_keyword_count(s->folder);
  bool first = !(flags & (FLAG_STANDARD | FLAG_RECENT));
  char *text = imap_room(&s->out, SYSTEM_FLAGS_SIZE);
  s->out.size += write_system_flags(text, flags);
  for (unsigned int k = 0; k < keywords; k++)
    if (folder_has_keyword(s->folder, seq, k))
      put_name(s, folder_keyword_name(s->folder, k), &first);
  imap_puts(&s->out, ")");
}

void put_folder_flags(struct session *s, bool with_any) {
  unsigned int keywords = folder_keyword_count(s->folder);
  bool first = true;
  for (size_t i = 0; i < SYSTEM_FLAGS; i++)
    if (system_flags[i].flag != FLAG_RECENT) put_name(s, system_flags[i].name, &first);
  for (unsigned int k = 0; k < keywords; k++)
    put_name(s, folder_keyword_name(s->folder, k), &first);
  if (with_any) put_name(s, "\\*", &first);
}
