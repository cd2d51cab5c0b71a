/* SPDX-License-Identifier: Apache-2.0 */
/* report.c: what an update leaves behind: token statistics, a line of metrics, the rewards of fresh rollouts. */
#include "learner_internal.h"
#include "solera/decoder.h"
#include "solera/file.h"
#include "solera/task.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* fresh.jsonl: a checkpoint at update u was written when every version before u was reported, so a resumed run keeps just those lines */
static sol_status_t open_fresh (sol_learner_t *l, int64_t resumed)
{
  char *path = sol_path_join (l->p.run_dir, "fresh.jsonl"), *old = NULL;
  size_t bytes = 0, keep = 0;
  sol_status_t st = SOL_OK;
  if (resumed > 0 && sol_file_exists (path)) SOL_GO (sol_file_read (path, 0, &old, &bytes));
  for (char *line = old, *end; line && (end = strchr (line, '\n')); line = end + 1) {
    long long v;
    if (sscanf (line, "{\"version\":%lld", &v) != 1 || v >= resumed) break;
    keep = (size_t) (end + 1 - old);
  }
  l->fresh = fopen (path, "w");
  if (!l->fresh || fwrite (old ? old : "", 1, keep, l->fresh) != keep || fflush (l->fresh)) st = sol_fail (SOL_ERR_IO, "learner", "%s: cannot be written", path);
  l->fresh_next = resumed > 0 ? (resumed + l->c->ups - 1) / l->c->ups * l->c->ups : 0;
out:
  sol_free (old);
  sol_free (path);
  return st;
}

sol_status_t sol_report_open (sol_learner_t *l)
{
  const sol_config_t *c = l->c;
  int64_t resumed = l->p.resume_dir ? l->update : -1;
  int launch = 0;
  l->start_update = l->update;
  l->start_s = l->last_s = sol_clock_s ();
  l->fresh_reward = l->fresh_version = NAN;
  sol_buffer_t sets = { 0 };
  sol_report_sets_open (l, &sets);
  if (l->rank == 0) SOL_TRY (sol_stats_launch (l->p.run_dir, &launch));
  SOL_TRY (sol_comm_bcast (l->p.comm, &launch, sizeof launch, 0));
  if (c->stats) {
    sol_stats_params_t sp = { .run_dir = l->p.run_dir, .settings = l->p.settings, .program = PACKAGE_STRING, .hosts = l->p.hosts, .learner = l->rank, .launch = launch,
                              .seed = (uint64_t) c->seed, .deflate = (int) c->stats_deflate, .chunk = c->stats_chunk, .resumed_update = resumed < 0 ? 0 : resumed };
    sol_buffer_t lib = { 0 };
    sol_buffer_printf (&lib, "%s; hdf5 %s; backend %s", sol_comm_library (), SOL_HDF5_VERSION, sol_backend_describe (sol_model_backend (l->p.model)));
    sp.libraries = lib.data;
    sp.data_sets = sets.data;
    sol_status_t st = sol_stats_open (&sp, &l->stats);
    sol_buffer_free (&lib);
    if (st != SOL_OK) sol_buffer_free (&sets);
    SOL_TRY (st);
  }
  sol_buffer_free (&sets);
  l->next_trial = SOL_TRIAL_NONE;
  l->saved = l->update;
  if (l->rank != 0) return SOL_OK;
  if (c->eval_every > 0) l->next_trial = l->p.first_trial;
  SOL_TRY (sol_metrics_open (l->p.run_dir, c, resumed, &l->metrics));
  SOL_TRY (open_fresh (l, resumed));
  if (l->p.broker && sol_broker_params (l->p.broker)->fed) l->fresh_next = INT64_MAX; /* nothing is generated */
  return SOL_OK;
}

/* ---- the sums behind a line of metrics; one flat vector, added over the learners in rank order */
enum { SUM_N, SUM_SEQ, SUM_LAG, SUM_ENT, SUM_ENTB, SUM_DEV, SUM_K1, SUM_K3, SUM_R, SUM_R2, SUM_LEN, SUM_TRUNC, SUM_CHECK, SUM_CHECK_K3, SUM_CAPPED, SUM_SCALARS };
#define BINS 28
typedef struct { double s[SUM_SCALARS], bin_n[2][BINS], bin_e[2][BINS]; } sums_t;

