/* SPDX-License-Identifier: Apache-2.0 */
/* tree.c: the fixed-tree sum of leaf gradients. A node (level h, index i) covers leaves [i << h, (i + 1) << h). A rank adds up the nodes that it owns wholly, like carries of a binary
 * counter; the slices of what remains go to their owners, who add them in the same tree. */
#include "comm_mpi.h"
#include "solera/log.h"
#include "solera/memory.h"
#include <string.h>

enum { LEVELS = 16 };
typedef struct { int level, index; float *sum; } node_t;
struct sol_tree {
  sol_comm_t *comm;
  int64_t n;
  int n_leaves, *first_of, next, end;
  node_t stack[2 * LEVELS];
  int n_stack;
  float *buffer[2 * LEVELS]; /* free buffers */
  int n_free, n_buffers;
  float *leaf, *all[2 * LEVELS], *slice; /* leaf handed out; every buffer made; room for the slices of all nodes */
  size_t slice_room;
};

/* joins siblings at the end of the list: a left child (even index) and its right neighbour */
static int close_nodes (node_t *node, int n)
{
  for (; n > 1; n--) {
    node_t *a = &node[n - 2], *b = a + 1;
    if (a->level != b->level || (a->index & 1) || b->index != a->index + 1) break;
    a->level++;
    a->index >>= 1;
  }
  return n;
}

/* the nodes that are left of a run of leaves, left to right; at most two a level */
static int nodes_of (int first, int end, node_t *out)
{
  int n = 0;
  for (int leaf = first; leaf < end; leaf++) {
    out[n++] = (node_t){ 0, leaf, NULL };
    n = close_nodes (out, n);
  }
  return n;
}

/* the most nodes that a run holds at a time while its leaves come in, the newest included */
static int most_nodes (int first, int end)
{
  node_t node[2 * LEVELS];
  int n = 0, most = 0;
  for (int leaf = first; leaf < end; leaf++) {
    node[n++] = (node_t){ 0, leaf, NULL };
    if (n > most) most = n;
    n = close_nodes (node, n);
  }
  return most;
}

sol_status_t sol_tree_create (sol_comm_t *comm, int64_t n, int n_leaves, const int *first_of, sol_tree_t **tree_p)
{
  int rank = sol_comm_rank (comm), size = sol_comm_size (comm);
  sol_tree_t *t = sol_alloc (sizeof *t);
  sol_status_t st = SOL_OK;
  SOL_ASSERT (n_leaves > 0 && first_of[0] == 0 && first_of[size] == n_leaves);
  t->comm = comm;
  t->n = n;
  t->n_leaves = n_leaves;
  t->first_of = sol_alloc ((size_t) (size + 1) * sizeof *t->first_of);
  memcpy (t->first_of, first_of, (size_t) (size + 1) * sizeof *t->first_of);
  t->next = first_of[rank];
  t->end = first_of[rank + 1];
  if (n_leaves > 1 << (LEVELS - 1)) st = sol_fail (SOL_ERR_LIMIT, "comm", "%d leaves, more than %d", n_leaves, 1 << (LEVELS - 1));
  else t->n_buffers = most_nodes (t->next, t->end);
  for (int i = 0; i < t->n_buffers && st == SOL_OK; i++) {
    st = sol_alloc_large ((size_t) n * sizeof (float), "a gradient leaf", (void **) &t->all[i]);
    t->buffer[t->n_free++] = t->all[i];
  }
  st = sol_comm_agree (comm, st);
  if (st != SOL_OK) sol_tree_destroy (t);
  else *tree_p = t;
  return st;
}

size_t sol_tree_bytes (int64_t n, int n_leaves, const int *first_of, const int64_t *cut, int rank, int size, size_t *exchange_p)
{
  size_t buffers = n_leaves > 1 << (LEVELS - 1) ? 0 : (size_t) most_nodes (first_of[rank], first_of[rank + 1]), total = 0;
  node_t node[2 * LEVELS];
  for (int r = 0; r < size && size > 1 && buffers; r++) total += (size_t) nodes_of (first_of[r], first_of[r + 1], node);
  *exchange_p = total * (size_t) (cut[rank + 1] - cut[rank]) * sizeof (float);
  return buffers * (size_t) n * sizeof (float);
}

void sol_tree_destroy (sol_tree_t *t)
{
  if (!t) return;
  for (int i = 0; i < t->n_buffers; i++) sol_free (t->all[i]);
  sol_free (t->slice);
  sol_free (t->first_of);
  sol_free (t);
}

float *sol_tree_leaf (sol_tree_t *t)
{
  if (t->next >= t->end) return NULL;
  SOL_ASSERT (!t->leaf && t->n_free > 0);
  t->leaf = t->buffer[--t->n_free];
  memset (t->leaf, 0, (size_t) t->n * sizeof *t->leaf);
  return t->leaf;
}

static void add (float *to, const float *from, int64_t n)
{
  for (int64_t i = 0; i < n; i++) to[i] += from[i];
}

