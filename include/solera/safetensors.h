/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors.h: Hugging Face weight folders in and out. Reading is by mmap with every bound checked: header length, JSON, dtype (F32, BF16, F16), shapes, offsets, overlaps,
 * missing and unknown tensors; a sharded index may only name plain files beside it. */
#ifndef SOL_SAFETENSORS_H
#define SOL_SAFETENSORS_H
#include "solera/model.h"

/* DIR/model.safetensors or DIR/model.safetensors.index.json -> canonical float32 block [table->elements] (widened exactly). Names of a tied model's head and of rotary
 * inv_freq buffers are ignored; any other unknown tensor is an error. */
sol_status_t sol_safetensors_load (const char *dir, const sol_table_t *table, int tied, float *block);
/* the same checks without reading an element: headers, names, shapes, sizes. Cheap; not collective. */
sol_status_t sol_safetensors_check (const char *dir, const sol_table_t *table, int tied);
/* Writes a folder that transformers loads: config.json, model.safetensors (one file up to max_file_bytes, else shards and index; 0: 5e9), tokenizer and generation
 * files carried along from from_dir (NULL: none). Atomic: written beside and renamed; an existing folder is replaced. dtype: F32 or BF16. */
sol_status_t sol_model_save (const char *dir, const sol_arch_t *arch, const sol_table_t *table, const float *block, sol_dtype_t dtype, size_t max_file_bytes, const char *from_dir);
/* copies tokenizer.json, tokenizer_config.json, generation_config.json, special_tokens_map.json, vocab.json, merges.txt, chat_template.jinja, LICENSE where present */
sol_status_t sol_model_carry (const char *from_dir, const char *to_dir);
#endif
