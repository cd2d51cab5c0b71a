/* SPDX-License-Identifier: Apache-2.0 */
/* solera objective as another project would use it: the reference batches through the program, rows compared with the reference; bad rows and bad command lines. */
#include "../objective/golden.h"
#include "../tap.h"
#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

/* runs `solera objective ARGS <file` ; the output split into lines, -1 at its end in *rc_p */
static char *run (const char *args, const char *input, int *rc_p)
{
  char command[2048], *out = NULL;
  size_t n = 0, room = 0;
  const char *tree = getenv ("top_builddir");
  FILE *p;
  snprintf (command, sizeof command, "%s/solera objective %s <%s 2>/dev/null", tree ? tree : ".", args, input);
  p = popen (command, "r");
  if (!p) return NULL;
  do {
    if (room < n + 65536) out = sol_realloc (out, room = 2 * room + 65536);
    const size_t got = fread (out + n, 1, room - n - 1, p);
    n += got;
    if (got == 0) break;
  } while (1);
  out[n] = 0;
  *rc_p = pclose (p);
  *rc_p = WIFEXITED (*rc_p) ? WEXITSTATUS (*rc_p) : -1;
  return out;
}

static int equal_number (const cJSON *got, const cJSON *want, int exact)
{
  if (cJSON_IsNull (want) || cJSON_IsNull (got)) return cJSON_IsNull (want) && cJSON_IsNull (got);
  const double x = got->valuedouble, y = want->valuedouble;
  return cJSON_IsNumber (got) && (x == y || (!exact && fabs (x - y) <= 1e-10 * fabs (y) + 1e-300));
}

/* the same members, and the same in them; the loss is a sum of both signs and has a wider bound here */
static int equal_row (const cJSON *got, const cJSON *want)
{
  const cJSON *w, *g;
  if (!got || cJSON_GetArraySize (got) != cJSON_GetArraySize (want)) return 0;
  cJSON_ArrayForEach (w, want)
  {
    g = cJSON_GetObjectItem (got, w->string);
    if (!g) return 0;
    if (!strcmp (w->string, "loss")) {
      if (!(fabs (g->valuedouble - w->valuedouble) <= 1e-9 * (1 + fabs (w->valuedouble)))) return 0;
    } else if (cJSON_IsArray (w)) {
      const cJSON *a = g->child, *b = w->child;
      for (; a && b; a = a->next, b = b->next)
        if (!equal_number (a, b, !strcmp (w->string, "verdict"))) return 0;
      if (a || b) return 0;
    } else if (!equal_number (g, w, 1)) return 0;
  }
  return 1;
}

static void try_golden (const char *name, const char *path, const char *golden)
{
  int rc, rows = 0, same = 0, refused = 0, must = 0;
  char *out = run (name, path, &rc), *copy = sol_strdup (golden), *save_g = NULL, *save_o = NULL;
  char *line = strtok_r (copy, "\n", &save_g), *got = out ? strtok_r (out, "\n", &save_o) : NULL;
  for (; line && got; line = strtok_r (NULL, "\n", &save_g), got = strtok_r (NULL, "\n", &save_o), rows++) {
    cJSON *row = cJSON_Parse (line), *answer = cJSON_Parse (got);
    const cJSON *want = cJSON_GetObjectItem (cJSON_GetObjectItem (row, "expect"), name), *error = cJSON_GetObjectItem (answer, "error");
    if (want) same += equal_row (answer, want);
    else {
      must++;
      refused += cJSON_IsString (error) && strstr (error->valuestring, "refused: token 1 (sequence 0): the advantage is not constant");
    }
    cJSON_Delete (row);
    cJSON_Delete (answer);
  }
  tap_ok (rows == 30 && !line && !got && same == 30 - must && refused == must && rc == (must > 0), "%s: %d rows as the reference, %d refused, exit %d", name, same, refused, rc);
  sol_free (out);
  sol_free (copy);
}

