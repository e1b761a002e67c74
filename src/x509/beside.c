/* Whom the files beside a certificate file are for, by their names: Courier's convention, with
 * wildcards and a second kind of certificate. */
#include "x509/x509.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

bool is_address(char const *text) {
  size_t n = strspn(text, "0123456789abcdefABCDEF:.");
  return n && !text[n] && n < 46; /* INET6_ADDRSTRLEN */
}

static bool is_label_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* RFC 1123 section 2.1; a last label of digits would make it an address. */
static bool is_server_name(char const *name) {
  enum { LABEL_MAX = 63 };
  size_t label = 0, dots = 0;
  bool digits = true;
  for (char const *p = name; *p; p++) {
    if (*p == '.') {
      if (!label || p[-1] == '-') return false;
      dots++;
      label = 0;
      digits = true;
      continue;
    }
    if (!is_label_character(*p) || (!label && *p == '-') || ++label > LABEL_MAX) return false;
    digits = digits && *p >= '0' && *p <= '9';
  }
  return dots && label && !digits;
}

bool server_name_take(char const *given, char name[SERVER_NAME_MAX + 1]) {
  size_t n = strnlen(given, SERVER_NAME_MAX + 1), kind = sizeof SECOND_KIND - 1;
  if (n > SERVER_NAME_MAX) return false;
  for (size_t i = 0; i < n; i++)
    name[i] = (char)(given[i] >= 'A' && given[i] <= 'Z' ? given[i] - 'A' + 'a' : given[i]);
  name[n] = 0;
  /* The second file of another name is nobody's first. */
  return is_server_name(name) && (n < kind || strcmp(name + n - kind, SECOND_KIND));
}

/* What stands behind the base name: `.ecdsa`, or a dot and a name, a wildcard or an address. */
static bool is_for_somebody(char const *suffix, enum certificate_for *whom) {
  char text[SERVER_NAME_MAX + 8], name[SERVER_NAME_MAX + 1];
  size_t n = strlen(suffix), kind = sizeof SECOND_KIND - 1;
  if (n >= sizeof text || *suffix != '.') return false;
  if (n >= kind && !strcmp(suffix + n - kind, SECOND_KIND)) n -= kind;
  if (!n) {
    *whom = FOR_EVERYBODY;
    return true;
  }
  memcpy(text, suffix + 1, n - 1);
  text[n - 1] = 0;
  if (!strncmp(text, "*.", 2)) *text = 'x'; /* any label in place of the star */
  if (server_name_take(text, name))
    *whom = FOR_NAME;
  else if (is_address(text) && strpbrk(text, ".:"))
    *whom = FOR_ADDRESS;
  else
    return false;
  return true;
}

int certificate_files_beside(char const *certfile, beside_take *take, void *context) {
  char directory[PATH_MAX];
  char const *slash = strrchr(certfile, '/'), *base = slash ? slash + 1 : certfile;
  size_t n = (size_t)(base - certfile), base_size = strlen(base);
  enum certificate_for whom;
  bool going = true;
  if (n + 2 > sizeof directory) return -1;
  memcpy(directory, certfile, n);
  memcpy(directory + n, ".", 2);
  DIR *d = opendir(directory);
  if (!d) return -1;
  for (struct dirent *e; going && (e = readdir(d));)
    if (!strncmp(e->d_name, base, base_size) && is_for_somebody(e->d_name + base_size, &whom))
      going = take(context, e->d_name + base_size, whom);
  closedir(d);
  return 0;
}
