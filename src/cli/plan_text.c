/* SPDX-License-Identifier: Apache-2.0 */
/* plan_text.c: a plan for people: bytes to the byte, every time with what it is made of. */
#include "plan.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void add_parts (const sol_need_t *n, sol_buffer_t *out)
{
  int listed = 0;
  for (int i = 0; i < SOL_NEED_COUNT; i++)
    if (n->part[i]) sol_buffer_printf (out, "%s %s %" PRIu64, listed++ ? "," : ":", sol_need_name ((sol_need_part_t) i), n->part[i]);
  if (n->pinned) sol_buffer_printf (out, "; %" PRIu64 " of them pinned", n->pinned);
  if (n->grows) sol_buffer_printf (out, "; up to %" PRIu64 " more with groups of full length", n->grows);
  sol_buffer_add (out, "\n", 1);
}

/* what is wrong with it, if anything */
static void add_verdict (const char *what, const sol_plan_room_t *r, const sol_need_t *need, sol_buffer_t *out)
{
  if (r->fit == SOL_PLAN_FITS) return;
  sol_buffer_printf (out, "  %s: %" PRIu64 " bytes are missing%s", what, r->over, r->fit == SOL_PLAN_SHORT ? " once groups have full length" : "");
  if (need) {
    const sol_need_part_t most = sol_need_largest (need);
    if (r->fit == SOL_PLAN_SHORT) sol_buffer_printf (out, " (a group goes through a pass whole: batch.group, rollout.max_prompt, rollout.max_tokens)");
    else sol_buffer_printf (out, "; the largest part is %s, which depends on %s", sol_need_name (most), sol_need_settings (most));
  }
  sol_buffer_add (out, "\n", 1);
}

static void add_role (const char *name, int n, const sol_plan_role_t *r, sol_buffer_t *out)
{
  if (sol_need_total (&r->need.device)) {
    sol_buffer_printf (out, "  %s (%d), on its device: %" PRIu64, name, n, r->device.need);
    add_parts (&r->need.device, out);
  }
  sol_buffer_printf (out, "  %s (%d), on its host: %" PRIu64, name, n, sol_need_total (&r->need.host));
  add_parts (&r->need.host, out);
}

static void add_memory (const sol_planner_t *p, const sol_plan_t *plan, sol_buffer_t *out)
{
  const sol_accelerator_t *d = &p->device;
  sol_buffer_printf (out, "\nmemory in bytes, of the rank of each role that takes most");
  if (d->memory > 0) sol_buffer_printf (out, "; a device has %.0f, %.0f of them are kept for driver and libraries", d->memory, d->reserve);
  sol_buffer_add (out, "\n", 1);
  if (plan->solo) add_role ("solo", 1, &plan->learner, out);
  else {
    add_role ("actors", plan->actors, &plan->actor, out);
    add_role ("learners", plan->learners, &plan->learner, out);
    add_role ("brokers", plan->brokers, &plan->broker, out);
  }
  sol_buffer_printf (out, "  host %d of %d, all its ranks: %" PRIu64 ", at most %" PRIu64, plan->host + 1, plan->hosts, plan->host_room.need, plan->host_room.most);
  if (plan->host_room.room) sol_buffer_printf (out, " of %" PRIu64, plan->host_room.room);
  if (plan->host_pinned) sol_buffer_printf (out, "; %" PRIu64 " of them pinned", plan->host_pinned);
  sol_buffer_printf (out, "\nverdict: %s\n", sol_plan_fit_name (plan->fit));
  add_verdict (plan->solo ? "the device" : "an actor's device", plan->solo ? &plan->learner.device : &plan->actor.device, plan->solo ? &plan->learner.need.device : &plan->actor.need.device, out);
  if (!plan->solo) add_verdict ("a learner's device", &plan->learner.device, &plan->learner.need.device, out);
  add_verdict ("a host", &plan->host_room, NULL, out);
  if (plan->learner.device.fit == SOL_PLAN_LACKS)
    sol_buffer_printf (out, "  published weights and gradients are whole on every learner: neither is cut over devices yet, only master weights and moments are\n");
}

