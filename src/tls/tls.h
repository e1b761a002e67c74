/* tlsd: the TLS terminator's own parts, see tlsd(8).
 *
 *   tlsd.c         main: settings, engine, hand-over to the next program
 *   identity.c     which certificate files there are for whom
 *   loader.c       the privileged process that reads those of a name
 *   choice.c       which certificate and suite a client gets
 *   suites.c       TLS_CIPHER_LIST and TLS_PROTOCOL
 *   engine.c       the confined process that holds the key and the connection
 *   facts.c        what the engine tells the chain of the connection
 *   authorities.c  who signs the certificates of clients
 *   peer.c         the client's certificate
 *   sessions.c     sessions for resumption, in a file that engines share
 *   confine.c      how engine and loader are confined
 *   relay.c        bytes between the connection and the chain, through BearSSL
 *   words.c        names of versions, reasons in words
 */
#ifndef TLS_H
#define TLS_H

#include "x509/x509.h"

#include <limits.h>

/* ---- identity.c ---- */
/* What we are to one client: certificates of different kinds, for clients of different kinds. */
enum { KINDS = 2 };
struct identity {
  size_t n;
  struct credentials *of[KINDS]; /* in order of preference */
};
/* The settings, copied: the environment goes. */
struct certificate_files {
  char certfile[PATH_MAX], keyfile[PATH_MAX], trust[PATH_MAX]; /* the latter two may be empty */
};
bool identity_settings(struct certificate_files *);
/* What a connection begins with: by the local address, where a file is there for it that can be
 * used, or the default.  What cannot be used is logged.  1; 0 if there is no such file; -1 if there
 * is one, and none that can be used. */
int identity_load_default(struct identity *, struct certificate_files const *, char const *address);
/* The keys and all else. */
void identity_wipe(struct identity const *);
/* Whether there could be a file for some name. */
bool identity_has_names(struct certificate_files const *);
/* The files of a name, else those of the wildcard above it, likewise. */
int identity_load_name(struct identity *, struct certificate_files const *, char const *name);

/* ---- loader.c ---- */
/* The loader's whole life: one request on fd, one answer.  Confined; can only read files. */
noreturn void loader_run(struct certificate_files const *, int fd);
/* From the engine: the identity of a name, null if there is none of its own.  A loader that has
 * ended, or does not answer, has `failed`. */
struct identity const *loader_ask(int fd, char const *name, bool *failed);

/* ---- choice.c ---- */
struct choice {
  br_ssl_server_policy_class const *vtable; /* BearSSL's view of it */
  struct identity const *identity;          /* the default one */
  int loader;                               /* to ask for others; -1: there are none */
  bool loader_failed;                       /* so the client got the default one */
  struct credentials const *chosen;         /* after the client's first message */
};
void choice_init(struct choice *, struct identity const *, int loader);
/* The choice has been made, or there was none to make. */
void choice_end(struct choice *);
/* What we are to a client that names this server, or none (an empty name); the loader is asked at
 * most once. */
struct identity const *choice_identity(struct choice *, char const *server_name);

/* ---- suites.c ---- */
enum { SUITES_MAX = 16 };
struct suites {
  uint16_t ids[SUITES_MAX]; /* in order of preference */
  size_t n;
  bool with_cbc;
  /* By the processor's instructions; null where it has none. */
  br_block_ctr_class const *aes;
  br_ghash ghash;
};
/* From TLS_CIPHER_LIST.  That and TLS_PROTOCOL are looked at; what is asked for there and cannot be
 * had is misconfiguration: logged, exit 100. */
void suites_configure(struct suites *);
char const *suite_name(unsigned int suite); /* OpenSSL's names, as Courier logs them */

/* ---- authorities.c ---- */
enum {
  AUTHORITIES_MAX = 512,       /* of the web there are about 150 */
  AUTHORITY_NAMES_MAX = 65535, /* RFC 5246 section 7.4.4: what a client is told of them */
};
struct authority_list {
  br_x509_trust_anchor *anchors;
  size_t n, names_size; /* names_size as in that section */
};
/* Those that TLS_TRUSTCERTS names and that are valid today.  -1, logged, if there are none or more
 * than a client can be told of. */
int authorities_load(struct authority_list *, char const *path);

