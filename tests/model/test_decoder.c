/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder against the training pass, bit for bit; and its books: order, places, limits, versions. */
#include "helpers.h"
#include "solera/hash.h"
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

enum { GROUPS = 9 };

/* a response ends on token 3, or after a length that depends on its first token: ragged, but the same everywhere */
static int ends (void *ctx, const int32_t *ids, int32_t n)
{
  (void) ctx;
  if (ids[n - 1] == 3) return SOL_FINISH_EOS;
  return n == 2 + ids[0] % 9 ? SOL_FINISH_STOP : 0;
}

static sol_decoder_params_t params_of (int32_t slots, float temperature)
{
  return (sol_decoder_params_t){ .slots = slots,
                                 .max_prompt = 40,
                                 .max_new = 12,
                                 .temperature = temperature,
                                 .top_p = 1,
                                 .seed = 5,
                                 .purpose = SOL_RANDOM_SAMPLE,
                                 .ends = ends };
}

static void make_prompts (const sol_arch_t *a, kept_t *g)
{
  static const int32_t len[GROUPS] = { 5, 1, 17, 40, 3, 16, 33, 2, 8 }, samples[GROUPS] = { 4, 1, 6, 3, 8, 2, 5, 16, 4 };
  for (int i = 0; i < GROUPS; i++) g[i] = random_group (a, (uint64_t) i, len[i], samples[i], 1);
}

static void keep (const sol_group_out_t *o, kept_t *g)
{
  need (o->n_samples <= 16 && o->stride <= 40);
  *g = (kept_t){ .group = o->group, .tag = o->tag, .n_prompt = o->n_prompt, .n_samples = o->n_samples, .stride = 40 };
  memcpy (g->prompt, o->prompt, (size_t) o->n_prompt * 4);
  memcpy (g->len, o->len, (size_t) o->n_samples * 4);
  memcpy (g->finish, o->finish, (size_t) o->n_samples);
  for (int32_t s = 0; s < o->n_samples; s++)
    for (int32_t t = 0; t < o->len[s]; t++) {
      const int64_t at = (int64_t) s * o->stride + t;
      g->ids[s * 40 + t] = o->ids[at];
      g->lp[s * 40 + t] = o->lp[at];
      g->raw_lp[s * 40 + t] = o->raw_lp[at];
      g->entropy[s * 40 + t] = o->entropy[at];
      g->version[s * 40 + t] = o->version[at];
    }
}

static int64_t generate_put_back;
/* every group through a decoder, as fast as it takes them; out in the order of group */
static void generate (sol_model_t *m, const sol_decoder_params_t *p, const kept_t *in, int n, int32_t max_new, kept_t *out)
{
  sol_decoder_t *d = NULL;
  sol_group_out_t o;
  int put = 0, got = 0;
  sol_status_t st;
  need (sol_decoder_create (m, p, &d) == SOL_OK);
  while (got < n) {
    for (st = SOL_OK; put < n && st == SOL_OK; put += st == SOL_OK)
      st = sol_decoder_put (d, (uint64_t) put, (uint64_t) (put + 100), in[put].prompt, in[put].n_prompt, in[put].n_samples, max_new);
    need (st == SOL_OK || st == SOL_AGAIN);
    need (sol_decoder_step (d) == SOL_OK);
    while (sol_decoder_take (d, &o) == SOL_OK) {
      keep (&o, &out[o.group]);
      got++;
    }
  }
  need (sol_decoder_step (d) == SOL_AGAIN && sol_decoder_running (d) == 0 && sol_decoder_free_slots (d) == p->slots);
  generate_put_back = sol_decoder_put_back (d);
  sol_decoder_destroy (d);
}

static int same_floats (const float *a, const float *b, int64_t n) { return !memcmp (a, b, (size_t) n * sizeof *a); }

static int same_group (const kept_t *a, const kept_t *b)
{
  if (memcmp (a->len, b->len, sizeof a->len) || memcmp (a->finish, b->finish, sizeof a->finish)) return 0;
  for (int32_t s = 0; s < a->n_samples; s++) {
    const int32_t at = s * 40, n = a->len[s];
    if (memcmp (a->ids + at, b->ids + at, (size_t) n * 4) || !same_floats (a->lp + at, b->lp + at, n)
        || !same_floats (a->entropy + at, b->entropy + at, n) || !same_floats (a->raw_lp + at, b->raw_lp + at, n))
      return 0;
  }
  return 1;
}

static pack_t pack;
static float lp[PACK_ROWS], entropy[PACK_ROWS], raw[PACK_ROWS];

