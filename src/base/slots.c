/* How many connections of one address may be before login at once.  A place is a locked byte of one
 * file, which stays empty: the lock belongs to an open file (Linux OFD locks) that only imaplogin's
 * parser has, or tlsd before the handshake, and goes when they do, however they end.  Nothing needs
 * cleaning up.  Not for
 * sessions, and no memory of failures. */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { PLACES = 256 }; /* bytes for each address, which bounds max */

/* Distinct for each IPv4 address; an IPv6 /64 is mixed down to 54 bits, so that two networks share
 * places only by a rare chance. */
static uint64_t address_number(char const *text) {
  uint64_t n = address_group(text);
  uint64_t v4 = n ^ UINT64_C(0xffff) << 32;
  if (!n || v4 <= UINT32_MAX) return n ? v4 : 0;
  n *= UINT64_C(0x9e3779b97f4a7c15);
  return (n >> 10) | UINT64_C(1) << 32;
}

#ifdef F_OFD_SETLK
static int lock_byte(int fd, off_t offset) {
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1};
  return fcntl(fd, F_OFD_SETLK, &l);
}
#else
static int lock_byte(int fd, off_t offset) {
  (void)fd;
  (void)offset;
  errno = ENOSYS;
  return -1;
}
#endif

static int lock_any(int fd, char const *address, unsigned int max) {
  off_t first = (off_t)(address_number(address) * PLACES);
  for (unsigned int i = 0; i < max && i < PLACES; i++) {
    if (!lock_byte(fd, first + (off_t)i)) return 0;
    if (errno != EAGAIN && errno != EACCES) return -1;
  }
  errno = EAGAIN;
  return -1;
}

/* As slot_take_configured. */
static int slot_take(char const *path, char const *address, unsigned int max) {
  int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  fd = fd_move_high(fd);
  if (fd < 0) return -1;
  if (!lock_any(fd, address, max)) return fd;
  int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

int slot_take_configured(void) {
  char const *path = getenv("IMAP_LOGIN_SLOTS"), *ip = getenv("TCPREMOTEIP");
  unsigned int max = (unsigned int)setting_number("IMAP_LOGIN_PERIP", 10, 1, PLACES);
  errno = ENOENT;
  if (!path || !*path || !ip) return -1;
  int slot = slot_take(path, ip, max);
  if (slot >= 0) return slot;
  if (errno == EAGAIN)
    log_event("too-many-connections", "ip", ip, "remedy", "see IMAP_LOGIN_PERIP in imaplogin(8)",
              (char *)0);
  else
    log_failure("count connections in", path, "let IMAP_LOGIN_SLOTS name a file on a local disk");
  return -1;
}
