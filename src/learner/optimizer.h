/* SPDX-License-Identifier: Apache-2.0 */
/* optimizer.h: gradient tree, norm, AdamW on this learner's slice of the float32 master, rounding, and sharing of the rounded weights. Used by learner and sft. */
#ifndef SOL_OPTIMIZER_H
#define SOL_OPTIMIZER_H
#include "solera/checkpoint.h"
#include "solera/comm.h"
#include "solera/model.h"
#include "solera/need.h"

/* one piece of its memory: where its address goes, and as what it counts */
typedef struct { void **p; size_t bytes; const char *what; sol_need_part_t part; } sol_piece_t;
enum { SOL_PIECES = 8 };

typedef struct sol_optimizer_device sol_optimizer_device_t;
typedef struct {
  sol_comm_t *comm;
  sol_model_t *model;
  int rank, size;           /* of the learners */
  int n_leaves, *first_of;  /* leaves of each learner: [size + 1] */
  int64_t elements, *cut;   /* slices of the canonical block, at multiples of SOL_SUMSQ_CHUNK: [size + 1] */
  int64_t first, n;         /* my slice */
  float *w, *m, *v, *grad;  /* [n] each; backend memory */
  char *block;              /* the whole published block, on the host (on a device: learner 0 only, who publishes it, and as new as sol_optimizer_block makes it) */
  double *partial;          /* sums of squares, one a chunk of the whole block */
  sol_tree_t *tree;         /* of leaf gradients on the host; NULL on a device */
  sol_optimizer_device_t *device; /* NULL on the host */
  int64_t step;             /* updates made */
  double reduce_s, optimizer_s;
} sol_optimizer_t;

/* Collective. weights: the whole start block (not kept), or NULL: then load a checkpoint next. leaves 0: one a learner. */
sol_status_t sol_optimizer_create (sol_model_t *model, sol_comm_t *comm, int64_t leaves, const float *weights, sol_optimizer_t **optimizer_p);
/* adds what one of size learners takes with it: the model's memory too, and a whole float32 master, which there is at the start and while a checkpoint is written. model may be a
 * measuring one. Not collective. */
void sol_optimizer_need (const sol_model_t *model, int64_t leaves, int rank, int size, sol_needs_t *need);
/* One of size learners without the others and without its share of the host's memory, on a device (paper.h): leaf and step go through it, sums over learners do not happen. */
sol_status_t sol_optimizer_rehearse (sol_model_t *model, int rank, int size, sol_optimizer_t **optimizer_p);
void sol_optimizer_destroy (sol_optimizer_t *o);
/* The gradient of the next leaf of this learner: backend memory of sol_grad_elements floats, zeroed (a device has one leaf a learner). Then push: the leaf is complete. */
float *sol_optimizer_leaf (sol_optimizer_t *o);
sol_status_t sol_optimizer_push (sol_optimizer_t *o);
/* A layer's gradients are complete on the compute queue (of sol_pass_backward, in the leaf's last pass, last layer first): several learners on devices sum them while the layers before it are
 * computed. Optional, and layers may be left out at the end (a leaf without sequences): the step sums what is left. */
void sol_optimizer_layer (sol_optimizer_t *o, int layer);
/* collective: weights and moments of a checkpoint, then installs them */
sol_status_t sol_optimizer_load (sol_optimizer_t *o, const char *dir, const sol_checkpoint_t *info);
sol_status_t sol_optimizer_save (const sol_optimizer_t *o, sol_checkpoint_writer_t *w);
/* Collective, after every leaf was pushed: sums, clips (0: no clip), updates, shares and installs the new weights. hyper: lr, betas, eps, decay. update: for errors, as steps do not count skipped updates.
 * SOL_ERR_NUMERIC on all ranks when the gradient's norm is not finite; nothing is changed then. */
sol_status_t sol_optimizer_step (sol_optimizer_t *o, sol_adamw_t hyper, double grad_clip, int64_t update, double *norm_p);
/* The published block of the newest weights, on the host, until the next step. Not collective; learner 0. */
sol_status_t sol_optimizer_block (sol_optimizer_t *o, const void **block_p);
/* That block will be asked for: where it comes from a device, it comes while the host does other things. Not collective; learner 0. */
void sol_optimizer_bring (sol_optimizer_t *o);
/* collective: the whole float32 master on every rank, sol_free it */
sol_status_t sol_optimizer_master (const sol_optimizer_t *o, float **master_p);

/* ---- optimizer_device.c: gradients, master and moments in the memory of a device; sums and shares over learners by its own collectives */
sol_status_t sol_optimizer_device_create (sol_optimizer_t *o); /* not collective: its memory on the device */
int sol_optimizer_device_pieces (sol_optimizer_t *o, sol_piece_t out[SOL_PIECES]); /* of that; may be asked before create: addresses are not for use then */
sol_status_t sol_optimizer_device_join (sol_optimizer_t *o);   /* collective, after it */
void sol_optimizer_device_destroy (sol_optimizer_t *o);
/* host floats of my slice to device memory, and back */
sol_status_t sol_optimizer_device_put (sol_optimizer_t *o, float *slice, const float *host);
sol_status_t sol_optimizer_device_get (const sol_optimizer_t *o, const float *slice, float *host);
float *sol_optimizer_device_leaf (sol_optimizer_t *o);
void sol_optimizer_device_layer (sol_optimizer_t *o, int layer); /* all learners, but none waits for another here */
sol_status_t sol_optimizer_device_reduce (sol_optimizer_t *o);  /* collective: o->grad is my slice of the sum */
sol_status_t sol_optimizer_device_sumsq (sol_optimizer_t *o, double *partial, int64_t chunks); /* of my slice, to host memory */
sol_status_t sol_optimizer_device_install (sol_optimizer_t *o); /* collective: rounds, shares, prepares */
void sol_optimizer_device_bring (sol_optimizer_t *o);           /* learner 0: begins to bring the block to o->block, on the copy queue, when that is older */
sol_status_t sol_optimizer_device_block (sol_optimizer_t *o);   /* learner 0: it is there */
#endif
