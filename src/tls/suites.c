/* Which cipher suites, in which order: TLS_CIPHER_LIST in OpenSSL's notation (openssl-ciphers(1)),
 * as far as BearSSL goes, and TLS_PROTOCOL, which it leaves no choice. */
#include "tls/tls.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What words of the notation stand for; a suite's own set of them. */
enum property {
  ECDHE_ECDSA = 1 << 0,
  ECDHE_RSA = 1 << 1,
  AES128 = 1 << 2,
  AES256 = 1 << 3,
  CHACHA20 = 1 << 4,
  GCM = 1 << 5,
  SHA256 = 1 << 6, /* as the MAC of CBC; the hash in the name of an AEAD suite is no MAC */
  SHA384 = 1 << 7,
  SHA1 = 1 << 8,
  CBC = 1 << 9, /* only by name: older, slower, and more than once broken in others' hands */
};

/* In order of preference where there are instructions for AES. */
static struct suite {
  uint16_t id;
  char const *name;
  unsigned int properties;
} const suites[] = {
    {BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256",
     ECDHE_ECDSA | AES128 | GCM},
    {BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256",
     ECDHE_RSA | AES128 | GCM},
    {BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384",
     ECDHE_ECDSA | AES256 | GCM},
    {BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384",
     ECDHE_RSA | AES256 | GCM},
    {BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305",
     ECDHE_ECDSA | CHACHA20},
    {BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305",
     ECDHE_RSA | CHACHA20},
    {BR_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, "ECDHE-ECDSA-AES128-SHA256",
     ECDHE_ECDSA | AES128 | SHA256 | CBC},
    {BR_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, "ECDHE-RSA-AES128-SHA256",
     ECDHE_RSA | AES128 | SHA256 | CBC},
    {BR_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384, "ECDHE-ECDSA-AES256-SHA384",
     ECDHE_ECDSA | AES256 | SHA384 | CBC},
    {BR_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384, "ECDHE-RSA-AES256-SHA384",
     ECDHE_RSA | AES256 | SHA384 | CBC},
    {BR_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "ECDHE-ECDSA-AES128-SHA",
     ECDHE_ECDSA | AES128 | SHA1 | CBC},
    {BR_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, "ECDHE-RSA-AES128-SHA",
     ECDHE_RSA | AES128 | SHA1 | CBC},
    {BR_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "ECDHE-ECDSA-AES256-SHA",
     ECDHE_ECDSA | AES256 | SHA1 | CBC},
    {BR_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, "ECDHE-RSA-AES256-SHA",
     ECDHE_RSA | AES256 | SHA1 | CBC},
};
#define SUITES (sizeof suites / sizeof *suites)
_Static_assert(SUITES <= SUITES_MAX, "struct suites is too small");

/* The words for several suites, and what these have at least one property of. */
static struct {
  char const *word;
  unsigned int any;
} const classes[] = {
    {"ALL", ECDHE_ECDSA | ECDHE_RSA},
    {"DEFAULT", ECDHE_ECDSA | ECDHE_RSA},
    {"HIGH", ECDHE_ECDSA | ECDHE_RSA},
    {"TLSv1.2", ECDHE_ECDSA | ECDHE_RSA},
    {"ECDHE", ECDHE_ECDSA | ECDHE_RSA},
    {"EECDH", ECDHE_ECDSA | ECDHE_RSA},
    {"ECDH", ECDHE_ECDSA | ECDHE_RSA},
    {"kECDHE", ECDHE_ECDSA | ECDHE_RSA},
    {"kEECDH", ECDHE_ECDSA | ECDHE_RSA},
    {"aECDSA", ECDHE_ECDSA},
    {"ECDSA", ECDHE_ECDSA},
    {"aRSA", ECDHE_RSA},
    {"AES", AES128 | AES256},
    {"AES128", AES128},
    {"AES256", AES256},
    {"AESGCM", GCM},
    {"CHACHA20", CHACHA20},
    {"SHA256", SHA256},
    {"SHA384", SHA384},
    {"SHA", SHA1},
    {"SHA1", SHA1},
    {"CBC", CBC},
    {"FIPS", AES128 | AES256},
};
/* Of the same notation, for suites that we do not have. */
static char const *const foreign[] = {
    "COMPLEMENTOFDEFAULT",
    "COMPLEMENTOFALL",
    "MEDIUM",
    "LOW",
    "EXP",
    "EXPORT",
    "EXPORT40",
    "EXPORT56",
    "NULL",
    "eNULL",
    "aNULL",
    "ADH",
    "AECDH",
    "DH",
    "DHE",
    "EDH",
    "kDHE",
    "kEDH",
    "kDHr",
    "kDHd",
    "kDH",
    "aDH",
    "kECDHr",
    "kECDHe",
    "kECDH",
    "aECDH",
    "RSA",
    "kRSA",
    "DSS",
    "aDSS",
    "PSK",
    "kPSK",
    "aPSK",
    "kECDHEPSK",
    "kDHEPSK",
    "kRSAPSK",
    "SRP",
    "kSRP",
    "aSRP",
    "GOST",
    "kGOST",
    "kGOST18",
    "aGOST",
    "aGOST01",
    "aGOST12",
    "GOST12",
    "GOST89",
    "GOST94",
    "GOST89MAC",
    "FZA",
    "KRB5",
    "AESCCM",
    "AESCCM8",
    "ARIA",
    "ARIA128",
    "ARIA256",
    "ARIAGCM",
    "CAMELLIA",
    "CAMELLIA128",
    "CAMELLIA256",
    "3DES",
    "DES",
    "RC4",
    "RC2",
    "IDEA",
    "SEED",
    "MD5",
    "SSLv2",
    "SSLv3",
    "TLSv1",
    "TLSv1.0",
    "TLSv1.1",
};
/* Asking for these adds nothing and is no mistake: "suites as old as that" begin Courier's list. */
static char const *const versions[] = {"SSLv3", "TLSv1", "TLSv1.0"};

