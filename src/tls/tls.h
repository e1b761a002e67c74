/* tlsd: the TLS terminator's own parts, see tlsd(8).
 *
 *   tlsd.c         main: settings, engine, hand-over to the next program
 *   certificate.c  the PEM file: certificate chain and private key
 *   engine.c       the confined process that holds the key and the connection
 *   confine.c      how it is confined
 *   relay.c        bytes between the connection and the chain, through BearSSL
 *   words.c        names of suites and versions, reasons in words
 */
#ifndef TLS_H
#define TLS_H

#include "base/base.h"

#include <bearssl.h>

/* ---- certificate.c ---- */
enum {
  PEM_FILE_MAX = 65536,        /* a chain with an RSA-4096 key is about 10,000 bytes */
  CHAIN_MAX = 10,              /* certificates in one file; real chains have 2 to 4 */
  END_POINT_SIZE = 2 * 64 + 1, /* SHA-512 in hexadecimal digits, and a NUL */
};
/* Lives at one address: chain and key point into it. */
struct credentials {
  br_x509_certificate chain[CHAIN_MAX]; /* the server's own first */
  size_t chain_length;
  br_skey_decoder_context key; /* the decoded key lies in here */
  unsigned char der[PEM_FILE_MAX];
  size_t der_size;
  char end_point[END_POINT_SIZE]; /* SSL_SERVER_END_POINT; empty if the certificate has none */
};
/* Reads the chain, and the key from keyfile (certfile again when that is null).  Whatever is wrong
 * with them is misconfiguration: logged in words, exit 100. */
void credentials_load(struct credentials *, char const *certfile, char const *keyfile);
void credentials_wipe(struct credentials *);

/* ---- engine.c ---- */
struct engine_settings {
  uid_t uid; /* 0: stay who we are (an ordinary user) */
  gid_t gid;
  int handshake_ms;
  struct credentials *credentials;
};
/* The engine's end of everything: 0 is the connection; control is where `Y` or `y` comes from and
 * facts go to; chain is the inside of TLS.  Never returns. */
noreturn void engine_run(struct engine_settings const *, int control, int chain);

/* ---- confine.c ---- */
/* No privilege, no file system, no system calls but those of the relay.  Failure ends the process,
 * logged.  Descriptor 2 must still be open; it is closed. */
void engine_confine(uid_t uid, gid_t gid);

/* ---- relay.c ---- */
enum relay_state {
  RELAY_GOING,
  RELAY_CLOSED,    /* close_notify both ways */
  RELAY_TRUNCATED, /* the connection ended without close_notify */
  RELAY_TIMEOUT,
  RELAY_FAILED, /* br_ssl_engine_last_error says why */
};
struct relay {
  br_ssl_engine_context *tls;
  int connection, chain;
  int64_t deadline;   /* clock_ms units, -1 for none */
  bool chain_hung_up; /* the chain's program has gone */
  bool chain_ended;   /* and all that it wrote has been taken */
  bool closing;       /* close_notify is on its way to the peer */
  bool finished;      /* everything is sent, the connection is shut down for writing */
};
/* Both run with descriptors in whatever mode and block only in poll(2). */
enum relay_state relay_handshake(struct relay *);
enum relay_state relay_run(struct relay *);

/* ---- words.c ---- */
char const *suite_name(unsigned int suite);     /* OpenSSL's names, as Courier logs them */
char const *version_name(unsigned int version); /* "TLSv1.2" */
/* Why a handshake came to nothing. */
char const *failure_reason(br_ssl_server_context const *, enum relay_state);

#endif
