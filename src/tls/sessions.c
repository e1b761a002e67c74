/* TLS sessions for resumption, in a file that all engines share (RFC 5246 section 7.3 and F.1.4).
 * Nothing in the file is believed: what is found there must open under a key that only this
 * session's id, this server name, this certificate and its private key give.  The file holds
 * neither ids nor names, and it needs no lock: an entry half written by two engines opens for
 * neither. */
#include "tls/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
  SESSION_SECONDS = 24 * 3600, /* RFC 5246 section F.1.4: as long as a session may live */
  SESSION_ID_SIZE = 32,        /* of each id that BearSSL makes or looks up */
  SECRET_SIZE = 32,            /* SHA-256 */
  MARK_SIZE = 16,
  TAG_SIZE = 16,         /* Poly1305 */
  HELLO_SERVER_NAME = 0, /* RFC 6066 section 3 */
};

/* An entry of the file, and an offset into it, are as these say on the machine at hand. */
struct content {
  int64_t began; /* seconds since 1970 */
  uint16_t version, suite;
  uint32_t kind; /* which of the credentials it was made with, by their place in the identity */
  unsigned char master_secret[48];
};
struct entry {
  unsigned char mark[MARK_SIZE];
  struct content content; /* encrypted */
  unsigned char tag[TAG_SIZE];
};
_Static_assert(sizeof(struct entry) == 96, "an entry has no holes");

/* Where a session is, and what opens it. */
struct place {
  unsigned char mark[MARK_SIZE], key[32];
  off_t offset;
};

int sessions_open(char const *path) {
  struct stat st;
  int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  if (!fstat(fd, &st)) {
    if (S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077)) return fd;
    errno = EPERM;
  }
  close(fd);
  return -1;
}

/* ---- keys ---- */

static void add(br_sha256_context *hash, void const *data, size_t size) {
  unsigned char length[8];
  for (size_t i = 0; i < sizeof length; i++) length[i] = (unsigned char)((uint64_t)size >> 8 * i);
  br_sha256_update(hash, length, sizeof length);
  br_sha256_update(hash, data, size);
}

static void add_credentials(br_sha256_context *hash, struct credentials const *c) {
  for (size_t i = 0; i < c->chain_length; i++) add(hash, c->chain[i].data, c->chain[i].data_len);
  if (c->key.type == BR_KEYTYPE_RSA) {
    add(hash, c->key.rsa.p, c->key.rsa.plen);
    add(hash, c->key.rsa.q, c->key.rsa.qlen);
  } else {
    add(hash, c->key.ec.x, c->key.ec.xlen);
  }
}

/* Of everything that a session must not outlive. */
static void make_secret(unsigned char secret[SECRET_SIZE], struct identity const *identity,
                        br_ssl_engine_context const *tls) {
  static char const purpose[] = "chainmail tlsd sessions 1";
  br_sha256_context hash;
  br_sha256_init(&hash);
  add(&hash, purpose, sizeof purpose);
  for (size_t i = 0; i < identity->n; i++) add_credentials(&hash, identity->of[i]);
  add(&hash, tls->suites_buf, tls->suites_num * sizeof *tls->suites_buf);
  br_sha256_out(&hash, secret);
  explicit_bzero(&hash, sizeof hash);
}

/* 32 bytes that say nothing of the secret, and that nobody without it can tell. */
static void derive(struct sessions const *s, unsigned char const secret[SECRET_SIZE],
                   char const *purpose, unsigned char const *id, unsigned char out[32]) {
  br_hmac_key_context key;
  br_hmac_context hmac;
  br_hmac_key_init(&key, &br_sha256_vtable, secret, SECRET_SIZE);
  br_hmac_init(&hmac, &key, 0);
  br_hmac_update(&hmac, purpose, strlen(purpose) + 1);
  br_hmac_update(&hmac, id, SESSION_ID_SIZE);
  br_hmac_update(&hmac, s->server_name, strlen(s->server_name));
  br_hmac_out(&hmac, out);
  explicit_bzero(&key, sizeof key);
  explicit_bzero(&hmac, sizeof hmac);
}

