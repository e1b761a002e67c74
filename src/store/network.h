/* network.c: whether a file system is one that others change behind this system's back: a name for
 * it, null if it is not. */
#ifndef STORE_NETWORK_H
#define STORE_NETWORK_H

char const *network_kind(int fd);

#endif
