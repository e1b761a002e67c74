/* The front: the process that all clients talk to, and whose children the workers are.  One loop;
 * it waits for nobody in particular. */
#include "authd/authd.h"
#include "base/base.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <skalibs/selfpipe.h>

enum { POLLS_MAX = 2 + CLIENTS_MAX + WORKERS_MAX };

static struct front {
  struct settings const *settings;
  int listener; /* -1: nobody new is let in */
  int signals;
  struct clients clients;
  struct workers workers;
  struct pollfd polls[POLLS_MAX];
  size_t polls_count;
} front;

/* Of what other clients have sent, a worker keeps nothing. */
static noreturn void become_worker(int fd) {
  selfpipe_finish();
  for (size_t i = 0; i < front.workers.count; i++)
    if (front.workers.all[i].fd >= 0) close(front.workers.all[i].fd);
  clients_drop_all(&front.clients, true);
  close(front.listener);
  worker_run(fd, front.settings);
}

static bool ending(struct front const *f) {
  return f->listener < 0;
}

static void give_work(struct front *f) {
  struct client *c;
  struct worker *w;
  while ((c = clients_next(&f->clients)) && (w = workers_idle(&f->workers)))
    worker_give(w, c, f->settings->timeout);
}

/* ---- waiting ---- */

static void poll_for(struct front *f, int fd) {
  f->polls[f->polls_count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void collect(struct front *f) {
  f->polls_count = 0;
  poll_for(f, f->signals);
  if (!ending(f) && clients_have_room(&f->clients)) poll_for(f, f->listener);
  for (size_t i = 0; i < CLIENTS_MAX; i++)
    if (f->clients.all[i].state == CLIENT_READING) poll_for(f, f->clients.all[i].fd);
  for (size_t i = 0; i < f->workers.count; i++)
    if (f->workers.all[i].fd >= 0) poll_for(f, f->workers.all[i].fd);
}

static int time_left(struct front const *f, int64_t now) {
  int64_t deadline = now + (int64_t)CLIENT_SECONDS * SECOND;
  deadline = clients_deadline(&f->clients, deadline);
  deadline = workers_deadline(&f->workers, deadline);
  return deadline > now ? (int)(deadline - now) : 0;
}

static void wait_for_anything(struct front *f) {
  collect(f);
  if (poll(f->polls, f->polls_count, time_left(f, clock_ms())) >= 0) return;
  for (size_t i = 0; i < f->polls_count; i++) f->polls[i].revents = 0;
}

static bool is_ready(struct front const *f, int fd) {
  for (size_t i = 0; i < f->polls_count; i++)
    if (f->polls[i].fd == fd) return f->polls[i].revents;
  return false;
}

/* ---- what has come ---- */

/* Whoever has connected is answered, if the request has come; the others are let down now. */
static void begin_to_end(struct front *f) {
  if (ending(f)) return;
  log_event("ending", (char *)0);
  close(f->listener);
  f->listener = -1;
  clients_drop_all(&f->clients, false);
}

static void hear_signals(struct front *f) {
  for (int number; (number = selfpipe_read()) > 0;) {
    if (number == SIGTERM) begin_to_end(f);
    if (number == SIGHUP) workers_retire(&f->workers);
  }
}

static void hear_clients(struct front *f) {
  for (size_t i = 0; i < CLIENTS_MAX; i++) {
    struct client *c = &f->clients.all[i];
    if (c->state == CLIENT_READING && is_ready(f, c->fd)) client_read(c, f->settings->timeout);
  }
}

static void hear_workers(struct front *f) {
  for (size_t i = 0; i < f->workers.count; i++) {
    struct worker *w = &f->workers.all[i];
    if (w->fd >= 0 && is_ready(f, w->fd)) worker_hear(w);
  }
}

static void hear(struct front *f) {
  /* New descriptors come last: they may have the number of one that has been closed. */
  bool knocking = !ending(f) && is_ready(f, f->listener);
  hear_workers(f);
  hear_clients(f);
  hear_signals(f);
  if (knocking && !ending(f)) clients_accept(&f->clients, f->listener);
}

/* ---- the whole life ---- */

static void open_signals(struct front *f) {
  f->signals = selfpipe_init();
  if (f->signals < 0 || selfpipe_trap(SIGTERM) < 0 || selfpipe_trap(SIGHUP) < 0 ||
      selfpipe_trap(SIGCHLD) < 0)
    log_die_failure(EXIT_TEMPORARY, "catch signals", 0, 0);
}

static bool has_work(struct front *f) {
  return !ending(f) || clients_next(&f->clients) || workers_are_busy(&f->workers);
}

/* Workers whose sockets are closed end by themselves; none has a request any more. */
static void end_workers(struct front *f) {
  int64_t deadline = clock_ms() + SECOND;
  workers_retire(&f->workers);
  while (workers_are_running(&f->workers) && clock_ms() < deadline) {
    io_wait(f->signals, POLLIN, deadline);
    while (selfpipe_read() > 0) {
    }
    workers_reap(&f->workers, clock_ms());
  }
}

void front_run(int listener, struct settings const *s) {
  struct front *f = &front;
  f->settings = s;
  f->listener = listener;
  f->workers.count = s->workers;
  for (size_t i = 0; i < WORKERS_MAX; i++) f->workers.all[i].fd = -1;
  open_signals(f);
  while (has_work(f)) {
    int64_t now = clock_ms();
    workers_reap(&f->workers, now);
    if (has_work(f)) workers_start(&f->workers, now, become_worker);
    clients_expire(&f->clients, now);
    workers_expire(&f->workers, now);
    give_work(f);
    if (!has_work(f)) break;
    wait_for_anything(f);
    hear(f);
  }
  end_workers(f);
  log_event("ended", (char *)0);
}
