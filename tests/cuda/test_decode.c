/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: graphs of ops (run again on what memory holds then, errors found at their end), and a decoder whose steps are graphs: the same tokens as launched op by op, with few pages too. */
#include "both.h"
#include "../model/helpers.h"
#include "solera/plugin.h"

enum { GROUPS = 6, MOST = 30, N = 64 };
static int32_t m_vocab;

/* y += x by a graph, again and again */
static void test_graph (void)
{
  sol_graph_t *g = NULL;
  pair_t x = pair_f32 (1, N), y = pair_f32 (1, N);
  int good = 1;
  D->zero (qd, y.d.at, N * sizeof (float));
  D->graph_begin (qd);
  D->add (qd, x.d, y.d);
  D->copy (qd, x.d.at, y.d.at, N * sizeof (float) / 2);
  need (D->graph_end (qd, &g) == SOL_OK && g);
  float *now = fetch (&y);
  for (int i = 0; i < N; i++) good &= now[i] == 0;
  ok (good); /* nothing has run yet */
  sol_free (now);
  for (int i = 0; i < 3; i++) D->graph_run (qd, g);
  need (D->sync (qd) == SOL_OK);
  now = fetch (&y);
  for (int i = 0; i < N; i++) { /* the first half doubles, the second grows */
    float sum = 0, add = floats (x.r)[i];
    for (int k = 0; k < 3; k++) { sum += add; if (i < N / 2) add = sum; }
    good &= now[i] == sum;
  }
  ok (good);
  sol_free (now);
  D->graph_destroy (dev, g);
  g = NULL;
  /* what is wrong inside is told at the end, and the queue works on */
  const sol_tensor_t wide = sol_tensor (x.d.at, SOL_F32, 1, (int64_t) 1 << 30);
  D->graph_begin (qd);
  D->sample (qd, wide, sol_tensor (y.d.at, SOL_F32, 1, 4), 1, 1, sol_tensor (y.d.at, SOL_I32, 1, 4), 0, 0, 1, sol_tensor (y.d.at, SOL_I32, 1, 1));
  ok (D->graph_end (qd, &g) == SOL_ERR_LIMIT && !g && D->sync (qd) == SOL_OK);
  drop_pairs (2, (pair_t[]){ x, y });
}

static int ends (void *ctx, const int32_t *ids, int32_t n)
{
  (void) ctx;
  return n == 1 + ids[0] * 7 % MOST ? SOL_FINISH_STOP : 0;
}

typedef struct { int32_t len[16], ids[16 * MOST]; float lp[16 * MOST], entropy[16 * MOST]; } found_t;

/* returns the steps that ran as graphs */
static int64_t decode (sol_model_t *m, sol_decoder_params_t p, found_t *out)
{
  sol_decoder_t *d = NULL;
  sol_group_out_t o;
  int put = 0, got = 0;
  need (sol_decoder_create (m, &p, &d) == SOL_OK);
  memset (out, 0, GROUPS * sizeof *out);
  while (got < GROUPS) {
    for (int32_t prompt[24]; put < GROUPS; put++) {
      const int32_t n = 1 + put * 5 % 23;
      for (int32_t i = 0; i < n; i++) prompt[i] = (int32_t) ((put * 31 + i * 17) % m_vocab);
      if (sol_decoder_put (d, (uint64_t) put, 0, prompt, n, 4 + put, MOST) != SOL_OK) break;
    }
    need (sol_decoder_step (d) == SOL_OK);
    for (; sol_decoder_take (d, &o) == SOL_OK; got++) {
      found_t *f = &out[o.group];
      memcpy (f->len, o.len, (size_t) o.n_samples * 4);
      for (int32_t s = 0; s < o.n_samples; s++)
        for (int32_t t = 0; t < o.len[s]; t++) f->ids[s * MOST + t] = o.ids[s * o.stride + t], f->lp[s * MOST + t] = o.lp[s * o.stride + t], f->entropy[s * MOST + t] = o.entropy[s * o.stride + t];
    }
  }
  const int64_t graphs = sol_decoder_replays (d);
  sol_decoder_destroy (d);
  return graphs;
}

