/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/benchmark.h"
#include "solera/file.h"
#include "solera/memory.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- presets */

/* M2PO, arXiv:2510.01161: temperature 1, AIME with 16 responses a problem, all others with 4; the prompt of its code, a user's message in the model's own chat form, and its rule of what an answer
 * is. The paper does not say top-p; its scripts have 0.7: that is left to the user. */
static const char *const m2po_setting[] = { "rollout.temperature=1", "rollout.top_k=0", "rollout.greedy=false", "task.prompt=chat", "task.system=", "task.wording=m2po", "task.suffix=", "task.verifier=m2po" };
static const sol_benchmark_t m2po_benchmark[] = {
  { "aime24", 16, "HuggingFaceH4/aime_2024", "problem", "answer" },
  { "aime25", 16, "yentinglin/aime_2025", "problem", "answer" },
  { "amc23", 4, "math-ai/amc23", "question", "answer" },
  { "amc24", 4, "rawsh/2024_AMC12", "problem", "answer" },
  { "math500", 4, "MATH-500", "problem", "answer" },
  { "gaokao2023en", 4, "gaokao-2023en-test.jsonl", "question", "answer" },
  { "minerva", 4, "math-ai/minervamath", "question", "answer" },
  { "olympiadbench", 4, "math-ai/olympiadbench", "question", "final_answer.0" },
};
static const sol_preset_t preset[] = {
  { "m2po", "arXiv:2510.01161", m2po_setting, sizeof m2po_setting / sizeof *m2po_setting, m2po_benchmark, sizeof m2po_benchmark / sizeof *m2po_benchmark },
};
enum { N_PRESETS = sizeof preset / sizeof *preset };

const sol_preset_t *sol_preset_find (const char *name)
{
  for (int i = 0; i < N_PRESETS; i++)
    if (!strcmp (preset[i].name, name)) return &preset[i];
  return NULL;
}

void sol_preset_names (sol_buffer_t *out)
{
  for (int i = 0; i < N_PRESETS; i++) sol_buffer_printf (out, "%s%s", i ? ", " : "", preset[i].name);
}

/* ---- files */

static size_t stem (const char *name)
{
  const size_t n = strlen (name);
  return n > 6 && !strcmp (name + n - 6, ".jsonl") ? n - 6 : n;
}

enum { FOLDERS = 3 };
/* the folders in order; NULL: there is none. sol_free each. */
static void folders (char *folder[FOLDERS])
{
  const char *given = getenv ("SOLERA_DATA");
  char exe[4096];
  const ssize_t n = readlink ("/proc/self/exe", exe, sizeof exe);
  folder[0] = given && *given ? sol_strdup (given) : NULL;
  folder[1] = sol_path_join (SOL_DATADIR, "data");
  folder[2] = NULL;
  if (n <= 0 || n >= (ssize_t) sizeof exe) return;
  exe[n] = 0;
  *strrchr (exe, '/') = 0;
  folder[2] = sol_path_join (exe, "jobs/data");
}

static void free_folders (char *folder[FOLDERS])
{
  for (int i = 0; i < FOLDERS; i++) sol_free (folder[i]);
}

sol_status_t sol_benchmark_find (const char *name, char **path_p)
{
  if (strchr (name, '/') || name[stem (name)]) {
    if (!sol_file_exists (name)) return SOL_END;
    *path_p = sol_strdup (name);
    return SOL_OK;
  }
  char *folder[FOLDERS], *found = NULL;
  sol_buffer_t file = { 0 };
  sol_buffer_printf (&file, "%s.jsonl", name);
  folders (folder);
  for (int i = 0; i < FOLDERS && !found; i++) {
    char *path = folder[i] ? sol_path_join (folder[i], file.data) : NULL;
    if (path && sol_file_exists (path)) found = path;
    else sol_free (path);
  }
  free_folders (folder);
  sol_buffer_free (&file);
  if (!found) return SOL_END;
  *path_p = found;
  return SOL_OK;
}

static int by_name (const void *a, const void *b) { return strcmp (*(char *const *) a, *(char *const *) b); }

/* adds the names of the data sets in a folder to list [*n_p], which grows */
static char **list_names (const char *folder, char **list, size_t *n_p)
{
  DIR *d = opendir (folder);
  for (struct dirent *e; d && (e = readdir (d));) {
    if (e->d_name[0] == '.' || !e->d_name[stem (e->d_name)]) continue;
    list = sol_realloc (list, (*n_p + 1) * sizeof *list);
    list[*n_p] = sol_strdup (e->d_name);
    list[(*n_p)++][stem (e->d_name)] = 0;
  }
  if (d) closedir (d);
  return list;
}

void sol_benchmark_where (sol_buffer_t *out)
{
  char *folder[FOLDERS], **list = NULL;
  size_t n = 0;
  int any = 0;
  folders (folder);
  sol_buffer_printf (out, "looked in ");
  for (int i = 0; i < FOLDERS; i++) {
    if (!folder[i]) continue;
    sol_buffer_printf (out, "%s%s%s", any++ ? ", " : "", folder[i], i == 0 ? " ($SOLERA_DATA)" : "");
    list = list_names (folder[i], list, &n);
  }
  if (n) qsort (list, n, sizeof *list, by_name);
  sol_buffer_printf (out, "; there %s", n ? "are: " : "is none");
  for (size_t i = 0; i < n; i++)
    if (i == 0 || strcmp (list[i], list[i - 1])) sol_buffer_printf (out, "%s%s", i ? ", " : "", list[i]);
  for (size_t i = 0; i < n; i++) sol_free (list[i]);
  sol_free (list);
  free_folders (folder);
}
