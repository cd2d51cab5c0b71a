/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"
#include "solera/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

double sol_child_now (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

int sol_child_pipe (int end[2])
{
  int error = pipe2 (end, O_CLOEXEC) ? errno : 0;
  for (int i = 0; i < 2 && !error; i++) { /* a process may have been started without standard descriptors */
    if (end[i] > 2) continue;
    const int high = fcntl (end[i], F_DUPFD_CLOEXEC, 3);
    if (high < 0) error = errno;
    close (end[i]);
    end[i] = high;
    if (error) close (end[1 - i]);
  }
  return error;
}

/* The environment without what launchers tell the ranks of an MPI job: the child is none. An array of pointers into environ; free it. */
static char **plain_environment (void)
{
  static const char *const launcher[] = { "OMPI_", "PMIX_", "PMI_", "PRTE_", "MPI_", "SLURM_", "HYDRA_", "MV2_" };
  size_t n = 0, kept = 0;
  while (environ[n]) n++;
  char **env = sol_alloc ((n + 1) * sizeof *env);
  for (size_t i = 0; i < n; i++) {
    int of_mpi = 0;
    for (size_t k = 0; k < sizeof launcher / sizeof *launcher; k++) of_mpi |= !strncmp (environ[i], launcher[k], strlen (launcher[k]));
    if (!of_mpi) env[kept++] = environ[i];
  }
  return env;
}

int sol_child_start (const char *program, char *const *argv, const int *fd, int n, pid_t *pid_p)
{
  char **env = plain_environment ();
  posix_spawn_file_actions_t files;
  posix_spawnattr_t how;
  sigset_t all, none;
  sigfillset (&all);
  sigemptyset (&none);
  posix_spawnattr_init (&how);
  posix_spawnattr_setflags (&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setsigdefault (&how, &all);
  posix_spawnattr_setsigmask (&how, &none);
  posix_spawn_file_actions_init (&files);
  for (int i = 0; i < n; i++) posix_spawn_file_actions_adddup2 (&files, fd[i], i);
  posix_spawn_file_actions_addclosefrom_np (&files, n);
  const int error = posix_spawn (pid_p, program, &files, &how, argv, env);
  posix_spawn_file_actions_destroy (&files);
  posix_spawnattr_destroy (&how);
  sol_free (env);
  return error;
}

int sol_child_kill (pid_t pid)
{
  int status = 0;
  kill (-pid, SIGKILL);
  while (waitpid (pid, &status, 0) < 0 && errno == EINTR) continue;
  return status;
}
