/* The source pam: whatever the system's PAM configuration says, for accounts that passwd has; see
 * authpam(8).  PAM's modules run in this process: what they do to it, they do to nobody else. */
#include "auth/source.h"
#include "base/base.h"

#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>

/* A PAM module that asks more than the password once would ask for something else. */
struct conversation {
  char const *password;
  bool asked;
};

static void free_answers(struct pam_response *answers, int count) {
  for (int i = 0; i < count; i++) {
    if (answers[i].resp) explicit_bzero(answers[i].resp, strlen(answers[i].resp));
    free(answers[i].resp);
  }
  free(answers);
}

static bool answer(struct conversation *c, struct pam_message const *question,
                   struct pam_response *reply) {
  if (question->msg_style == PAM_TEXT_INFO || question->msg_style == PAM_ERROR_MSG) return true;
  if (question->msg_style != PAM_PROMPT_ECHO_OFF || c->asked) return false;
  c->asked = true;
  return (reply->resp = strdup(c->password));
}

/* The answers are PAM's to free. */
static int converse(int count, struct pam_message const **questions, struct pam_response **replies,
                    void *data) {
  if (count <= 0 || count > PAM_MAX_NUM_MSG) return PAM_CONV_ERR;
  struct pam_response *answers = calloc((size_t)count, sizeof *answers);
  if (!answers) return PAM_BUF_ERR;
  for (int i = 0; i < count; i++)
    if (!answer(data, questions[i], &answers[i])) {
      free_answers(answers, count);
      return PAM_CONV_ERR;
    }
  *replies = answers;
  return PAM_SUCCESS;
}

/* imaplogin answers every failure at the same boundaries; PAM's own delay would only add to it. */
static void do_not_delay(int status, unsigned int microseconds, void *data) {
  (void)status;
  (void)microseconds;
  (void)data;
}

static char const password_expired[] = "password-expired";

struct meaning {
  int status;
  struct auth_result result;
};

static struct auth_result find(struct meaning const *meanings, size_t count, int status) {
  for (size_t i = 0; i < count; i++)
    if (meanings[i].status == status) return meanings[i].result;
  return (struct auth_result){AUTH_TEMPORARY, "pam"};
}

static struct auth_result judge_password(int status) {
  static struct meaning const meanings[] = {
      {PAM_SUCCESS, {AUTH_ACCEPT, 0}},
      {PAM_AUTH_ERR, {AUTH_DECLINE, "wrong-password"}},
      {PAM_MAXTRIES, {AUTH_DECLINE, "wrong-password"}},
      {PAM_USER_UNKNOWN, {AUTH_DECLINE, "unknown-user"}},
      {PAM_PERM_DENIED, {AUTH_REFUSE, "not-permitted"}},
      {PAM_ACCT_EXPIRED, {AUTH_REFUSE, "account-expired"}},
  };
  return find(meanings, sizeof meanings / sizeof *meanings, status);
}

static struct auth_result judge_account(int status) {
  static struct meaning const meanings[] = {
      {PAM_SUCCESS, {AUTH_ACCEPT, 0}},
      {PAM_ACCT_EXPIRED, {AUTH_REFUSE, "account-expired"}},
      {PAM_AUTH_ERR, {AUTH_REFUSE, "not-permitted"}},
      {PAM_PERM_DENIED, {AUTH_REFUSE, "not-permitted"}},
      {PAM_NEW_AUTHTOK_REQD, {AUTH_REFUSE, password_expired}},
      {PAM_USER_UNKNOWN, {AUTH_DECLINE, "unknown-user"}},
  };
  return find(meanings, sizeof meanings / sizeof *meanings, status);
}

static void log_status(pam_handle_t *pam, char const *attempt, char const *service, int status) {
  log_event("failed", "attempt", attempt, "service", service, "why", pam_strerror(pam, status),
            "remedy", "see /etc/pam.d and the modules named there", (char *)0);
}

static struct auth_result check_account(pam_handle_t *pam, char const *service) {
  int status = pam_acct_mgmt(pam, PAM_SILENT);
  struct auth_result result = judge_account(status);
  if (result.verdict == AUTH_TEMPORARY) log_status(pam, "pam_acct_mgmt", service, status);
  return result;
}

