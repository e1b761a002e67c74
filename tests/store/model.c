/* Random operations by several sessions and a stranger who delivers, renames, deletes and restores,
 * each checked against a plain model of IMAP's rules.  STEPS= and SEED= in the environment make it
 * longer or repeat a run. */
#define _GNU_SOURCE /* the prototype of clock_gettime */
#include "store-test.h"
#include "store/folder.h"

#include <sys/syscall.h>

enum {
  BOXES = 3,
  SESSIONS = 4,
  KEYWORDS = 4,
  VIEW_MAX = 400,
  CROWDED = 40,
  STEPS_DEFAULT = 40000,
  SEED_DEFAULT = 1
};

/* A scan right after a change is not still and is repeated; that would take most of the time.  So
 * the store's clock is ahead, and the stranger gives directories stamps never seen before. */
int clock_gettime(clockid_t id, struct timespec *t) {
  int r = (int)syscall(SYS_clock_gettime, id, t);
  if (!r && id == CLOCK_REALTIME) t->tv_sec += 10;
  return r;
}

/* ---- the model ---- */

struct msg {
  uint32_t uid;
  unsigned int number, flags, keywords;
  uint64_t modseq; /* 0: changed since it was looked up */
  uint64_t above;  /* then it is above this */
  bool live;
  int by; /* who expunged it, -1: the stranger */
  char base[MAILDIR_NAME_MAX + 1];
  /* What the stranger has done and nobody has noticed. */
  bool removed, renamed;
  unsigned int disk_flags;
};

struct pending {
  unsigned int number, flags;
  char base[60];
};

struct box {
  char const *name;
  bool exists;
  int life, known_life; /* counts its lives, between CREATE and DELETE */
  uint32_t uidnext, recent, uidvalidity;
  uint64_t highest;
  struct msg *msgs;
  size_t n, room;
  struct pending pending[2000];
  size_t npending;
  struct folder *observer;
};

struct seen {
  uint32_t uid;
  unsigned int flags, keywords;
  bool recent;
};

struct session {
  struct store *s;
  struct folder *f;
  struct box *box;
  char const *name;
  int life;
  bool examine;
  struct seen v[VIEW_MAX];
  uint32_t n;
  bool may_expunge, good;
};

static struct box boxes[BOXES];
static struct session sessions[SESSIONS];
static struct store *watcher;
static unsigned int seed, last_number;
static char const *const keyword_names[KEYWORDS] = {"$Forwarded", "Junk", "k2", "Later"};

static unsigned int dice(unsigned int n) {
  seed = seed * 1103515245 + 12345;
  return (seed >> 16 & 0x7fff) % n;
}

static bool wrong(char const *what, struct box const *b, uint32_t uid, uint64_t got,
                  uint64_t want) {
  printf("# %s: folder \"%s\", UID %u: %llu instead of %llu\n", what, b->name, uid,
         (unsigned long long)got, (unsigned long long)want);
  return false;
}

#define EXPECT(what, b, uid, got, want) \
  if ((got) != (want)) return wrong(what, b, uid, (uint64_t)(got), (uint64_t)(want))

static struct msg *find(struct box *b, uint32_t uid) {
  for (size_t i = 0; i < b->n; i++)
    if (b->msgs[i].uid == uid) return &b->msgs[i];
  return 0;
}

static uint32_t live(struct box const *b) {
  uint32_t n = 0;
  for (size_t i = 0; i < b->n; i++) n += b->msgs[i].live;
  return n;
}

static struct msg *add(struct box *b, unsigned int number, unsigned int flags,
                       unsigned int keywords) {
  if (b->n == b->room) {
    b->room = b->room ? b->room * 2 : 100;
    must(!!(b->msgs = realloc(b->msgs, b->room * sizeof *b->msgs)), "realloc");
  }
  struct msg *m = &b->msgs[b->n++];
  *m = (struct msg){.uid = b->uidnext++, .number = number, .flags = flags, .live = true};
  m->keywords = keywords;
  m->above = b->highest;
  return m;
}

static void set(struct box *b, struct msg *m, unsigned int flags, unsigned int keywords) {
  if (m->flags == flags && m->keywords == keywords) return;
  m->flags = flags;
  m->keywords = keywords;
  m->modseq = 0;
  m->above = b->highest;
}

