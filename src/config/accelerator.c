/* SPDX-License-Identifier: Apache-2.0 */
/* accelerator.c: devices on paper: three that are built in, others from a file. */
#include "solera/accelerator.h"
#include "settings_internal.h"
#include "solera/file.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof (sol_accelerator_t, field)
static const sol_accelerator_row_t rows[] = {
  { "memory_gb", "memory of a device", AT (memory), 1e9, NAN, 1e-3, 1e6 },
  { "bf16_tflops", "dense bf16 products, 10^12 operations a second", AT (flops), 1e12, NAN, 1e-6, 1e6 },
  { "hbm_gb_s", "bandwidth of its memory", AT (hbm), 1e9, NAN, 1e-3, 1e6 },
  { "link_gb_s", "to the other devices of its host, one direction", AT (link), 1e9, NAN, 1e-3, 1e6 },
  { "network_gb_s", "to other hosts, one direction, of one device", AT (network), 1e9, NAN, 1e-3, 1e6 },
  { "pcie_gb_s", "to the memory of its host, one direction", AT (pcie), 1e9, NAN, 1e-3, 1e6 },
  { "devices", "devices of a host", AT (devices), 1, NAN, 1, 4096 },
  { "host_memory_gb", "memory of a host; 0: not known", AT (host_memory), 1e9, 0, 0, 1e9 },
  { "reserve_gb", "of a device's memory, for driver and libraries", AT (reserve), 1e9, 1, 0, 1e6 },
  { "compute_share", "reached of bf16_tflops", AT (flops_share), 1, 0.5, 1e-3, 1 },
  { "memory_share", "reached of hbm_gb_s", AT (hbm_share), 1, 0.7, 1e-3, 1 },
  { "network_share", "reached of link_gb_s, network_gb_s and pcie_gb_s", AT (link_share), 1, 0.7, 1e-3, 1 },
  { "launch_us", "the least time of an operation, 10^-6 s", AT (launch), 1e-6, 4, 0, 1e6 },
};
enum { MEMORY = 0, RESERVE = 8, ROWS = sizeof rows / sizeof *rows };

/* Data sheets of NVIDIA (A100 80GB, H100 and H200, SXM; products dense, not sparse; NVLink's 600 and 900 GB/s are both directions) and of hosts with eight of them (DGX A100, H100, H200:
 * one network adapter of 200 or 400 Gb/s a device, 2 TB of memory). */
static const struct { const char *name; double memory, tflops, hbm, link, network, pcie; } built_in[] = {
  { "a100", 80, 312, 2039, 300, 25, 32 },
  { "h100", 80, 989, 3350, 450, 50, 64 },
  { "h200", 141, 989, 4800, 450, 50, 64 },
};

const sol_accelerator_row_t *sol_accelerator_rows (int *n_p)
{
  *n_p = ROWS;
  return rows;
}

static double *number (sol_accelerator_t *a, int i) { return (double *) (void *) ((char *) a + rows[i].offset); }

typedef struct { sol_accelerator_t *a; int line[ROWS]; } reading_t;

static sol_status_t set_number (reading_t *r, const sol_loading_t *l, int i, const char *text, int line)
{
  char where[512], *end;
  const double x = strtod (text, &end);
  const int whole = rows[i].offset == AT (devices);
  if (end == text || *end || !(x >= rows[i].min && x <= rows[i].max) || (whole && x != floor (x)))
    return sol_fail (SOL_ERR_USAGE, "device", "%s: %s: expected a%s number from %g to %g, found '%.60s'", sol_loading_where (l, line, where, sizeof where), rows[i].key, whole ? " whole" : "", rows[i].min, rows[i].max,
                     text);
  *number (r->a, i) = x * rows[i].unit;
  r->line[i] = line;
  return SOL_OK;
}

static sol_status_t set (void *ctx, const sol_loading_t *l, const char *key, const char *text, int line)
{
  reading_t *r = ctx;
  char where[512];
  const char *near = NULL;
  int best = (int) strlen (key) / 3 + 2;
  if (!strcmp (key, "name")) {
    snprintf (r->a->name, sizeof r->a->name, "%s", text);
    return SOL_OK;
  }
  for (int i = 0; i < ROWS; i++) {
    const int d = sol_edit_distance (key, rows[i].key);
    if (d == 0) return set_number (r, l, i, text, line);
    if (d < best) best = d, near = rows[i].key;
  }
  return sol_fail (SOL_ERR_USAGE, "device", "%s: unknown key '%.60s'%s%s%s", sol_loading_where (l, line, where, sizeof where), key, near ? "; the nearest is '" : "", near ? near : "", near ? "'" : "");
}

static void defaults (sol_accelerator_t *a)
{
  for (int i = 0; i < ROWS; i++) *number (a, i) = rows[i].def * rows[i].unit;
}

static sol_status_t load_file (const char *path, sol_accelerator_t *a)
{
  reading_t r = { .a = a };
  sol_loading_t l = { .source = path };
  char *text = NULL;
  size_t bytes = 0;
  SOL_TRY (sol_file_read (path, 1 << 20, &text, &bytes));
  snprintf (a->name, sizeof a->name, "%s", path);
  defaults (a);
  const sol_status_t st = sol_yaml_flat (&l, text, bytes, set, &r);
  sol_free (text);
  SOL_TRY (st);
  for (int i = 0; i < ROWS; i++)
    if (isnan (rows[i].def) && !r.line[i]) return sol_fail (SOL_ERR_USAGE, "device", "%s: %s is missing: %s", path, rows[i].key, rows[i].doc);
  if (a->reserve >= a->memory && r.line[RESERVE])
    return sol_fail (SOL_ERR_USAGE, "device", "%s:%d: reserve_gb is %g: expected less than memory_gb, %g", path, r.line[RESERVE], a->reserve / 1e9, a->memory / 1e9);
  if (a->reserve >= a->memory)
    return sol_fail (SOL_ERR_USAGE, "device", "%s:%d: memory_gb is %g: expected more than reserve_gb, %g when it is not given", path, r.line[MEMORY], a->memory / 1e9, a->reserve / 1e9);
  return SOL_OK;
}

sol_status_t sol_accelerator_load (const char *name, sol_accelerator_t *a)
{
  memset (a, 0, sizeof *a);
  for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++) {
    if (strcmp (name, built_in[i].name) != 0) continue;
    defaults (a);
    snprintf (a->name, sizeof a->name, "%s", name);
    a->memory = built_in[i].memory * 1e9;
    a->flops = built_in[i].tflops * 1e12;
    a->hbm = built_in[i].hbm * 1e9;
    a->link = built_in[i].link * 1e9;
    a->network = built_in[i].network * 1e9;
    a->pcie = built_in[i].pcie * 1e9;
    a->devices = 8;
    a->host_memory = 2e12;
    return SOL_OK;
  }
  if (!sol_file_exists (name)) return sol_fail (SOL_ERR_USAGE, "device", "expected a100, h100, h200 or a device file, found '%.200s'", name);
  return load_file (name, a);
}

void sol_accelerator_text (const sol_accelerator_t *a, sol_buffer_t *out)
{
  sol_buffer_printf (out, "name: ");
  sol_buffer_json (out, a->name, strlen (a->name));
  for (int i = 0; i < ROWS; i++) sol_buffer_printf (out, "\n%s: %.10g # %s", rows[i].key, *number ((sol_accelerator_t *) (uintptr_t) a, i) / rows[i].unit, rows[i].doc);
  sol_buffer_printf (out, "\n");
}
