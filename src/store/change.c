/* Changing flags and keywords, and expunging. */
#include "store/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- flags ---- */

/* One folder_store on its way. */
struct storing {
  struct folder *f;
  struct flag_change const *change;
  struct flag_result *result;
  struct keyword_set set; /* the keywords named */
  struct group *groups;   /* one for each outcome */
  size_t ngroups, groups_room;
  uint64_t modseq;
  bool renamed; /* a file name has changed: cur/ needs a sync */
  bool missing; /* a name was not where the journal said */
  struct letters letters;
};

/* Messages that end up with the same flags and keywords: one record. */
struct group {
  unsigned int flags;
  uint32_t keywords;
  uint32_t *uids;
  uint32_t n, room;
};

/* Looking at the latest only: otherwise messages that are all different would cost their square. */
enum { GROUPS_SEARCHED = 64 };

static void group_add(struct storing *s, unsigned int flags, uint32_t keywords, uint32_t uid) {
  size_t i = s->ngroups > GROUPS_SEARCHED ? s->ngroups - GROUPS_SEARCHED : 0;
  while (i < s->ngroups && (s->groups[i].flags != flags || s->groups[i].keywords != keywords)) i++;
  if (i == s->ngroups) {
    if (s->ngroups == s->groups_room) {
      s->groups_room = s->groups_room ? s->groups_room * 2 : 8;
      if (!(s->groups = realloc(s->groups, s->groups_room * sizeof *s->groups))) log_die_memory();
    }
    s->groups[s->ngroups++] = (struct group){.flags = flags, .keywords = keywords};
  }
  struct group *g = &s->groups[i];
  if (g->n == g->room) {
    g->room = g->room ? g->room * 2 : 16;
    if (!(g->uids = realloc(g->uids, g->room * sizeof *g->uids))) log_die_memory();
  }
  g->uids[g->n++] = uid;
}

static unsigned int new_flags(unsigned int old, struct flag_change const *c) {
  unsigned int named = c->flags & FLAG_STANDARD;
  if (c->operation == FLAGS_ADD) return old | named;
  if (c->operation == FLAGS_REMOVE) return old & ~named;
  return named;
}

static struct keyword_set new_keywords(struct keyword_set old, struct keyword_set const *named,
                                       enum flag_operation operation) {
  for (size_t i = 0; i < sizeof old.words / sizeof *old.words; i++) {
    if (operation == FLAGS_ADD)
      old.words[i] |= named->words[i];
    else if (operation == FLAGS_REMOVE)
      old.words[i] &= ~named->words[i];
    else
      old.words[i] = named->words[i];
  }
  return old;
}

/* 1: the file now has a name with these flags; 0: it is not where it should be; -1: failure. */
static int rename_to_flags(struct folder *f, struct message const *m, unsigned int flags,
                           enum store_error *e) {
  char old[MAILDIR_NAME_MAX + 1], name[MAILDIR_NAME_MAX + 1];
  struct maildir_name n;
  int dirfd;
  if ((*e = folder_name(f, m, old, &dirfd))) return -1;
  maildir_name_split(old, &n);
  if (!maildir_name_join(name, sizeof name, &n, flags)) {
    *e = STORE_CANNOT;
    return -1;
  }
  if (!maildir_rename(dirfd, old, f->cur, name)) {
    own_changed(f, OWN_MOVED_OUT, dirfd, old);
    own_changed(f, OWN_MOVED_IN, f->cur, name);
    return 1;
  }
  if (errno == ENOENT || errno == EEXIST) return 0;
  *e = folder_failure(f, "rename", old);
  return -1;
}

/* As rename_to_flags: the letters of the keywords that the message is about to lose. */
static int drop_letters(struct storing *s, struct message *m, struct keyword_set const *kept,
                        enum store_error *e) {
  struct keyword_set lost = *view_keywords_of(&s->f->view, m);
  for (size_t i = 0; i < sizeof lost.words / sizeof *lost.words; i++)
    lost.words[i] &= ~kept->words[i];
  s->renamed = true;
  return letters_drop(&s->letters, s->f, m, &lost, e);
}

