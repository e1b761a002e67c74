/* Date: fields. */
#include "message-test.h"

/* "SECONDS DAY" or "no". */
static char const *date(char const *value) {
  static char text[64];
  time_t t;
  int32_t day;
  if (!message_parse_date(value, strlen(value), &t, &day)) return "no";
  snprintf(text, sizeof text, "%lld %d", (long long)t, day);
  return text;
}

int main(void) {
  is(date("Fri, 21 Nov 1997 09:55:06 -0600"), "880127706 10186", "RFC 5322 appendix A.1.1");
  is(date("21 Nov 97 09:55:06 GMT"), "880106106 10186", "RFC 5322 appendix A.6.2");
  is(date(
         "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 "
         "(Newfoundland Time)"),
     "-27723480 -322", "RFC 5322 appendix A.5: blanks and comments everywhere");
  is(date("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600"), "880127706 10186",
     "RFC 5322 appendix A.6.3");
  is(date("1 Jan 1970 00:00:00 +0000"), "0 0", "the epoch");
  is(date("1 Jan 1970 00:30:00 +0100"), "-1800 0", "the day is that of the sender");
  is(date("29 Feb 2000 12:00:00 EST"), "951843600 11016", "a leap day, a named zone");
  is(date("29 Feb 1900 12:00:00 +0000"), "no", "no leap day in 1900");
  is(date("1 Mar 2100 00:00 +0000"), "4107542400 47541", "after 2038");
  is(date("1 Jan 49 00:00 +0000"), "2493072000 28855", "RFC 5322 section 4.3: year 49 is 2049");
  is(date("1 Jan 50 00:00 +0000"), "-631152000 -7305", "year 50 is 1950");
  is(date("1 Jan 103 00:00 +0000"), "1041379200 12053", "year 103 is 2003");
  is(date("1 Jan 0103 00:00 +0000"), "1041379200 12053", "and so is year 0103");
  is(date("1 Jan 2003 00:00"), "1041379200 12053", "no zone");
  is(date("1 Jan 2003 00:00 XYZ"), "1041379200 12053", "an unknown zone");
  is(date("1-January-2003 00:00:60 Z"), "1041379260 12053", "dashes, a long name, a leap second");
  is(date(""), "no", "empty");
  is(date("yesterday"), "no", "no date");
  is(date("32 Jan 2003 00:00"), "no", "day 32");
  is(date("0 Jan 2003 00:00"), "no", "day 0");
  is(date("1 Foo 2003 00:00"), "no", "no month");
  is(date("1 Jan 2003 24:00"), "1041379200 12053", "RFC 5256 section 2.2: hour 24 is midnight");
  is(date("1 Jan 2003 05:60 -0800"), "1041379200 12053", "minute 60: midnight, in UTC");
  is(date("1 Jan 99999999999 00:00"), "no", "a year that is too long");
  is(date("1 Jan 2003"), "1041379200 12053", "no time: midnight");
  is(date("(((((1 Jan 2003 00:00"), "no", "an open comment");
  return tap_done();
}