/* tokens by lag, of all learners, into n [SOL_METRICS_LAG_SPAN]; collective */
static sol_status_t count_lags (const sol_learner_t *l, int64_t *n, sol_metrics_row_t *m)
{
  int64_t minmax[2] = { INT64_MIN, INT64_MIN };
  m->lag_min = m->lag_max = NAN;
  for (int64_t i = 0; i < l->col.n; i++) {
    const int64_t lag = l->update - l->col.version[i];
    if (-lag > minmax[0]) minmax[0] = -lag;
    if (lag > minmax[1]) minmax[1] = lag;
  }
  SOL_TRY (sol_comm_max_i64 (l->p.comm, minmax, 2));
  if (minmax[0] == INT64_MIN) return SOL_OK;
  m->lag_min = (double) -minmax[0];
  m->lag_max = (double) minmax[1];
  m->lag_first = -minmax[0];
  m->lag_span = minmax[1] + minmax[0] + 1 < SOL_METRICS_LAG_SPAN ? minmax[1] + minmax[0] + 1 : SOL_METRICS_LAG_SPAN;
  m->lag_histogram = n;
  memset (n, 0, (size_t) m->lag_span * sizeof *n);
  for (int64_t i = 0; i < l->col.n; i++) {
    const int64_t at = l->update - l->col.version[i] - m->lag_first;
    n[at < m->lag_span ? at : m->lag_span - 1]++;
  }
  return sol_comm_sum_i64 (l->p.comm, n, (int) m->lag_span);
}

static void sum_tokens (const sol_learner_t *l, sums_t *s)
{
  const sol_columns_t *k = &l->col;
  const double log_cap = log (l->c->lp_cap);
  for (int64_t i = 0; i < k->n; i++) {
    double d = (double) k->d[i], r = exp (d), dev = fabs (r - 1);
    int64_t lag = l->update - k->version[i], b = dev < 0.7 ? (int64_t) (dev / 0.025) : BINS; /* beyond the last bin, where the quotient may not fit an integer */
    int sign = k->adv[i] > 0;
    s->s[SUM_LAG] += (double) lag;
    s->s[SUM_ENT] += (double) k->entropy[i];
    s->s[SUM_ENTB] += (double) k->entropy_behav[i];
    s->s[SUM_DEV] += dev;
    s->s[SUM_K1] -= d;
    s->s[SUM_K3] += expm1 (d) - d;
    if (k->lp_check) {
      const double x = (double) (k->lp_check[i] - k->lp_behav[i]);
      s->s[SUM_CHECK] += fabs (x);
      s->s[SUM_CHECK_K3] += expm1 (x) - x;
      s->s[SUM_CAPPED] += x > log_cap;
    }
    s->s[SUM_R] += r;
    s->s[SUM_R2] += r * r;
    if (b < BINS) {
      s->bin_n[sign][b] += 1;
      s->bin_e[sign][b] += (double) k->entropy[i];
    }
  }
  s->s[SUM_N] = (double) k->n;
}

/* what every learner knows of the mini-batch: all its groups, without what was dropped from them */
static void sum_groups (const sol_learner_t *l, int64_t mini, sol_metrics_row_t *m)
{
  int64_t groups = sol_learner_groups (l), n = 0, trunc = 0, stopped = 0, restarts = 0, zero = 0, tokens = 0;
  double reward = 0, share;
  for (int64_t i = 0; i < groups; i++) {
    const sol_rollout_t *g = &l->group[mini * groups + i];
    int same = 1;
    for (int32_t s = 0; s < g->n_responses; s++) {
      same &= g->reward[s] == g->reward[0];
      if (l->dropped[i * l->c->group + s]) continue;
      n++;
      reward += g->reward[s];
      tokens += g->len[s];
      trunc += g->finish[s] == SOL_FINISH_LENGTH;
      stopped += g->n_parts > SOL_PART_STOPPED && g->parts[s * g->n_parts + SOL_PART_STOPPED] > 0;
      if (g->n_parts > SOL_PART_RESTARTS) restarts += (int64_t) g->parts[s * g->n_parts + SOL_PART_RESTARTS];
    }
    zero += same;
  }
  share = n > 0 ? (double) n : NAN;
  m->n_sequences = n;
  m->reward_consumed = reward / share;
  m->response_length = (double) tokens / share;
  m->truncated_share = (double) trunc / share;
  m->verifier_stopped = (double) stopped;
  m->verifier_restarts = (double) restarts;
  m->zero_groups_share = (double) zero / (double) groups;
}

