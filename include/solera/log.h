/* SPDX-License-Identifier: Apache-2.0 */
/* log.h: one line a message: "   12.345 actor.3 info broker: slot 7 dropped, lag 9 over 8" on standard error.
 * info = a few lines a run. Thread-safe. */
#ifndef SOL_LOG_H
#define SOL_LOG_H
#include "solera/status.h"

typedef enum { SOL_LOG_ERROR, SOL_LOG_WARN, SOL_LOG_INFO, SOL_LOG_DEBUG } sol_log_level_t;

/* who this process is ("actor", 3); index < 0: no number. role is copied. */
void sol_log_who (const char *role, int index);
const char *sol_log_name (void); /* "actor.3" */
void sol_log_level (sol_log_level_t most);
/* a second copy of every line goes to this file (run folder's log), NULL ends it; returns 0 on success */
int sol_log_file (const char *path);
void sol_log (sol_log_level_t level, const char *room, const char *fmt, ...) __attribute__ ((format (printf, 3, 4)));
/* logs an error and returns st: return sol_fail (SOL_ERR_FORMAT, "yaml", "%s:%d: ...", path, line) */
sol_status_t sol_fail (sol_status_t st, const char *room, const char *fmt, ...) __attribute__ ((format (printf, 3, 4)));
/* is this descriptor a terminal that shows lines being rewritten? Not under a launcher: mpirun gives its ranks a pseudo-terminal whatever its own output is. */
int sol_log_is_terminal (int fd);
/* our own bugs, never bad input */
_Noreturn void sol_assert_failed (const char *file, int line, const char *what);
#define SOL_ASSERT(cond) ((cond) ? (void) 0 : sol_assert_failed (__FILE__, __LINE__, #cond))
#endif