/* responses [first, first + n) of the group against rows of the last pass from `row` on; returns rows compared, -1 when a bit differs */
static int32_t compare (const kept_t *g, int32_t first, int32_t n, int32_t row)
{
  int32_t k = row;
  for (int32_t s = first; s < first + n; s++) {
    const int32_t at = s * 40, len = g->len[s];
    if (!same_floats (g->lp + at, lp + k, len) || !same_floats (g->entropy + at, entropy + k, len)
        || !same_floats (g->raw_lp + at, raw + k, len))
      return -1;
    k += len;
  }
  return k - row;
}

/* all groups in one pass; each group alone; each in two parts; each response alone without sharing */
static int pass_equals (sol_model_t *m, float temperature, const kept_t *g)
{
  sol_pass_t *p = NULL;
  int good = 1;
  int32_t row = 0;
  need (sol_pass_create (m, PACK_TOKENS, PACK_ROWS, PACK_SPANS, 0, &p) == SOL_OK);
  pack_clear (&pack);
  for (int i = 0; i < GROUPS; i++) pack_group (&pack, &g[i], 0, g[i].n_samples);
  good &= sol_pass_forward (p, &pack.b, temperature, lp, entropy, raw) == SOL_OK;
  for (int i = 0; i < GROUPS && good; i++) {
    int32_t n = compare (&g[i], 0, g[i].n_samples, row);
    good &= n > 0;
    row += n;
  }
  for (int i = 0; i < GROUPS; i++)
    for (int part = 0; part < 2; part++) {
      const int32_t half = g[i].n_samples / 2, first = part ? half : 0, n = part ? g[i].n_samples - half : half;
      if (n == 0) continue;
      pack_clear (&pack);
      pack_group (&pack, &g[i], first, n);
      good &= sol_pass_forward (p, &pack.b, temperature, lp, entropy, raw) == SOL_OK && compare (&g[i], first, n, 0) > 0;
    }
  for (int i = 0; i < GROUPS; i++) {
    pack_clear (&pack);
    for (int32_t s = 0; s < g[i].n_samples; s++) pack_alone (&pack, &g[i], s);
    good &= sol_pass_forward (p, &pack.b, temperature, lp, entropy, raw) == SOL_OK && compare (&g[i], 0, g[i].n_samples, 0) > 0;
  }
  sol_pass_destroy (p);
  return good;
}

static void test_shape (int i, sol_dtype_t dtype, float temperature)
{
  static kept_t in[GROUPS], first[GROUPS], again[GROUPS];
  static const struct {
    int32_t slots;
    int threads;
    const char *backend;
  } way[] = { { 1, 1, "cpu" }, { 3, 2, "cpu" }, { 64, 3, "cpu" }, { 5, 1, "ref" } };
  const sol_arch_t a = shape (i);
  float *w = random_weights (&a, (uint64_t) i + 1);
  int same = 1, equal = 1;
  make_prompts (&a, in);
  for (size_t k = 0; k < sizeof way / sizeof *way; k++) {
    sol_backend_t *b = backend_of (way[k].backend, way[k].threads);
    sol_model_t *m = model_of (b, &a, dtype, w);
    sol_decoder_params_t p = params_of (way[k].slots, temperature);
    memset (again, 0, sizeof again);
    generate (m, &p, in, GROUPS, 12, k ? again : first);
    for (int g = 0; g < GROUPS && k; g++) same &= same_group (&first[g], &again[g]);
    equal &= pass_equals (m, temperature, first);
    sol_model_destroy (m);
    sol_backend_destroy (b);
  }
  tap_ok (same, "%s %s T=%g: the same responses for 1 to 64 places, 1 to 3 threads, cpu and ref", shape_name (i),
          dtype == SOL_F32 ? "f32" : "bf16", (double) temperature);
  tap_ok (equal, "%s %s T=%g: the pass has the decoder's log-probs and entropies bit for bit, however packed", shape_name (i),
          dtype == SOL_F32 ? "f32" : "bf16", (double) temperature);
  int ragged = 0;
  for (int g = 0; g < GROUPS; g++)
    for (int32_t s = 1; s < first[g].n_samples; s++) ragged += first[g].len[s] != first[g].len[0];
  need (ragged > 0); /* else the test proves little */
  sol_free (w);
}

static uint64_t digest (const kept_t *g)
{
  uint64_t h = 0;
  for (int i = 0; i < GROUPS; i++) h = sol_hash_pair (h, sol_hash_pair (sol_hash (g[i].ids, sizeof g[i].ids), sol_hash_pair (sol_hash (g[i].lp, sizeof g[i].lp), sol_hash (g[i].raw_lp, sizeof g[i].raw_lp))));
  return h;
}

