/* message: one message.  Bytes in, facts out: header, MIME tree, ENVELOPE, BODYSTRUCTURE, text for
 * searching.  Nothing here knows of folders, flags or the network.
 *
 *   parse.c          the MIME tree, in one pass, from bytes as they are read (RFC 5322, 2045, 2046)
 *   header.c         fields of a header: finding, unfolding
 *   parameter.c      Content-Type, Content-Disposition and their parameters (RFC 2045, 2231)
 *   address.c        address lists (RFC 5322 section 3.4, obsolete forms too)
 *   date.c           Date: fields (RFC 5322 section 3.3)
 *   word.c           encoded words (RFC 2047)
 *   charset.c        charsets to UTF-8
 *   helper.c         charsetd(8), which converts what charset.c does not
 *   transfer.c       base64 and quoted-printable, decoding as a stream
 *   envelope.c       the ENVELOPE response (RFC 3501 section 7.4.2)
 *   bodystructure.c  the BODY and BODYSTRUCTURE responses
 *   section.c        what BODY[section] names, as ranges of the file
 *   crlf.c           line ends: sizes and copying as CRLF; lines.c: counting them
 *   decode.c         bodies without their transfer encoding (RFC 3516)
 *   encode.c         messages with binary bodies, made fit to be kept (RFC 3516)
 *   preview.c        the first words of a message (RFC 8970); excerpt.c: which of its lines,
 *                    html.c and entity.c: the text of HTML
 *   fold.c           comparison without case (RFC 5051)
 *   text.c           searching in what a reader of the message would see
 *   signature.c      what is certainly not found there, or certainly is
 *   subject.c        base subjects, collate.c: what else SORT compares (RFC 5256, 5957)
 *   reference.c      message IDs
 *   string.c         IMAP strings (RFC 3501 section 9); find.c: bytes within bytes
 *   version.c        which of all these understandings this is
 *
 * and, declared in thread.h, threads of many messages.
 *
 * A message file holds lines ended by LF or CRLF, in any mix; in IMAP every line ends in CRLF.
 * "Raw" sizes and offsets count bytes of the file, "wire" sizes bytes after each bare LF has become
 * CRLF (a bare CR stays as it is).  NULs, which no IMAP string may hold, become 0x80 in everything
 * that is given out; sizes and offsets are not touched by that.
 *
 * Every byte sequence is a message: no function here fails because of what a message holds.  -1
 * with errno is always the system's failure (read error, out of memory).
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "base/base.h"

#include <time.h>
#include <skalibs/stralloc.h>

/* ---- parse.c ---- */

/* Limits.  A multipart or message beyond depth or number becomes opaque: a leaf, a
 * message/rfc822 with the type application/octet-stream, since BODYSTRUCTURE would have to look
 * into it.  So does a part whose header is too much.  Once there are MESSAGE_MAX_PARTS, what
 * follows in an open multipart is as its epilogue. */
enum {
  MESSAGE_MAX_PARTS = 10000,    /* real mail has dozens; a tree this size costs megabytes */
  MESSAGE_MAX_DEPTH = 100,      /* nesting; every level costs a boundary to compare with */
  MESSAGE_MAX_HEADER = 1 << 20, /* bytes of one header kept for facts; the rest is body-like text */
  MESSAGE_MAX_HEADERS = 4 << 20, /* bytes of headers that are understood, of all parts: what is kept
                                    of them, and told, can be many times as much */
  MESSAGE_MAX_ADDRESSES = 4 << 20, /* bytes of a response: behind them it has no more addresses, of
                                      which two bytes become fifty */
  MESSAGE_MAX_BOUNDARY = 250,      /* RFC 2046 says 70; some exceed it */
};

struct message_param {
  char const *name;  /* as written */
  char const *value; /* RFC 2231 continuations joined; charset'd values kept as written */
  struct message_param *next;
};

