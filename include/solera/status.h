/* SPDX-License-Identifier: Apache-2.0 */
/* status.h: what a function that can fail returns. One list; names and texts come from it. AGAIN is not an error.
 * Rules: outputs come last, named _p, written only on SOL_OK. The function that decides an error logs it, once, with the
 * exact cause (file, line, key, expected, found), by sol_fail (log.h); callers pass it on with SOL_TRY. */
#ifndef SOL_STATUS_H
#define SOL_STATUS_H

#define SOL_STATUS_MAP(X)                                                                                              \
  X (OK, "ok")                                                                                                         \
  X (AGAIN, "nothing yet, call again")                                                                                 \
  X (END, "no more")                                                                                                   \
  X (STOPPED, "stopped on request")                                                                                    \
  X (ERR_USAGE, "wrong use of a command or setting")                                                                   \
  X (ERR_FORMAT, "malformed input")                                                                                    \
  X (ERR_IO, "input or output failed")                                                                                 \
  X (ERR_CHECKSUM, "checksum differs")                                                                                 \
  X (ERR_LIMIT, "a limit was exceeded")                                                                                \
  X (ERR_MEMORY, "out of memory")                                                                                      \
  X (ERR_NUMERIC, "a value is not finite")                                                                             \
  X (ERR_STALE, "wrong policy version")                                                                                \
  X (ERR_CONSERVATION, "rollouts were lost or doubled")                                                                \
  X (ERR_TIMEOUT, "a wait passed its deadline")                                                                        \
  X (ERR_UNSUPPORTED, "not supported")                                                                                 \
  X (ERR_MPI, "an MPI call failed")                                                                                    \
  X (ERR_HDF5, "an HDF5 call failed")                                                                                  \
  X (ERR_DEVICE, "a device call failed")

typedef enum {
#define X(n, s) SOL_##n,
  SOL_STATUS_MAP (X)
#undef X
  SOL_STATUS_COUNT
} sol_status_t;

/* the text of a status; never NULL */
const char *sol_status_string (sol_status_t st);

#define SOL_TRY(expr)                                                                                                  \
  do {                                                                                                                 \
    sol_status_t st_ = (expr);                                                                                         \
    if (st_ != SOL_OK) return st_;                                                                                     \
  } while (0)
/* in functions with one exit: sets st and jumps to out: */
#define SOL_GO(expr)                                                                                                   \
  do {                                                                                                                 \
    st = (expr);                                                                                                       \
    if (st != SOL_OK) goto out;                                                                                        \
  } while (0)
#endif
