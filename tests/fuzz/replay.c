/* In libFuzzer's place: tries the inputs that are files named on the command line, or below
 * directories named there, and says how many. */
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

#pragma weak LLVMFuzzerInitialize

static unsigned int tried;

static noreturn void die(char const *path) {
  perror(path);
  exit(EXIT_TEMPORARY);
}

static void try_file(char const *path) {
  char *data;
  size_t size;
  if (file_read(AT_FDCWD, path, 64 << 20, &data, &size) < 0) die(path);
  /* A copy of just its size: the sanitizers notice a byte too far. */
  uint8_t *copy = malloc(size ? size : 1);
  if (!copy) die(path);
  memcpy(copy, data, size);
  free(data);
  LLVMFuzzerTestOneInput(copy, size);
  free(copy);
  tried++;
}

static void try_directory(char const *path) {
  DIR *d = opendir(path);
  if (!d) die(path);
  for (struct dirent *e; (e = readdir(d));) {
    char file[4096];
    if (*e->d_name == '.') continue;
    snprintf(file, sizeof file, "%s/%s", path, e->d_name);
    try_file(file);
  }
  closedir(d);
}

int main(int argc, char **argv) {
  if (LLVMFuzzerInitialize) LLVMFuzzerInitialize(&argc, &argv);
  for (int i = 1; i < argc; i++) {
    struct stat st;
    if (stat(argv[i], &st) < 0) die(argv[i]);
    (S_ISDIR(st.st_mode) ? try_directory : try_file)(argv[i]);
  }
  printf("%u inputs\n", tried);
  return 0;
}
