/* tlscheck: what a certificate file holds and whether clients will be content with it, in words.
 * See tlscheck(8). */
#include "x509/x509.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <skalibs/sgetopt.h>

enum {
  SECONDS_PER_DAY = 86400,
  WARNING_DAYS = 30,   /* what authorities renew within */
  RSA_BITS_MIN = 2048, /* what clients still accept */
};
static char const system_trust[] = "/etc/ssl/certs";

struct check {
  bool logging; /* problems to the log, and nothing else */
  char const *path, *keyfile;
  char const *trust;  /* where tlsd completes chains from; may be null */
  bool foreign_trust; /* trust is the system's, which tlsd has not been told of */
  int64_t now;
  unsigned int problems;
  struct credentials credentials;
};

static noreturn void die_usage(void) {
  log_die(EXIT_MISUSE, "usage", "synopsis",
          "tlscheck [-k keyfile] [-t trustcerts] file [host], or tlscheck -l", (char *)0);
}

static void say(struct check const *c, char const *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(struct check const *c, char const *format, ...) {
  va_list arguments;
  if (c->logging) return;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
}

static void problem(struct check *c, char const *why, char const *remedy) {
  c->problems++;
  if (c->logging)
    log_event("certificate-problem", "path", c->path, "why", why, "remedy", remedy, (char *)0);
  else
    printf("problem: %s: %s\n", why, remedy);
}

/* ---- one certificate ---- */

static void date_text(int64_t seconds, char text[32]) {
  time_t t = (time_t)seconds;
  struct tm tm;
  if (!gmtime_r(&t, &tm) || !strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", &tm))
    memcpy(text, "unknown", 8);
}

static void key_text(br_x509_pkey const *key, char text[32]) {
  if (!key)
    snprintf(text, 32, "of a kind unknown to tlsd");
  else if (key->key_type == BR_KEYTYPE_RSA)
    snprintf(text, 32, "RSA, %zu bits", 8 * key->key.rsa.nlen);
  else
    snprintf(text, 32, "EC on %s",
             key->key.ec.curve == BR_EC_secp256r1   ? "P-256"
             : key->key.ec.curve == BR_EC_secp384r1 ? "P-384"
             : key->key.ec.curve == BR_EC_secp521r1 ? "P-521"
                                                    : "another curve");
}

static void say_names(struct check *c, struct certificate const *cert) {
  struct der rest = cert->alternative_names;
  char name[HOST_NAME_MAX_TEXT];
  char const *separator = "   names      ";
  for (; certificate_next_host(&rest, name); separator = ", ") say(c, "%s%s", separator, name);
  if (*separator == ',') say(c, "\n");
}

static void describe(struct check *c, size_t number, struct certificate const *cert) {
  char subject[512], issuer[512], from[32], to[32], key[32];
  br_x509_pkey public;
  char const *algorithm = certificate_algorithm(cert);
  name_text(cert->subject, subject, sizeof subject);
  name_text(cert->issuer, issuer, sizeof issuer);
  date_text(cert->not_before, from);
  date_text(cert->not_after, to);
  key_text(certificate_key(cert, &public) ? &public : 0, key);
  say(c, "%zu. subject    %s\n", number, subject);
  say_names(c, cert);
  say(c, "   issuer     %s\n   valid      %s to %s\n   key        %s\n   signature  %s\n", issuer,
      from, to, key, algorithm ? algorithm : "of an unknown kind");
}

static void check_dates(struct check *c, size_t number, struct certificate const *cert) {
  char date[32], why[128];
  int64_t days = (cert->not_after - c->now) / SECONDS_PER_DAY;
  if (cert->not_before > c->now) {
    date_text(cert->not_before, date);
    snprintf(why, sizeof why, "certificate %zu is not valid before %s", number, date);
    problem(c, why, "see to this machine's clock, or wait");
  }
  date_text(cert->not_after, date);
  if (cert->not_after < c->now) {
    snprintf(why, sizeof why, "certificate %zu has expired on %s", number, date);
    problem(c, why, "get a new one; clients refuse this one");
  } else if (days < WARNING_DAYS) {
    snprintf(why, sizeof why, "certificate %zu expires in %d days, on %s", number, (int)days, date);
    problem(c, why, "get a new one");
  }
}

static void check_strength(struct check *c, size_t number, struct certificate const *cert) {
  char why[128];
  br_x509_pkey key;
  char const *algorithm = certificate_algorithm(cert);
  if (certificate_key(cert, &key) && key.key_type == BR_KEYTYPE_RSA &&
      8 * key.key.rsa.nlen < RSA_BITS_MIN) {
    snprintf(why, sizeof why, "the key of certificate %zu has less than %d bits", number,
             RSA_BITS_MIN);
    problem(c, why, "get one with a longer key; clients refuse this one");
  }
  if (algorithm && !certificate_is_self_issued(cert) &&
      (strstr(algorithm, "SHA-1") || strstr(algorithm, "MD5"))) {
    snprintf(why, sizeof why, "certificate %zu is signed by %s", number, algorithm);
    problem(c, why, "get a new one; clients refuse this one");
  }
}

/* ---- the chain ---- */

static bool parse(struct check *c, size_t i, struct certificate *cert) {
  br_x509_certificate const *der = &c->credentials.chain[i];
  return certificate_parse(cert, (struct der){der->data, der->data_len});
}

static void check_order(struct check *c) {
  struct certificate one, next;
  char why[128];
  for (size_t i = 0; i + 1 < c->credentials.chain_length; i++) {
    if (!parse(c, i, &one) || !parse(c, i + 1, &next)) return;
    if (certificate_signed_by(&one, &next) != SIGNED_BY_OTHER) continue;
    snprintf(why, sizeof why, "certificate %zu is not signed by certificate %zu", i + 1, i + 2);
    problem(c, why, "put the server's own first, then its issuer's, then that one's issuer's");
    return;
  }
}

static void no_issuer(struct check *c, struct certificate const *of, char const *where) {
  char issuer[512], why[700], remedy[300];
  name_text(of->issuer, issuer, sizeof issuer);
  snprintf(why, sizeof why, "the chain is not complete: no certificate of %s", issuer);
  snprintf(remedy, sizeof remedy, "add the authority's intermediate certificate to the file%s%s",
           where ? "; it leads to no root in " : "", where ? where : "");
  problem(c, why, remedy);
}

/* From the last certificate of the file to a root. */
static void check_end(struct check *c) {
  static unsigned char der[2][PEM_FILE_MAX];
  struct certificate last, issuer;
  bool completes = c->credentials.chain_length == 1 && !c->foreign_trust;
  size_t size;
  if (!parse(c, c->credentials.chain_length - 1, &last)) return;
  for (size_t step = 0; !certificate_is_self_issued(&last); step++) {
    if (!c->trust) {
      say(c, "chain: not followed to a root: -t names those there are\n");
      return;
    }
    int r = step < CHAIN_MAX
                ? trust_find_issuer(c->trust, &last, der[step % 2], PEM_FILE_MAX, &size)
                : 0;
    if (r < 0) {
      problem(c, strerror(errno),
              "see to the authorities' certificates that TLS_TRUSTCERTS or -t names");
      return;
    }
    if (!r || !certificate_parse(&issuer, (struct der){der[step % 2], size}) ||
        (!certificate_is_self_issued(&issuer) && !completes)) {
      no_issuer(c, &last, r ? 0 : c->trust);
      return;
    }
    last = issuer;
  }
  if (c->credentials.chain_length == 1 && parse(c, 0, &issuer) &&
      certificate_is_self_issued(&issuer))
    say(c, "chain: self-signed: clients trust it when they are told to, not before\n");
  else
    say(c, "chain: complete\n");
}

static void check_host(struct check *c, char const *host) {
  struct certificate own;
  char why[HOST_NAME_MAX_TEXT + 64], name[HOST_NAME_MAX_TEXT];
  if (!parse(c, 0, &own)) return;
  struct der rest = own.alternative_names;
  if (!certificate_next_host(&rest, name))
    problem(c, "the first certificate has no alternative names",
            "get one that has: clients look at no other names");
  if (!host) return;
  if (certificate_is_for(&own, host)) {
    say(c, "host: %s is one of the names\n", host);
    return;
  }
  snprintf(why, sizeof why, "the first certificate is not for %.*s", HOST_NAME_MAX_TEXT, host);
  problem(c, why, "get one with this name, or let clients use another");
}

/* ---- the file ---- */

static void check_certificates(struct check *c) {
  struct certificate cert;
  char why[64];
  for (size_t i = 0; i < c->credentials.chain_length; i++) {
    if (!parse(c, i, &cert)) {
      snprintf(why, sizeof why, "certificate %zu cannot be decoded", i + 1);
      problem(c, why, "look at it with openssl x509");
      continue;
    }
    describe(c, i + 1, &cert);
    check_dates(c, i + 1, &cert);
    check_strength(c, i + 1, &cert);
  }
}

static void file_problem(struct check *c, struct certificate_problem const *p) {
  char why[PATH_MAX + 200];
  snprintf(why, sizeof why, "%s%s%s", p->why ? p->why : strerror(p->error),
           strcmp(p->path, c->path) ? ": " : "", strcmp(p->path, c->path) ? p->path : "");
  problem(c, why, p->remedy);
}

static void check_file(struct check *c, char const *host) {
  struct certificate_problem p;
  if (x509_credentials_load_chain(&c->credentials, c->path, &p) < 0) {
    file_problem(c, &p);
    return;
  }
  say(c, "%s: %zu certificate%s\n", c->path, c->credentials.chain_length,
      c->credentials.chain_length == 1 ? "" : "s");
  check_certificates(c);
  check_order(c);
  check_end(c);
  check_host(c, host);
  if (x509_credentials_load(&c->credentials, c->path, c->keyfile, 0, &p) < 0 ||
      x509_credentials_prove(&c->credentials, c->path, c->keyfile, &p) < 0)
    file_problem(c, &p);
  else
    say(c, "key: belongs to the first certificate\n");
  x509_credentials_wipe(&c->credentials);
}

/* ---- at service start ---- */

struct service {
  struct check *check;
  char const *certfile, *keyfile;
};

static bool check_beside(void *context, char const *suffix, enum certificate_for whom) {
  struct service *s = context;
  char path[2 * PATH_MAX], key[2 * PATH_MAX];
  (void)whom;
  snprintf(path, sizeof path, "%s%s", s->certfile, suffix);
  snprintf(key, sizeof key, "%s%s", s->keyfile ? s->keyfile : "", suffix);
  s->check->path = path;
  s->check->keyfile = s->keyfile && access(key, F_OK) == 0 ? key : 0;
  check_file(s->check, 0);
  return true;
}

static char const *setting(char const *name) {
  char const *value = getenv(name);
  return value && *value ? value : 0;
}

static void say_unmet(char const *name, char const *why, char const *remedy) {
  log_event("setting-unmet", "name", name, "value", getenv(name), "why", why, "remedy", remedy,
            (char *)0);
}

/* What files of Courier's may ask for and tlsd serves without giving it, and what asks for nothing
 * alone; there is no better moment to say so, as the others start for each connection. */
static void check_settings(void) {
  static char const *const protocols[] = {"TLS_PROTOCOL", "TLS_STARTTLS_PROTOCOL"};
  for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
    if (setting(protocols[i]) && strncmp(setting(protocols[i]), "TLSv1.2", 7))
      say_unmet(protocols[i], "tlsd speaks TLS 1.2, and no other version to clients that have none",
                "unset it");
  if (setting("TLS_PRIORITY"))
    say_unmet("TLS_PRIORITY",
              "tlsd does not know the notation of GnuTLS, and goes by TLS_CIPHER_LIST",
              "unset it; what it excluded can be excluded there");
  if (setting("TLS_ALPN"))
    say_unmet("TLS_ALPN", "tlsd serves clients whatever protocol they ask for by name", "unset it");
  char const *verify = setting("TLS_VERIFYPEER");
  if (setting("TLS_EXTERNAL") && (!verify || !strcmp(verify, "NONE")))
    say_unmet("TLS_EXTERNAL", "clients are not asked for certificates: TLS_VERIFYPEER is NONE",
              "set that to PEER, and TLS_TRUSTCERTS");
}

/* Whatever is wrong, the service starts: tlsd will say it again. */
static void check_service(struct check *c) {
  struct service s = {c, setting("TLS_CERTFILE"), setting("TLS_PRIVATE_KEYFILE")};
  c->logging = true;
  check_settings();
  if (!s.certfile) return;
  c->path = s.certfile;
  c->keyfile = s.keyfile;
  check_file(c, 0);
  certificate_files_beside(s.certfile, check_beside, &s);
}

int main(int argc, char *const *argv) {
  static struct check c;
  subgetopt options = SUBGETOPT_ZERO;
  bool service = false;
  log_init("tlscheck");
  c.now = (int64_t)time(0);
  c.trust = setting("TLS_TRUSTCERTS");
  for (int o; (o = subgetopt_r(argc, (char const *const *)argv, "lk:t:", &options)) >= 0;) {
    if (o == 'l')
      service = true;
    else if (o == 'k')
      c.keyfile = options.arg;
    else if (o == 't')
      c.trust = options.arg;
    else
      die_usage();
  }
  argc -= options.ind;
  argv += options.ind;
  if (service ? argc != 0 : argc < 1 || argc > 2) die_usage();
  c.foreign_trust = !c.trust;
  if (!c.trust && access(system_trust, R_OK) == 0) c.trust = system_trust;
  privilege_protect_memory();
  if (service) {
    check_service(&c);
    return 0;
  }
  c.path = argv[0];
  check_file(&c, argv[1]);
  if (fflush(stdout)) log_die_failure(EXIT_TEMPORARY, "write", "standard output", 0);
  return c.problems ? EXIT_REFUSED : 0;
}
