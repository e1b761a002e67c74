/* What a report's fields are called. */
#include "auth/report.h"

char const *const report_variables[REPORT_COUNT] = {
    [REPORT_HOME] = "HOME",       [REPORT_USER] = "USER",       [REPORT_SHELL] = "SHELL",
    [REPORT_MAILDIR] = "MAILDIR", [REPORT_OPTIONS] = "OPTIONS", [REPORT_QUOTA] = "MAILDIRQUOTA",
};
