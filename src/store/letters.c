/* Dovecot's letters a to z in the names of a folder that was moved in: they stay, for the day it is
 * moved back, but go when their keyword goes. */
#include "store/takeover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void letters_free(struct letters *l) {
  free(l->mark);
  l->mark = 0;
}

/* Whether this letter stands for one of the keywords. */
static bool stands_for(struct letters const *l, struct folder const *f, char letter,
                       struct keyword_set const *lost) {
  if (letter < 'a' || letter > 'z' || !*l->mark->letters[letter - 'a']) return false;
  int id = view_keyword(&f->view, l->mark->letters[letter - 'a']);
  return id >= 0 && lost->words[id / 64] >> id % 64 & 1;
}

/* The name without the letters; false if it has none of them. */
static bool without(struct letters const *l, struct folder const *f, char const *name,
                    struct keyword_set const *lost, char out[MAILDIR_NAME_MAX + 1]) {
  struct maildir_name n;
  bool found = false;
  maildir_name_split(name, &n);
  if (!n.info) return false;
  size_t to = (size_t)(n.info - name);
  memcpy(out, name, to);
  for (char const *p = n.info; *p; p++) {
    if (stands_for(l, f, *p, lost))
      found = true;
    else
      out[to++] = *p;
  }
  out[to] = 0;
  return found;
}

static enum store_error journal_name(struct folder *f, struct message *m, char const *name) {
  struct records r = {0};
  struct entry e;
  enum store_error error = folder_entry(f, m, &e);
  if (error) return error;
  strcpy(e.name, name);
  e.flags = m->bits & FLAG_STANDARD;
  e.modseq = m->modseq;
  e.inode = m->inode;
  e.in_new = m->bits & BIT_NEW;
  record_entries(&r, 0, 1);
  record_entry(&r, &e, view_keywords_of(&f->view, m));
  record_end(&r);
  return folder_write(f, &r, false, true);
}

int letters_drop(struct letters *l, struct folder *f, struct message *m,
                 struct keyword_set const *lost, enum store_error *e) {
  char old[MAILDIR_NAME_MAX + 1], name[MAILDIR_NAME_MAX + 1];
  int dirfd;
  *e = STORE_OK;
  if (!(m->bits & BIT_LETTERS)) return 1;
  if (!l->mark) {
    l->mark = malloc(sizeof *l->mark);
    if (!l->mark || moved_read(f->dir, l->mark) < 0) {
      *e = folder_failure(f, "read", MOVED_MARK);
      return -1;
    }
  }
  if ((*e = folder_name(f, m, old, &dirfd))) return -1;
  if (!without(l, f, old, lost, name)) return 1;
  if (maildir_rename(dirfd, old, dirfd, name) < 0) {
    if (errno == ENOENT || errno == EEXIST) return 0;
    *e = folder_failure(f, "rename", old);
    return -1;
  }
  *e = journal_name(f, m, name);
  return *e ? -1 : 1;
}
