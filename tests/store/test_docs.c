/* SPDX-License-Identifier: Apache-2.0 */
/* docs/statistics.md says what the tables of the source say: every line, in order, and none besides */
#include "../../src/store/evals_columns.h"
#include "../../src/store/metrics_columns.h"
#include "../../src/store/stats_columns.h"
#include "helpers.h"

/* the lines in the text, one after another; *next_p: behind the last */
static int follows (const char *text, const char *line, const char **next_p)
{
  const char *at_line = strncmp (text, line, strlen (line)) ? NULL : text;
  if (at_line) *next_p = at_line + strlen (line);
  else fprintf (stderr, "expected: %sfound:    %.*s\n", line, (int) strcspn (text, "\n"), text);
  return at_line != NULL;
}

int main (void)
{
  char path[600], line[1000], *text;
  size_t bytes;
  const char *src = getenv ("srcdir"), *p;
  int good = 1;
  snprintf (path, sizeof path, "%.500s/docs/statistics.md", src ? src : ".");
  need (sol_file_read (path, 0, &text, &bytes) == SOL_OK);
  p = strstr (text, "| data set | type | unit | meaning |\n|---|---|---|---|\n");
  need (p != NULL);
  p = strstr (p, "---|\n") + 5;
  for (int i = 0; i < SOL_STATS_N_COLUMNS && good; i++) {
    const sol_stats_column_t *c = &sol_stats_column[i];
    snprintf (line, sizeof line, "| `%s/%s` | %s | %s | %s |\n", sol_stats_group[c->table], c->name, sol_stats_type_name (c->type), c->unit, c->doc);
    good = follows (p, line, &p);
  }
  ok (good && *p == '\n');
  p = strstr (text, "| key | group | unit | meaning |\n|---|---|---|---|\n");
  need (p != NULL);
  p = strstr (p, "---|\n") + 5;
  good = 1;
  for (int i = 0; i < sol_metrics_n_columns && good; i++) {
    const sol_metrics_column_t *c = &sol_metrics_column[i];
    snprintf (line, sizeof line, "| `%s` | %s | %s | %s |\n", c->name, c->group, c->unit, c->doc);
    good = follows (p, line, &p);
  }
  ok (good && *p == '\n');
  p = strstr (text, "| column | type | unit | meaning |\n|---|---|---|---|\n");
  need (p != NULL);
  p = strstr (p, "---|\n") + 5;
  good = 1;
  for (int k = 0; k < SOL_EVALS_N_TABLES; k++)
    for (int i = 0; i < sol_evals_table[k].n && good; i++) {
      const sol_evals_column_t *c = &sol_evals_table[k].column[i];
      snprintf (line, sizeof line, "| `%s/%s` | %s | %s | %s |\n", sol_evals_table[k].group, c->name, sol_evals_type_name (c->type), c->unit, c->doc);
      good = follows (p, line, &p) && !strchr (c->doc, '|');
    }
  ok (good && *p == '\n');
  for (int i = 0; i < SOL_STATS_N_COLUMNS; i++) good &= !strchr (sol_stats_column[i].doc, '|'); /* it would cut the table's cell */
  for (int i = 0; i < sol_metrics_n_columns; i++) good &= !strchr (sol_metrics_column[i].doc, '|');
  ok (good);
  sol_free (text);
  return tap_done ();
}