static int by_name(void const *x, void const *y) {
  return atoi(((struct pending const *)x)->base) - atoi(((struct pending const *)y)->base);
}

/* Somebody scans: what the stranger has done becomes known. */
static void settle(struct box *b) {
  for (size_t i = 0; i < b->n; i++) {
    struct msg *m = &b->msgs[i];
    if (m->live && m->removed) {
      m->live = false;
      m->by = -1;
    } else if (m->live && m->renamed)
      set(b, m, m->disk_flags, m->keywords);
    m->renamed = false;
  }
  if (b->npending) qsort(b->pending, b->npending, sizeof *b->pending, by_name);
  for (size_t i = 0; i < b->npending; i++) {
    struct msg *m = add(b, b->pending[i].number, b->pending[i].flags, 0);
    snprintf(m->base, sizeof m->base, "%s", b->pending[i].base);
  }
  b->npending = 0;
}

/* ---- what the journal says ---- */

static bool check_one(struct box *b, struct folder *f, struct msg *m) {
  struct message *j = view_message(&f->view, m->uid);
  EXPECT("a message in the journal", b, m->uid, !!j, m->live);
  if (!j) return true;
  EXPECT("its flags", b, m->uid, j->bits & FLAG_STANDARD, m->flags);
  struct keyword_set const *set = &f->view.sets[j->keywords];
  for (int k = 0; k < KEYWORDS; k++) {
    int id = view_keyword(&f->view, keyword_names[k]);
    bool has = id >= 0 && set->words[id / 64] >> id % 64 & 1;
    EXPECT("its keyword", b, m->uid, has, m->keywords >> k & 1);
  }
  if (!m->modseq) {
    if (j->modseq <= m->above) return wrong("a mod-sequence", b, m->uid, j->modseq, m->above + 1);
    m->modseq = j->modseq;
  }
  EXPECT("its mod-sequence", b, m->uid, j->modseq, m->modseq);
  if (!*m->base) {
    struct entry e;
    must(!folder_entry(f, j, &e), "folder_entry");
    snprintf(m->base, sizeof m->base, "%.*s", (int)strcspn(e.name, ":"), e.name);
  }
  return true;
}

static bool check_journal(struct box *b) {
  if (!b->exists) return true;
  if (!b->observer) {
    must(!folder_load(watcher, b->name, FOLDER_EXAMINE, &b->observer), "folder_load");
    uint32_t validity = b->observer->view.uidvalidity;
    if (b->known_life != b->life) {
      if (validity <= b->uidvalidity)
        return wrong("UIDVALIDITY of a new life", b, 0, validity, b->uidvalidity + 1);
      b->uidvalidity = validity;
      b->known_life = b->life;
    }
  }
  struct folder *f = b->observer;
  must(!folder_follow(f), "folder_follow");
  view_sweep(&f->view, 0);
  EXPECT("UIDVALIDITY", b, 0, f->view.uidvalidity, b->uidvalidity);
  EXPECT("UIDNEXT", b, 0, f->view.uidnext, b->uidnext);
  EXPECT("the number of messages", b, 0, f->view.n, live(b));
  if (f->view.modseq < b->highest) return wrong("HIGHESTMODSEQ", b, 0, f->view.modseq, b->highest);
  for (size_t i = 0; i < b->n; i++)
    if (!check_one(b, f, &b->msgs[i])) return false;
  b->highest = f->view.modseq;
  return true;
}

/* ---- a session and its client ---- */

static unsigned int keywords_in_view(struct folder *f, uint32_t seq) {
  unsigned int mask = 0;
  for (int k = 0; k < KEYWORDS; k++) {
    int id = folder_keyword_find(f, keyword_names[k]);
    if (id >= 0 && folder_has_keyword(f, seq, (unsigned int)id)) mask |= 1u << k;
  }
  return mask;
}

static void learn(struct session *x, uint32_t seq) {
  x->v[seq - 1].flags = folder_flags(x->f, seq) & FLAG_STANDARD;
  x->v[seq - 1].keywords = keywords_in_view(x->f, seq);
}

static void on_expunged(void *context, uint32_t seq, uint32_t uid) {
  struct session *x = context;
  struct msg *m = find(x->box, uid);
  if (!x->may_expunge || seq < 1 || seq > x->n || x->v[seq - 1].uid != uid || !m || m->live) {
    x->good = wrong("EXPUNGE", x->box, uid, seq, 0);
    return;
  }
  memmove(&x->v[seq - 1], &x->v[seq], (x->n - seq) * sizeof *x->v);
  x->n--;
}

