/* SPDX-License-Identifier: Apache-2.0 */
/* memory.h: counted heap memory, 64-byte aligned, zeroed. Every test ends with sol_memory_used () == 0. Thread-safe. */
#ifndef SOL_MEMORY_H
#define SOL_MEMORY_H
#include "solera/status.h"
#include <stddef.h>

/* small things: never NULL; when memory is gone, says how much was asked for and ends the process */
void *sol_alloc (size_t bytes);
void *sol_realloc (void *p, size_t bytes); /* new bytes are zero; p may be NULL */
char *sol_strdup (const char *s);          /* NULL gives NULL */
/* large things, whose size comes from input: SOL_ERR_MEMORY, naming what */
sol_status_t sol_alloc_large (size_t bytes, const char *what, void **mem_p);
/* A list of large pieces, written once: it says how much they take, and takes them. What is taken before a failure stays in its places. */
typedef struct { void **p; size_t bytes; const char *what; } sol_room_t;
size_t sol_rooms_bytes (const sol_room_t *room, int n);
sol_status_t sol_rooms_take (const sol_room_t *room, int n);
void sol_free (void *p); /* NULL is fine */
/* counts bytes of host memory that a device's library has taken (sign 1) or given back (-1); as large ones */
void sol_memory_count (size_t bytes, int sign);
size_t sol_memory_used (void);
size_t sol_memory_large (void); /* of sol_alloc_large: what the figures of need.h count */
size_t sol_memory_peak (void);
#endif
