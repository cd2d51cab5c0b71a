/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c: bytes of each rank, by the functions that a run asks at its start, and which split of devices into actors and learners is best. */
#include "plan.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- what plans share */

/* the backend whose layout counts: CUDA on paper, or a host backend for its own */
static sol_status_t open_backend (const sol_config_t *c, const sol_accelerator_t *device, sol_backend_t **backend_p)
{
  sol_buffer_t name = { 0 };
  char why[512];
  sol_status_t st = SOL_OK;
  sol_setting_choice (sol_setting_find ("backend.name"), c->backend, &name);
  const int is_auto = !strcmp (name.data, "auto");
  if (device || !strcmp (name.data, "cuda") || !strcmp (name.data, "emu") || !strcmp (name.data, "ptx") || (is_auto && sol_backend_can ("cuda", why, sizeof why))) *backend_p = sol_paper_create (device);
  else st = sol_backend_create (is_auto ? "cpu" : name.data, (int) c->threads, NULL, backend_p);
  sol_buffer_free (&name);
  return st;
}

/* the model's own time on the device: weights come in */
static sol_status_t install (sol_planner_t *p)
{
  const char nothing = 0; /* nobody reads it on paper */
  sol_paper_clear (p->backend);
  sol_model_send (p->model, &nothing);
  SOL_TRY (sol_model_sent (p->model));
  for (int k = 0; k < SOL_PAPER_CLASSES; k++) p->install.sum[k] = sol_paper_sum (p->backend, (sol_paper_class_t) k);
  return SOL_OK;
}

sol_status_t sol_planner_create (const sol_config_t *c, const sol_accelerator_t *device, sol_planner_t *p)
{
  sol_status_t st;
  *p = (sol_planner_t){ .config = c, .timed = device != NULL };
  SOL_GO (sol_setup_create (c, NULL, !*c->model_path, &p->setup)); /* a model folder needs no tokenizer here */
  SOL_GO (sol_setup_schedule (c, &p->setup));
  SOL_GO (sol_setup_check (sol_comm_self (), c, &p->setup, 0));
  SOL_GO (open_backend (c, device, &p->backend));
  if (device) {
    p->device = *device;
    SOL_GO (sol_model_create (p->backend, &p->setup.arch, p->setup.dtype, &p->model));
    if (c->kl_reference != SOL_KL_BEHAVIOUR) SOL_GO (sol_model_create (p->backend, &p->setup.reference_arch, p->setup.reference_dtype, &p->reference));
    st = install (p);
  } else {
    p->device.host_memory = (double) sol_machine_memory ().limit;
    p->device.devices = INT32_MAX; /* all ranks here */
    p->model = sol_model_measure (p->backend, &p->setup.arch, p->setup.dtype);
  }
out:
  if (st != SOL_OK) sol_planner_destroy (p);
  return st;
}

void sol_planner_destroy (sol_planner_t *p)
{
  sol_planner_forget (p);
  sol_model_destroy (p->model);
  sol_model_destroy (p->reference);
  if (p->backend) sol_backend_destroy (p->backend);
  sol_setup_destroy (&p->setup);
  p->model = p->reference = NULL;
  p->backend = NULL;
}

/* ---- does it fit? */

static sol_plan_room_t hold (uint64_t need, uint64_t grows, double room)
{
  sol_plan_room_t r = { need, need + grows < need ? UINT64_MAX : need + grows, room > 0 ? (uint64_t) room : 0, 0, SOL_PLAN_FITS };
  if (!r.room || r.most <= r.room) return r;
  r.over = r.most - r.room;
  r.fit = need > r.room ? SOL_PLAN_LACKS : SOL_PLAN_SHORT;
  return r;
}

int sol_plan_host (const sol_planner_t *p, const sol_plan_t *plan, sol_role_t role, int i)
{
  if (role == SOL_ROLE_BROKER) return i % plan->hosts;
  return (int) ((role == SOL_ROLE_ACTOR ? plan->learners + i : i) / p->device.devices);
}

/* the rank of a role that takes most of its device; added to the hosts' bytes */
static sol_status_t ask_role (const sol_planner_t *p, const sol_plan_t *plan, const sol_roles_t *roles, sol_role_t role, int n, sol_needs_t *host, sol_plan_role_t *out)
{
  for (int i = 0; i < n; i++) {
    sol_needs_t need = { 0 };
    SOL_TRY (sol_setup_need (p->config, &p->setup, roles, role, i, role == SOL_ROLE_BROKER ? NULL : p->model, &need));
    sol_need_sum (&host[sol_plan_host (p, plan, role, i)].host, &need.host);
    const sol_plan_room_t d = hold (sol_need_total (&need.device), need.device.grows, p->device.memory - p->device.reserve);
    if (i > 0 && (d.need < out->device.need || (d.need == out->device.need && sol_need_total (&need.host) <= sol_need_total (&out->need.host)))) continue;
    *out = (sol_plan_role_t){ i, need, d };
  }
  return SOL_OK;
}

