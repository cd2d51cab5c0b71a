/* SPDX-License-Identifier: Apache-2.0 */
/* need.h: how much memory a role takes, known before anything is allocated, and how much the machine has. Nothing here is collective. */
#ifndef SOL_NEED_H
#define SOL_NEED_H
#include "solera/buffer.h"
#include <stdint.h>

typedef enum {
  SOL_NEED_WEIGHTS,     /* published weights, as the model and its carriers hold them */
  SOL_NEED_MASTER,      /* a learner's slice of the float32 master */
  SOL_NEED_MOMENTS,     /* AdamW's two, of the slice */
  SOL_NEED_GRADIENTS,   /* float32, of all weights, and what sums over them */
  SOL_NEED_EXCHANGE,    /* gradients of the slice, as they come from the other learners */
  SOL_NEED_WHOLE,       /* the whole float32 master: at the start, and when the model is written at the end */
  SOL_NEED_ACTIVATIONS, /* of a micro-batch, with everything that its backward needs */
  SOL_NEED_REFERENCE,   /* a frozen reference's weights and the activations of its forward pass */
  SOL_NEED_CACHE,       /* keys and values of what is decoded */
  SOL_NEED_DECODING,    /* activations, logits and lists of the decoder */
  SOL_NEED_BATCH,       /* records and the columns of an update */
  SOL_NEED_WINDOW,      /* a broker's */
  SOL_NEED_LIBRARY,     /* workspace of a device's library */
  SOL_NEED_COUNT
} sol_need_part_t;
/* Bytes. part: what is taken at the start, or surely later; grows: what may come on top in the worst case (groups and records of full length). pinned: of the parts, host memory that a device
 * reads and writes by itself (sol_backend_pin), which the system cannot move or swap out. */
typedef struct { uint64_t part[SOL_NEED_COUNT], grows, pinned; } sol_need_t;

/* what one rank takes, in two places. On a host backend all of it is in host. Index lists and structs beside the large blocks are not counted (under 1 %). */
typedef struct { sol_need_t device, host; } sol_needs_t;

/* sums stop at UINT64_MAX */
void sol_need_add (sol_need_t *need, sol_need_part_t part, uint64_t bytes);
/* of sol_backend_pin: pinned where the backend is a device */
void sol_need_pin (sol_need_t *need, sol_need_part_t part, uint64_t bytes, int device);
void sol_need_grow (sol_need_t *need, uint64_t bytes);
void sol_need_sum (sol_need_t *need, const sol_need_t *more);
uint64_t sol_need_total (const sol_need_t *need); /* without grows */
sol_need_part_t sol_need_largest (const sol_need_t *need);
const char *sol_need_name (sol_need_part_t part);     /* "activations" */
const char *sol_need_settings (sol_need_part_t part); /* the settings that decide it: "train.micro_batch_tokens" */
/* "12.3 MiB: weights 1.0, optimizer state 8.0, activations 3.3; up to 5.0 more for groups of full length" appended to out */
void sol_need_text (const sol_need_t *need, sol_buffer_t *out);

/* what this process may use of the host: physical memory, or less when a control group allows less. available: as the system sees it now, at most limit. what: a constant text,
 * "physical memory" or "the control group's limit". 0 where it is not known. */
typedef struct { uint64_t limit, available; const char *what; } sol_machine_t;
sol_machine_t sol_machine_memory (void);
#endif
