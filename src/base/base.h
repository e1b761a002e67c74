/* base: what skalibs lacks and every program of chainmail needs.
 *
 *   log.c        one line per event on standard error
 *   fd.c         descriptors: moving, closing, reading and writing under a deadline
 *   file.c       whole small files: reading with a limit, replacing durably; all of a part
 *   exchange.c   two directories change places
 *   lock.c       OFD locks
 *   fault.c      mapped files that cannot be read any more
 *   privilege.c  becoming another user, for good
 *   seccomp.c    confinement to a list of system calls           (Linux)
 *   landlock.c   confinement to parts of the file system          (Linux)
 *   arena.c      memory that is given back all at once
 *   trim.c       memory that is given back to the system            (Linux)
 *   set.c        sets of 32-bit numbers as sorted ranges
 *   order.c      sorting by numbers
 *   base64.c     RFC 4648 section 4
 *   tlsfacts.c   what the TLS side of a connection says of it
 *   address.c    addresses as limits count them, and lists of networks
 *   slots.c      how many connections of one address may be before login
 *   slowdown.c   what addresses have failed to log in lately
 *   settings.c   numbers and switches from the environment
 *   environment.c  environments for programs to be executed
 *
 * Unless a comment says otherwise, functions that return int return 0 for success and -1 with
 * errno set, and those that return bool say whether it is so.
 */
#ifndef BASE_H
#define BASE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

/* Exit codes of every program. */
enum {
  EXIT_REFUSED = 1,     /* the answer is no */
  EXIT_MISUSE = 100,    /* wrong usage or configuration: trying again changes nothing */
  EXIT_TEMPORARY = 111, /* the system failed: trying again may help */
};

/* ---- log.c: `program: pid: event key=value ...`, see log(5) of this project ----
 * A value that is empty or holds a blank, a quote, `=`, a backslash or anything but printable
 * ASCII is written between double quotes, with \" \\ and \xHH.  A line goes out in one write(2) of
 * at most LOG_LINE_MAX bytes, so that lines of different processes do not mix. */
enum { LOG_LINE_MAX = 4000 }; /* below PIPE_BUF (4096), which makes the write atomic */

/* Call once, first: the name lines begin with (not copied), e.g. "imapd". */
void log_init(char const *program);
/* The arguments after `event` are pairs of strings key, value, ended by (char *)0.  A pair whose
 * value is a null pointer is left out. */
void log_event(char const *event, ...) __attribute__((sentinel));
/* The failure that errno names, of an attempt ("open", "rename") on a path (may be null):
 * `failed attempt=open path=/x why="Permission denied" remedy="chown it to alice"`.
 * remedy says what the administrator can do next, null if nothing.  Keeps errno. */
void log_failure(char const *attempt, char const *path, char const *remedy);
/* log_event, then _exit(code). */
noreturn void log_die(int code, char const *event, ...) __attribute__((sentinel));
/* log_failure, then _exit(code). */
noreturn void log_die_failure(int code, char const *attempt, char const *path, char const *remedy);
/* Out of memory. */
noreturn void log_die_memory(void);
/* What malloc and its like gave, unless that is nothing. */
static inline void *must_have(void *memory) {
  if (!memory) log_die_memory();
  return memory;
}
/* Decimal digits of n in buf, for log values; returns buf. */
char const *log_number(char buf[21], uint64_t n);

/* ---- fd.c ---- */
/* Moves fd to the lowest free number >= 10, close-on-exec.  Returns the new one or -1; the old
 * number is closed in any case. */
int fd_move_high(int fd);
/* Closes every descriptor >= lowest. */
void fd_close_from(int lowest);
int fd_close_on_exec(int fd, bool on);

/* Milliseconds on a clock that only goes forward. */
int64_t clock_ms(void);
/* Waits until fd is readable (POLLIN) or writable (POLLOUT) or the deadline (clock_ms units, -1 for
 * none) has passed.  Returns 1 when ready (or at end of file or error), 0 at the deadline, -1 on
 * error.  EINTR is retried. */
int io_wait(int fd, short events, int64_t deadline);
/* read(2) that waits until the deadline: bytes read, 0 at end of file, -1 (ETIMEDOUT). */
ssize_t io_read(int fd, void *buf, size_t size, int64_t deadline);
/* Writes all of it before the deadline; never raises SIGPIPE on a socket.  Works on blocking and
 * non-blocking descriptors and does not change their mode (the description is shared). */
