/* imap: IMAP on the wire.  Bytes to tokens, values to bytes; nothing here knows of mailboxes on
 * disk or of who is logged in.  Used by imapd and by imaplogin's parser.
 *
 *   input.c     a buffer over a descriptor, read under a deadline
 *   parse.c     the tokens of a command (RFC 3501 section 9; literals: RFC 7888)
 *   sequence.c  sequence sets
 *   output.c    the parts of a response
 *   name.c      mailbox names: modified UTF-7 (RFC 3501 section 5.1.3)
 *   date.c      date and date-time
 *
 * Memory: what a parse function returns lives in the parser's arena.
 */
#ifndef IMAP_H
#define IMAP_H

#include "base/base.h"

#include <string.h>
#include <time.h>

/* ---- input.c ---- */

enum imap_end {
  IMAP_OPEN = 0, /* more may come */
  IMAP_EOF,      /* the client closed */
  IMAP_TIMEOUT,  /* nothing came before the deadline */
  IMAP_ERROR,    /* read(2) failed; errno says how */
};

enum { IMAP_INPUT_SIZE = 8192 };

struct imap_input {
  int fd;
  int64_t deadline; /* clock_ms units, -1 for none; for the next read */
  enum imap_end end;
  uint64_t bytes; /* read in all, for the log */
  /* How many bytes of a literal are still wanted; 0 while in a line. */
  uint64_t literal_left;
  /* Reads at least one byte into buf: greedily with io_read if null.  A caller that must not read
   * past the current command (imaplogin) puts its own here; it may look at literal_left. */
  ssize_t (*fill)(struct imap_input *, char *buf, size_t size);
  void *context; /* fill's */
  size_t head, tail;
  char buf[IMAP_INPUT_SIZE];
};

void imap_input_init(struct imap_input *, int fd);
/* The next byte without taking it; -1 when `end` has become something else than IMAP_OPEN. */
int imap_input_peek(struct imap_input *);
/* Takes the byte that peek showed. */
void imap_input_take(struct imap_input *);
/* Up to size bytes of the current literal, 0 when all of it has been read, -1 at `end`. */
ssize_t imap_input_literal(struct imap_input *, char *buf, size_t size);
/* Whether bytes are waiting in the buffer (the descriptor may have more). */
bool imap_input_pending(struct imap_input const *);

/* ---- output.c ---- */

/* Listings go out in pieces of this size: of 16 KiB, system calls would be a third of their cost.
 * Memory only while it is written to. */
enum { IMAP_OUTPUT_SIZE = 65536 };

/* A buffered writer.  After a failed write (the client is gone, or took nothing for timeout_ms)
 * `failed` is set, everything further is dropped silently, and the caller sees it at the command's
 * end. */
struct imap_output {
  int fd;
  int timeout_ms;
  bool failed;
  uint64_t bytes; /* written in all, for the log */
  /* Where bytes go: io_write_all to fd if null (COMPRESS will put itself here). */
  int (*write)(struct imap_output *, void const *, size_t);
  size_t size;
  char *buf; /* allocated at first use, given back by imap_output_idle */
};

void imap_output_init(struct imap_output *, int fd, int timeout_ms);
void imap_flush(struct imap_output *);
/* Flushes and gives the buffer's memory back: before a long wait. */
void imap_output_idle(struct imap_output *);

/* A place for n more bytes (at most IMAP_OUTPUT_SIZE) at the buffer's end; whoever writes there
 * adds to `size` what was written. */
char *imap_room(struct imap_output *, size_t n);

