/* What the files of this library share and nobody else sees. */
#ifndef MESSAGE_INTERNAL_H
#define MESSAGE_INTERNAL_H

#include "message/message.h"

#include <string.h>
#include <strings.h>

/* Buffer for reading a file: large enough that the system call is lost in the noise, small enough
 * to stay in the cache. */
enum { READ_CHUNK = 32 * 1024 };

/* What stands for a NUL, which no IMAP string may hold (RFC 3501 section 9, CHAR8): same size, so
 * that every offset stays true. */
#define NUL_SUBSTITUTE ((char)0x80)

static inline bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Names are looked for among many: mostly the first letter says that it is another. */
static inline bool same_name(char const *a, size_t size, char const *b) {
  if (size && (*a | 32) != (*b | 32)) return false;
  return strlen(b) == size && !strncasecmp(a, b, size);
}

/* ---- string.c ---- */
/* Append, or end the process as arena_alloc does when memory is gone. */
void sa_add(stralloc *, char const *data, size_t size);
void sa_puts(stralloc *, char const *string);
void sa_putc(stralloc *, char c);
/* Room for `size` bytes more; returns where they go.  The caller adds to len what it wrote. */
char *sa_room(stralloc *, size_t size);
void replace_nuls(char *data, size_t size);
/* An IMAP nstring: NIL for null, else quoted, or a literal where that cannot be. */
void nstring_put(stralloc *, char const *string_or_null);
void nstring_put_n(stralloc *, char const *string, size_t size);
void sa_put_number(stralloc *, uint64_t);

/* ---- file reading, crlf.c ---- */
/* As message_copy_wire, all of it and with its NULs. */
int copy_with_nuls(int fd, uint64_t start, uint64_t end, message_sink *, void *context);
/* The bytes as they are in the file. */
int copy_raw(int fd, uint64_t start, uint64_t end, message_sink *, void *context);

/* ---- lines.c ---- */
struct line_ends {
  size_t all, crlf; /* LFs; of them, those behind a CR */
};
struct line_ends count_line_ends(char const *data, size_t size, char before);

/* ---- section.c ---- */
/* The part after this one in the message's order, down and up through the tree; null at its end. */
struct message_part const *part_after(struct message_part const *);

/* ---- header.c ---- */
/* message_next_field in two steps, for those who pass over most: where it stands, and what it is.
 */
bool next_field(char const *header, size_t size, size_t *at, struct message_field *);
void field_split(struct message_field *);
/* Removes folding and outer blanks; a NUL-ended copy in the arena. */
char *field_unfold(char const *value, size_t size, struct arena *);

/* ---- parameter.c ---- */
/* Blanks, line ends and comments (RFC 5322 section 3.2.2). */
char const *skip_blanks_and_comments(char const *at, char const *end);
/* A token (RFC 2045 section 5.1), perhaps empty; *at moves behind it. */
char *take_token(char const **at, char const *end, struct arena *);
/* The parameters that follow a content type or disposition. */
struct message_param *params_parse(char const *at, char const *end, struct arena *);
char const *param_value(struct message_param const *, char const *name);
/* A list of tokens between commas; null-ended, null if there is none. */
char const **languages_parse(char const *value, size_t size, struct arena *);

/* ---- transfer.c: decoding as a stream; zero-initialised but for encoding ---- */
enum { QP_HELD_MAX = 80 }; /* RFC 2045 section 6.7: no line is longer than 76 */
enum transfer_encoding { TRANSFER_IDENTITY, TRANSFER_BASE64, TRANSFER_QUOTED_PRINTABLE };
struct transfer {
  enum transfer_encoding encoding;
  uint32_t bits;          /* base64: what has come of four characters */
  unsigned int nbits;     /* base64: how many bits of it */
  char held[QP_HELD_MAX]; /* quoted-printable: an unfinished escape, or blanks at a line's end */
  size_t nheld;
};
enum transfer_encoding transfer_by_name(char const *name_or_null);
/* Whether RFC 2045 has this encoding; null: yes, 7bit. */
bool transfer_known(char const *name_or_null);
/* Appends what `size` more bytes decode to; last: and what was held. */
void transfer_decode(struct transfer *, stralloc *out, char const *data, size_t size, bool last);

/* ---- charset.c: converting as a stream ---- */
enum charset_kind {
  CHARSET_LENIENT, /* US-ASCII and undeclared: UTF-8, whatever is not taken for ISO-8859-1 */
  CHARSET_UTF8,
  CHARSET_LATIN1,
  CHARSET_LATIN9,
  CHARSET_WINDOWS_1252,
  CHARSET_FOREIGN, /* charsetd's */
  CHARSET_UNKNOWN,
};
enum { CHARSET_NAME_MAX = 64 }; /* IANA allows 40; aliases with //TRANSLIT and such are refused */
struct charset {
  enum charset_kind kind;
  char name[CHARSET_NAME_MAX + 1];
  bool started; /* CHARSET_FOREIGN: charsetd knows of this text */
  char tail[4]; /* CHARSET_UTF8, _LENIENT: a character's first bytes */
  size_t ntail;
};
/* False, and then kind is CHARSET_UNKNOWN, if nobody here knows the name. */
bool charset_open(struct charset *, char const *name);
/* Whether it is UTF-8 as it stands: ASCII, and nothing is held from before. */
bool charset_is_plain(struct charset const *, char const *data, size_t size);
void charset_convert(struct charset *, stralloc *out, char const *data, size_t size, bool last);
/* That of a part of text; what is not declared or not known is taken for US-ASCII, leniently. */
void charset_of_part(struct charset *, struct message_part const *);
/* The character that a byte is in a charset of single bytes. */
int32_t charset_character(enum charset_kind, unsigned char byte);

