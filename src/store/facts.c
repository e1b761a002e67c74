/* What a message's bytes say.  Sizes are remembered; everything else is read from the file. */
#include "store/folder.h"
#include "message/message.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* Everything that needs the whole message parsed. */
enum { PARSED = FACT_ENVELOPE | FACT_BODY | FACT_BODYSTRUCTURE };

static char const *keep(stralloc *text, struct arena *arena, size_t *size) {
  *size = text->len;
  char const *copy = arena_copy(arena, text->s, text->len);
  text->len = 0;
  return copy;
}

static void take_parsed(struct message_part const *root, unsigned int want, struct arena *arena,
                        struct facts *facts) {
  stralloc text = STRALLOC_ZERO;
  if (want & FACT_ENVELOPE) {
    message_put_envelope(&text, root);
    facts->envelope = keep(&text, arena, &facts->envelope_size);
  }
  if (want & FACT_BODY) {
    message_put_bodystructure(&text, root, false);
    facts->body = keep(&text, arena, &facts->body_size);
  }
  if (want & FACT_BODYSTRUCTURE) {
    message_put_bodystructure(&text, root, true);
    facts->bodystructure = keep(&text, arena, &facts->bodystructure_size);
  }
  stralloc_free(&text);
}

static void take_header(struct message_part const *root, struct facts *facts) {
  facts->header = root->header;
  facts->header_size = root->header_size;
}

/* Only the size: no parsing, only line ends to count. */
static int read_size(int fd, struct facts *facts) {
  struct stat st;
  if (fstat(fd, &st) < 0) return -1;
  return message_wire_size(fd, 0, (uint64_t)st.st_size, &facts->size);
}

static int read_facts(int fd, unsigned int want, struct arena *arena, struct facts *facts) {
  struct message_part *root;
  /* The envelope needs no more than the header. */
  bool whole = want & (FACT_BODY | FACT_BODYSTRUCTURE);
  if (want & FACT_SIZE && read_size(fd, facts) < 0) return -1;
  if (!(want & (PARSED | FACT_HEADER))) return 0;
  int r = whole ? message_parse_file(fd, arena, &root) : message_parse_header(fd, arena, &root);
  if (r < 0) return -1;
  take_parsed(root, want, arena, facts);
  if (want & FACT_HEADER) take_header(root, facts);
  return 0;
}

enum store_error folder_facts(struct folder *f, uint32_t seq, unsigned int want,
                              struct arena *arena, struct facts *facts) {
  int fd;
  *facts = (struct facts){0};
  if (want & FACT_SIZE) {
    facts->size = view_at(&f->view, seq - 1)->size;
    if (!facts->size && !f->sizes_loaded) {
      sizes_load(f);
      facts->size = view_at(&f->view, seq - 1)->size;
    }
    if (facts->size) want &= ~(unsigned int)FACT_SIZE;
  }
  if (!want) return STORE_OK;
  enum store_error e = folder_message(f, seq, &fd);
  if (e) return e;
  uint64_t known = facts->size;
  int r = read_facts(fd, want, arena, facts);
  if (r < 0) e = folder_failure(f, "read a message in", 0);
  close(fd);
  if (known) facts->size = known;
  if (!e && want & FACT_SIZE) sizes_remember(f, view_at(&f->view, seq - 1), facts->size);
  return e;
}
