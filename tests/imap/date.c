/* Dates: reading, writing, and the local time they are written in. */
#include "../tap.h"
#include "imap/imap.h"

#include <stdlib.h>

static void date(char const *text, bool good, int32_t want) {
  int32_t day = 0;
  ok(date_parse(text, strlen(text), &day) == good && day == want, text);
}

static void date_time(char const *text, bool good, time_t want) {
  time_t t = 0;
  ok(date_time_parse(text, strlen(text), &t) == good && t == want, text);
}

static void format(time_t t, char const *want) {
  char got[IMAP_DATE_TIME_SIZE + 1] = "";
  date_time_format(got, t);
  is(got, want, want);
}

static void test_reading(void) {
  date("1-Jan-1970", true, 0);
  date("01-jan-1970", true, 0);
  date("31-DEC-1969", true, -1);
  date("29-Feb-2000", true, 11016);
  date("29-Feb-1900", false, 0);
  date("29-Feb-2100", false, 0);
  date("31-Apr-2024", false, 0);
  date("0-Jan-1970", false, 0);
  date("32-Jan-1970", false, 0);
  date("001-Jan-1970", false, 0);
  date("1-Jan-70", false, 0);
  date("1-Jan-19700", false, 0);
  date("1-Foo-1970", false, 0);
  date("1 Jan 1970", false, 0);
  date("1-Ja", false, 0);
  date("", false, 0);
  date(" 1-Jan-1970", false, 0);
  date_time("17-Jul-1996 02:44:25 -0700", true, 837596665);
  date_time(" 1-Jan-1970 00:00:00 +0000", true, 0);
  date_time("01-Jan-1970 01:30:00 +0130", true, 0);
  date_time("31-Dec-1969 23:59:59 -0000", true, -1);
  date_time("30-Jun-1997 23:59:60 +0000", true, 867715200);
  date_time("17-Jul-1996 24:00:00 +0000", false, 0);
  date_time("17-Jul-1996 02:60:00 +0000", false, 0);
  date_time("17-Jul-1996 02:44:61 +0000", false, 0);
  date_time("17-Jul-1996 02:44:25 +2400", false, 0);
  date_time("17-Jul-1996 02:44:25 +0060", false, 0);
  date_time("17-Jul-1996 02:44:25 0700", false, 0);
  date_time("17-Jul-1996 02:44:25 GMT", false, 0);
  date_time("17-Jul-1996 02:44:25", false, 0);
  date_time("17-Jul-1996 02:44:25 +0000 ", false, 0);
  date_time("17-Jul-1996 2:44:25 +0000", false, 0);
}

static void test_days(void) {
  unsigned int bad = 0;
  for (int32_t day = -800000; day <= 2900000; day += 13) {
    time_t t = (time_t)day * 86400;
    struct tm tm;
    bad += !gmtime_r(&t, &tm) || day_from_date(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) != day;
  }
  is_uint(bad, 0, "days are the system's");
}

/* Every seven hours of 40 years: what localtime_r says, however it was remembered. */
static void test_zone(char const *zone) {
  setenv("TZ", zone, 1);
  tzset();
  unsigned int bad = 0;
  for (time_t t = 631152000; t < 1893456000; t += 25199) {
    struct tm tm;
    if (!localtime_r(&t, &tm)) return;
    char want[40], got[40] = "";
    strftime(want, sizeof want, "%e-%b-%Y %H:%M:%S %z", &tm);
    date_time_format(got, t);
    time_t again;
    bad += strcmp(want, got) != 0 || zone_offset(t) != tm.tm_gmtoff ||
           day_of_time(t) != day_from_date(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) ||
           !date_time_parse(got, strlen(got), &again) || again != t;
  }
  is_uint(bad, 0, zone);
}

/* One zone a process: what is remembered is remembered for good. */
static void test_formats(void) {
  setenv("TZ", "UTC0", 1);
  tzset();
  format(0, " 1-Jan-1970 00:00:00 +0000");
  format(837596665, "17-Jul-1996 09:44:25 +0000");
  format(-1, "31-Dec-1969 23:59:59 +0000");
  format((time_t)INT64_MAX, "30-Dec-9999 23:59:59 +0000");
  format((time_t)INT64_MIN, " 2-Jan-0000 00:00:00 +0000");
}

int main(int argc, char **argv) {
  static char const *const zones[] = {"CET-1CEST,M3.5.0,M10.5.0/3",
                                      "EST5EDT,M3.2.0,M11.1.0",
                                      "NST3:30NDT,M3.2.0,M11.1.0",
                                      "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45",
                                      "America/Recife",
                                      "Africa/Casablanca",
                                      "Australia/Lord_Howe"};
  if (argc == 2) {
    tap_count = (unsigned int)atoi(argv[1]);
    test_zone(zones[tap_count]);
    return tap_failed != 0;
  }
  test_reading();
  test_days();
  test_formats();
  unsigned int bad = 0;
  for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
    char command[1000];
    snprintf(command, sizeof command, "%s %zu >/dev/null", argv[0], i);
    bad += system(command) != 0;
  }
  is_uint(bad, 0, "local time is the system's, in zones with and without summer time");
  return tap_done();
}
