/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c: takes a batch of groups from the broker, checks that each is what the staleness rule asked for, and cuts mini-batches into segments. */
#include "learner_internal.h"
#include "solera/decoder.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 19, ROOMS = COLUMNS + 9 };

/* what is as long as the tokens of a mini-batch: bytes of each, and where its address goes; returns how many */
static int list_rooms (const sol_config_t *c, const sol_objective_t *objective, sol_columns_t *k, sol_room_t *out)
{
  const size_t tokens = (size_t) (c->prompts / c->ups * c->group * c->max_new);
  const struct { void **p; size_t bytes; } col[COLUMNS] = {
    { (void **) &k->seq, 8 }, { (void **) &k->src, 8 }, { (void **) &k->c, 8 }, { (void **) &k->position, 4 }, { (void **) &k->token, 4 }, { (void **) &k->version, 4 },
    { (void **) &k->update_lag, 4 }, { (void **) &k->lp_behav, 4 }, { (void **) &k->lp, 4 }, { (void **) &k->entropy, 4 }, { (void **) &k->entropy_behav, 4 },
    { (void **) &k->d, 4 }, { (void **) &k->adv, 4 }, { (void **) &k->lp_prox, 4 }, { (void **) &k->d_prox, 4 }, { (void **) &k->lp_pass, 4 },
    { (void **) &k->entropy_pass, 4 }, { (void **) &k->c_lp, 4 }, { (void **) &k->verdict, 1 } };
  int n = 0;
  for (int i = 0; i < COLUMNS; i++) out[n++] = (sol_room_t){ col[i].p, tokens * col[i].bytes, "the columns of an update batch" };
  if (sol_objective_needs_prox (objective)) /* of the whole batch: made before its first update */
    out[n++] = (sol_room_t){ (void **) &k->prox_pass, tokens * (size_t) c->ups * sizeof (float), "log-probs at the start of a batch" };
  if ((float) c->temperature != 1.0f) out[n++] = (sol_room_t){ (void **) &k->lp_raw, tokens * sizeof (float), "the untempered log-probs of an update batch" };
  if (c->kl_reference != SOL_KL_BEHAVIOUR) { /* of the whole batch too: rewards may need them before its first update */
    out[n++] = (sol_room_t){ (void **) &k->ref_all, tokens * (size_t) c->ups * sizeof (float), "the reference's log-probs of a batch" };
    out[n++] = (sol_room_t){ (void **) &k->lp_ref, tokens * sizeof (float), "the reference's log-probs of an update batch" };
  }
  if (c->lp_check) out[n++] = (sol_room_t){ (void **) &k->lp_check, tokens * sizeof (float), "the teacher-forced log-probs of an update batch" };
  if (c->lp_correct != SOL_LP_CORRECT_NONE) {
    out[n++] = (sol_room_t){ (void **) &k->d_from, tokens * sizeof (float), "the corrected log-ratios of an update batch" };
    out[n++] = (sol_room_t){ (void **) &k->d_check, tokens * sizeof (float), "the corrections of an update batch" };
  }
  if (c->entropy_coef != 0) {
    out[n++] = (sol_room_t){ (void **) &k->c_entropy, tokens * sizeof (float), "the coefficients of entropies" };
    out[n++] = (sol_room_t){ (void **) &k->c_entropy_pass, tokens * sizeof (float), "the coefficients of entropies" };
  }
  k->room = (int64_t) tokens;
  return n;
}

sol_status_t sol_learner_room_bytes (const sol_config_t *c, uint64_t *bytes_p)
{
  sol_objective_t *objective;
  sol_columns_t none = { 0 };
  sol_room_t room[ROOMS];
  SOL_TRY (sol_objective_create_config (c, &objective));
  const int n = list_rooms (c, objective, &none, room);
  sol_objective_destroy (objective);
  *bytes_p = sol_rooms_bytes (room, n);
  return SOL_OK;
}

sol_status_t sol_learner_room (sol_learner_t *l)
{
  const sol_config_t *c = l->c;
  const size_t groups = (size_t) c->prompts, mini = (size_t) (sol_learner_groups (l) * c->group);
  sol_room_t room[ROOMS];
  l->row = sol_alloc (groups * sizeof *l->row);
  l->group = sol_alloc (groups * sizeof *l->group);
  l->adv = sol_alloc (groups * (size_t) c->group * sizeof *l->adv);
  if (c->kl_in == SOL_KL_REWARD && c->kl_coef != 0) l->penalty = sol_alloc (groups * (size_t) c->group * sizeof *l->penalty);
  l->generated = sol_alloc (groups * sizeof *l->generated);
  l->reward = sol_alloc (mini * sizeof *l->reward);
  l->advantage = sol_alloc (mini * sizeof *l->advantage);
  l->segment = sol_alloc (mini * sizeof *l->segment);
  l->segment_leaf = sol_alloc (mini * sizeof *l->segment_leaf);
  l->len = sol_alloc (mini * sizeof *l->len);
  l->leaf = sol_alloc (mini * sizeof *l->leaf);
  l->dropped = sol_alloc (mini);
  const int n = list_rooms (c, l->objective, &l->col, room);
  return sol_rooms_take (room, n);
}

