/* date and date-time of RFC 3501 section 9, and the days that searching compares.  Dates inside
 * messages are message's affair. */
#include "imap/imap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DAY = 86400 };

static char const months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0);
}

static bool is_leap(int year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int year, int month) {
  static signed char const days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Years counted from March make the leap day the last of its year, and the day of the year a linear
 * function of the month. */
enum {
  ERA_DAYS = 146097, /* days in 400 years */
  ERA_SHIFT = 719468 /* days from 0000-03-01 to 1970-01-01 */
};

int32_t day_from_date(int year, int month, int day) {
  if (month <= 2) year--;
  int32_t era = (int32_t)floor_div(year, 400);
  int32_t year_of_era = year - era * 400;
  int32_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
         ERA_SHIFT;
}

static void date_from_day(int32_t day, int *year, int *month, int *day_of_month) {
  day += ERA_SHIFT;
  int32_t era = (int32_t)floor_div(day, ERA_DAYS);
  int32_t day_of_era = day - era * ERA_DAYS;
  int32_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (ERA_DAYS - 1)) / 365;
  int32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int32_t m = (5 * day_of_year + 2) / 153;
  *day_of_month = day_of_year - (153 * m + 2) / 5 + 1;
  *month = m < 10 ? m + 3 : m - 9;
  *year = era * 400 + year_of_era + (*month <= 2);
}

/* ---- local time ---- */

/* EST5EDT: that there is a summer time, and not when. */
static bool lacks_rule(char const *zone) {
  static char const letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  char const *offset = zone + strspn(zone, letters);
  char const *summer = offset + strspn(offset, "+-:0123456789");
  return offset > zone && summer > offset && *summer && !summer[strspn(summer, letters)];
}

void zone_open(void) {
  enum { ZONE_MAX = 40 }; /* far more than two names and an offset */
  char with_rule[ZONE_MAX + sizeof ",M3.2.0,M11.1.0"];
  char const *zone = getenv("TZ");
  if (zone && strlen(zone) <= ZONE_MAX && lacks_rule(zone)) {
    snprintf(with_rule, sizeof with_rule, "%s,M3.2.0,M11.1.0", zone);
    setenv("TZ", with_rule, 1);
  }
  tzset();
}

static int32_t ask_zone_offset(time_t t) {
  struct tm tm;
  if (!localtime_r(&t, &tm)) return 0;
  int64_t local = (int64_t)day_from_date(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) * DAY +
                  tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec;
  /* IMAP knows whole minutes. */
  return (int32_t)((local - (int64_t)t) / 60 * 60);
}

/* A listing asks for 100,000 offsets, mostly of neighbouring times, and localtime_r takes longer
 * than all the rest of a date-time.  So offsets are remembered by spans of time.  Shorter than
 * a week, since there were summer times of six days (Recife 2000): a span whose two ends have the
 * same offset has no change in between. */
enum { SPAN = 4 * DAY, SPANS = 64 };

int32_t zone_offset(time_t t) {
  static struct {
    int32_t span, offset;
    bool known;
  } remembered[SPANS];
  int64_t span = floor_div(t, SPAN);
  if (span != (int32_t)span) return ask_zone_offset(t);
  size_t slot = (size_t)((uint64_t)span % SPANS);
  if (remembered[slot].known && remembered[slot].span == span) return remembered[slot].offset;
  int32_t first = ask_zone_offset((time_t)(span * SPAN));
  if (first != ask_zone_offset((time_t)(span * SPAN + SPAN - 1))) return ask_zone_offset(t);
  remembered[slot].span = (int32_t)span;
  remembered[slot].offset = first;
  remembered[slot].known = true;
  return first;
}

/* What four digits of year can say; a file's mtime may be anything. */
static time_t within_calendar(time_t t) {
  int64_t earliest = (int64_t)day_from_date(0, 1, 2) * DAY;
  int64_t latest = (int64_t)day_from_date(9999, 12, 31) * DAY - 1;
  return (time_t)(t < earliest ? earliest : t > latest ? latest : t);
}

int32_t day_of_time(time_t t) {
  t = within_calendar(t);
  return (int32_t)floor_div((int64_t)t + zone_offset(t), DAY);
}

