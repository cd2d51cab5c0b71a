/* SPDX-License-Identifier: Apache-2.0 */
/* task_reward.c: the parts of a reward beside the answer: the form of the response (task.format) and its length. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "solera/log.h"
#include "task_internal.h"
#include <pcre2.h>
#include <string.h>

#define MOST_STEPS 1000000 /* of one match: a pattern that backtracks without end finds nothing, after a fraction of a second */

double sol_overlong_penalty (int64_t length, int64_t limit, int64_t margin)
{
  if (length <= limit - margin) return 0;
  return length > limit ? -1 : (double) (limit - margin - length) / (double) margin;
}

sol_status_t sol_format_open (sol_task_t *task)
{
  const char *pattern = task->c->task_format;
  int error;
  size_t at;
  char why[128] = "";
  if (!*pattern) return SOL_OK;
  task->format = pcre2_compile ((PCRE2_SPTR) pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C, &error, &at, NULL);
  if (task->format) return SOL_OK;
  pcre2_get_error_message (error, (PCRE2_UCHAR *) why, sizeof why);
  return sol_fail (SOL_ERR_USAGE, "task", "task.format: expected a PCRE2 pattern, found %.200s: %s (near byte %zu)", pattern, why, at);
}

void sol_format_close (sol_task_t *task) { pcre2_code_free (task->format); }

int sol_format_matches (const sol_task_t *task, const char *text, size_t bytes)
{
  pcre2_match_context *limits = pcre2_match_context_create (NULL);
  pcre2_match_data *data = pcre2_match_data_create_from_pattern (task->format, NULL);
  int rc = PCRE2_ERROR_NOMEMORY;
  if (limits && data) {
    pcre2_set_match_limit (limits, MOST_STEPS);
    rc = pcre2_match (task->format, (PCRE2_SPTR) text, bytes, 0, 0, data, limits);
  }
  pcre2_match_data_free (data);
  pcre2_match_context_free (limits);
  return rc >= 0;
}
