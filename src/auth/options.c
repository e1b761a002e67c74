/* Courier's account options: `disableimap=1,sharedgroup=staff`.  Names and values are the
 * administrator's; what they mean is for whoever asks. */
#include "auth/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One option off the front; null at the end. */
static char const *next_option(char const **options, size_t *size) {
  while (**options == ',') ++*options;
  if (!**options) return 0;
  char const *option = *options;
  *size = strcspn(option, ",");
  *options += *size;
  return option;
}

static bool is_named(char const *option, size_t size, char const *name, size_t name_size) {
  return size >= name_size && !memcmp(option, name, name_size) &&
         (size == name_size || option[name_size] == '=');
}

static char const *find_option(char const *options, char const *name, size_t name_size,
                               size_t *size) {
  char const *option;
  while (options && (option = next_option(&options, size)))
    if (is_named(option, *size, name, name_size)) return option;
  return 0;
}

size_t options_get(char const *options, char const *name, char const **value) {
  size_t size, name_size = strlen(name);
  char const *option = find_option(options, name, name_size, &size);
  if (!option || size <= name_size + 1) return 0;
  *value = option + name_size + 1;
  return size - name_size - 1;
}

bool options_disable(char const *options, char const *service) {
  enum { SERVICE_MAX = 32 };
  char name[sizeof "disable" + SERVICE_MAX];
  char const *value;
  snprintf(name, sizeof name, "disable%.*s", SERVICE_MAX, service);
  size_t size = options_get(options, name, &value);
  return size && !(size == 1 && *value == '0');
}

static bool append(char *merged, size_t room, size_t *used, char const *option, size_t size) {
  if (*used + size + 2 > room) return false;
  if (*used) merged[(*used)++] = ',';
  memcpy(merged + *used, option, size);
  *used += size;
  merged[*used] = 0;
  return true;
}

bool options_merge(char const *own, char const *defaults, char *merged, size_t room) {
  size_t used = 0, size, found;
  char const *option;
  *merged = 0;
  for (char const *at = own; at && (option = next_option(&at, &size));)
    if (!append(merged, room, &used, option, size)) return false;
  for (char const *at = defaults; at && (option = next_option(&at, &size));) {
    size_t name_size = strcspn(option, "=,");
    if (!find_option(own, option, name_size, &found) && !append(merged, room, &used, option, size))
      return false;
  }
  return true;
}

bool options_complete(char const **options, char room[OPTIONS_MAX]) {
  char const *defaults = getenv("DEFAULTOPTIONS");
  if (!defaults || !*defaults) return true;
  if (!options_merge(*options, defaults, room, OPTIONS_MAX)) return false;
  *options = room;
  return true;
}
