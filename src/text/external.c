/* SPDX-License-Identifier: Apache-2.0 */
/* external.c: questions to a program that grades, and its answers */
#include "external.h"
#include "child.h"
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/watch.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef enum { ANSWERED, STALLED, DIED, MALFORMED } outcome_t;
/* questions that are asked together; the first has the id first */
typedef struct {
  const sol_external_question_t *q;
  sol_external_answer_t *a;
  int *done, n, left;
  int64_t *id; /* -1: not asked now */
} round_t;

sol_external_t *sol_external_new (char *const *command, double limit_s, double start_s, int tries)
{
  sol_external_t *x = sol_alloc (sizeof *x);
  size_t n = 0;
  while (command[n]) n++;
  SOL_ASSERT (n > 0);
  pthread_mutex_init (&x->lock, NULL);
  x->command = sol_alloc ((n + 1) * sizeof *x->command);
  for (size_t i = 0; i < n; i++) x->command[i] = sol_strdup (command[i]);
  x->limit_s = limit_s;
  x->start_s = start_s;
  x->tries = tries;
  x->to = x->from = x->errors = -1;
  return x;
}

void sol_external_free (sol_external_t *x)
{
  char what[SOL_EXTERNAL_WHAT];
  if (!x) return;
  sol_external_end (x, 0, what);
  pthread_mutex_destroy (&x->lock);
  for (char **word = x->command; *word; word++) sol_free (*word);
  sol_free (x->command);
  sol_buffer_free (&x->questions);
  sol_buffer_free (&x->received);
  sol_buffer_free (&x->words);
  sol_free (x);
}

/* ---- lines */

static void add_text (sol_buffer_t *b, const char *key, const char *text)
{
  sol_buffer_printf (b, ",\"%s\":", key);
  if (text) sol_buffer_json (b, text, strlen (text));
  else sol_buffer_printf (b, "null");
}

static void add_question (sol_buffer_t *b, int64_t id, const sol_external_question_t *q)
{
  sol_buffer_printf (b, "{\"id\":%lld", (long long) id);
  add_text (b, "data", q->data);
  add_text (b, "prompt", q->prompt);
  add_text (b, "response", q->response);
  sol_buffer_printf (b, ",\"cut\":%s", q->cut ? "true" : "false");
  add_text (b, "answer", q->answer);
  sol_buffer_printf (b, ",\"row\":%s}\n", q->row ? q->row : "null");
}

/* the question that this id answers; -1: none that waits for an answer */
static int find (const round_t *r, int64_t id)
{
  for (int i = 0; i < r->n; i++)
    if (r->id[i] == id && !r->done[i]) return i;
  return -1;
}

/* NULL, or what is wrong with an answer's object */
static const char *read_answer (round_t *r, const cJSON *json)
{
  int64_t id;
  const cJSON *reward = cJSON_GetObjectItemCaseSensitive (json, "reward"), *verdict = cJSON_GetObjectItemCaseSensitive (json, "verdict"), *note = cJSON_GetObjectItemCaseSensitive (json, "note");
  if (!cJSON_IsObject (json)) return "not an object";
  if (!sol_json_int (cJSON_GetObjectItemCaseSensitive (json, "id"), 0, INT64_C (1) << 53, &id)) return "no whole number \"id\"";
  const int i = find (r, id);
  if (i < 0) return "an \"id\" that waits for no answer";
  if (!cJSON_IsNumber (reward)) return "no number \"reward\"";
  if (!(fabs (reward->valuedouble) <= 1)) return "a \"reward\" outside of -1 to 1";
  if (verdict && !cJSON_IsBool (verdict) && !cJSON_IsNull (verdict)) return "a \"verdict\" that is neither true nor false";
  if (note && !cJSON_IsString (note) && !cJSON_IsNull (note)) return "a \"note\" that is no string";
  sol_external_answer_t *a = &r->a[i];
  a->reward = reward->valuedouble;
  a->correct = cJSON_IsBool (verdict) ? cJSON_IsTrue (verdict) : a->reward >= 1;
  sol_json_text (json, "note", &a->note);
  r->done[i] = 1;
  r->left--;
  return NULL;
}

