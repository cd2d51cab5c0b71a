/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: the head on a device by blocks of the vocabulary: log-prob, entropy, their gradient; rows whose coefficients are 0 give exactly nothing; the logits' way gives what the blocks' way gives. */
#include "both.h"
#include "solera/cuda_layout.h"

/* words: of a block of the vocabulary; 0: as many as the device would have */
static void test (int64_t rows, int64_t C, int64_t V, float inv_temp, int64_t words)
{
  pair_t p[] = { pair_act (rows, C), pair_of (SOL_BF16, V, C), pair_ints (rows, (int32_t) V), pair_f32 (rows, 4), pair_f32 (1, rows), pair_f32 (1, rows), pair_f32 (1, rows), pair_f32 (1, rows),
                 pair_act (rows, C), pair_f32 (V, C), pair_f32 (rows, V) };
  pair_t *x = p, *w = p + 1, *t = p + 2, *part = p + 3, *lp = p + 4, *en = p + 5, *cl = p + 6, *ce = p + 7, *dx = p + 8, *dw = p + 9, *z = p + 10;
  pair_t raw = pair_f32 (rows, 4), scratch = pair_f32 (rows, words ? words + C : D->head_scratch (rows, V, C));
  sol_weight_t wr, wd;
  int good = 1, idle = 1;
  for (int64_t i = 0; i < V * C; i++) floats (w->r)[i] *= 0.3f;
  for (int64_t i = 0; i < rows; i += 3) floats (cl->r)[i] = floats (ce->r)[i] = 0; /* idle rows */
  upload (w), upload (cl), upload (ce);
  R->weight_prepare (qr, w->r, NULL, &wr);
  D->weight_prepare (qd, w->d, NULL, &wd);
  R->head_partial (qr, x->r, &wr, t->r, inv_temp, scratch.r, sol_no_tensor, part->r, raw.r);
  D->head_partial (qd, x->d, &wd, t->d, inv_temp, scratch.d, sol_no_tensor, part->d, raw.d);
  R->head_finish (qr, part->r, lp->r, en->r);
  D->head_finish (qd, part->d, lp->d, en->d);
  good &= near_pair (part, 1e-4, "head_partial") && near_pair (&raw, 1e-4, "at temperature 1") && near_pair (lp, 1e-4, "lp") && near_pair (en, 1e-4, "entropy");
  R->head_backward (qr, x->r, &wr, t->r, inv_temp, part->r, cl->r, ce->r, scratch.r, dx->r, dw->r);
  D->head_backward (qd, x->d, &wd, t->d, inv_temp, part->d, cl->d, ce->d, scratch.d, dx->d, dw->d);
  good &= near_pair (dx, 0.02, "dx") && near_pair (dw, 0.01, "dw");
  float *got = fetch (dx);
  for (int64_t r = 0; r < rows; r += 3)
    for (int64_t c = 0; c < C; c++) idle &= got[r * C + c] == 0;
  sol_free (got);
  tap_ok (good, "%lld rows of %lld, vocabulary %lld by %lld, 1/T %g: log-prob, entropy and gradients", (long long) rows, (long long) C, (long long) V, (long long) (scratch.d.cols - C), (double) inv_temp);
  tap_ok (idle, "rows without coefficients have no gradient");
  /* the decoder's way */
  R->head_partial (qr, x->r, &wr, sol_no_tensor, inv_temp, scratch.r, z->r, part->r, raw.r);
  D->head_partial (qd, x->d, &wd, sol_no_tensor, inv_temp, scratch.d, z->d, part->d, raw.d);
  good = near_pair (z, 1e-4, "logits") && near_pair (part, 1e-4, "partial with logits") && near_pair (&raw, 1e-4, "at temperature 1, with logits");
  R->head_target (qr, z->r, t->r, inv_temp, part->r, raw.r);
  D->head_target (qd, z->d, t->d, inv_temp, part->d, raw.d);
  R->head_finish (qr, part->r, lp->r, en->r);
  D->head_finish (qd, part->d, lp->d, en->d);
  good &= near_pair (lp, 1e-4, "lp by logits") && near_pair (en, 1e-4, "entropy by logits") && near_pair (&raw, 1e-4, "the target at temperature 1");
  tap_ok (good && D->sync (qd) == SOL_OK, "with logits: the same");
  drop_pairs (11, p);
  drop_pairs (1, &scratch);
  drop_pairs (1, &raw);
}

int main (void)
{
  both_open ();
  test (1, 8, 19, 1, 0);
  test (7, 24, 300, 1 / 0.7f, 0);
  test (5, 32, 1024, 1, 0);
  test (4, 16, 2500, 1.3f, 0);
  test (4, 16, 2500, 1.3f, 1024);
  test (3, 8, 6201, 0.8f, 2048); /* blocks of several times what a block of threads takes at once, a ragged one behind them */
  test (2, 19, 3073, 1, 3072);   /* and one word */
  test (5, 8, 9001, 1, 0);
  /* a large batch and vocabulary: not more room than there is, whole lots of words, no more of them than there are */
  ok (sol_cuda_layout_words (4096, 152064) == 8192 && sol_cuda_layout_words (32768, 152064) == 4096 && sol_cuda_layout_words (1 << 20, 152064) == 1024 && sol_cuda_layout_words (300, 1025) == 2048);
  ok (sol_cuda_layout_words (17000, 152064) * 17000 * 4 <= SOL_CUDA_HEAD_ROOM && sol_cuda_layout_words (17000, 152064) % 1024 == 0);
  both_close ();
  return tap_done ();
}