static enum store_error store_one(struct storing *s, uint32_t seq) {
  struct view *v = &s->f->view;
  struct message *m = view_at(v, seq - 1);
  enum store_error e = STORE_OK;
  if (m->bits & BIT_GONE) {
    set_add(&s->result->gone, seq);
    return STORE_OK;
  }
  if (m->modseq > s->change->unchanged_since) {
    set_add(&s->result->modified, seq);
    return STORE_OK;
  }
  unsigned int flags = new_flags(m->bits & FLAG_STANDARD, s->change);
  struct keyword_set set = new_keywords(*view_keywords_of(v, m), &s->set, s->change->operation);
  uint32_t keywords = view_keyword_set(v, &set);
  if (m->bits & BIT_LETTERS && keywords != m->keywords) {
    int r = drop_letters(s, m, &set, &e);
    if (r < 0) return e;
    if (!r) {
      s->missing = true;
      return STORE_OK;
    }
  }
  if (flags != (m->bits & FLAG_STANDARD)) {
    int r = rename_to_flags(s->f, m, flags, &e);
    if (r < 0) return e;
    if (!r) {
      s->missing = true;
      return STORE_OK;
    }
    s->renamed = true;
  }
  if (flags != (m->bits & FLAG_STANDARD) || keywords != m->keywords)
    group_add(s, flags, keywords, m->uid);
  set_add(&s->result->changed, seq);
  return STORE_OK;
}

static void put_group(struct records *r, struct view const *v, struct group const *g,
                      uint64_t modseq) {
  struct keyword_set const *set = &v->sets[g->keywords];
  uint16_t ids[KEYWORDS_MAX], n = 0;
  for (unsigned int i = 0; i < KEYWORDS_MAX; i++)
    if (set->words[i / 64] >> i % 64 & 1) ids[n++] = (uint16_t)i;
  record_begin(r, RECORD_FLAGS);
  record_u64(r, modseq);
  record_u16(r, (uint16_t)g->flags);
  record_u16(r, n);
  record_u32(r, g->n);
  record_bytes(r, ids, n * sizeof *ids);
  record_align(r);
  record_bytes(r, g->uids, g->n * sizeof *g->uids);
  record_end(r);
}

/* What has been renamed is journalled even if a later one failed. */
static enum store_error write_groups(struct storing *s) {
  struct records r = {0};
  if (!s->ngroups) return STORE_OK;
  for (size_t i = 0; i < s->ngroups; i++) put_group(&r, &s->f->view, &s->groups[i], s->modseq);
  if (s->renamed && dir_sync(s->f->cur) < 0) {
    records_free(&r);
    return folder_failure(s->f, "sync", "cur");
  }
  return folder_write(s->f, &r, true, true);
}

static void reset_groups(struct storing *s) {
  for (size_t i = 0; i < s->ngroups; i++) free(s->groups[i].uids);
  free(s->groups);
  s->groups = 0;
  s->ngroups = s->groups_room = 0;
  s->renamed = false;
}

static enum store_error intern_all(struct storing *s) {
  struct flag_change const *c = s->change;
  for (size_t i = 0; i < c->nkeywords; i++) {
    int known = view_keyword(&s->f->view, c->keywords[i]);
    unsigned int id = (unsigned int)known;
    if (known < 0 && c->operation == FLAGS_REMOVE) continue;
    enum store_error e = known < 0 ? folder_intern(s->f, c->keywords[i], &id) : STORE_OK;
    if (e) return e;
    s->set.words[id / 64] |= UINT64_C(1) << id % 64;
  }
  return STORE_OK;
}

