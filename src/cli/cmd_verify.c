/* SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"
#include "solera/command.h"
#include "solera/external.h"
#include "solera/grader.h"
#include "solera/json.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_S 2.0          /* for one row */
#define COMMAND_LIMIT_S 60.0 /* the same of a program of the user */
#define START_S 60.0
#define TRIES 3

extern const sol_command_t sol_command_verify;

typedef struct {
  sol_buffer_t prediction, gold, extracted, prompt;
  sol_grader_t *grader;
  sol_external_t *external; /* of --command */
  sol_external_answer_t answer;
} verify_t;

/* a string member, as text that a zero byte does not end */
static int text_member (const struct cJSON *row, const char *key, sol_buffer_t *text)
{
  if (!sol_json_text (row, key, text)) return 0;
  if (!text->data) sol_buffer_printf (text, "%s", "");
  for (size_t i = 0; i < text->bytes; i++)
    if (!text->data[i]) text->data[i] = ' ';
  return 1;
}

static sol_status_t verify_row (void *ctx, const struct cJSON *row, sol_buffer_t *out, char *why)
{
  verify_t *v = ctx;
  static const char *const forms[] = { "answer", "response", "cut", "marked", "boxed" }; /* in the order of sol_answer_form_t */
  const char *form = sol_json_string (row, "form"), *mode = sol_json_string (row, "mode"), *missing = NULL;
  int m = 0, f = 0;
  while (form && f < 5 && strcmp (form, forms[f])) f++;
  if (!text_member (row, "prediction", &v->prediction)) missing = "prediction";
  else if (!text_member (row, "gold", &v->gold)) missing = "gold";
  if (missing || !form || f == 5) {
    if (missing) snprintf (why, SOL_FILTER_WHY, "expected a string \"%s\"", missing);
    else snprintf (why, SOL_FILTER_WHY, "\"form\": expected \"answer\", \"response\", \"cut\", \"marked\" or \"boxed\"");
    return SOL_ERR_FORMAT;
  }
  static const char *const modes[] = { "answer", "strict", "m2po" };
  while (mode && m < 3 && strcmp (mode, modes[m])) m++;
  if (m == 3) {
    snprintf (why, SOL_FILTER_WHY, "\"mode\": expected \"answer\", \"strict\" or \"m2po\"");
    return SOL_ERR_FORMAT;
  }
  sol_buffer_clear (&v->extracted);
  int stopped;
  const int equal = sol_grader_check (v->grader, v->prediction.data, v->gold.data, (sol_answer_form_t) f, (sol_verify_mode_t) m, &v->extracted, &stopped);
  sol_buffer_printf (out, "{\"equal\":%s,\"extracted\":", equal ? "true" : "false");
  if (v->extracted.bytes) sol_buffer_json (out, v->extracted.data, v->extracted.bytes);
  else sol_buffer_printf (out, "null");
  sol_buffer_printf (out, stopped ? ",\"stopped\":true}" : "}");
  return SOL_OK;
}

/* the same by the program of --command */
static sol_status_t command_row (void *ctx, const struct cJSON *row, sol_buffer_t *out, char *why)
{
  verify_t *v = ctx;
  const char *form = sol_json_string (row, "form");
  const int has_prompt = text_member (row, "prompt", &v->prompt);
  if (!text_member (row, "prediction", &v->prediction) || !text_member (row, "gold", &v->gold)) {
    snprintf (why, SOL_FILTER_WHY, "expected a string \"%s\"", sol_json_string (row, "prediction") ? "gold" : "prediction");
    return SOL_ERR_FORMAT;
  }
  char *line = cJSON_PrintUnformatted (row);
  const sol_external_question_t q = { .prompt = has_prompt ? v->prompt.data : NULL, .response = v->prediction.data, .answer = v->gold.data, .cut = form && !strcmp (form, "cut"), .row = line };
  const sol_status_t st = sol_external_ask (v->external, &q, 1, &v->answer);
  cJSON_free (line);
  SOL_TRY (st);
  sol_buffer_printf (out, "{\"equal\":%s,\"reward\":", v->answer.correct ? "true" : "false");
  sol_buffer_double (out, v->answer.reward);
  if (v->answer.note.bytes) {
    sol_buffer_printf (out, ",\"note\":");
    sol_buffer_json (out, v->answer.note.data, v->answer.note.bytes);
  }
  sol_buffer_printf (out, v->answer.stopped ? ",\"stopped\":true}" : "}");
  return SOL_OK;
}