/* imap_put for what does not fit the buffer. */
void imap_put_through(struct imap_output *, void const *data, size_t size);
/* Inline, since listings of 100,000 lines are made of words whose size the compiler knows. */
static inline void imap_put(struct imap_output *out, void const *data, size_t size) {
  if (!out->buf || size > IMAP_OUTPUT_SIZE - out->size) {
    imap_put_through(out, data, size);
  } else if (size) {
    memcpy(out->buf + out->size, data, size);
    out->size += size;
  }
}
static inline void imap_puts(struct imap_output *out, char const *text) {
  imap_put(out, text, strlen(text));
}
void imap_put_number(struct imap_output *, uint64_t n);
/* string: quoted where RFC 3501 allows it (no CR, LF, NUL, no 8-bit, at most 1,000 bytes), else a
 * literal; NULs, which no literal may hold, become '?'. */
void imap_put_string(struct imap_output *, void const *data, size_t size);
/* NIL for a null pointer. */
void imap_put_nstring(struct imap_output *, void const *data, size_t size);
/* An atom where possible, else string. */
void imap_put_astring(struct imap_output *, char const *text);
/* `{size}` CRLF; the caller puts exactly size bytes. */
void imap_put_literal_header(struct imap_output *, uint64_t size);
/* The same of a literal8, which may hold NULs (RFC 3516). */
void imap_put_literal8_header(struct imap_output *, uint64_t size);
/* "17-Jul-1996 02:44:25 -0700", quotes included, in local time (RFC 3501 date-time). */
void imap_put_date_time(struct imap_output *, time_t);
/* sequence-set syntax: 1:5,7 */
void imap_put_set(struct imap_output *, struct set const *);

/* ---- parse.c ---- */

/* What may stand in a string: 8-bit bytes in quoted strings and literals (what they mean is for the
 * caller to say), never NUL, CR and LF only in literals. */

/* A counted string; always followed by a NUL that is not counted and
 * never within. */
struct imap_bytes {
  char *data;
  size_t size;
};

struct imap_parser {
  struct imap_input *in;
  struct imap_output *out; /* for "+ " continuation requests, which also flush it */
  struct arena *arena;
  size_t left;       /* bytes this command may still take into memory; set by imap_command_begin */
  size_t max_size;   /* what left starts with */
  char const *error; /* after a failure: words for a BAD response; null if the input ended */
  /* The command was not read to its end: imap_command_skip is needed before the next. */
  bool unfinished;
  /* The client will send bytes that nobody can tell from commands (a non-synchronizing literal too
   * large to skip): say BYE and close. */
  bool hopeless;
};

void imap_parser_init(struct imap_parser *, struct imap_input *, struct imap_output *,
                      struct arena *, size_t max_size);
/* Before each command. */
void imap_command_begin(struct imap_parser *);
/* After a command that failed to parse: reads on to its end, through non-synchronizing literals,
 * IMAP_SKIP_MAX bytes in all; `hopeless` is set beyond.  Synchronizing literals are not asked for.
 * Does nothing unless `unfinished`, so it may be called after every command. */
void imap_command_skip(struct imap_parser *);
enum {
  IMAP_SKIP_MAX = 64 << 20
}; /* a large message, refused, still costs less than a new session */

/* All of these take what they parse and return true; on false p->error says what was expected, and
 * the position is unspecified. */
enum { IMAP_TAG_MAX = 100 }; /* clients use under 20; it is repeated in every answer */
bool imap_parse_tag(struct imap_parser *, char **tag); /* 1*<any ASTRING-CHAR except "+"> */
bool imap_parse_space(struct imap_parser *);
bool imap_parse_end(struct imap_parser *); /* CRLF; a bare LF is taken for one */
bool imap_parse_char(struct imap_parser *, char c);
/* 1*ATOM-CHAR.  Command names, keywords. */
bool imap_parse_atom(struct imap_parser *, char **atom);
/* Characters up to a blank, parenthesis, bracket or the end, for FETCH items and the like. */
bool imap_parse_word(struct imap_parser *, char **word);
bool imap_parse_astring(struct imap_parser *, struct imap_bytes *);
bool imap_parse_string(struct imap_parser *, struct imap_bytes *);
/* data is null for NIL. */
bool imap_parse_nstring(struct imap_parser *, struct imap_bytes *);
/* LIST's pattern: astring whose atom form allows % and *. */
bool imap_parse_list_mailbox(struct imap_parser *, struct imap_bytes *);
bool imap_parse_number(struct imap_parser *, uint32_t *);
bool imap_parse_nz_number(struct imap_parser *, uint32_t *);
bool imap_parse_number64(struct imap_parser *, uint64_t *);
/* "\" atom or atom, as written. */
bool imap_parse_flag(struct imap_parser *, char **flag);
/* Unquoted or quoted date: days since 1970-01-01. */
bool imap_parse_date(struct imap_parser *, int32_t *day);
/* date-time with its quotes. */
bool imap_parse_date_time(struct imap_parser *, time_t *);
/* The header of a literal or literal8 that the caller streams with imap_input_literal: does not
 * send the continuation request.  Its bytes do not count against `left`: the caller limits them. */
