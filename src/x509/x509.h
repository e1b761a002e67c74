/* x509: certificates and private keys as files hold them, for TLS, for the choice of certificates
 * and for tlscheck(8).  Certificates of others (clients, authorities) BearSSL reads itself.
 *
 *   der.c          DER, within bounds
 *   certificate.c  the fields of a certificate
 *   key.c          public and private keys
 *   name.c         distinguished names, as text and as c_rehash(1) hashes them
 *   verify.c       who signed a certificate, and whom it is for
 *   pem.c          the objects of a PEM file
 *   credentials.c  a server's own: chain and private key
 *   beside.c       whom the files beside a certificate file are for
 *   trust.c        authorities: a file of certificates, or a directory in c_rehash form
 *
 * Everything read is hostile: lengths are checked, nothing recurses.
 */
#ifndef X509_H
#define X509_H

#include "base/base.h"

#include <bearssl.h>

/* ---- der.c: X.690 DER as RFC 5280 uses it ---- */
/* Bytes of somebody else's. */
struct der {
  unsigned char const *data;
  size_t size;
};
enum {
  DER_BOOLEAN = 0x01,
  DER_INTEGER = 0x02,
  DER_BITS = 0x03,
  DER_OCTETS = 0x04,
  DER_OID = 0x06,
  DER_UTF8 = 0x0C,
  DER_PRINTABLE = 0x13,
  DER_T61 = 0x14,
  DER_IA5 = 0x16,
  DER_UTC_TIME = 0x17,
  DER_GENERAL_TIME = 0x18,
  DER_VISIBLE = 0x1A,
  DER_SEQUENCE = 0x30,
  DER_SET = 0x31,
  DER_TAGGED = 0xA0, /* [0] EXPLICIT; [n] is n more */
};
struct der_item {
  unsigned int tag;
  struct der content, whole; /* whole: with tag and length */
};
/* Takes the first item off `rest`; false at its end, and for what is no DER or has a tag or length
 * that no certificate needs. */
bool der_next(struct der *rest, struct der_item *);
/* The same if it has this tag; otherwise `rest` stays. */
bool der_take(struct der *rest, unsigned int tag, struct der *content);
/* A BIT STRING of whole bytes, without the number of bits that are too many. */
bool der_take_bits(struct der *rest, struct der *bytes);
bool der_equal(struct der, struct der);

/* ---- certificate.c: RFC 5280 section 4.1.  Slices of the bytes given ---- */
struct certificate {
  struct der whole, to_be_signed;
  struct der issuer, subject;    /* contents of their SEQUENCEs */
  int64_t not_before, not_after; /* seconds since 1970 */
  struct der public_key;         /* content of SubjectPublicKeyInfo */
  struct der alternative_names;  /* content of GeneralNames, empty if there are none */
  struct der algorithm;          /* object identifier of the signature's */
  struct der signature;
};
bool certificate_parse(struct certificate *, struct der bytes);
/* Takes one name that hosts go by, DNS or IP address, off `rest`, which began as alternative_names;
 * other kinds are passed over.  False if there are no more. */
enum { HOST_NAME_MAX_TEXT = 256 };
bool certificate_next_host(struct der *rest, char text[HOST_NAME_MAX_TEXT]);
bool certificate_is_self_issued(struct certificate const *);
bool certificate_is_valid_now(struct certificate const *);

/* ---- key.c ---- */
/* BearSSL's limits: P-521, RSA-4096. */
enum { EC_POINT_MAX = 133, RSA_MODULUS_MAX = 512, RSA_FACTOR_MAX = 260 };
/* Lives at one address: the rest points into bytes. */
struct private_key {
  int type; /* BR_KEYTYPE_RSA or BR_KEYTYPE_EC; 0 if there is none */
  br_rsa_private_key rsa;
  br_ec_private_key ec;
  unsigned char *point; /* the public half of an EC key, if it is there */
  size_t point_size, size;
  unsigned char bytes[5 * RSA_FACTOR_MAX];
};
/* In PKCS#8, PKCS#1 or SEC1.  False if it is none that BearSSL knows. */
bool private_key_read(struct private_key *, struct der bytes);
/* The public key, which lies within the certificate.  False as above. */
bool certificate_key(struct certificate const *, br_x509_pkey *);

/* ---- name.c ---- */
/* `CN=mail.example.org, O=Example`, cut short to fit; what is not printable ASCII as \xHH. */
void name_text(struct der name, char *text, size_t room);
/* The number by which c_rehash(1) names files.  False for names that it would need more of OpenSSL
 * for: in BMPStrings, or longer than 2 KiB. */
bool name_hash(struct der name, uint32_t *hash);

