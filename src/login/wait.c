/* Waiting until a failure may be answered.  The answers come at boundaries counted from when the
 * credentials came, so that the time does not tell how far a module got with them. */
#define _GNU_SOURCE /* POLLRDHUP */
#include "login/login.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>

#ifndef POLLRDHUP
#define POLLRDHUP 0 /* then only a connection closed both ways is noticed */
#endif

enum { STEP_MAX_MS = 30000 }; /* longer than this and clients give up before the answer */

int64_t failure_boundary(int64_t received, int64_t now, int64_t step) {
  if (step <= 0 || now < received) return now;
  return received + ((now - received) / step + 1) * step;
}

int64_t failure_step(int64_t first, uint32_t count) {
  int64_t step = first;
  while (--count && step < STEP_MAX_MS) step *= 2;
  return step < STEP_MAX_MS ? step : STEP_MAX_MS;
}

bool wait_until(int64_t when, int parser) {
  /* A pipe on 0 whose writer has closed may still hold commands, and the reader on 1 may still
   * want answers; a socket that has been closed is nobody's. */
  struct pollfd p[] = {
      {.fd = parser, .events = POLLIN},
      {.fd = 1},
      {.fd = fd_is_socket(0) ? 0 : -1, .events = POLLRDHUP},
  };
  for (;;) {
    int64_t left = when - clock_ms();
    if (left <= 0) return true;
    int r = poll(p, sizeof p / sizeof *p, left > INT_MAX ? INT_MAX : (int)left);
    if (r > 0 || (r < 0 && errno != EINTR)) return false;
  }
}
