/* SPDX-License-Identifier: Apache-2.0 */
/* The books of continuous batching: groups queue in the order of put; a free place takes the next response of the first group that still
 * has some; a prompt is prefilled when its first response starts and leaves the cache with its last. Keys and values lie in pages, taken as a sequence grows. No result depends on any of this: only
 * when things are computed does. */
#include "decoder_internal.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <string.h>

#define SAMPLES_MOST 4096

static int32_t pages_for (int64_t rows) { return (int32_t) ((rows + SOL_KV_PAGE - 1) / SOL_KV_PAGE); }

static sol_status_t size_up (sol_decoder_t *d)
{
  const sol_decoder_params_t *p = &d->p;
  /* Prompts of full length for a quarter of the places at once; shorter ones, and responses that share one, need less. */
  const int64_t S = p->slots, prompts = S < 4 ? S : S / 4 < 4 ? 4 : S / 4, own = p->max_new > 1 ? p->max_new - 1 : 1; /* the last token of a response is never a key */
  const int64_t rows = p->max_prompt + S > own ? p->max_prompt + S : own, po = pages_for (own), pp = pages_for (p->max_prompt);
  const int64_t pages = p->kv_rows ? p->kv_rows / SOL_KV_PAGE : prompts * pp + S * po, rest = pages - S * po, quarter = pages / 4 > pp ? pages / 4 : pp, most = rest > quarter ? rest : quarter;
  if (pages > INT32_MAX / SOL_KV_PAGE || rows > INT32_MAX || S * (pp + po) > INT32_MAX / SOL_KV_PAGE)
    return sol_fail (SOL_ERR_LIMIT, "decoder", "%d places of %d prompt and %d new tokens: expected at most 2^31 rows of keys, found %lld",
                     p->slots, p->max_prompt, p->max_new, (long long) (S * (pp + po) * SOL_KV_PAGE));
  int64_t least = po + pp;
  while (least - (least / 4 > pp ? least / 4 : pp) < po) least++;
  if (pages < least)
    return sol_fail (SOL_ERR_LIMIT, "decoder", "keys and values of %lld tokens: expected room for at least one prompt of %d and one response of %d tokens in pages of %d: %lld tokens",
                     (long long) p->kv_rows, p->max_prompt, p->max_new, SOL_KV_PAGE, (long long) least * SOL_KV_PAGE);
  d->n_pages = (int32_t) pages;
  d->prompt_pages = (int32_t) pp;
  d->own_pages = (int32_t) po;
  d->prompt_most = (int32_t) most;
  d->max_rows = (int32_t) rows;
  for (int32_t n = 1; n <= p->slots; n++)
    if (sol_decoder_padded (n) - n > d->pad) d->pad = sol_decoder_padded (n) - n;
  d->max_spans = 2 * p->slots;
  d->inv_temp = 1 / p->temperature;
  return SOL_OK;
}

/* what goes to the backend or comes from it in every step. base NULL: measures */
static void lay_out_host (sol_decoder_t *d, sol_arena_t *a)
{
  const size_t S = (size_t) d->p.slots, T = (size_t) d->max_rows;
  int32_t **tokens[] = { &d->rows.ids, &d->rows.pos, &d->rows.cache_row };
  float **values[] = { &d->host_lp, &d->host_entropy, &d->host_raw };
  for (int i = 0; i < 3; i++) *tokens[i] = sol_arena_take (a, T * sizeof (int32_t));
  for (int i = 0; i < 3; i++) *values[i] = sol_arena_take (a, S * sizeof (float));
  d->rows.spans = sol_arena_take (a, (size_t) d->max_spans * sizeof (sol_span_t));
  d->rows.want = sol_arena_take (a, 2 * S * sizeof (int32_t));
  d->rows.into = sol_arena_take (a, 2 * S * sizeof (int32_t));
  d->page = sol_arena_take (a, S * (size_t) (d->prompt_pages + d->own_pages) * sizeof *d->page);
  d->host_from = sol_arena_take (a, S * sizeof *d->host_from);
  d->host_chosen = sol_arena_take (a, S * sizeof *d->host_chosen);
  d->host_draws = sol_arena_take (a, S * 4 * sizeof *d->host_draws);
}

