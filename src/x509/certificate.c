/* The fields of a certificate (RFC 5280 section 4.1). */
#include "x509/x509.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
  DNS_NAME = 0x82,   /* GeneralName: [2] IMPLICIT IA5String */
  IP_ADDRESS = 0x87, /* [7] IMPLICIT OCTET STRING */
  EXTENSIONS = DER_TAGGED + 3,
  SECONDS_PER_DAY = 86400,
};

static unsigned char const subject_alt_name[] = {0x55, 0x1D, 0x11}; /* 2.5.29.17 */

/* Days since 1970-01-01 in the Gregorian calendar; years begin in March, so that the leap day is
 * their last. */
static int64_t day_number(int64_t year, int64_t month, int64_t day) {
  if (month <= 2) {
    year--;
    month += 12;
  }
  return 365 * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + day -
         719469;
}

/* Two digits; -1 for anything else. */
static int two_digits(unsigned char const *p) {
  if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9') return -1;
  return 10 * (p[0] - '0') + p[1] - '0';
}

/* YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ (RFC 5280 section 4.1.2.5: nothing else). */
static bool take_time(struct der *rest, int64_t *time) {
  enum { MONTH = 1, DAY, HOUR, MINUTE, SECOND, PARTS };
  struct der_item item;
  int part[PARTS], century = -1;
  if (!der_next(rest, &item)) return false;
  unsigned char const *p = item.content.data;
  if (item.tag == DER_GENERAL_TIME && item.content.size == 15) {
    century = two_digits(p);
    if (century < 0) return false;
    p += 2;
  } else if (item.tag != DER_UTC_TIME || item.content.size != 13) {
    return false;
  }
  for (size_t i = 0; i < PARTS; i++, p += 2) {
    part[i] = two_digits(p);
    if (part[i] < 0) return false;
  }
  if (*p != 'Z') return false;
  if (part[MONTH] < 1 || part[MONTH] > 12 || part[DAY] < 1 || part[DAY] > 31) return false;
  if (century < 0) century = part[0] < 50 ? 20 : 19;
  *time = day_number(100 * century + part[0], part[MONTH], part[DAY]) * SECONDS_PER_DAY +
          part[HOUR] * 3600 + part[MINUTE] * 60 + part[SECOND];
  return true;
}

static bool find_alternative_names(struct certificate *c, struct der extensions) {
  struct der list, one, oid, critical, value;
  if (!der_take(&extensions, DER_SEQUENCE, &list)) return false;
  while (list.size) {
    if (!der_take(&list, DER_SEQUENCE, &one) || !der_take(&one, DER_OID, &oid)) return false;
    der_take(&one, DER_BOOLEAN, &critical);
    if (!der_take(&one, DER_OCTETS, &value)) return false;
    if (!der_equal(oid, (struct der){subject_alt_name, sizeof subject_alt_name})) continue;
    if (!der_take(&value, DER_SEQUENCE, &c->alternative_names)) return false;
  }
  return true;
}

static bool parse_signed_part(struct certificate *c, struct der rest) {
  struct der validity, ignored;
  struct der_item item;
  der_take(&rest, DER_TAGGED, &ignored);                      /* version */
  if (!der_take(&rest, DER_INTEGER, &ignored)) return false;  /* serial number */
  if (!der_take(&rest, DER_SEQUENCE, &ignored)) return false; /* algorithm, told again outside */
  if (!der_take(&rest, DER_SEQUENCE, &c->issuer)) return false;
  if (!der_take(&rest, DER_SEQUENCE, &validity)) return false;
  if (!take_time(&validity, &c->not_before) || !take_time(&validity, &c->not_after)) return false;
  if (!der_take(&rest, DER_SEQUENCE, &c->subject)) return false;
  if (!der_take(&rest, DER_SEQUENCE, &c->public_key)) return false;
  while (der_next(&rest, &item))
    if (item.tag == EXTENSIONS && !find_alternative_names(c, item.content)) return false;
  return !rest.size;
}

bool certificate_parse(struct certificate *c, struct der bytes) {
  struct der outer, algorithm;
  struct der_item item;
  *c = (struct certificate){.whole = bytes};
  if (!der_take(&bytes, DER_SEQUENCE, &outer) || bytes.size) return false;
  if (!der_next(&outer, &item) || item.tag != DER_SEQUENCE) return false;
  c->to_be_signed = item.whole;
  if (!parse_signed_part(c, item.content)) return false;
  if (!der_take(&outer, DER_SEQUENCE, &algorithm)) return false;
  if (!der_take(&algorithm, DER_OID, &c->algorithm)) return false;
  return der_take_bits(&outer, &c->signature) && !outer.size;
}

/* A DNS name in printable characters, or an address; false for what is neither. */
static bool host_text(struct der_item const *item, char text[HOST_NAME_MAX_TEXT]) {
  struct der v = item->content;
  if (item->tag == IP_ADDRESS && (v.size == 4 || v.size == 16))
    return inet_ntop(v.size == 4 ? AF_INET : AF_INET6, v.data, text, HOST_NAME_MAX_TEXT);
  if (item->tag != DNS_NAME || !v.size || v.size >= HOST_NAME_MAX_TEXT) return false;
  for (size_t i = 0; i < v.size; i++)
    if (v.data[i] <= ' ' || v.data[i] > '~') return false;
  memcpy(text, v.data, v.size);
  text[v.size] = 0;
  return true;
}

bool certificate_next_host(struct der *rest, char text[HOST_NAME_MAX_TEXT]) {
  struct der_item item;
  while (der_next(rest, &item))
    if (host_text(&item, text)) return true;
  return false;
}

bool certificate_is_self_issued(struct certificate const *c) {
  return der_equal(c->issuer, c->subject);
}

bool certificate_is_valid_now(struct certificate const *c) {
  struct timespec now = {0};
  clock_gettime(CLOCK_REALTIME, &now); /* which tlsd's loader may call, unlike time(2) */
  return c->not_before <= now.tv_sec && now.tv_sec <= c->not_after;
}
