/* report: who a session is to be, as a foreign checkpassword program has left it, from reportuser
 * to authcheckpassword: strings, each ended by NUL, in the order below.  Nothing that is not set is
 * an empty string. */
#ifndef AUTH_REPORT_H
#define AUTH_REPORT_H

#define REPORT_MAGIC "chainmail-report-1"

enum report_field {
  REPORT_HEAD, /* REPORT_MAGIC: whatever else a program may have printed is none */
  REPORT_UID,
  REPORT_GID,
  REPORT_GROUPS,    /* decimal numbers with blanks between */
  REPORT_DIRECTORY, /* the working directory */
  REPORT_HOME,      /* from here on, environment variables */
  REPORT_USER,
  REPORT_SHELL,
  REPORT_MAILDIR,
  REPORT_OPTIONS,
  REPORT_QUOTA,
  REPORT_COUNT
};

enum { REPORT_MAX = 64 << 10 }; /* bytes in all: some thousand groups, and paths */

/* The variables' names, null for the fields before REPORT_HOME. */
extern char const *const report_variables[REPORT_COUNT];

#endif
