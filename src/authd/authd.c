/* authd: settings, read once, and the start of everything. */
#include "authd/authd.h"
#include "base/base.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 5, TIMEOUT = 30, TIMEOUT_MAX = 300, PATH_SIZE = 200 };

static noreturn void die_list(char const *word, char const *why) {
  log_die(EXIT_MISUSE, "misconfigured", "variable", "authmodulelist", "value", word, "why", why,
          "remedy",
          "name some of authuserdb authpwd authshadow authpam authldap authpgsql authmysql "
          "authsqlite; make says which are left out for want of their libraries",
          (char *)0);
}

static void add_source(struct settings *s, char const *word) {
  struct source const *source = source_by_name(word);
  if (!source) die_list(word, "no such source in this program");
  if (s->sources_count == SOURCES_MAX) die_list(word, "more than 16 sources");
  for (size_t i = 0; i < s->sources_count; i++)
    if (s->sources[i] == source) die_list(word, "there twice");
  s->sources[s->sources_count++] = source;
}

static void read_sources(struct settings *s) {
  char const *list = getenv("authmodulelist");
  char *copy = strdup(list ? list : ""), *next = copy;
  if (!copy) log_die_memory();
  for (char *word; (word = strtok_r(next, " \t", &next));) add_source(s, word);
  free(copy);
  if (!s->sources_count) die_list(list, "no source");
}

/* Their settings are read before there is a worker: a mistake is found at the start. */
static void open_sources(struct settings const *s) {
  for (size_t i = 0; i < s->sources_count; i++) source_open(s->sources[i]);
}

static void read_settings(struct settings *s) {
  read_sources(s);
  s->workers = (size_t)setting_number("daemons", WORKERS, 1, WORKERS_MAX);
  s->timeout = (int64_t)setting_number("AUTHD_TIMEOUT", TIMEOUT, 1, TIMEOUT_MAX) * SECOND;
  s->passwords = setting_switch("AUTHD_PASSWORDS", false);
}

static void name_socket(char path[PATH_SIZE]) {
  char const *directory = getenv("authdaemonvar");
  if (!directory || !*directory) directory = DAEMON_DIRECTORY;
  int size = snprintf(path, PATH_SIZE, "%s/socket", directory);
  if (size < 0 || size >= PATH_SIZE || *directory != '/')
    log_die(EXIT_MISUSE, "misconfigured", "variable", "authdaemonvar", "value", directory, "why",
            "no absolute path of at most 90 bytes", (char *)0);
}

static void log_start(struct settings const *s, char const *path) {
  char names[SOURCES_MAX * 16] = "", workers[21], uid[21];
  for (size_t i = 0; i < s->sources_count; i++) {
    if (i) strcat(names, " ");
    strcat(names, s->sources[i]->name); /* ours, all shorter than 15 */
  }
  log_event("started", "socket", path, "sources", names, "workers", log_number(workers, s->workers),
            "uid", log_number(uid, geteuid()), (char *)0);
}

int main(int argc, char **argv) {
  static struct settings settings;
  char path[PATH_SIZE];
  (void)argv;
  log_init("authd");
  if (argc > 1)
    log_die(EXIT_MISUSE, "usage", "why", "no arguments: settings are in the environment",
            (char *)0);
  privilege_protect_memory();
  signal(SIGPIPE, SIG_IGN); /* a database that has gone is an error of its library */
  read_settings(&settings);
  open_sources(&settings);
  name_socket(path);
  int listener = listen_open(path);
  log_start(&settings, path);
  front_run(listener, &settings);
  return 0;
}