/* seconds of --limit */
static sol_status_t limit_of (const sol_options_t *o, double *limit_s)
{
  const char *text = o->value[SOL_OPTION_INDEX_LIMIT];
  char *end;
  *limit_s = o->given & SOL_OPTION_COMMAND ? COMMAND_LIMIT_S : LIMIT_S;
  if (!text) return SOL_OK;
  const double x = strtod (text, &end);
  if (*end || !(x > 0 && x <= 1e6)) return sol_fail (SOL_ERR_USAGE, "verify", "--limit: expected seconds, more than 0 and at most 1e6, found '%s'", text);
  *limit_s = x;
  return SOL_OK;
}

static sol_status_t open_verifier (const sol_options_t *o, verify_t *v)
{
  double limit_s;
  SOL_TRY (limit_of (o, &limit_s));
  if (!(o->given & SOL_OPTION_COMMAND)) {
    if (o->n_args) return sol_fail (SOL_ERR_USAGE, "verify", "unexpected argument '%s': rows come from standard input", o->args[0]);
    v->grader = sol_grader_new (NULL, limit_s);
    return SOL_OK;
  }
  char **command = sol_alloc (((size_t) o->n_args + 2) * sizeof *command);
  command[0] = (char *) (uintptr_t) o->value[SOL_OPTION_INDEX_COMMAND];
  memcpy (command + 1, o->args, (size_t) o->n_args * sizeof *command);
  v->external = sol_external_new (command, limit_s, START_S, TRIES);
  sol_free (command);
  return SOL_OK;
}

static int run (int argc, char **argv)
{
  sol_options_t o;
  verify_t v = { 0 };
  long bad = 0;
  sol_status_t st = sol_options_parse (&sol_command_verify, argc, argv, &o);
  if (st == SOL_OK) st = open_verifier (&o, &v);
  if (st == SOL_OK) st = sol_filter_run (stdin, stdout, v.external ? command_row : verify_row, &v, &bad);
  sol_grader_free (v.grader);
  sol_external_free (v.external);
  sol_buffer_free (&v.prediction);
  sol_buffer_free (&v.gold);
  sol_buffer_free (&v.extracted);
  sol_buffer_free (&v.prompt);
  sol_buffer_free (&v.answer.note);
  sol_options_free (&o);
  return st == SOL_OK && bad ? 1 : sol_exit_code (st);
}

const sol_command_t sol_command_verify = {
  .name = "verify",
  .line = "is an answer right?",
  .usage = "[--limit S] [--command PROGRAM [ARGUMENT ...]] <rows >rows",
  .about = "A filter on JSON lines: {\"prediction\": ..., \"gold\": ..., \"form\": \"answer\" | \"response\" | \"cut\" | \"marked\" | \"boxed\"}, perhaps with \"mode\": \"answer\" | \"strict\" | \"m2po\", gives {\"equal\": true | false, \"extracted\": ...}. "
           "With form response the answer is first taken from the text: the last \\boxed{}, else what follows \"Final Answer\" or \"####\", else the last number; with form cut, of a text that a length limit cut off, and form marked that last number is no answer; with form boxed only a box counts. "
           "Answers are compared as mathematics (docs/verifier.md); a doubtful case is not equal. What takes longer than two seconds (--limit) is stopped: not equal, with \"stopped\": true.\n\n"
           "With --command a program of your own grades, by the protocol of docs/verifier.md: it is asked for every row with prediction as response, gold as answer, prompt if there is one, and the row itself, and the rows "
           "out are {\"equal\": ..., \"reward\": ..., \"note\": ...}. A program that dies is started again; three deaths in a row end the filter.\n\n"
           "One row out for every row in. A bad row gives {\"error\": ...} in its place, and the exit status is 1 at the end.",
  .options = SOL_OPTION_COMMAND | SOL_OPTION_LIMIT,
  .max_args = 1000,
  .run = run
};