static struct auth_result authenticate(pam_handle_t *pam, char const *service) {
  int status = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
  struct auth_result result = judge_password(status);
  if (result.verdict == AUTH_TEMPORARY) log_status(pam, "pam_authenticate", service, status);
  if (result.verdict != AUTH_ACCEPT) return result;
  return check_account(pam, service);
}

static void set_items(pam_handle_t *pam) {
  char const *address = getenv("TCPREMOTEIP");
#ifdef PAM_FAIL_DELAY
  pam_set_item(pam, PAM_FAIL_DELAY, (void const *)do_not_delay);
#endif
  if (address && *address) pam_set_item(pam, PAM_RHOST, address);
}

/* A module may have given the user another name. */
static struct auth_result find_account(pam_handle_t *pam, char const *name,
                                       struct source_entry *e) {
  void const *item = 0;
  if (pam_get_item(pam, PAM_USER, &item) == PAM_SUCCESS && item) name = item;
  enum source_answer answer = system_lookup(name, e);
  if (answer == SOURCE_FOUND) return source_judge(e, true);
  return answer == SOURCE_UNKNOWN ? (struct auth_result){AUTH_DECLINE, "unknown-user"}
                                  : (struct auth_result){AUTH_TEMPORARY, "account-database"};
}

/* What is to be done between PAM's beginning and its end. */
typedef struct auth_result task(pam_handle_t *, struct source_query const *, struct source_entry *);

static struct auth_result with_pam(struct source_query const *q, struct conversation *c, task *t,
                                   struct source_entry *e) {
  struct pam_conv conversation = {converse, c};
  pam_handle_t *pam = 0;
  int status = pam_start(q->service, q->name, &conversation, &pam);
  if (status != PAM_SUCCESS) {
    log_status(pam, "pam_start", q->service, status);
    return (struct auth_result){AUTH_TEMPORARY, "pam"};
  }
  set_items(pam);
  struct auth_result result = t(pam, q, e);
  pam_end(pam, status);
  return result;
}

static struct auth_result log_in(pam_handle_t *pam, struct source_query const *q,
                                 struct source_entry *e) {
  struct auth_result result = authenticate(pam, q->service);
  if (result.verdict == AUTH_ACCEPT) result = find_account(pam, q->name, e);
  e->hash = 0; /* passwd's own, which nobody has asked for */
  return result;
}

static struct auth_result verify(struct source const *s, struct source_query const *q,
                                 char const *password, struct source_entry *e) {
  (void)s;
  struct conversation c = {password, false};
  if (!system_is_name(q->name)) return (struct auth_result){AUTH_DECLINE, "unknown-user"};
  return with_pam(q, &c, log_in, e);
}

static struct auth_result look_at_account(pam_handle_t *pam, struct source_query const *q,
                                          struct source_entry *e) {
  (void)e;
  return check_account(pam, q->service);
}

/* Without a password there is still PAM's account phase, which nobody is to get around. */
static enum source_answer look_up(struct source const *s, struct source_query const *q,
                                  struct source_entry *e) {
  (void)s;
  struct conversation silent = {"", true};
  enum source_answer answer = system_lookup(q->name, e);
  e->hash = 0;
  if (answer != SOURCE_FOUND || !e->account.uid) return answer;
  struct auth_result result = with_pam(q, &silent, look_at_account, e);
  if (result.verdict == AUTH_TEMPORARY) return SOURCE_TEMPORARY;
  if (result.verdict == AUTH_ACCEPT) return SOURCE_FOUND;
  if (!strcmp(result.reason, password_expired))
    e->after = result.reason;
  else
    e->refusal = result.reason;
  return SOURCE_FOUND;
}

static enum source_answer enumerate(struct source const *s, source_visit *visit, void *context) {
  (void)s;
  return source_passwd.enumerate(&source_passwd, visit, context);
}

struct source const source_pam = {.name = "authpam",
                                  .unavailable = "pam",
                                  .lookup = look_up,
                                  .verify = verify,
                                  .enumerate = enumerate};