static noreturn void die_setting(char const *name, char const *value, char const *why,
                                 char const *remedy) {
  log_die(EXIT_MISUSE, "bad-setting", "name", name, "value", value, "why", why, "remedy", remedy,
          (char *)0);
}

static noreturn void die_word(char const *word) {
  die_setting("TLS_CIPHER_LIST", word, "tlsd has no such cipher suite",
              "take it out; see tlsd(8) for those there are, or leave TLS_CIPHER_LIST unset");
}

/* Asked once: in a virtual machine each question to the processor takes microseconds. */
static void find_instructions(struct suites *s) {
  s->aes = br_aes_x86ni_ctr_get_vtable();
  s->ghash = s->aes ? br_ghash_pclmul_get() : 0;
  if (s->ghash) return;
  s->aes = br_aes_pwr8_ctr_get_vtable();
  s->ghash = s->aes ? br_ghash_pwr8_get() : 0;
}

static bool is_one_of(char const *word, char const *const *words, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!strcmp(word, words[i])) return true;
  return false;
}
#define IS_ONE_OF(word, words) is_one_of(word, words, sizeof(words) / sizeof *(words))

static struct suite const *suite_of(unsigned int id) {
  for (size_t i = 0; i < SUITES; i++)
    if (suites[i].id == id) return &suites[i];
  return 0;
}

char const *suite_name(unsigned int id) {
  struct suite const *s = suite_of(id);
  return s ? s->name : "unknown";
}

/* One bit a suite. */
typedef uint32_t members;

/* The place of the suite with this name, or SUITES. */
static size_t find_suite(char const *name) {
  size_t i = 0;
  while (i < SUITES && strcmp(name, suites[i].name)) i++;
  return i;
}

/* A word between pluses; false if it is none of the notation. */
static bool members_of(char const *word, members *found) {
  size_t suite = find_suite(word);
  *found = suite < SUITES ? (members)1 << suite : 0;
  if (*found) return true;
  for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
    if (strcmp(word, classes[i].word)) continue;
    for (size_t s = 0; s < SUITES; s++)
      if (suites[s].properties & classes[i].any) *found |= (members)1 << s;
    return true;
  }
  return IS_ONE_OF(word, foreign);
}

struct list {
  members present, never; /* never: excluded by ! */
  unsigned int favourite; /* what goes before others that are added with it; 0: nothing */
  size_t order[SUITES], n;
};

static bool has(size_t suite, unsigned int property) {
  return suites[suite].properties & property;
}

static void list_remove(struct list *l, members m) {
  size_t kept = 0;
  for (size_t i = 0; i < l->n; i++)
    if (!(m >> l->order[i] & 1)) l->order[kept++] = l->order[i];
  l->n = kept;
  l->present &= ~m;
}

static void list_append(struct list *l, members m) {
  m &= ~(l->present | l->never);
  for (int first = 1; first >= 0; first--)
    for (size_t i = 0; i < SUITES; i++)
      if (m >> i & 1 && has(i, l->favourite) == first) l->order[l->n++] = i;
  l->present |= m;
}

