/* IDLE (RFC 2177).
 *
 *   idle = "IDLE" CRLF "DONE" CRLF
 *
 * While it waits the session holds no memory that it can do without. */
#include "imapd/session.h"

#include <strings.h>

/* What the client is told while it idles. */
static void tell_changes(struct session *s, int watch) {
  if (watch >= 0) folder_watch_drain(s->folder);
  update_client(s, true);
}

/* When to look at the folder without being told to. */
static int64_t next_look(struct session *s, int watch) {
  int64_t deadline = s->in.deadline;
  if (!s->folder || watch >= 0) return deadline;
  int64_t look = clock_ms() + POLL_INTERVAL_MS;
  return deadline >= 0 && deadline < look ? deadline : look;
}

/* Until the client sends something or the session is to end. */
static void wait_for_client(struct session *s, int watch) {
  while (s->ending == GOING_ON && !s->out.failed && !imap_input_pending(&s->in)) {
    switch (wait_event(s, watch, next_look(s, watch))) {
    case EVENT_INPUT: return;
    case EVENT_SIGNAL: s->ending = END_TERMINATED; return;
    case EVENT_ERROR: s->ending = END_READ_ERROR; return;
    case EVENT_CHANGE: tell_changes(s, watch); break;
    case EVENT_DEADLINE:
      if (clock_ms() >= s->in.deadline)
        s->ending = END_AUTOLOGOUT;
      else
        tell_changes(s, watch);
      break;
    }
  }
}

static bool parse_done(struct session *s) {
  char *word;
  if (!imap_parse_atom(&s->parser, &word)) return false;
  if (strcasecmp(word, "DONE")) return imap_parse_fail(&s->parser, "DONE expected");
  return imap_parse_end(&s->parser);
}

bool command_idle(struct session *s) {
  if (!imap_parse_end(&s->parser)) return false;
  imap_puts(&s->out, "+ Idling\r\n");
  int watch = s->folder ? folder_watch(s->folder) : -1;
  /* What happened before the watch began. */
  tell_changes(s, watch);
  wait_for_client(s, watch);
  if (watch >= 0) folder_unwatch(s->folder);
  if (s->ending != GOING_ON || s->out.failed) return true;
  s->parser.unfinished = true;
  if (!parse_done(s)) return false;
  answer_ok(s, "IDLE completed");
  return true;
}
