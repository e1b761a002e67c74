/* STATUS: counting without selecting. */
#include "store/folder.h"

enum store_error store_status(struct store *s, char const *name, struct folder_status *out) {
  struct folder *f;
  *out = (struct folder_status){0};
  enum store_error e = folder_acquire(s, name, &f);
  if (!e) e = folder_refresh(f, false);
  if (e) return e;
  struct view const *v = &f->view;
  for (uint32_t i = 0; i < v->n; i++) {
    struct message const *m = &v->messages[i];
    if (m->bits & BIT_GONE) continue;
    out->messages++;
    out->recent += m->uid > v->recent;
    out->unseen += !(m->bits & FLAG_SEEN);
    out->deleted += !!(m->bits & FLAG_DELETED);
  }
  out->uidnext = v->uidnext;
  out->uidvalidity = v->uidvalidity;
  out->highest_modseq = v->modseq;
  return STORE_OK;
}
