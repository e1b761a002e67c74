/* The socket: bound here, or by whoever has started us, s6-ipcserver-socketbinder for instance, and
 * then on descriptor 0. */
#include "authd/authd.h"
#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128, MODE = 0600, MODE_MAX = 0777, OCTAL = 8 };

static bool is_listening(int fd) {
  int yes = 0;
  socklen_t size = sizeof yes;
  return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &size) && yes;
}

static mode_t read_mode(void) {
  char const *text = getenv("AUTHD_MODE");
  char *end;
  if (!text || !*text) return MODE;
  unsigned long mode = strtoul(text, &end, OCTAL);
  if (*end || mode > MODE_MAX || *text == '-')
    log_die(EXIT_MISUSE, "misconfigured", "variable", "AUTHD_MODE", "value", text, "why",
            "no octal mode such as 0660", (char *)0);
  return (mode_t)mode;
}

static noreturn void die_owner(char const *variable, char const *value) {
  log_die(EXIT_MISUSE, "misconfigured", "variable", variable, "value", value, "why",
          "nobody of this name", "remedy", "create the account, or name another", (char *)0);
}

static void read_owner(uid_t *uid, gid_t *gid) {
  char const *user = getenv("AUTHD_OWNER"), *group = getenv("AUTHD_GROUP");
  *uid = (uid_t)-1;
  *gid = (gid_t)-1;
  if (user && *user && !system_uid(user, uid)) die_owner("AUTHD_OWNER", user);
  if (group && *group && !system_gid(group, gid)) die_owner("AUTHD_GROUP", group);
}

static noreturn void die_failed(char const *attempt, char const *path) {
  log_die_failure(EXIT_TEMPORARY, attempt, path,
                  errno == ENOENT   ? "make the directory that authdaemonvar names"
                  : errno == EACCES ? "give the directory to the account authd runs as"
                                    : 0);
}

/* Nobody can connect before owner and mode are right, nor while an old socket is replaced. */
static int bind_socket(char const *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  uid_t uid;
  gid_t gid;
  mode_t mode = read_mode();
  read_owner(&uid, &gid);
  if ((size_t)snprintf(address.sun_path, sizeof address.sun_path, "%s.tmp", path) >=
      sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    die_failed("bind", path);
  }
  int fd = fd_move_high(socket(AF_UNIX, SOCK_STREAM, 0));
  if (fd < 0) die_failed("make a socket", 0);
  unlink(address.sun_path);
  mode_t saved = umask(S_IRWXG | S_IRWXO | S_IRUSR | S_IWUSR | S_IXUSR);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die_failed("bind", path);
  umask(saved);
  if ((uid != (uid_t)-1 || gid != (gid_t)-1) && chown(address.sun_path, uid, gid) < 0)
    die_failed("chown", path);
  if (chmod(address.sun_path, mode) < 0) die_failed("chmod", path);
  if (listen(fd, BACKLOG) < 0) die_failed("listen", path);
  if (rename(address.sun_path, path) < 0) die_failed("rename the socket to", path);
  return fd;
}

int listen_open(char const *path) {
  int fd = is_listening(STDIN_FILENO) ? fd_move_high(STDIN_FILENO) : bind_socket(path);
  if (fd < 0) die_failed("use the socket on descriptor 0", 0);
  /* A client may be somebody else's by the time we let it in, if the socket is shared. */
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) die_failed("use the socket", path);
  return fd;
}