int io_write_all(int fd, void const *buf, size_t size, int64_t deadline);
bool fd_is_socket(int fd);
/* TCP: no small write waits until the peer has acknowledged the one before it, as the last piece of
 * a long answer would.  Holds for whoever has the connection after us; of anything else, nothing
 * happens. */
void fd_send_at_once(int fd);

/* ---- file.c ---- */
/* Reads the whole of dirfd/name, at most max bytes (EFBIG beyond), into memory from malloc that
 * ends in an uncounted NUL.  *data is null on error. */
int file_read(int dirfd, char const *name, size_t max, char **data, size_t *size);
/* The same into `room` bytes of the caller's, and its size: EFBIG where it and the NUL do not fit.
 */
ssize_t file_read_into(int dirfd, char const *name, char *buf, size_t room);
/* Writes dirfd/name so that after any crash it holds the old content or the new: temporary file
 * beside it, fsync, rename, fsync of the directory. */
int file_replace(int dirfd, char const *name, mode_t mode, void const *data, size_t size);
/* pread and pwrite of all of it: -1 on an error, fewer bytes read only at the end of the file. */
ssize_t file_read_at(int fd, void *data, size_t size, uint64_t offset);
int file_write_at(int fd, void const *data, size_t size, uint64_t offset);
/* fsync of a directory given by descriptor. */
int dir_sync(int dirfd);

/* ---- exchange.c ---- */
/* dirfd/a and dirfd/b, both there, change places in one step.  Where the system cannot do that, in
 * three renames by way of the name `a.x`: for a moment b is missing, and after a crash in that
 * moment what was b stands at `a.x`. */
int dir_exchange(int dirfd, char const *a, char const *b);

/* ---- lock.c: open file description locks (Linux OFD), elsewhere fcntl locks ----
 * Whole file; dropped when the description is closed. */
/* With _GNU_SOURCE <fcntl.h> has macros of these names, for an operation of flock(2) that is long
 * gone; undefined here, once and for all, or they would silently stand for other numbers. */
#undef LOCK_READ
#undef LOCK_WRITE
enum lock_type { LOCK_READ, LOCK_WRITE, LOCK_NONE };
/* Waits for the lock; with a timeout in milliseconds (>= 0) gives up with EAGAIN. */
int lock_file(int fd, enum lock_type type, int timeout_ms);
/* The same for part of the file, without waiting: EAGAIN.  size 0: to its end, however long. */
int lock_part(int fd, enum lock_type type, uint64_t start, uint64_t size);
/* Whether another open file holds a lock on part of it: 1, 0, or -1 on error. */
int lock_taken(int fd, uint64_t start, uint64_t size);

/* ---- fault.c ---- */
/* Memory that a file is mapped into.  When an access to it raises SIGBUS, mend is called in the
 * signal handler: it maps something else there, and the access is done again.  The signal is
 * synchronous: mend may do all that the code which accesses the region could do at that point. */
struct fault_region {
  void *start;
  size_t size;
  void (*mend)(void *context);
  void *context;
  struct fault_region *next;
};
int fault_watch(struct fault_region *);
void fault_forget(struct fault_region *);

/* ---- privilege.c ---- */
/* For confined helpers: no supplementary groups, gid, uid, checked to be irreversible.  Only for
 * root; for anyone else EPERM unless uid and gid are already these. */
int privilege_drop(uid_t uid, gid_t gid);
/* For a session: these supplementary groups, then gid and uid, for good.  As an ordinary user
 * succeeds only if uid is already the effective one (groups then stay as they are).  root refuses
 * uid 0 and gid 0, also among the groups, with EPERM.  (The caller finds the groups: initgroups
 * needs NSS, which a static program lacks.) */
int privilege_become(uid_t uid, gid_t gid, gid_t const *groups, size_t ngroups);
/* Makes the working directory one that is empty and has no name, so that nobody can put anything
 * into it: to chroot into, without one that an administrator must provide and keep empty.  The
 * program's name is for whoever sees it for the moment it has a name. */
int directory_enter_nowhere(char const *program);
/* No core dumps, not traceable: for processes that hold credentials. */
void privilege_protect_memory(void);