size_t sol_decoder_need (const sol_model_t *model, const sol_decoder_params_t *params, size_t *cache_p, size_t *pinned_p)
{
  sol_decoder_t d = { .m = (sol_model_t *) (uintptr_t) model, .p = *params };
  sol_arena_t measure = { 0 }, pinned = { 0 };
  if (size_up (&d) != SOL_OK) return SIZE_MAX;
  d.K = sol_alloc ((size_t) model->arch.layers * sizeof *d.K);
  d.V = sol_alloc ((size_t) model->arch.layers * sizeof *d.V);
  sol_decoder_lay_out (&d, &measure);
  sol_free (d.K);
  sol_free (d.V);
  lay_out_host (&d, &pinned);
  *cache_p = d.cache_bytes;
  *pinned_p = pinned.peak;
  return measure.peak;
}

size_t sol_decoder_bytes (const sol_model_t *model, const sol_decoder_params_t *params)
{
  size_t cache, pinned;
  return sol_decoder_need (model, params, &cache, &pinned);
}

static void take_host (sol_decoder_t *d)
{
  const size_t S = (size_t) d->p.slots;
  d->K = sol_alloc ((size_t) d->m->arch.layers * sizeof *d->K);
  d->V = sol_alloc ((size_t) d->m->arch.layers * sizeof *d->V);
  d->list_room = 4 * d->p.slots + 16;
  d->list = sol_alloc ((size_t) d->list_room * sizeof *d->list);
  d->spare = sol_alloc (((size_t) d->list_room + 1) * sizeof *d->spare);
  d->live = sol_alloc (S * sizeof *d->live);
  d->place = sol_alloc (S * sizeof *d->place);
  d->back = sol_alloc (S * sizeof *d->back);
  if (d->m->ops->graph_begin && !d->p.no_graphs) {
    d->layers_graph = sol_alloc ((S + 1) * sizeof (sol_graph_t *));
    d->choose_graph = sol_alloc ((S + 1) * sizeof (sol_graph_t *));
    d->seen_layers = sol_alloc (S + 1);
    d->seen_choose = sol_alloc (S + 1);
  }
  d->changed = sol_alloc (S * sizeof *d->changed);
  d->free_pages = sol_alloc ((size_t) d->n_pages * sizeof *d->free_pages);
  d->free_hidden = sol_alloc (S * sizeof (int32_t));
  d->host_place = sol_alloc (S * sizeof *d->host_place);
  d->host_like = sol_alloc (S * sizeof *d->host_like);
  for (int32_t i = 0; i < d->p.slots; i++) d->free_hidden[d->n_free_hidden++] = 2 * d->p.slots - 1 - i;
  for (int32_t i = 0; i < d->n_pages; i++) d->free_pages[d->n_free_pages++] = d->n_pages - 1 - i; /* the lowest first: neighbours at the beginning */
}

static sol_status_t take_pinned (sol_decoder_t *d)
{
  sol_arena_t measure = { 0 };
  void *mem;
  lay_out_host (d, &measure);
  SOL_TRY (sol_backend_pin (d->m->backend, measure.peak, "the decoder's rows and choices of a step", &mem));
  d->pinned = (sol_arena_t){ .base = mem, .room = measure.peak };
  lay_out_host (d, &d->pinned);
  return SOL_OK;
}

sol_status_t sol_decoder_create (sol_model_t *model, const sol_decoder_params_t *params, sol_decoder_t **decoder_p)
{
  sol_decoder_t *d = sol_alloc (sizeof *d);
  sol_arena_t measure = { 0 };
  sol_status_t st;
  SOL_ASSERT (params->slots > 0 && params->max_prompt > 0 && params->max_new > 0 && params->temperature > 0);
  d->m = model;
  d->p = *params;
  SOL_GO (size_up (d));
  take_host (d);
  SOL_GO (take_pinned (d));
  sol_decoder_lay_out (d, &measure);
  SOL_GO (sol_arena_create (model->backend, measure.peak, "the decoder's keys, values and activations", &d->arena));
  sol_decoder_lay_out (d, &d->arena);
  *decoder_p = d;
  return SOL_OK;
out:
  sol_decoder_destroy (d);
  return st;
}

static void group_free (sol_decoding_t *g)
{
  if (g) sol_free (g->mem);
  sol_free (g);
}

