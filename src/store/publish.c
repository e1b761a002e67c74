/* New messages in a folder, all or none: what APPEND, COPY and MOVE have in common (doc/store.md,
 * "Batches").  Under the folder's lock throughout. */
#include "store/folder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void publish_name(char name[MAILDIR_NAME_MAX + 1], uint64_t batch, uint64_t size,
                  unsigned int flags) {
  char base[MAILDIR_NAME_MAX + 1];
  maildir_unique(base, sizeof base, batch);
  size_t n = strlen(base); /* at most MAILDIR_UNIQUE_MAX: the rest fits */
  snprintf(base + n, sizeof base - n, ",S=%" PRIu64, size);
  struct maildir_name new = {base, strlen(base), 0};
  maildir_name_join(name, MAILDIR_NAME_MAX + 1, &new, flags);
}

enum store_error publish_intent(struct folder *f, uint64_t batch) {
  struct records r = {0};
  record_begin(&r, RECORD_INTENT);
  record_u64(&r, batch);
  record_end(&r);
  return folder_write(f, &r, true, true);
}

enum store_error publish_commit(struct folder *f, uint64_t batch, struct arrival *arrivals,
                                size_t n, struct set *uids) {
  struct records r = {0};
  if (dir_sync(f->cur) < 0) return folder_failure(f, "sync", "cur");
  enum store_error e = folder_reserve(f, (uint32_t)n);
  if (e) return e;
  uint32_t first = f->view.uidnext;
  uint64_t modseq = folder_next_modseq(f);
  uint32_t saved = entry_saved(time(0));
  record_entries(&r, batch, (uint32_t)n);
  for (size_t i = 0; i < n; i++) {
    arrivals[i].entry.uid = first + (uint32_t)i;
    arrivals[i].entry.modseq = modseq;
    arrivals[i].entry.saved = saved;
    record_entry(&r, &arrivals[i].entry, &arrivals[i].keywords);
  }
  record_end(&r);
  e = folder_write(f, &r, true, false);
  if (!e) set_add_range(uids, first, first + (uint32_t)n - 1);
  return e;
}

void publish_abort(struct folder *f, uint64_t batch, struct arrival const *arrivals, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (unlinkat(f->cur, arrivals[i].entry.name, 0) < 0 && errno != ENOENT)
      folder_failure(f, "unlink", arrivals[i].entry.name);
  for (size_t i = 0; i < f->view.npending; i++)
    if (!f->view.pending[i].move && f->view.pending[i].id == batch) {
      /* If this cannot be written either, the next writer does it. */
      batch_done(f, batch);
      return;
    }
}