static struct place find(struct sessions const *s, br_ssl_engine_context const *tls,
                         unsigned char const *id) {
  struct place p;
  unsigned char secret[SECRET_SIZE], found[32];
  uint64_t number;
  make_secret(secret, choice_identity(s->choice, s->server_name), tls);
  derive(s, secret, "find", id, found);
  derive(s, secret, "open", id, p.key);
  explicit_bzero(secret, sizeof secret);
  memcpy(p.mark, found, sizeof p.mark);
  memcpy(&number, found + sizeof p.mark, sizeof number);
  p.offset = (off_t)(number % (s->size / sizeof(struct entry)) * sizeof(struct entry));
  return p;
}

/* The nonce is all zeros: an id is never given twice, so each key encrypts one message. */
static void crypt_content(struct place const *p, struct entry *e, unsigned char tag[TAG_SIZE],
                          bool encrypt) {
  static unsigned char const nonce[12];
  br_poly1305_ctmul_run(p->key, nonce, &e->content, sizeof e->content, e->mark, sizeof e->mark, tag,
                        br_chacha20_ct_run, encrypt);
}

static bool is_equal(unsigned char const *a, unsigned char const *b, size_t n) {
  unsigned char difference = 0;
  for (size_t i = 0; i < n; i++) difference |= a[i] ^ b[i];
  return !difference;
}

/* ---- the server name, before BearSSL has read so far ---- */

/* Big-endian number of n bytes off the front; SIZE_MAX if there are none. */
static size_t take_number(unsigned char const **p, size_t *left, size_t n) {
  size_t number = 0;
  if (*left < n) return SIZE_MAX;
  for (size_t i = 0; i < n; i++) number = number << 8 | (*p)[i];
  *p += n;
  *left -= n;
  return number;
}

/* A vector with a length of n bytes: its start, and *left becomes what is after it. */
static unsigned char const *take_vector(unsigned char const **p, size_t *left, size_t n,
                                        size_t *size) {
  *size = take_number(p, left, n);
  if (*size > *left) return 0;
  unsigned char const *start = *p;
  *p += *size;
  *left -= *size;
  return start;
}

static bool read_server_name(unsigned char const *p, size_t left, char name[HELLO_NAME_MAX + 1]) {
  size_t size, list_size;
  unsigned char const *list = take_vector(&p, &left, 2, &list_size);
  if (!list || left || take_number(&list, &list_size, 1) != HELLO_SERVER_NAME) return false;
  unsigned char const *text = take_vector(&list, &list_size, 2, &size);
  if (!text || list_size || size > HELLO_NAME_MAX || memchr(text, 0, size)) return false;
  memcpy(name, text, size);
  name[size] = 0;
  return true;
}

/* BearSSL asks for a session when it has read ClientHello to the session's id.  What follows there,
 * suites, compression methods and extensions (RFC 5246 section 7.4.1.2), is still in its buffer if
 * all came in one record.  False where it is not, or is not to be understood. */
static bool find_server_name(br_ssl_engine_context const *tls, char name[HELLO_NAME_MAX + 1]) {
  unsigned char const *p = tls->hbuf_in;
  size_t left = tls->hlen_in, size, extensions_size;
  bool found = false;
  *name = 0;
  if (!take_vector(&p, &left, 2, &size) || !take_vector(&p, &left, 1, &size)) return false;
  if (!left) return true;
  unsigned char const *extensions = take_vector(&p, &left, 2, &extensions_size);
  if (!extensions || left) return false;
  while (extensions_size) {
    size_t type = take_number(&extensions, &extensions_size, 2);
    unsigned char const *data = take_vector(&extensions, &extensions_size, 2, &size);
    if (!data) return false;
    if (type != HELLO_SERVER_NAME) continue;
    if (found || !read_server_name(data, size, name)) return false;
    found = true;
  }
  return true;
}