static sol_plan_fit_t worse (sol_plan_fit_t a, sol_plan_fit_t b) { return a > b ? a : b; }

static sol_status_t ask (const sol_planner_t *p, sol_plan_t *plan)
{
  const sol_roles_t roles = { .n_actors = plan->actors, .n_brokers = plan->brokers, .n_learners = plan->learners };
  sol_needs_t *host;
  sol_status_t st;
  plan->devices = plan->solo ? 1 : plan->actors + plan->learners;
  plan->hosts = (int) ceil (plan->devices / p->device.devices);
  host = sol_alloc ((size_t) plan->hosts * sizeof *host);
  if (plan->solo) SOL_GO (ask_role (p, plan, &roles, SOL_ROLE_SOLO, 1, host, &plan->learner));
  else {
    SOL_GO (ask_role (p, plan, &roles, SOL_ROLE_LEARNER, plan->learners, host, &plan->learner));
    SOL_GO (ask_role (p, plan, &roles, SOL_ROLE_ACTOR, plan->actors, host, &plan->actor));
    SOL_GO (ask_role (p, plan, &roles, SOL_ROLE_BROKER, plan->brokers, host, &plan->broker));
  }
  for (int h = 0; h < plan->hosts; h++) {
    const sol_plan_room_t r = hold (sol_need_total (&host[h].host), host[h].host.grows, p->device.host_memory);
    if (h > 0 && r.most <= plan->host_room.most) continue;
    plan->host = h;
    plan->host_room = r;
    plan->host_pinned = host[h].host.pinned;
  }
  plan->fit = worse (worse (plan->actor.device.fit, plan->learner.device.fit), plan->host_room.fit);
out:
  sol_free (host);
  return st;
}

/* ---- how many of which */

sol_status_t sol_plan_settings (sol_planner_t *p, sol_plan_t *plan)
{
  const sol_config_t *c = p->config;
  *plan = (sol_plan_t){ .solo = c->roles == SOL_ROLES_SOLO, .actors = (int) c->actors, .learners = (int) c->learners, .brokers = (int) c->brokers };
  if (plan->solo) plan->actors = plan->learners = plan->brokers = 1;
  if (plan->actors < 1)
    return sol_fail (SOL_ERR_USAGE, "plan", "actors is 0, which is what brokers and learners leave of the ranks that are started: give actors=N, or the number of devices with --gpus");
  if (sol_backend_is_device (p->backend) && c->leaves > 0 && c->leaves != plan->learners)
    return sol_fail (SOL_ERR_USAGE, "plan", "learner.leaves is %lld with %d learners, but a device sums one leaf a learner: leave it 0 (auto)", (long long) c->leaves, plan->learners);
  SOL_TRY (ask (p, plan));
  return p->timed ? sol_plan_time (p, plan) : SOL_OK;
}

/* is a better than b? Fitting first, then speed, then what is missing */
static int better (const sol_plan_t *a, const sol_plan_t *b)
{
  const uint64_t over_a = a->actor.device.over + a->learner.device.over + a->host_room.over, over_b = b->actor.device.over + b->learner.device.over + b->host_room.over;
  if (a->fit != b->fit) return a->fit < b->fit;
  if (a->fit == SOL_PLAN_LACKS) return over_a < over_b;
  return a->tokens_s > b->tokens_s;
}

sol_status_t sol_plan_devices (sol_planner_t *p, int devices, sol_plan_t *plan)
{
  if (devices < 2) return sol_fail (SOL_ERR_USAGE, "plan", "--gpus: %d: expected at least 2, an actor and a learner", devices);
  for (int learners = 1; learners < devices; learners++) {
    sol_plan_t one = { .actors = devices - learners, .learners = learners, .brokers = (int) p->config->brokers };
    SOL_TRY (ask (p, &one));
    if (learners > 1 && one.fit > plan->fit) continue; /* not worth its time */
    if (p->timed && one.fit != SOL_PLAN_LACKS) SOL_TRY (sol_plan_time (p, &one));
    if (learners == 1 || better (&one, plan)) *plan = one;
  }
  if (p->timed && plan->fit == SOL_PLAN_LACKS) SOL_TRY (sol_plan_time (p, plan)); /* chosen by bytes alone */
  return SOL_OK;
}

const char *sol_plan_fit_name (sol_plan_fit_t fit)
{
  static const char *const name[] = { "fits", "short groups only", "lacks memory" };
  return name[fit];
}