static void on_exists(void *context, uint32_t count, uint32_t old_count) {
  struct session *x = context;
  if (old_count != x->n || count <= old_count || count > VIEW_MAX) {
    x->good = wrong("EXISTS", x->box, 0, count, old_count);
    return;
  }
  for (uint32_t seq = old_count + 1; seq <= count; seq++) {
    uint32_t uid = folder_uid(x->f, seq);
    if (seq > 1 && uid <= x->v[seq - 2].uid)
      x->good = wrong("UIDs rise", x->box, uid, uid, x->v[seq - 2].uid);
    x->v[seq - 1] = (struct seen){.uid = uid, .recent = uid > x->box->recent};
    learn(x, seq);
  }
  x->n = count;
}

static void on_flags(void *context, uint32_t seq) {
  struct session *x = context;
  if (seq < 1 || seq > x->n)
    x->good = wrong("FETCH FLAGS", x->box, 0, seq, x->n);
  else
    learn(x, seq);
}

static bool check_seen(struct session *x, uint32_t seq) {
  struct seen *v = &x->v[seq - 1];
  struct msg *m = find(x->box, v->uid);
  EXPECT("the UID of a sequence number", x->box, v->uid, folder_uid(x->f, seq), v->uid);
  EXPECT("a UID that was handed out", x->box, v->uid, !!m, 1);
  EXPECT("expunged", x->box, v->uid, folder_is_expunged(x->f, seq), !m->live);
  if (!m->live) return true;
  unsigned int flags = m->flags | (v->recent ? FLAG_RECENT : 0);
  EXPECT("flags in the view", x->box, v->uid, folder_flags(x->f, seq), flags);
  EXPECT("keywords in the view", x->box, v->uid, keywords_in_view(x->f, seq), m->keywords);
  EXPECT("flags the client was told", x->box, v->uid, v->flags, m->flags);
  EXPECT("keywords the client was told", x->box, v->uid, v->keywords, m->keywords);
  EXPECT("mod-sequence in the view", x->box, v->uid, folder_modseq(x->f, seq), m->modseq);
  return true;
}

/* All that live are shown; without may_expunge, others too. */
static bool check_view(struct session *x) {
  uint32_t shown = 0;
  EXPECT("the client's count", x->box, 0, folder_count(x->f), x->n);
  for (uint32_t seq = 1; seq <= x->n; seq++) {
    if (!check_seen(x, seq)) return false;
    shown += !folder_is_expunged(x->f, seq);
  }
  EXPECT("messages shown", x->box, 0, shown, live(x->box));
  if (x->may_expunge) EXPECT("messages in the view", x->box, 0, x->n, shown);
  return true;
}

static bool is_dead(struct session const *x) {
  return !x->box->exists || x->box->life != x->life || x->box->name != x->name;
}

static void leave(struct session *x) {
  if (x->f) folder_close(x->f);
  x->f = 0;
}

static bool sync_session(struct session *x, bool may_expunge) {
  struct folder_listener l = {x, on_expunged, on_exists, 0, on_flags};
  if (is_dead(x)) {
    EXPECT("a folder that is gone", x->box, 0, folder_sync(x->f, true, &l), STORE_NONEXISTENT);
    leave(x);
    return true;
  }
  settle(x->box);
  x->may_expunge = may_expunge;
  EXPECT("folder_sync", x->box, 0, folder_sync(x->f, may_expunge, &l), STORE_OK);
  if (!x->examine) x->box->recent = x->box->uidnext - 1;
  return x->good && check_journal(x->box) && check_view(x);
}

static bool select_box(struct session *x) {
  leave(x);
  x->box = &boxes[dice(BOXES)];
  x->examine = !dice(4);
  x->name = x->box->name;
  x->life = x->box->life;
  enum store_error e =
      folder_open(x->s, x->name, x->examine ? FOLDER_EXAMINE : FOLDER_SELECT, &x->f);
  EXPECT("folder_open", x->box, 0, e, x->box->exists ? STORE_OK : STORE_NONEXISTENT);
  if (e) return true;
  settle(x->box);
  x->n = 0;
  if (folder_count(x->f)) on_exists(x, folder_count(x->f), 0);
  if (!x->examine) x->box->recent = x->box->uidnext - 1;
  x->may_expunge = true;
  return x->good && check_journal(x->box) && check_view(x);
}