/* ---- helper.c: charsetd's side that runs in this process ---- */
bool helper_knows(char const *charset);
/* first: a new text begins.  False if charsetd failed; nothing was appended. */
bool helper_convert(char const *charset, bool first, bool last, stralloc *out, char const *data,
                    size_t size);

/* ---- excerpt.c: the first characters of a text that are worth showing ---- */
enum { EXCERPT_LINE_MAX = 256 }; /* characters by which a line is judged */
/* Text with its blanks collapsed. */
struct excerpt_text {
  stralloc utf8;
  unsigned int characters;
  bool blank; /* before the next character */
};
/* A line of one's own words, as far as it is in `own`. */
struct excerpt_line {
  size_t start;
  unsigned int characters; /* before it */
  bool digit;              /* it holds one */
  bool colon;              /* it ends in one */
};
/* Zero-initialised is empty. */
struct excerpt {
  struct excerpt_text own, quoted;
  int32_t line[EXCERPT_LINE_MAX];
  size_t n;
  bool continued;                   /* what was before `line` in its line has been dealt with */
  bool line_quoted;                 /* and was found to be quoted */
  bool in_quote;                    /* set by those who know of other marks than `>` */
  bool signed_header;               /* within the first lines of an OpenPGP signed message */
  bool rest_quoted;                 /* what follows is somebody else's message */
  bool ended;                       /* nothing worth showing follows */
  struct excerpt_line last, before; /* lines of a paragraph; colon false: none */
  bool in_paragraph;
};
void excerpt_add(struct excerpt *, int32_t character);
void excerpt_end_line(struct excerpt *);
/* Whether no more is wanted. */
bool excerpt_done(struct excerpt const *);
/* Ends the last line and appends what there is: one's own words, else quoted ones. */
void excerpt_take(struct excerpt *, stralloc *out);

/* ---- html.c, entity.c: the text of HTML, a character at a time ---- */
enum { HTML_NAME_MAX = 12, HTML_REFERENCE_MAX = 12 }; /* no name that matters is longer */
enum html_state {
  HTML_TEXT,
  HTML_OPENED,
  HTML_NAME,
  HTML_TAG,
  HTML_VALUE,
  HTML_QUOTED,
  HTML_UNQUOTED,
  HTML_DECLARATION,
  HTML_COMMENT,
  HTML_REFERENCE,
  HTML_RAW,
  HTML_RAW_END,
};
struct html {
  enum html_state state;
  char name[HTML_NAME_MAX + 1]; /* of the tag, in small letters */
  size_t nname;
  bool closing; /* it is an end tag */
  int32_t quote;
  unsigned int dashes;                    /* `-` in a row, in a declaration or comment */
  char reference[HTML_REFERENCE_MAX + 1]; /* behind the `&` */
  size_t nreference;
  char raw[HTML_NAME_MAX + 1]; /* the element whose content is no text */
  unsigned int quotes;         /* open blockquotes */
};
void html_add(struct html *, struct excerpt *, int32_t character);
void html_end(struct html *, struct excerpt *);
/* The character that stands for what is between `&` and `;`; -1: none. */
int32_t entity_character(char const *name);

/* ---- find.c ---- */
/* Bytes to be found, prepared; not copied. */
struct wanted {
  char const *text;
  size_t size;
  size_t first, second; /* where its rarest bytes are */
};
void wanted_init(struct wanted *, char const *text, size_t size);
/* The first place where it is; null: none.  What is empty is in everything. */
char const *wanted_at(struct wanted const *, char const *data, size_t size);
bool wanted_in(struct wanted const *, char const *data, size_t size);

/* ---- fold.c: i;unicode-casemap (RFC 5051), as far as utf8proc goes ---- */
/* Appends the folded form of whole UTF-8 characters; bytes that are none are kept.  CR is left out,
 * so that line ends compare equal whatever the file has. */
void casemap_fold(stralloc *out, char const *utf8, size_t size);

/* Makes one blank of each run of blanks in bytes from `start` on: where a header's line was folded
 * is no matter to who searches. */
void collapse_blanks(stralloc *, size_t start);
/* Appends the lines of a field without their ends, folded, outer blanks removed, blanks collapsed.
 * False, and nothing is appended, if it is not all ASCII. */
bool fold_lines(stralloc *, char const *lines, size_t size);

enum { NEEDLE_GRAMS_MAX = 32 }; /* more exclude nothing more */
struct needle_form {
  struct wanted folded;
  unsigned int ntrigrams, npairs;
  uint16_t trigrams[NEEDLE_GRAMS_MAX], pairs[NEEDLE_GRAMS_MAX]; /* signature.c's numbers */
};
struct message_needle {
  struct needle_form body, header; /* header: with its blanks collapsed */
};

/* ---- signature.c ---- */
enum { TRIGRAM = 3 };
/* Those of text that is in one piece.  Text that goes on is given again from its last two bytes. */
void grams_add(struct gram_set *, char const *folded, size_t size);
/* Sets those of a needle whose text is there. */
void needle_grams(struct needle_form *);

#endif