void sol_decoder_destroy (sol_decoder_t *d)
{
  if (!d) return;
  for (int32_t i = 0; i < d->n_list; i++) group_free (d->list[i]);
  for (int32_t i = 0; i < d->n_spare; i++) group_free (d->spare[i]);
  group_free (d->taken);
  for (int32_t i = 0; d->layers_graph && i <= d->p.slots; i++) {
    d->m->ops->graph_destroy (d->m->backend, d->layers_graph[i]);
    d->m->ops->graph_destroy (d->m->backend, d->choose_graph[i]);
  }
  if (d->arena.base) sol_arena_destroy (d->m->backend, &d->arena);
  sol_backend_unpin (d->m->backend, d->pinned.base, d->pinned.room);
  void *all[] = { d->K,           d->V,
                  d->list,        d->spare,
                  d->live,        d->place,
                  d->free_hidden, d->host_place,
                  d->host_like,   d->back,
                  d->changed,     d->free_pages,
                  d->layers_graph, d->choose_graph,
                  d->seen_layers, d->seen_choose,
                  d };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sol_free (all[i]);
}

/* ---- groups */

/* the group last taken is not looked at any more: its memory serves the next put */
static void recycle (sol_decoder_t *d)
{
  if (d->taken) d->spare[d->n_spare++] = d->taken;
  d->taken = NULL;
}

static char *cut (char **at, size_t bytes)
{
  char *p = *at;
  *at += (bytes + 63) / 64 * 64;
  return p;
}

static sol_decoding_t *group_new (sol_decoder_t *d, int32_t n_prompt, int32_t n_samples, int32_t max_new)
{
  sol_decoding_t *g = d->n_spare > 0 ? d->spare[--d->n_spare] : sol_alloc (sizeof *g);
  const size_t S = (size_t) n_samples, tokens = S * (size_t) max_new, need = (size_t) n_prompt * 4 + S * 5 + tokens * 24 + 8 * 64;
  char *at;
  if (g->room < need) {
    sol_free (g->mem);
    g->mem = sol_alloc (need);
    g->room = need;
  }
  at = g->mem;
  g->version = (int64_t *) (void *) cut (&at, tokens * sizeof (int64_t));
  g->lp = (float *) (void *) cut (&at, tokens * sizeof (float));
  g->raw_lp = (float *) (void *) cut (&at, tokens * sizeof (float));
  g->entropy = (float *) (void *) cut (&at, tokens * sizeof (float));
  g->ids = (int32_t *) (void *) cut (&at, tokens * sizeof (int32_t));
  g->prompt = (int32_t *) (void *) cut (&at, (size_t) n_prompt * sizeof (int32_t));
  g->len = (int32_t *) (void *) cut (&at, S * sizeof (int32_t));
  g->finish = (uint8_t *) cut (&at, S);
  g->n_prompt = n_prompt;
  g->n_samples = n_samples;
  g->max_new = max_new;
  g->started = g->finished = 0;
  g->hidden = -1;
  memset (g->len, 0, S * sizeof (int32_t));
  memset (g->finish, 0, S);
  return g;
}

static sol_status_t check_put (const sol_decoder_t *d, const int32_t *prompt, int32_t n_prompt, int32_t n_samples, int32_t max_new)
{
  const sol_arch_t *c = &d->m->arch;
  if (n_prompt < 1 || n_prompt > d->p.max_prompt)
    return sol_fail (SOL_ERR_LIMIT, "decoder", "prompt: expected 1 to %d tokens, found %d", d->p.max_prompt, n_prompt);
  if (n_samples < 1 || n_samples > SAMPLES_MOST)
    return sol_fail (SOL_ERR_LIMIT, "decoder", "responses of a prompt: expected 1 to %d, found %d", SAMPLES_MOST, n_samples);
  if (max_new < 1 || max_new > d->p.max_new)
    return sol_fail (SOL_ERR_LIMIT, "decoder", "tokens of a response: expected 1 to %d, found %d", d->p.max_new, max_new);
  if (n_prompt + (int64_t) max_new > c->context)
    return sol_fail (SOL_ERR_LIMIT, "decoder", "a prompt of %d tokens and %d new ones: expected at most %d together, the model's context",
                     n_prompt, max_new, c->context);
  for (int32_t i = 0; i < n_prompt; i++)
    if (prompt[i] < 0 || prompt[i] >= c->vocab)
      return sol_fail (SOL_ERR_FORMAT, "decoder", "prompt token %d: expected an id under %d, found %d", i, c->vocab, prompt[i]);
  return SOL_OK;
}

