/* SPDX-License-Identifier: Apache-2.0 */
/* comm.h: ranks, roles and host collectives, without mpi.h. Everything here is collective over its communicator unless said otherwise.
 * sol_comm_self() needs no MPI: size 1, every collective is the identity, so that model, objectives and tests run without MPI. Sums over ranks are made in
 * rank order by our own code (all-to-all, ordered sum), never by MPI_Allreduce on floats. */
#ifndef SOL_COMM_H
#define SOL_COMM_H
#include "solera/backend.h"
#include "solera/config.h"
#include "solera/status.h"
#include <stddef.h>
#include <stdint.h>

typedef struct sol_comm sol_comm_t;

/* MPI_Init_thread (SERIALIZED at most) after setenv ("OMPI_MCA_osc", "sm,pt2pt", 0); works without mpirun as one rank. Errors return (MPI_ERRORS_RETURN). */
sol_status_t sol_comm_start (int *argc, char ***argv);
void sol_comm_end (void); /* MPI_Finalize; a no-op when not started */
_Noreturn void sol_comm_abort (int code); /* not collective: ends the whole job (MPI_Abort, or _exit without MPI) */
sol_comm_t *sol_comm_self (void);  /* static, never destroyed */
sol_comm_t *sol_comm_world (void); /* after start; before it: self */
/* color < 0: this rank is not in any (gives NULL) */
sol_status_t sol_comm_split (sol_comm_t *comm, int color, int key, sol_comm_t **comm_p);
/* the ranks of comm on this host that are `in`, ordered by key, then rank; NULL on the others */
sol_status_t sol_comm_split_host (sol_comm_t *comm, int in, int key, sol_comm_t **comm_p);
void sol_comm_destroy (sol_comm_t *comm); /* collective; self and world are left alone; NULL is fine */
int sol_comm_rank (const sol_comm_t *comm);
int sol_comm_size (const sol_comm_t *comm);
const char *sol_comm_library (void); /* MPI library version, one line */
const char *sol_comm_host (void);    /* processor name */
/* i-th kind of transport: its name (osc: one-sided, pml: messages, btl: bytes, mtl: matching) and in value (n bytes) which components may serve it ("^a,b": all but these).
 * Not collective; 0: no such i. */
int sol_comm_choice (int i, const char **name_p, char *value, size_t n);

sol_status_t sol_comm_barrier (sol_comm_t *comm);
sol_status_t sol_comm_bcast (sol_comm_t *comm, void *data, size_t bytes, int root);
/* a run of bytes whose length only root knows; *data_p is sol_alloc'd on the others (root keeps its own) */
sol_status_t sol_comm_bcast_text (sol_comm_t *comm, char **data_p, size_t *bytes_p, int root);
sol_status_t sol_comm_allgather (sol_comm_t *comm, const void *mine, size_t bytes, void *all);
sol_status_t sol_comm_allgatherv (sol_comm_t *comm, const void *mine, size_t bytes, void *all, const size_t *bytes_of /* [size], known to all */);
sol_status_t sol_comm_sum_i64 (sol_comm_t *comm, int64_t *x, int n);                 /* in place, integers: order does not matter */
sol_status_t sol_comm_sum_u64 (sol_comm_t *comm, uint64_t *x, int n);                /* modulo 2^64 */
sol_status_t sol_comm_max_i64 (sol_comm_t *comm, int64_t *x, int n);
sol_status_t sol_comm_sum_f64 (sol_comm_t *comm, double *x, int n);                  /* rank order */
/* the worst status of all ranks on every rank (largest code among errors, then AGAIN/STOPPED/END, then OK): after set-up and risky steps all agree before going on */
sol_status_t sol_comm_agree (sol_comm_t *comm, sol_status_t st);

