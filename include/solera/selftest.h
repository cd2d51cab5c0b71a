/* SPDX-License-Identifier: Apache-2.0 */
/* selftest.h: every op of a backend at small shapes against plain loops. */
#ifndef SOL_SELFTEST_H
#define SOL_SELFTEST_H
#include "solera/backend.h"

/* Runs training passes, an optimizer step and decoding of two small models on the backend of that name beside plain loops: about a second on a device. Not collective. Errors name the first
 * op that is off, with place and values; SOL_ERR_UNSUPPORTED: it cannot run here. each: called at the end for every op seen, or NULL. */
sol_status_t sol_selftest (const char *backend, void (*each) (void *ctx, const sol_op_seen_t *seen), void *ctx);
#endif
