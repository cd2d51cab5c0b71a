/* SPDX-License-Identifier: Apache-2.0 */
/* answer_pool.c: memory, nodes and work of one comparison. */
#include "answer.h"
#include "solera/memory.h"
#include <string.h>

#define CHUNK 16384

struct sol_chunk { struct sol_chunk *next; size_t used, room; };

void sol_pool_give_up (sol_pool_t *p) { longjmp (*p->out, 1); }

void sol_pool_work (sol_pool_t *p, int steps)
{
  if ((p->work += steps) > (p->max_work ? p->max_work : SOL_ANSWER_WORK)) sol_pool_give_up (p);
}

void *sol_pool_take (sol_pool_t *p, size_t bytes)
{
  bytes = (bytes + 15) & ~(size_t) 15;
  if (bytes > SOL_ANSWER_MEMORY || p->bytes + bytes > SOL_ANSWER_MEMORY) sol_pool_give_up (p);
  if (!p->chunk || p->chunk->used + bytes > p->chunk->room) {
    const size_t head = (sizeof (struct sol_chunk) + 15) & ~(size_t) 15, room = bytes + head > CHUNK ? bytes + head : CHUNK;
    struct sol_chunk *c = sol_alloc (room);
    *c = (struct sol_chunk) { p->chunk, head, room };
    p->chunk = c;
  }
  char *mem = (char *) p->chunk + p->chunk->used;
  p->chunk->used += bytes;
  p->bytes += bytes;
  return mem;
}

void sol_pool_free (sol_pool_t *p)
{
  for (sol_node_t *x = p->numbers; x; x = x->next) mpq_clear (x->q);
  for (struct sol_chunk *c = p->chunk, *next; c; c = next) {
    next = c->next;
    sol_free (c);
  }
  p->numbers = NULL;
  p->chunk = NULL;
}

sol_node_t *sol_node_new (sol_pool_t *p, int kind, int n)
{
  if (++p->nodes > SOL_ANSWER_NODES) sol_pool_give_up (p);
  sol_node_t *x = sol_pool_take (p, sizeof *x);
  x->kind = (uint8_t) kind;
  x->n = n;
  if (n) x->kid = sol_pool_take (p, (size_t) n * sizeof *x->kid);
  if (kind == N_NUM) {
    mpq_init (x->q);
    x->next = p->numbers;
    p->numbers = x;
  }
  return x;
}

sol_node_t *sol_node_name (sol_pool_t *p, int kind, const char *name, size_t bytes)
{
  sol_node_t *x = sol_node_new (p, kind, 0);
  char *copy = sol_pool_take (p, bytes + 1);
  memcpy (copy, name, bytes);
  x->name = copy;
  return x;
}

sol_node_t *sol_node_number (sol_pool_t *p, long value)
{
  sol_node_t *x = sol_node_new (p, N_NUM, 0);
  mpq_set_si (x->q, value, 1);
  x->folded = 1;
  return x;
}

sol_node_t *sol_node_pair (sol_pool_t *p, int kind, sol_node_t *x, sol_node_t *y)
{
  sol_node_t *z = sol_node_new (p, kind, 2);
  z->kid[0] = x;
  z->kid[1] = y;
  return z;
}

sol_node_t *sol_node_func (sol_pool_t *p, const char *name, sol_node_t *x)
{
  sol_node_t *f = sol_node_new (p, N_FUNC, 1);
  f->name = name;
  f->kid[0] = x;
  return f;
}

int sol_node_order (const sol_node_t *x, const sol_node_t *y)
{
  int d;
  if (x == y) return 0;
  if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
  if (x->kind == N_NUM) return mpq_cmp (x->q, y->q);
  if ((d = strcmp (x->name ? x->name : "", y->name ? y->name : ""))) return d;
  if (x->op != y->op) return x->op < y->op ? -1 : 1;
  if (x->n != y->n) return x->n < y->n ? -1 : 1;
  for (int i = 0; i < x->n; i++)
    if ((d = sol_node_order (x->kid[i], y->kid[i]))) return d;
  return 0;
}

int sol_node_is (const sol_node_t *x, int kind, const char *name) { return x && x->kind == kind && (!name || !strcmp (x->name, name)); }

int sol_node_is_long (const sol_node_t *x, long value) { return x->kind == N_NUM && mpq_cmp_si (x->q, value, 1) == 0; }

int sol_node_has (const sol_node_t *x, int kind, const char *name)
{
  if (sol_node_is (x, kind, name)) return 1;
  for (int i = 0; i < x->n; i++)
    if (sol_node_has (x->kid[i], kind, name)) return 1;
  return 0;
}