/* 1: the line was an answer; 0: what (room SOL_EXTERNAL_WHAT) says what it was */
static int take_line (round_t *r, const char *line, size_t bytes, char *what)
{
  cJSON *json = NULL;
  char why[128];
  if (bytes > 0 && line[bytes - 1] == '\r') bytes--;
  const char *wrong = sol_json_parse (line, bytes, &json, why) != SOL_OK ? why : read_answer (r, json);
  if (wrong) {
    sol_buffer_t quoted = { 0 };
    sol_buffer_json (&quoted, line, bytes > 160 ? 160 : bytes);
    snprintf (what, SOL_EXTERNAL_WHAT, "expected a line {\"id\", \"reward\"}, found %s: %s%s", wrong, quoted.data, bytes > 160 ? "..." : "");
    sol_buffer_free (&quoted);
  }
  cJSON_Delete (json);
  return !wrong;
}

/* ---- the talk */

/* whole lines that have come, until all questions are answered: what is behind that is nothing that was asked for, and found so when the next question comes */
static outcome_t take_lines (sol_external_t *x, round_t *r, double *end, char *what)
{
  size_t at = 0;
  const char *stop;
  while (r->left > 0 && at < x->received.bytes && (stop = memchr (x->received.data + at, '\n', x->received.bytes - at))) {
    const char *line = x->received.data + at;
    at = (size_t) (stop - x->received.data) + 1;
    if (!take_line (r, line, (size_t) (stop - line), what)) return MALFORMED;
    x->count.answered++;
    x->fresh = x->deaths = x->mutes = 0;
    *end = sol_child_now () + x->limit_s;
  }
  if (at > 0) memmove (x->received.data, x->received.data + at, x->received.bytes - at);
  x->received.bytes -= at;
  if (x->received.bytes <= SOL_EXTERNAL_LINE) return ANSWERED;
  snprintf (what, SOL_EXTERNAL_WHAT, "expected a line {\"id\", \"reward\"}, found one of more than %u bytes", SOL_EXTERNAL_LINE);
  return MALFORMED;
}

static outcome_t receive (sol_external_t *x, round_t *r, double *end, char *what)
{
  char text[65536];
  const ssize_t n = read (x->from, text, sizeof text);
  if (n < 0) return errno == EAGAIN || errno == EINTR ? ANSWERED : DIED;
  if (n == 0) return DIED;
  sol_buffer_add (&x->received, text, (size_t) n);
  return take_lines (x, r, end, what);
}

/* as much of the questions as the pipe takes. A program that has closed its input may still answer, or end: what it does next shows on its output. */
static void send_some (sol_external_t *x)
{
  const ssize_t n = write (x->to, x->questions.data + x->sent, x->questions.bytes - x->sent);
  if (n > 0) x->sent += (size_t) n;
  else if (n < 0 && errno != EAGAIN && errno != EINTR) x->sent = x->questions.bytes;
}

/* asks and listens until all questions of the round are answered */
static outcome_t talk (sol_external_t *x, round_t *r, char *what)
{
  outcome_t o = ANSWERED;
  double end = sol_child_now () + x->limit_s + (x->fresh ? x->start_s : 0);
  if (x->received.bytes) o = take_lines (x, r, &end, what); /* it had said something without being asked */
  while (o == ANSWERED && r->left > 0) {
    const double left = end - sol_child_now ();
    if (left <= 0) return STALLED;
    struct pollfd p[] = { { .fd = x->from, .events = POLLIN }, { .fd = x->errors, .events = POLLIN }, { .fd = x->sent < x->questions.bytes ? x->to : -1, .events = POLLOUT } };
    if (poll (p, 3, left < 1 ? (int) (left * 1000) + 1 : 1000) < 0 && errno != EINTR) return DIED;
    sol_watch_beat ("verifying");
    if (p[1].revents) sol_external_listen (x);
    if (p[2].revents) send_some (x);
    if (p[0].revents) o = receive (x, r, &end, what);
  }
  return o;
}

/* a write to a program that has gone must not end this one: the signal is held back and taken away */
static void hold_pipe_signal (sigset_t *old, int *pending)
{
  sigset_t set;
  sigpending (&set);
  *pending = sigismember (&set, SIGPIPE);
  sigemptyset (&set);
  sigaddset (&set, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &set, old);
}

static void release_pipe_signal (const sigset_t *old, int pending)
{
  const struct timespec now = { 0, 0 };
  sigset_t set;
  sigemptyset (&set);
  sigaddset (&set, SIGPIPE);
  while (!pending && sigtimedwait (&set, NULL, &now) < 0 && errno == EINTR) continue;
  pthread_sigmask (SIG_SETMASK, old, NULL);
}