static char *put_two(char *p, int n) {
  *p++ = (char)('0' + n / 10);
  *p++ = (char)('0' + n % 10);
  return p;
}

void date_time_format(char *p, time_t t) {
  t = within_calendar(t);
  int32_t offset = zone_offset(t);
  int64_t local = (int64_t)t + offset;
  int32_t day = (int32_t)floor_div(local, DAY);
  int second = (int)(local - (int64_t)day * DAY);
  int year, month, day_of_month;
  date_from_day(day, &year, &month, &day_of_month);
  if (day_of_month < 10) {
    *p++ = ' ';
    *p++ = (char)('0' + day_of_month);
  } else {
    p = put_two(p, day_of_month);
  }
  *p++ = '-';
  memcpy(p, months[month - 1], 3);
  p += 3;
  *p++ = '-';
  p = put_two(put_two(p, year / 100), year % 100);
  *p++ = ' ';
  p = put_two(p, second / 3600);
  *p++ = ':';
  p = put_two(p, second / 60 % 60);
  *p++ = ':';
  p = put_two(p, second % 60);
  *p++ = ' ';
  *p++ = offset < 0 ? '-' : '+';
  int minutes = (offset < 0 ? -offset : offset) / 60;
  put_two(put_two(p, minutes / 60), minutes % 60);
}

/* ---- reading ---- */

/* What is left of a text. */
struct cursor {
  char const *at;
  size_t left;
};

static bool take_char(struct cursor *c, char wanted) {
  if (!c->left || *c->at != wanted) return false;
  c->at++;
  c->left--;
  return true;
}

static bool take_digits(struct cursor *c, size_t least, size_t most, int *n) {
  size_t count = 0;
  *n = 0;
  while (count < most && c->left && *c->at >= '0' && *c->at <= '9') {
    *n = *n * 10 + (*c->at++ - '0');
    c->left--;
    count++;
  }
  return count >= least;
}

static bool take_month(struct cursor *c, int *month) {
  if (c->left < 3) return false;
  for (*month = 1; *month <= 12; ++*month) {
    if (!strncasecmp(c->at, months[*month - 1], 3)) {
      c->at += 3;
      c->left -= 3;
      return true;
    }
  }
  return false;
}

static bool take_date(struct cursor *c, int32_t *day) {
  int year, month, day_of_month;
  if (!take_digits(c, 1, 2, &day_of_month) || !take_char(c, '-') || !take_month(c, &month) ||
      !take_char(c, '-') || !take_digits(c, 4, 4, &year))
    return false;
  if (day_of_month < 1 || day_of_month > month_days(year, month)) return false;
  *day = day_from_date(year, month, day_of_month);
  return true;
}

bool date_parse(char const *text, size_t size, int32_t *day) {
  struct cursor c = {text, size};
  return take_date(&c, day) && !c.left;
}

static bool take_time(struct cursor *c, int *second) {
  int h, m, s;
  if (!take_digits(c, 2, 2, &h) || !take_char(c, ':') || !take_digits(c, 2, 2, &m) ||
      !take_char(c, ':') || !take_digits(c, 2, 2, &s))
    return false;
  *second = h * 3600 + m * 60 + s;
  return h < 24 && m < 60 && s <= 60; /* 60: a leap second */
}

static bool take_zone(struct cursor *c, int *offset) {
  int hhmm, sign = take_char(c, '-') ? -1 : 1;
  if (sign > 0 && !take_char(c, '+')) return false;
  if (!take_digits(c, 4, 4, &hhmm)) return false;
  *offset = sign * (hhmm / 100 * 3600 + hhmm % 100 * 60);
  return hhmm / 100 < 24 && hhmm % 100 < 60;
}

bool date_time_parse(char const *text, size_t size, time_t *t) {
  struct cursor c = {text, size};
  int32_t day;
  int second, offset;
  take_char(&c, ' '); /* date-day-fixed */
  if (!take_date(&c, &day) || !take_char(&c, ' ') || !take_time(&c, &second) ||
      !take_char(&c, ' ') || !take_zone(&c, &offset) || c.left)
    return false;
  *t = (time_t)((int64_t)day * DAY + second - offset);
  return true;
}