static void put_verdicts (const sol_learner_t *l, sol_metrics_row_t *m)
{
  const sol_verdicts_t *v = &l->verdicts;
  double n = v->n > 0 ? (double) v->n : NAN;
  m->loss = v->n > 0 ? v->loss : NAN;
  m->high_share = (double) v->n_high / n;
  m->low_share = (double) v->n_low / n;
  m->masked_share = (double) v->n_masked / n;
  m->clip_share = (double) (v->n_high + v->n_low + v->n_masked) / n;
  m->share_T = (double) v->n_T / n;
  m->m2_before = v->n > 0 ? v->m2_before : NAN;
  m->m2_after = v->n > 0 ? v->m2_after : NAN;
  m->m2_all = v->n > 0 ? v->m2_all : NAN;
  m->cut = v->cut;
}

/* terms beside the objective */
static void put_terms (const sol_learner_t *l, int64_t mini, sol_metrics_row_t *m)
{
  const int64_t per = l->c->group, n = sol_learner_groups (l) * per;
  double sum = 0;
  m->kl_ref = l->term_sums.kl;
  m->loss_kl = l->terms.kl_coef != 0 ? l->term_sums.loss_kl : NAN;
  m->loss_entropy = l->term_sums.loss_entropy;
  m->reward_kl = NAN;
  if (!l->penalty || m->n_sequences == 0) return;
  for (int64_t i = 0; i < n; i++)
    if (!l->dropped[i]) sum += l->penalty[mini * n + i];
  m->reward_kl = l->c->kl_coef * sum / (double) m->n_sequences;
}

/* what sampling and scoring differ by; collective where it is recorded. s: of all learners */
static sol_status_t put_check (const sol_learner_t *l, const sums_t *s, sol_metrics_row_t *m)
{
  const sol_columns_t *k = &l->col;
  const double n = s->s[SUM_N] > 0 ? s->s[SUM_N] : NAN;
  int64_t bits = 0; /* non-negative floats are ordered like their bits */
  float worst = 0;
  m->check_mean = m->check_max = m->check_kl = m->check_capped = NAN;
  if (!k->lp_check) return SOL_OK;
  for (int64_t i = 0; i < k->n; i++) worst = fmaxf (worst, fabsf (k->lp_check[i] - k->lp_behav[i]));
  memcpy (&bits, &worst, sizeof worst);
  SOL_TRY (sol_comm_max_i64 (l->p.comm, &bits, 1));
  memcpy (&worst, &bits, sizeof worst);
  m->check_mean = s->s[SUM_CHECK] / n;
  m->check_max = s->s[SUM_N] > 0 ? (double) worst : NAN;
  m->check_kl = s->s[SUM_CHECK_K3] / n;
  if (k->d_check) m->check_capped = s->s[SUM_CAPPED] / n;
  return SOL_OK;
}

static void put_sums (const sums_t *s, sol_metrics_row_t *m)
{
  double n = s->s[SUM_N] > 0 ? s->s[SUM_N] : NAN;
  m->n_tokens = (int64_t) s->s[SUM_N];
  m->lag_mean = s->s[SUM_LAG] / n;
  m->entropy = s->s[SUM_ENT] / n;
  m->entropy_behav = s->s[SUM_ENTB] / n;
  m->ratio_dev = s->s[SUM_DEV] / n;
  m->kl_k1 = s->s[SUM_K1] / n;
  m->kl_k3 = s->s[SUM_K3] / n;
  m->ess = s->s[SUM_R2] > 0 ? s->s[SUM_R] * s->s[SUM_R] / s->s[SUM_R2] / n : NAN;
  for (int j = 0; j < 2; j++)
    for (int i = 0; i < BINS; i++) {
      m->entropy_n[j][i] = (int64_t) s->bin_n[j][i];
      m->entropy_sum[j][i] = s->bin_e[j][i];
    }
}

