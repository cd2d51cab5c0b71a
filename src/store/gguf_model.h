/* SPDX-License-Identifier: Apache-2.0 */
/* gguf_model.h: what a GGUF file says of a model, in the words of a Hugging Face folder. */
#ifndef SOL_GGUF_MODEL_H
#define SOL_GGUF_MODEL_H
#include "gguf.h"
#include "solera/model.h"

/* Sizes and switches from the values and from the shapes of the embedding and the head. Every key that would change the mathematics in a way that is not built is refused by name. */
sol_status_t sol_gguf_arch (const sol_gguf_t *g, sol_arch_t *arch_p);
/* Does it turn neighbours instead of halves? Then the rows of q and k of each head lie as 0, D/2, 1, D/2 + 1, ... */
int sol_gguf_interleaved (const sol_arch_t *arch);
/* Finds every tensor of the table in the file, with its shape, and nothing beside them; source [table->n]. */
sol_status_t sol_gguf_match (const sol_gguf_t *g, const sol_table_t *table, const sol_gguf_tensor_t **source);
/* The texts of tokenizer.json, tokenizer_config.json and generation_config.json. files: {0}; sol_gguf_files_free it, whatever came. */
typedef struct { sol_buffer_t tokenizer, config, generation; } sol_gguf_files_t;
sol_status_t sol_gguf_tokenizer (const sol_gguf_t *g, const sol_arch_t *arch, sol_gguf_files_t *files);
void sol_gguf_files_free (sol_gguf_files_t *files);
#endif