/* A body part.  The root is the message itself. */
struct message_part {
  struct message_part *parent, *next,
      *child;                             /* child of message/rfc822: the inner message's root */
  unsigned int number;                    /* among its siblings, from 1 */
  uint64_t header_start, body_start, end; /* raw offsets in the file; end excludes the line end
                                             that belongs to the following boundary */
  uint64_t header_wire, body_wire;        /* wire sizes; the header's includes its empty line */
  uint64_t lines;                         /* line ends in the body, wire */
  char const *type, *subtype;             /* as written, "text"/"plain" by default; the default
                                             in multipart/digest is message/rfc822 */
  struct message_param *params;
  char const *id, *description, *encoding; /* null where there is no such field */
  char const *md5, *location;
  char const *disposition;
  struct message_param *disposition_params;
  char const **languages; /* null-ended, or null */
  bool is_multipart;      /* has a boundary, was looked into; child may be null even so */
  bool is_message;        /* is a message/rfc822 or message/global and has a child */
  /* For a root only (the message, or the child of an is_message part): its header, raw, unparsed,
   * for the envelope; up to MESSAGE_MAX_HEADER bytes.  Never null. */
  char const *header;
  size_t header_size;
};

/* The push parser: bytes as they are read, in chunks of any size.  Everything lives in the arena.
 */
struct message_parser;
struct message_parser *message_parser_new(struct arena *);
void message_parser_feed(struct message_parser *, void const *data, size_t size);
struct message_part *message_parser_finish(struct message_parser *);
/* All of an open file, by pread from offset 0 in chunks; -1 on a read error. */
int message_parse_file(int fd, struct arena *, struct message_part **root);
/* Only the top header: reads no further than its end.  The root has no children and no body sizes.
 */
int message_parse_header(int fd, struct arena *, struct message_part **root);

/* ---- header.c ---- */

/* Iterates over the fields of a raw header: *at moves from 0.  name is not NUL-ended; value is what
 * stands after the colon, folding included, without the final line end; field spans the whole
 * field, line ends included. */
struct message_field {
  char const *name, *value, *field;
  size_t name_size, value_size, field_size;
};
bool message_next_field(char const *header, size_t size, size_t *at, struct message_field *);
/* The value of the first field of that name (case-insensitive), unfolded, outer blanks removed, in
 * the arena; null if there is none. */
char *message_header_get(char const *header, size_t size, char const *name, struct arena *);

/* ---- envelope.c, bodystructure.c ---- */

/* Append the parenthesized response value, ready for the wire (literals included where needed). */
void message_put_envelope(stralloc *out, struct message_part const *root);
/* extended: BODYSTRUCTURE; otherwise BODY. */
void message_put_bodystructure(stralloc *out, struct message_part const *root, bool extended);

/* ---- section.c ---- */

enum message_section_kind {
  SECTION_ALL,               /* BODY[] or BODY[1.2] */
  SECTION_HEADER,            /* HEADER */
  SECTION_HEADER_FIELDS,     /* HEADER.FIELDS (...) */
  SECTION_HEADER_FIELDS_NOT, /* HEADER.FIELDS.NOT (...) */
  SECTION_TEXT,              /* TEXT */
  SECTION_MIME,              /* 1.2.MIME */
};

struct message_section {
  enum message_section_kind kind;
  uint32_t *path; /* part numbers */
  size_t depth;
  char const **fields; /* names for the FIELDS kinds */
  size_t nfields;
};

/* What a section names. */
struct message_extent {
  bool exists;         /* false: no such part: NIL */
  bool in_memory;      /* the FIELDS kinds: `data` holds it, CRLF line ends, with the empty line */
  uint64_t start, end; /* raw offsets, otherwise */
  uint64_t wire;       /* its size on the wire */
  char const *data;
  struct message_part const *part; /* whose body it is; null: the message or a header */
};
/* fd is read for headers that the tree did not keep.  RFC 3501 section 6.4.5: part 1 of a message
 * that is no multipart is its body. */
int message_section_find(int fd, struct message_part const *root, struct message_section const *,
                         struct arena *, struct message_extent *);
/* What HEADER.FIELDS is made of.  A field in CRLF form, appended; a last line without line end gets
 * one. */
void message_put_field(stralloc *out, struct message_field const *);
/* Whether an empty line ends the header of a root, after the fields (as message_next_field has
 * moved its position). */
