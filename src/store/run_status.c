/* SPDX-License-Identifier: Apache-2.0 */
/* status.json: how a run stands or ended, and where its time went. */
#include "solera/clock.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include "solera/metrics.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static void put_text (sol_buffer_t *b, const char *key, const char *text)
{
  sol_buffer_printf (b, ",\n  \"%s\": ", key);
  if (text && *text) sol_buffer_json (b, text, strlen (text));
  else sol_buffer_printf (b, "null");
}

/* a full disk has no room for a new file, but the old one has its block: the outcome must be told */
static int write_in_place (const char *path, const sol_buffer_t *b)
{
  int fd = open (path, O_WRONLY | O_CLOEXEC);
  if (fd >= 0) (void) flock (fd, LOCK_EX); /* one writer at a time, where the file system has locks: some shared ones have none, and the outcome is worth more than its order */
  const int ok = fd >= 0 && pwrite (fd, b->data, b->bytes, 0) == (ssize_t) b->bytes && ftruncate (fd, (off_t) b->bytes) == 0;
  if (fd >= 0) close (fd);
  return ok;
}

sol_status_t sol_status_write (const char *run_dir, const char *state, const char *reason, int64_t update, int64_t updates, const char *checkpoint)
{
  sol_buffer_t b = { 0 };
  char now[32], host[64] = "";
  char *path = sol_path_join (run_dir, "status.json");
  SOL_ASSERT (!strcmp (state, "running") || !strcmp (state, "done") || !strcmp (state, "stopped") || !strcmp (state, "failed"));
  gethostname (host, sizeof host - 1);
  sol_clock_iso (now, sizeof now);
  sol_buffer_printf (&b, "{\n  \"state\": \"%s\"", state);
  put_text (&b, "reason", reason);
  sol_buffer_printf (&b, ",\n  \"update\": %" PRId64 ",\n  \"updates\": %" PRId64, update, updates);
  put_text (&b, "checkpoint", checkpoint);
  put_text (&b, "time", now);
  put_text (&b, "host", host);
  sol_buffer_printf (&b, ",\n  \"pid\": %ld,\n  \"program\": \"%s\"\n}\n", (long) getpid (), PACKAGE_STRING);
  sol_status_t st = sol_file_write_shared (path, b.data, b.bytes);
  if (st != SOL_OK && write_in_place (path, &b)) st = SOL_OK;
  sol_buffer_free (&b);
  sol_free (path);
  return st;
}

/* a file that cannot be read says nothing */
static int is_told (const char *run_dir)
{
  char *path = sol_path_join (run_dir, "status.json"), *text = NULL;
  size_t bytes;
  const int told = sol_file_exists (path) && sol_file_read (path, 1 << 16, &text, &bytes) == SOL_OK && !strstr (text, "\"state\": \"running\"") && strstr (text, "\"state\": \"");
  sol_free (text);
  sol_free (path);
  return told;
}

sol_status_t sol_status_failed (const char *run_dir, const char *reason, int64_t update, int64_t updates, const char *checkpoint)
{
  char *latest = sol_path_join (run_dir, "checkpoints/latest"), *name = NULL;
  size_t bytes;
  sol_status_t st = SOL_OK;
  if (update < 0 && sol_file_exists (latest) && sol_file_read (latest, 64, &name, &bytes) == SOL_OK) {
    name[strcspn (name, "\n")] = 0;
    if (sscanf (name, "u%" SCNd64, &update) == 1) checkpoint = name;
  }
  if (!is_told (run_dir)) st = sol_status_write (run_dir, "failed", reason, update > 0 ? update : 0, updates, checkpoint);
  sol_free (name);
  sol_free (latest);
  return st;
}

const char *sol_phase_name (sol_phase_t phase)
{
  static const char *const name[SOL_PHASE_COUNT] = { "generate", "evaluate", "wait", "fetch", "forward", "select", "backward", "reduce", "optimizer", "publish", "write", "serve" };
  SOL_ASSERT ((unsigned) phase < SOL_PHASE_COUNT);
  return name[phase];
}

/* the ranks of one role together */
typedef struct { const char *role; int n; double s[SOL_PHASE_COUNT], total, busy; } role_t;

static int sum_roles (const sol_times_t *t, int n, role_t *roles, int room)
{
  int k = 0;
  for (int i = 0; i < n; i++) {
    int r = 0;
    while (r < k && strcmp (roles[r].role, t[i].role) != 0) r++;
    if (r == room) continue;
    if (r == k) roles[k++] = (role_t){ .role = t[i].role };
    roles[r].n++;
    roles[r].total += t[i].total_s;
    for (int p = 0; p < SOL_PHASE_COUNT; p++) {
      roles[r].s[p] += t[i].s[p];
      if (p != SOL_PHASE_WAIT) roles[r].busy += t[i].s[p];
    }
  }
  return k;
}

static double share (double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

void sol_times_table (const sol_times_t *times, int n, sol_buffer_t *out)
{
  enum { MOST = 8 };
  role_t roles[MOST];
  int k = sum_roles (times, n, roles, MOST), busiest = 0, phase = 0;
  sol_buffer_printf (out, "where time went (seconds a rank, per cent of its time)\n%-14s", "");
  for (int r = 0; r < k; r++) sol_buffer_printf (out, " %8.8s x%-5d  ", roles[r].role, roles[r].n);
  for (int p = 0; p < SOL_PHASE_COUNT; p++) {
    int used = 0;
    for (int r = 0; r < k; r++) used |= roles[r].s[p] > 0;
    if (!used) continue;
    sol_buffer_printf (out, "\n  %-12s", sol_phase_name ((sol_phase_t) p));
    for (int r = 0; r < k; r++) sol_buffer_printf (out, " %9.2f %5.1f%%", roles[r].s[p] / roles[r].n, share (roles[r].s[p], roles[r].total));
  }
  sol_buffer_printf (out, "\n  %-12s", "other");
  for (int r = 0; r < k; r++) {
    double rest = roles[r].total - roles[r].busy - roles[r].s[SOL_PHASE_WAIT];
    if (rest < 0) rest = 0;
    sol_buffer_printf (out, " %9.2f %5.1f%%", rest / roles[r].n, share (rest, roles[r].total));
  }
  sol_buffer_printf (out, "\n  %-12s", "all");
  for (int r = 0; r < k; r++) sol_buffer_printf (out, " %9.2f %6s", roles[r].total / roles[r].n, "");
  sol_buffer_printf (out, "\n");
  if (k == 0) return;
  for (int r = 1; r < k; r++)
    if (share (roles[r].busy, roles[r].total) > share (roles[busiest].busy, roles[busiest].total)) busiest = r;
  for (int p = 0; p < SOL_PHASE_COUNT; p++)
    if (p != SOL_PHASE_WAIT && roles[busiest].s[p] > roles[busiest].s[phase == SOL_PHASE_WAIT ? 0 : phase]) phase = p;
  sol_buffer_printf (out, "busiest: %s, at work %.0f %% of the time, most of it in %s\n", roles[busiest].role, share (roles[busiest].busy, roles[busiest].total), sol_phase_name ((sol_phase_t) phase));
}
