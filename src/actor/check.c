/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <string.h>

/* the last token of a response is only predicted */
static int32_t most_tokens (const sol_config_t *c) { return (int32_t) (c->max_prompt + c->max_new - 1); }

void sol_actor_check_need (const sol_config_t *c, const sol_model_t *model, sol_needs_t *need)
{
  if (!c->lp_check) return;
  sol_need_add (sol_backend_is_device (sol_model_backend (model)) ? &need->device : &need->host, SOL_NEED_ACTIVATIONS, sol_pass_bytes (model, most_tokens (c), (int32_t) c->max_new, 1, 0));
  sol_need_pin (&need->host, SOL_NEED_BATCH, sol_pass_pinned (model, most_tokens (c), (int32_t) c->max_new, 1, 0), sol_backend_is_device (sol_model_backend (model)));
}

sol_status_t sol_actor_check_open (sol_actor_check_t *k, const sol_config_t *c, sol_model_t *model)
{
  if (!c->lp_check) return SOL_OK;
  k->max_tokens = most_tokens (c);
  k->max_rows = (int32_t) c->max_new;
  k->index = sol_alloc ((size_t) (2 * k->max_tokens + k->max_rows) * sizeof *k->index);
  k->entropy = sol_alloc ((size_t) k->max_rows * sizeof *k->entropy);
  return sol_pass_create (model, k->max_tokens, k->max_rows, 1, 0, &k->pass);
}

void sol_actor_check_close (sol_actor_check_t *k)
{
  sol_pass_destroy (k->pass);
  sol_free (k->index);
  sol_free (k->entropy);
  *k = (sol_actor_check_t){ 0 };
}

sol_status_t sol_actor_check (sol_actor_check_t *k, const sol_config_t *c, const int32_t *prompt, int32_t n_prompt, const int32_t *ids, int32_t n, float *lp)
{
  const int32_t n_tokens = n_prompt + n - 1;
  int32_t *id = k->index, *pos = id + k->max_tokens, *row = pos + k->max_tokens;
  const sol_span_t span = { 0, n_tokens, 0, 0, 0, n_tokens };
  SOL_ASSERT (n > 0 && n_tokens <= k->max_tokens && n <= k->max_rows);
  memcpy (id, prompt, (size_t) n_prompt * sizeof *id);
  memcpy (id + n_prompt, ids, (size_t) (n - 1) * sizeof *id);
  for (int32_t i = 0; i < n_tokens; i++) pos[i] = i;
  for (int32_t i = 0; i < n; i++) row[i] = n_prompt - 1 + i;
  const sol_batch_t batch = { .n_tokens = n_tokens, .n_spans = 1, .n_rows = n, .ids = id, .pos = pos, .spans = &span, .rows = row, .targets = ids };
  return sol_pass_forward (k->pass, &batch, (float) c->temperature, lp, k->entropy, NULL);
}
