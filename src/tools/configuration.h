/* Configuration files, lines of key=value as Courier's are, for conf2env. */
#ifndef TOOLS_CONFIGURATION_H
#define TOOLS_CONFIGURATION_H

#include "base/base.h"

/* Part of a value: literal text, or the name of the key it refers to.  Points into the file. */
struct piece {
  char const *text;
  size_t size;
  bool reference;
};

enum progress { UNRESOLVED, RESOLVING, RESOLVED, FAILED };

struct where {
  char const *file; /* null for standard input */
  uint64_t line;
};

/* One line key=value. */
struct definition {
  char const *key;
  struct where where;
  struct piece *pieces;
  size_t n, capacity;
  enum progress progress;
  struct definition *waits_for; /* while RESOLVING: what is resolved first */
  char const *value;            /* once RESOLVED */
  size_t size;
};

struct config {
  struct arena arena;
  struct definition *definitions; /* in the order of the files */
  size_t n, capacity;
  size_t total;            /* bytes of all values */
  unsigned int complaints; /* bad lines so far */
};

/* Reads these files, or standard input where there are none, and resolves the references.  What is
 * wrong is logged, and ends the program: EXIT_REFUSED. */
void config_read(struct config *, char **files);
/* What is wrong with it as a key, null if nothing. */
char const *config_key_fault(char const *key, size_t size);
/* Whether no later line has the same key. */
bool config_is_last(struct config const *, struct definition const *);

#endif