void sol_learner_room_free (sol_learner_t *l)
{
  sol_columns_t *k = &l->col;
  void *all[] = { l->row, l->group, l->adv, l->generated, l->reward, l->advantage, l->penalty, l->segment, l->segment_leaf, l->len, l->leaf, l->dropped, l->records, k->seq, k->src, k->c, k->position, k->token, k->version,
                  k->update_lag, k->lp_behav, k->lp, k->entropy, k->entropy_behav, k->d, k->adv, k->lp_prox, k->d_prox, k->lp_pass, k->entropy_pass, k->c_lp, k->verdict, k->prox_pass, k->lp_raw, k->ref_all, k->lp_ref, k->c_entropy, k->c_entropy_pass,
                  k->lp_check, k->d_from, k->d_check };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sol_free (all[i]);
}

/* exact: every token from the version that its group is due from; bounded: none older than k at the batch's first update */
static sol_status_t check_versions (const sol_learner_t *l, const sol_rollout_t *g)
{
  const sol_config_t *c = l->c;
  const sol_broker_params_t *p = sol_broker_params (l->p.broker);
  const int exact = !p->fed && (p->schedule || c->stale_mode == SOL_STALE_EXACT);
  const int64_t first = l->batch * c->ups, due = p->schedule ? sol_broker_due_of (p, (int64_t) g->ticket) : first > c->stale_k ? first - c->stale_k : 0;
  for (int32_t i = 0; i < g->n_runs; i++) {
    int64_t v = g->runs[i].version;
    if (exact && v != due)
      return sol_fail (SOL_ERR_STALE, "learner", "batch %lld, ticket %llu: expected policy version %lld, found %lld", (long long) l->batch, (unsigned long long) g->ticket,
                       (long long) due, (long long) v);
    if (!exact && !p->fed && c->stale_mode == SOL_STALE_BOUNDED && first - v > c->stale_k)
      return sol_fail (SOL_ERR_STALE, "learner", "batch %lld, ticket %llu: expected a lag of at most %lld updates, found %lld", (long long) l->batch, (unsigned long long) g->ticket,
                       (long long) c->stale_k, (long long) (first - v));
    if (v > first) return sol_fail (SOL_ERR_STALE, "learner", "batch %lld, ticket %llu: version %lld is newer than the weights", (long long) l->batch, (unsigned long long) g->ticket, (long long) v);
  }
  return SOL_OK;
}

static sol_status_t check_group (const sol_learner_t *l, int64_t i)
{
  const sol_config_t *c = l->c;
  const sol_rollout_t *g = &l->group[i];
  if (g->n_responses != c->group)
    return sol_fail (SOL_ERR_FORMAT, "learner", "ticket %llu: expected %lld responses, found %d", (unsigned long long) g->ticket, (long long) c->group, g->n_responses);
  if (g->temperature != (float) c->temperature)
    return sol_fail (SOL_ERR_FORMAT, "learner", "ticket %llu: expected log-probs at temperature %g, found %g", (unsigned long long) g->ticket, c->temperature, (double) g->temperature);
  if (c->lp_check && !g->lp_check)
    return sol_fail (SOL_ERR_FORMAT, "learner", "ticket %llu: expected a record with teacher-forced log-probs (lp_check.record), found one without", (unsigned long long) g->ticket);
  if (g->n_prompt < 1 || g->n_prompt > c->max_prompt) return sol_fail (SOL_ERR_LIMIT, "learner", "ticket %llu: a prompt of %d tokens", (unsigned long long) g->ticket, g->n_prompt);
  if (g->set > 0 && g->set >= l->n_sets)
    return sol_fail (SOL_ERR_FORMAT, "learner", "ticket %llu: expected the number of a data set under %d (task.path), found %d", (unsigned long long) g->ticket, l->n_sets > 1 ? l->n_sets : 1, g->set);
  for (int32_t s = 0; s < g->n_responses; s++)
    if (g->len[s] < 1 || g->len[s] > c->max_new)
      return sol_fail (SOL_ERR_LIMIT, "learner", "ticket %llu: a response of %d tokens, expected 1 to %lld", (unsigned long long) g->ticket, g->len[s], (long long) c->max_new);
  return SOL_OK;
}

int sol_learner_lost (const sol_learner_t *l, int64_t group)
{
  const int64_t per = l->c->group;
  int64_t s = 0;
  while (l->penalty && s < per && isfinite (l->c->kl_coef * l->penalty[group * per + s])) s++;
  return l->penalty && s < per;
}