sol_status_t sol_decoder_put (sol_decoder_t *d, uint64_t group, uint64_t tag, const int32_t *prompt, int32_t n_prompt, int32_t n_samples,
                              int32_t max_new)
{
  sol_decoding_t *g;
  SOL_TRY (check_put (d, prompt, n_prompt, n_samples, max_new));
  if (d->n_list == d->list_room) return SOL_AGAIN;
  if (d->running + d->waiting >= d->p.slots && d->waiting + n_samples > 2 * d->p.slots) return SOL_AGAIN;
  recycle (d);
  g = group_new (d, n_prompt, n_samples, max_new);
  g->group = group;
  g->tag = tag;
  memcpy (g->prompt, prompt, (size_t) n_prompt * sizeof *prompt);
  d->list[d->n_list++] = g;
  d->waiting += n_samples;
  return SOL_OK;
}

sol_status_t sol_decoder_take (sol_decoder_t *d, sol_group_out_t *o)
{
  for (int32_t i = 0; i < d->n_list; i++) {
    sol_decoding_t *g = d->list[i];
    if (g->finished < g->n_samples) continue;
    recycle (d);
    memmove (d->list + i, d->list + i + 1, (size_t) (d->n_list - i - 1) * sizeof *d->list);
    d->n_list--;
    d->taken = g;
    *o = (sol_group_out_t){ .group = g->group,
                            .tag = g->tag,
                            .n_prompt = g->n_prompt,
                            .n_samples = g->n_samples,
                            .prompt = g->prompt,
                            .len = g->len,
                            .finish = g->finish,
                            .stride = g->max_new,
                            .ids = g->ids,
                            .lp = g->lp,
                            .raw_lp = g->raw_lp,
                            .entropy = g->entropy,
                            .version = g->version };
    return SOL_OK;
  }
  return SOL_AGAIN;
}

/* ---- places and regions of the cache */

static int32_t own_page (const sol_decoder_t *d, int32_t place) { return d->p.slots * d->prompt_pages + place * d->own_pages; }
static int32_t own_row (const sol_decoder_t *d, int32_t place) { return own_page (d, place) * SOL_KV_PAGE; }
static int32_t prompt_page (const sol_decoder_t *d, const sol_decoding_t *g) { return (g->hidden - d->p.slots) * d->prompt_pages; }
static int32_t prompt_row (const sol_decoder_t *d, const sol_decoding_t *g) { return prompt_page (d, g) * SOL_KV_PAGE; }

static void take_page (sol_decoder_t *d, int32_t at)
{
  d->page[at] = d->free_pages[--d->n_free_pages];
  if (d->n_changed < d->p.slots) d->changed[d->n_changed] = at;
  d->n_changed++;
}
static void give_pages (sol_decoder_t *d, int32_t at, int32_t n)
{
  while (n-- > 0) d->free_pages[d->n_free_pages++] = d->page[at + n];
}

/* 0: no room now */
static int place_prompt (sol_decoder_t *d, sol_decoding_t *g)
{
  const int32_t n = pages_for (g->n_prompt);
  if (n > d->n_free_pages || d->used_by_prompts + n > d->prompt_most) return 0;
  SOL_ASSERT (d->n_live < d->p.slots && d->n_free_hidden > 0);
  d->live[d->n_live++] = g;
  d->used_by_prompts += n;
  g->hidden = d->free_hidden[--d->n_free_hidden];
  for (int32_t i = 0; i < n; i++) take_page (d, prompt_page (d, g) + i);
  return 1;
}

static void leave_prompt (sol_decoder_t *d, sol_decoding_t *g)
{
  int32_t i = 0;
  while (d->live[i] != g) i++;
  d->live[i] = d->live[--d->n_live];
  give_pages (d, prompt_page (d, g), pages_for (g->n_prompt));
  d->used_by_prompts -= pages_for (g->n_prompt);
  d->free_hidden[d->n_free_hidden++] = g->hidden;
  g->hidden = -1;
}