/* ---- verify.c ---- */
enum signed_by { SIGNED_BY_OTHER, SIGNED_BY, SIGNED_UNKNOWN };
/* SIGNED_UNKNOWN: the names fit, and the signature is of a kind that BearSSL cannot check. */
enum signed_by certificate_signed_by(struct certificate const *, struct certificate const *issuer);
/* "ECDSA with SHA-256"; null if unknown. */
char const *certificate_algorithm(struct certificate const *);
/* The hash function of the signature's algorithm; null if it has none, or it is unknown. */
br_hash_class const *certificate_hash(struct certificate const *);
/* Whether the certificate is for this host name or address, by its alternative names alone, with a
 * `*` as the whole first label (RFC 6125 sections 6.4.3 and 6.4.4). */
bool certificate_is_for(struct certificate const *, char const *host);

/* ---- pem.c ---- */
/* Calls take with the name of the BEGIN line and the bytes of each object of a PEM text, in order;
 * bytes are in text's own memory, which is overwritten, and true goes on.  CR is passed over, a
 * last line without newline is one.  False for damage: no clean base64 between BEGIN and END. */
typedef bool pem_take(void *context, char const *name, struct der bytes);
bool pem_each(char *text, size_t size, pem_take *take, void *context);
bool pem_is_certificate(char const *name);

/* ---- credentials.c ---- */
enum {
  PEM_FILE_MAX = 65536,        /* a chain with an RSA-4096 key is about 10,000 bytes */
  CHAIN_MAX = 10,              /* certificates in one file; real chains have 2 to 4 */
  END_POINT_SIZE = 2 * 64 + 1, /* SHA-512 in hexadecimal digits, and a NUL */
};
/* Lives at one address: chain and key point into it. */
struct credentials {
  br_x509_certificate chain[CHAIN_MAX]; /* the server's own first */
  size_t chain_length;
  struct private_key key;
  size_t der_size;
  unsigned char der[PEM_FILE_MAX];
};
/* What is wrong with certificate files, in words. */
struct certificate_problem {
  char const *path, *key; /* key: the file of the key, if the problem is between the two */
  char const *why, *remedy;
  int error; /* errno when path could not be read, then why is null */
};
/* Reads the chain, and the key from keyfile (certfile again when that is null).  -1 with the
 * problem told.  If the file holds one certificate alone that somebody else has issued, the chain
 * is completed from `trust` (see trust.c) where that is not null; what is not found there is no
 * problem here. */
int x509_credentials_load(struct credentials *, char const *certfile, char const *keyfile,
                          char const *trust, struct certificate_problem *);
/* Computes whether the private key belongs to the first certificate.  x509_credentials_load takes
 * the word of an EC key's file for it. */
int x509_credentials_prove(struct credentials const *, char const *certfile, char const *keyfile,
                           struct certificate_problem *);
/* Only the certificates. */
int x509_credentials_load_chain(struct credentials *, char const *certfile,
                                struct certificate_problem *);
/* What a client can tie a login to this connection by (SSL_SERVER_END_POINT); empty if the
 * certificate has none such. */
void x509_end_point(struct credentials const *, char text[END_POINT_SIZE]);
/* How much of it means anything. */
size_t x509_credentials_size(struct credentials const *);
void x509_credentials_wipe(struct credentials *);

/* ---- beside.c: Courier's convention, see tlsd(8) ---- */
enum { SERVER_NAME_MAX = 253 }; /* RFC 1035 section 2.3.4, without the root's dot */
#define SECOND_KIND ".ecdsa"
/* A name that files may be looked for by: letters, digits and hyphens in labels, at least one dot,
 * no address.  Puts it into small letters. */
bool server_name_take(char const *given, char name[SERVER_NAME_MAX + 1]);
bool is_address(char const *text); /* roughly: characters and length */
enum certificate_for { FOR_EVERYBODY, FOR_ADDRESS, FOR_NAME };
/* Calls take with what follows certfile's own name in the name of each such file in its directory
 * (`.host.name`, `.192.0.2.1.ecdsa`), while it returns true.  -1 if the directory cannot be listed.
 */
typedef bool beside_take(void *context, char const *suffix, enum certificate_for);
int certificate_files_beside(char const *certfile, beside_take *take, void *context);

/* ---- trust.c ---- */
enum { TRUST_FILE_MAX = 4 << 20 }; /* all authorities of the web are about 220 KiB */
/* Finds the issuer of a certificate at path, a PEM file or a directory in c_rehash form: 1 and its
 * bytes in der, 0 if none that is valid now is there (or it has more than `room` bytes), -1 if path
 * cannot be read. */
int trust_find_issuer(char const *path, struct certificate const *of, unsigned char *der,
                      size_t room, size_t *size);

#endif
