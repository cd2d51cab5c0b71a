/* SPDX-License-Identifier: Apache-2.0 */
/* Protects: the terms of a plan against numbers made by hand for one small case; which division of devices is taken; what does not fit. Bytes of roles: tests/cuda/test_need.c. */
#include "../../src/cli/plan.h"
#include "../tap.h"
#include "solera/log.h"
#include <math.h>
#include <string.h>

/* 4 prompts of 5 tokens, 2 responses of 4 tokens; 2 updates of 2 prompts; 4 places */
enum { L = 2, C = 64, Q = 64, KV = 32, MLP = 80, PROMPTS = 4, GROUP = 2, UPS = 2, PROMPT = 5, NEW = 4, SLOTS = 4 };
static const char yaml[] = "model: {layers: 2, width: 64, heads: 2, kv_heads: 1, mlp: 80}\ntask: {name: chain, steps: 1}\nrollout: {max_prompt: 5, max_tokens: 4}\nactor: {slots: 4}\n"
                           "batch: {prompts: 4, group: 2, updates_per_step: 2}\ntrain: {updates: 4}\nstaleness: {k: 2}\nactors: 1\nlearners: 2\nbrokers: 2\n";
static const double P = C * Q + 2 * C * KV + Q * C + 3.0 * C * MLP; /* of a layer's matrices */
/* a device on which everything takes as long as its bytes, nearly */
static const sol_accelerator_t device = { .name = "test", .memory = 1e9, .reserve = 1e6, .host_memory = 1e9, .devices = 8, .flops = 1e15, .hbm = 1e6, .link = 400, .network = 100, .pcie = 1000,
                                          .flops_share = 1, .hbm_share = 1, .link_share = 0.5 };

static int same (const char *what, double got, double want)
{
  const int good = fabs (got - want) <= 1e-9 * fabs (want);
  if (!good) printf ("# %s: expected %.17g, found %.17g\n", what, want, got);
  return good;
}
static double flops (const sol_work_t *w, sol_paper_class_t kind) { return w->sum[kind].flops; }

static sol_config_t *configure (const char *more)
{
  sol_config_t *c = NULL;
  char text[2048];
  snprintf (text, sizeof text, "%s%s", yaml, more);
  need (sol_config_parse (text, strlen (text), "test", "plan", &c) == SOL_OK);
  return c;
}

static void test_generation (const sol_generation_t *g, double V)
{
  /* two waves of two groups: prompts, then three steps of four rows; the first tokens of a group share a row of the head */
  ok (g->prompts == 4 && g->responses == 8);
  ok (same ("prefill products", flops (&g->prefill, SOL_PAPER_PRODUCTS), 2 * 2 * 2 * PROMPT * L * P));
  ok (same ("prefill attention", flops (&g->prefill, SOL_PAPER_ATTENTION), 2 * 2 * 4 * (1 + 2 + 3 + 4 + 5) * Q * L));
  ok (same ("prefill head", flops (&g->prefill, SOL_PAPER_HEAD), 2 * 2 * 2 * V * C));
  ok (same ("decode products", flops (&g->decode, SOL_PAPER_PRODUCTS), 2 * 3 * 2 * SLOTS * L * P));
  ok (same ("decode attention", flops (&g->decode, SOL_PAPER_ATTENTION), 2 * SLOTS * 4 * (6 + 7 + 8) * Q * L));
  ok (same ("decode head", flops (&g->decode, SOL_PAPER_HEAD), 2 * 3 * 2 * SLOTS * V * C));
  /* keys and values of what is seen, in bf16; queries and results; spans of six numbers */
  ok (same ("decode attention's bytes", g->decode.sum[SOL_PAPER_ATTENTION].bytes, 2 * L * (SLOTS * (6 + 7 + 8) * 2.0 * KV * 2 + 3 * SLOTS * 2 * Q * 2 + 3 * SLOTS * 24)));
  ok (same ("its seconds", g->decode.sum[SOL_PAPER_ATTENTION].memory_s, g->decode.sum[SOL_PAPER_ATTENTION].bytes / 1e6));
}