static sol_status_t add_prompt (sol_decoder_t *d, const sol_decoding_t *g)
{
  return sol_decoder_add (d, g->prompt, g->n_prompt, 0, prompt_row (d, g), 0, 0, g->hidden);
}

/* the sequence of place i loses its pages and waits; its tokens stay */
static void put_back (sol_decoder_t *d, int32_t i)
{
  sol_place_t *s = &d->place[i];
  int32_t k = d->n_back++;
  give_pages (d, own_page (d, i), s->pages);
  s->pages = 0;
  for (; k > 0 && d->back[k - 1].born > s->born; k--) d->back[k] = d->back[k - 1];
  d->back[k] = *s;
  s->g = NULL;
  d->running--;
  d->waiting++;
  d->n_put_back++;
}

/* every running sequence has pages for the key that this step adds, or has been put back, the youngest first: the oldest always goes on */
static void make_room (sol_decoder_t *d)
{
  for (int32_t i = 0; i < d->p.slots; i++) {
    sol_place_t *s = &d->place[i];
    while (s->g && s->pages < pages_for (s->n)) {
      int32_t young = i;
      if (d->n_free_pages > 0) { take_page (d, own_page (d, i) + s->pages++); continue; }
      for (int32_t k = 0; k < d->p.slots; k++)
        if (d->place[k].g && d->place[k].pages > 0 && d->place[k].born > d->place[young].born) young = k;
      put_back (d, young);
    }
  }
}

/* sequences that were put back come first: all their keys but the last are computed anew, and the last token as in every step. 0: no room now */
static int go_on (sol_decoder_t *d, int32_t i, sol_status_t *st)
{
  sol_place_t s = d->back[0];
  const int32_t n = pages_for (s.n);
  if (d->n_free_pages < n + d->running) return 0; /* not to be put back at once */
  for (; s.pages < n; s.pages++) take_page (d, own_page (d, i) + s.pages);
  d->place[i] = s;
  memmove (d->back, d->back + 1, (size_t) --d->n_back * sizeof *d->back);
  d->waiting--;
  d->running++;
  *st = sol_decoder_add (d, s.g->ids + (int64_t) s.sample * s.g->max_new, s.n, s.g->n_prompt, own_row (d, i), prompt_row (d, s.g), s.g->n_prompt, i);
  return 1;
}

/* are there pages for another response to begin with, where not every place has its own? */
static int may_start (const sol_decoder_t *d)
{
  return d->n_pages - d->prompt_most >= d->p.slots * d->own_pages || d->running == 0 || d->n_free_pages > d->running;
}

/* free places take the next responses, in order */
static sol_status_t fill (sol_decoder_t *d)
{
  int32_t next = 0;
  for (int32_t i = 0; i < d->p.slots && d->waiting > 0; i++) {
    sol_decoding_t *g;
    sol_status_t st = SOL_OK;
    if (d->place[i].g) continue;
    if (d->n_back > 0) {
      if (!go_on (d, i, &st)) return SOL_OK;
      SOL_TRY (st);
      continue;
    }
    while (d->list[next]->started == d->list[next]->n_samples) next++;
    g = d->list[next];
    if (!may_start (d)) return SOL_OK;
    if (g->hidden < 0) {
      if (!place_prompt (d, g)) return SOL_OK;
      SOL_TRY (add_prompt (d, g));
    }
    d->place[i] = (sol_place_t){ .g = g, .sample = g->started++, .born = d->n_born++ };
    d->waiting--;
    d->running++;
  }
  return SOL_OK;
}

/* rows of the head: one for every running sequence, the first tokens of a group sharing theirs. Returns how many are distinct. */
static int32_t list_heads (sol_decoder_t *d)
{
  int32_t distinct = 0, n = 0;
  for (int32_t i = 0; i < d->n_live; i++) d->live[i]->head_row = -1;
  for (int32_t i = 0; i < d->p.slots; i++) {
    sol_place_t *s = &d->place[i];
    if (!s->g || (s->n == 0 && s->g->head_row >= 0)) continue;
    if (s->n == 0) s->g->head_row = distinct;
    d->host_from[distinct] = s->n ? i : s->g->hidden;
    d->host_place[distinct++] = i;
  }
  n = distinct;
  for (int32_t i = 0; i < d->p.slots; i++) {
    sol_place_t *s = &d->place[i];
    if (!s->g || s->n || d->host_place[s->g->head_row] == i) continue;
    d->host_like[n] = s->g->head_row;
    d->host_place[n++] = i;
  }
  for (int32_t r = 0; r < n; r++) {
    const sol_place_t *s = &d->place[d->host_place[r]];
    sol_random_counter (s->g->group, d->p.purpose, (uint32_t) s->sample, (uint32_t) s->n, d->host_draws + 4 * r);
  }
  SOL_ASSERT (n == d->running);
  return distinct;
}