/* ---- what sessions do ---- */

/* Makes known what is on the disk. */
static bool look(struct box *b) {
  struct folder_status st;
  uint32_t unseen = 0, deleted = 0, recent = 0;
  enum store_error e = store_status(watcher, b->name, &st);
  EXPECT("STATUS", b, 0, e, b->exists ? STORE_OK : STORE_NONEXISTENT);
  if (e) return true;
  settle(b);
  for (size_t i = 0; i < b->n; i++) {
    if (!b->msgs[i].live) continue;
    unseen += !(b->msgs[i].flags & FLAG_SEEN);
    deleted += !!(b->msgs[i].flags & FLAG_DELETED);
    recent += b->msgs[i].uid > b->recent;
  }
  EXPECT("STATUS MESSAGES", b, 0, st.messages, live(b));
  EXPECT("STATUS UNSEEN", b, 0, st.unseen, unseen);
  EXPECT("STATUS DELETED", b, 0, st.deleted, deleted);
  EXPECT("STATUS RECENT", b, 0, st.recent, recent);
  EXPECT("STATUS UIDNEXT", b, 0, st.uidnext, b->uidnext);
  return check_journal(b);
}

static void some_seqs(struct session *x, struct arena *arena, struct set *seqs) {
  uint32_t first = dice(x->n) + 1, last = first + dice(4);
  set_init(seqs, arena);
  set_add_range(seqs, first, last > x->n ? x->n : last);
}

static bool judge_stored(struct session *x, struct set const *seqs, struct flag_change const *c,
                         unsigned int keyword, struct flag_result const *r) {
  for (uint32_t seq = 0; set_next(seqs, &seq);) {
    struct msg *m = find(x->box, x->v[seq - 1].uid);
    bool modified = m->live && m->modseq > c->unchanged_since;
    EXPECT("STORE: gone", x->box, m->uid, set_contains(&r->gone, seq), !m->live);
    EXPECT("STORE: MODIFIED", x->box, m->uid, set_contains(&r->modified, seq), modified);
    if (!m->live || modified) continue;
    if (c->operation == FLAGS_ADD)
      set(x->box, m, m->flags | c->flags, m->keywords | keyword);
    else if (c->operation == FLAGS_REMOVE)
      set(x->box, m, m->flags & ~c->flags, m->keywords & ~keyword);
    else
      set(x->box, m, c->flags, keyword);
    learn(x, seq);
  }
  return true;
}

static bool do_store(struct session *x) {
  struct arena arena = {0};
  struct set seqs;
  struct flag_result result;
  if (!x->n) return true;
  unsigned int k = dice(KEYWORDS), with = dice(2);
  uint64_t since = dice(4) ? UINT64_MAX : folder_modseq(x->f, dice(x->n) + 1);
  struct flag_change c = {(enum flag_operation)dice(3), dice(32), &keyword_names[k], with, since};
  some_seqs(x, &arena, &seqs);
  enum store_error e = folder_store(x->f, &seqs, &c, &arena, &result);
  bool good =
      e ? wrong("STORE", x->box, 0, e, 0) : judge_stored(x, &seqs, &c, with ? 1u << k : 0, &result);
  arena_release(&arena);
  return good;
}

static bool do_expunge(struct session *x) {
  struct arena arena = {0};
  struct set uids;
  set_init(&uids, &arena);
  bool some = dice(2) && x->n;
  uint32_t first = some ? x->v[dice(x->n)].uid : 0;
  if (some) set_add_range(&uids, first, first + 5);
  enum store_error e = folder_expunge(x->f, some ? &uids : 0);
  for (uint32_t i = 0; i < x->n; i++) {
    struct msg *m = find(x->box, x->v[i].uid);
    if (!m->live || !(m->flags & FLAG_DELETED) || (some && !set_contains(&uids, m->uid))) continue;
    m->live = false;
    m->by = (int)(x - sessions);
  }
  arena_release(&arena);
  EXPECT("EXPUNGE", x->box, 0, e, STORE_OK);
  return true;
}