/* ---- rounds */

/* every time at first, then at 8, 16, 32 ... */
static int worth_saying (int64_t n) { return n <= 4 || (n & (n - 1)) == 0; }

/* the program is no more: an error when that was once too often */
static sol_status_t after_end (sol_external_t *x, outcome_t o, const char *what)
{
  sol_buffer_t name = { 0 }, words = { 0 };
  sol_status_t st = SOL_OK;
  int64_t *count = o == STALLED ? &x->count.timeouts : o == DIED ? &x->count.deaths : &x->count.malformed;
  const int row = o == STALLED ? x->mutes : x->deaths, most = o != STALLED || !x->count.answered ? x->tries : SOL_EXTERNAL_MUTE;
  ++*count;
  sol_external_name (x, &name);
  sol_external_words (x, &words);
  if (row >= most)
    st = sol_fail (o == STALLED ? SOL_ERR_TIMEOUT : SOL_ERR_IO, "verifier", "the verifier \"%s\" failed %d times in a row, the last time: %s; last line on its standard error: %s", name.data, row, what, words.data);
  else if (worth_saying (*count))
    sol_log (SOL_LOG_WARN, "verifier", "the verifier \"%s\" is started again (%lld): %s; last line on its standard error: %s", name.data, (long long) *count, what, words.data);
  sol_buffer_free (&name);
  sol_buffer_free (&words);
  return st;
}

/* asks what is left: all, or alone only the first */
static sol_status_t one_round (sol_external_t *x, round_t *r, int alone)
{
  char what[SOL_EXTERNAL_WHAT] = "", how[SOL_EXTERNAL_WHAT];
  int first = -1, asked = 0;
  SOL_TRY (sol_external_start (x));
  sol_buffer_clear (&x->questions);
  x->sent = 0;
  for (int i = 0; i < r->n; i++) {
    r->id[i] = -1;
    if (r->done[i] || (alone && asked)) continue;
    if (first < 0) first = i;
    r->id[i] = x->next_id++;
    add_question (&x->questions, r->id[i], &r->q[i]);
    asked++;
  }
  const int others = r->left - asked;
  r->left = asked;
  const outcome_t o = talk (x, r, what);
  r->left += others;
  if (o == ANSWERED) return SOL_OK;
  sol_external_end (x, o == DIED, how);
  if (o == DIED) snprintf (what, sizeof what, "%s", how);
  if (o == STALLED) snprintf (what, sizeof what, "no answer within %g s", x->limit_s);
  while (r->done[first]) first++;
  if (o != STALLED) x->deaths++;
  if (o == STALLED && asked == 1) {
    x->mutes++;
    r->a[first].stopped = r->done[first] = 1;
    r->left--;
  }
  r->a[first].restarts++;
  return after_end (x, o, what);
}

sol_status_t sol_external_ask (sol_external_t *x, const sol_external_question_t *questions, int n, sol_external_answer_t *answers)
{
  round_t r = { .q = questions, .a = answers, .n = n, .left = n };
  sigset_t old;
  int pending, alone = 0;
  sol_status_t st = SOL_OK;
  r.done = sol_alloc ((size_t) n * sizeof *r.done);
  r.id = sol_alloc ((size_t) n * sizeof *r.id);
  for (int i = 0; i < n; i++) {
    answers[i].reward = 0;
    answers[i].correct = answers[i].stopped = answers[i].restarts = 0;
    sol_buffer_clear (&answers[i].note);
  }
  pthread_mutex_lock (&x->lock);
  hold_pipe_signal (&old, &pending);
  for (; r.left > 0 && st == SOL_OK; alone |= !x->pid) st = one_round (x, &r, alone);
  release_pipe_signal (&old, pending);
  pthread_mutex_unlock (&x->lock);
  sol_free (r.done);
  sol_free (r.id);
  return st;
}

sol_external_counts_t sol_external_counts (sol_external_t *x)
{
  pthread_mutex_lock (&x->lock);
  const sol_external_counts_t c = x->count;
  pthread_mutex_unlock (&x->lock);
  return c;
}

pid_t sol_external_pid (const sol_external_t *x) { return x->pid; }
