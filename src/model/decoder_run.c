/* SPDX-License-Identifier: Apache-2.0 */
/* The computing half of the decoder: rows through the layers with keys and values in the cache, then the head and the choice. */
#include "decoder_internal.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <string.h>

void sol_decoder_lay_out (sol_decoder_t *d, sol_arena_t *a)
{
  const sol_arch_t *c = &d->m->arch;
  const int64_t T = d->max_rows, S = d->p.slots, cache = (int64_t) d->n_pages * SOL_KV_PAGE + d->pad,
                kv = (int64_t) c->kv_heads * c->head_size;
  const sol_dtype_t act = d->m->ops->act;
  sol_acts_take (d->m, a, T, 0, &d->acts);
  const size_t before = sol_arena_mark (a);
  for (int l = 0; l < c->layers; l++) {
    d->K[l] = sol_arena_tensor (a, act, cache, kv);
    d->V[l] = sol_arena_tensor (a, act, cache, kv);
  }
  d->cache_bytes = sol_arena_mark (a) - before;
  sol_tensor_t *index[] = { &d->ids, &d->pos, &d->cache_row };
  for (int i = 0; i < 3; i++) *index[i] = sol_arena_tensor (a, SOL_I32, 1, T);
  d->pages = sol_arena_tensor (a, SOL_I32, 1, S * (d->prompt_pages + d->own_pages));
  d->spans = sol_arena_tensor (a, SOL_I32, d->max_spans, 6);
  d->want = sol_arena_tensor (a, SOL_I32, 1, 2 * S);
  d->into = sol_arena_tensor (a, SOL_I32, 1, 2 * S);
  d->h = sol_arena_tensor (a, act, T, c->width);
  d->s = sol_arena_tensor (a, act, T, c->mlp);
  d->wanted = sol_arena_tensor (a, act, 2 * S, c->width);
  d->hidden = sol_arena_tensor (a, act, 2 * S + d->pad, c->width);
  d->head_from = sol_arena_tensor (a, SOL_I32, 1, S);
  d->chosen = sol_arena_tensor (a, SOL_I32, 1, S);
  d->draws = sol_arena_tensor (a, SOL_I32, S, 4);
  d->head_x = sol_arena_tensor (a, act, S, c->width);
  d->head_h = sol_arena_tensor (a, act, S, c->width);
  sol_tensor_t *row[] = { &d->head_inv, &d->lp, &d->entropy, &d->raw_lp };
  for (int i = 0; i < 4; i++) *row[i] = sol_arena_tensor (a, SOL_F32, 1, S);
  d->partial = sol_arena_tensor (a, SOL_F32, S, 4);
  d->one = sol_arena_tensor (a, SOL_F32, S, 4);
  d->scratch = sol_arena_tensor (a, SOL_F32, S, d->m->ops->head_scratch (S, SOL_HEAD_BLOCK, c->width));
  d->logits = sol_arena_tensor (a, SOL_F32, S, c->vocab);
}

sol_status_t sol_decoder_add (sol_decoder_t *d, const int32_t *ids, int32_t n, int32_t pos0, int32_t row, int32_t a_row, int32_t n_a,
                              int32_t want)
{
  sol_rows_t *r = &d->rows;
  SOL_ASSERT (n > 0 && n <= d->max_rows);
  if (r->n + n > d->max_rows || r->n_spans == d->max_spans || r->n_want == 2 * d->p.slots) SOL_TRY (sol_decoder_flush (d));
  for (int32_t i = 0; i < n; i++) {
    r->ids[r->n + i] = ids[i];
    r->pos[r->n + i] = pos0 + i;
    r->cache_row[r->n + i] = d->page[(row + i) / SOL_KV_PAGE] * SOL_KV_PAGE + (row + i) % SOL_KV_PAGE;
  }
  /* the run's own keys reach back to where the sequence's own region begins */
  r->spans[r->n_spans++] = (sol_span_t){ r->n, n, a_row, n_a, row - (pos0 - n_a), pos0 - n_a + n };
  r->n += n;
  if (want >= 0) {
    r->want[r->n_want] = r->n - 1;
    r->into[r->n_want++] = want;
  }
  return SOL_OK;
}

static void put_i32 (sol_decoder_t *d, sol_tensor_t to, const int32_t *from, int64_t n)
{
  d->m->ops->put (d->m->queue, to.at, from, (size_t) n * sizeof *from);
}

