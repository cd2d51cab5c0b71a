/* SPDX-License-Identifier: Apache-2.0 */
/* plan_json.c: a plan for programs: {"model", "device", "plans": [...]}; bytes are exact integers. */
#include "info.h"
#include "plan.h"

static void add_need (cJSON *o, const char *name, const sol_need_t *n)
{
  cJSON *x = cJSON_AddObjectToObject (o, name);
  sol_info_int (x, "total", (int64_t) sol_need_total (n));
  sol_info_int (x, "grows", (int64_t) n->grows);
  if (n->pinned) sol_info_int (x, "pinned", (int64_t) n->pinned);
  cJSON *parts = cJSON_AddObjectToObject (x, "parts");
  for (int i = 0; i < SOL_NEED_COUNT; i++)
    if (n->part[i]) sol_info_int (parts, sol_need_name ((sol_need_part_t) i), (int64_t) n->part[i]);
}

static void add_room (cJSON *o, const sol_plan_room_t *r)
{
  sol_info_int (o, "room", (int64_t) r->room);
  sol_info_int (o, "missing", (int64_t) r->over);
  sol_info_string (o, "fit", sol_plan_fit_name (r->fit));
}

static void add_role (cJSON *plan, const char *name, int n, const sol_plan_role_t *r)
{
  cJSON *o = cJSON_AddObjectToObject (plan, name);
  sol_info_int (o, "ranks", n);
  add_need (o, "device", &r->need.device);
  add_need (o, "host", &r->need.host);
  add_room (o, &r->device);
}

static void add_work (cJSON *o, const char *name, const sol_work_t *w)
{
  cJSON *x = cJSON_AddObjectToObject (o, name);
  cJSON_AddNumberToObject (x, "seconds", sol_work_seconds (w));
  for (int k = 0; k < SOL_PAPER_CLASSES; k++) {
    const sol_paper_sum_t *s = &w->sum[k];
    if (s->calls == 0) continue;
    cJSON *c = cJSON_AddObjectToObject (x, sol_paper_class ((sol_paper_class_t) k));
    sol_info_int (c, "ops", s->calls);
    cJSON_AddNumberToObject (c, "flop", s->flops);
    cJSON_AddNumberToObject (c, "bytes", s->bytes);
    cJSON_AddNumberToObject (c, "seconds", sol_paper_seconds (s));
    cJSON_AddNumberToObject (c, "by_flop", s->compute_s);
    cJSON_AddNumberToObject (c, "by_bytes", s->memory_s);
    cJSON_AddNumberToObject (c, "by_launch", s->launch_s);
  }
}

static void add_transfer (cJSON *o, const char *name, const sol_transfer_t *t)
{
  cJSON *x = cJSON_AddObjectToObject (o, name);
  cJSON_AddNumberToObject (x, "seconds", t->s);
  cJSON_AddNumberToObject (x, "bytes", t->bytes);
  cJSON_AddNumberToObject (x, "rate", t->rate);
}

static void add_generation (cJSON *plan, const sol_generation_t *g)
{
  cJSON *o = cJSON_AddObjectToObject (plan, "generation");
  cJSON_AddNumberToObject (o, "seconds", g->total_s);
  sol_info_int (o, "prompts", g->prompts);
  sol_info_int (o, "responses", g->responses);
  add_transfer (o, "fetch", &g->fetch);
  add_work (o, "install", &g->install);
  add_work (o, "prefill", &g->prefill);
  add_work (o, "decode", &g->decode);
}

static void add_training (cJSON *plan, const sol_training_t *t)
{
  cJSON *o = cJSON_AddObjectToObject (plan, "training");
  cJSON_AddNumberToObject (o, "seconds", t->total_s);
  sol_info_int (o, "updates", t->updates);
  cJSON_AddNumberToObject (o, "update_seconds", t->update_s);
  add_work (o, "forward", &t->forward);
  add_work (o, "backward", &t->backward);
  add_transfer (o, "reduce", &t->reduce);
  add_work (o, "optimizer", &t->optimizer);
  add_transfer (o, "share", &t->share);
  add_transfer (o, "to_host", &t->get);
  add_transfer (o, "publish", &t->publish);
}

static void add_plan (cJSON *plans, const sol_plan_t *p)
{
  cJSON *o = cJSON_CreateObject (), *host;
  cJSON_AddItemToArray (plans, o);
  sol_info_int (o, "devices", p->devices);
  sol_info_int (o, "hosts", p->hosts);
  sol_info_string (o, "fit", sol_plan_fit_name (p->fit));
  if (p->solo) add_role (o, "solo", 1, &p->learner);
  else {
    add_role (o, "actor", p->actors, &p->actor);
    add_role (o, "learner", p->learners, &p->learner);
    add_role (o, "broker", p->brokers, &p->broker);
  }
  host = cJSON_AddObjectToObject (o, "fullest_host");
  sol_info_int (host, "total", (int64_t) p->host_room.need);
  sol_info_int (host, "most", (int64_t) p->host_room.most);
  if (p->host_pinned) sol_info_int (host, "pinned", (int64_t) p->host_pinned);
  add_room (host, &p->host_room);
  if (p->has_generation) add_generation (o, &p->generation);
  if (p->has_training) add_training (o, &p->training);
  if (!(p->period_s > 0)) return;
  cJSON_AddBoolToObject (o, "in_turn", p->in_turn);
  cJSON_AddNumberToObject (o, "batch_seconds", p->period_s);
  cJSON_AddNumberToObject (o, "tokens_per_second", p->tokens_s);
  cJSON_AddNumberToObject (o, "updates_per_hour", p->updates_h);
}

void sol_plan_json (const sol_planner_t *p, const sol_plan_t *plan, int n, sol_buffer_t *out)
{
  cJSON *root = cJSON_CreateObject (), *model = cJSON_AddObjectToObject (root, "model"), *plans;
  sol_info_string (model, "family", p->setup.arch.family);
  sol_info_int (model, "weights", p->setup.table->elements);
  sol_info_int (model, "published_bytes", (int64_t) sol_model_bytes (p->model));
  sol_info_string (root, "backend", sol_backend_describe (p->backend));
  if (p->timed) {
    int rows;
    const sol_accelerator_row_t *row = sol_accelerator_rows (&rows);
    cJSON *device = cJSON_AddObjectToObject (root, "device");
    sol_info_string (device, "name", p->device.name);
    for (int i = 0; i < rows; i++) cJSON_AddNumberToObject (device, row[i].key, *(const double *) (const void *) ((const char *) &p->device + row[i].offset) / row[i].unit);
  }
  plans = cJSON_AddArrayToObject (root, "plans");
  for (int i = 0; i < n; i++) add_plan (plans, &plan[i]);
  char *text = cJSON_Print (root);
  if (text) sol_buffer_printf (out, "%s\n", text);
  cJSON_free (text);
  cJSON_Delete (root);
}
