/* SPDX-License-Identifier: Apache-2.0 */
/* plan_start.c: the lines that start a planned run. Roles by settings go in the order of ranks (brokers, learners, actors: src/comm/roles.c), so that a host for each rank is all there is to say. */
#include "plan.h"
#include <string.h>

/* as one word of a shell */
static void add_word (const char *word, sol_buffer_t *out)
{
  const size_t plain = strspn (word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./=,:@%");
  if (word[0] && !word[plain]) {
    sol_buffer_printf (out, " %s", word);
    return;
  }
  sol_buffer_add (out, " '", 2);
  for (; *word; word++) sol_buffer_printf (out, *word == '\'' ? "'\\''" : "%c", *word);
  sol_buffer_add (out, "'", 1);
}

/* the program with its settings; the numbers of roles are the plan's */
static void add_command (const sol_planner_t *p, const sol_plan_t *plan, sol_buffer_t *out)
{
  static const char *const roles[] = { "actors=", "learners=", "brokers=", "roles=" };
  sol_buffer_printf (out, " solera train");
  if (p->file) add_word (p->file, out);
  for (int i = 0, k; i < p->n_overrides; i++) {
    for (k = 0; k < 4 && strncmp (p->overrides[i], roles[k], strlen (roles[k])) != 0; k++) {}
    if (k == 4) add_word (p->overrides[i], out);
  }
  if (plan->solo) sol_buffer_printf (out, " roles=solo\n");
  else sol_buffer_printf (out, " brokers=%d learners=%d actors=%d\n", plan->brokers, plan->learners, plan->actors);
}

/* a line a rank: equal neighbours at once */
static void add_ranks (const sol_planner_t *p, const sol_plan_t *plan, sol_role_t role, int n, sol_buffer_t *out)
{
  for (int i = 0, k; i < n; i = k) {
    const int host = sol_plan_host (p, plan, role, i);
    for (k = i + 1; k < n && sol_plan_host (p, plan, role, k) == host; k++) {}
    sol_buffer_printf (out, " yes ${%d} | head -n %d;", host + 1, k - i);
  }
}

void sol_plan_start (const sol_planner_t *p, const sol_plan_t *plan, sol_buffer_t *out)
{
  const int ranks = plan->brokers + plan->learners + plan->actors;
  sol_buffer_printf (out, "\nstart\n ");
  if (plan->solo || plan->hosts == 1) {
    if (!plan->solo) sol_buffer_printf (out, " mpirun -n %d --bind-to none", ranks);
    add_command (p, plan, out);
    return;
  }
  sol_buffer_printf (out, " set --");
  for (int h = 1; h <= plan->hosts; h++) sol_buffer_printf (out, " host%d", h);
  sol_buffer_printf (out, "   # your hosts; in a SLURM job: set -- $(scontrol show hostnames)\n  {");
  add_ranks (p, plan, SOL_ROLE_BROKER, plan->brokers, out);
  add_ranks (p, plan, SOL_ROLE_LEARNER, plan->learners, out);
  add_ranks (p, plan, SOL_ROLE_ACTOR, plan->actors, out);
  sol_buffer_printf (out, " } >ranks.txt   # the host of each rank: brokers, learners, actors\n  mpirun -n %d --map-by seq --hostfile ranks.txt --bind-to none", ranks);
  add_command (p, plan, out);
  sol_buffer_printf (out, "  or, in a SLURM job\n  SLURM_HOSTFILE=ranks.txt srun --mpi=pmix -n %d --distribution=arbitrary", ranks);
  add_command (p, plan, out);
}
