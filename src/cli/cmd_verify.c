/* SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"
#include "solera/command.h"
#include "solera/grader.h"
#include "solera/json.h"
#include <cjson/cJSON.h>
#include <string.h>

#define LIMIT_S 2.0 /* for one row */

extern const sol_command_t sol_command_verify;

typedef struct { sol_buffer_t prediction, gold, extracted; sol_grader_t *grader; } verify_t;

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
  static const char *const forms[] = { "answer", "response", "cut" }; /* in the order of sol_answer_form_t */
  const char *form = sol_json_string (row, "form"), *mode = sol_json_string (row, "mode"), *missing = NULL;
  int m = 0, f = 0;
  while (form && f < 3 && strcmp (form, forms[f])) f++;
  if (!text_member (row, "prediction", &v->prediction)) missing = "prediction";
  else if (!text_member (row, "gold", &v->gold)) missing = "gold";
  if (missing || !form || f == 3) {
    if (missing) snprintf (why, SOL_FILTER_WHY, "expected a string \"%s\"", missing);
    else snprintf (why, SOL_FILTER_WHY, "\"form\": expected \"answer\", \"response\" or \"cut\"");
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

static int run (int argc, char **argv)
{
  sol_options_t o;
  verify_t v = { 0 };
  long bad = 0;
  sol_status_t st = sol_options_parse (&sol_command_verify, argc, argv, &o);
  v.grader = sol_grader_new (NULL, LIMIT_S);
  if (st == SOL_OK) st = sol_filter_run (stdin, stdout, verify_row, &v, &bad);
  sol_grader_free (v.grader);
  sol_buffer_free (&v.prediction);
  sol_buffer_free (&v.gold);
  sol_buffer_free (&v.extracted);
  sol_options_free (&o);
  return st == SOL_OK && bad ? 1 : sol_exit_code (st);
}

const sol_command_t sol_command_verify = {
  .name = "verify",
  .line = "is an answer right?",
  .usage = "<rows >rows",
  .about = "A filter on JSON lines: {\"prediction\": ..., \"gold\": ..., \"form\": \"answer\" | \"response\" | \"cut\"}, perhaps with \"mode\": \"answer\" | \"strict\" | \"m2po\", gives {\"equal\": true | false, \"extracted\": ...}. "
           "With form response the answer is first taken from the text: the last \\boxed{}, else what follows \"Final Answer\" or \"####\", else the last number; with form cut, of a text that a length limit cut off, that last number is no answer. "
           "Answers are compared as mathematics (docs/verifier.md); a doubtful case is not equal. What takes longer than two seconds is stopped: not equal, with \"stopped\": true.\n\n"
           "One row out for every row in. A bad row gives {\"error\": ...} in its place, and the exit status is 1 at the end.",
  .run = run
};
