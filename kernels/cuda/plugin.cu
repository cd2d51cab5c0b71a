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
#define OP(op) ops.op = sol_cuda_##op
  OP (alloc), OP (free), OP (host_take), OP (host_give), OP (put), OP (get), OP (copy), OP (zero), OP (sync), OP (event_create), OP (event_destroy), OP (record), OP (wait);
  OP (graph_begin), OP (graph_end), OP (graph_run), OP (graph_destroy);
  OP (weight_bytes), OP (weight_prepare), OP (matmul), OP (matmul_dx), OP (matmul_dw), OP (bias_dw);
  OP (embed), OP (embed_dw), OP (gather), OP (scatter), OP (scatter_add), OP (add), OP (rmsnorm), OP (rmsnorm_dx), OP (rmsnorm_dw), OP (rope);
  OP (attention), OP (attention_backward), OP (swiglu), OP (swiglu_backward);
  OP (head_scratch), OP (head_partial), OP (head_target), OP (head_finish), OP (head_backward), OP (sample), OP (adamw), OP (sumsq), OP (round);
#undef OP
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
#endif
}

extern "C" __attribute__ ((visibility ("default"))) const sol_plugin_t *sol_plugin (void)
{
  if (!plugin.abi) fill ();
  return &plugin;
}