static void test_training (const sol_training_t *t, double V, double elements)
{
  /* a learner of two has one group of an update: five rows of the prompt and three of each response; four tokens of each are predicted */
  const double rows = PROMPT + GROUP * (NEW - 1), predicted = GROUP * NEW, pairs = 15 + GROUP * (6 + 7 + 8), n = elements;
  ok (t->updates == UPS);
  ok (same ("forward products", flops (&t->forward, SOL_PAPER_PRODUCTS), 2 * rows * L * P) && same ("forward head", flops (&t->forward, SOL_PAPER_HEAD), 2 * predicted * V * C));
  ok (same ("forward attention", flops (&t->forward, SOL_PAPER_ATTENTION), 4 * pairs * Q * L));
  ok (same ("backward products", flops (&t->backward, SOL_PAPER_PRODUCTS), 4 * rows * L * P) && same ("backward head", flops (&t->backward, SOL_PAPER_HEAD), 6 * predicted * V * C));
  ok (same ("backward attention", flops (&t->backward, SOL_PAPER_ATTENTION), 10 * pairs * Q * L));
  /* the block is one chunk, which is the last learner's slice. Squares, AdamW (28), rounding to the published f32; then all learners: matrices to bf16, norms copied */
  const double slice = t->optimizer.sum[SOL_PAPER_OPTIMIZER].bytes - (L * P + V * C) * 6 - (2 * L + 1) * C * 8.0, mine = 4 * n + 8 + 28 * n + 8 * n;
  ok (n < SOL_SUMSQ_CHUNK && same ("optimizer", slice, mine));
  ok (same ("reduce", t->reduce.s, 0.5 * 4 * elements / 200) && same ("share", t->share.s, 0.5 * 4 * elements / 200));
  ok (same ("block to the host", t->get.s, 4 * elements / 500) && same ("to the brokers", t->publish.s, 4 * elements / 50));
  ok (same ("update", t->update_s, sol_work_seconds (&t->forward) + sol_work_seconds (&t->backward) + sol_work_seconds (&t->optimizer) + t->reduce.s + t->share.s));
  ok (same ("batch", t->total_s, UPS * t->update_s + t->get.s + t->publish.s));
}

static void test_terms (void)
{
  sol_config_t *c = configure ("");
  sol_planner_t p;
  sol_plan_t plan;
  need (sol_planner_create (c, &device, &p) == SOL_OK && sol_plan_settings (&p, &plan) == SOL_OK);
  const double V = p.setup.arch.vocab, elements = (double) p.setup.table->elements;
  ok (plan.fit == SOL_PLAN_FITS && plan.devices == 3 && plan.hosts == 1 && plan.has_generation && plan.has_training);
  test_generation (&plan.generation, V);
  test_training (&plan.training, V, elements);
  ok (same ("fetch", plan.generation.fetch.s, 4 * elements / (2 * 50)));
  ok (same ("install", plan.generation.install.sum[SOL_PAPER_TRANSFER].bytes, 4 * elements));
  const double g = plan.generation.total_s, t = plan.training.total_s;
  ok (!plan.in_turn && same ("period", plan.period_s, g > t ? g : t) && same ("speed", plan.tokens_s, PROMPTS * GROUP * NEW / plan.period_s) && same ("updates", plan.updates_h, 3600 * UPS / plan.period_s));
  sol_planner_destroy (&p);
  c->stale_k = 0; /* rollouts of the newest weights only */
  need (sol_planner_create (c, &device, &p) == SOL_OK && sol_plan_settings (&p, &plan) == SOL_OK);
  ok (plan.in_turn && same ("period", plan.period_s, g + t));
  sol_planner_destroy (&p);
  sol_config_destroy (c);
}

/* two micro-batches: the forward is made again in the backward */
static void test_again (void)
{
  sol_config_t *c = configure ("");
  sol_planner_t p;
  sol_plan_t plan;
  c->learners = 1;
  c->micro_batch_tokens = 12;
  need (sol_planner_create (c, &device, &p) == SOL_OK && sol_plan_settings (&p, &plan) == SOL_OK);
  const double rows = 2 * (PROMPT + GROUP * (NEW - 1));
  ok (same ("forward products", flops (&plan.training.forward, SOL_PAPER_PRODUCTS), 2 * rows * L * P));
  ok (same ("backward products", flops (&plan.training.backward, SOL_PAPER_PRODUCTS), (2 + 4) * rows * L * P));
  ok (plan.training.reduce.s == 0 && plan.training.share.s == 0);
  sol_planner_destroy (&p);
  sol_config_destroy (c);
}