bool message_header_ends(struct message_part const *root, size_t after_fields);

/* ---- crlf.c ---- */

/* Size in CRLF form of the bytes start..end of fd. */
int message_wire_size(int fd, uint64_t start, uint64_t end, uint64_t *wire);
/* Copies start..end of fd in CRLF form: skips `skip` wire bytes, then gives `count` of them to sink
 * in chunks.  Stops early if sink returns false.  If the file is shorter than promised, returns -1
 * with EIO. */
typedef bool message_sink(void *context, char const *data, size_t size);
int message_copy_wire(int fd, uint64_t start, uint64_t end, uint64_t skip, uint64_t count,
                      message_sink *sink, void *context);

/* ---- decode.c ---- */

/* An extent as FETCH BINARY sees it: in CRLF form but with its NULs, and then its part's transfer
 * encoding taken away.  What is broken in that is read as transfer.c says. */
/* Whether that can be done: not if the encoding is unknown, or the part holds other parts (RFC 9051
 * section 6.4.5). */
bool message_can_decode(struct message_extent const *);
/* The decoded size, and whether a NUL is among the bytes skip..skip+count. */
int message_decoded_size(int fd, struct message_extent const *, uint64_t skip, uint64_t count,
                         uint64_t *size, bool *has_nul);
/* As message_copy_wire; skip and count are of decoded bytes. */
int message_copy_decoded(int fd, struct message_extent const *, uint64_t skip, uint64_t count,
                         message_sink *, void *context);

/* ---- encode.c ---- */

/* Gives the message to sink in a form that survives being kept as lines and being sent in
 * literals.  A body that holds NULs, or one of the encoding `binary` that holds CR or LF on its
 * own, becomes base64; otherwise what is called `binary` is called `8bit`.  Nothing else is changed
 * (RFC 3516 sections 4.4 and 6), least of all what nobody could tell from its encoded form: NULs in
 * headers, between parts, and where MESSAGE_MAX_HEADER is exceeded, stay. */
int message_copy_encoded(int fd, struct message_part const *root, message_sink *, void *context);

/* ---- preview.c ---- */

enum { MESSAGE_PREVIEW_MAX = 200 }; /* characters: RFC 8970 section 3.3 */
/* Appends the first words of a message, UTF-8 without line ends; nothing if it has none.  May start
 * charsetd(8), as charset_to_utf8 below. */
int message_put_preview(stralloc *out, int fd, struct message_part const *root);

/* ---- address.c, date.c, word.c, charset.c ---- */

struct message_address {
  char const *name;    /* display name, quoting removed, still encoded words; null if none */
  char const *route;   /* source route (at-domain-list), null if none */
  char const *mailbox; /* local part; for a group's start its name; null at a group's end;
                          empty if it is missing */
  char const *host;    /* null at a group's start and end; empty if it is missing */
  struct message_address *next;
};
struct message_address *message_parse_addresses(char const *value, size_t size, struct arena *);
/* A Date: field.  *t is the moment; *day the date as written, without regard to zone, in days since
 * 1970-01-01 (what SENTBEFORE, SENTON, SENTSINCE compare, RFC 3501 section 6.4.4). */
bool message_parse_date(char const *value, size_t size, time_t *t, int32_t *day);
/* Decodes encoded words of an unfolded value to UTF-8 (appended); unknown charsets stay as they
 * are.  8-bit bytes that are not UTF-8 are taken for ISO-8859-1. */
void message_decode_words(stralloc *out, char const *value, size_t size);
/* Converts to UTF-8, appended; what cannot be converted becomes U+FFFD (US-ASCII with 8-bit bytes
 * is read as above).  False if the charset is not known here; then nothing is appended.  May start
 * charsetd(8), which needs socketpair, fork and exec, and leaves a child that ends with us. */
bool charset_to_utf8(stralloc *out, char const *charset, char const *data, size_t size);
/* Whether SEARCH CHARSET can take it. */
bool charset_known(char const *charset);

/* ---- subject.c, collate.c, reference.c: values are raw, folding and encoded words included ----
 */

