/* SPDX-License-Identifier: Apache-2.0 */
/* paper.h: a CUDA device on paper: a backend with the layout of the CUDA backend whose memory is address space that nobody may touch and whose ops compute nothing: they add up what they
 * would take. The code of a run (decoder, passes, optimizer) goes through it as through any backend, so that there is no second formula for its work.
 *
 * An op takes the longest of: its operations over the rate of products, its bytes over the bandwidth, and the least time of an operation. Operations are those of matrix products and
 * attention (a multiply and an add are two); bytes are each operand once, and what is written. Elementwise arithmetic is not counted: those ops are bound by their bytes. */
#ifndef SOL_PAPER_H
#define SOL_PAPER_H
#include "solera/accelerator.h"
#include "solera/backend.h"

typedef enum { SOL_PAPER_PRODUCTS, SOL_PAPER_ATTENTION, SOL_PAPER_HEAD, SOL_PAPER_ROWS, SOL_PAPER_OPTIMIZER, SOL_PAPER_TRANSFER, SOL_PAPER_CLASSES } sol_paper_class_t;
/* seconds by what bounds them; their sum is the time */
typedef struct { int64_t calls; double flops, bytes, compute_s, memory_s, launch_s; } sol_paper_sum_t;

sol_backend_t *sol_paper_create (const sol_accelerator_t *device); /* NULL: only memory is of interest, all times are 0 */
/* what the ops of one class have added up since the start or the last clear */
sol_paper_sum_t sol_paper_sum (const sol_backend_t *paper, sol_paper_class_t kind);
void sol_paper_clear (sol_backend_t *paper);
const char *sol_paper_class (sol_paper_class_t kind); /* "products", "attention", ... */
static inline double sol_paper_seconds (const sol_paper_sum_t *s) { return s->compute_s + s->memory_s + s->launch_s; }
size_t sol_paper_held (const sol_backend_t *paper); /* bytes allocated now, without the workspace of the library */
#endif
