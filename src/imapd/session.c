/* Reading a command, running it, answering it.  What the commands do is in their own files.
 *
 *   command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF
 *   uid     = "UID" SP (copy / fetch / search / sort / thread / store / expunge / move)
 *
 * Every answer is preceded by what others changed in the selected mailbox (RFC 3501 section 5.2),
 * expunges excepted while a FETCH, STORE, SEARCH, SORT or THREAD by number is answered
 * (section 7.4.1). */
#include "imapd/session.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

char const session_capabilities[] =
    "IMAP4rev1 BINARY CHILDREN ENABLE ESEARCH ESORT I18NLEVEL=1 ID IDLE LITERAL+ MOVE NAMESPACE "
    "PARTIAL PREVIEW SAVEDATE SEARCHRES SORT SORT=DISPLAY THREAD=ORDEREDSUBJECT THREAD=REFERENCES "
    "THREAD=REFS UIDPLUS UNSELECT WITHIN";

/* The states a command is valid in. */
enum { AUTHENTICATED = 1, SELECTED = 2, ANY = AUTHENTICATED | SELECTED, LOGIN_ONLY = 0 };

/* What the client may be told before the command's answer. */
enum update { NOTHING, NO_EXPUNGES, ALL };

struct command {
  char const *name;
  command_function *run;
  unsigned int states;
  enum update update;
  bool by_uid;
};

static struct command const commands[] = {
    {"APPEND", command_append, ANY, ALL, false},
    {"AUTHENTICATE", 0, LOGIN_ONLY, NOTHING, false},
    {"CAPABILITY", command_capability, ANY, ALL, false},
    {"CHECK", command_check, SELECTED, ALL, false},
    {"CLOSE", command_close, SELECTED, NOTHING, false},
    {"COPY", command_copy, SELECTED, ALL, false},
    {"CREATE", command_create, ANY, ALL, false},
    {"DELETE", command_delete, ANY, ALL, false},
    {"ENABLE", command_enable, ANY, ALL, false},
    {"EXAMINE", command_examine, ANY, NOTHING, false},
    {"EXPUNGE", command_expunge, SELECTED, ALL, false},
    {"FETCH", command_fetch, SELECTED, NO_EXPUNGES, false},
    {"ID", command_id, ANY, ALL, false},
    {"IDLE", command_idle, ANY, ALL, false},
    {"LIST", command_list, ANY, ALL, false},
    {"LOGIN", 0, LOGIN_ONLY, NOTHING, false},
    {"LOGOUT", command_logout, ANY, NOTHING, false},
    {"LSUB", command_lsub, ANY, ALL, false},
    {"MOVE", command_move, SELECTED, ALL, false},
    {"NAMESPACE", command_namespace, ANY, ALL, false},
    {"NOOP", command_noop, ANY, ALL, false},
    {"RENAME", command_rename, ANY, ALL, false},
    {"SEARCH", command_search, SELECTED, NO_EXPUNGES, false},
    {"SELECT", command_select, ANY, NOTHING, false},
    {"SORT", command_sort, SELECTED, NO_EXPUNGES, false},
    {"STARTTLS", 0, LOGIN_ONLY, NOTHING, false},
    {"STATUS", command_status, ANY, ALL, false},
    {"STORE", command_store, SELECTED, NO_EXPUNGES, false},
    {"SUBSCRIBE", command_subscribe, ANY, ALL, false},
    {"THREAD", command_thread, SELECTED, NO_EXPUNGES, false},
    {"UID COPY", command_copy, SELECTED, ALL, true},
    {"UID EXPUNGE", command_uid_expunge, SELECTED, ALL, true},
    {"UID FETCH", command_fetch, SELECTED, ALL, true},
    {"UID MOVE", command_move, SELECTED, ALL, true},
    {"UID SEARCH", command_search, SELECTED, ALL, true},
    {"UID SORT", command_sort, SELECTED, ALL, true},
    {"UID STORE", command_store, SELECTED, ALL, true},
    {"UID THREAD", command_thread, SELECTED, ALL, true},
    {"UNSELECT", command_unselect, SELECTED, NOTHING, false},
    {"UNSUBSCRIBE", command_unsubscribe, ANY, ALL, false},
};

bool command_by_uid(struct session const *s) {
  return s->command && s->command->by_uid;
}

/* ---- answers ---- */

/* Before a command's answer, once. */
static void update_before_answer(struct session *s) {
  if (s->updated || !s->command || s->command->update == NOTHING) return;
  if (s->ending != GOING_ON) return;
  update_client(s, s->command->update == ALL);
  s->updated = true;
}

void answer_begin(struct session *s, char const *status) {
  update_before_answer(s);
  imap_puts(&s->out, s->tag);
  imap_puts(&s->out, " ");
  imap_puts(&s->out, status);
  imap_puts(&s->out, " ");
}