/* ---- seccomp.c ---- */
/* From here on only the listed system calls (SYS_* numbers) and exit_group work; any other kills
 * the process, or fails with EPERM where the sanitizers are built in.  EINVAL for a list that is
 * too long or has more than some 125 gaps; ENOSYS where the kernel cannot. */
int confine_syscalls(int const *allowed, size_t n);

/* ---- landlock.c ---- */
struct confine_path {
  char const *path; /* a directory or file; a missing one is skipped */
  bool writable;    /* everything below may be created, changed, renamed, removed */
  bool executable;
};
/* From here on the file system is what the list says.  ENOSYS where the kernel cannot (or has only
 * the first ABI, which forbids rename between directories). */
int confine_files(struct confine_path const *paths, size_t n);

/* ---- arena.c ---- */
/* Memory for one command or one message: many allocations, one release.  Zero-initialised is
 * empty; with next and left set, memory of the caller's own is used first.  Allocation failure ends
 * the process with a log line (exit 111): a session that is out of memory can answer nothing
 * sensible. */
struct arena_block;
struct arena {
  struct arena_block *blocks;
  char *next;
  size_t left;
};
void *arena_alloc(struct arena *, size_t size); /* aligned for any type, not cleared */
void *arena_zalloc(struct arena *, size_t size);
/* A NUL-ended copy of n bytes. */
char *arena_copy(struct arena *, void const *data, size_t n);
/* An array of `count` elements of `size` bytes grown to hold `want`, doubling; returns the array,
 * perhaps moved.  *capacity is the count it can hold. */
void *arena_grow(struct arena *, void *array, size_t *capacity, size_t want, size_t size);
/* Gives everything back. */
void arena_release(struct arena *);

/* ---- trim.c ---- */
/* Gives to the system what has been freed, and the stack below the caller.  Takes some
 * microseconds, and what comes next has to ask for the pages again: only before a long wait. */
void memory_trim(void);
/* The stack alone, by madvise(2) alone. */
void memory_trim_stack(void);
/* Overwrites it with zeros, and gives to the system what whole pages are in it, likewise by
 * madvise(2) alone.  It can be used again. */
void memory_wipe(void *start, size_t size);

/* ---- set.c: a set of numbers 1..UINT32_MAX as sorted, disjoint, non-adjacent ranges ---- */
struct range {
  uint32_t first, last; /* inclusive */
};
struct set {
  struct range *ranges;
  size_t n, capacity;
  struct arena *arena; /* where ranges live */
};
void set_init(struct set *, struct arena *);
/* Appending in rising order is O(1); any order works. */
void set_add_range(struct set *, uint32_t first, uint32_t last);
void set_add(struct set *, uint32_t number);
bool set_contains(struct set const *, uint32_t number);
uint64_t set_count(struct set const *);
/* Iteration: for (uint32_t x = 0; set_next(s, &x);) visits every member in rising order. */
bool set_next(struct set const *, uint32_t *number);

/* ---- order.c ---- */
/* Sorts indexes into `values` by them, smaller ones first; those of equal values stay in order.
 * scratch: room for n. */
void order_by(uint32_t *order, uint32_t n, uint64_t const *values, uint32_t *scratch);

/* ---- base64.c ---- */
/* Decodes strictly (no blanks, right padding).  out may be in (in place) and must hold size / 4 * 3
 * bytes.  Returns the length or -1 (EINVAL). */
ssize_t base64_decode(char const *in, size_t size, char *out);
/* Encodes; out must hold (size + 2) / 3 * 4 bytes; no NUL is added.  Returns that length. */
size_t base64_encode(void const *in, size_t size, char *out);

/* ---- tlsfacts.c: UCSPI-TLS, strings NAME=value NUL, ended by an empty one; see doc/chain.md ----
 * Believed are SSL_PROTOCOL, SSL_CIPHER, SSL_TLS_SNI_SERVERNAME, SSL_SERVER_END_POINT, SSL_PEER_*
 * and SSL_ERROR, where short and printable; others are passed over. */
enum { FACT_MAX = 256, FACTS_MAX = 8192 };
struct tls_facts {
  char text[FACTS_MAX];
  size_t size;
  char const *error; /* the value of SSL_ERROR: the handshake failed */
};
/* Reads from fd to the end of the list, or to the end of the file after SSL_ERROR.  -1 with EPROTO
 * for what no honest program sends, EPIPE if it ended without an empty string or a reason,
 * ETIMEDOUT at the deadline. */