/* entries of the page table that have changed, each run of neighbours at once; all where they are many */
static void put_pages (sol_decoder_t *d)
{
  if (d->n_changed > d->p.slots) {
    put_i32 (d, d->pages, d->page, d->pages.cols);
    d->n_changed = 0;
  }
  for (int32_t i = 0, n; i < d->n_changed; i += n) {
    const int32_t first = d->changed[i];
    for (n = 1; i + n < d->n_changed && d->changed[i + n] == first + n; n++) {}
    d->m->ops->put (d->m->queue, (int32_t *) (void *) d->pages.at + first, d->page + first, (size_t) n * sizeof *d->page);
  }
  d->n_changed = 0;
}

int32_t sol_decoder_padded (int32_t n)
{
  int32_t step = 1;
  while (step <= n / 16) step *= 2;
  return (n + step - 1) / step * step;
}

/* what is on the backend by now, through the layers */
static void run_layers (sol_decoder_t *d, int64_t n, int64_t n_spans, int64_t w)
{
  const sol_model_t *m = d->m;
  const sol_ops_t *ops = m->ops;
  const sol_tensor_t rows = sol_first (d->cache_row, n), x = sol_tensor_rows (d->acts.x, 0, n);
  const sol_run_t run = { .model = m,
                          .n = n,
                          .pos = sol_first (d->pos, n),
                          .spans = sol_tensor_rows (d->spans, 0, n_spans),
                          .host_spans = d->rows.spans,
                          .n_spans = (int32_t) n_spans,
                          .pages = d->pages,
                          .h = d->h,
                          .s = d->s };
  ops->embed (m->queue, sol_first (d->ids, n), m->embed, x);
  for (int l = 0; l < m->arch.layers; l++) {
    sol_layer_qkv (&run, &m->layer[l], &d->acts);
    ops->scatter (m->queue, sol_tensor_rows (d->acts.k, 0, n), rows, d->K[l]);
    ops->scatter (m->queue, sol_tensor_rows (d->acts.v, 0, n), rows, d->V[l]);
    sol_layer_rest (&run, &m->layer[l], &d->acts, d->K[l], d->V[l], d->acts.x);
  }
  if (w > 0) {
    ops->gather (m->queue, x, sol_first (d->want, w), sol_tensor_rows (d->wanted, 0, w));
    ops->scatter (m->queue, sol_tensor_rows (d->wanted, 0, w), sol_first (d->into, w), d->hidden);
  }
}

/* rows of nothing up to the next number that has a graph; they write where nobody reads */
static void fill_up (sol_decoder_t *d)
{
  sol_rows_t *r = &d->rows;
  const int32_t n = r->n, to = sol_decoder_padded (n) < d->p.slots ? sol_decoder_padded (n) : d->p.slots;
  for (int32_t i = n; i < to; i++) {
    r->ids[i] = r->pos[i] = 0;
    r->cache_row[i] = d->n_pages * SOL_KV_PAGE + i - n;
    r->spans[i] = (sol_span_t){ .q_row = i };
    r->want[i] = i;
    r->into[i] = 2 * d->p.slots + i - n;
  }
  r->n = r->n_spans = r->n_want = to;
}

sol_status_t sol_decoder_flush (sol_decoder_t *d)
{
  sol_queue_t *q = d->m->queue;
  const sol_ops_t *ops = d->m->ops;
  sol_rows_t *r = &d->rows;
  /* one token of each sequence, all of them wanted: the step that comes again and again */
  const int steady = d->layers_graph && r->n_spans == r->n && r->n_want == r->n && r->n <= d->p.slots;
  if (r->n == 0) return SOL_OK;
  if (steady) fill_up (d);
  const int32_t n = r->n, n_spans = r->n_spans, w = r->n_want;
  put_i32 (d, d->ids, r->ids, n);
  put_i32 (d, d->pos, r->pos, n);
  put_i32 (d, d->cache_row, r->cache_row, n);
  put_pages (d);
  ops->put (q, d->spans.at, r->spans, (size_t) n_spans * sizeof *r->spans);
  put_i32 (d, d->want, r->want, w);
  put_i32 (d, d->into, r->into, w);
  r->n = r->n_spans = r->n_want = 0;
  if (!steady || !d->seen_layers[n]) {
    run_layers (d, n, n_spans, w);
    if (steady) d->seen_layers[n] = 1;
  } else {
    if (!d->layers_graph[n]) {
      ops->graph_begin (q);
      run_layers (d, n, n_spans, w);
      SOL_TRY (ops->graph_end (q, &d->layers_graph[n]));
    }
    ops->graph_run (q, d->layers_graph[n]);
    d->n_replays++;
  }
  return ops->sync (q); /* the host's arrays may change after it only */
}

