/* Date: fields (RFC 5322 sections 3.3 and 4.3).
 *
 *   [day-name ","] day month year hour ":" minute [":" second] zone
 *
 * Readings of what is broken: a missing or unknown zone is UTC; so is, at 00:00:00, a missing or
 * impossible time (RFC 5256 section 2.2); the day's name is not looked at; dashes may stand between
 * day, month and year. */
#include "message/internal.h"

struct reader {
  char const *at, *end;
};

static void skip(struct reader *r) {
  r->at = skip_blanks_and_comments(r->at, r->end);
}

static bool take(struct reader *r, char c) {
  skip(r);
  if (r->at == r->end || *r->at != c) return false;
  r->at++;
  return true;
}

/* The number of digits taken, which is 0 if there are none or more than max. */
static unsigned int take_number(struct reader *r, unsigned int max, int *number) {
  unsigned int digits = 0;
  *number = 0;
  for (skip(r); r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
    if (++digits > max) return 0;
    *number = *number * 10 + (*r->at - '0');
  }
  return digits;
}

static char const *take_letters(struct reader *r, size_t *size) {
  skip(r);
  char const *start = r->at;
  while (r->at < r->end && ((*r->at | 32) >= 'a' && (*r->at | 32) <= 'z')) r->at++;
  *size = (size_t)(r->at - start);
  return start;
}

/* 1 to 12; names written out in full pass too. */
static bool take_month(struct reader *r, int *month) {
  static char const names[12][4] = {"jan", "feb", "mar", "apr", "may", "jun",
                                    "jul", "aug", "sep", "oct", "nov", "dec"};
  size_t size;
  char const *name = take_letters(r, &size);
  for (*month = 1; size >= 3 && *month <= 12; ++*month)
    if (!strncasecmp(name, names[*month - 1], 3)) return true;
  return false;
}

/* RFC 5322 section 4.3: two digits mean 1950 to 2049, three count from 1900.  So do four that begin
 * with a zero, since no year is before 1900: 0102 is what some programs wrote in 2002. */
static bool take_year(struct reader *r, int *year) {
  unsigned int digits = take_number(r, 4, year);
  if (digits == 2 && *year < 50)
    *year += 2000;
  else if (*year < 1000)
    *year += 1900;
  return digits >= 2;
}

static bool take_clock(struct reader *r, int *seconds) {
  int hour, minute, second = 0;
  if (!take_number(r, 2, &hour) || hour > 23) return false;
  if (!take(r, ':') || !take_number(r, 2, &minute) || minute > 59) return false;
  if (take(r, ':') && (!take_number(r, 2, &second) || second > 60)) return false;
  *seconds = hour * 3600 + minute * 60 + second;
  return true;
}

/* Seconds east of UTC.  Military letters are UTC, as section 4.3 advises. */
static int zone_by_name(char const *name, size_t size) {
  static struct {
    char name[4];
    int hours;
  } const zones[] = {{"EST", -5}, {"EDT", -4}, {"CST", -6}, {"CDT", -5},
                     {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7}};
  for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
    if (same_name(name, size, zones[i].name)) return zones[i].hours * 3600;
  return 0;
}

static int take_zone(struct reader *r) {
  size_t size;
  char const *name = take_letters(r, &size);
  if (size) return zone_by_name(name, size);
  bool west = r->at < r->end && *r->at == '-';
  if (!west && !(r->at < r->end && *r->at == '+')) return 0;
  r->at++;
  int hhmm;
  if (take_number(r, 4, &hhmm) != 4 || hhmm % 100 > 59) return 0;
  int offset = hhmm / 100 * 3600 + hhmm % 100 * 60;
  return west ? -offset : offset;
}

/* Days since 1970-01-01 in the Gregorian calendar; the year begins in March, so that the leap day
 * is its last. */
static int32_t days_from_date(int year, int month, int day) {
  int y = month > 2 ? year : year - 1;
  int era_year = y % 400, month_from_march = (month + 9) % 12;
  int day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
  return y / 400 * 146097 + era_year * 365 + era_year / 4 - era_year / 100 + day_of_year - 719468;
}

static bool is_date(int year, int month, int day) {
  static unsigned char const length[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day >= 1 && day <= length[month - 1] + (month == 2 && leap);
}

bool message_parse_date(char const *value, size_t size, time_t *t, int32_t *day_number) {
  struct reader r = {value, value + size};
  int day, month, year, seconds;
  size_t name_size;
  take_letters(&r, &name_size);
  take(&r, ',');
  if (!take_number(&r, 2, &day)) return false;
  take(&r, '-');
  if (!take_month(&r, &month)) return false;
  take(&r, '-');
  if (!take_year(&r, &year) || !is_date(year, month, day)) return false;
  *day_number = days_from_date(year, month, day);
  *t = (time_t)*day_number * 86400;
  if (take_clock(&r, &seconds)) *t += seconds - take_zone(&r);
  return true;
}
