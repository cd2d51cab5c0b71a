/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.cu: the table of ops, and the one function that the shared object exports. */
#include "device.h"
#include "device_open.h"
#include <stdio.h>

#if defined SOL_PTX
#define NAME "ptx"
#elif defined SOL_EMU
#define NAME "emu"
#else
#define NAME "cuda"
#endif

static sol_ops_t ops;
static sol_plugin_t plugin;

/* An op of the table. The emulator is told while one is called: it may only put work on streams (kernels/emu/strict.cpp). */
#ifdef SOL_EMU
extern "C" const char *sol_emu_op (const char *name);
struct inside {
  const char *before;
  explicit inside (const char *op) : before (sol_emu_op (op)) { }
  ~inside () { sol_emu_op (before); }
};
template <class Name, auto op> struct named;
template <class Name, class R, class... A, R (*op) (A...)> struct named<Name, op> {
  static R call (A... a)
  {
    inside now (Name::text ());
    return op (a...);
  }
};
#define OP(op)                                                                                                         \
  do {                                                                                                                 \
    struct op##_name {                                                                                                 \
      static const char *text () { return #op; }                                                                       \
    };                                                                                                                 \
    ops.op = named<op##_name, sol_cuda_##op>::call;                                                                    \
  } while (0)
#ifdef SOL_HAVE_NCCL
static sol_device_collectives_t collectives;
static void reduce (sol_device_group_t *g, sol_queue_t *q, const float *whole, const int64_t *cut, float *slice)
{
  inside now ("reduce");
  sol_device_collectives.reduce (g, q, whole, cut, slice);
}
static void share (sol_device_group_t *g, sol_queue_t *q, void *block, const int64_t *cut, size_t element_bytes)
{
  inside now ("share");
  sol_device_collectives.share (g, q, block, cut, element_bytes);
}
#endif
#else
#define OP(op) ops.op = sol_cuda_##op
#endif
/* what may wait and allocate */
#define MAY(op) ops.op = sol_cuda_##op

static int probe (char *text, size_t n)
{
  const int can = sol_device_probe (text, n);
#ifdef SOL_PTX
  if (can) snprintf (text, n, "what nvcc made of the CUDA code, every thread a fiber on this host, for tests");
#endif
  return can;
}
static void fill (void)
{
  ops.abi = SOL_OPS_ABI;
  ops.bytes = sizeof ops;
  ops.name = NAME;
  ops.act = SOL_CUDA_ACT;
  ops.head_step = SOL_CUDA_HEAD_STEP, ops.head_most = SOL_CUDA_HEAD_MOST;
  MAY (alloc), MAY (free), MAY (host_take), MAY (host_give), MAY (sync), MAY (event_create), MAY (event_destroy), MAY (graph_end), MAY (graph_destroy);
  OP (put); OP (get); OP (copy); OP (zero); OP (record); OP (wait);
  OP (graph_begin); OP (graph_run);
  OP (weight_bytes); OP (weight_prepare); OP (matmul); OP (matmul_dx); OP (matmul_dw); OP (bias_dw);
  OP (embed); OP (embed_dw); OP (gather); OP (scatter); OP (scatter_add); OP (add); OP (rmsnorm); OP (rmsnorm_dx); OP (rmsnorm_dw); OP (rope);
  OP (attention); OP (attention_backward); OP (swiglu); OP (swiglu_backward);
  OP (head_scratch); OP (head_partial); OP (head_target); OP (head_finish); OP (head_backward); OP (sample); OP (adamw); OP (sumsq); OP (round);
  plugin.abi = SOL_PLUGIN_ABI;
  plugin.bytes = sizeof plugin;
  plugin.name = NAME;
  plugin.probe = probe;
  plugin.devices = sol_device_count;
  plugin.open = sol_device_open;
  plugin.close = sol_device_close;
  plugin.describe = sol_device_describe;
  plugin.queue = sol_device_queue;
  plugin.ops = &ops;
#ifdef SOL_HAVE_NCCL
  plugin.collectives = &sol_device_collectives;
#ifdef SOL_EMU
  collectives = sol_device_collectives;
  collectives.reduce = reduce, collectives.share = share;
  plugin.collectives = &collectives;
#endif
#endif
}

extern "C" __attribute__ ((visibility ("default"))) const sol_plugin_t *sol_plugin (void)
{
  if (!plugin.abi) fill ();
  return &plugin;
}
