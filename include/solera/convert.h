/* SPDX-License-Identifier: Apache-2.0 */
/* convert.h: model folders from files of other programs. */
#ifndef SOL_CONVERT_H
#define SOL_CONVERT_H
#include "solera/buffer.h"
#include "solera/config.h"

/* FILE.gguf -> a Hugging Face folder: config.json, safetensors, tokenizer.json, tokenizer_config.json, generation_config.json. Architectures llama, qwen2, qwen3; tensors F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q5_1, Q5_0, Q4_K, Q4_1, Q4_0.
 * dtype: SOL_DTYPE_SETTING_F32, _BF16, or _MODEL: bf16 unless a matrix is F32 or F16, which bf16 might not hold. Everything but the values of tensors is checked before the first byte is written; memory is
 * that of the tokenizer and of one piece of a tensor. Atomic. A folder that is not empty is refused; with force it is replaced if it is a model folder (config.json). said: a line on what was written, appended.
 * SOL_ERR_FORMAT: damage; SOL_ERR_UNSUPPORTED: what is not built, by name; SOL_ERR_USAGE: the folder; SOL_ERR_NUMERIC: a weight that is not finite. Not collective. */
sol_status_t sol_convert_gguf (const char *file, const char *folder, int dtype, int force, sol_buffer_t *said);
#endif
