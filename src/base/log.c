/* SPDX-License-Identifier: Apache-2.0 */
#include "solera/log.h"
#include "solera/clock.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char name[64] = "solera";
static sol_log_level_t most = SOL_LOG_INFO;
static FILE *copy;

void sol_log_who (const char *role, int index)
{
  pthread_mutex_lock (&lock);
  if (index < 0) snprintf (name, sizeof name, "%s", role);
  else snprintf (name, sizeof name, "%.48s.%d", role, index);
  pthread_mutex_unlock (&lock);
}

const char *sol_log_name (void) { return name; }

void sol_log_level (sol_log_level_t level)
{
  pthread_mutex_lock (&lock);
  most = level;
  pthread_mutex_unlock (&lock);
}

int sol_log_file (const char *path)
{
  FILE *f = path ? fopen (path, "ae") : NULL;
  if (path && !f) return -1;
  pthread_mutex_lock (&lock);
  if (copy) fclose (copy);
  copy = f;
  pthread_mutex_unlock (&lock);
  return 0;
}

/* one write per line, so that lines of many ranks on one terminal do not mix */
__attribute__ ((format (printf, 3, 0))) static void log_line (sol_log_level_t level, const char *room, const char *fmt, va_list ap)
{
  static const char *const word[] = { "error", "warn", "info", "debug" };
  char buf[4096];
  const size_t room_left = sizeof buf - 1;
  pthread_mutex_lock (&lock);
  if (level > most) {
    pthread_mutex_unlock (&lock);
    return;
  }
  size_t n = (size_t) snprintf (buf, room_left, "%9.3f %s %s %s: ", sol_clock_s (), name, word[level], room);
  if (n < room_left) {
    const int more = vsnprintf (buf + n, room_left - n, fmt, ap);
    if (more > 0) n += (size_t) more;
  }
  if (n >= room_left) {
    n = room_left - 1;
    memcpy (buf + n - 3, "...", 3);
  }
  for (size_t i = 0; i < n; i++)
    if ((unsigned char) buf[i] < 32 || buf[i] == 127) buf[i] = buf[i] == '\n' || buf[i] == '\t' ? ' ' : '?'; /* one message is one line and steers no terminal, whatever the input that it quotes */
  buf[n++] = '\n';
  fwrite (buf, 1, n, stderr);
  fflush (stderr);
  if (copy) {
    fwrite (buf, 1, n, copy);
    fflush (copy);
  }
  pthread_mutex_unlock (&lock);
}

void sol_log (sol_log_level_t level, const char *room, const char *fmt, ...)
{
  va_list ap;
  va_start (ap, fmt);
  log_line (level, room, fmt, ap);
  va_end (ap);
}

sol_status_t sol_fail (sol_status_t st, const char *room, const char *fmt, ...)
{
  va_list ap;
  va_start (ap, fmt);
  log_line (SOL_LOG_ERROR, room, fmt, ap);
  va_end (ap);
  return st;
}

void sol_assert_failed (const char *file, int line, const char *what)
{
  sol_log (SOL_LOG_ERROR, "bug", "%s:%d: %s does not hold; please report this", file, line, what);
  abort ();
}

int sol_log_is_terminal (int fd) { return isatty (fd) && !getenv ("OMPI_COMM_WORLD_SIZE") && !getenv ("PMIX_RANK"); }