static void put_times (sol_learner_t *l, sol_metrics_row_t *m, const sol_broker_counts_t *n)
{
  double now = sol_clock_s (), dt = now - l->last_s, d[SOL_PHASE_COUNT];
  for (int i = 0; i < SOL_PHASE_COUNT; i++) {
    d[i] = l->phase[i] - l->last_phase[i];
    l->last_phase[i] = l->phase[i];
  }
  m->time_s = now;
  m->wait_s = l->wait_s - l->last_wait_s;
  m->generate_s = NAN; /* the actors' own: see the table at the end */
  if (l->c->roles == SOL_ROLES_SOLO) m->generate_s = m->wait_s, m->wait_s = 0; /* what this rank waits for is its own turn as actor */
  l->last_wait_s = l->wait_s;
  m->forward_s = d[SOL_PHASE_FORWARD];
  m->select_s = d[SOL_PHASE_SELECT];
  m->backward_s = d[SOL_PHASE_BACKWARD];
  m->reduce_s = d[SOL_PHASE_REDUCE];
  m->optimizer_s = d[SOL_PHASE_OPTIMIZER];
  m->write_s = d[SOL_PHASE_WRITE];
  m->publish_s = d[SOL_PHASE_PUBLISH];
  m->tokens_per_s_trained = dt > 0 ? (double) m->n_tokens / dt : NAN;
  m->tokens_per_s_generated = dt > 0 ? (double) (n->tokens_in - l->tokens_in_before) / dt : NAN;
  m->queue_groups = (double) n->groups_queued;
  m->seconds_left = (double) (sol_learner_end (l) - l->update - 1) * (now - l->start_s) / (double) (l->update + 1 - l->start_update);
  l->tokens_in_before = n->tokens_in;
  l->last_s = now;
}

/* the recorded log-probs were made by exactly these weights: how far is the learners' own computation? Collective until it is said, once a run. */
static sol_status_t say_lag0 (sol_learner_t *l)
{
  const sol_columns_t *k = &l->col;
  int64_t n[2] = { 0, 0 }, worst_bits = 0; /* non-negative floats are ordered like their bits */
  float worst = 0;
  if (l->lag0_said) return SOL_OK;
  for (int64_t i = 0; i < k->n; i++) {
    float d = fabsf (k->d[i]);
    if (k->version[i] != l->update) continue;
    n[0]++;
    n[1] += d != 0;
    if (d > worst) worst = d;
  }
  memcpy (&worst_bits, &worst, sizeof worst);
  SOL_TRY (sol_comm_sum_i64 (l->p.comm, n, 2));
  SOL_TRY (sol_comm_max_i64 (l->p.comm, &worst_bits, 1));
  memcpy (&worst, &worst_bits, sizeof worst);
  if (n[0] == 0) return SOL_OK;
  l->lag0_said = 1;
  const int promised = (sol_backend_ops (sol_model_backend (l->p.model))->caps & SOL_CAP_EXACT) != 0; /* not on devices: there the difference is a fact to know */
  if (l->rank == 0)
    sol_log (n[1] && promised ? SOL_LOG_WARN : SOL_LOG_INFO, "learner", "lag 0: recorded and recomputed log-probs differ in %lld of %lld tokens, by at most %.3g nats", (long long) n[1], (long long) n[0], (double) worst);
  return SOL_OK;
}

static sol_status_t write_stats (sol_learner_t *l)
{
  const sol_columns_t *k = &l->col;
  sol_stats_tokens_t t = { .n = k->n, .update = (int32_t) l->update, .seq = k->seq, .position = k->position, .token = k->token, .version = k->version, .lp_behav = k->lp_behav,
                           .lp = k->lp, .entropy = k->entropy, .entropy_behav = k->entropy_behav, .advantage = k->adv, .verdict = k->verdict,
                           .lp_prox = k->prox_pass ? k->lp_prox : NULL, .lp_raw = k->lp_raw, .lp_ref = k->lp_ref, .lp_check = k->lp_check,
                           .weights = l->weights_of == l->update ? l->weights : 0 };
  return sol_stats_tokens (l->stats, &t);
}