sol_status_t sol_tree_push (sol_tree_t *t)
{
  SOL_ASSERT (t->leaf);
  t->stack[t->n_stack++] = (node_t){ 0, t->next++, t->leaf };
  t->leaf = NULL;
  for (; t->n_stack > 1; t->n_stack--) {
    node_t *a = &t->stack[t->n_stack - 2], *b = a + 1;
    if (a->level != b->level || (a->index & 1) || b->index != a->index + 1) break;
    add (a->sum, b->sum, t->n);
    t->buffer[t->n_free++] = b->sum;
    a->level++;
    a->index >>= 1;
  }
  return SOL_OK;
}

/* the sum of node (level, index) from the given nodes, in tree order; NULL when it covers no leaf. Sums land in the leftmost node's slice. */
static float *reduce (const sol_tree_t *t, const node_t *node, int n_nodes, int level, int index, int64_t n)
{
  float *a, *b;
  if ((int64_t) index << level >= t->n_leaves) return NULL;
  for (int i = 0; i < n_nodes; i++)
    if (node[i].level == level && node[i].index == index) return node[i].sum;
  SOL_ASSERT (level > 0);
  a = reduce (t, node, n_nodes, level - 1, 2 * index, n);
  b = reduce (t, node, n_nodes, level - 1, 2 * index + 1, n);
  if (b) add (a, b, n);
  return a;
}

/* one step of the exchange: my nodes' slices to rank `to`, my slices of the nodes of rank `from` into node[].sum */
static sol_status_t swap (const sol_tree_t *t, const int64_t *cut, int to, int from, const int *first_node, const node_t *node)
{
  int rank = sol_comm_rank (t->comm), k = 0;
  int64_t n = cut[rank + 1] - cut[rank], n_to = cut[to + 1] - cut[to], piece = (int64_t) (sol_comm_piece / sizeof (float));
  MPI_Comm mpi = sol_comm_mpi (t->comm);
  MPI_Request request[4 * LEVELS];
  if (to == rank) {
    for (int i = 0; i < t->n_stack; i++) memcpy (node[first_node[rank] + i].sum, t->stack[i].sum + cut[rank], (size_t) n * sizeof (float));
    return SOL_OK;
  }
  for (int64_t at = 0; at < n || at < n_to; at += piece, k = 0) {
    for (int i = first_node[from]; i < first_node[from + 1] && at < n; i++)
      SOL_MPI (MPI_Irecv (node[i].sum + at, (int) (n - at < piece ? n - at : piece), MPI_FLOAT, from, i, mpi, &request[k++]));
    for (int i = 0; i < t->n_stack && at < n_to; i++)
      SOL_MPI (MPI_Isend (t->stack[i].sum + cut[to] + at, (int) (n_to - at < piece ? n_to - at : piece), MPI_FLOAT, to, first_node[rank] + i, mpi, &request[k++]));
    SOL_MPI (MPI_Waitall (k, request, MPI_STATUSES_IGNORE));
  }
  return SOL_OK;
}

static void rewind_tree (sol_tree_t *t)
{
  for (int i = 0; i < t->n_stack; i++) t->buffer[t->n_free++] = t->stack[i].sum;
  t->n_stack = 0;
  t->next = t->first_of[sol_comm_rank (t->comm)];
}

sol_status_t sol_tree_finish (sol_tree_t *t, const int64_t *cut, float *out)
{
  int rank = sol_comm_rank (t->comm), size = sol_comm_size (t->comm), total = 0, top = 0;
  int64_t n = cut[rank + 1] - cut[rank];
  node_t *node = sol_alloc ((size_t) (t->n_leaves + 1) * sizeof *node);
  int *first_node = sol_alloc ((size_t) (size + 1) * sizeof *first_node);
  size_t need;
  sol_status_t st = SOL_OK;
  SOL_ASSERT (t->next == t->end);
  for (int r = 0; r < size; r++) {
    first_node[r] = total;
    total += nodes_of (t->first_of[r], t->first_of[r + 1], node + total);
  }
  first_node[size] = total;
  need = size == 1 ? 0 : (size_t) total * (size_t) n * sizeof (float);
  if (need > t->slice_room) {
    sol_free (t->slice);
    t->slice = NULL;
    t->slice_room = need;
    SOL_GO (sol_alloc_large (need, "the slices of gradient leaves", (void **) &t->slice));
  }
  for (int i = 0; i < total; i++) node[i].sum = size == 1 ? t->stack[i].sum : t->slice + (int64_t) i * n; /* alone: added where they are */
  for (int step = 0; step < size && size > 1; step++) SOL_GO (swap (t, cut, (rank + step) % size, (rank + size - step) % size, first_node, node));
  while (1 << top < t->n_leaves) top++;
  if (n > 0) memcpy (out, reduce (t, node, total, top, 0, n), (size_t) n * sizeof *out);
  rewind_tree (t);
out:
  sol_free (node);
  sol_free (first_node);
  return st;
}
