/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.h: the seam between the program and a device backend in a shared object of its own (libsolera-cuda.so, libsolera-emu.so). The program opens it with dlopen and links nothing of
 * it; the plugin links nothing of the program: what it needs of it comes through sol_plugin_host_t. C, also where the plugin is C++. */
#ifndef SOL_PLUGIN_H
#define SOL_PLUGIN_H
#include "solera/ops.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SOL_PLUGIN_ABI 2

/* the program's side: valid as long as the plugin is open */
typedef struct {
  sol_status_t (*fail) (sol_status_t st, const char *room, const char *text); /* the one message of an error, as sol_fail; returns st */
  void (*warn) (const char *room, const char *text);
} sol_plugin_host_t;

/* the beginning of every sol_backend_t: what a plugin may know of the argument that its ops get */
struct sol_backend_head {
  const sol_ops_t *ops;
  void *device; /* from open; NULL: a host backend */
};
static inline void *sol_backend_device (const sol_backend_t *b) { return ((const struct sol_backend_head *) (const void *) b)->device; }

/* Collectives among devices (NCCL). The ranks of a group are learners, each with its own device. reduce and share are called by all ranks in the same order, with the same
 * cut; they are asynchronous on the queue and neither allocate nor wait. What goes wrong sticks to the queue; a lost rank is found by its sync, which may not be left out where the host waits for
 * what follows in another way. The group is of no use then. */
typedef struct sol_device_group sol_device_group_t;
typedef struct sol_device_collectives {
  size_t id_bytes;
  sol_status_t (*make_id) (void *device, void *id); /* on rank 0; then carried to all by the program */
  sol_status_t (*create) (void *device, const void *id, int rank, int size, sol_device_group_t **group_p); /* all ranks */
  void (*destroy) (sol_device_group_t *group); /* all ranks */
  /* every rank r gets sum over ranks of whole[cut[r] .. cut[r + 1]) in its slice: that part of whole itself, or memory apart from it */
  void (*reduce) (sol_device_group_t *group, sol_queue_t *q, const float *whole, const int64_t *cut, float *slice);
  /* block[cut[r] .. cut[r + 1]), elements of element_bytes, goes from rank r to all */
  void (*share) (sol_device_group_t *group, sol_queue_t *q, void *block, const int64_t *cut, size_t element_bytes);
} sol_device_collectives_t;

/* What a plugin exports, by the function sol_plugin. All pointers live as long as the plugin. */
typedef struct {
  uint32_t abi, bytes; /* SOL_PLUGIN_ABI, sizeof (sol_plugin_t) */
  const char *name;    /* "cuda", "emu", "ptx" */
  /* can it run here? 1: yes, and text (n bytes) says on what; 0: text says in one line why not (no driver, no device, ...). Changes nothing. */
  int (*probe) (char *text, size_t n);
  /* how many devices this rank sees, 0: any number (emulated); in text (n bytes) a name of the one that `index` opens, by which ranks of a host know that it is the same. Changes nothing. */
  int (*devices) (int index, char *text, size_t n);
  /* opens device `index` (of those this rank sees; counted around). Errors are reported through host. */
  sol_status_t (*open) (const sol_plugin_host_t *host, int index, void **device_p);
  void (*close) (void *device);
  const char *(*describe) (void *device);                    /* one line, for logs */
  sol_queue_t *(*queue) (void *device, sol_queue_kind_t kind); /* a stream of its own each */
  const sol_ops_t *ops;
  const sol_device_collectives_t *collectives; /* NULL: built without */
} sol_plugin_t;

typedef const sol_plugin_t *(*sol_plugin_fn) (void);

#ifdef __cplusplus
}
#endif
#endif
