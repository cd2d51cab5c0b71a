/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/need.h"
#include "solera/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *name, *settings; } parts[SOL_NEED_COUNT] = {
  [SOL_NEED_WEIGHTS] = { "weights", "the model's sizes, model.dtype" },
  [SOL_NEED_MASTER] = { "master weights", "the model's sizes, the number of learners" },
  [SOL_NEED_MOMENTS] = { "moments", "the model's sizes, the number of learners" },
  [SOL_NEED_GRADIENTS] = { "gradients", "the model's sizes, learner.leaves" },
  [SOL_NEED_EXCHANGE] = { "gradient exchange", "the model's sizes, the number of learners, learner.leaves" },
  [SOL_NEED_WHOLE] = { "whole master at start and end", "the model's sizes" },
  [SOL_NEED_ACTIVATIONS] = { "activations", "train.micro_batch_tokens" },
  [SOL_NEED_REFERENCE] = { "reference", "kl.reference, the sizes of the reference, train.micro_batch_tokens" },
  [SOL_NEED_CACHE] = { "keys and values", "actor.kv_tokens, actor.slots, rollout.max_prompt, rollout.max_tokens" },
  [SOL_NEED_DECODING] = { "decoding", "actor.slots, rollout.max_prompt" },
  [SOL_NEED_BATCH] = { "batch", "batch.prompts, batch.group, rollout.max_tokens" },
  [SOL_NEED_WINDOW] = { "window", "the model's sizes, train.updates, broker.slots, the number of brokers" },
  [SOL_NEED_LIBRARY] = { "library workspace", "nothing that can be set" },
};

static uint64_t plus (uint64_t a, uint64_t b) { return a + b < a ? UINT64_MAX : a + b; }

void sol_need_add (sol_need_t *n, sol_need_part_t part, uint64_t bytes) { n->part[part] = plus (n->part[part], bytes); }
void sol_need_pin (sol_need_t *n, sol_need_part_t part, uint64_t bytes, int device)
{
  sol_need_add (n, part, bytes);
  if (device) n->pinned = plus (n->pinned, bytes);
}
void sol_need_grow (sol_need_t *n, uint64_t bytes) { n->grows = plus (n->grows, bytes); }

void sol_need_sum (sol_need_t *n, const sol_need_t *more)
{
  for (int i = 0; i < SOL_NEED_COUNT; i++) sol_need_add (n, (sol_need_part_t) i, more->part[i]);
  sol_need_grow (n, more->grows);
  n->pinned = plus (n->pinned, more->pinned);
}

uint64_t sol_need_total (const sol_need_t *n)
{
  uint64_t sum = 0;
  for (int i = 0; i < SOL_NEED_COUNT; i++) sum = plus (sum, n->part[i]);
  return sum;
}

sol_need_part_t sol_need_largest (const sol_need_t *n)
{
  int most = 0;
  for (int i = 1; i < SOL_NEED_COUNT; i++)
    if (n->part[i] > n->part[most]) most = i;
  return (sol_need_part_t) most;
}

const char *sol_need_name (sol_need_part_t part) { return parts[part].name; }
const char *sol_need_settings (sol_need_part_t part) { return parts[part].settings; }

static double mib (uint64_t bytes) { return (double) bytes / 1048576; }

void sol_need_text (const sol_need_t *n, sol_buffer_t *out)
{
  int listed = 0;
  sol_buffer_printf (out, "%.1f MiB:", mib (sol_need_total (n)));
  for (int i = 0; i < SOL_NEED_COUNT; i++)
    if (n->part[i]) sol_buffer_printf (out, "%s %s %.1f", listed++ ? "," : "", parts[i].name, mib (n->part[i]));
  if (n->pinned) sol_buffer_printf (out, "; %.1f of it pinned", mib (n->pinned));
  if (n->grows) sol_buffer_printf (out, "; up to %.1f more when groups have full length", mib (n->grows));
}

/* a number of a small text file: behind key, or the first of the file; 0: none ("max" too) */
static uint64_t number_of (const char *path, const char *key)
{
  char line[256];
  unsigned long long x = 0;
  FILE *f = fopen (path, "re");
  while (f && fgets (line, sizeof line, f)) {
    if (key && strncmp (line, key, strlen (key)) != 0) continue;
    if (sscanf (line + (key ? strlen (key) : 0), "%llu", &x) != 1) x = 0;
    break;
  }
  if (f) fclose (f);
  return x;
}

/* the smallest limit on the way from a control group to its root; 0: none */
static uint64_t group_limit (const char *root, char *group, const char *file)
{
  uint64_t least = 0;
  for (;;) {
    char path[1024];
    snprintf (path, sizeof path, "%s%s/%s", root, group, file);
    const uint64_t x = number_of (path, NULL);
    if (x && (!least || x < least)) least = x;
    char *slash = strrchr (group, '/');
    if (!slash) return least;
    *slash = 0;
  }
}

/* version 2 has one line "0::/a/b", version 1 one with the controller's name, "4:memory:/a/b" */
static uint64_t control_group (void)
{
  char line[512];
  uint64_t least = 0;
  FILE *f = fopen ("/proc/self/cgroup", "re");
  while (f && fgets (line, sizeof line, f)) {
    char *first = strchr (line, ':'), *second = first ? strchr (first + 1, ':') : NULL;
    uint64_t x = 0;
    if (!second) continue;
    second[strcspn (second, "\n")] = 0;
    *second = 0;
    if (second == first + 1) x = group_limit ("/sys/fs/cgroup", second + 1, "memory.max");
    else if (strcmp (first + 1, "memory") == 0) x = group_limit ("/sys/fs/cgroup/memory", second + 1, "memory.limit_in_bytes");
    if (x && (!least || x < least)) least = x;
  }
  if (f) fclose (f);
  return least;
}

sol_machine_t sol_machine_memory (void)
{
  const uint64_t group = control_group ();
  sol_machine_t m = { number_of ("/proc/meminfo", "MemTotal:") * 1024, number_of ("/proc/meminfo", "MemAvailable:") * 1024, "physical memory" };
  if (group && (!m.limit || group < m.limit)) {
    m.limit = group;
    m.what = "the control group's limit";
  }
  if (m.limit && m.available > m.limit) m.available = m.limit;
  return m;
}