/* one response as a row of the sequences table */
static sol_status_t write_sequence (sol_learner_t *l, int64_t place, int32_t s, int64_t batch, int32_t update, float adv, uint8_t dropped)
{
  const sol_rollout_t *g = &l->group[place];
  const uint8_t stopped = g->n_parts > SOL_PART_STOPPED && g->parts[s * g->n_parts + SOL_PART_STOPPED] > 0;
  int64_t seq = (int64_t) g->ticket * l->c->group + s, ticket = (int64_t) g->ticket, from = 0;
  int32_t b = (int32_t) batch, at = (int32_t) place, vmin = INT32_MAX, vmax = -1, n_prompt = g->n_prompt, len = g->len[s];
  float answer = g->n_parts > 0 ? (float) g->parts[s * g->n_parts] : NAN, format = g->n_parts > 1 ? (float) g->parts[s * g->n_parts + 1] : NAN,
        length = g->n_parts > SOL_PART_LENGTH ? (float) g->parts[s * g->n_parts + SOL_PART_LENGTH] : NAN;
  for (int32_t j = 0; j < s; j++) from += g->len[j];
  for (int32_t i = 0; i < g->n_runs; i++) {
    const sol_version_run_t *r = &g->runs[i];
    if (r->first_token >= from + len || r->first_token + r->n_tokens <= from) continue;
    if (r->version < vmin) vmin = (int32_t) r->version;
    if (r->version > vmax) vmax = (int32_t) r->version;
  }
  sol_stats_sequences_t row = { .n = 1, .seq = &seq, .ticket = &ticket, .prompt_id = &g->prompt_id, .set = &g->set, .update = &update, .batch = &b, .version_min = &vmin, .version_max = &vmax,
                                .n_prompt = &n_prompt, .n_response = &len, .finish = &g->finish[s], .place = &at, .generated = &l->generated[place], .stopped = &stopped, .reward = &g->reward[s], .reward_answer = &answer, .reward_format = &format, .reward_length = &length,
                                .advantage = &adv, .dropped = &dropped, .refilled = &g->dropped.groups, .prompt = g->prompt };
  return sol_stats_sequences (l->stats, &row);
}

static sol_status_t write_sequences (sol_learner_t *l, int64_t mini)
{
  int64_t per = l->c->group, g0 = mini * sol_learner_groups (l);
  for (int32_t i = 0; i < l->n_segments; i++) {
    const sol_segment_t *seg = &l->segment[i];
    for (int32_t s = seg->first; s < seg->first + seg->n; s++)
      SOL_TRY (write_sequence (l, seg->group, s, l->batch, (int32_t) l->update, l->adv[(int64_t) seg->group * per + s], l->dropped[(seg->group - g0) * per + s]));
  }
  return SOL_OK;
}

sol_status_t sol_report_update (sol_learner_t *l, int64_t mini)
{
  sol_metrics_row_t m = { .update = l->update, .batch = l->batch, .lr = l->lr, .grad_norm = l->norm };
  sums_t s = { 0 };
  sol_broker_counts_t n = { 0 };
  int64_t lags[SOL_METRICS_LAG_SPAN];
  double t0 = sol_clock_s ();
  sol_status_t st;
  SOL_TRY (say_lag0 (l));
  if (l->stats) {
    SOL_TRY (write_stats (l));
    SOL_TRY (write_sequences (l, mini));
  }
  l->phase[SOL_PHASE_WRITE] += sol_clock_s () - t0;
  SOL_TRY (count_lags (l, lags, &m));
  sum_tokens (l, &s);
  SOL_TRY (sol_comm_sum_f64 (l->p.comm, (double *) &s, (int) (sizeof s / sizeof (double))));
  SOL_TRY (sol_report_lags (l, &m));
  SOL_TRY (put_check (l, &s, &m));
  if (l->rank != 0) return SOL_OK;
  st = sol_broker_counts (l->p.broker, &n);
  if (st != SOL_OK && st != SOL_AGAIN) return st;
  sum_groups (l, mini, &m);
  sol_report_refilled (l, mini, &m);
  sol_report_sets (l, mini, &m);
  put_verdicts (l, &m);
  put_terms (l, mini, &m);
  put_sums (&s, &m);
  put_times (l, &m, &n);
  m.reward_fresh = l->fresh_reward;
  m.fresh_version = l->fresh_version;
  m.dropped_sequences = (double) l->dropped_total;
  m.skipped_updates = (double) l->skipped_total;
  return sol_metrics_put (l->metrics, &m);
}

int64_t sol_report_fresh_due (const sol_learner_t *l, int64_t version)
{
  const sol_config_t *c = l->c;
  const sol_schedule_t *s = sol_broker_params (l->p.broker)->schedule;
  if (s) return sol_schedule_count (s, version) * c->group;
  return (version == 0 ? c->stale_k / c->ups + 1 : 1) * c->prompts * c->group;
}