static bool do_copy(struct session *x, bool move) {
  struct arena arena = {0};
  struct set seqs;
  struct copied copied;
  struct box *to = &boxes[dice(BOXES)];
  enum store_error want = to->exists ? STORE_OK : STORE_NONEXISTENT;
  if (!x->n) return true;
  some_seqs(x, &arena, &seqs);
  for (uint32_t seq = 0; !want && set_next(&seqs, &seq);)
    if (!find(x->box, x->v[seq - 1].uid)->live) want = STORE_EXPUNGED;
  enum store_error e = folder_copy(x->f, &seqs, x->s, to->name, move, &arena, &copied);
  uint32_t first = 0;
  if (!e) set_next(&copied.target_uids, &first);
  uint64_t n = set_count(&copied.target_uids);
  EXPECT("COPY or MOVE", x->box, 0, e, want);
  EXPECT("the UIDs of COPYUID", to, 0, n, e ? 0 : set_count(&seqs));
  if (!e) EXPECT("the first UID of COPYUID", to, 0, first, to->uidnext);
  for (uint32_t seq = 0; !e && set_next(&seqs, &seq);) {
    struct msg const m = *find(x->box, x->v[seq - 1].uid);
    add(to, m.number, m.flags, m.keywords);
    if (!move) continue;
    find(x->box, m.uid)->live = false;
    find(x->box, m.uid)->by = (int)(x - sessions);
  }
  arena_release(&arena);
  return check_journal(to);
}

static bool do_append(struct session *x) {
  struct append *a;
  struct arena arena = {0};
  struct set uids;
  struct box *b = &boxes[dice(BOXES)];
  uint32_t validity, first = 0, n = dice(3) + 1;
  enum store_error e = append_begin(x->s, b->name, &a);
  EXPECT("APPEND", b, 0, e, b->exists ? STORE_OK : STORE_NONEXISTENT);
  if (e) return true;
  uint32_t want = b->uidnext;
  for (uint32_t i = 0; i < n; i++) {
    char text[40];
    unsigned int flags = dice(32), k = dice(KEYWORDS);
    int size = snprintf(text, sizeof text, "number %u\r\n", ++last_number);
    append_write(a, text, (size_t)size);
    append_message(a, flags, &keyword_names[k], 1, (time_t)-1);
    add(b, last_number, flags, 1u << k);
  }
  e = append_commit(a, &arena, &validity, &uids);
  if (!e) set_next(&uids, &first);
  arena_release(&arena);
  EXPECT("the end of APPEND", b, 0, e, STORE_OK);
  EXPECT("the UID of APPENDUID", b, 0, first, want);
  return check_journal(b);
}

static bool read_one(struct session *x, uint32_t seq) {
  struct msg *m = find(x->box, x->v[seq - 1].uid);
  char want[40];
  bool there = m->live && !m->removed;
  if (m->live && (m->removed || m->renamed)) settle(x->box);
  m = find(x->box, x->v[seq - 1].uid); /* there may be more, elsewhere in memory */
  char const *got = content_of(x->f, seq);
  snprintf(want, sizeof want, "number %u\n", m->number);
  if (!strcmp(got, want)) return there || m->by >= 0 || wrong("content", x->box, m->uid, 1, 0);
  /* Gone: for the one who expunged it, who may have been alone, or by the stranger. */
  if (!there && (m->by < 0 || &sessions[m->by] == x) && !strcmp(got, "EXPUNGEISSUED")) return true;
  printf("# got \"%s\" instead of \"%s\"\n", got, want);
  return wrong("content", x->box, m->uid, 0, m->number);
}

static bool do_read(struct session *x) {
  for (uint32_t seq = 1; seq <= x->n; seq++)
    if (!read_one(x, seq)) return false;
  return true;
}

static bool do_compact(struct session *x) {
  must(!folder_lock(x->f), "lock");
  enum store_error e = folder_snapshot(x->f);
  folder_unlock(x->f);
  EXPECT("compaction", x->box, 0, e, STORE_OK);
  return true;
}

/* CREATE, DELETE and RENAME of the last folder. */
static bool do_tree(struct session *x) {
  struct box *b = &boxes[BOXES - 1];
  if (!b->exists) {
    EXPECT("CREATE", b, 0, store_create(x->s, b->name), STORE_OK);
    b->exists = true;
    b->life++;
    b->n = b->npending = 0;
    b->uidnext = 1;
    b->recent = 0;
    b->highest = 0;
    return check_journal(b);
  }
  if (dice(2)) {
    char const *to = strcmp(b->name, "arc") ? "arc" : "brc";
    EXPECT("RENAME", b, 0, store_rename(x->s, b->name, to), STORE_OK);
    b->name = to;
  } else {
    EXPECT("DELETE", b, 0, store_delete(x->s, b->name), STORE_OK);
    b->exists = false;
  }
  if (b->observer) folder_close(b->observer);
  b->observer = 0;
  return check_journal(b);
}

