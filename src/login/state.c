/* The keeper's memory while it is an auth module, as the text of IMAPLOGIN_STATE:
 * `version pid failures began received tls method user`.  The process id is there because exec
 * keeps it: a text that some other process has left behind is not ours. */
#include "login/login.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <skalibs/types.h>

enum { VERSION = 1, FIELDS = 7 };

void state_format(struct login_state const *s, char text[STATE_TEXT_SIZE]) {
  snprintf(text, STATE_TEXT_SIZE, "%d %lu %lu %llu %llu %d %d %s", VERSION, (unsigned long)getpid(),
           (unsigned long)s->failures, (unsigned long long)s->began,
           (unsigned long long)s->received, s->tls, (int)s->method, s->user);
}

bool state_parse(char const *text, struct login_state *s) {
  uint64_t field[FIELDS];
  for (size_t i = 0; i < FIELDS; i++) {
    size_t n = uint64_scan(text, &field[i]);
    if (!n || text[n] != ' ' || field[i] > INT64_MAX) return false;
    text += n + 1;
  }
  if (field[0] != VERSION || field[1] != (uint64_t)getpid() || field[2] > UINT32_MAX ||
      field[5] > 1 || field[6] >= METHOD_COUNT || strlen(text) > USER_SIZE_MAX)
    return false;
  s->failures = (uint32_t)field[2];
  s->began = (int64_t)field[3];
  s->received = (int64_t)field[4];
  s->tls = field[5];
  s->method = (enum method)field[6];
  memcpy(s->user, text, strlen(text) + 1);
  return true;
}
