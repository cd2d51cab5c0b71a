/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h: `solera plan`: memory and time of a run on paper. plan.c asks for memory, plan_time.c for time, plan_text.c and plan_json.c print. */
#ifndef SOL_PLAN_H
#define SOL_PLAN_H
#include "setup.h"
#include "solera/accelerator.h"
#include "solera/paper.h"

/* FITS; SHORT: until groups have full length; LACKS: not even at the start */
typedef enum { SOL_PLAN_FITS, SOL_PLAN_SHORT, SOL_PLAN_LACKS } sol_plan_fit_t;
/* bytes asked for, with what full length may add, and room for them (0: not known); over: what is missing at full length */
typedef struct { uint64_t need, most, room, over; sol_plan_fit_t fit; } sol_plan_room_t;
typedef struct { int rank; sol_needs_t need; sol_plan_room_t device; } sol_plan_role_t; /* the rank of the role that takes most of its device */

typedef struct { sol_paper_sum_t sum[SOL_PAPER_CLASSES]; } sol_work_t;
typedef struct { double bytes, rate, s; } sol_transfer_t;

/* one batch, by the actor that has most of it */
typedef struct {
  int64_t prompts, responses;
  sol_work_t prefill, decode, install; /* install: published weights into the device */
  sol_transfer_t fetch;                /* weights from the brokers, all actors at once */
  double decode_s, total_s;
} sol_generation_t;
/* one batch, by the learner that has most of it; forward, backward, optimizer, reduce and share are of one update */
typedef struct {
  int updates;
  sol_work_t forward, backward, optimizer;
  sol_transfer_t reduce, share, get, publish; /* get, publish: of a batch, by learner 0: the block to the host, and to the brokers */
  double update_s, total_s;
} sol_training_t;

typedef struct {
  int solo, devices, actors, learners, brokers, hosts;
  sol_plan_role_t actor, learner, broker; /* solo: learner is all of it */
  int host;                               /* the host whose ranks take most, and what they take */
  sol_plan_room_t host_room;
  uint64_t host_pinned;                   /* of it */
  sol_plan_fit_t fit; /* the worst */
  int has_generation, has_training; /* predicted, on a device with rates; of a role that does not fit: as with room for it */
  sol_generation_t generation;
  sol_training_t training;
  int in_turn;                         /* generation and training wait for each other */
  double period_s, tokens_s, updates_h; /* 0: not predicted, or a role does not fit */
} sol_plan_t;

/* what plans of one run share */
typedef struct {
  const sol_config_t *config;
  const char *file; /* the settings as the command line had them, for the line that starts the run; NULL: none */
  char *const *overrides;
  int n_overrides;
  sol_setup_t setup;
  sol_accelerator_t device; /* memory 0: not known */
  int timed;
  sol_backend_t *backend;
  sol_model_t *reference;   /* the frozen one, on paper with rates; NULL: none, or measured where it is asked for */
  sol_model_t *model;       /* on paper with rates: created; else measured only */
  sol_work_t install;
  struct sol_plan_seen { int64_t n; void *what; struct sol_plan_seen *next; } *waves, *updates; /* predicted already */
} sol_planner_t;

/* device: NULL: memory only, on the backend that the settings name, of this machine */
sol_status_t sol_planner_create (const sol_config_t *config, const sol_accelerator_t *device, sol_planner_t *planner);
void sol_planner_destroy (sol_planner_t *planner);
/* the roles of the settings */
sol_status_t sol_plan_settings (sol_planner_t *planner, sol_plan_t *plan);
/* so many devices, split into actors and learners so that the run fits and is fastest; where no split fits, the one that lacks least */
sol_status_t sol_plan_devices (sol_planner_t *planner, int devices, sol_plan_t *plan);
/* the host, from 0, of number i of a role: learners fill the hosts first, actors follow, brokers go round */
int sol_plan_host (const sol_planner_t *planner, const sol_plan_t *plan, sol_role_t role, int i);
/* ---- plan_start.c: adds the lines that start the run with its ranks on those hosts */
void sol_plan_start (const sol_planner_t *planner, const sol_plan_t *plan, sol_buffer_t *out);
/* ---- plan_time.c: fills generation, training and what follows; memory is there */
sol_status_t sol_plan_time (sol_planner_t *planner, sol_plan_t *plan);
void sol_planner_forget (sol_planner_t *planner);
double sol_work_seconds (const sol_work_t *work);
double sol_work_flops (const sol_work_t *work);
/* ---- printers. list: several plans of growing size are one table */
void sol_plan_text (const sol_planner_t *planner, const sol_plan_t *plan, int n, int list, sol_buffer_t *out);
void sol_plan_json (const sol_planner_t *planner, const sol_plan_t *plan, int n, sol_buffer_t *out);
const char *sol_plan_fit_name (sol_plan_fit_t fit); /* "fits", "short groups only", "lacks memory" */
#endif
