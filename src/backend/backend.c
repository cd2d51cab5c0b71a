/* SPDX-License-Identifier: Apache-2.0 */
#include "../../kernels/cpu/cpu.h"
#include "backend_internal.h"
#include "solera/cuda_layout.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *sol_backend_isa (void)
{
  static const char *const order[] = { "avx512", "avx2", "portable" };
  for (int i = 0; i < 3; i++)
    if (sol_ops_cpu (order[i])) return order[i];
  return "portable";
}

int sol_backend_probe (int i, const char **name_p, char *reason, size_t n)
{
  switch (i) {
    case 0:
      *name_p = "cpu";
      snprintf (reason, n, "%s", sol_backend_isa ());
      return 1;
    case 1:
      *name_p = "ref";
      snprintf (reason, n, "plain loops, for tests");
      return 1;
    case 2:
      *name_p = "cuda";
      return sol_plugin_probe ("cuda", reason, n);
    case 3:
      *name_p = "emu";
      return sol_plugin_probe ("emu", reason, n);
    case 4:
      *name_p = "ptx";
      return sol_plugin_probe ("ptx", reason, n);
    default: return -1;
  }
}

int sol_backend_can (const char *name, char *reason, size_t n)
{
  const char *found;
  for (int i = 0, can; (can = sol_backend_probe (i, &found, reason, n)) >= 0; i++)
    if (!strcmp (found, name)) return can;
  snprintf (reason, n, "no backend of that name");
  return 0;
}

int sol_backend_devices (const char *name, char *which, size_t n)
{
  snprintf (which, n, "?");
  if (!strcmp (name, "auto")) name = "cuda"; /* no devices where it cannot run */
  return !strcmp (name, "cuda") || !strcmp (name, "emu") || !strcmp (name, "ptx") ? sol_plugin_devices (name, which, n) : 0;
}

static sol_status_t pick (const char *name, int threads, const char *isa, sol_backend_t *b)
{
  char reason[512];
  if (!isa) isa = getenv ("SOLERA_ISA");
  if (!isa) isa = sol_backend_isa ();
  b->isa = "";
  if (!strcmp (name, "ref")) {
    b->head.ops = &sol_ops_ref;
    return SOL_OK;
  }
  if (!strcmp (name, "auto") && sol_plugin_probe ("cuda", reason, sizeof reason)) name = "cuda";
  if (!strcmp (name, "cuda") || !strcmp (name, "emu") || !strcmp (name, "ptx")) return sol_plugin_attach (name, b);
  if (!strncmp (name, "diff", 4) || !strncmp (name, "check", 5)) return sol_diff_attach (name, threads, isa, b);
  if (strcmp (name, "auto") && strcmp (name, "cpu")) return sol_fail (SOL_ERR_USAGE, "backend", "expected auto, cpu, ref, cuda, emu, ptx, diff or check, found \"%s\"", name);
  b->head.ops = sol_ops_cpu (isa);
  b->isa = isa;
  if (!b->head.ops) return sol_fail (SOL_ERR_UNSUPPORTED, "backend", "instruction set \"%s\": expected portable, avx2 or avx512, built and known to this CPU (best here: %s)", isa, sol_backend_isa ());
  return SOL_OK;
}

/* ref is plain loops on the caller's thread */
static void start_host (sol_backend_t *b, int threads)
{
  b->pool = sol_pool_create (b->isa[0] && threads > 1 ? threads : 1, b->isa[0] ? SOL_ROOM_FLOATS : 16);
  for (int i = 0; i < 3; i++) b->queue[i].backend = b;
  threads = sol_pool_threads (b->pool);
  if (b->isa[0]) snprintf (b->text, sizeof b->text, "cpu (%s, %d thread%s)", b->isa, threads, threads > 1 ? "s" : "");
  else snprintf (b->text, sizeof b->text, "ref");
}

sol_status_t sol_backend_create (const char *name, int threads, const char *isa, sol_backend_t **backend_p)
{
  sol_backend_t *b = sol_alloc (sizeof *b);
  sol_status_t st = pick (name, threads, isa, b);
  if (st != SOL_OK) {
    sol_diff_detach (b);
    sol_plugin_detach (b);
    sol_free (b);
    return st;
  }
  if (!b->plugin && !b->inner) start_host (b, threads);
  *backend_p = b;
  return SOL_OK;
}

void sol_backend_destroy (sol_backend_t *b)
{
  if (!b) return;
  for (int i = 0; i < 3; i++) sol_free (b->queue[i].floats);
  if (b->pool) sol_pool_destroy (b->pool);
  sol_diff_detach (b);
  sol_plugin_detach (b);
  sol_paper_detach (b);
  sol_free (b);
}

const sol_ops_t *sol_backend_ops (const sol_backend_t *b) { return b->head.ops; }
sol_queue_t *sol_backend_queue (sol_backend_t *b, sol_queue_kind_t kind) { return b->plugin ? b->plugin->queue (b->head.device, kind) : &b->queue[kind]; }
int sol_backend_is_device (const sol_backend_t *b) { return !(b->head.ops->caps & SOL_CAP_HOST); }
size_t sol_backend_workspace (const sol_backend_t *b)
{
  if (b->inner) return sol_backend_workspace (b->inner);
  return sol_backend_is_device (b) ? SOL_CUDA_WORKSPACE : 0;
}
void *sol_backend_host (const sol_backend_t *b, void *mem) { return b->head.ops->caps & SOL_CAP_HOST ? mem : NULL; }
sol_status_t sol_backend_pin (sol_backend_t *b, size_t bytes, const char *what, void **mem_p)
{
  SOL_TRY (b->head.ops->host_take (b, bytes, what, mem_p));
  if (sol_backend_is_device (b)) sol_memory_count (bytes, 1);
  return SOL_OK;
}
void sol_backend_unpin (sol_backend_t *b, void *mem, size_t bytes)
{
  if (!mem) return;
  b->head.ops->host_give (b, mem);
  if (sol_backend_is_device (b)) sol_memory_count (bytes, -1);
}
const sol_device_collectives_t *sol_backend_collectives (const sol_backend_t *b) { return b->plugin ? b->plugin->collectives : NULL; }
const char *sol_backend_describe (const sol_backend_t *b) { return b->text; }

float *sol_queue_floats (sol_queue_t *q, int64_t n);
void sol_queue_error (sol_queue_t *q, sol_status_t st);

void sol_queue_error (sol_queue_t *q, sol_status_t st)
{
  if (q->error == SOL_OK) q->error = st;
}

void sol_queue_run (sol_queue_t *q, int64_t n, int64_t grain, void (*job) (const void *, int64_t, int64_t, float *), const void *arg)
{
  sol_pool_run (q->backend->pool, n, grain, job, arg);
}
int sol_queue_threads (const sol_queue_t *q) { return sol_pool_threads (q->backend->pool); }

/* grows for the longest row ever seen: at most a few times a process */
float *sol_queue_floats (sol_queue_t *q, int64_t n)
{
  if (n > q->n_floats) {
    sol_free (q->floats);
    q->floats = NULL;
    q->n_floats = 0;
    if (sol_alloc_large ((size_t) (n + n / 4) * sizeof (float), "a kernel's room", (void **) &q->floats) != SOL_OK) {
      sol_queue_error (q, SOL_ERR_MEMORY);
      return NULL;
    }
    q->n_floats = n + n / 4;
  }
  return q->floats;
}