int tls_facts_read(struct tls_facts *, int fd, int64_t deadline);
/* After that: why there is no TLS, in words. */
char const *tls_facts_failure(struct tls_facts const *);
/* The value of SSL_WARNING, if it was sent, goes to the log. */
void tls_facts_log_warning(struct tls_facts const *);
/* The value of a name, null if it was not sent. */
char const *tls_facts_get(struct tls_facts const *, char const *name);
/* Into the environment, in place of any that were there; -1 when memory ran out. */
int tls_facts_export(struct tls_facts const *);
/* Takes everything of that kind out of the environment. */
void tls_facts_unset(void);
/* Whom the client's certificate names, by the environment: the value of the attribute of its
 * subject that TLS_EXTERNAL names (`CN`, `emailaddress`).  Null without a certificate that the TLS
 * side has verified, without that attribute, or without TLS_EXTERNAL. */
char const *tls_peer_identity(void);

/* ---- address.c ---- */
/* A number for what limits count as one: an IPv4 address, however written (192.0.2.1,
 * ::ffff:192.0.2.1), or an IPv6 /64, which is what one customer has.  No two have the same. 0 if
 * the text is no address. */
uint64_t address_group(char const *text);
/* Whether the address (null: none) is in a list of addresses and networks (192.0.2.0/24,
 * 2001:db8::/32) with blanks or commas between them; -1 if the list is wrong. */
int address_listed(char const *text, char const *list);

/* ---- slots.c ---- */
/* Takes one of the IMAP_LOGIN_PERIP places that TCPREMOTEIP has in the file IMAP_LOGIN_SLOTS,
 * creating it if it is missing.  Returns a descriptor that holds the place until its last copy is
 * closed; -1 with EAGAIN if all are taken, with another errno if no places are kept or the file
 * fails, which has been logged: that is no reason to shut everybody out. */
int slot_take_configured(void);

/* ---- slowdown.c ----
 * A file that fails is logged and no reason to shut anybody out, or to make anybody wait. */
struct slowdown {
  char const *path; /* null: nothing is counted for this client */
  uint64_t address;
  uint32_t free;   /* failures that cost nothing */
  uint32_t fade_s; /* after so many seconds one failure is forgotten */
  int64_t most_ms; /* the longest wait */
};
/* By TCPREMOTEIP, IMAP_LOGIN_SLOWDOWN, IMAP_LOGIN_FREE, IMAP_LOGIN_FADE, IMAP_LOGIN_SLOWEST and
 * IMAP_LOGIN_EXEMPT; exits 100 if one is wrong. */
void slowdown_configure(struct slowdown *);
/* How long a login of this address has to wait before it is looked at, in milliseconds; *count: the
 * failures it waits for. */
int64_t slowdown_wait(struct slowdown const *, uint32_t *count);
/* One failure more. */
void slowdown_failed(struct slowdown const *);
/* An eighth of one: a login that some have judged and not admitted, and others could not judge. */
void slowdown_tried(struct slowdown const *);
/* A login takes one failure back, no more: who has an account of their own here would otherwise
 * wipe the slate clean between guesses at another's. */
void slowdown_admitted(struct slowdown const *);

/* ---- settings.c ---- */
/* The decimal number in environment variable `name`, `fallback` if it is unset or empty.  A value
 * that is no number or outside min..max is misconfiguration: logged, exit 100. */
uint64_t setting_number(char const *name, uint64_t fallback, uint64_t min, uint64_t max);
/* 1, yes, true, on (any case) are true; 0, no, false, off and the empty string false; anything else
 * is misconfiguration. */
bool setting_switch(char const *name, bool fallback);

/* ---- environment.c ---- */
enum { ENVIRONMENT_ROOM = 4096 }; /* what is enough of an arena for most environments */
struct variable {
  char const *name, *value; /* null: there shall be none of this name */
};
/* Those of `inherited` that keep says (null: all) and that have none of these names, which come
 * after them.  The vector and what is new in it are in the arena. */
char **environment_make(struct arena *, char *const *inherited, bool (*keep)(char const *variable),
                        struct variable const *, size_t n);

#endif
