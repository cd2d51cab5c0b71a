/* ranks: 1 2 4 */
/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: sums and shares among devices, on streams that run as late as they may, against sums on the host: uneven and empty slices, odd sizes, in place and out of place, the same bits again;
 * an update by several learners, whose sums run beside a backward pass; and that a wait left out, ranks that disagree and a rank that leaves are seen and do not hang. */
#include "../../src/learner/optimizer.h"
#include "../tap_mpi.h"
#include "solera/backend.h"
#include "solera/comm.h"
#include "solera/plugin.h"
#include "solera/random.h"
#include <math.h>
#include <string.h>

enum { MOST = 4 }; /* ranks */
static sol_backend_t *dev;
static const sol_ops_t *D;
static sol_queue_t *compute, *comm;
static const sol_device_collectives_t *C;
static int emulated;
#define need(cond) ((cond) ? (void) 0 : (fprintf (stderr, "rank %d: %s\n", tap_rank, #cond), MPI_Abort (MPI_COMM_WORLD, 1), abort ()))

static void skip_all (const char *why)
{
  if (tap_rank == 0) printf ("1..0 # SKIP %s\n", why);
  MPI_Finalize ();
  exit (0);
}
static void open_all (void)
{
  const char *name = getenv ("SOLERA_DEVICE");
  char why[512];
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
  skip_all ("the fibers of emu change stacks behind this build's sanitizer; make emu-asan, make emu-tsan");
#endif
  if (!name) name = "emu";
  emulated = !strcmp (name, "emu");
  if (!sol_backend_can (name, why, sizeof why)) skip_all (why);
  need (sol_backend_create (name, 1, NULL, &dev) == SOL_OK);
  C = sol_backend_collectives (dev);
  if (!C) {
    sol_backend_destroy (dev);
    skip_all ("the plugin was built without NCCL");
  }
  D = sol_backend_ops (dev);
  compute = sol_backend_queue (dev, SOL_QUEUE_COMPUTE), comm = sol_backend_queue (dev, SOL_QUEUE_COMM);
}
/* size: what this rank thinks */
static sol_status_t join (int size, sol_device_group_t **g)
{
  void *id = sol_alloc (C->id_bytes);
  sol_status_t st;
  if (tap_rank == 0) need (C->make_id (sol_backend_device (dev), id) == SOL_OK);
  need (sol_comm_bcast (sol_comm_world (), id, C->id_bytes, 0) == SOL_OK);
  *g = NULL;
  st = C->create (sol_backend_device (dev), id, tap_rank, size, g);
  sol_free (id);
  return st;
}

/* ---- numbers that every rank knows of every other */
static float number (int rank, int64_t i) { return (float) sol_random_normal (sol_random (11, (uint64_t) i, SOL_RANDOM_TEST, (uint32_t) rank, 0)); }
static float *take (int64_t n)
{
  void *mem;
  need (D->alloc (dev, (size_t) n * sizeof (float) + 16, "a test", &mem) == SOL_OK);
  return mem;
}
/* host memory that travels */
static void *pin (size_t bytes)
{
  void *mem;
  need (D->host_take (dev, bytes, "a test", &mem) == SOL_OK);
  return mem;
}
static float *numbers (int64_t n)
{
  float *x = pin ((size_t) n * sizeof *x + 4);
  for (int64_t i = 0; i < n; i++) x[i] = number (tap_rank, i);
  return x;
}
/* sums in rank order: emu's own bits; another order is a rounding or two away */
static int are_sums (const float *got, int64_t first, int64_t n)
{
  for (int64_t i = 0; i < n; i++) {
    float sum = 0, size = 0;
    for (int r = 0; r < tap_size; r++) sum = r ? sum + number (r, first + i) : number (0, first + i), size += fabsf (number (r, first + i));
    if (emulated ? got[i] != sum : !(fabsf (got[i] - sum) <= 3e-7f * size)) return 0;
  }
  return 1;
}
/* slices of n elements: even, uneven, some empty, all to the last */
static void cut_up (int kind, int64_t n, int64_t *cut)
{
  for (int r = 0; r <= tap_size; r++) {
    if (kind == 0) cut[r] = n * r / tap_size;
    else if (kind == 1) cut[r] = r == tap_size ? n : n * r * r / (tap_size * tap_size + 1);
    else if (kind == 2) cut[r] = r == tap_size ? n : n * (r / 2) / tap_size;
    else cut[r] = r == tap_size ? n : 0;
  }
}

