/* Signatures: which strings of two and three bytes the text of a message holds, in few bits.  What
 * a signature excludes is certainly not there; the rest has to be read, but for one or two letters,
 * of which it knows whether they are there.
 *
 * It is made of folded text, so of just what is searched.  Each trigram is hashed to 16 bits; what
 * has been seen is a set of these, and the signature that set squeezed into two and a half bits for
 * each of its members (a Bloom filter with one hash function, about the best for so few bits).
 * Pairs are a bit each: of the 26 letters, and of all other bytes, which count as one.
 * Bodies and headers are apart, since BODY asks only for one.
 *
 * Form: number of 64-bit words for the body's trigrams 4, for the header's 4; the words; those for
 * the body's pairs, the header's. */
#include "message/internal.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
  BITS_EACH_2 = 5, /* bits for two trigrams; a third are set: of the needles of five letters that
                      are not there 96 in 100 are excluded */
  HASH_BITS = 16,
  WORD = 64,
  PAIR_WORDS = PAIRS_ROOM / WORD,
  WORDS_MAX = (1 << HASH_BITS) / WORD, /* for trigrams */
};

/* Multiplications of 16 bits, of which processors do eight at once. */
enum { FACTOR_1 = 0x4a65, FACTOR_2 = 0x86a7, FACTOR_3 = 0x6193 };

static uint16_t hash_of(unsigned char const *at) {
  return (uint16_t)(at[0] * FACTOR_1 + at[1] * FACTOR_2 + at[2] * FACTOR_3);
}

/* From 1; 0: none. */
static unsigned int letter_of(unsigned char c) {
  unsigned int letter = c - ('A' - 1u);
  return letter < LETTERS ? letter : 0;
}

static uint16_t pair_of(unsigned char const *at) {
  return (uint16_t)(letter_of(at[0]) * LETTERS + letter_of(at[1]));
}

/* ---- collecting ---- */

enum { BLOCK = 64 };

/* What begins at each of the next bytes. */
struct block {
  uint16_t hashes[BLOCK], pairs[BLOCK];
};

#ifdef __SSE2__
enum { WIDTH = sizeof(__m128i) };

static __m128i load(unsigned char const *at) {
  return _mm_loadu_si128((__m128i const *)(void const *)at);
}

static __m128i low(__m128i bytes) {
  return _mm_unpacklo_epi8(bytes, _mm_setzero_si128());
}

static __m128i high(__m128i bytes) {
  return _mm_unpackhi_epi8(bytes, _mm_setzero_si128());
}

static __m128i letters_of(__m128i c) {
  __m128i letters = _mm_sub_epi8(c, _mm_set1_epi8('A' - 1));
  __m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(letters, _mm_set1_epi8(LETTERS - 1)), letters);
  return _mm_and_si128(letters, is_letter);
}

static __m128i hashes_of(__m128i first, __m128i second, __m128i third) {
  return _mm_add_epi16(_mm_add_epi16(_mm_mullo_epi16(first, _mm_set1_epi16(FACTOR_1)),
                                     _mm_mullo_epi16(second, _mm_set1_epi16((short)FACTOR_2))),
                       _mm_mullo_epi16(third, _mm_set1_epi16(FACTOR_3)));
}

static __m128i pairs_of(__m128i first, __m128i second) {
  return _mm_add_epi16(_mm_mullo_epi16(first, _mm_set1_epi16(LETTERS)), second);
}

static void store(uint16_t *to, __m128i numbers) {
  _mm_storeu_si128((__m128i *)(void *)to, numbers);
}

static void look_at(struct block *b, unsigned char const *text) {
  for (unsigned int i = 0; i < BLOCK; i += WIDTH) {
    __m128i c1 = load(text + i), c2 = load(text + i + 1), c3 = load(text + i + 2);
    __m128i l1 = letters_of(c1), l2 = letters_of(c2);
    store(b->hashes + i, hashes_of(low(c1), low(c2), low(c3)));
    store(b->hashes + i + WIDTH / 2, hashes_of(high(c1), high(c2), high(c3)));
    store(b->pairs + i, pairs_of(low(l1), low(l2)));
    store(b->pairs + i + WIDTH / 2, pairs_of(high(l1), high(l2)));
  }
}

