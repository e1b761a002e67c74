/* The mark of a folder that was moved in: a few lines of text with a checksum. */
#include "store/takeover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MARK_MAX = 16 << 10, CHECKSUM_SEED = 4 };
#define FIRST_LINE "chainmail moved-in 1\n"

static char const *const servers[] = {
    [FOREIGN_NONE] = "nobody", [FOREIGN_COURIER] = "courier", [FOREIGN_DOVECOT] = "dovecot"};

bool moved_stamp(int dir, enum foreign_kind kind, struct file_stamp *stamp) {
  struct stat st;
  *stamp = (struct file_stamp){0};
  if (fstatat(dir, foreign_uids_name(kind), &st, AT_SYMLINK_NOFOLLOW) < 0) return false;
  *stamp = (struct file_stamp){st.st_ino, (uint64_t)st.st_size, (int64_t)st.st_mtim.tv_sec,
                               (int64_t)st.st_mtim.tv_nsec};
  return true;
}

/* Cuts the checksum's line off and checks it. */
static bool intact(char *text) {
  char *line = strstr(text, "\nchecksum ");
  if (!line || strncmp(text, FIRST_LINE, sizeof FIRST_LINE - 1) != 0) return false;
  uint64_t sum = strtoull(line + 10, 0, 16);
  line[1] = 0;
  return sum == store_hash(CHECKSUM_SEED, text, strlen(text));
}

/* What the line says; unknown lines say nothing. */
static void parse_line(struct moved *m, char const *line) {
  char word[16];
  unsigned long long a[4];
  char letter;
  int at;
  if (sscanf(line, "from %15s", word) == 1) {
    for (int i = FOREIGN_COURIER; i <= FOREIGN_DOVECOT; i++)
      if (!strcmp(word, servers[i])) m->from = (enum foreign_kind)i;
  } else if (sscanf(line, "state %15s", word) == 1)
    m->done = strcmp(word, "begun") != 0;
  else if (sscanf(line, "when %llu", a) == 1) /* NOLINT(cert-err34-c): it has a checksum */
    m->when = (int64_t)a[0];
  else if (sscanf(line, "uids %llu %llu %llu", a, a + 1, a + 2) == 3) { /* NOLINT(cert-err34-c) */
    m->uidvalidity = (uint32_t)a[0];
    m->uidnext = (uint32_t)a[1];
    m->raised = (uint32_t)a[2];
  } else if (sscanf(line, "file %llu %llu %llu %llu", /* NOLINT(cert-err34-c) */
                    a, a + 1, a + 2, a + 3) == 4)
    m->stamp = (struct file_stamp){a[0], a[1], (int64_t)a[2], (int64_t)a[3]};
  else if (sscanf(line, "letter %c %n", &letter, &at) == 1 && letter >= 'a' && letter <= 'z')
    snprintf(m->letters[letter - 'a'], sizeof m->letters[0], "%s", line + at);
}

int moved_read(int dir, struct moved *m) {
  char *text;
  size_t size;
  *m = (struct moved){.done = true};
  if (file_read(dir, MOVED_MARK, MARK_MAX, &text, &size) < 0) {
    if (errno == EFBIG) return 1;
    return errno == ENOENT ? 0 : -1;
  }
  if (intact(text))
    for (char *line = strtok(text, "\n"); line; line = strtok(0, "\n")) parse_line(m, line);
  else
    log_event("damaged", "path", MOVED_MARK, "consequence",
              "the folder counts as moved in; its letters for keywords are not known", (char *)0);
  free(text);
  return 1;
}

int moved_write(int dir, mode_t mode, struct moved const *m) {
  char text[MARK_MAX];
  size_t n = (size_t)snprintf(
      text, sizeof text,
      FIRST_LINE "from %s\nstate %s\nwhen %" PRId64 "\nuids %" PRIu32 " %" PRIu32 " %" PRIu32
                 "\nfile %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 "\n",
      servers[m->from], m->done ? "done" : "begun", m->when, m->uidvalidity, m->uidnext, m->raised,
      m->stamp.inode, m->stamp.size, m->stamp.seconds, m->stamp.nanoseconds);
  for (int i = 0; i < LETTERS; i++)
    if (*m->letters[i])
      n += (size_t)snprintf(text + n, sizeof text - n, "letter %c %s\n", 'a' + i, m->letters[i]);
  uint64_t sum = store_hash(CHECKSUM_SEED, text, n);
  n += (size_t)snprintf(text + n, sizeof text - n, "checksum %016" PRIx64 "\n", sum);
  return file_replace(dir, MOVED_MARK, mode, text, n);
}