sol_status_t sol_learner_advantages (sol_learner_t *l)
{
  const sol_config_t *c = l->c;
  const int64_t groups = sol_learner_groups (l), per = c->group;
  for (int64_t first = 0; first < c->prompts; first += groups) { /* a mini-batch, which is what an update sees */
    int64_t n = 0, at = 0;
    for (int64_t g = first; g < first + groups; g++)
      for (int64_t s = 0; s < per && !sol_learner_lost (l, g); s++) l->reward[n++] = l->group[g].reward[s] - (l->penalty ? c->kl_coef * l->penalty[g * per + s] : 0);
    if (n > 0) SOL_TRY (sol_advantage_batch (c->advantage, l->reward, n / per, (int) per, l->advantage));
    for (int64_t g = first; g < first + groups; g++) {
      const int lost = sol_learner_lost (l, g);
      for (int64_t s = 0; s < per; s++) {
        const int masked = c->truncated == SOL_TRUNCATED_MASK && l->group[g].finish[s] == SOL_FINISH_LENGTH;
        l->adv[g * per + s] = lost ? NAN : masked ? 0.0f : (float) l->advantage[at + s];
      }
      if (!lost) at += per;
    }
  }
  return SOL_OK;
}

sol_status_t sol_learner_take (sol_learner_t *l)
{
  int64_t n = l->c->prompts;
  size_t total = 0, at = 0;
  sol_status_t st = sol_broker_batch (l->p.broker, l->batch, l->row);
  if (st != SOL_OK) return st;
  for (int64_t i = 0; i < n; i++) total += ((size_t) l->row[i].bytes + 7) & ~(size_t) 7;
  if (total > l->records_room) { /* grows to the largest batch seen, with slack: not every batch */
    sol_free (l->records);
    l->records = NULL;
    l->records_room = total + total / 4;
    SOL_TRY (sol_alloc_large (l->records_room, "the records of a batch", (void **) &l->records));
  }
  for (int64_t i = 0; i < n; i++) {
    SOL_TRY (sol_broker_get (l->p.broker, l->batch, &l->row[i], l->records + at));
    SOL_TRY (sol_rollout_open (l->records + at, (size_t) l->row[i].bytes, &l->group[i]));
    SOL_TRY (check_versions (l, &l->group[i]));
    if (l->stats) l->generated[i] = sol_rollout_generated (&l->group[i]);
    if (l->p.record && l->rank == 0) SOL_TRY (sol_record_check (l->p.record, &l->group[i]));
    SOL_TRY (check_group (l, i));
    at += ((size_t) l->row[i].bytes + 7) & ~(size_t) 7;
  }
  if (l->penalty) memset (l->penalty, 0, (size_t) (n * l->c->group) * sizeof *l->penalty);
  return sol_learner_advantages (l);
}

/* the columns that the record gives, for one response */
static void fill (sol_learner_t *l, const sol_rollout_t *g, int32_t s, int64_t from, float adv, int64_t n_before)
{
  sol_columns_t *k = &l->col;
  int32_t run = 0;
  for (int32_t t = 0; t < g->len[s]; t++) {
    int64_t i = k->n++, at = from + t;
    SOL_ASSERT (i < k->room);
    while (at >= (int64_t) g->runs[run].first_token + g->runs[run].n_tokens) run++;
    k->seq[i] = (int64_t) g->ticket * l->c->group + s;
    k->src[i] = n_before + t;
    k->position[i] = t;
    k->token[i] = g->ids[at];
    k->version[i] = (int32_t) g->runs[run].version;
    k->lp_behav[i] = g->lp[at];
    k->entropy_behav[i] = g->entropy ? g->entropy[at] : NAN;
    if (k->lp_raw) k->lp_raw[i] = g->raw_lp ? g->raw_lp[at] : NAN;
    if (k->lp_check) k->lp_check[i] = g->lp_check[at];
    k->adv[i] = adv;
  }
}

void sol_learner_cut (sol_learner_t *l, int64_t mini)
{
  int64_t groups = sol_learner_groups (l), g0 = mini * groups, per = l->c->group, n_seq = groups * per;
  int first = l->opt->first_of[l->rank], end = l->opt->first_of[l->rank + 1];
  for (int64_t i = 0; i < n_seq; i++) l->len[i] = l->group[g0 + i / per].len[i % per];
  SOL_ASSERT (n_seq > 0);
  memset (l->dropped, 0, (size_t) n_seq);
  sol_leaf_assign (l->len, n_seq, l->opt->n_leaves, l->leaf);
  l->n_segments = 0;
  l->col.n = 0;
  for (int64_t i = 0; i < n_seq; i++) {
    const sol_rollout_t *g = &l->group[g0 + i / per];
    int32_t s = (int32_t) (i % per), group = (int32_t) (g0 + i / per);
    sol_segment_t *seg = l->n_segments ? &l->segment[l->n_segments - 1] : NULL;
    int64_t from = 0;
    if (l->leaf[i] < first || l->leaf[i] >= end) continue;
    if (!seg || seg->group != group || l->segment_leaf[l->n_segments - 1] != l->leaf[i]) {
      l->segment_leaf[l->n_segments] = l->leaf[i];
      seg = &l->segment[l->n_segments++];
      *seg = (sol_segment_t){ .group = group, .first = s, .rows = g->n_prompt, .token = l->col.n };
    }
    for (int32_t j = 0; j < s; j++) from += g->len[j];
    seg->n++;
    seg->rows += g->len[s] - 1;
    seg->n_tokens += g->len[s];
    fill (l, g, s, from, l->adv[(g0 + i / per) * per + s], l->col.n);
  }
}
