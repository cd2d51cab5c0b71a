/* SPDX-License-Identifier: Apache-2.0 */
/* update.c: one update in two phases: forward over the whole update batch, the objective decides globally, then backward leaf by leaf. */
#include "learner_internal.h"
#include <math.h>
#include <string.h>

static void beat (void) { sol_watch_beat ("training"); }
static void layer_done (void *l, int layer)
{
  (void) l, (void) layer;
  beat ();
}
/* in the last pass of a leaf */
static void layer_complete (void *l, int layer)
{
  beat ();
  sol_optimizer_layer (((sol_learner_t *) l)->opt, layer);
}

/* segments [s, return value) are one micro-batch: of one leaf, within the token budget, at least one */
static int32_t micro_end (const sol_learner_t *l, int32_t s)
{
  int64_t rows = l->segment[s].rows;
  int32_t e = s + 1;
  while (e < l->n_segments && l->segment_leaf[e] == l->segment_leaf[s] && rows + l->segment[e].rows <= l->c->micro_batch_tokens) rows += l->segment[e++].rows;
  return e;
}

/* with slack, as far as 32 bits go; what is needed is at most that: a micro-batch, or one group (checked with the settings) */
int32_t sol_learner_grown (int32_t cap, int64_t need)
{
  int64_t more = need + need / 8;
  return need <= cap ? cap : more < INT32_MAX ? (int32_t) more : INT32_MAX;
}

/* pass and packer hold the largest micro-batch seen; they grow at most a few times a run */
static sol_status_t room_for (sol_learner_t *l, int64_t tokens, int64_t rows)
{
  if (tokens <= l->cap_tokens && rows <= l->cap_rows) return SOL_OK;
  sol_pass_destroy (l->pass);
  sol_pass_destroy (l->ref_pass);
  sol_packer_destroy (&l->packer);
  l->pass = l->ref_pass = NULL;
  l->cap_tokens = sol_learner_grown (l->cap_tokens, tokens);
  l->cap_rows = sol_learner_grown (l->cap_rows, rows);
  return sol_learner_pass (l);
}

/* by the policy, or by the frozen reference */
static sol_status_t forward (sol_learner_t *l, int32_t s, int32_t e, int reference, float *lp, float *entropy)
{
  int64_t tokens = 0, rows = 0;
  for (int32_t i = s; i < e; i++) {
    tokens += l->segment[i].rows;
    rows += l->segment[i].n_tokens;
  }
  SOL_TRY (room_for (l, tokens, rows));
  sol_packer_clear (&l->packer);
  for (int32_t i = s; i < e; i++) sol_packer_add (&l->packer, &l->segment[i], &l->group[l->segment[i].group]);
  beat ();
  return sol_pass_forward (reference ? l->ref_pass : l->pass, &l->packer.batch, (float) l->c->temperature, lp, entropy, NULL);
}

static sol_status_t forward_all (sol_learner_t *l, int reference, float *lp, float *entropy, int32_t *micros_p)
{
  *micros_p = 0;
  for (int32_t s = 0, e; s < l->n_segments; s = e, ++*micros_p) {
    int64_t at = l->segment[s].token;
    e = micro_end (l, s);
    SOL_TRY (forward (l, s, e, reference, lp + at, entropy + at));
  }
  return SOL_OK;
}

sol_status_t sol_learner_forward (sol_learner_t *l, float *lp, float *entropy, int32_t *micros_p) { return forward_all (l, 0, lp, entropy, micros_p); }

sol_status_t sol_learner_prox (sol_learner_t *l)
{
  int64_t stride = l->col.room;
  int32_t micros;
  sol_status_t st = SOL_OK;
  for (int64_t j = 0; j < l->c->ups && st == SOL_OK; j++) {
    sol_learner_cut (l, j);
    st = sol_learner_forward (l, l->col.prox_pass + j * stride, l->col.entropy_pass, &micros);
  }
  return st;
}

/* KL of the policy that generated them to the reference, summed over each response of mine in mini-batch `mini`, in token order */
static void add_penalties (sol_learner_t *l, int64_t mini)
{
  const sol_columns_t *k = &l->col;
  const float *ref = k->ref_all + mini * k->room;
  for (int32_t i = 0; i < l->n_segments; i++) {
    const sol_segment_t *seg = &l->segment[i];
    int64_t t = seg->token;
    for (int32_t s = seg->first; s < seg->first + seg->n; s++) {
      double *sum = &l->penalty[seg->group * l->c->group + s];
      for (int32_t n = 0; n < l->group[seg->group].len[s]; n++, t++) *sum += sol_kl (l->c->kl_term, (double) (k->lp_behav[t] - ref[t]));
    }
  }
}