/* rows in, what each answer must hold */
static void try_rows (const char *args, const char *rows[][2], int n, int rc_want, const char *what)
{
  char path[1024], *out, *save = NULL, *got;
  int rc = -1, good = 1;
  FILE *f;
  snprintf (path, sizeof path, "%s/sol-objective-%d", getenv ("TEST_TMPDIR") ? getenv ("TEST_TMPDIR") : "/tmp", (int) getpid ());
  f = fopen (path, "w");
  need (f);
  for (int i = 0; i < n; i++) fprintf (f, "%s\n", rows[i][0]);
  fclose (f);
  out = run (args, path, &rc);
  got = out ? strtok_r (out, "\n", &save) : NULL;
  for (int i = 0; i < n; i++, got = got ? strtok_r (NULL, "\n", &save) : NULL)
    if (!got || !strstr (got, rows[i][1])) {
      printf ("# row %d: expected ...%s..., found %s\n", i, rows[i][1], got ? got : "nothing");
      good = 0;
    }
  tap_ok (good && !got && rc == rc_want, "%s (exit %d)", what, rc);
  sol_free (out);
  remove (path);
}

int main (void)
{
  size_t bytes;
  char *golden = data_file ("golden.jsonl", &bytes), path[1024];
  const char *name;
  snprintf (path, sizeof path, "%s/tests/data/objectives/golden.jsonl", getenv ("top_srcdir") ? getenv ("top_srcdir") : "..");
  need (golden);
  for (int i = 0; (name = sol_objective_name (i, NULL)) != NULL; i++) if (strcmp (name, "m2po_tis") && strcmp (name, "m2po_k3")) try_golden (name, path, golden); /* our own: tests/objective/test_gradient.c */
  sol_free (golden);

  const char *bad[][2] = { { "{\"d\":[0.5],\"A\":[1],\"seq\":[0]}", "{\"loss\":-1.648" },
                           { "nonsense", "{\"error\":" },
                           { "", "{\"error\":" },
                           { "{\"d\":[0.5,0.1],\"A\":[1],\"seq\":[0,0]}", "\\\"A\\\": expected 2 numbers" },
                           { "{\"d\":[0.5],\"A\":[null],\"seq\":[0]}", "\\\"A\\\"[0]: expected a number" },
                           { "{\"d\":[0.5],\"A\":[1],\"seq\":[0.5]}", "expected a whole number" },
                           { "{\"d\":[0.5],\"A\":[1]}", "expected an array \\\"seq\\\"" },
                           { "{\"d\":[],\"A\":[],\"seq\":[]}", "at least one token" },
                           { "{\"d\":[0,1e39],\"A\":[1,1],\"seq\":[1,0]}", "refused: token 1 (sequence 0): the log-ratio is not finite" },
                           { "{\"d\":[0,2e19],\"A\":[1,1],\"seq\":[0,0]}", "overflows float32" },
                           { "{\"d\":[100],\"A\":[1],\"seq\":[0]}", "the coefficient is not finite in float32" },
                           { "{\"d\":[100],\"A\":[0],\"seq\":[0]}", "\"c\":[0],\"verdict\":[0]" },
                           { "{\"d\":[0.5],\"A\":[1],\"seq\":[0],\"params\":{\"grpo_no_tr\":{\"x\":1}}}", "no parameter \\\"x\\\"" } };
  try_rows ("grpo_no_tr", bad, 13, 1, "bad rows in their places, good ones beside them");
  const char *prox[][2] = { { "{\"d\":[0.5],\"A\":[1],\"seq\":[0]}", "refused: token 0 (sequence 0): the objective needs proximal log-ratios" } };
  try_rows ("decoupled_ppo", prox, 1, 1, "a missing column is named");
  const char *settings[][2] = { { "{\"d\":[0.4],\"A\":[1],\"seq\":[0]}", "\"verdict\":[1]" }, { "{\"d\":[0.4],\"A\":[1],\"seq\":[0],\"params\":{\"grpo\":{\"eps_high\":0.3}}}", "\"verdict\":[3]" } };
  try_rows ("grpo eps_high=0.5", settings, 2, 0, "settings on the command line, and a row's own above them");
  try_rows ("grpo objective.clip_high=0.5", settings, 2, 0, "under the names of a run's settings too");
  const char *wrong[] = { "", "grpoo", "grpo tau=1", "grpo eps_low=2", "grpo eps_low=x", "grpo grpo", "grpo_no_tr tau=0.1" };
  for (int i = 0; i < 7; i++) {
    int rc;
    sol_free (run (wrong[i], "/dev/null", &rc));
    tap_ok (rc == 2, "solera objective %s: exit %d", wrong[i], rc);
  }
  return tap_done ();
}