static void test_randomness (void)
{
  static kept_t in[GROUPS], a[GROUPS], b[GROUPS];
  const sol_arch_t arch = shape (0);
  float *w = random_weights (&arch, 3);
  sol_backend_t *be = backend_of ("cpu", 1);
  sol_model_t *m = model_of (be, &arch, SOL_F32, w);
  sol_decoder_params_t p = params_of (8, 1);
  int differ = 0, right = 1;
  make_prompts (&arch, in);
  generate (m, &p, in, GROUPS, 12, a);
  tap_ok (digest (a) == 0x797b9f3c90c075acull, "tokens and log-probs are those of every version before: %#llx", (unsigned long long) digest (a));
  p.temperature = 0.7f;
  generate (m, &p, in, GROUPS, 12, b);
  tap_ok (digest (b) == 0x50f3548acf2a1681ull, "at temperature 0.7 too, and those at temperature 1 beside them: %#llx", (unsigned long long) digest (b));
  p.temperature = 1;
  p.seed = 6;
  generate (m, &p, in, GROUPS, 12, b);
  for (int g = 0; g < GROUPS; g++) differ += !same_group (&a[g], &b[g]);
  ok (differ >= GROUPS - 1);
  p.greedy = 1;
  generate (m, &p, in, GROUPS, 12, a);
  p.greedy = 0;
  p.top_k = 1;
  generate (m, &p, in, GROUPS, 12, b);
  for (int g = 0; g < GROUPS; g++) {
    right &= same_group (&a[g], &b[g]);
    for (int32_t s = 1; s < a[g].n_samples; s++)
      right &= a[g].len[s] == a[g].len[0] && !memcmp (a[g].ids + s * 40, a[g].ids, (size_t) a[g].len[0] * 4);
  }
  tap_ok (right, "greedy and top-k 1 choose the same, for every sample of a group");
  tap_ok (a[0].lp[0] < 0 && a[0].entropy[0] > 0.5f, "greedy records the log-prob of the whole distribution (%g nats, entropy %g)",
          (double) a[0].lp[0], (double) a[0].entropy[0]);
  sol_model_destroy (m);
  sol_backend_destroy (be);
  sol_free (w);
}

/* the token drawn is the inverse CDF of the recorded uniform: frequencies of the first token over many samples follow the distribution */
static void test_frequencies (void)
{
  enum { DRAWS = 4000 };
  const sol_arch_t arch = shape (6);
  float *w = random_weights (&arch, 4), *logits = sol_alloc ((size_t) arch.vocab * sizeof *logits);
  sol_backend_t *be = backend_of ("cpu", 1);
  sol_model_t *m = model_of (be, &arch, SOL_F32, w);
  sol_decoder_params_t p = params_of (64, 1);
  sol_decoder_t *d = NULL;
  sol_pass_t *pass = NULL;
  sol_group_out_t o;
  kept_t g = random_group (&arch, 9, 6, 1, 1);
  int count[64] = { 0 };
  double sum = 0, chi = 0;
  need (sol_decoder_create (m, &p, &d) == SOL_OK && sol_pass_create (m, 64, 64, 8, 0, &pass) == SOL_OK);
  ok (sol_decoder_put (d, 1, 2, g.prompt, 6, DRAWS, 1) == SOL_OK);
  while (sol_decoder_take (d, &o) == SOL_AGAIN) need (sol_decoder_step (d) == SOL_OK);
  for (int s = 0; s < DRAWS; s++) count[o.ids[s]]++;
  ok (o.n_samples == DRAWS && o.stride == 1 && o.finish[0] == SOL_FINISH_LENGTH && o.tag == 2);
  pack_clear (&pack);
  pack_group (&pack, &g, 0, 1);
  need (sol_pass_forward (pass, &pack.b, 1, lp, entropy, NULL) == SOL_OK && sol_pass_logits (pass, 0, logits) == SOL_OK);
  for (int v = 0; v < arch.vocab; v++) sum += exp (logits[v]);
  for (int v = 0; v < arch.vocab; v++) {
    const double e = DRAWS * exp (logits[v]) / sum;
    if (e > 1e-9) chi += (count[v] - e) * (count[v] - e) / (e > 1 ? e : 1);
  }
  tap_ok (chi < 50, "4000 first tokens follow the distribution: chi^2 %.1f for 18 degrees of freedom", chi);
  sol_decoder_destroy (d);
  sol_pass_destroy (pass);
  sol_model_destroy (m);
  sol_backend_destroy (be);
  sol_free (w);
  sol_free (logits);
}

