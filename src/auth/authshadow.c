/* authshadow: a module of one source; see authshadow(8). */
#include "auth/source.h"

int main(int argc, char **argv) {
  source_run(argc, argv, &source_shadow);
}
