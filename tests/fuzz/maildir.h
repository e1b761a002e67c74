/* For the targets that need a Maildir: one with the same few messages, made anew for each input. */
#ifndef FUZZ_MAILDIR_H
#define FUZZ_MAILDIR_H

#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

static char maildir_root[200]; /* holds T, files to be linked, and M, the Maildir */

static char const *const maildir_messages[][2] = {
    {"cur/1700000001.M1P1.host:2,S",
     "From: Ann <ann@example.org>\r\nTo: bob@example.org, \"C, D\" <c@example.net>\r\n"
     "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= to all\r\nDate: Mon, 2 Feb 2026 10:11:12 +0100\r\n"
     "Message-ID: <1@example.org>\r\n\r\nHello,\r\nthis is text.\r\n"},
    {"cur/1700000002.M1P1.host:2,FRa",
     "From: bob\nSubject: parts\nIn-Reply-To: <1@example.org>\nReferences: <0@x> <1@example.org>\n"
     "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none \xe4\n--b\nContent-Type: text/html;"
     " charset=utf-8\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment;"
     " filename=a\n\nPGI+SGVsbG8gd29ybGQ8L2I+\n--b\nContent-Type: message/rfc822\n\n"
     "Subject: inner\n\ninner text\n--b--\n"},
    {"new/1700000003.M1P1.host", "no header at all"},
    {"new/1700000004.M1P1.host", "Subject: Re: parts\n\nquoted =3D\0 here\n"},
    {".Archive/cur/1700000005.M1P1.host:2,", "Subject: old\n\nold text\n"},
};
enum { MAILDIR_MESSAGES = sizeof maildir_messages / sizeof *maildir_messages };

static inline char const *maildir_path(char const *rest) {
  static char path[4][400];
  static unsigned int turn;
  char *p = path[turn++ % 4];
  snprintf(p, sizeof path[0], "%s/%s", maildir_root, rest);
  return p;
}

static inline void remove_tree(int parent, char const *name) {
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *d = fd < 0 ? 0 : fdopendir(fd);
  if (!d) return;
  for (struct dirent *e; (e = readdir(d));) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    if (unlinkat(fd, e->d_name, 0) < 0) remove_tree(fd, e->d_name);
  }
  closedir(d);
  unlinkat(parent, name, AT_REMOVEDIR);
}

static inline void maildir_forget(void) {
  remove_tree(AT_FDCWD, maildir_root);
}

/* In memory where the system has a place for that. */
static inline void maildir_begin(void) {
  char const *tmp = access("/dev/shm", W_OK) ? getenv("TMPDIR") : "/dev/shm";
  snprintf(maildir_root, sizeof maildir_root, "%s/chainmail-fuzz.XXXXXX", tmp ? tmp : "/tmp");
  must(mkdtemp(maildir_root));
  atexit(maildir_forget);
  must(!mkdir(maildir_path("T"), 0700));
  for (size_t i = 0; i < MAILDIR_MESSAGES; i++) {
    char name[10];
    snprintf(name, sizeof name, "T/%zu", i);
    int fd = open(maildir_path(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    char const *text = maildir_messages[i][1];
    must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && !close(fd));
  }
}

/* Its path; what was there before is gone. */
static inline char const *maildir_make(void) {
  static char const *const directories[] = {
      "M",          "M/cur",          "M/new",          "M/tmp",
      "M/.Archive", "M/.Archive/cur", "M/.Archive/new", "M/.Archive/tmp"};
  remove_tree(AT_FDCWD, maildir_path("M"));
  for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
    must(!mkdir(maildir_path(directories[i]), 0700));
  for (size_t i = 0; i < MAILDIR_MESSAGES; i++) {
    char from[10], to[100];
    snprintf(from, sizeof from, "T/%zu", i);
    snprintf(to, sizeof to, "M/%s", maildir_messages[i][0]);
    must(!link(maildir_path(from), maildir_path(to)));
  }
  return maildir_path("M");
}

#endif
