/* authmysql: a module of one source; see authmysql(8). */
#include "auth/source.h"

int main(int argc, char **argv) {
  source_run(argc, argv, &source_mysql);
}