/* the way of a gradient: written on one queue, summed on another, fetched from the first. waits 0: the sum does not wait for what is written */
static float *sum (sol_device_group_t *g, int64_t n, const int64_t *cut, int in_place, int waits)
{
  const int64_t first = cut[tap_rank], mine = cut[tap_rank + 1] - first;
  float *host = numbers (n), *got = pin ((size_t) mine * sizeof *got + 4), *whole = take (n), *slice = in_place ? whole + first : take (mine);
  sol_event_t *written, *summed;
  need (D->event_create (dev, &written) == SOL_OK && D->event_create (dev, &summed) == SOL_OK);
  D->put (compute, whole, host, (size_t) n * sizeof *host);
  D->record (compute, written);
  if (waits) D->wait (comm, written);
  C->reduce (g, comm, whole, cut, slice);
  D->record (comm, summed);
  D->wait (compute, summed);
  D->get (compute, got, slice, (size_t) mine * sizeof *got);
  if (!waits) need (D->sync (comm) == SOL_OK);
  need (D->sync (compute) == SOL_OK && D->sync (comm) == SOL_OK);
  D->event_destroy (dev, written);
  D->event_destroy (dev, summed);
  if (!in_place) D->free (dev, slice);
  D->free (dev, whole);
  D->host_give (dev, host);
  return got;
}
static void test_sums (sol_device_group_t *g)
{
  static const int64_t sizes[] = { 1, 7, 1003, 70001, 1200007 };
  int sums = 1, same_bits = 1;
  for (int k = 0; k < 4; k++)
    for (int s = 0; s < (k == 1 ? 5 : 4); s++) {
      int64_t cut[MOST + 1];
      cut_up (k, sizes[s], cut);
      const int64_t mine = cut[tap_rank + 1] - cut[tap_rank];
      float *a = sum (g, sizes[s], cut, 0, 1), *b = sum (g, sizes[s], cut, 1, 1);
      sums &= are_sums (a, cut[tap_rank], mine);
      same_bits &= !memcmp (a, b, (size_t) mine * sizeof *a);
      D->host_give (dev, a);
      D->host_give (dev, b);
    }
  ok (sums);
  ok (same_bits);
}

/* elements of 2 bytes (bf16) and 4: bytes go through as they are */
static void test_shares (sol_device_group_t *g)
{
  static const int64_t sizes[] = { 1, 5, 4099, 100003 };
  int shares = 1;
  for (int k = 0; k < 4; k++)
    for (int s = 0; s < 4; s++)
      for (size_t element = 2; element <= 4; element += 2) {
        const size_t bytes = (size_t) sizes[s] * element;
        int64_t cut[MOST + 1];
        unsigned char *mine = pin (bytes), *got = pin (bytes);
        void *block = take ((int64_t) bytes);
        cut_up (k, sizes[s], cut);
        memset (mine, 0xff, bytes);
        for (size_t i = (size_t) cut[tap_rank] * element; i < (size_t) cut[tap_rank + 1] * element; i++) mine[i] = (unsigned char) (i * 7 + 3);
        D->put (compute, block, mine, bytes);
        C->share (g, compute, block, cut, element);
        D->get (compute, got, block, bytes);
        need (D->sync (compute) == SOL_OK);
        for (size_t i = 0; i < bytes; i++) shares &= got[i] == (unsigned char) (i * 7 + 3);
        D->free (dev, block);
        D->host_give (dev, mine);
        D->host_give (dev, got);
      }
  ok (shares);
}

/* streams run late: a sum that does not wait reads what was there before, and it shows */
static void test_no_wait (sol_device_group_t *g)
{
  int64_t cut[MOST + 1];
  cut_up (0, 1003, cut);
  float *a = sum (g, 1003, cut, 0, 0);
  ok (!are_sums (a, cut[tap_rank], cut[tap_rank + 1] - cut[tap_rank]));
  D->host_give (dev, a);
}

/* what goes wrong with a group of its own; what: of the last rank */
enum { OTHER_COUNTS, OTHER_CALL, LEAVES };
static void test_disagree (int what)
{
  const int odd = tap_rank == tap_size - 1;
  int64_t cut[MOST + 1];
  sol_device_group_t *g;
  float *whole = take (4000);
  cut_up (0, 1000 + (odd && what == OTHER_COUNTS), cut);
  need (join (tap_size, &g) == SOL_OK);
  if (odd && what == LEAVES) {
    C->destroy (g);
    D->free (dev, whole);
    ok (1);
    return;
  }
  if (odd && what == OTHER_CALL) C->share (g, compute, whole, cut, 4);
  else C->reduce (g, compute, whole, cut, whole + cut[tap_rank]);
  const sol_status_t first = D->sync (compute);
  C->reduce (g, compute, whole, cut, whole + cut[tap_rank]); /* the group is lost for good */
  ok (first == SOL_ERR_DEVICE && D->sync (compute) == SOL_ERR_DEVICE && D->sync (compute) == SOL_OK);
  C->destroy (g);
  D->free (dev, whole);
}
static void test_join (void)
{
  sol_device_group_t *g;
  ok (join (tap_size + (tap_rank == tap_size - 1), &g) == SOL_ERR_DEVICE && !g);
}