/* ---- the stranger ---- */

/* Stamps that no scan has seen, as if time had passed. */
static void stamp(struct box const *b) {
  static long turn;
  struct timespec t[2] = {{.tv_sec = 1000000000 + ++turn, .tv_nsec = 7}};
  t[1] = t[0];
  must(!utimensat(AT_FDCWD, path_of(b->name, "cur"), t, 0), "utimensat");
  must(!utimensat(AT_FDCWD, path_of(b->name, "new"), t, 0), "utimensat");
}

static void letters(char out[8], unsigned int flags) {
  static char const all[] = "DFRST";
  for (int i = 0; i < 5; i++)
    if (flags & 1u << i) *out++ = all[i];
  *out = 0;
}

static bool saved_path(char out[400], unsigned int number) {
  snprintf(out, 400, "%s/saved-%u", root, number);
  return !access(out, F_OK);
}

static void stranger_delivers(struct box *b) {
  struct pending *p = &b->pending[b->npending++];
  char name[120], text[40], saved[400], info[8];
  *p = (struct pending){.number = ++last_number, .flags = dice(4) ? 0 : dice(32)};
  letters(info, p->flags);
  snprintf(p->base, sizeof p->base, "%u.stranger.h", 100000 + p->number);
  snprintf(name, sizeof name, "%s/%s%s%s", p->flags ? "cur" : "new", p->base, p->flags ? ":2," : "",
           info);
  snprintf(text, sizeof text, "number %u\n", p->number);
  deliver(b->name, name, text);
  saved_path(saved, p->number);
  must(!link(path_of(b->name, name), saved), "link"); /* its inode stays its own */
}

/* Where the file of a message is; false if it is not there. */
static bool file_of(struct box const *b, struct msg const *m, char path[1000]) {
  for (int part = 0; part < 2; part++) {
    DIR *d = opendir(path_of(b->name, part ? "new" : "cur"));
    size_t size = strlen(m->base);
    bool found = false;
    must(!!d, "opendir");
    for (struct dirent *e; !found && (e = readdir(d));)
      if (!strncmp(e->d_name, m->base, size) && (!e->d_name[size] || e->d_name[size] == ':')) {
        snprintf(path, 1000, "%s/%s", path_of(b->name, part ? "new" : "cur"), e->d_name);
        found = true;
      }
    closedir(d);
    if (found) return true;
  }
  return false;
}

static bool stranger_touches(struct box *b, struct msg *m, bool removes) {
  char path[1000], name[400], info[8];
  EXPECT("a message's file", b, m->uid, file_of(b, m, path), !m->removed);
  if (m->removed) return true;
  if (removes) {
    must(!unlink(path), "unlink");
    m->removed = true;
    return true;
  }
  m->disk_flags = dice(32);
  m->renamed = true;
  letters(info, m->disk_flags);
  snprintf(name, sizeof name, "cur/%s:2,%s", m->base, info);
  must(!rename(path, path_of(b->name, name)), "rename");
  return true;
}

static bool is_pending(struct box const *b, char const *base) {
  for (size_t i = 0; i < b->npending; i++)
    if (!strcmp(b->pending[i].base, base)) return true;
  return false;
}

/* Puts back a file that is gone: the same message if nobody has noticed, else a new one. */
static bool stranger_restores(struct box *b, struct msg *m) {
  char saved[400], name[400], path[1000], info[8];
  for (size_t i = 0; i < b->n; i++) /* the latest of its base */
    if (!strcmp(b->msgs[i].base, m->base)) m = &b->msgs[i];
  if (!saved_path(saved, m->number) || strstr(m->base, "stranger") == 0 || is_pending(b, m->base) ||
      file_of(b, m, path))
    return true;
  unsigned int flags = dice(32);
  letters(info, flags);
  snprintf(name, sizeof name, "cur/%s:2,%s", m->base, info);
  must(!link(saved, path_of(b->name, name)), "link");
  if (m->live) {
    m->removed = false;
    m->renamed = true;
    m->disk_flags = flags;
    return true;
  }
  struct pending *p = &b->pending[b->npending++];
  *p = (struct pending){.number = m->number, .flags = flags};
  snprintf(p->base, sizeof p->base, "%.59s", m->base);
  return true;
}