sol_status_t sol_learner_reference_mini (sol_learner_t *l, int64_t mini)
{
  int32_t micros;
  sol_learner_cut (l, mini);
  return forward_all (l, 1, l->col.ref_all + mini * l->col.room, l->col.entropy_pass, &micros);
}

static sol_status_t reference_forward (sol_learner_t *l)
{
  for (int64_t j = 0; j < l->c->ups; j++) {
    SOL_TRY (sol_learner_reference_mini (l, j));
    if (l->penalty) add_penalties (l, j);
  }
  return SOL_OK;
}

sol_status_t sol_learner_reference (sol_learner_t *l)
{
  const int64_t n = l->c->prompts * l->c->group;
  const double t0 = sol_clock_s ();
  if (l->penalty) memset (l->penalty, 0, (size_t) n * sizeof *l->penalty);
  SOL_TRY (sol_comm_agree (l->p.comm, reference_forward (l)));
  l->phase[SOL_PHASE_FORWARD] += sol_clock_s () - t0;
  if (!l->penalty) return SOL_OK;
  SOL_TRY (sol_comm_sum_f64 (l->p.comm, l->penalty, (int) n)); /* each has its own, the others 0: exact */
  for (int64_t i = 0; i < n; i++) {
    const long long batch = l->batch, ticket = (long long) l->group[i / l->c->group].ticket, response = i % l->c->group;
    if (isfinite (l->c->kl_coef * l->penalty[i])) continue;
    if (l->c->on_refused == SOL_REFUSED_STOP)
      return sol_fail (SOL_ERR_NUMERIC, "learner", "batch %lld, ticket %lld, response %lld: the KL to the reference is %g: it cannot be taken off a reward; objective.on_refused: drop would go on without its group", batch,
                       ticket, response, l->penalty[i]);
    if (l->rank == 0) sol_log (SOL_LOG_WARN, "learner", "batch %lld, ticket %lld, response %lld: the KL to the reference is %g, which cannot be taken off its reward: the group has no advantages and is dropped", batch, ticket, response, l->penalty[i]);
  }
  return sol_learner_advantages (l);
}

/* the forward pass's results beside the record's columns */
static void compare (sol_learner_t *l, int64_t mini)
{
  sol_columns_t *k = &l->col;
  const float *prox = k->prox_pass ? k->prox_pass + mini * k->room : NULL;
  for (int64_t i = 0; i < k->n; i++) {
    int64_t at = k->src[i];
    k->lp[i] = k->lp_pass[at];
    k->entropy[i] = k->entropy_pass[at];
    k->d[i] = k->lp[i] - k->lp_behav[i];
    if (k->ref_all) k->lp_ref[i] = k->ref_all[mini * k->room + at];
    if (k->d_from) {
      k->d_from[i] = k->lp[i] - k->lp_check[i];
      k->d_check[i] = k->lp_check[i] - k->lp_behav[i];
    }
    if (prox) {
      k->lp_prox[i] = prox[at];
      k->d_prox[i] = prox[at] - (k->d_from ? k->lp_check : k->lp_behav)[i];
    }
  }
}

/* takes the tokens of one sequence out of the columns (its place in the forward pass stays, with coefficient 0) and marks it, on every learner */
static void drop (sol_learner_t *l, int64_t mini, int64_t seq)
{
  sol_columns_t *k = &l->col;
  int64_t n = 0, groups = sol_learner_groups (l), per = l->c->group;
  for (int64_t i = 0; i < groups; i++)
    if ((int64_t) l->group[mini * groups + i].ticket == seq / per) l->dropped[i * per + seq % per] = 1;
  for (int64_t i = 0; i < k->n; i++) {
    if (k->seq[i] == seq) continue;
    k->seq[n] = k->seq[i], k->src[n] = k->src[i], k->position[n] = k->position[i], k->token[n] = k->token[i], k->version[n] = k->version[i];
    k->lp_behav[n] = k->lp_behav[i], k->entropy_behav[n] = k->entropy_behav[i], k->adv[n] = k->adv[i];
    k->lp[n] = k->lp[i], k->entropy[n] = k->entropy[i], k->d[n] = k->d[i], k->lp_prox[n] = k->lp_prox[i], k->d_prox[n] = k->d_prox[i];
    if (k->lp_raw) k->lp_raw[n] = k->lp_raw[i];
    if (k->lp_ref) k->lp_ref[n] = k->lp_ref[i];
    if (k->lp_check) k->lp_check[n] = k->lp_check[i];
    if (k->d_from) k->d_from[n] = k->d_from[i], k->d_check[n] = k->d_check[i];
    n++;
  }
  k->n = n;
}

