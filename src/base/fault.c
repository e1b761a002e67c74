/* Files that are mapped and turn out to be unreadable: cut short by somebody, or on a failing disk.
 * The system then sends SIGBUS at the access; whoever mapped the file puts memory in its place, and
 * the access is done again. */
#include "base/base.h"

#include <signal.h>

static struct fault_region *regions;

static void on_bus_error(int number, siginfo_t *info, void *context) {
  (void)context;
  uintptr_t at = (uintptr_t)info->si_addr;
  for (struct fault_region *r = regions; r; r = r->next)
    if (at - (uintptr_t)r->start < r->size) {
      r->mend(r->context);
      return;
    }
  /* None of ours: what would have happened without us happens at the next attempt. */
  signal(number, SIG_DFL);
}

int fault_watch(struct fault_region *r) {
  struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  if (!regions && sigaction(SIGBUS, &action, 0) < 0) return -1;
  r->next = regions;
  regions = r;
  return 0;
}

void fault_forget(struct fault_region *r) {
  for (struct fault_region **p = &regions; *p; p = &(*p)->next)
    if (*p == r) {
      *p = r->next;
      return;
    }
}
