/* SPDX-License-Identifier: Apache-2.0 */
/* terms.c: KL to a reference and the entropy bonus, added to what an objective decided. */
#include "objective_internal.h"
#include "solera/elementary.h"
#include "total.h"
#include <math.h>
#include <string.h>

double sol_kl (int kind, double x)
{
  if (kind == SOL_KL_K1) return x;
  if (kind == SOL_KL_K2) return x * x / 2;
  return sol_exp_exact (-x) - 1 + x;
}

/* f and df / d log pi_theta of one token; x moves with log pi_theta, and so does d */
static void kl_term (const sol_terms_t *terms, double x, double d, double *f, double *g)
{
  const double k = sol_kl (terms->kl, x), slope = terms->kl == SOL_KL_K1 ? 1 : terms->kl == SOL_KL_K2 ? x : 1 - sol_exp_exact (-x);
  const double r = terms->kl_ratio ? sol_exp_exact (d) : 1;
  *f = r * k;
  *g = !terms->kl_ratio ? slope : terms->kl == SOL_KL_K3 ? r * x : r * (k + slope); /* k3 + its slope is x */
}

typedef struct { int64_t kl[SOL_TOTAL_WORDS], entropy[SOL_TOTAL_WORDS]; } sums_t;

static double mean_of (sol_total_t *total, const int64_t *word, int64_t n)
{
  memcpy (total->word, word, sizeof total->word);
  total->n_added = 0;
  return sol_total_round (total) / (double) n;
}

sol_status_t sol_terms_solve (const sol_terms_t *terms, sol_comm_t *comm, const sol_tokens_t *t, const sol_term_columns_t *in, int64_t n_all, double *c, float *c_entropy, sol_term_sums_t *sum_p,
                              sol_refusal_t *refusal_p)
{
  sol_report_t bad = { .why = SOL_WHY_NONE, .seq = INT64_MAX };
  sol_total_t kl = { 0 }, entropy = { 0 };
  const double share = 1.0 / (double) n_all;
  sums_t sums;
  double f, g;
  for (int64_t i = 0; i < t->n; i++) {
    if (in->lp_ref) {
      const float x = in->lp[i] - in->lp_ref[i];
      kl_term (terms, (double) x, (double) t->d[i], &f, &g);
      const double with = c[i] + terms->kl_coef * share * g;
      if (!isfinite (x) || !isfinite (f)) sol_report (&bad, SOL_WHY_REFERENCE, t, i, NAN);
      else if (terms->kl_coef != 0 && !isfinite ((float) with)) sol_report (&bad, SOL_WHY_C, t, i, with);
      sol_total_add (&kl, f);
    }
    if (in->entropy && !isfinite (in->entropy[i])) sol_report (&bad, SOL_WHY_ENTROPY, t, i, NAN);
    if (in->entropy) sol_total_add (&entropy, (double) in->entropy[i]);
  }
  SOL_TRY (sol_report_agree ("kl, entropy", comm, bad, refusal_p));
  sol_total_carry (&kl);
  sol_total_carry (&entropy);
  memcpy (sums.kl, kl.word, sizeof sums.kl);
  memcpy (sums.entropy, entropy.word, sizeof sums.entropy);
  SOL_TRY (sol_comm_sum_i64 (comm, (int64_t *) &sums, sizeof sums / sizeof (int64_t)));
  for (int64_t i = 0; i < t->n; i++) {
    if (in->lp_ref && terms->kl_coef != 0) {
      kl_term (terms, (double) (in->lp[i] - in->lp_ref[i]), (double) t->d[i], &f, &g);
      c[i] = c[i] + terms->kl_coef * share * g + 0.0; /* no -0 */
    }
    if (in->entropy) c_entropy[i] = (float) (-terms->entropy_coef * share);
  }
  *sum_p = (sol_term_sums_t){ .kl = NAN, .entropy = NAN, .loss_kl = NAN, .loss_entropy = NAN };
  if (in->lp_ref) {
    sum_p->kl = mean_of (&kl, sums.kl, n_all);
    sum_p->loss_kl = terms->kl_coef * sum_p->kl;
  }
  if (in->entropy) {
    sum_p->entropy = mean_of (&entropy, sums.entropy, n_all);
    sum_p->loss_entropy = -terms->entropy_coef * sum_p->entropy;
  }
  return SOL_OK;
}
