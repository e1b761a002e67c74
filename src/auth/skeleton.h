/* skeleton: copying what a new home directory begins with. */
#ifndef AUTH_SKELETON_H
#define AUTH_SKELETON_H

/* Copies what is in the directory at `path` into the directory `to`: directories, regular files and
 * symbolic links, with their modes but for set-uid and the like; other files are passed over.
 * Returns 0, -1 with errno. */
int skeleton_copy(char const *path, int to);
/* Removes all that is in a directory. */
void skeleton_remove(int directory);

#endif