/* Appends the base subject (RFC 5256 section 2.1), folded for comparison (RFC 5051).  Whether it is
 * that of a reply or a forward. */
bool message_put_base_subject(stralloc *out, char const *value, size_t size);
/* Appends what SORT compares of an address list, folded: the first address's mailbox (RFC 5256
 * section 3) or what is displayed of it (RFC 5957 section 3).  False if there is no address. */
bool message_put_address_key(stralloc *out, char const *value, size_t size, bool display);
/* The message IDs of a value, one after another: begun with where it begins and ends. */
struct message_ids {
  char const *at, *end;
  bool quotes_end; /* no more quotes are closed; likewise comments: looked for only once */
  bool comments_end;
};
/* Appends the next valid one without its brackets, normalised. */
bool message_next_id(struct message_ids *, stralloc *id);

/* ---- text.c ---- */

/* A search string prepared once: UTF-8, folded for comparison without case. */
struct message_needle;
/* null if text is not valid UTF-8.  An empty needle is in everything. */
struct message_needle *message_needle_new(char const *utf8, size_t size, struct arena *);
/* Whether a header value (raw, folded) holds it, encoded words decoded; a run of blanks counts as
 * one, in the needle too. */
bool message_value_matches(struct message_needle const *, char const *value, size_t size);
/* The same in two steps.  Appends what a header value is compared as; it holds no byte 0xff, which
 * is in no needle either, so that it can stand between values. */
void message_put_folded(stralloc *, char const *value, size_t size);
bool message_folded_matches(struct message_needle const *, char const *folded, size_t size);
/* How often charsetd gave no answer since the process began.  While it stays as it is, what was
 * decoded is what will be decoded next time: a charset that charsetd says it does not know is
 * unknown for good. */
unsigned long message_charset_silences(void);
/* Where a message's bytes are. */
struct message_bytes {
  char const *data; /* all of them, or null: in the file */
  size_t size;
  int fd;
};
struct message_grams; /* below */
/* Whether the decoded text parts hold it; with_header: the headers, of all parts, too (TEXT as
 * opposed to BODY).  Bounded memory.  Header fields match as `Name: decoded value`, one at a time.
 * 1, 0, or -1 on a read error.  With grams (or null), those of all text and all headers are added:
 * nothing is passed over. */
int message_text_matches(struct message_bytes const *, struct message_part const *root,
                         bool with_header, struct message_needle const *, struct message_grams *);

/* ---- signature.c ---- */

enum {
  LETTERS = 27,                                    /* of ASCII, and all other bytes as one */
  PAIRS_ROOM = (LETTERS * LETTERS + 63) / 64 * 64, /* whole words of bits come of them */
};
/* The strings of three bytes, as hashes, and of two letters that there are in some text. */
struct gram_set {
  uint32_t n;
  uint16_t hashes[(1 << 16) + 1]; /* as they were found; one more is written to, not counted */
  uint8_t seen[1 << 16];          /* `round`: it is among them */
  uint8_t round;
  uint8_t pairs[PAIRS_ROOM];
};
/* Those in a message's text. */
struct message_grams {
  struct gram_set body, header;
};
/* For the first time they are zeros before. */
void message_grams_clear(struct message_grams *);
/* At most 16 KiB + 200, mostly a seventh of the mail. */
void message_put_signature(stralloc *out, struct message_grams const *);
/* What message_text_matches would say, and maybe has to. */
enum message_hint { MESSAGE_LACKS, MESSAGE_MAY_HOLD, MESSAGE_HOLDS };
/* A signature that makes no sense excludes nothing. */
enum message_hint message_signature_hint(struct message_needle const *, bool with_header,
                                         char const *signature, size_t size);

/* ---- version.c ---- */

/* Raised by who changes anything that is said of a message: its structure, fields, addresses,
 * dates, what is decoded or folded, signatures, previews.  tests/message/version.c notices. */
enum { MESSAGE_VERSION = 3 };
/* Differs between programs that say otherwise, or know other characters. */
uint32_t message_version(void);

#endif