static void answer(struct session *s, char const *status, char const *code, char const *words) {
  answer_begin(s, status);
  if (code) {
    imap_puts(&s->out, "[");
    imap_puts(&s->out, code);
    imap_puts(&s->out, "] ");
  }
  imap_puts(&s->out, words);
  imap_puts(&s->out, "\r\n");
}

void answer_ok(struct session *s, char const *words) {
  answer(s, "OK", 0, words);
}

void answer_no(struct session *s, char const *code, char const *words) {
  answer(s, "NO", code, words);
}

void answer_bad(struct session *s, char const *words) {
  answer(s, "BAD", 0, words);
  s->bad_commands++;
}

void answer_result(struct session *s, enum store_error error, char const *words_if_ok) {
  if (error == STORE_OK)
    answer_ok(s, words_if_ok);
  else
    answer_no(s, store_code(error), store_words(error));
}

void answer_done(struct session *s, enum store_error error, char const *words) {
  if (error == STORE_EXPUNGED && command_by_uid(s))
    answer(s, "OK", store_code(error), words);
  else
    answer_result(s, error, words);
}

/* ---- one command ---- */

/* The arguments were wrong, unless it was the input that ended. */
static void answer_unparsed(struct session *s) {
  if (s->in.end == IMAP_OPEN)
    answer_bad(s, s->parser.error ? s->parser.error : "Arguments not understood");
}

static struct command const *find_command(char const *name) {
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    if (!strcasecmp(commands[i].name, name)) return &commands[i];
  return 0;
}

/* The command's name; of a UID command both words.  Null error and command: there is none such. */
static bool parse_command_name(struct session *s, struct command const **command) {
  enum { LONGEST = 20 }; /* "AUTHENTICATE", and "UID " before anything */
  char *word, name[LONGEST + 5] = "";
  if (!imap_parse_atom(&s->parser, &word)) return false;
  if (!strcasecmp(word, "UID")) {
    if (!imap_parse_space(&s->parser) || !imap_parse_atom(&s->parser, &word)) return false;
    strcpy(name, "UID ");
  }
  if (strlen(word) <= LONGEST) strcat(name, word);
  *command = find_command(name);
  return true;
}

static void run(struct session *s, struct command const *command) {
  bool selected = s->folder;
  if (!command) {
    answer_bad(s, "Unknown command");
  } else if (command->states == LOGIN_ONLY) {
    answer_bad(s, "Already logged in");
  } else if (!(command->states & (selected ? SELECTED : AUTHENTICATED))) {
    answer_bad(s, "No mailbox is selected");
  } else {
    unsigned int bad = s->bad_commands;
    s->command = command;
    if (!command->run(s)) answer_unparsed(s);
    if (s->bad_commands == bad) s->bad_commands = 0;
  }
}

static void read_and_run(struct session *s) {
  struct command const *command = 0;
  char *tag;
  s->tag = "*";
  if (!imap_parse_tag(&s->parser, &tag) || !imap_parse_space(&s->parser)) {
    answer_unparsed(s);
    return;
  }
  s->tag = tag;
  if (!parse_command_name(s, &command))
    answer_unparsed(s);
  else
    run(s, command);
}

/* An empty line is no command; some clients send one, after IDLE's DONE for instance. */
static bool skip_empty_line(struct session *s) {
  int c = imap_input_peek(&s->in);
  return (c == '\r' || c == '\n') && imap_parse_end(&s->parser);
}

/* After a command, what it may have left behind. */
static void clean_up(struct session *s) {
  if (s->parser.unfinished) imap_command_skip(&s->parser);
  if (s->parser.hopeless || s->bad_commands >= BAD_COMMANDS_MAX) {
    imap_puts(&s->out, "* BYE Too much that is no IMAP\r\n");
    s->ending = END_NONSENSE;
  }
  arena_release(&s->message);
  arena_release(&s->arena);
}

static void say_bye(struct session *s) {
  if (s->ending == END_AUTOLOGOUT) imap_puts(&s->out, "* BYE Autologout after idling too long\r\n");
  if (s->ending == END_TERMINATED) imap_puts(&s->out, "* BYE Server shutting down\r\n");
  imap_flush(&s->out);
}

void session_run(struct session *s) {
  while (s->ending == GOING_ON) {
    s->command = 0;
    s->updated = false;
    wait_restart_timer(s);
    imap_command_begin(&s->parser);
    if (imap_input_peek(&s->in) >= 0 && !skip_empty_line(s)) {
      read_and_run(s);
      clean_up(s);
    }
    if (s->ending == GOING_ON && s->in.end != IMAP_OPEN) wait_note_end(s);
    if (s->ending == GOING_ON && s->out.failed) wait_note_failed(s);
  }
  say_bye(s);
}
