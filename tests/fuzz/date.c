/* Dates: those of messages (message/date.c), of IMAP (imap/date.c). */
#include "fuzz.h"
#include "imap/imap.h"
#include "message/message.h"

enum { DAY = 86400 };

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
  tzset();
  return 0;
}

static void check_day(int32_t day) {
  time_t t = (time_t)day * DAY;
  struct tm tm;
  must(gmtime_r(&t, &tm));
  must(tm.tm_year + 1900 >= 0 && tm.tm_year + 1900 <= 9999);
  must(day_from_date(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) == day);
}

static void check_message_date(char const *text, size_t size) {
  enum { ZONE_MAX = 100 * 3600 }; /* four digits */
  time_t t;
  int32_t day;
  if (!message_parse_date(text, size, &t, &day)) return;
  check_day(day);
  must(t >= (time_t)day * DAY - ZONE_MAX && t <= (time_t)(day + 1) * DAY + ZONE_MAX);
}

/* What is written can be read, and means the same. */
static void check_format(time_t t) {
  char text[IMAP_DATE_TIME_SIZE];
  time_t again;
  date_time_format(text, t);
  must(date_time_parse(text, sizeof text, &again) && again == t);
  must(day_of_time(t) == (t + zone_offset(t) - ((t + zone_offset(t)) % DAY + DAY) % DAY) / DAY);
}

static void check_imap_date(char const *text, size_t size) {
  time_t t;
  int32_t day;
  if (date_parse(text, size, &day)) check_day(day);
  if (date_time_parse(text, size, &t) && t >= 0 && t < INT64_C(250000000000)) check_format(t);
}

static void check_any_time(uint8_t const *data, size_t size) {
  int64_t t;
  char text[IMAP_DATE_TIME_SIZE];
  if (size < sizeof t) return;
  memcpy(&t, data, sizeof t);
  date_time_format(text, (time_t)t);
  must(date_time_parse(text, sizeof text, &(time_t){0}));
  check_format((time_t)((uint64_t)t % UINT64_C(250000000000)));
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size) {
  check_message_date((char const *)data, size);
  check_imap_date((char const *)data, size);
  check_any_time(data, size);
  return 0;
}