static void add_work (const char *name, const sol_work_t *w, double times, sol_buffer_t *out)
{
  sol_buffer_printf (out, "    %-22s %11.4g s", name, times * sol_work_seconds (w));
  if (times > 1) sol_buffer_printf (out, " (%.0f x %.4g s)", times, sol_work_seconds (w));
  sol_buffer_add (out, "\n", 1);
  for (int k = 0; k < SOL_PAPER_CLASSES; k++) {
    const sol_paper_sum_t *s = &w->sum[k];
    if (s->calls == 0) continue;
    sol_buffer_printf (out, "      %-12s %9" PRId64 " ops %10.4g FLOP %10.4g bytes %10.4g s: by FLOP %.4g, by bytes %.4g, by launch %.4g\n", sol_paper_class ((sol_paper_class_t) k), s->calls, s->flops,
                       s->bytes, sol_paper_seconds (s), s->compute_s, s->memory_s, s->launch_s);
  }
}

static void add_transfer (const char *name, const sol_transfer_t *t, double times, sol_buffer_t *out)
{
  sol_buffer_printf (out, "    %-22s %11.4g s: ", name, times * t->s);
  if (times > 1) sol_buffer_printf (out, "%.0f x ", times);
  sol_buffer_printf (out, "%.4g bytes over %.4g GB/s\n", t->bytes, t->rate / 1e9);
}

static const char *with_room (const sol_plan_role_t *r) { return r->device.fit == SOL_PLAN_LACKS ? " with room for it, which is not there" : ""; }
static void add_generation (const sol_planner_t *p, const sol_plan_t *plan, sol_buffer_t *out)
{
  const sol_generation_t *g = &plan->generation;
  const double tokens = (double) (g->responses * p->config->max_new);
  sol_buffer_printf (out, "  generation %.4g s%s: the actor with most has %" PRId64 " prompts, %" PRId64 " responses, %" PRId64 " at a time; %.4g tokens/s while it decodes\n", g->total_s, with_room (plan->solo ? &plan->learner : &plan->actor), g->prompts,
                     g->responses, g->responses < p->config->slots ? g->responses : p->config->slots, tokens / g->decode_s);
  if (p->config->refill > 0)
    sol_buffer_printf (out, "    if no group is dropped: batch.refill is %" PRId64 ", so decoding may take up to %" PRId64 " times as long\n", p->config->refill, p->config->refill + 1);
  add_transfer ("weights from brokers", &g->fetch, 1, out);
  add_work ("weights to the device", &g->install, 1, out);
  add_work ("prompts, first tokens", &g->prefill, 1, out);
  add_work ("decoding", &g->decode, 1, out);
}

static void add_training (const sol_planner_t *p, const sol_plan_t *plan, sol_buffer_t *out)
{
  const sol_training_t *t = &plan->training;
  const double n = t->updates, flops = sol_work_flops (&t->forward) + sol_work_flops (&t->backward);
  sol_buffer_printf (out, "  training %.4g s%s: %d updates of %.4g s by the learner with most; %.3g of its device's peak\n", t->total_s, with_room (&plan->learner), t->updates, t->update_s, flops / t->update_s / p->device.flops);
  add_work ("forward", &t->forward, n, out);
  add_work ("backward", &t->backward, n, out);
  add_transfer ("gradients, reduced", &t->reduce, n, out);
  add_work ("optimizer", &t->optimizer, n, out);
  add_transfer ("weights, shared", &t->share, n, out);
  add_transfer ("weights to the host", &t->get, 1, out);
  add_transfer ("weights to brokers", &t->publish, 1, out);
}

static const char *limit_of (const sol_plan_t *plan)
{
  return plan->in_turn ? "both, in turn" : plan->generation.total_s > plan->training.total_s ? "generation" : "training";
}