static bool do_stranger(void) {
  struct box *b = &boxes[dice(BOXES)];
  if (!b->exists) return true;
  bool good = true;
  struct msg *m = b->n ? &b->msgs[b->n - 1 - dice(b->n < 60 ? (unsigned int)b->n : 60)] : 0;
  unsigned int act = dice(8);
  if (act < 4 && live(b) + b->npending < CROWDED)
    stranger_delivers(b);
  else if (m && act == 7)
    good = stranger_restores(b, m);
  else if (m && m->live)
    good = stranger_touches(b, m, act == 6);
  stamp(b);
  return good;
}

/* ---- steps ---- */

static bool change(struct session *x, unsigned int act) {
  /* What the stranger has done meanwhile would make several outcomes right. */
  if (!look(x->box)) return false;
  if (act < 4) return do_store(x);
  if (act < 6 || live(x->box) > CROWDED) return do_expunge(x);
  return act == 6 && dice(10) == 0 ? do_compact(x) : do_copy(x, act & 1);
}

static bool session_step(struct session *x) {
  unsigned int act = dice(20);
  if (!x->f) return select_box(x);
  if (act == 19) return dice(3) ? sync_session(x, true) : select_box(x);
  if (act == 18 && !dice(6)) return do_tree(x);
  if (act == 17) return look(&boxes[dice(BOXES)]);
  if (is_dead(x)) return sync_session(x, true);
  if (act == 16 && live(&boxes[0]) + live(&boxes[1]) < 2 * CROWDED) return do_append(x);
  if (act >= 12 && act < 16 && !do_read(x)) return false;
  if (act < 9 && !change(x, act)) return false;
  return sync_session(x, dice(3));
}

static void begin(void) {
  make_maildir();
  must(!store_open(&watcher, maildir, &options), "store_open");
  char const *const names[BOXES] = {"", "box", "arc"};
  for (int i = 0; i < BOXES; i++) {
    if (i) must(!store_create(watcher, names[i]), "create");
    boxes[i] = (struct box){.name = names[i], .exists = true, .life = 1, .uidnext = 1};
    must(check_journal(&boxes[i]), "the first look");
  }
  for (int i = 0; i < SESSIONS; i++)
    sessions[i] = (struct session){.s = open_store(), .good = true};
}

static unsigned int descriptors(void) {
  unsigned int n = 0;
  DIR *d = opendir("/proc/self/fd");
  if (!d) return 0;
  while (readdir(d)) n++;
  closedir(d);
  return n;
}

static void end(void) {
  for (int i = 0; i < SESSIONS; i++) {
    leave(&sessions[i]);
    store_close(sessions[i].s);
  }
  for (int i = 0; i < BOXES; i++) {
    char const *name = boxes[i].name;
    if (boxes[i].exists && !access(path_of(name, "chainmail/expunged"), F_OK))
      ok(files_in(name, "chainmail/expunged") <= 1, "nothing is set aside for nobody");
    if (boxes[i].observer) folder_close(boxes[i].observer);
    free(boxes[i].msgs);
  }
  store_close(watcher);
}

int main(void) {
  char const *steps = getenv("STEPS"), *first = getenv("SEED");
  long n = steps ? atol(steps) : STEPS_DEFAULT, i = 0;
  if (!getenv("TMPDIR") && !access("/dev/shm", W_OK)) setenv("TMPDIR", "/dev/shm", 1);
  unsigned int begun = seed = first ? (unsigned int)atol(first) : SEED_DEFAULT;
  unsigned int open = descriptors();
  begin();
  bool good = true;
  for (; good && i < n; i++)
    good = dice(4) ? session_step(&sessions[dice(SESSIONS)]) : do_stranger();
  if (!good) printf("# step %ld; again: SEED=%u STEPS=%ld\n", i, begun, n);
  ok(good, "every step is as the model says");
  printf("# %ld steps, SEED=%u, %u messages\n", i, begun, last_number);
  end();
  is_uint(descriptors(), open, "no descriptor is left open");
  return tap_done();
}
