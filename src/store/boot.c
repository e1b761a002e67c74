/* A number that differs from boot to boot of this machine: what was written before the present boot
 * may have lost its unsynced end. */
#include "store/folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

/* Without a boot id: when the machine started, in steps large enough that setting the clock a
 * little does not look like a boot.  A restart within the same step goes unnoticed. */
enum { STEP_S = 600 };

static uint64_t boot_time(void) {
  struct timespec now, up;
  clock_gettime(CLOCK_REALTIME, &now);
  clock_gettime(CLOCK_MONOTONIC, &up);
  return (uint64_t)(now.tv_sec - up.tv_sec) / STEP_S;
}

uint64_t store_boot(void) {
  char *id;
  size_t size;
  if (file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 100, &id, &size) < 0 || !size) {
    free(id);
    return boot_time();
  }
  uint64_t boot = store_hash(1, id, size);
  free(id);
  return boot;
}
