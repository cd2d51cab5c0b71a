/* SPDX-License-Identifier: Apache-2.0 */
/* backend.h: a device with its memory, three queues and a table of ops. */
#ifndef SOL_BACKEND_H
#define SOL_BACKEND_H
#include "solera/ops.h"

/* name: "cpu", "ref", "cuda", "emu" (the CUDA code on the host, for tests), "ptx" (the same by way of nvcc), "diff", "check" (src/backend/diff.c; "diff:NAME", "check:NAME" say of which backend), or "auto" (cuda when it can run, else cpu). threads: of this backend (host). isa: NULL = the best this CPU has, or
 * "portable", "avx2", "avx512" (tests, SOLERA_ISA). SOL_ERR_UNSUPPORTED with the reason when it cannot run here. */
sol_status_t sol_backend_create (const char *name, int threads, const char *isa, sol_backend_t **backend_p);
void sol_backend_destroy (sol_backend_t *b);
/* Device backends created from now on take the device of that number, counted around the devices that this rank sees. Not told: the rank's number on its host as Open MPI's or SLURM's
 * launcher says, else 0. */
void sol_backend_number (int number);
/* How many devices this rank sees for a backend of that name; which (n bytes): the name of the one it would take, the same only for the same device of a host. 0: none, a host backend, or
 * any number (emulated). */
int sol_backend_devices (const char *name, char *which, size_t n);
const sol_ops_t *sol_backend_ops (const sol_backend_t *b);
sol_queue_t *sol_backend_queue (sol_backend_t *b, sol_queue_kind_t kind);
/* its memory is not the host's */
int sol_backend_is_device (const sol_backend_t *b);
/* bytes that an open device takes of its own memory, whatever runs on it; 0 on the host */
size_t sol_backend_workspace (const sol_backend_t *b);
/* the bytes of backend memory when it is host memory (SOL_CAP_HOST), else NULL */
void *sol_backend_host (const sol_backend_t *b, void *mem);
/* Host memory for what put and get carry (ops.h, host_take): pinned where the backend is a device. 64-byte aligned, zeroed, counted as large (memory.h); to be given back with the same number of
 * bytes once nothing is on its way from or to it (after sync). mem NULL: nothing. */
sol_status_t sol_backend_pin (sol_backend_t *b, size_t bytes, const char *what, void **mem_p);
void sol_backend_unpin (sol_backend_t *b, void *mem, size_t bytes);
/* A ferry: any host memory to a device and back, a piece at a time through two pinned halves, on the copy queue; the next piece is copied to or from a half while the one before is on its way. What was put
 * on the compute queue before runs first, and both return when all bytes are there: then the host's may change or be read. For what is not hot: whoever can keeps what travels in pinned memory. On
 * a host backend it has no memory and copies. piece: bytes of a half. */
typedef struct sol_ferry sol_ferry_t;
size_t sol_ferry_bytes (const sol_backend_t *b, size_t piece); /* that it pins */
sol_status_t sol_ferry_create (sol_backend_t *b, size_t piece, sol_ferry_t **ferry_p);
void sol_ferry_destroy (sol_ferry_t *f);
sol_status_t sol_ferry_put (sol_ferry_t *f, void *dst, const void *host, size_t bytes);
sol_status_t sol_ferry_get (sol_ferry_t *f, void *host, const void *src, size_t bytes);
/* of a device backend with collectives, else NULL (plugin.h); the device itself: sol_backend_device */
const struct sol_device_collectives *sol_backend_collectives (const sol_backend_t *b);
/* one line: "cpu (avx512, 2 threads)" */
const char *sol_backend_describe (const sol_backend_t *b);
/* i-th known backend: its name, and in reason (n bytes) why it cannot run here, or what it would run on; returns 1 can run, 0 cannot, -1 no such i */
int sol_backend_probe (int i, const char **name_p, char *reason, size_t n);
/* the same by name; 0 also for an unknown one */
int sol_backend_can (const char *name, char *reason, size_t n);
/* the best instruction set here: "avx512", ... */
const char *sol_backend_isa (void);

/* what "diff" and "check" have seen of an op: calls, and the largest error in parts of what is tolerated (diff) */
typedef struct { const char *op; int64_t calls; double worst; } sol_op_seen_t;
/* the i-th op that was called; NULL: no such i, or another kind of backend */
const sol_op_seen_t *sol_backend_seen (const sol_backend_t *b, int i);

/* An arena is one backend allocation cut into tensors. base NULL measures: the same calls then give the exact need before anything is allocated. */
typedef struct {
  char *base;
  size_t used, peak, room;
} sol_arena_t;
void *sol_arena_take (sol_arena_t *a, size_t bytes); /* 64-byte aligned; NULL while measuring; SOL_ASSERT on overflow */
sol_tensor_t sol_arena_tensor (sol_arena_t *a, sol_dtype_t dtype, int64_t rows, int64_t cols);
/* marks and releases in stack order */
size_t sol_arena_mark (const sol_arena_t *a);
void sol_arena_release (sol_arena_t *a, size_t mark);
sol_status_t sol_arena_create (sol_backend_t *b, size_t bytes, const char *what, sol_arena_t *arena_p);
void sol_arena_destroy (sol_backend_t *b, sol_arena_t *a);
#endif
