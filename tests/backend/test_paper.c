/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: what a device on paper adds up, against numbers made by hand; its memory, which is counted and which nobody may touch. */
#include "../tap.h"
#include "solera/cuda_layout.h"
#include "solera/paper.h"
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* 1000 operations, 100 bytes, 10 bytes over PCIe a second; half of each is reached; no op under a second */
static const sol_accelerator_t slow = { .name = "slow", .memory = 1e6, .flops = 1000, .hbm = 100, .pcie = 10, .flops_share = 0.5, .hbm_share = 0.5, .link_share = 0.5, .launch = 1 };
static sol_backend_t *b;
static const sol_ops_t *ops;
static sol_queue_t *q;
static char *mem;

static sol_tensor_t bf16 (int64_t rows, int64_t cols) { return sol_tensor (mem, SOL_BF16, rows, cols); }
static sol_tensor_t f32 (int64_t rows, int64_t cols) { return sol_tensor (mem, SOL_F32, rows, cols); }

/* one call: operations, bytes, and the seconds in one of three columns */
static int is (sol_paper_class_t kind, double flops, double bytes, double compute, double memory, double launch)
{
  const sol_paper_sum_t s = sol_paper_sum (b, kind);
  const int good = s.calls == 1 && s.flops == flops && s.bytes == bytes && s.compute_s == compute && s.memory_s == memory && s.launch_s == launch;
  if (!good) printf ("# %s: %lld calls, %g operations, %g bytes; %g, %g, %g s\n", sol_paper_class (kind), (long long) s.calls, s.flops, s.bytes, s.compute_s, s.memory_s, s.launch_s);
  sol_paper_clear (b);
  return good;
}

static void test_products (void)
{
  sol_weight_t w;
  ops->weight_prepare (q, bf16 (5, 8), NULL, &w);
  ok (sol_paper_sum (b, SOL_PAPER_OPTIMIZER).calls == 0 && w.src.rows == 5 && !w.packed);
  ops->matmul (q, bf16 (3, 8), &w, sol_no_tensor, 0, bf16 (3, 5));
  ok (is (SOL_PAPER_PRODUCTS, 240, 48 + 80 + 30, 0, 158 / 50.0, 0)); /* 2*3*5*8; x, w, y in bf16 */
  ops->matmul (q, bf16 (3, 8), &w, bf16 (1, 5), 1, bf16 (3, 5));
  ok (is (SOL_PAPER_PRODUCTS, 240, 48 + 80 + 10 + 60, 0, 198 / 50.0, 0)); /* y is read too */
  ops->matmul_dx (q, bf16 (3, 5), &w, 0, bf16 (3, 8));
  ok (is (SOL_PAPER_PRODUCTS, 240, 30 + 80 + 48, 0, 158 / 50.0, 0));
  ops->matmul_dw (q, bf16 (3, 5), bf16 (3, 8), f32 (5, 8));
  ok (is (SOL_PAPER_PRODUCTS, 240, 30 + 48 + 2 * 160, 0, 398 / 50.0, 0)); /* dw in f32, read and written */
  ops->weight_prepare (q, bf16 (100, 100), NULL, &w);
  ops->matmul (q, bf16 (100, 100), &w, sol_no_tensor, 0, bf16 (100, 100));
  ok (is (SOL_PAPER_PRODUCTS, 2e6, 60000, 2e6 / 500, 0, 0)); /* 4000 s of operations, 1200 s of bytes */
  ops->weight_prepare (q, f32 (5, 8), mem, &w);
  ok (is (SOL_PAPER_OPTIMIZER, 0, 160 + 80, 0, 240 / 50.0, 0) && w.packed == mem); /* f32 weights are rounded */
}

static void test_attention (void)
{
  /* four queries at the end of a prompt of 2 and an own run of 4; one at the end of 2 + 7; none */
  sol_span_t s[3] = { { 0, 4, 0, 2, 2, 4 }, { 4, 1, 0, 2, 6, 7 }, { 0, 0, 0, 9, 0, 9 } };
  const double pairs = 3 + 4 + 5 + 6 + 9, heads = 2, D = 8;
  ops->attention (q, bf16 (5, 16), bf16 (20, 8), bf16 (20, 8), sol_no_tensor, sol_no_tensor, s, 3, 2, 1, 1, bf16 (5, 16), sol_no_tensor);
  ok (is (SOL_PAPER_ATTENTION, 4 * pairs * heads * D, 2 * (2 * 5 * 16 + (6 + 9) * 16.0), 0, 800 / 50.0, 0)); /* Q and O, K and V */
  s[0].n_b = 5; /* the same place, other spans: a put says so */
  ops->put (q, mem, s, 4);
  ok (is (SOL_PAPER_TRANSFER, 0, 4, 0, 0, 1)); /* 0.8 s, but no op is under a second */
  ops->attention_backward (q, bf16 (5, 16), bf16 (5, 16), bf16 (20, 8), bf16 (20, 8), bf16 (5, 16), f32 (5, 4), sol_no_tensor, s, 3, 2, 1, 1, bf16 (5, 16), bf16 (20, 8), bf16 (20, 8));
  ok (is (SOL_PAPER_ATTENTION, 10 * (pairs + 4) * heads * D, 2 * (4 * 5 * 16 + 3 * (7 + 9) * 16.0) + 80, 0, 2256 / 50.0, 0));
}