/* Every response was dropped: the update is made with nothing. Weights and optimizer stay as they are, the version goes on, so that whatever is due from it keeps its number. */
static void skip (sol_learner_t *l)
{
  l->verdicts = (sol_verdicts_t){ .cut = NAN, .band = NAN };
  l->term_sums = (sol_term_sums_t){ NAN, NAN, NAN, NAN };
  l->skipped_total++;
  if (l->rank == 0)
    sol_log (SOL_LOG_WARN, "learner", "update %lld is skipped: all of its %lld responses were dropped (objective.on_refused: drop); the weights stay as they are", (long long) l->update, (long long) l->n_dropped_seq);
}

/* what is in the loss beside the objective; also measures the KL to a frozen reference that is not in it */
static sol_status_t add_terms (sol_learner_t *l, sol_refusal_t *r)
{
  const sol_columns_t *k = &l->col;
  const sol_term_columns_t in = { .lp = k->lp, .lp_ref = k->lp_ref ? k->lp_ref : l->terms.kl_coef != 0 ? k->lp_behav : NULL, .entropy = k->c_entropy ? k->entropy : NULL };
  const sol_tokens_t t = { .n = k->n, .d = k->d, .adv = k->adv, .seq = k->seq }; /* whose ratio is to the policy that drew them */
  l->term_sums = (sol_term_sums_t){ NAN, NAN, NAN, NAN };
  if (!in.lp_ref && !in.entropy) return SOL_OK;
  return sol_terms_solve (&l->terms, l->p.comm, &t, &in, l->verdicts.n, k->c, k->c_entropy, &l->term_sums, r);
}

/* *any_p: is there a token left to learn from? */
static sol_status_t decide (sol_learner_t *l, int64_t mini, int *any_p)
{
  sol_columns_t *k = &l->col;
  l->n_dropped_seq = 0;
  for (;;) {
    *any_p = l->n_dropped_seq < sol_learner_groups (l) * l->c->group;
    if (!*any_p) {
      skip (l);
      return SOL_OK;
    }
    sol_tokens_t t = { .n = k->n, .d = k->d, .adv = k->adv, .lp = k->lp_behav, .d_prox = k->prox_pass ? k->d_prox : NULL, .seq = k->seq };
    if (k->d_from) t.d = k->d_from, t.lp = k->lp_check, t.d_check = k->d_check, t.check_cap = l->c->lp_cap;
    sol_refusal_t r = { 0 };
    sol_status_t st = sol_objective_solve (l->objective, l->p.comm, &t, k->c, k->verdict, &l->verdicts, &r);
    if (st == SOL_OK) st = add_terms (l, &r);
    if (st != SOL_ERR_NUMERIC) return st;
    if (l->c->on_refused == SOL_REFUSED_STOP)
      return sol_fail (st, "learner", "update %lld refused: sequence %lld (ticket %lld, response %lld): %s (log-ratio %g, advantage %g, coefficient %g); objective.on_refused: drop would go on without it",
                       (long long) l->update, (long long) r.seq, (long long) (r.seq / l->c->group), (long long) (r.seq % l->c->group), r.why, r.d, r.adv, r.c);
    if (l->rank == 0) sol_log (SOL_LOG_WARN, "learner", "update %lld: sequence %lld is dropped: %s (log-ratio %g, advantage %g)", (long long) l->update, (long long) r.seq, r.why, r.d, r.adv);
    drop (l, mini, r.seq);
    l->n_dropped_seq++;
    l->dropped_total++;
  }
}

/* a segment whose coefficients are all 0 adds exactly nothing to any gradient */
static int is_idle (const sol_learner_t *l, const sol_segment_t *s)
{
  for (int64_t i = s->token; i < s->token + s->n_tokens; i++)
    if (l->col.c_lp[i] != 0 || (l->col.c_entropy_pass && l->col.c_entropy_pass[i] != 0)) return 0;
  return 1;
}

