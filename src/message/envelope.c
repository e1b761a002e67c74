/* The ENVELOPE response (RFC 3501 section 7.4.2).
 *
 * Date, Subject, In-Reply-To and Message-ID are the first field of the name, unfolded.  Address
 * fields that occur several times count as one list (RFC 5322 section 4.5.3).  Sender and Reply-To
 * without an address are From.  A missing host is the empty string: NIL would mean a group. */
#include "message/internal.h"

enum kind { TEXT, ADDRESSES };

static struct {
  char const *name;
  enum kind kind;
  bool defaults_to_from;
} const members[] = {
    {"Date", TEXT, false},       {"Subject", TEXT, false},      {"From", ADDRESSES, false},
    {"Sender", ADDRESSES, true}, {"Reply-To", ADDRESSES, true}, {"To", ADDRESSES, false},
    {"Cc", ADDRESSES, false},    {"Bcc", ADDRESSES, false},     {"In-Reply-To", TEXT, false},
    {"Message-ID", TEXT, false},
};
enum { MEMBERS = sizeof members / sizeof *members, FROM = 2 };

struct values {
  char *text[MEMBERS];
  struct message_address *addresses[MEMBERS];
  struct message_address **tail[MEMBERS]; /* where the next field's addresses go; null at first */
};

static void add_addresses(struct values *v, size_t i, struct message_field const *field,
                          struct arena *arena) {
  struct message_address **tail = v->tail[i] ? v->tail[i] : &v->addresses[i];
  *tail = message_parse_addresses(field->value, field->value_size, arena);
  while (*tail) tail = &(*tail)->next;
  v->tail[i] = tail;
}

static void collect(struct message_part const *root, struct values *v, struct arena *arena) {
  struct message_field field;
  for (size_t at = 0; message_next_field(root->header, root->header_size, &at, &field);)
    for (size_t i = 0; i < MEMBERS; i++) {
      if (!same_name(field.name, field.name_size, members[i].name)) continue;
      if (members[i].kind == ADDRESSES)
        add_addresses(v, i, &field, arena);
      else if (!v->text[i])
        v->text[i] = field_unfold(field.value, field.value_size, arena);
    }
}

static bool has_room(stralloc const *out) {
  return out->len < MESSAGE_MAX_ADDRESSES;
}

static void put_addresses(stralloc *out, struct message_address const *a) {
  if (!a || !has_room(out)) {
    sa_puts(out, "NIL");
    return;
  }
  sa_putc(out, '(');
  for (; a && has_room(out); a = a->next) {
    char const *strings[] = {a->name, a->route, a->mailbox, a->host};
    for (size_t i = 0; i < 4; i++) {
      sa_putc(out, i ? ' ' : '(');
      nstring_put(out, strings[i]);
    }
    sa_putc(out, ')');
  }
  sa_putc(out, ')');
}

void message_put_envelope(stralloc *out, struct message_part const *root) {
  struct arena arena = {0};
  struct values v = {0};
  collect(root, &v, &arena);
  for (size_t i = 0; i < MEMBERS; i++) {
    sa_putc(out, i ? ' ' : '(');
    if (members[i].kind == TEXT)
      nstring_put(out, v.text[i]);
    else
      put_addresses(out, !v.addresses[i] && members[i].defaults_to_from ? v.addresses[FROM]
                                                                        : v.addresses[i]);
  }
  sa_putc(out, ')');
  arena_release(&arena);
}
