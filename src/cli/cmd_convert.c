/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/command.h"
#include "solera/config.h"
#include "solera/convert.h"
#include "solera/log.h"
#include <stdio.h>

extern const sol_command_t sol_command_convert;

static sol_status_t convert (const sol_options_t *o, const sol_config_t *c)
{
  sol_buffer_t said = { 0 };
  sol_status_t st;
  if (!c->out[0]) return sol_fail (SOL_ERR_USAGE, "convert", "out: expected the folder to write, found nothing (out=FOLDER)");
  st = sol_convert_gguf (o->args[0], c->out, c->model_dtype, (o->given & SOL_OPTION_FORCE) != 0, &said);
  if (st == SOL_OK && (fputs (said.data, stdout) == EOF || fflush (stdout) != 0)) st = sol_fail (SOL_ERR_IO, "convert", "cannot write to standard output");
  sol_buffer_free (&said);
  return st;
}

static int run (int argc, char **argv)
{
  sol_options_t o;
  sol_config_t *c = NULL;
  sol_status_t st = sol_options_parse (&sol_command_convert, argc, argv, &o);
  if (st == SOL_OK) st = sol_config_load (NULL, o.overrides, o.n_overrides, "convert", &c);
  if (st == SOL_OK) st = convert (&o, c);
  sol_config_destroy (c);
  sol_options_free (&o);
  return sol_exit_code (st);
}

const sol_command_t sol_command_convert = {
  .name = "convert",
  .group = 'v',
  .line = "a model folder from a GGUF file",
  .usage = "FILE.gguf out=FOLDER [model.dtype=f32|bf16] [--force]",
  .about = "Writes a Hugging Face folder with weights (safetensors), tokenizer, chat template and end-of-text ids from a GGUF file of llama.cpp: architectures llama, qwen2 and qwen3, tensors of type F32, F16, "
           "BF16, Q8_0, Q6_K, Q5_K, Q5_1, Q5_0, Q4_K, Q4_1 and Q4_0. What it does not support is an error that names the key or tensor.\n\n"
           "The weights are the file's values, widened: a quantised file gives the quantised model. They are written as bf16, or as f32 where a matrix is F32 or F16; model.dtype says otherwise. "
           "The folder appears whole or not at all.",
  .options = SOL_OPTION_FORCE,
  .min_args = 1,
  .max_args = 1,
  .run = run
};