struct imap_literal {
  uint64_t size; /* UINT64_MAX also for anything larger */
  bool synchronizing;
  bool binary; /* literal8, "~{" */
};
bool imap_parse_literal_header(struct imap_parser *, struct imap_literal *);
/* Begins to read it: asks for a synchronizing one, sets in->literal_left. */
void imap_literal_accept(struct imap_parser *, struct imap_literal const *);
/* The next byte, not taken; -1 at the input's end or when the command has used up `left`; '\r' or
 * '\n' at the line's end. */
int imap_parse_peek(struct imap_parser *);
/* Sets p->error (to other words if the command is too long, to null if the input has ended) and
 * returns false.  words are not copied. */
bool imap_parse_fail(struct imap_parser *, char const *words);
/* RFC 3501 ATOM-CHAR. */
bool imap_is_atom_char(int c);

/* ---- sequence.c ---- */

/* A sequence-set as written: ranges in order, "*" as IMAP_STAR, "$" (RFC 5182) as saved. */
enum { IMAP_STAR = 0 };
struct imap_sequence {
  struct range *ranges; /* first and last as written: either may be the larger, or IMAP_STAR */
  size_t n;
  bool saved;
};
bool imap_parse_sequence(struct imap_parser *, struct imap_sequence *);
/* The numbers it names when the largest number in use is `largest` (0: mailbox empty; then only
 * what does not mention "*" stays).  Numbers above `largest` are kept: it is the caller who knows
 * whether that is an error (sequence numbers) or not (UIDs). */
void imap_sequence_resolve(struct imap_sequence const *, uint32_t largest, struct set *);

/* ---- name.c ---- */

/* Whether this is right modified UTF-7: canonical, no 8-bit, no control characters. */
bool imap_name_valid(char const *name);
/* Conversions; null if the input is not valid. */
char *imap_name_to_utf8(char const *name, struct arena *);
char *imap_name_from_utf8(char const *utf8, struct arena *);

/* ---- date.c ---- */

/* Days since 1970-01-01 of a date of the Gregorian calendar; any month 1-12. */
int32_t day_from_date(int year, int month, int day);
/* The local date on which t falls, as days since 1970-01-01 (what BEFORE, ON, SINCE compare). */
int32_t day_of_time(time_t t);
/* Local time less UTC at t, in seconds, whole minutes; remembered, so that asking for many is
 * cheap. */
int32_t zone_offset(time_t t);
/* Reads the time zone's file, which the first call of others would: to be called before
 * confinement.  A summer time that TZ names without saying when is that of the United States, as
 * glibc has it; musl takes it for summer all year. */
void zone_open(void);
/* "17-Jul-1996 02:44:25 -0700" in local time, exactly so many bytes, no NUL. */
enum { IMAP_DATE_TIME_SIZE = 26 };
void date_time_format(char *buf, time_t t);
/* "01-Jan-2004" (1 or 2 digits of day) and the date-time inside the quotes. */
bool date_parse(char const *text, size_t size, int32_t *day);
bool date_time_parse(char const *text, size_t size, time_t *t);

#endif