static void quiet (int on)
{
  static int saved = -1;
  if (on) {
    int fd = open ("/dev/null", O_WRONLY);
    fflush (stderr);
    saved = dup (2);
    dup2 (fd, 2);
    close (fd);
  } else {
    dup2 (saved, 2);
    close (saved);
  }
}

/* long responses of any length */
static int ends_late (void *ctx, const int32_t *ids, int32_t n)
{
  (void) ctx;
  return n == 1 + ids[0] * 7 % 39 ? SOL_FINISH_STOP : 0;
}

/* too few pages for all: sequences lose theirs, wait and go on, and nothing shows it */
static void test_pages (const char *backend)
{
  static kept_t in[GROUPS], all[GROUPS], few[GROUPS];
  static const int64_t rows[] = { 6 * 16, 7 * 16 + 5, 11 * 16, 23 * 16 };
  const sol_arch_t arch = shape (4);
  float *w = random_weights (&arch, 8);
  sol_backend_t *be = backend_of (backend, 1);
  sol_model_t *m = model_of (be, &arch, SOL_F32, w);
  sol_decoder_params_t p = params_of (7, 1);
  sol_decoder_t *d = NULL;
  int64_t lost = 0;
  make_prompts (&arch, in);
  p.max_new = 39;
  p.ends = ends_late;
  generate (m, &p, in, GROUPS, 39, all);
  ok (generate_put_back == 0);
  for (int i = 0; i < 4; i++) {
    int same = 1;
    p.kv_rows = rows[i];
    generate (m, &p, in, GROUPS, 39, few);
    lost += generate_put_back;
    for (int g = 0; g < GROUPS; g++) same &= same_group (&all[g], &few[g]);
    tap_ok (same, "%s: room for %d tokens, %d times a sequence was put back: the same bits", backend, (int) rows[i], (int) generate_put_back);
    const size_t less = sol_decoder_bytes (m, &p);
    p.kv_rows = 0;
    ok (less < sol_decoder_bytes (m, &p));
  }
  ok (lost > 10);
  quiet (1);
  p.kv_rows = 6 * 16 - 1; /* a prompt of 3 pages, 3 for its response */
  ok (sol_decoder_create (m, &p, &d) == SOL_ERR_LIMIT && sol_decoder_bytes (m, &p) == SIZE_MAX);
  quiet (0);
  sol_model_destroy (m);
  sol_backend_destroy (be);
  sol_free (w);
}

static void test_books (void)
{
  const sol_arch_t arch = shape (6);
  float *w = random_weights (&arch, 4);
  sol_backend_t *be = backend_of ("cpu", 1);
  sol_model_t *m = model_of (be, &arch, SOL_F32, w);
  sol_decoder_params_t p = params_of (4, 1);
  sol_decoder_t *d = NULL;
  sol_group_out_t o;
  int32_t prompt[64] = { 1, 2, 3 }, bad[1] = { 19 };
  size_t used;
  need (sol_decoder_create (m, &p, &d) == SOL_OK);
  p.ends = NULL;
  ok (sol_decoder_step (d) == SOL_AGAIN && sol_decoder_take (d, &o) == SOL_AGAIN && sol_decoder_free_slots (d) == 4);
  quiet (1);
  ok (sol_decoder_put (d, 0, 0, prompt, 41, 1, 12) == SOL_ERR_LIMIT && sol_decoder_put (d, 0, 0, prompt, 0, 1, 12) == SOL_ERR_LIMIT);
  ok (sol_decoder_put (d, 0, 0, prompt, 3, 4097, 12) == SOL_ERR_LIMIT && sol_decoder_put (d, 0, 0, prompt, 3, 0, 12) == SOL_ERR_LIMIT);
  ok (sol_decoder_put (d, 0, 0, prompt, 3, 1, 13) == SOL_ERR_LIMIT && sol_decoder_put (d, 0, 0, prompt, 3, 1, 0) == SOL_ERR_LIMIT);
  ok (sol_decoder_put (d, 0, 0, bad, 1, 1, 12) == SOL_ERR_FORMAT);
  quiet (0);
  ok (sol_decoder_put (d, 10, 0, prompt, 3, 3, 12) == SOL_OK && sol_decoder_free_slots (d) == 1 && sol_decoder_running (d) == 3);
  ok (sol_decoder_put (d, 11, 0, prompt, 2, 7, 12) == SOL_OK); /* a place is free: it may be more than the queue's length */
  ok (sol_decoder_put (d, 12, 0, prompt, 1, 1, 12) == SOL_AGAIN && sol_decoder_free_slots (d) == 0 && sol_decoder_running (d) == 10);
  used = sol_memory_used ();
  ok (sol_decoder_step (d) == SOL_OK && sol_decoder_tokens (d) == 4);
  for (int k = 0; k < 60 && sol_decoder_running (d) > 0; k++) need (sol_decoder_step (d) == SOL_OK);
  ok (sol_decoder_running (d) == 0 && sol_memory_used () == used);
  ok (sol_decoder_take (d, &o) == SOL_OK && o.group == 10 && o.n_samples == 3);
  ok (sol_decoder_take (d, &o) == SOL_OK && o.group == 11 && o.n_samples == 7 && sol_decoder_take (d, &o) == SOL_AGAIN);
  sol_decoder_destroy (d);
  used = sol_memory_used ();
  p = params_of (4, 1);
  need (sol_decoder_create (m, &p, &d) == SOL_OK);
  ok (sol_decoder_bytes (m, &p) > 4 * 12 * 2 * 2 * 64 * 4 && sol_decoder_bytes (m, &p) < sol_memory_used () - used);
  sol_decoder_destroy (d);
  sol_model_destroy (m);
  sol_backend_destroy (be);
  sol_free (w);
}

