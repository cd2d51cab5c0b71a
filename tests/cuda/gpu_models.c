/* SPDX-License-Identifier: Apache-2.0 */
/* gpu_models: tokens a second of training and of decoding at the shapes of real models, on one device without ranks: the program's own passes, optimizer and decoder. Weights are drawn.
 *   gpu_models list   the parts, one a line
 *   gpu_models PART   one line; against the rates in GPU_COPY and GPU_PRODUCT (gpu_bench ceilings) and the maker's data sheet. What does not fit into GPU_BYTES is left out, or has fewer layers. */
#include "gpu_model.h"

static double fits (void) { return gpu.bytes > 0 ? 0.93 * gpu.bytes : INFINITY; }

/* as many layers as fit; 0: not even one */
static int32_t most_layers (preset_t p, const pack_t *pack)
{
  int32_t n = p.layers;
  while (n > 0 && bytes_of (p, n, pack) > fits ()) n--;
  return n;
}
static void left_out (const char *what, preset_t p, double bytes)
{
  printf ("%s %s: left out, it needs %.1f GiB of %.1f\n", what, p.name, bytes / 0x1p30, gpu.bytes / 0x1p30);
  if (gpu.json) fprintf (gpu.json, "{\"run\": \"%s\", \"model\": \"%s\", \"left_out\": true, \"bytes\": %.6g}\n", what, p.name, bytes);
}

/* a measured ceiling may be missing: then 0 of it */
static double part_of (double rate, double ceiling) { return ceiling > 0 ? rate / ceiling : 0; }

/* Flops: 6 per parameter that takes part in products and token, 12 per key seen by a query, head and layer (forward once, backward twice; nothing is recomputed but what is said there) */
static void say_training (const sol_model_t *m, preset_t p, int32_t layers, int32_t sequences, int32_t length, double pairs, double s)
{
  const double tokens = (double) sequences * length, flop = 6 * matrix_elements (m) * tokens + 12.0 * p.heads * p.head * layers * pairs, sheet = gpu_sheet_rate ();
  char peak[64] = "this card's data sheet is not known here";
  if (sheet > 0) snprintf (peak, sizeof peak, "%.1f %% of the data sheet's %.0f", 100 * flop / s / sheet, 1e-12 * sheet);
  printf ("training %s, %d of %d layers, %d x %d tokens: %.0f tokens/s, %.1f ms a step, %.1f TFLOP/s: %.1f %% of the measured product rate, %s\n", p.name, layers, p.layers, sequences, length, tokens / s,
          1e3 * s, 1e-12 * flop / s, 100 * part_of (flop / s, gpu.product_rate), peak);
  if (gpu.json)
    fprintf (gpu.json, "{\"run\": \"training\", \"model\": \"%s\", \"layers\": %d, \"of_layers\": %d, \"sequences\": %d, \"length\": %d, \"seconds\": %.6g, \"tokens_per_s\": %.6g, \"flops\": %.6g, \"mfu_measured\": %.4g, \"mfu_sheet\": %.4g}\n",
             p.name, layers, p.layers, sequences, length, s, tokens / s, flop / s, part_of (flop / s, gpu.product_rate), part_of (flop / s, sheet));
}
static void training (preset_t p, int32_t sequences, int32_t length)
{
  sol_model_t *m = NULL;
  trainer_t t = { 0 };
  double s = INFINITY;
  pack_t *pack = pack_drawn (p.vocab, sequences, 1, 1, length, 0);
  const int32_t layers = most_layers (p, pack);
  if (!layers) left_out ("training", p, bytes_of (p, 1, pack));
  else {
    gpu_need (model_make (gpu.backend, p, layers, &m), "a model");
    gpu_need (trainer_make (m, pack, &t), "training");
    for (int i = 0; i < (gpu.small ? 2 : 6); i++) { /* the first step finds the algorithms */
      const double t0 = sol_clock_s ();
      gpu_need (trainer_step (&t, pack, 1e-5), "a training step");
      if (i) s = fmin (s, sol_clock_s () - t0);
    }
    if (!isfinite (t.loss)) gpu.failed = 1, printf ("FAILED training %s: the loss is %g\n", p.name, t.loss);
    say_training (m, p, layers, sequences, length, pack->pairs, s);
    trainer_free (&t);
    sol_model_destroy (m);
  }
  pack_free (pack);
}

