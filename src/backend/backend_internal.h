/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOL_BACKEND_INTERNAL_H
#define SOL_BACKEND_INTERNAL_H
#include "pool.h"
#include "solera/backend.h"
#include "solera/plugin.h"

struct sol_queue {
  sol_backend_t *backend;
  sol_status_t error;  /* the first since the last sync */
  float *floats;       /* ref's room for scores and sorting */
  int64_t n_floats;
};
struct sol_backend {
  struct sol_backend_head head; /* first: plugins read it */
  const sol_plugin_t *plugin;   /* NULL: a host backend */
  void *handle;                 /* of the plugin's shared object */
  sol_backend_t *inner, *plain; /* diff and check: what runs, and the plain loops beside it (diff) */
  sol_ferry_t *ferry;           /* diff and check: of inner, what they look at comes by it */
  sol_ops_t own;                /* diff and check: their table */
  sol_op_seen_t seen[48];       /* diff and check: ops so far */
  const char *isa;              /* "" for all but cpu */
  sol_pool_t *pool;             /* host backends */
  struct sol_paper *paper;      /* a device on paper */
  char text[160];
  sol_queue_t queue[3];         /* host backends, and on paper */
};
/* the host's own part of the table (memory, order) and plain loops for the rest */
extern const sol_ops_t sol_ops_ref;
/* the table of an instruction set ("portable", "avx2", "avx512"), or NULL when it was not built or this CPU lacks it */
const sol_ops_t *sol_ops_cpu (const char *isa);

/* ---- plugin.c */
/* the plugin of that name, opened; NULL: why says why not (n bytes) */
const sol_plugin_t *sol_plugin_open (const char *name, void **handle_p, char *why, size_t n);
int sol_plugin_probe (const char *name, char *why, size_t n);
/* as sol_backend_devices */
int sol_plugin_devices (const char *name, char *which, size_t n);
/* makes b a backend of that plugin, on the device of this rank's number among those of its host */
sol_status_t sol_plugin_attach (const char *name, sol_backend_t *b);
void sol_plugin_detach (sol_backend_t *b);
/* ---- paper.c: frees what b has of it, if it is a device on paper */
void sol_paper_detach (sol_backend_t *b);
/* ---- diff.c: makes b the backend "diff" or "check" */
sol_status_t sol_diff_attach (const char *name, int threads, const char *isa, sol_backend_t *b);
void sol_diff_detach (sol_backend_t *b);
/* ---- diff_sample.c: may the uniform u choose id from these V logits (of V finite or -inf, one row), by exponentials of any float32 rounding? Up to 1e-6 of the total mass; not greedy. */
int sol_sample_may (const float *logits, int64_t V, double u, int32_t top_k, double top_p, int32_t id);
#endif