/* ---- engine.c ---- */
/* TLS_VERIFYPEER: whether clients are asked for a certificate, and must have one. */
enum verify { VERIFY_NONE, VERIFY_PEER, VERIFY_REQUIREPEER };
struct engine_settings {
  uid_t uid; /* 0: stay who we are (an ordinary user) */
  gid_t gid;
  int handshake_ms;
  uint64_t sessions_size; /* bytes that the file of sessions may have */
  struct suites suites;
  struct identity identity;
  enum verify verify;
  struct authority_list authorities; /* empty under VERIFY_NONE */
};
/* The engine's end of everything. */
struct engine_ends {
  int connection;
  int control;  /* where `Y` or `y` comes from and facts go to */
  int chain;    /* the inside of TLS */
  int loader;   /* as in struct choice */
  int sessions; /* the file of sessions; -1: no resumption */
};
/* Never returns. */
noreturn void engine_run(struct engine_settings const *, struct engine_ends const *);

/* ---- facts.c: strings NAME=value NUL, see doc/chain.md ---- */
struct peer;
/* Of the connection, our certificate, and the client's, if there is one; and a warning, if there is
 * one, for the log that the engine has not. */
void facts_send(int control, br_ssl_engine_context const *, struct credentials const *,
                struct peer const *, char const *warning);
void facts_send_failure(int control, char const *reason);

/* ---- peer.c ---- */
enum {
  PEER_ATTRIBUTES = 8,          /* that we tell of */
  PEER_CERTIFICATE_MAX = 16384, /* real ones have 1,000 to 3,000 bytes */
};
struct peer {
  br_x509_class const *vtable; /* BearSSL's view of it */
  br_x509_minimal_context minimal;
  br_ssl_engine_context *tls;
  bool verified;      /* the chain; the handshake shows whether the client has the key, too */
  size_t count, size; /* certificates seen, and bytes of the first */
  unsigned char certificate[PEER_CERTIFICATE_MAX];
  br_name_element elements[PEER_ATTRIBUTES];
  char values[PEER_ATTRIBUTES][FACT_MAX];
};
/* The client will be asked for a certificate by one of these authorities, which stay where they
 * are; `required`: or there will be no connection. */
void peer_ask(struct peer *, br_ssl_server_context *, struct authority_list const *, bool required);
/* After the handshake: the fact's name and its value of attribute number i, null if the certificate
 * has none such. */
char const *peer_attribute(struct peer const *, size_t i, char const **value);
/* After a handshake that failed by this error of BearSSL's: tells the client if it was for its
 * certificate, which BearSSL leaves out. */
void peer_refuse(int connection, int error);

/* ---- sessions.c ---- */
enum { HELLO_NAME_MAX = 255 }; /* the longest server name that BearSSL takes */
struct sessions {
  br_ssl_session_cache_class const *vtable; /* BearSSL's view of it */
  struct choice *choice;
  int fd;           /* the file; -1: no resumption */
  uint64_t size;    /* bytes that the file may have */
  off_t resumed_at; /* the entry that this connection resumes, -1 if none */
  char server_name[HELLO_NAME_MAX + 1];
};
/* Opens the file, or makes it, of our own and closed to others.  Returns the descriptor or -1. */
int sessions_open(char const *path);
void sessions_use(struct sessions *, br_ssl_server_context *);
/* After the handshake: whether it resumed a session of this server name, or none. */
bool sessions_is_of(struct sessions const *, char const *server_name);
/* A session whose handshake has failed must not be resumed (RFC 5246 section 7.2.2). */
void sessions_forget(struct sessions *);

/* ---- confine.c ---- */
/* No privilege, no file system, no system calls but those of the relay.  Failure ends the process,
 * logged.  Descriptor 2 must still be open; it is closed. */
void engine_confine(uid_t uid, gid_t gid);
/* Nothing but reading files, and a socket that is open. */
void loader_confine(void);

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
  unsigned char *buffers; /* BearSSL's, that for what is received first */
  size_t buffers_size;
  int connection, chain;
  size_t received;    /* of what BearSSL has asked for */
  int64_t deadline;   /* clock_ms units, -1 for none */
  bool chain_hung_up; /* the chain's program has gone */
  bool chain_ended;   /* and all that it wrote has been taken */
  bool closing;       /* close_notify is on its way to the peer */
  bool finished;      /* everything is sent, the connection is shut down for writing */
  bool trimmed;       /* nothing has come since memory was given back */
};
/* Both run with descriptors in whatever mode and block only in poll(2). */
enum relay_state relay_handshake(struct relay *);
enum relay_state relay_run(struct relay *);

/* ---- words.c ---- */
char const *version_name(unsigned int version); /* "TLSv1.2" */
/* Why a handshake came to nothing. */
char const *failure_reason(br_ssl_server_context const *, enum relay_state);

#endif