/* the token of head row r goes to its sequence; an ended one gives its place back */
static void append (sol_decoder_t *d, int32_t r)
{
  sol_place_t *s = &d->place[d->host_place[r]];
  sol_decoding_t *g = s->g;
  const int64_t first = (int64_t) s->sample * g->max_new, at = first + s->n;
  int finish;
  g->ids[at] = d->host_chosen[r];
  g->lp[at] = d->host_lp[r];
  g->raw_lp[at] = d->host_raw[r];
  g->entropy[at] = d->host_entropy[r];
  g->version[at] = d->version;
  g->len[s->sample] = ++s->n;
  d->tokens++;
  finish = d->p.ends ? d->p.ends (d->p.ends_ctx, g->ids + first, s->n) : 0;
  if (!finish && s->n == g->max_new) finish = SOL_FINISH_LENGTH;
  if (!finish) return;
  g->finish[s->sample] = (uint8_t) finish;
  give_pages (d, own_page (d, d->host_place[r]), s->pages);
  s->g = NULL;
  d->running--;
  if (++g->finished == g->n_samples) leave_prompt (d, g);
}

sol_status_t sol_decoder_step (sol_decoder_t *d)
{
  int32_t distinct, n;
  recycle (d);
  if (d->running + d->waiting == 0) return SOL_AGAIN;
  make_room (d);
  for (int32_t i = 0; i < d->p.slots; i++) {
    const sol_place_t *s = &d->place[i];
    const sol_decoding_t *g = s->g;
    if (g)
      SOL_TRY (sol_decoder_add (d, g->ids + (int64_t) s->sample * g->max_new + s->n - 1, 1, g->n_prompt + s->n - 1,
                                own_row (d, i) + s->n - 1, prompt_row (d, g), g->n_prompt, i));
  }
  SOL_TRY (fill (d));
  SOL_TRY (sol_decoder_flush (d));
  distinct = list_heads (d);
  n = d->running;
  SOL_TRY (sol_decoder_choose (d, n, distinct));
  for (int32_t r = 0; r < n; r++) append (d, r);
  return SOL_OK;
}

int32_t sol_decoder_running (const sol_decoder_t *d) { return d->running + d->waiting; }
int32_t sol_decoder_free_slots (const sol_decoder_t *d)
{
  const int32_t n = d->p.slots - d->running - d->waiting;
  return n > 0 ? n : 0;
}
int64_t sol_decoder_tokens (const sol_decoder_t *d) { return d->tokens; }
int64_t sol_decoder_replays (const sol_decoder_t *d) { return d->n_replays; }
int64_t sol_decoder_put_back (const sol_decoder_t *d) { return d->n_put_back; }

sol_status_t sol_decoder_version (sol_decoder_t *d, int64_t version, int recompute)
{
  d->version = version;
  if (!recompute) return SOL_OK;
  for (int32_t i = 0; i < d->n_live; i++) SOL_TRY (add_prompt (d, d->live[i]));
  for (int32_t i = 0; i < d->p.slots; i++) { /* the last token is not a key yet: the next step brings it */
    const sol_place_t *s = &d->place[i];
    const sol_decoding_t *g = s->g;
    if (g && s->n > 1)
      SOL_TRY (
          sol_decoder_add (d, g->ids + (int64_t) s->sample * g->max_new, s->n - 1, g->n_prompt, own_row (d, i), prompt_row (d, g), g->n_prompt, -1));
  }
  return sol_decoder_flush (d);
}

void sol_decoder_purpose (sol_decoder_t *d, sol_random_purpose_t purpose)
{
  SOL_ASSERT (d->n_live == 0);
  d->p.purpose = purpose;
}
