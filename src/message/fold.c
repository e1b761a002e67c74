/* Comparison without case: i;unicode-casemap (RFC 5051), as near as utf8proc comes.
 *
 * A character becomes its titlecase (the simple, one-to-one mapping), then its decomposition, and
 * what that gives is treated likewise.  As in the RFC, Hangul syllables stay whole (UnicodeData.txt
 * lists no decomposition for them) and combining marks are not reordered.  Two differences: the
 * Unicode version is utf8proc's, and CR is left out. */
#include "message/internal.h"

#include <utf8proc.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { DECOMPOSED_MAX = 32 }; /* U+FDFA is the longest, with 18 */

static void append_character(stralloc *out, utf8proc_int32_t c) {
  utf8proc_uint8_t utf8[4];
  sa_add(out, (char *)utf8, (size_t)utf8proc_encode_char(c, utf8));
}

static bool is_hangul_syllable(utf8proc_int32_t c) {
  return c >= 0xac00 && c <= 0xd7a3;
}

static void fold_character(stralloc *out, utf8proc_int32_t c) {
  c = utf8proc_totitle(c);
  utf8proc_int32_t parts[DECOMPOSED_MAX];
  utf8proc_ssize_t n = 0;
  if (!is_hangul_syllable(c))
    n = utf8proc_decompose_char(c, parts, DECOMPOSED_MAX, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, 0);
  if (n <= 0 || n > DECOMPOSED_MAX) {
    append_character(out, c);
    return;
  }
  for (utf8proc_ssize_t i = 0; i < n; i++) append_character(out, utf8proc_totitle(parts[i]));
}

static char upper(char c) {
  return (char)(c - ((unsigned char)((unsigned char)c - 'a') < 26 ? 32 : 0));
}

#ifdef __SSE2__
enum { WIDTH = sizeof(__m128i) };

/* Upper case, sixteen bytes at a time, up to the first that has some not in ASCII, or a CR. */
static size_t fold_plain(char *to, char const *text, size_t size) {
  __m128i const cr = _mm_set1_epi8('\r'), before_a = _mm_set1_epi8('a' - 1),
                after_z = _mm_set1_epi8('z' + 1), bit = _mm_set1_epi8(32);
  size_t i = 0;
  for (; size - i >= WIDTH; i += WIDTH) {
    __m128i c = _mm_loadu_si128((__m128i const *)(text + i));
    if (_mm_movemask_epi8(_mm_or_si128(c, _mm_cmpeq_epi8(c, cr)))) break;
    __m128i small = _mm_and_si128(_mm_cmpgt_epi8(c, before_a), _mm_cmplt_epi8(c, after_z));
    _mm_storeu_si128((__m128i *)(to + i), _mm_xor_si128(c, _mm_and_si128(small, bit)));
  }
  return i;
}
#else
static size_t fold_plain(char *to, char const *text, size_t size) {
  (void)to;
  (void)text;
  (void)size;
  return 0;
}
#endif

/* Upper case, CR left out; returns how much was ASCII. */
static size_t fold_ascii(stralloc *out, char const *text, size_t size) {
  char *at = sa_room(out, size), *start = at;
  size_t i = 0;
  while (i < size && !(text[i] & 0x80)) {
    size_t n = fold_plain(at, text + i, size - i), stop = i + n + 16 < size ? i + n + 16 : size;
    i += n, at += n;
    for (; i < stop && !(text[i] & 0x80); i++) {
      *at = upper(text[i]);
      at += text[i] != '\r';
    }
  }
  out->len += (size_t)(at - start);
  return i;
}

void casemap_fold(stralloc *out, char const *text, size_t size) {
  while (size) {
    size_t n = fold_ascii(out, text, size);
    text += n, size -= n;
    while (size && *text & 0x80) {
      utf8proc_int32_t c;
      utf8proc_ssize_t step =
          utf8proc_iterate((utf8proc_uint8_t const *)text, (utf8proc_ssize_t)size, &c);
      if (step > 0)
        fold_character(out, c);
      else
        sa_putc(out, *text), step = 1;
      text += step, size -= (size_t)step;
    }
  }
}

static bool is_utf8(char const *text, size_t size) {
  while (size) {
    utf8proc_int32_t c;
    utf8proc_ssize_t step =
        utf8proc_iterate((utf8proc_uint8_t const *)text, (utf8proc_ssize_t)size, &c);
    if (step <= 0) return false;
    text += step, size -= (size_t)step;
  }
  return true;
}

/* Where a blank is that is not a single ' ', or the end. */
static size_t odd_blank(char const *text, size_t size) {
  size_t i = 0;
#ifdef __SSE2__
  __m128i const space = _mm_set1_epi8(' '), below = _mm_set1_epi8(' ' - 1);
  for (; size - i > WIDTH; i += WIDTH) {
    __m128i c = _mm_loadu_si128((__m128i const *)(text + i)),
            next = _mm_loadu_si128((__m128i const *)(text + i + 1));
    __m128i is_double = _mm_and_si128(_mm_cmpeq_epi8(c, space), _mm_cmpeq_epi8(next, space));
    __m128i lower = _mm_min_epu8(c, next),
            is_control = _mm_cmpeq_epi8(_mm_min_epu8(lower, below), lower);
    if (_mm_movemask_epi8(_mm_or_si128(is_double, is_control))) break;
  }
#endif
  while (i < size &&
         (!is_blank(text[i]) || (text[i] == ' ' && (i + 1 == size || !is_blank(text[i + 1])))))
    i++;
  return i;
}

void collapse_blanks(stralloc *text, size_t start) {
  size_t from = start, to = start;
  while (from < text->len) {
    size_t n = odd_blank(text->s + from, text->len - from);
    memmove(text->s + to, text->s + from, n);
    from += n, to += n;
    if (from == text->len) break;
    while (from < text->len && is_blank(text->s[from])) from++;
    text->s[to++] = ' ';
  }
  text->len = to;
}

bool fold_lines(stralloc *out, char const *lines, size_t size) {
  size_t start = out->len;
  char const *at = lines, *end = lines + size;
  for (;;) {
    bool blank = false;
    for (; at < end && is_blank(*at); at++) blank |= *at == ' ' || *at == '\t';
    if (at == end) break;
    if (blank && out->len > start) sa_putc(out, ' ');
    char const *lf = memchr(at, '\n', (size_t)(end - at)), *line_end = lf ? lf : end;
    if (fold_ascii(out, at, (size_t)(line_end - at)) < (size_t)(line_end - at)) {
      out->len = start;
      return false;
    }
    at = line_end;
  }
  collapse_blanks(out, start);
  if (out->len > start && out->s[out->len - 1] == ' ') out->len--;
  return true;
}

static void form_init(struct needle_form *form, stralloc const *folded, struct arena *arena) {
  wanted_init(&form->folded, arena_copy(arena, folded->s ? folded->s : "", folded->len),
              folded->len);
  needle_grams(form);
}

struct message_needle *message_needle_new(char const *utf8, size_t size, struct arena *arena) {
  if (!is_utf8(utf8, size)) return 0;
  stralloc folded = STRALLOC_ZERO;
  casemap_fold(&folded, utf8, size);
  struct message_needle *needle = arena_alloc(arena, sizeof *needle);
  form_init(&needle->body, &folded, arena);
  collapse_blanks(&folded, 0);
  form_init(&needle->header, &folded, arena);
  stralloc_free(&folded);
  return needle;
}