/* phase two for one leaf: its busy segments, packed anew */
static sol_status_t backward_leaf (sol_learner_t *l, int32_t s, int32_t e, int kept, float *grad)
{
  double t0;
  if (kept) {
    t0 = sol_clock_s ();
    SOL_TRY (sol_pass_backward (l->pass, &l->packer.batch, l->col.c_lp + l->segment[s].token, l->col.c_entropy_pass ? l->col.c_entropy_pass + l->segment[s].token : NULL, grad, layer_complete, l));
    l->phase[SOL_PHASE_BACKWARD] += sol_clock_s () - t0;
    return SOL_OK;
  }
  while (e > s && is_idle (l, &l->segment[e - 1])) e--;
  while (s < e) {
    int64_t rows = 0, n = 0, tokens = 0;
    int32_t from = s;
    float *c = (float *) l->col.c, *c_entropy = l->col.c_entropy_pass ? c + l->col.room : NULL; /* the double coefficients are not needed any more: room for the packed ones */
    for (; s < e && (from == s || rows == 0 || rows + l->segment[s].rows <= l->c->micro_batch_tokens); s++)
      if (!is_idle (l, &l->segment[s])) {
        rows += l->segment[s].rows;
        tokens += l->segment[s].n_tokens;
      }
    if (rows == 0) continue;
    t0 = sol_clock_s ();
    SOL_TRY (room_for (l, rows, tokens));
    sol_packer_clear (&l->packer);
    for (int32_t i = from; i < s; i++) {
      if (is_idle (l, &l->segment[i])) continue;
      sol_packer_add (&l->packer, &l->segment[i], &l->group[l->segment[i].group]);
      memcpy (c + n, l->col.c_lp + l->segment[i].token, (size_t) l->segment[i].n_tokens * sizeof *c);
      if (c_entropy) memcpy (c_entropy + n, l->col.c_entropy_pass + l->segment[i].token, (size_t) l->segment[i].n_tokens * sizeof *c);
      n += l->segment[i].n_tokens;
    }
    SOL_TRY (sol_pass_forward (l->pass, &l->packer.batch, (float) l->c->temperature, l->col.lp_pass, l->col.entropy_pass, NULL));
    l->phase[SOL_PHASE_FORWARD] += sol_clock_s () - t0;
    t0 = sol_clock_s ();
    SOL_TRY (sol_pass_backward (l->pass, &l->packer.batch, c, c_entropy, grad, s < e ? layer_done : layer_complete, l));
    l->phase[SOL_PHASE_BACKWARD] += sol_clock_s () - t0;
  }
  return SOL_OK;
}

sol_status_t sol_learner_backward (sol_learner_t *l, int kept)
{
  sol_columns_t *k = &l->col;
  int32_t s = 0;
  memset (k->c_lp, 0, (size_t) k->room * sizeof *k->c_lp);
  for (int64_t i = 0; i < k->n; i++) k->c_lp[k->src[i]] = (float) k->c[i];
  if (k->c_entropy) {
    memset (k->c_entropy_pass, 0, (size_t) k->room * sizeof *k->c_entropy_pass);
    for (int64_t i = 0; i < k->n; i++) k->c_entropy_pass[k->src[i]] = k->c_entropy[i];
  }
  for (int leaf = l->opt->first_of[l->rank]; leaf < l->opt->first_of[l->rank + 1]; leaf++) {
    float *grad = sol_optimizer_leaf (l->opt);
    int32_t e = s;
    while (e < l->n_segments && l->segment_leaf[e] == leaf) e++;
    if (e > s) SOL_TRY (backward_leaf (l, s, e, kept, grad));
    sol_grad_fold (l->p.model, grad);
    SOL_TRY (sol_optimizer_push (l->opt));
    s = e;
  }
  return SOL_OK;
}

sol_status_t sol_learner_make_update (sol_learner_t *l, int64_t mini)
{
  const sol_config_t *c = l->c;
  double t0 = sol_clock_s (), r0 = l->opt->reduce_s, o0 = l->opt->optimizer_s;
  int32_t micros;
  int any;
  sol_status_t st;
  sol_learner_cut (l, mini);
  st = sol_learner_forward (l, l->col.lp_pass, l->col.entropy_pass, &micros);
  SOL_TRY (sol_comm_agree (l->p.comm, st));
  compare (l, mini);
  l->phase[SOL_PHASE_FORWARD] += sol_clock_s () - t0;
  t0 = sol_clock_s ();
  SOL_TRY (decide (l, mini, &any));
  l->phase[SOL_PHASE_SELECT] += sol_clock_s () - t0;
  l->lr = sol_config_lr (c, l->update);
  l->norm = NAN;
  if (!any) return SOL_OK;
  st = sol_learner_backward (l, micros == 1);
  SOL_TRY (sol_comm_agree (l->p.comm, st));
  SOL_TRY (sol_optimizer_step (l->opt, (sol_adamw_t){ .lr = l->lr, .beta1 = c->beta1, .beta2 = c->beta2, .eps = c->adam_eps, .decay = c->weight_decay }, c->grad_clip, l->update, &l->norm));
  l->phase[SOL_PHASE_REDUCE] += l->opt->reduce_s - r0;
  l->phase[SOL_PHASE_OPTIMIZER] += l->opt->optimizer_s - o0;
  return SOL_OK;
}