static void test_fit (void)
{
  sol_config_t *c = configure ("");
  sol_accelerator_t small = device;
  sol_planner_t p;
  sol_plan_t plan, best = { 0 };
  need (sol_planner_create (c, &device, &p) == SOL_OK && sol_plan_settings (&p, &plan) == SOL_OK);
  const uint64_t learner = plan.learner.device.need;
  ok (plan.learner.device.most == learner && plan.learner.device.room == 999000000 && sol_need_total (&plan.learner.need.device) == learner);
  sol_planner_destroy (&p);
  small.memory = (double) learner + small.reserve; /* just enough */
  need (sol_planner_create (c, &small, &p) == SOL_OK && sol_plan_settings (&p, &plan) == SOL_OK);
  ok (plan.learner.device.fit == SOL_PLAN_FITS && plan.fit == SOL_PLAN_FITS);
  sol_planner_destroy (&p);
  small.memory--; /* a byte less */
  need (sol_planner_create (c, &small, &p) == SOL_OK && sol_plan_settings (&p, &plan) == SOL_OK);
  ok (plan.fit == SOL_PLAN_LACKS && plan.learner.device.over == 1 && plan.actor.device.over == 0 && plan.has_generation && plan.has_training && plan.training.total_s > 0 && plan.period_s == 0);
  sol_planner_destroy (&p);
  c->micro_batch_tokens = 8; /* a group has 11 tokens and goes alone: room at the start, not later */
  need (sol_planner_create (c, &device, &p) == SOL_OK && sol_plan_settings (&p, &plan) == SOL_OK);
  sol_planner_destroy (&p);
  small.memory = (double) plan.learner.device.need + small.reserve;
  need (sol_planner_create (c, &small, &p) == SOL_OK && sol_plan_settings (&p, &plan) == SOL_OK);
  ok (plan.fit == SOL_PLAN_SHORT && plan.learner.device.over == plan.learner.need.device.grows && plan.learner.device.over > 0 && plan.period_s > 0);
  sol_planner_destroy (&p);
  c->micro_batch_tokens = 4096;
  /* of all divisions the fastest */
  need (sol_planner_create (c, &device, &p) == SOL_OK && sol_plan_devices (&p, 5, &best) == SOL_OK);
  int fastest = 1;
  for (int n = 1; n < 5; n++) {
    c->learners = n;
    c->actors = 5 - n;
    need (sol_plan_settings (&p, &plan) == SOL_OK);
    fastest &= plan.tokens_s <= best.tokens_s;
  }
  ok (fastest && best.devices == 5 && best.actors + best.learners == 5);
  ok (sol_plan_devices (&p, 1, &plan) == SOL_ERR_USAGE);
  c->actors = 0;
  ok (sol_plan_settings (&p, &plan) == SOL_ERR_USAGE);
  sol_planner_destroy (&p);
  sol_config_destroy (c);
}

/* one rank with all roles: all bytes together, all time in turn; and no device: bytes on the host, no time */
static void test_solo (void)
{
  sol_config_t *c = configure ("roles: solo\n");
  sol_planner_t p;
  sol_plan_t plan;
  need (sol_planner_create (c, &device, &p) == SOL_OK && sol_plan_settings (&p, &plan) == SOL_OK);
  const sol_need_t *n = &plan.learner.need.device;
  ok (plan.solo && plan.devices == 1 && n->part[SOL_NEED_CACHE] && n->part[SOL_NEED_MASTER] && plan.learner.need.host.part[SOL_NEED_WINDOW]);
  ok (plan.in_turn && same ("period", plan.period_s, plan.generation.total_s + plan.training.total_s));
  sol_planner_destroy (&p);
  need (sol_planner_create (c, NULL, &p) == SOL_OK && sol_plan_settings (&p, &plan) == SOL_OK);
  ok (sol_need_total (&plan.learner.need.device) == 0 && plan.host_room.need == sol_need_total (&plan.learner.need.host) && !plan.has_training && plan.period_s == 0);
  sol_planner_destroy (&p);
  sol_config_destroy (c);
}

/* what a run has beside: a frozen reference costs its learners memory and a forward pass, lp_check its actors */
static void test_beside (void)
{
  sol_config_t *c = configure (""), *more = configure ("kl: {reference: initial}\nlp_check: {record: true}\n");
  sol_planner_t p, q;
  sol_plan_t without, with;
  need (sol_planner_create (c, &device, &p) == SOL_OK && sol_plan_settings (&p, &without) == SOL_OK && sol_planner_create (more, &device, &q) == SOL_OK && sol_plan_settings (&q, &with) == SOL_OK);
  const uint64_t reference = with.learner.need.device.part[SOL_NEED_REFERENCE], check = with.actor.need.device.part[SOL_NEED_ACTIVATIONS];
  ok (reference > sol_model_need (q.model) && without.learner.need.device.part[SOL_NEED_REFERENCE] == 0);
  ok (sol_need_total (&with.learner.need.device) - sol_need_total (&without.learner.need.device) == reference);
  ok (check > 0 && sol_need_total (&with.actor.need.device) - sol_need_total (&without.actor.need.device) == check);
  ok (same ("the reference's forward", flops (&with.training.forward, SOL_PAPER_PRODUCTS), 2 * flops (&without.training.forward, SOL_PAPER_PRODUCTS)));
  ok (same ("the backward's", flops (&with.training.backward, SOL_PAPER_PRODUCTS), flops (&without.training.backward, SOL_PAPER_PRODUCTS)));
  ok (same ("a pass over each response", flops (&with.generation.decode, SOL_PAPER_PRODUCTS) - flops (&without.generation.decode, SOL_PAPER_PRODUCTS), 2.0 * PROMPTS * GROUP * (PROMPT + NEW - 1) * L * P));
  sol_planner_destroy (&p), sol_planner_destroy (&q);
  sol_config_destroy (c), sol_config_destroy (more);
}

int main (void)
{
  sol_log_level ((sol_log_level_t) (SOL_LOG_ERROR + 1));
  test_terms ();
  test_again ();
  test_fit ();
  test_solo ();
  test_beside ();
  return tap_done ();
}
