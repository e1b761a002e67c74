/* What THREAD follows (RFC 5256 section 3): the message's ID and its references, as hashes, and
 * whether its subject is that of a reply.  Kept in a file for all messages of a folder.
 *
 * 64 bits of hash stand for an ID: who finds two IDs with one hash can put a message into another
 * thread, which a false References field does more simply. */
#include "store/sortfile.h"
#include "message/message.h"
#include "message/thread.h"

#include <string.h>
#include <strings.h>

enum { LINKS_KIND = 100, /* none of enum sort_key */ IDS_SEED = 3 };
static char const links_file[] = "sort.links";

/* In the file: one for each message, then all references. */
struct kept_link {
  uint64_t id;
  uint32_t nreferences, reply;
};

/* ---- finding out ---- */

/* Never 0. */
static uint64_t hash_id(stralloc const *id) {
  uint64_t hash = store_hash(IDS_SEED, id->s, id->len);
  return hash ? hash : 1;
}

struct reading {
  stralloc scratch;
  uint64_t
      references[REFERENCES_MAX]; /* a ring: the one that comes next is at n % REFERENCES_MAX */
  size_t n;
  uint64_t id, parent; /* Message-ID, In-Reply-To; 0: none yet */
  bool has_subject, reply;
};

static struct message_ids ids_of(struct message_field const *f) {
  return (struct message_ids){f->value, f->value + f->value_size, false, false};
}

static bool next_id(struct reading *r, struct message_ids *ids, uint64_t *hash) {
  r->scratch.len = 0;
  bool found = message_next_id(ids, &r->scratch);
  if (found) *hash = hash_id(&r->scratch);
  return found;
}

static void read_id(struct reading *r, struct message_field const *f) {
  struct message_ids ids = ids_of(f);
  if (!r->id) next_id(r, &ids, &r->id);
}

static void read_parent(struct reading *r, struct message_field const *f) {
  struct message_ids ids = ids_of(f);
  if (!r->parent) next_id(r, &ids, &r->parent);
}

static void read_references(struct reading *r, struct message_field const *f) {
  struct message_ids ids = ids_of(f);
  for (uint64_t hash; next_id(r, &ids, &hash);) r->references[r->n++ % REFERENCES_MAX] = hash;
}

static void read_subject(struct reading *r, struct message_field const *f) {
  if (r->has_subject) return;
  r->has_subject = true;
  r->scratch.len = 0;
  r->reply = message_put_base_subject(&r->scratch, f->value, f->value_size);
}