static void add_time (const sol_planner_t *p, const sol_plan_t *plan, sol_buffer_t *out)
{
  const sol_config_t *c = p->config;
  const sol_accelerator_t *d = &p->device;
  sol_buffer_printf (out, "\ntime on paper of a batch: %" PRId64 " prompts of %" PRId64 " tokens, %" PRId64 " responses of %" PRId64 " tokens each, all of full length\n", c->prompts, c->max_prompt, c->group, c->max_new);
  sol_buffer_printf (out, "  rates: %.4g TFLOP/s (%g of %g), %.4g GB/s of memory (%g of %g); between devices %.4g (host) and %.4g (network), to the host %.4g GB/s (%g of %g, %g, %g); no op under %g us\n",
                     d->flops * d->flops_share / 1e12, d->flops_share, d->flops / 1e12, d->hbm * d->hbm_share / 1e9, d->hbm_share, d->hbm / 1e9, d->link * d->link_share / 1e9,
                     d->network * d->link_share / 1e9, d->pcie * d->link_share / 1e9, d->link_share, d->link / 1e9, d->network / 1e9, d->pcie / 1e9, d->launch / 1e-6);
  add_generation (p, plan, out);
  add_training (p, plan, out);
  if (plan->period_s > 0)
    sol_buffer_printf (out, "  a batch takes %.4g s: %.4g response tokens/s, %.4g updates an hour, limited by %s; actors work %.0f %% of the time, learners %.0f %%\n", plan->period_s, plan->tokens_s,
                       plan->updates_h, limit_of (plan), 100 * plan->generation.total_s / plan->period_s, 100 * plan->training.total_s / plan->period_s);
}

static void add_head (const sol_planner_t *p, sol_buffer_t *out)
{
  const sol_arch_t *a = &p->setup.arch;
  sol_buffer_printf (out, "model: %s, %d layers of width %d, %" PRId64 " weights, published as %s (%zu bytes)\nbackend: %s\n", a->family, a->layers, a->width, p->setup.table->elements,
                     p->setup.dtype == SOL_BF16 ? "bf16" : "f32", sol_model_bytes (p->model), sol_backend_describe (p->backend));
}

static void add_cell_gb (const sol_plan_room_t *r, sol_buffer_t *out)
{
  sol_buffer_printf (out, " %15" PRIu64 " |", r->most);
  if (r->over) sol_buffer_printf (out, " %15" PRIu64 " |", r->over);
  else sol_buffer_printf (out, " %15s |", r->room ? "-" : "?");
}
static void add_number (double x, int digits, sol_buffer_t *out)
{
  char text[32];
  if (x > 0) snprintf (text, sizeof text, "%.*f", digits, x);
  else snprintf (text, sizeof text, "-");
  sol_buffer_printf (out, " %8s |", text);
}

/* bytes at full length; speeds of one device while it works; speed of the run */
static void add_table (const sol_planner_t *p, const sol_plan_t *plan, int n, sol_buffer_t *out)
{
  const sol_config_t *c = p->config;
  sol_buffer_printf (out, "\n| devices | actors | learners | actor, at most | bytes missing | learner, at most | bytes missing | an actor's tokens/s | a learner's tokens/s | tokens/s of the run | updates an hour | limited by |\n"
                          "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (int i = 0; i < n; i++) {
    const sol_plan_t *x = &plan[i];
    const double tokens = (double) (c->prompts * c->group * c->max_new);
    sol_buffer_printf (out, "| %2d | %2d | %2d |", x->devices, x->actors, x->learners);
    add_cell_gb (&x->actor.device, out);
    add_cell_gb (&x->learner.device, out);
    add_number (x->has_generation ? (double) (x->generation.responses * c->max_new) / x->generation.decode_s : 0, 0, out);
    add_number (x->has_training ? tokens / x->learners / x->training.total_s : 0, 0, out);
    add_number (x->tokens_s, 0, out);
    add_number (x->updates_h, 1, out);
    sol_buffer_printf (out, " %s |\n", x->fit == SOL_PLAN_LACKS ? "memory" : x->fit == SOL_PLAN_SHORT ? "memory at full length" : x->period_s > 0 ? limit_of (x) : "?");
  }
}

void sol_plan_text (const sol_planner_t *p, const sol_plan_t *plan, int n, int list, sol_buffer_t *out)
{
  add_head (p, out);
  if (list) {
    add_table (p, plan, n, out);
    return;
  }
  if (plan->solo) sol_buffer_printf (out, "1 rank, all roles in turn\n");
  else sol_buffer_printf (out, "%d devices on %d host%s: %d actor%s, %d learner%s; %d broker%s\n", plan->devices, plan->hosts, plan->hosts > 1 ? "s" : "", plan->actors, plan->actors > 1 ? "s" : "", plan->learners,
                          plan->learners > 1 ? "s" : "", plan->brokers, plan->brokers > 1 ? "s" : "");
  add_memory (p, plan, out);
  if (p->timed) add_time (p, plan, out);
  sol_plan_start (p, plan, out);
}
