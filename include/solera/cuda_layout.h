/* SPDX-License-Identifier: Apache-2.0 */
/* cuda_layout.h: what the CUDA backend decides about sizes in memory, for itself (kernels/cuda) and for a device on paper (src/backend/paper.c). C and C++. */
#ifndef SOL_CUDA_LAYOUT_H
#define SOL_CUDA_LAYOUT_H
#include "solera/ops.h"

#define SOL_CUDA_ACT SOL_BF16           /* activations, their gradients, keys and values */
#define SOL_CUDA_HEAD_STEP 8            /* attention: 16 bytes of a row at once, */
#define SOL_CUDA_HEAD_MOST 128          /* and tiles that fit in shared memory */
#define SOL_CUDA_WORKSPACE (32 << 20)   /* cuBLASLt's, of an open device */
/* products want bf16: f32 weights are rounded once into memory of their own */
static inline size_t sol_cuda_layout_weight (int64_t n, int64_t k, sol_dtype_t dtype) { return dtype == SOL_BF16 ? 0 : (size_t) (n * k) * 2; }
/* Words of the vocabulary at a time in the head, for up to so many rows: each block reads and writes the gradient of the stream once, which is the less the larger blocks are; at 8192 words that is about 3 % of the time
 * of its products on paper. Their logits take no more than this room where that holds SOL_HEAD_BLOCK words of every row. */
#define SOL_CUDA_HEAD_WORDS 8192
#define SOL_CUDA_HEAD_ROOM ((int64_t) 512 << 20)
static inline int64_t sol_cuda_layout_words (int64_t rows, int64_t vocab)
{
  const int64_t fit = SOL_CUDA_HEAD_ROOM / 4 / (rows > 0 ? rows : 1) / SOL_HEAD_BLOCK, all = (vocab + SOL_HEAD_BLOCK - 1) / SOL_HEAD_BLOCK, most = all < SOL_CUDA_HEAD_WORDS / SOL_HEAD_BLOCK ? all : SOL_CUDA_HEAD_WORDS / SOL_HEAD_BLOCK;
  return (fit < 1 ? 1 : fit < most ? fit : most) * SOL_HEAD_BLOCK;
}
/* floats of a row of the head's scratch: a block of logits, and a row of the stream */
static inline int64_t sol_cuda_layout_head (int64_t rows, int64_t vocab, int64_t width) { return sol_cuda_layout_words (rows, vocab) + width; }
#endif