sol_status_t sol_report_fresh (sol_learner_t *l)
{
  const sol_config_t *c = l->c;
  while (l->rank == 0 && l->fresh_next <= sol_learner_end (l)) {
    double sum, later;
    int64_t n, more = 0;
    sol_status_t st = sol_broker_fresh (l->p.broker, l->fresh_next, &sum, &n);
    if (st == SOL_AGAIN) return SOL_OK;
    SOL_TRY (st);
    if (sol_broker_params (l->p.broker)->mode == SOL_STALE_EXACT) {
      if (n < sol_report_fresh_due (l, l->fresh_next)) return SOL_OK;
    } else { /* complete when rollouts of a later version have arrived */
      if (l->fresh_next + c->ups > l->update) return SOL_OK;
      st = sol_broker_fresh (l->p.broker, l->fresh_next + c->ups, &later, &more);
      if (st != SOL_OK || (more == 0 && !l->finished)) return st == SOL_AGAIN ? SOL_OK : st;
    }
    if (n > 0) {
      l->fresh_reward = sum / (double) n;
      l->fresh_version = (double) l->fresh_next;
      if (l->fresh) {
        fprintf (l->fresh, "{\"version\":%lld,\"reward\":%.9g,\"responses\":%lld}\n", (long long) l->fresh_next, l->fresh_reward, (long long) n);
        fflush (l->fresh);
      }
    }
    l->fresh_next += c->ups;
  }
  return SOL_OK;
}

sol_status_t sol_report_rest (sol_learner_t *l)
{
  const sol_broker_params_t *p = sol_broker_params (l->p.broker);
  const int64_t n_tickets = p->mode == SOL_STALE_EXACT && !p->schedule ? (l->c->updates + l->c->stale_k) / l->c->ups + 1 : 0; /* batches that are due from versions up to the end; with a schedule only parts of batches are */
  for (; l->batch < n_tickets; l->batch++) {
    if (l->rank == 0 && l->stats) {
      sol_status_t st = sol_learner_take (l);
      if (st != SOL_OK) return st;
      for (int64_t i = 0; i < l->c->prompts; i++)
        for (int32_t s = 0; s < l->group[i].n_responses; s++) SOL_TRY (write_sequence (l, i, s, l->batch, -1, l->adv[i * l->c->group + s], 0));
    }
    SOL_TRY (sol_broker_done (l->p.broker, l->batch));
  }
  return SOL_OK;
}

sol_status_t sol_report_trials (sol_learner_t *l)
{
  const double now = sol_clock_s ();
  sol_status_t st;
  if (l->next_trial > l->update || now - l->trial_asked_s < l->trial_pause_s) return SOL_OK;
  l->trial_asked_s = now;
  l->trial_pause_s = l->trial_pause_s < 0.05 ? 0.1 : l->trial_pause_s < 0.5 ? 2 * l->trial_pause_s : 1; /* looking for files is dear on file systems that hosts share */
  for (sol_trial_t t; l->next_trial <= l->update; l->next_trial = sol_trial_next (l->c, l->next_trial + 1)) {
    if (l->c->ckpt_best != SOL_BEST_NONE && l->next_trial > l->saved) return SOL_OK; /* first its checkpoint */
    st = sol_trial_take (l->c, l->next_trial, &t);
    if (st != SOL_OK) return st == SOL_AGAIN ? SOL_OK : st;
    sol_log (SOL_LOG_INFO, "eval", "version %lld: pass rate %.4f [%.4f, %.4f], pass@%lld %.4f, %.2f %% truncated, %.1f tokens a response; %lld prompts, %.1f s", (long long) t.version, t.avg.mean, t.avg.low,
             t.avg.high, (long long) t.samples, t.pass.mean, 100 * t.truncated, t.mean_tokens, (long long) t.prompts, t.seconds);
    l->trial_pause_s = 0;
    SOL_TRY (sol_metrics_trial (l->metrics, &t));
    SOL_TRY (sol_trial_choose (l->c));
  }
  return SOL_OK;
}

sol_status_t sol_report_close (sol_learner_t *l)
{
  sol_status_t st = l->stats ? sol_stats_close (l->stats) : SOL_OK;
  sol_report_sets_close (l);
  l->stats = NULL;
  SOL_TRY (sol_comm_agree (l->p.comm, st));
  if (l->rank == 0 && l->c->stats) st = sol_stats_link (l->p.run_dir);
  if (l->metrics) sol_metrics_close (l->metrics);
  l->metrics = NULL;
  if (l->fresh) fclose (l->fresh);
  l->fresh = NULL;
  return st;
}