static void list_move_to_end(struct list *l, members m) {
  m &= l->present;
  list_remove(l, m);
  list_append(l, m);
}

/* @STRENGTH: 256 bits before 128, otherwise as it is. */
static void list_sort(struct list *l) {
  struct list sorted = {.present = l->present, .never = l->never, .favourite = l->favourite};
  for (int weak = 0; weak < 2; weak++)
    for (size_t i = 0; i < l->n; i++)
      if (has(l->order[i], AES128) == weak) sorted.order[sorted.n++] = l->order[i];
  *l = sorted;
}

static void list_command(struct list *l, char const *word) {
  /* All of ours are of level 2 at least; what certificates and clients have is not our choice. */
  if (!strcmp(word, "@STRENGTH"))
    list_sort(l);
  else if (strcmp(word, "@SECLEVEL=0") && strcmp(word, "@SECLEVEL=1") &&
           strcmp(word, "@SECLEVEL=2"))
    die_word(word);
}

/* Classes joined by pluses have members in common. */
static members look_up(char const *word, char *rest) {
  members all = ~(members)0, one;
  for (char *piece = rest, *next; piece; piece = next) {
    next = strchr(piece, '+');
    if (next) *next++ = 0;
    if (!members_of(piece, &one)) die_word(word);
    all &= one;
  }
  return all;
}

/* What a class brings in. */
static members without_cbc(members m) {
  for (size_t i = 0; i < SUITES; i++)
    if (suites[i].properties & CBC) m &= ~((members)1 << i);
  return m;
}

static void list_apply(struct list *l, char *word) {
  char sign = strchr("!-+", *word) ? *word : 0;
  char original[64];
  if (*word == '@') {
    list_command(l, word);
    return;
  }
  if (strlen(word) >= sizeof original) die_word(word);
  memcpy(original, word, strlen(word) + 1);
  members m = look_up(original, word + (sign != 0));
  switch (sign) {
  case '!':
    list_remove(l, m);
    l->never |= m;
    break;
  case '-': list_remove(l, m); break;
  case '+': list_move_to_end(l, m); break;
  default:
    if (find_suite(original) == SUITES) m = without_cbc(m);
    if (!m && !IS_ONE_OF(original, versions)) die_word(original);
    list_append(l, m);
  }
}

/* The length of the word there; a command begins a new one. */
static size_t word_length(char const *p) {
  return (*p == '@') + strcspn(p + (*p == '@'), ":, ;@");
}

static void parse_list(struct list *l, char const *text) {
  char word[128];
  for (char const *p = text + strspn(text, ":, ;"); *p; p += strspn(p, ":, ;")) {
    size_t n = word_length(p);
    if (n >= sizeof word) die_word(p);
    memcpy(word, p, n);
    word[n] = 0;
    p += n;
    list_apply(l, word);
  }
}

/* Of Courier's values, old and new, those that mean TLS 1.2 or better, and those that allow it or
 * were written when there was none: who asks for less gets it, too, and tlscheck(8) says so. */
static void check_protocol(char const *name) {
  static char const *const good[] = {"",         "TLSv1.2",   "TLSv1.2+", "TLSv1.2++", "TLSv1.1",
                                     "TLSv1.1+", "TLSv1.1++", "TLSv1",    "TLSv1+",    "TLS1",
                                     "SSL23",    "SSL3",      "SSL3+"};
  char const *value = getenv(name);
  if (value && !IS_ONE_OF(value, good))
    die_setting(name, value, "tlsd speaks TLS 1.2 and nothing else",
                "unset it, or set it to TLSv1.2; TLS 1.0 and 1.1 are withdrawn (RFC 8996)");
}

void suites_configure(struct suites *s) {
  char const *text = getenv("TLS_CIPHER_LIST");
  struct list l = {.n = 0};
  *s = (struct suites){.n = 0};
  find_instructions(s);
  /* BearSSL's AES without them runs in constant time, at a third of ChaCha20's speed. */
  if (!s->ghash) l.favourite = CHACHA20;
  check_protocol("TLS_PROTOCOL");
  check_protocol("TLS_STARTTLS_PROTOCOL");
  parse_list(&l, text && *text ? text : "HIGH");
  if (!l.n)
    die_setting("TLS_CIPHER_LIST", text, "no cipher suite is left",
                "name some, or leave TLS_CIPHER_LIST unset");
  s->n = l.n;
  for (size_t i = 0; i < l.n; i++) {
    s->ids[i] = suites[l.order[i]].id;
    s->with_cbc = s->with_cbc || suites[l.order[i]].properties & CBC;
  }
}