/* weights change while sequences run, everything computed anew: tokens after the change are those of the new weights over the whole
 * sequence */
static void test_recompute (int32_t slots)
{
  static kept_t in[GROUPS], out[GROUPS];
  const sol_arch_t arch = shape (4);
  float *w1 = random_weights (&arch, 5), *w2 = random_weights (&arch, 6);
  sol_backend_t *be = backend_of ("cpu", 2);
  sol_model_t *m = model_of (be, &arch, SOL_F32, w1);
  sol_decoder_params_t p = params_of (slots, 1);
  sol_decoder_t *d = NULL;
  sol_group_out_t o;
  sol_pass_t *pass = NULL;
  int good = 1, old_tokens = 0, new_tokens = 0, mixed = 0, got = 0;
  make_prompts (&arch, in);
  need (sol_decoder_create (m, &p, &d) == SOL_OK && sol_pass_create (m, PACK_TOKENS, PACK_ROWS, PACK_SPANS, 0, &pass) == SOL_OK);
  need (sol_decoder_version (d, 41, 0) == SOL_OK);
  for (int g = 0, step = 0; got < GROUPS; step++) {
    while (g < GROUPS && sol_decoder_put (d, (uint64_t) g, 0, in[g].prompt, in[g].n_prompt, in[g].n_samples, 12) == SOL_OK) g++;
    if (step == 4) {
      need (sol_model_set (m, w2) == SOL_OK);
      need (sol_decoder_version (d, 42, 1) == SOL_OK);
    }
    need (sol_decoder_step (d) == SOL_OK);
    while (sol_decoder_take (d, &o) == SOL_OK) {
      keep (&o, &out[o.group]);
      got++;
    }
  }
  for (int which = 0; which < 2; which++) {
    need (sol_model_set (m, which ? w2 : w1) == SOL_OK);
    for (int g = 0; g < GROUPS; g++) {
      int32_t k = 0;
      pack_clear (&pack);
      pack_group (&pack, &out[g], 0, out[g].n_samples);
      need (sol_pass_forward (pass, &pack.b, 1, lp, entropy, NULL) == SOL_OK);
      for (int32_t s = 0; s < out[g].n_samples; s++) {
        mixed += !which && out[g].version[s * 40] != out[g].version[s * 40 + out[g].len[s] - 1];
        for (int32_t t = 0; t < out[g].len[s]; t++, k++) {
          if (out[g].version[s * 40 + t] != 41 + which) continue;
          good &= same_floats (&out[g].lp[s * 40 + t], &lp[k], 1) && same_floats (&out[g].entropy[s * 40 + t], &entropy[k], 1);
          *(which ? &new_tokens : &old_tokens) += 1;
        }
      }
    }
  }
  tap_ok (good && mixed > 0,
          "%d places: after a change of weights with recompute, %d old and %d new tokens have the log-probs of their version (%d responses "
          "have both)",
          slots, old_tokens, new_tokens, mixed);
  sol_decoder_destroy (d);
  sol_pass_destroy (pass);
  sol_model_destroy (m);
  sol_backend_destroy (be);
  sol_free (w1);
  sol_free (w2);
}

int main (void)
{
  for (int i = 0; i < SHAPES; i++) {
    test_shape (i, SOL_F32, 1);
    test_shape (i, SOL_BF16, i % 2 ? 0.7f : 1.3f);
  }
  test_randomness ();
  test_frequencies ();
  test_pages ("cpu");
  test_pages ("ref");
  test_books ();
  test_recompute (3);
  test_recompute (16);
  return tap_done ();
}
