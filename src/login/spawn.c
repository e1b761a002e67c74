/* How the keeper starts the parser: forked twice, so that the session inherits no child, and
 * executed afresh, so that nothing of the keeper's memory or environment is in it. */
#include "login/login.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <skalibs/exec.h>

/* AddressSanitizer keeps books of the stack that a child by vfork would write into. */
#ifdef __SANITIZE_ADDRESS__
#define vfork fork
#endif

/* Everything but the descriptors of login.h goes. */
static bool arrange(int keeper, struct ucspitls const *tls, int slot) {
  int const wanted[][2] = {
      {keeper, PARSER_KEEPER_FD},
      {tls->read, PARSER_SSLREAD_FD},
      {tls->write, PARSER_SSLWRITE_FD},
      {slot, PARSER_SLOT_FD},
  };
  close(2);
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    if (wanted[i][0] < 0)
      close(wanted[i][1]);
    else if (dup2(wanted[i][0], wanted[i][1]) < 0)
      return false;
  }
  fd_close_from(PARSER_SLOT_FD + 1);
  return true;
}

static noreturn void become_parser(char const *program, int keeper, struct ucspitls const *tls,
                                   int slot) {
  static char const *const argv[] = {PARSER_NAME, 0};
  static char const *const environment[] = {0};
  if (arrange(keeper, tls, slot)) exec_ae(program, argv, environment);
  char failed[2 + sizeof errno] = {ASK_FAILED, STEP_EXEC};
  int saved = errno;
  for (size_t i = 0; i < sizeof saved; i++) failed[2 + i] = ((char *)&saved)[i];
  send(PARSER_KEEPER_FD, failed, sizeof failed, MSG_NOSIGNAL);
  _exit(EXIT_TEMPORARY);
}

/* By vfork: no memory is copied, as all that either child does is to arrange descriptors and
 * execute or end, while this process waits for it.  A login costs a tenth less. */
static int fork_twice(char const *program, int keeper, struct ucspitls const *tls, int slot) {
  pid_t child = vfork();
  if (child < 0) return -1;
  if (!child) {
    pid_t grandchild = vfork();
    if (!grandchild) become_parser(program, keeper, tls, slot);
    _exit(grandchild < 0 ? EXIT_TEMPORARY : 0);
  }
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return -1;
  if (status) errno = EAGAIN;
  return status ? -1 : 0;
}

int parser_spawn(char const *program, struct parser_config const *config,
                 struct ucspitls const *tls, int slot) {
  int ends[2];
  char message[1 + sizeof *config] = {TELL_CONFIG};
  for (size_t i = 0; i < sizeof *config; i++) message[1 + i] = ((char const *)config)[i];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0) return -1;
  for (size_t i = 0; i < 2; i++)
    if ((ends[i] = fd_move_high(ends[i])) < 0) return -1;
  if (send(ends[0], message, sizeof message, MSG_NOSIGNAL) < 0 ||
      fork_twice(program, ends[1], tls, slot) < 0)
    return -1;
  close(ends[1]);
  return ends[0];
}