static struct {
  char const *name;
  void (*read)(struct reading *, struct message_field const *);
} const fields[] = {
    {"Message-ID", read_id},
    {"In-Reply-To", read_parent},
    {"References", read_references},
    {"Subject", read_subject},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static void read_field(struct reading *r, struct message_field const *f) {
  for (size_t i = 0; i < FIELDS; i++)
    if (strlen(fields[i].name) == f->name_size &&
        !strncasecmp(f->name, fields[i].name, f->name_size))
      fields[i].read(r, f);
}

/* The last references, or else the parent; in the arena. */
static void put_references(struct reading *r, struct arena *arena, struct message_links *links) {
  if (!r->n && r->parent) r->references[r->n++] = r->parent;
  uint32_t n = r->n < REFERENCES_MAX ? (uint32_t)r->n : REFERENCES_MAX;
  uint64_t *references = arena_alloc(arena, n * sizeof *references + 1);
  for (uint32_t i = 0; i < n; i++) references[i] = r->references[(r->n - n + i) % REFERENCES_MAX];
  links->references = references;
  links->nreferences = n;
}

static void find_links(struct finding *f, struct reading *r, uint32_t seq, struct arena *arena,
                       struct message_links *links) {
  struct field_lines lines = finding_fields(f, seq);
  struct message_field field;
  r->n = 0;
  r->id = r->parent = 0;
  r->has_subject = r->reply = false;
  for (size_t at = 0; message_next_field(lines.data, lines.size, &at, &field);)
    read_field(r, &field);
  finding_decoded(f, seq);
  *links = (struct message_links){.id = r->id, .reply = r->reply};
  put_references(r, arena, links);
}

static void find_all_links(struct finding *f, uint32_t const *seqs, uint32_t n, struct arena *arena,
                           struct message_links *links) {
  struct reading r = {.n = 0};
  for (uint32_t i = 0; i < n; i++) find_links(f, &r, seqs[i], arena, &links[i]);
  stralloc_free(&r.scratch);
}

/* ---- keeping ---- */

/* By sequence number less one, as far as the file covers them.  References stay where they are, in
 * the file's content.  False: it makes no sense. */
static bool take_kept(struct sortfile const *file, struct coverage const *c,
                      struct message_links *links) {
  struct kept_link const *kept = (struct kept_link const *)(void const *)file->data;
  uint32_t n = file->header.n;
  if (file->size < n * sizeof *kept) return false;
  uint64_t const *references = (uint64_t const *)(void const *)(kept + n);
  uint64_t left = (file->size - n * sizeof *kept) / sizeof *references;
  for (uint32_t i = 0; i < n; left -= kept[i].nreferences, references += kept[i++].nreferences) {
    if (kept[i].nreferences > left) return false;
    if (c->seqs[i])
      links[c->seqs[i] - 1] = (struct message_links){.id = kept[i].id,
                                                     .references = references,
                                                     .nreferences = kept[i].nreferences,
                                                     .reply = kept[i].reply};
  }
  return true;
}

/* But for messages whose subjects are unsure. */
static void save_links(struct finding *f, struct message_links const *links, struct arena *arena) {
  uint32_t count = folder_count(f->folder), n = 0;
  struct kept_link *kept = arena_alloc(arena, count * sizeof *kept + 1);
  uint32_t *seqs = arena_alloc(arena, count * sizeof *seqs + 1);
  stralloc references = STRALLOC_ZERO;
  bool good = true;
  for (uint32_t i = 0; i < count && good; i++) {
    if (f->unsure[i]) continue;
    seqs[n] = i + 1;
    kept[n++] = (struct kept_link){links[i].id, links[i].nreferences, links[i].reply};
    good = stralloc_catb(&references, (char const *)links[i].references,
                         links[i].nreferences * sizeof *links[i].references);
  }
  struct sortfile_piece const pieces[2] = {{kept, n * sizeof *kept},
                                           {references.s, references.len}};
  if (good) sortfile_save(f->folder, links_file, LINKS_KIND, 0, seqs, n, pieces);
  stralloc_free(&references);
}

static void gather(struct message_links const *all, uint32_t const *seqs, uint32_t n,
                   struct arena *arena, struct message_links *links) {
  for (uint32_t i = 0; i < n; i++) {
    links[i] = all[seqs[i] - 1];
    links[i].references =
        (uint64_t const *)(void *)arena_copy(arena, (void const *)links[i].references,
                                             links[i].nreferences * sizeof *links[i].references);
  }
}

/* With the help of the file. */
static void put_links(struct finding *f, uint32_t const *seqs, uint32_t n, struct arena *arena,
                      struct message_links *links) {
  struct message_links *all = arena_alloc(arena, folder_count(f->folder) * sizeof *all + 1);
  struct sortfile file;
  struct coverage c;
  sortfile_load(f->folder, links_file, LINKS_KIND, &file);
  sortfile_cover(f->folder, &file, arena, &c);
  if (!take_kept(&file, &c, all)) {
    sortfile_free(&file);
    sortfile_cover(f->folder, &file, arena, &c);
  }
  struct reading r = {.n = 0};
  finding_watch(f, arena);
  for (uint32_t i = 0; i < c.nmissing; i++)
    find_links(f, &r, c.missing[i], arena, &all[c.missing[i] - 1]);
  stralloc_free(&r.scratch);
  if (finding_worth_keeping(f, c.nmissing)) save_links(f, all, arena);
  gather(all, seqs, n, arena, links);
  sortfile_free(&file);
}

enum store_error folder_links(struct folder *folder, uint32_t const *seqs, uint32_t n,
                              struct folder_patience const *patience, struct arena *arena,
                              struct message_links *links) {
  char const *names[FIELDS];
  struct finding f;
  for (size_t i = 0; i < FIELDS; i++) names[i] = fields[i].name;
  finding_init(&f, folder, names, FIELDS, patience);
  if (sort_is_few(folder, n))
    find_all_links(&f, seqs, n, arena, links);
  else
    put_links(&f, seqs, n, arena, links);
  return finding_end(&f);
}
