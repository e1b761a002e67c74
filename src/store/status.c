/* STATUS: counting without selecting. */
#include "store/folder.h"

enum store_error store_status(struct store *s, char const *name, struct folder_status *out) {
  struct folder *f;
  *out = (struct folder_status){0};
  enum store_error e = folder_acquire(s, name, &f);
  if (!e) e = folder_refresh(f, false);
  if (e) return e;
  struct view const *v = &f->view;
  out->messages = v->n - v->gone;
  out->unseen = v->unseen;
  out->deleted = v->deleted;
  for (uint32_t i = view_find(v, v->recent + 1); i < v->n; i++)
    out->recent += !(view_at(v, i)->bits & BIT_GONE);
  out->uidnext = v->uidnext;
  out->uidvalidity = v->uidvalidity;
  out->highest_modseq = v->modseq;
  return STORE_OK;
}