/* Under the lock: those of seqs that are not done yet. */
static enum store_error store_locked(struct storing *s, struct set const *seqs) {
  enum store_error e = intern_all(s);
  s->modseq = folder_next_modseq(s->f);
  s->missing = false;
  own_begin(s->f);
  for (uint32_t seq = 0; !e && set_next(seqs, &seq);)
    if (!set_contains(&s->result->changed, seq) && !set_contains(&s->result->modified, seq) &&
        !set_contains(&s->result->gone, seq))
      e = store_one(s, seq);
  enum store_error written = write_groups(s);
  own_end(s->f, !e && !written && !s->missing);
  reset_groups(s);
  return e ? e : written;
}

enum { TRIES = 3 };

enum store_error folder_store(struct folder *f, struct set const *seqs,
                              struct flag_change const *change, struct arena *arena,
                              struct flag_result *result) {
  struct storing s = {.f = f, .change = change, .result = result};
  set_init(&result->changed, arena);
  set_init(&result->modified, arena);
  set_init(&result->gone, arena);
  enum store_error e = STORE_OK;
  for (int i = 0; !e; i++) {
    if ((e = folder_lock(f))) break;
    e = store_locked(&s, seqs);
    folder_unlock(f);
    if (e || !s.missing) break;
    /* Somebody renames: see what is there now, and try what is left again. */
    if (i == TRIES) e = STORE_UNAVAILABLE;
    f->rescan = true;
    if (!e) e = folder_refresh(f, true);
  }
  letters_free(&s.letters);
  return e;
}

/* ---- expunge ---- */

struct expunging {
  struct folder *f;
  uint32_t *uids, n;
  uint64_t modseq;
  bool keep; /* others look */
  bool missing;
};

static bool is_wanted(struct message const *m, struct set const *uids) {
  return m->bits & FLAG_DELETED && !(m->bits & BIT_GONE) && (!uids || set_contains(uids, m->uid));
}

static enum store_error unlink_one(struct expunging *x, struct message const *m) {
  char name[MAILDIR_NAME_MAX + 1];
  int dirfd;
  enum store_error e = folder_name(x->f, m, name, &dirfd);
  if (e) return e;
  if (!sessions_unlink(x->f, x->keep, m->uid, x->modseq, dirfd, name))
    x->uids[x->n++] = m->uid;
  else if (errno == ENOENT)
    x->missing = true; /* gone, or renamed: perhaps without \Deleted */
  else
    return folder_failure(x->f, "unlink", name);
  return STORE_OK;
}

static enum store_error expunge_locked(struct expunging *x, struct set const *uids) {
  struct records r = {0};
  struct folder *f = x->f;
  enum store_error e = STORE_OK, written = STORE_OK;
  x->n = 0;
  x->missing = false;
  x->keep = sessions_others(f);
  x->modseq = folder_next_modseq(f);
  own_begin(f);
  for (uint32_t i = 0; !e && i < f->count; i++)
    if (is_wanted(view_at(&f->view, i), uids)) e = unlink_one(x, view_at(&f->view, i));
  if (x->n) {
    record_uids(&r, RECORD_EXPUNGE, &x->modseq, x->uids, x->n);
    written = folder_write_unlinked(f, &r);
  }
  own_end(f, !e && !written && !x->missing);
  return e ? e : written;
}

enum store_error folder_expunge(struct folder *f, struct set const *uids) {
  struct expunging x = {.f = f, .uids = malloc((size_t)f->count * sizeof *x.uids + 1)};
  enum store_error e = STORE_OK;
  if (!x.uids) log_die_memory();
  for (int i = 0; !e; i++) {
    if ((e = folder_lock(f))) break;
    e = expunge_locked(&x, uids);
    folder_unlock(f);
    if (e || !x.missing) break;
    if (i == TRIES) e = STORE_UNAVAILABLE;
    f->rescan = true;
    if (!e) e = folder_refresh(f, true);
  }
  free(x.uids);
  return e;
}
