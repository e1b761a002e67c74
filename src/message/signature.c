/* Signatures: which strings of three bytes the text of a message holds, in few bits.  What a
 * signature excludes is certainly not there; the rest has to be read.
 *
 * It is made of folded text, so of just what is searched.  Each trigram is hashed to 16 bits; what
 * has been seen is a set of these, and the signature that set squeezed into two and a half bits for
 * each of its members (a Bloom filter with one hash function, about the best for so few bits).
 * Bodies and headers are apart, since BODY asks only for one.
 *
 * Form: number of 64-bit words for the body 4, for the header 4; the words. */
#include "message/internal.h"

enum {
  BITS_EACH_2 = 5, /* bits for two trigrams; a third are set: of the needles of five letters that
                      are not there 96 in 100 are excluded */
  HASH_BITS = 16,
  WORD = 64,
};

static unsigned int hash_of(uint32_t trigram) {
  return (trigram * 0x9e3779b1u) >> (32 - HASH_BITS);
}

/* The trigrams that begin with what is in *t, byte by byte. */
static unsigned int next_hash(uint32_t *t, char c) {
  *t = (*t << 8 | (unsigned char)c) & 0xffffff;
  return hash_of(*t);
}

void trigrams_add(uint64_t seen[TRIGRAM_WORDS], char const *folded, size_t size) {
  uint32_t t = 0;
  if (size < TRIGRAM) return;
  for (size_t i = 0; i < TRIGRAM - 1; i++) next_hash(&t, folded[i]);
  for (size_t i = TRIGRAM - 1; i < size; i++) {
    unsigned int h = next_hash(&t, folded[i]);
    seen[h / WORD] |= UINT64_C(1) << h % WORD;
  }
}

unsigned int trigrams_of(char const *folded, size_t size, uint16_t *hashes, unsigned int max) {
  uint32_t t = 0;
  unsigned int n = 0;
  for (size_t i = 0; i < size && n < max; i++) {
    unsigned int h = next_hash(&t, folded[i]);
    if (i >= TRIGRAM - 1) hashes[n++] = (uint16_t)h;
  }
  return n;
}

/* Where a hash is among so many words. */
static unsigned int place_of(unsigned int hash, unsigned int words) {
  return hash * words * WORD >> HASH_BITS;
}

static unsigned int words_for(uint64_t const seen[TRIGRAM_WORDS]) {
  unsigned int n = 0;
  for (size_t i = 0; i < TRIGRAM_WORDS; i++) n += (unsigned int)__builtin_popcountll(seen[i]);
  n = (n * BITS_EACH_2 + 2 * WORD - 1) / (2 * WORD);
  return n < TRIGRAM_WORDS ? n : TRIGRAM_WORDS;
}

static void squeeze(uint64_t const seen[TRIGRAM_WORDS], unsigned int words, uint64_t *out) {
  for (unsigned int i = 0; i < TRIGRAM_WORDS; i++)
    for (uint64_t left = seen[i]; left; left &= left - 1) {
      unsigned int at = place_of(i * WORD + (unsigned int)__builtin_ctzll(left), words);
      out[at / WORD] |= UINT64_C(1) << at % WORD;
    }
}

void message_put_signature(stralloc *out, struct message_trigrams const *t) {
  uint64_t words[2 * TRIGRAM_WORDS] = {0};
  uint32_t const n[2] = {words_for(t->body), words_for(t->header)};
  squeeze(t->body, n[0], words);
  squeeze(t->header, n[1], words + n[0]);
  sa_add(out, (char const *)n, sizeof n);
  sa_add(out, (char const *)words, (n[0] + n[1]) * sizeof *words);
}

static bool may_hold(struct needle_form const *needle, char const *words, unsigned int n) {
  uint64_t word;
  for (unsigned int i = 0; i < needle->ntrigrams; i++) {
    unsigned int at = place_of(needle->trigrams[i], n);
    if (!n) return false;
    memcpy(&word, words + at / WORD * sizeof word, sizeof word);
    if (!(word >> at % WORD & 1)) return false;
  }
  return true;
}

bool message_signature_excludes(struct message_needle const *needle, bool with_header,
                                char const *signature, size_t size) {
  uint32_t n[2];
  if (size < sizeof n) return false;
  memcpy(n, signature, sizeof n);
  if (n[0] > TRIGRAM_WORDS || n[1] > TRIGRAM_WORDS ||
      size != sizeof n + (n[0] + n[1]) * sizeof(uint64_t))
    return false;
  char const *body = signature + sizeof n, *header = body + n[0] * sizeof(uint64_t);
  return !may_hold(&needle->body, body, n[0]) &&
         !(with_header && may_hold(&needle->header, header, n[1]));
}