/* Bytes that are 0 or 1, as bits, the first the lowest. */
enum { PACKED = WIDTH };
static unsigned int bits_of(uint8_t const *bytes) {
  return (unsigned int)_mm_movemask_epi8(_mm_slli_epi16(load(bytes), 7));
}
#else
enum { PACKED = 1 };
static unsigned int bits_of(uint8_t const *bytes) {
  return *bytes;
}

static void look_at(struct block *b, unsigned char const *text) {
  for (unsigned int i = 0; i < BLOCK; i++) {
    b->hashes[i] = hash_of(text + i);
    b->pairs[i] = pair_of(text + i);
  }
}
#endif

/* Without branches, which would mostly be foretold wrongly. */
static void note_trigrams(struct gram_set *g, uint16_t const *hashes, size_t count) {
  uint32_t n = g->n;
  uint8_t round = g->round;
  for (size_t i = 0; i < count; i++) {
    uint16_t h = hashes[i];
    g->hashes[n] = h;
    n += g->seen[h] != round;
    g->seen[h] = round;
  }
  g->n = n;
}

static void note_pairs(struct gram_set *g, uint16_t const *pairs, size_t count) {
  for (size_t i = 0; i < count; i++) g->pairs[pairs[i]] = 1;
}

void grams_add(struct gram_set *g, char const *folded, size_t size) {
  unsigned char const *text = (unsigned char const *)folded;
  unsigned char last[BLOCK + TRIGRAM - 1];
  struct block b;
  size_t at = 0;
  if (!size) return;
  g->pairs[letter_of(*text)] = 1; /* as if something stood before it, so that every letter counts */
  for (; size - at >= sizeof last; at += BLOCK) {
    look_at(&b, text + at);
    note_trigrams(g, b.hashes, BLOCK);
    note_pairs(g, b.pairs, BLOCK);
  }
  size -= at;
  memcpy(last, text + at, size);
  memset(last + size, 0, sizeof last - size);
  look_at(&b, last);
  if (size >= TRIGRAM) note_trigrams(g, b.hashes, size - (TRIGRAM - 1));
  note_pairs(g, b.pairs, size - 1);
}

static void clear(struct gram_set *g) {
  if (!++g->round) {
    memset(g->seen, 0, sizeof g->seen);
    g->round = 1;
  }
  memset(g->pairs, 0, sizeof g->pairs);
  g->n = 0;
}

void message_grams_clear(struct message_grams *g) {
  clear(&g->body);
  clear(&g->header);
}

/* ---- the signature ---- */

/* Where a hash is among so many words. */
static unsigned int place_of(unsigned int hash, unsigned int words) {
  return hash * words * WORD >> HASH_BITS;
}

static unsigned int words_for(unsigned int hashes) {
  unsigned int n = (hashes * BITS_EACH_2 + 2 * WORD - 1) / (2 * WORD);
  return n < WORDS_MAX ? n : WORDS_MAX;
}

static void set_bit(uint64_t *words, unsigned int bit) {
  words[bit / WORD] |= UINT64_C(1) << bit % WORD;
}

static void squeeze(struct gram_set const *g, unsigned int words, uint64_t *out) {
  for (uint32_t i = 0; i < g->n; i++) set_bit(out, place_of(g->hashes[i], words));
}

static void put_pairs(struct gram_set const *g, uint64_t *out) {
  for (unsigned int i = 0; i < sizeof g->pairs; i += PACKED)
    out[i / WORD] |= (uint64_t)bits_of(g->pairs + i) << i % WORD;
}

