/* The pool of workers as the front sees it. */
#include "authd/authd.h"
#include "base/base.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* One that dies at once would be started as often as the machine can. */
enum { PAUSE = SECOND };

static void start(struct worker *w, int64_t now, void (*child)(int fd)) {
  int ends[2];
  w->started = now + PAUSE; /* the next attempt, if this one fails */
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0) {
    log_failure("make a socket pair for a worker", 0, "raise the limit on open files");
    return;
  }
  ends[0] = fd_move_high(ends[0]);
  pid_t pid = ends[0] < 0 ? -1 : fork();
  if (!pid) {
    close(ends[0]); /* or it would never see the end of its own socket */
    child(ends[1]);
  }
  close(ends[1]);
  if (pid < 0) {
    log_failure("start a worker", 0, "raise the limits on processes and open files");
    if (ends[0] >= 0) close(ends[0]);
    return;
  }
  *w = (struct worker){.pid = pid, .fd = ends[0], .started = now};
}

void workers_start(struct workers *ws, int64_t now, void (*child)(int fd)) {
  for (size_t i = 0; i < ws->count; i++)
    if (!ws->all[i].pid && ws->all[i].started <= now) start(&ws->all[i], now, child);
}

struct worker *workers_idle(struct workers *ws) {
  for (size_t i = 0; i < ws->count; i++)
    if (ws->all[i].pid && ws->all[i].fd >= 0 && !ws->all[i].busy) return &ws->all[i];
  return 0;
}

bool workers_are_busy(struct workers const *ws) {
  for (size_t i = 0; i < ws->count; i++)
    if (ws->all[i].busy) return true;
  return false;
}

bool workers_are_running(struct workers const *ws) {
  for (size_t i = 0; i < ws->count; i++)
    if (ws->all[i].pid) return true;
  return false;
}

static void hang_up(struct worker *w) {
  if (w->fd >= 0) close(w->fd);
  w->fd = -1;
}

void worker_give(struct worker *w, struct client *c, int64_t timeout) {
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr header;
  } control;
  struct iovec part = {c->bytes, c->size};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  memset(&control, 0, sizeof control);
  struct cmsghdr *h = CMSG_FIRSTHDR(&message);
  h->cmsg_level = SOL_SOCKET;
  h->cmsg_type = SCM_RIGHTS;
  h->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(h), &c->fd, sizeof c->fd);
  if (sendmsg(w->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    hang_up(w); /* it has died: the client stays, for another */
    return;
  }
  w->busy = true;
  w->deadline = clock_ms() + timeout;
  client_drop(c);
}

void worker_hear(struct worker *w) {
  char byte;
  ssize_t n = recv(w->fd, &byte, 1, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
  if (n == 1) w->busy = false;
  if (n < 1 || w->retired) hang_up(w);
}

void workers_expire(struct workers *ws, int64_t now) {
  char pid[21];
  for (size_t i = 0; i < ws->count; i++) {
    struct worker *w = &ws->all[i];
    if (!w->busy || w->deadline > now) continue;
    log_event("worker-killed", "worker", log_number(pid, (uint64_t)w->pid), "why",
              "no answer within AUTHD_TIMEOUT", "remedy",
              "see which database does not answer, and set its own time limit lower", (char *)0);
    kill(w->pid, SIGKILL);
    w->deadline = INT64_MAX;
  }
}

static void log_death(struct worker const *w, int status) {
  char pid[21], how[40];
  if (WIFEXITED(status) && !WEXITSTATUS(status)) return;
  if (WIFSIGNALED(status))
    snprintf(how, sizeof how, "signal %d", WTERMSIG(status));
  else
    snprintf(how, sizeof how, "exit code %d", WEXITSTATUS(status));
  log_event("worker-died", "worker", log_number(pid, (uint64_t)w->pid), "why", how, (char *)0);
}

static struct worker *find(struct workers *ws, pid_t pid) {
  for (size_t i = 0; i < ws->count; i++)
    if (ws->all[i].pid == pid) return &ws->all[i];
  return 0;
}

void workers_reap(struct workers *ws, int64_t now) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    struct worker *w = find(ws, pid);
    if (!w) continue;
    log_death(w, status);
    hang_up(w);
    bool soon = now - w->started < PAUSE && status;
    *w = (struct worker){.fd = -1, .started = soon ? now + PAUSE : now};
  }
}

void workers_retire(struct workers *ws) {
  for (size_t i = 0; i < ws->count; i++) {
    ws->all[i].retired = true;
    if (!ws->all[i].busy) hang_up(&ws->all[i]);
  }
}

int64_t workers_deadline(struct workers const *ws, int64_t latest) {
  for (size_t i = 0; i < ws->count; i++) {
    struct worker const *w = &ws->all[i];
    int64_t deadline = w->busy ? w->deadline : w->pid ? INT64_MAX : w->started;
    if (deadline < latest) latest = deadline;
  }
  return latest;
}