/* a step reads every matrix once, every response's keys and values (half of them on average), and a prompt's once for its responses */
static void decoding (preset_t p, int32_t slots, int32_t n_prompt, int32_t n_new)
{
  enum { WARM = 2 }; /* the first step runs op by op, the second makes the graph */
  const int32_t samples = 8, steps = n_new - 1 - WARM;
  sol_model_t *m = NULL;
  if (bytes_of (p, p.layers, NULL) > fits ()) {
    left_out ("decoding", p, bytes_of (p, p.layers, NULL));
    return;
  }
  gpu_need (model_make (gpu.backend, p, p.layers, &m), "a model");
  sol_decoder_t *d = decoder_make (m, slots, n_prompt, n_new, slots / samples, samples);
  double prefill = sol_clock_s ();
  gpu_need (sol_decoder_step (d), "prefill");
  prefill = sol_clock_s () - prefill;
  for (int i = 0; i < WARM; i++) gpu_need (sol_decoder_step (d), "decoding");
  const int64_t before = sol_decoder_tokens (d), replays = sol_decoder_replays (d);
  double s = sol_clock_s ();
  for (int32_t i = 1 + WARM; i < n_new; i++) gpu_need (sol_decoder_step (d), "decoding");
  s = (sol_clock_s () - s) / steps;
  const double made = (double) (sol_decoder_tokens (d) - before) / steps, rows = (double) slots / samples * n_prompt + (double) slots * n_new / 2,
               bytes = 2 * matrix_elements (m) + 4.0 * p.kv * p.head * p.layers * rows;
  if (before != (1 + WARM) * (int64_t) slots || sol_decoder_tokens (d) != (int64_t) slots * n_new) gpu.failed = 1, printf ("FAILED decoding %s: expected a token a sequence and step\n", p.name);
  printf ("decoding %s, %d sequences, %d + %d tokens: %.0f tokens/s, %.3f ms a step, %.1f %% of the copy rate, %lld of %d steps as graphs; prefill %.1f ms\n", p.name, slots, n_prompt, n_new, made / s, 1e3 * s,
          100 * part_of (bytes / s, gpu.copy_rate), (long long) (sol_decoder_replays (d) - replays), steps, 1e3 * prefill);
  if (gpu.json)
    fprintf (gpu.json, "{\"run\": \"decoding\", \"model\": \"%s\", \"sequences\": %d, \"prompt\": %d, \"new\": %d, \"tokens_per_s\": %.6g, \"step_s\": %.6g, \"prefill_s\": %.6g, \"of_copy_rate\": %.4g, \"graphs\": %lld}\n", p.name,
             slots, n_prompt, n_new, made / s, s, prefill, part_of (bytes / s, gpu.copy_rate), (long long) (sol_decoder_replays (d) - replays));
  sol_decoder_destroy (d);
  sol_model_destroy (m);
}

int main (int argc, char **argv)
{
  static const struct { const char *name; int model, slots; } parts[] = { { "training-0.5B", HALF, 0 },   { "training-1.5B", ONE_HALF, 0 },  { "training-7B", SEVEN, 0 },  { "decoding-0.5B-64", HALF, 64 },
                                                                          { "decoding-0.5B-256", HALF, 256 }, { "decoding-1.5B-64", ONE_HALF, 64 }, { "decoding-7B-64", SEVEN, 64 } };
  enum { PARTS = sizeof parts / sizeof *parts };
  const char *want = argc > 1 ? argv[1] : "list";
  int found = 0;
  if (!strcmp (want, "list")) {
    for (int i = 0; i < PARTS; i++) printf ("%s\n", parts[i].name);
    return 0;
  }
  gpu_open ("gpu_models");
  for (int i = 0; i < PARTS; i++) {
    if (strcmp (want, parts[i].name)) continue;
    found = 1;
    if (!parts[i].slots) training (preset (parts[i].model), gpu.small ? 2 : 8, gpu.small ? 16 : 1024);
    else decoding (preset (parts[i].model), gpu.small ? parts[i].slots / 8 : parts[i].slots, gpu.small ? 12 : 512, gpu.small ? 4 : 128);
  }
  if (!found) gpu.failed = 1, printf ("FAILED gpu_models: expected list or a part, found \"%s\"\n", want);
  return gpu_close ();
}