static void test_others (void)
{
  sol_weight_t w;
  ops->get (q, NULL, mem, 100);
  ok (is (SOL_PAPER_TRANSFER, 0, 100, 0, 100 / 5.0, 0));
  ops->weight_prepare (q, bf16 (50, 8), NULL, &w);
  ops->head_partial (q, bf16 (3, 8), &w, sol_no_tensor, 1, sol_no_tensor, f32 (3, 50), f32 (3, 4), sol_no_tensor);
  ok (is (SOL_PAPER_HEAD, 2 * 3 * 50 * 8, 48 + 800 + 600 + 48, 0, 1496 / 50.0, 0)); /* the logits are written */
  ops->head_backward (q, bf16 (3, 8), &w, sol_no_tensor, 1, sol_no_tensor, sol_no_tensor, sol_no_tensor, sol_no_tensor, bf16 (3, 8), f32 (50, 8));
  ok (is (SOL_PAPER_HEAD, 6 * 3 * 50 * 8, 48 + 800 + 48 + 2 * 1600, 0, 4096 / 50.0, 0));
  ops->sample (q, f32 (3, 50), f32 (3, 4), 1, 0, sol_no_tensor, 0, 0, 1, sol_no_tensor);
  ok (is (SOL_PAPER_HEAD, 0, 648, 0, 648 / 50.0, 0));
  ops->adamw (q, (sol_adamw_t){ 0 }, f32 (1, 10), f32 (1, 10), f32 (1, 10), f32 (1, 10));
  ok (is (SOL_PAPER_OPTIMIZER, 0, 280, 0, 280 / 50.0, 0)); /* g read; w, m, v read and written */
  ops->rmsnorm (q, bf16 (3, 8), f32 (1, 8), 1e-6f, bf16 (3, 8), f32 (1, 3));
  ok (is (SOL_PAPER_ROWS, 0, 48 + 32 + 48 + 12, 0, 140 / 50.0, 0));
  ops->copy (q, mem, mem, 25);
  ok (is (SOL_PAPER_ROWS, 0, 50, 0, 1, 0)); /* as long as the least time: bound by its bytes */
}

static void test_memory (void)
{
  void *big, *more;
  int status = 0;
  const size_t held = sol_paper_held (b);
  need (ops->alloc (b, (size_t) 1 << 40, "a tebibyte", &big) == SOL_OK && ops->alloc (b, 100, "a little", &more) == SOL_OK); /* nothing is taken for it */
  ok (sol_paper_held (b) - held == ((size_t) 1 << 40) + 100 && ((uintptr_t) big & 63) == 0);
  fflush (stdout);
  const pid_t child = fork ();
  if (child == 0) {
    signal (SIGSEGV, SIG_DFL);
    *(volatile char *) big = 1;
    _exit (0);
  }
  need (waitpid (child, &status, 0) == child);
  ok (WIFSIGNALED (status)); /* nobody touches it */
  ops->free (b, big);
  ok (sol_paper_held (b) - held == 100);
  ok (sol_backend_is_device (b) && sol_backend_workspace (b) == SOL_CUDA_WORKSPACE && ops->act == SOL_BF16 && ops->weight_bytes (b, 3, 5, SOL_F32) == 30 && ops->weight_bytes (b, 3, 5, SOL_BF16) == 0);
}

int main (void)
{
  void *m;
  b = sol_paper_create (&slow);
  ops = sol_backend_ops (b);
  q = sol_backend_queue (b, SOL_QUEUE_COMPUTE);
  need (ops->alloc (b, 1 << 20, "a test", &m) == SOL_OK);
  mem = m;
  test_products ();
  test_attention ();
  test_others ();
  test_memory ();
  sol_backend_destroy (b); /* what is left goes with it */
  return tap_done ();
}
