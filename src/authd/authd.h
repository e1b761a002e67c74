/* authd: the auth service.  See authd(8).
 *
 *   authd.c     settings, and the start of everything
 *   listen.c    the socket
 *   front.c     the process that all clients talk to: its loop, and how it ends
 *   clients.c   connections whose request is not whole yet, or waits for a worker
 *   workers.c   the pool: starting, giving work, ending, starting again
 *   worker.c    the process that does the work: one request after another
 *   request.c   what one request asks of the sources, and the answer
 *
 * The front never looks a user up, and a worker never waits for a request to arrive: so a client
 * that stalls costs a place among CLIENTS_MAX, and a database that hangs costs the worker that asks
 * it.  A request goes to a worker together with the connection, which the worker answers on and
 * closes; then it tells the front that it is free.  A worker that is not free in time is killed.
 */
#ifndef AUTHD_H
#define AUTHD_H

#include "auth/daemon.h"

#include <stdint.h>

enum {
  CLIENTS_MAX = 200, /* at 8 KiB each; whoever is one more waits in the kernel's queue */
  WORKERS_MAX = 100, /* each may hold a connection to every database */
  SOURCES_MAX = 16,
  CLIENT_SECONDS = 10, /* to send a request, as in Courier's daemon */
  SECOND = 1000        /* ms */
};

struct settings {
  struct source const *sources[SOURCES_MAX];
  size_t sources_count;
  size_t workers;  /* Courier's `daemons` */
  int64_t timeout; /* ms: for one request, from the time it is whole */
  bool passwords;  /* answers hold hashes and passwords in clear, too */
};

/* ---- listen.c ---- */
/* Descriptor 0 if it is a socket that listens, else a new one at this path; what fails is logged
 * and ends the process. */
int listen_open(char const *path);

/* ---- clients.c ---- */
enum client_state { CLIENT_FREE, CLIENT_READING, CLIENT_WAITING };
struct client {
  enum client_state state;
  int fd;
  uint64_t number;  /* the order in which they came */
  int64_t deadline; /* clock_ms */
  size_t size;
  char bytes[DAEMON_REQUEST_MAX + 1];
};
struct clients {
  struct client all[CLIENTS_MAX];
  uint64_t arrivals;
};
/* Takes a connection that waits, if there is one, and a place for it: if all are taken, that of the
 * client that has been sending its request for the longest time. */
void clients_accept(struct clients *, int listener);
bool clients_have_room(struct clients const *);
/* Reads what has come; at its end the client waits for a worker until `timeout`, or is gone. */
void client_read(struct client *, int64_t timeout);
/* The one that has waited longest; null: nobody waits. */
struct client *clients_next(struct clients *);
/* Closes the connection and wipes the request. */
void client_drop(struct client *);
/* All of those in this state whose deadline has passed. */
void clients_expire(struct clients *, int64_t now);
/* The next deadline, or `latest`. */
int64_t clients_deadline(struct clients const *, int64_t latest);
/* Those whose request has not come yet, or everybody. */
void clients_drop_all(struct clients *, bool waiting);

/* ---- workers.c ---- */
struct worker {
  pid_t pid;        /* 0: not running */
  int fd;           /* the front's end; -1: closed, the worker is to end */
  bool busy;        /* has a request */
  bool retired;     /* is to end after it */
  int64_t deadline; /* while busy */
  int64_t started;  /* clock_ms; while not running: when it may be started again */
};
struct workers {
  struct worker all[WORKERS_MAX];
  size_t count;
};
/* Starts those that are not running and may be; `child` runs in the new process, where of all
 * descriptors of the front nothing is left but its end of the socket. */
void workers_start(struct workers *, int64_t now, void (*child)(int fd));
struct worker *workers_idle(struct workers *);
bool workers_are_busy(struct workers const *);
/* Gives a client to an idle worker and forgets it. */
void worker_give(struct worker *, struct client *, int64_t timeout);
/* Something has come from it: it is free, or its end of the socket is closed. */
void worker_hear(struct worker *);
/* Kills those that took too long. */
void workers_expire(struct workers *, int64_t now);
/* Collects those that have ended. */
void workers_reap(struct workers *, int64_t now);
/* All end, as soon as they have answered. */
void workers_retire(struct workers *);
bool workers_are_running(struct workers const *);
/* The next time at which something is to be done about one, or `latest`. */
int64_t workers_deadline(struct workers const *, int64_t latest);

/* ---- front.c ---- */
/* Serves until SIGTERM, then finishes what has been asked. */
void front_run(int listener, struct settings const *);

/* ---- worker.c ---- */
noreturn void worker_run(int fd, struct settings const *);

/* ---- request.c ---- */
/* Asks and answers; `bytes` are spoilt, and one more must be there. */
void request_serve(struct settings const *, int client, char *bytes, size_t size, int64_t deadline);

#endif
