/* What imapd may still do once it serves. */
#ifndef CONFINE_H
#define CONFINE_H

/* From here on the process can change nothing but the Maildir, and makes only the system calls it
 * needs.  A kernel that cannot do this is noted in the log, and the session goes on. */
void confine(char const *maildir);

#endif