/* Fixed-tree gradient sum. n_leaves leaves in global order; rank r owns leaves first_of[r] .. first_of[r+1]-1 (first_of[size] = n_leaves; may be none). The tree over
 * leaves: pairs (0,1)(2,3).. then pairs of pairs; a missing right partner passes through. A rank first combines what it owns wholly: sol_tree_add below hands it leaves
 * in order; sol_tree_finish does the exchange: every rank gets its slice [cut[rank], cut[rank+1]) of the total in out (cut: [size+1] element offsets, same on all).
 * The bytes of the total do not depend on how leaves are spread. A rank holds at most about 2 log2 (its leaves) + 1 buffers of n floats (4 for 8 aligned leaves), made at creation. */
typedef struct sol_tree sol_tree_t;
sol_status_t sol_tree_create (sol_comm_t *comm, int64_t n, int n_leaves, const int *first_of, sol_tree_t **tree_p);
/* bytes of rank's buffers, and in *exchange_p those for the exchange beside them (taken by the first finish); not collective */
size_t sol_tree_bytes (int64_t n, int n_leaves, const int *first_of, const int64_t *cut, int rank, int size, size_t *exchange_p);
void sol_tree_destroy (sol_tree_t *tree);
float *sol_tree_leaf (sol_tree_t *tree);               /* zeroed buffer for the next leaf this rank owns; NULL when it owns no more */
sol_status_t sol_tree_push (sol_tree_t *tree);         /* not collective: the leaf is complete */
sol_status_t sol_tree_finish (sol_tree_t *tree, const int64_t *cut, float *out); /* collective; then ready for the next update */
/* every rank's slice to everybody: block[cut[r]..cut[r+1]) comes from rank r; element_bytes each */
sol_status_t sol_comm_share_slices (sol_comm_t *comm, void *block, const int64_t *cut, size_t element_bytes);

/* Collectives on device memory, between the ranks of comm that have a device backend each: by the device's own library (NCCL), which this bootstraps over MPI. One rank: *group_p is NULL.
 * SOL_ERR_UNSUPPORTED when the plugin was built without. Collective; so are reduce and share, in the same order on all ranks; they are asynchronous on q, errors stick to it. */
typedef struct sol_collective sol_collective_t;
sol_status_t sol_collective_create (sol_backend_t *backend, sol_comm_t *comm, sol_collective_t **group_p);
void sol_collective_destroy (sol_collective_t *group); /* NULL is fine */
/* every rank r gets sum over ranks of whole[cut[r] .. cut[r + 1]) in slice (device memory; cut: element offsets, the same on all) */
void sol_collective_reduce (sol_collective_t *group, sol_queue_t *q, const float *whole, const int64_t *cut, float *slice);
/* block[cut[r] .. cut[r + 1]), elements of element_bytes, goes from rank r to all */
void sol_collective_share (sol_collective_t *group, sol_queue_t *q, void *block, const int64_t *cut, size_t element_bytes);

/* ---- roles */
typedef enum { SOL_ROLE_ACTOR, SOL_ROLE_BROKER, SOL_ROLE_LEARNER, SOL_ROLE_SOLO } sol_role_t;
typedef struct {
  sol_role_t role;
  int index;                            /* of my role: actor.3 */
  int n_actors, n_brokers, n_learners;
  sol_comm_t *world;
  sol_comm_t *learners;                 /* my learners' communicator (self when solo); NULL on other roles */
  sol_comm_t *actors;                   /* likewise */
  int *broker_rank;                     /* [n_brokers] world ranks */
  int *actor_rank, *learner_rank;
} sol_roles_t;
/* Collective over world. want: the role given on this rank's command line ("actor", "broker", "learner"), or NULL: then from settings in rank order brokers, learners, actors.
 * Either all ranks give one or none. Errors say how many ranks there are and how many the settings ask for. One rank with roles: auto and no mpirun: solo only if roles is
 * solo, else an error that names both ways. */
sol_status_t sol_roles_create (const sol_config_t *config, const char *want, sol_comm_t *world, sol_roles_t **roles_p);
/* the same for a run that may have no actor (actors: 0, where brokers and learners leave no rank), as it generates nothing */
sol_status_t sol_roles_create_idle (const sol_config_t *config, const char *want, sol_comm_t *world, sol_roles_t **roles_p);
void sol_roles_destroy (sol_roles_t *roles);
const char *sol_role_name (sol_role_t role);
#endif