/* by the room comm, which makes the group; one rank needs none */
static void test_room (void)
{
  sol_collective_t *g;
  int64_t cut[MOST + 1];
  float *host = numbers (3001), *whole = take (3001), *got = pin (3001 * sizeof *got);
  need (sol_collective_create (dev, sol_comm_world (), &g) == SOL_OK);
  ok ((g == NULL) == (tap_size == 1));
  cut_up (0, 3001, cut);
  D->put (compute, whole, host, 3001 * sizeof *host);
  if (g) sol_collective_reduce (g, compute, whole, cut, whole + cut[tap_rank]);
  if (g) sol_collective_share (g, compute, whole, cut, sizeof *whole);
  D->get (compute, got, whole, 3001 * sizeof *got);
  ok (D->sync (compute) == SOL_OK && are_sums (got, 0, 3001));
  sol_collective_destroy (g);
  D->free (dev, whole);
  D->host_give (dev, host);
  D->host_give (dev, got);
}

/* a gradient that the compute queue has still to write, layer by layer to the sums on the other queue; then every learner has the weights that all have made */
static void test_update (void)
{
  const sol_arch_t arch = { .family = "test", .layers = 3, .width = 64, .heads = 2, .kv_heads = 1, .head_size = 32, .mlp = 100, .vocab = 1100, .context = 16, .norm_eps = 1e-5f, .rope_theta = 10000, .bos = -1 };
  sol_model_t *m = NULL;
  sol_optimizer_t *o = NULL;
  double norm = 0, want = 0;
  need (sol_model_create (dev, &arch, SOL_BF16, &m) == SOL_OK);
  const int64_t n = sol_model_table (m)->elements;
  const size_t bytes = sol_model_bytes (m);
  float *w = sol_alloc ((size_t) n * sizeof *w), *grad = pin ((size_t) n * sizeof *grad), *master = NULL;
  char *got = pin (bytes), *rounded = sol_alloc (bytes);
  const void *block = got;
  sol_table_init (sol_model_table (m), &arch, 5, w);
  need (n == sol_grad_elements (m) && sol_optimizer_create (m, sol_comm_world (), 0, w, &o) == SOL_OK);
  for (int64_t i = 0; i < n; i++) {
    int sum = 0;
    for (int r = 0; r < tap_size; r++) sum += (int) ((i * 7 + r * 3) % 11) - 5;
    grad[i] = (float) ((int) ((i * 7 + tap_rank * 3) % 11) - 5);
    want += (double) sum * sum;
  }
  D->put (compute, sol_optimizer_leaf (o), grad, (size_t) n * sizeof *grad);
  for (int l = arch.layers - 1; l > 0; l--) sol_optimizer_layer (o, l); /* the first is left to the step */
  need (sol_optimizer_step (o, (sol_adamw_t){ .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8 }, 0, 0, &norm) == SOL_OK);
  ok (fabs (norm - sqrt (want)) < 1e-4 * norm);
  if (tap_rank == 0) need (sol_optimizer_block (o, &block) == SOL_OK);
  D->get (compute, got, sol_model_block (m), bytes);
  need (D->sync (compute) == SOL_OK && sol_optimizer_master (o, &master) == SOL_OK);
  sol_model_round (master, n, SOL_BF16, rounded);
  ok (!memcmp (got, rounded, bytes) && !memcmp (block, rounded, bytes) && memcmp (master, w, (size_t) n * sizeof *w));
  sol_optimizer_destroy (o);
  sol_model_destroy (m);
  sol_free (w), sol_free (master), sol_free (rounded);
  D->host_give (dev, grad);
  D->host_give (dev, got);
}

int main (int argc, char **argv)
{
  sol_device_group_t *g, *second;
  setenv ("SOL_EMU_PATIENCE", "30", 0);
  tap_init (&argc, &argv);
  need (tap_size <= MOST && sol_comm_start (&argc, &argv) == SOL_OK);
  open_all ();
  need (join (tap_size, &g) == SOL_OK && join (tap_size, &second) == SOL_OK);
  test_sums (g);
  test_shares (second);
  C->destroy (second);
  const char *late = getenv ("SOL_EMU_LATE"), *eager = getenv ("SOL_EMU_EAGER");
  if (emulated && !(late && !strcmp (late, "0")) && !(eager && !strcmp (eager, "0"))) test_no_wait (g);
  C->destroy (g);
  test_room ();
  test_update ();
  for (int what = OTHER_COUNTS; emulated && tap_size > 1 && what <= LEAVES; what++) test_disagree (what);
  if (emulated && tap_size > 1) test_join ();
  sol_backend_destroy (dev);
  return tap_done ();
}
