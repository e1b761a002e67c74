/* APPEND (RFC 3501 section 6.3.11), with APPENDUID (RFC 4315 section 3) and BINARY (RFC 3516).
 *
 *   append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP (literal / literal8)
 *
 * The literal goes to the store as it comes, a buffer at a time.  What can be refused is refused
 * before a synchronizing literal is asked for; a non-synchronizing one is read away.  Nothing is
 * left of a message whose client vanishes in the middle. */
#include "imapd/session.h"

enum { CHUNK_SIZE = IMAP_INPUT_SIZE };

struct message {
  struct imap_bytes mailbox;
  struct flag_list flags;
  time_t date;
  struct imap_literal literal;
};

static bool parse_optional_flags(struct session *s, struct message *m) {
  if (imap_parse_peek(&s->parser) != '(') return true;
  return parse_flag_list(s, false, &m->flags) && imap_parse_space(&s->parser);
}

static bool parse_optional_date(struct session *s, struct message *m) {
  if (imap_parse_peek(&s->parser) != '"') return true;
  return imap_parse_date_time(&s->parser, &m->date) && imap_parse_space(&s->parser);
}

/* Up to the literal's header. */
static bool parse_message(struct session *s, struct message *m) {
  *m = (struct message){.date = (time_t)-1};
  return parse_mailbox(s, &m->mailbox) && imap_parse_space(&s->parser) &&
         parse_optional_flags(s, m) && parse_optional_date(s, m) &&
         imap_parse_literal_header(&s->parser, &m->literal);
}

static void refuse_error(struct session *s, enum store_error error) {
  /* RFC 3501 section 6.3.11: the client may create the mailbox and try again. */
  answer_no(s, error == STORE_NONEXISTENT ? "TRYCREATE" : store_code(error), store_words(error));
}

/* The literal, into the store.  After a failure the rest is read all the same: the client is
 * sending it.  False if the input ended. */
static bool receive(struct session *s, struct append *append, enum store_error *error) {
  char buf[CHUNK_SIZE];
  *error = STORE_OK;
  for (;;) {
    wait_restart_timer(s);
    ssize_t r = imap_input_literal(&s->in, buf, sizeof buf);
    if (r < 0) return false;
    if (!r) return true;
    if (*error == STORE_OK) *error = append_write(append, buf, (size_t)r);
  }
}

static void answer_appended(struct session *s, uint32_t uidvalidity, struct set const *uids) {
  answer_begin(s, "OK");
  imap_puts(&s->out, "[APPENDUID ");
  imap_put_number(&s->out, uidvalidity);
  imap_puts(&s->out, " ");
  imap_put_set(&s->out, uids);
  imap_puts(&s->out, "] APPEND completed\r\n");
}

static void commit(struct session *s, struct append *append, struct message const *m) {
  uint32_t uidvalidity;
  struct set uids;
  set_init(&uids, &s->arena);
  enum store_error error =
      append_message(append, m->flags.flags, m->flags.keywords, m->flags.nkeywords, m->date);
  if (error != STORE_OK)
    append_abort(append);
  else
    error = append_commit(append, &s->arena, &uidvalidity, &uids);
  if (error == STORE_OK)
    answer_appended(s, uidvalidity, &uids);
  else
    refuse_error(s, error);
}

static bool take_message(struct session *s, struct append *append, struct message const *m) {
  enum store_error error;
  if (m->literal.binary) append_binary(append);
  imap_literal_accept(&s->parser, &m->literal);
  bool parsed = receive(s, append, &error) && imap_parse_end(&s->parser);
  if (parsed && error == STORE_OK) {
    commit(s, append, m);
    return true;
  }
  append_abort(append);
  if (parsed) refuse_error(s, error);
  return parsed;
}

bool command_append(struct session *s) {
  struct message m;
  struct append *append;
  if (!parse_message(s, &m)) return false;
  char const *folder = folder_from_mailbox(s, m.mailbox);
  if (!folder) {
    answer_no_such_name(s);
  } else if (m.literal.size > s->append_max) {
    answer_no(s, "TOOBIG", "The message is larger than this server takes");
  } else if (!m.literal.size) {
    answer_no(s, 0, "An empty message is none");
  } else if (m.flags.too_long) {
    answer_no(s, store_code(STORE_LIMIT), "A keyword is too long");
  } else {
    enum store_error error = append_begin(s->store, folder, &append);
    if (error == STORE_OK) return take_message(s, append, &m);
    refuse_error(s, error);
  }
  return true;
}