/* ---- what BearSSL calls ---- */

static int64_t now(void) {
  struct timespec t = {0};
  clock_gettime(CLOCK_REALTIME, &t); /* unlike time(2) on the engine's list of system calls */
  return t.tv_sec;
}

static uint32_t kind_of(struct choice const *c) {
  uint32_t kind = 0;
  while (kind < c->identity->n && c->identity->of[kind] != c->chosen) kind++;
  return kind;
}

static void save(br_ssl_session_cache_class const **context, br_ssl_server_context *server,
                 br_ssl_session_parameters const *parameters) {
  struct sessions *s = (struct sessions *)context;
  char const *name = br_ssl_engine_get_server_name(&server->eng);
  struct entry e = {.content = {.began = now(),
                                .version = parameters->version,
                                .suite = parameters->cipher_suite,
                                .kind = kind_of(s->choice)}};
  s->resumed_at = -1;
  memcpy(s->server_name, name, strlen(name) + 1);
  struct place p = find(s, &server->eng, parameters->session_id);
  memcpy(e.mark, p.mark, sizeof e.mark);
  memcpy(e.content.master_secret, parameters->master_secret, sizeof e.content.master_secret);
  crypt_content(&p, &e, e.tag, true);
  /* A full disk costs a full handshake, later. */
  ssize_t ignored = pwrite(s->fd, &e, sizeof e, p.offset);
  (void)ignored;
  explicit_bzero(&p, sizeof p);
}

static bool is_fresh(struct content const *c) {
  int64_t age = now() - c->began;
  return age >= 0 && age <= SESSION_SECONDS;
}

static bool open_entry(struct sessions const *s, struct place const *p, struct entry *e) {
  unsigned char tag[TAG_SIZE];
  if (pread(s->fd, e, sizeof *e, p->offset) != (ssize_t)sizeof *e) return false;
  if (!is_equal(e->mark, p->mark, sizeof e->mark)) return false;
  crypt_content(p, e, tag, false);
  return is_equal(e->tag, tag, sizeof tag) && is_fresh(&e->content);
}

static int load(br_ssl_session_cache_class const **context, br_ssl_server_context *server,
                br_ssl_session_parameters *parameters) {
  struct sessions *s = (struct sessions *)context;
  struct entry e;
  if (!find_server_name(&server->eng, s->server_name)) return 0;
  struct place p = find(s, &server->eng, parameters->session_id);
  bool good = open_entry(s, &p, &e) && e.content.kind < s->choice->identity->n;
  if (good) {
    s->choice->chosen = s->choice->identity->of[e.content.kind];
    parameters->version = e.content.version;
    parameters->cipher_suite = e.content.suite;
    memcpy(parameters->master_secret, e.content.master_secret, sizeof e.content.master_secret);
    s->resumed_at = p.offset;
  }
  explicit_bzero(&p, sizeof p);
  explicit_bzero(&e, sizeof e);
  return good;
}

static br_ssl_session_cache_class const class = {
    .context_size = sizeof(struct sessions), .save = save, .load = load};

void sessions_use(struct sessions *s, br_ssl_server_context *server) {
  s->vtable = &class;
  s->resumed_at = -1;
  br_ssl_server_set_cache(server, &s->vtable);
}

bool sessions_is_of(struct sessions const *s, char const *server_name) {
  return s->fd < 0 || s->resumed_at < 0 || !strcmp(s->server_name, server_name);
}

void sessions_forget(struct sessions *s) {
  static struct entry const nothing;
  if (s->fd < 0 || s->resumed_at < 0) return;
  ssize_t ignored = pwrite(s->fd, &nothing, sizeof nothing, s->resumed_at);
  (void)ignored;
}