/* the samples of a group draw their first tokens from the same logits: copies, not another product with the head */
static void copy_rows (sol_decoder_t *d, int32_t n, int32_t distinct)
{
  const sol_ops_t *ops = d->m->ops;
  const size_t bytes = (size_t) d->logits.cols * sizeof (float);
  for (int32_t i = distinct; i < n; i++) {
    const int32_t like = d->host_like[i];
    ops->copy (d->m->queue, sol_tensor_rows (d->logits, i, 1).at, sol_tensor_rows (d->logits, like, 1).at, bytes);
    ops->copy (d->m->queue, sol_tensor_rows (d->partial, i, 1).at, sol_tensor_rows (d->partial, like, 1).at, 4 * sizeof (float));
    if (d->inv_temp != 1) ops->copy (d->m->queue, sol_tensor_rows (d->one, i, 1).at, sol_tensor_rows (d->one, like, 1).at, 4 * sizeof (float));
  }
}

/* head and choice of n rows, of which the first `distinct` have logits of their own */
static void run_choose (sol_decoder_t *d, int32_t n, int32_t distinct)
{
  const sol_model_t *m = d->m;
  const sol_ops_t *ops = m->ops;
  sol_queue_t *q = m->queue;
  const sol_tensor_t x = sol_tensor_rows (d->head_x, 0, distinct), h = sol_tensor_rows (d->head_h, 0, distinct),
                     logits = sol_tensor_rows (d->logits, 0, n), partial = sol_tensor_rows (d->partial, 0, n),
                     one = d->inv_temp != 1 ? sol_tensor_rows (d->one, 0, n) : sol_no_tensor, scratch = sol_tensor_rows (d->scratch, 0, distinct), chosen = sol_first (d->chosen, n);
  ops->gather (q, d->hidden, sol_first (d->head_from, distinct), x);
  ops->rmsnorm (q, x, m->norm, m->arch.norm_eps, h, sol_first (d->head_inv, distinct));
  ops->head_partial (q, h, &m->head, sol_no_tensor, d->inv_temp, scratch, sol_tensor_rows (logits, 0, distinct), sol_tensor_rows (partial, 0, distinct), one.at ? sol_tensor_rows (one, 0, distinct) : one);
  copy_rows (d, n, distinct);
  ops->sample (q, logits, partial, d->inv_temp, d->p.seed, sol_tensor_rows (d->draws, 0, n), d->p.greedy, d->p.top_k, d->p.top_p, chosen);
  ops->head_target (q, logits, chosen, d->inv_temp, partial, one);
  if (one.at) ops->head_finish (q, one, sol_first (d->raw_lp, n), sol_first (d->entropy, n));
  ops->head_finish (q, partial, sol_first (d->lp, n), sol_first (d->entropy, n));
}

sol_status_t sol_decoder_choose (sol_decoder_t *d, int32_t n, int32_t distinct)
{
  const sol_ops_t *ops = d->m->ops;
  sol_queue_t *q = d->m->queue;
  int32_t rows = n;
  const int steady = d->choose_graph && distinct == n;
  if (steady) {
    rows = sol_decoder_padded (n) < d->p.slots ? sol_decoder_padded (n) : d->p.slots;
    for (int32_t i = n; i < rows; i++) d->host_from[i] = 2 * d->p.slots + i - n, memset (d->host_draws + 4 * i, 0, 4 * sizeof *d->host_draws);
  }
  put_i32 (d, d->head_from, d->host_from, steady ? rows : distinct);
  ops->put (q, d->draws.at, d->host_draws, (size_t) rows * 4 * sizeof *d->host_draws);
  if (!steady || !d->seen_choose[rows]) {
    run_choose (d, rows, steady ? rows : distinct);
    if (steady) d->seen_choose[rows] = 1;
  } else {
    if (!d->choose_graph[rows]) {
      ops->graph_begin (q);
      run_choose (d, rows, rows);
      SOL_TRY (ops->graph_end (q, &d->choose_graph[rows]));
    }
    ops->graph_run (q, d->choose_graph[rows]);
  }
  ops->get (q, d->host_chosen, d->chosen.at, (size_t) n * sizeof (int32_t));
  ops->get (q, d->host_lp, d->lp.at, (size_t) n * sizeof (float));
  ops->get (q, d->host_raw, d->inv_temp != 1 ? d->raw_lp.at : d->lp.at, (size_t) n * sizeof (float));
  ops->get (q, d->host_entropy, d->entropy.at, (size_t) n * sizeof (float));
  return ops->sync (q);
}