void message_put_signature(stralloc *out, struct message_grams const *g) {
  uint64_t words[2 * WORDS_MAX + 2 * PAIR_WORDS];
  uint32_t const n[2] = {words_for(g->body.n), words_for(g->header.n)};
  uint64_t *pairs = words + n[0] + n[1];
  size_t size = (n[0] + n[1] + 2 * PAIR_WORDS) * sizeof *words;
  memset(words, 0, size);
  squeeze(&g->body, n[0], words);
  squeeze(&g->header, n[1], words + n[0]);
  put_pairs(&g->body, pairs);
  put_pairs(&g->header, pairs + PAIR_WORDS);
  sa_add(out, (char const *)n, sizeof n);
  sa_add(out, (char const *)words, size);
}

/* ---- asking it ---- */

void needle_grams(struct needle_form *needle) {
  unsigned char const *text = (unsigned char const *)needle->folded.text;
  size_t size = needle->folded.size, most = NEEDLE_GRAMS_MAX;
  needle->ntrigrams = needle->npairs = 0;
  for (size_t i = 0; i + TRIGRAM <= size && i < most; i++)
    needle->trigrams[needle->ntrigrams++] = hash_of(text + i);
  for (size_t i = 0; i + 2 <= size && i < most; i++)
    needle->pairs[needle->npairs++] = pair_of(text + i);
}

/* One half of a signature, as it is there: not aligned. */
struct half {
  char const *words, *pairs;
  unsigned int n;
};

static bool has_bit(char const *words, unsigned int bit) {
  uint64_t word;
  memcpy(&word, words + bit / WORD * sizeof word, sizeof word);
  return word >> bit % WORD & 1;
}

static bool may_hold(struct needle_form const *needle, struct half const *half) {
  for (unsigned int i = 0; i < needle->npairs; i++)
    if (!has_bit(half->pairs, needle->pairs[i])) return false;
  for (unsigned int i = 0; i < needle->ntrigrams; i++)
    if (!half->n || !has_bit(half->words, place_of(needle->trigrams[i], half->n))) return false;
  return true;
}

static bool has_letter(struct half const *half, unsigned int letter) {
  bool has = false;
  for (unsigned int i = 0; i < LETTERS && !has; i++)
    has = has_bit(half->pairs, i * LETTERS + letter);
  return has;
}

static enum message_hint hint_of(struct needle_form const *needle, struct half const *half) {
  unsigned char const *text = (unsigned char const *)needle->folded.text;
  size_t size = needle->folded.size;
  if (!may_hold(needle, half)) return MESSAGE_LACKS;
  if (size == 1 && letter_of(*text))
    return has_letter(half, letter_of(*text)) ? MESSAGE_HOLDS : MESSAGE_LACKS;
  return size == 2 && letter_of(text[0]) && letter_of(text[1]) ? MESSAGE_HOLDS : MESSAGE_MAY_HOLD;
}

enum message_hint message_signature_hint(struct message_needle const *needle, bool with_header,
                                         char const *signature, size_t size) {
  enum { PAIRS_SIZE = PAIR_WORDS * sizeof(uint64_t) };
  uint32_t n[2];
  if (size < sizeof n) return MESSAGE_MAY_HOLD;
  memcpy(n, signature, sizeof n);
  if (n[0] > WORDS_MAX || n[1] > WORDS_MAX ||
      size != sizeof n + (n[0] + n[1]) * sizeof(uint64_t) + 2 * PAIRS_SIZE)
    return MESSAGE_MAY_HOLD;
  char const *words = signature + sizeof n, *pairs = signature + size - 2 * PAIRS_SIZE;
  struct half body = {words, pairs, n[0]},
              header = {words + n[0] * sizeof(uint64_t), pairs + PAIRS_SIZE, n[1]};
  enum message_hint hint = hint_of(&needle->body, &body);
  if (!with_header || hint == MESSAGE_HOLDS) return hint;
  enum message_hint of_header = hint_of(&needle->header, &header);
  return of_header > hint ? of_header : hint;
}