static void test_decoder (int i, float temperature, int32_t slots, int64_t rows)
{
  static found_t plain[GROUPS], graphs[GROUPS];
  const sol_arch_t a = shape (i);
  float *w = random_weights (&a, 3);
  sol_model_t *m = model_of (dev, &a, SOL_BF16, w);
  sol_decoder_params_t p = { .slots = slots, .max_prompt = 24, .max_new = MOST, .kv_rows = rows, .temperature = temperature, .top_p = 1, .seed = 4, .purpose = SOL_RANDOM_SAMPLE, .ends = ends, .no_graphs = 1 };
  m_vocab = a.vocab;
  const int64_t none = decode (m, p, plain);
  p.no_graphs = 0;
  const int64_t some = decode (m, p, graphs);
  tap_ok (none == 0 && some > 10, "%s, %d places: %d steps were graphs", shape_name (i), (int) slots, (int) some);
  /* Up to 16 places no row is added to a graph, so nothing differs; and on emu and ptx no sum depends on rows beside it. On a device whose kernels are chosen by the number of rows, tokens are
   * comparable as long as those before them are the same. */
  if (slots <= 16 || !strcmp (D->name, "emu")) tap_ok (!memcmp (plain, graphs, sizeof plain), "%s, %d places: the same bits as launched one by one", shape_name (i), (int) slots);
  else {
    double worst = 0;
    int compared = 0;
    for (int g = 0; g < GROUPS; g++)
      for (int s = 0; s < 4 + g; s++)
        for (int t = 0, at = s * MOST; t < plain[g].len[s] && t < graphs[g].len[s] && plain[g].ids[at] == graphs[g].ids[at]; t++, at++, compared++) {
          const double x = fabs ((double) plain[g].lp[at] - (double) graphs[g].lp[at]);
          if (!(x <= worst)) worst = x;
        }
    tap_ok (compared > 150 && worst < 0.05, "%s, %d places: %d tokens within %.3g", shape_name (i), (int) slots, compared, worst);
  }
  sol_model_destroy (m);
  sol_free (w);
}

/* a table that looks at host memory: what put and get carry lies in what host_take gave */
static const char *pinned;
static size_t pinned_bytes;
static int carried, elsewhere;
static sol_status_t seen_take (sol_backend_t *b, size_t bytes, const char *what, void **mem_p)
{
  const sol_status_t st = D->host_take (b, bytes, what, mem_p);
  pinned = *mem_p;
  pinned_bytes = bytes;
  return st;
}
static void look (const void *host, size_t bytes)
{
  const char *p = host;
  carried++;
  elsewhere += p < pinned || p + bytes > pinned + pinned_bytes;
}
static void seen_put (sol_queue_t *q, void *dst, const void *host, size_t bytes) { look (host, bytes); D->put (q, dst, host, bytes); }
static void seen_get (sol_queue_t *q, void *host, const void *src, size_t bytes) { look (host, bytes); D->get (q, host, src, bytes); }

static void test_pinned (void)
{
  static found_t out[GROUPS];
  const sol_arch_t a = shape (0);
  float *w = random_weights (&a, 3);
  const sol_decoder_params_t p = { .slots = 7, .max_prompt = 24, .max_new = MOST, .temperature = 1, .top_p = 1, .seed = 4, .purpose = SOL_RANDOM_SAMPLE, .ends = ends };
  struct sol_backend_head *head = (void *) dev;
  const size_t before = sol_memory_used ();
  void *mem = NULL;
  need (sol_backend_pin (dev, 100, "a test", &mem) == SOL_OK);
  ok (sol_memory_used () == before + 100 && (uintptr_t) mem % 64 == 0 && ((char *) mem)[0] == 0 && !memcmp (mem, (char *) mem + 1, 99));
  sol_backend_unpin (dev, mem, 100);
  ok (sol_memory_used () == before);
  sol_ops_t seen = *D;
  seen.host_take = seen_take, seen.put = seen_put, seen.get = seen_get;
  m_vocab = a.vocab;
  head->ops = &seen; /* the model keeps the table that it finds */
  sol_model_t *m = model_of (dev, &a, SOL_BF16, w);
  carried = elsewhere = 0; /* its weights are another matter */
  decode (m, p, out);
  tap_ok (carried > 100 && elsewhere == 0, "a decoder's %d transfers: %d not from or to pinned memory", carried, elsewhere);
  sol_model_destroy (m);
  head->ops = D;
  sol_free (w);
}

int main (void)
{
  both_open ();
  if (!D->graph_begin) tap_skip_all ("this backend has no graphs");
  test_graph ();
  test_pinned ();
  test_decoder (0, 1, 7, 0);
  test_decoder (4, 0.7f, 5, 10 * 16);
  test_decoder (6, 1, 35, 0);
  both_close ();
  return tap_done ();
}
