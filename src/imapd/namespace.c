/* Mailbox names <-> folder names.  The client's names depend on a setting; the folders' do not.
 *
 *   mailbox, Courier's namespace   mailbox, flat      folder
 *   INBOX (any case)               INBOX              ""
 *   INBOX.Archive.2025             Archive/2025       Archive.2025
 *
 * In the flat namespace the dot that separates levels on disk cannot be in a name.  Nothing else is
 * personal; shared mailboxes will have prefixes of their own. */
#include "imapd/session.h"

#include <string.h>
#include <strings.h>

static char const inbox[] = "INBOX";
enum { INBOX_SIZE = sizeof inbox - 1 };

static bool begins_inbox(char const *name) {
  return !strncasecmp(name, inbox, INBOX_SIZE);
}

/* Levels as on disk; null if a name with a dot would be confused with two levels. */
static char const *dotted(struct session *s, char const *name) {
  char separator = s->personal.separator;
  if (separator == '.') return name;
  if (strchr(name, '.')) return 0;
  char *copy = arena_copy(&s->arena, name, strlen(name));
  for (char *p = copy; (p = strchr(p, separator));) *p = '.';
  return copy;
}

/* INBOX is INBOX in any case, as the first of several levels too. */
static char const *upper_inbox(struct session *s, char const *folder) {
  if (!begins_inbox(folder) || (folder[INBOX_SIZE] && folder[INBOX_SIZE] != '.')) return folder;
  char *copy = arena_copy(&s->arena, folder, strlen(folder));
  memcpy(copy, inbox, INBOX_SIZE);
  return copy;
}

char const *folder_from_mailbox(struct session *s, struct imap_bytes name) {
  char const *folder = name.data;
  size_t prefix = strlen(s->personal.prefix);
  if (name.size >= NAME_SIZE_MAX - INBOX_SIZE - 1 || !name.size) return 0;
  if (!strcasecmp(folder, inbox)) return "";
  if (prefix)
    return strncasecmp(folder, s->personal.prefix, prefix) || !folder[prefix] ? 0 : folder + prefix;
  folder = dotted(s, folder);
  return folder ? upper_inbox(s, folder) : 0;
}

/* A trailing separator announces levels below (RFC 3501 section 6.3.3) and means nothing else. */
char const *folder_from_new_mailbox(struct session *s, struct imap_bytes name) {
  if (name.size > 1 && name.data[name.size - 1] == s->personal.separator)
    name.data[--name.size] = 0;
  return imap_name_valid(name.data) ? folder_from_mailbox(s, name) : 0;
}

char const *mailbox_from_folder(struct session const *s, char const *folder,
                                char buf[NAME_SIZE_MAX]) {
  if (!*folder) return inbox;
  size_t prefix = strlen(s->personal.prefix), size = strlen(folder);
  if (size > NAME_SIZE_MAX - prefix - 1) size = NAME_SIZE_MAX - prefix - 1;
  memcpy(buf, s->personal.prefix, prefix);
  memcpy(buf + prefix, folder, size);
  buf[prefix + size] = 0;
  if (s->personal.separator != '.')
    for (char *p = buf + prefix; (p = strchr(p, '.'));) *p = s->personal.separator;
  return buf;
}

char const *subscription_from_folder(struct session *s, char const *folder) {
  size_t size = strlen(folder);
  if (!size) return inbox;
  char *name = arena_alloc(&s->arena, INBOX_SIZE + 1 + size + 1);
  memcpy(name, inbox, INBOX_SIZE);
  name[INBOX_SIZE] = '.';
  memcpy(name + INBOX_SIZE + 1, folder, size + 1);
  return name;
}

char const *folder_from_subscription(char const *subscription) {
  if (!begins_inbox(subscription)) return 0;
  if (!subscription[INBOX_SIZE]) return "";
  return subscription[INBOX_SIZE] == '.' && subscription[INBOX_SIZE + 1]
             ? subscription + INBOX_SIZE + 1
             : 0;
}

void answer_no_such_name(struct session *s) {
  answer_no(s, "CANNOT",
            *s->personal.prefix
                ? "Mailbox names here are INBOX and INBOX.<name>, in modified UTF-7"
                : "A mailbox name is not empty, holds no dot, and is modified UTF-7");
}

bool parse_mailbox(struct session *s, struct imap_bytes *name) {
  return imap_parse_space(&s->parser) && imap_parse_astring(&s->parser, name);
}
